/*
 * record.h - an execution and its attempt as C structs: reading and locking
 * their rows. Only transition.c writes them, and what lease.h says of attempts.
 */
#ifndef FF_RECORD_H
#define FF_RECORD_H

#include "base/id.h"
#include "base/jsonobject.h"
#include "base/statement.h"
#include "engine/state.h"

/* What else of an execution may have rows; see FfCore.dependents. */
#define FF_HAS_GRANT		0x01	/* ff_claim_grant */
#define FF_HAS_SUSPENSION	0x02	/* ff_suspension_current, open or closed */
#define FF_HAS_WAITPOINT	0x04	/* an open row of ff_waitpoint_pending */
#define FF_HAS_ANY			0x07

/* A row of ff_exec_core; enums are -1 for NULL. */
typedef struct FfCore
{
	FfExecutionId id;
	const pg_uuid_t *flow_id;	/* NULL: in no flow */
	const char *lane_id;
	int32		attempt_index;
	int			phase;
	int			ownership;
	int			eligibility;
	int			blocking_reason;
	int			public_state;
	int			attempt_state;
	int			terminal_outcome;
	FfInt8		eligible_at_ms;
	FfInt8		deadline_at_ms;
	FfInt8		started_at_ms;
	FfInt8		terminal_at_ms;
	int64		created_at_ms;
	int32		priority;
	int64		caps_hash;		/* its capability class */
	int32		lease_reclaim_count;
	int32		retry_count;
	const pg_uuid_t *blocked_on;
	Jsonb	   *policy;			/* NULL: none */
	Jsonb	   *raw_fields;
	ItemPointerData tid;		/* for ff_table_update */

	/*
	 * FF_HAS_* bits: what may have rows, so that an end need not look in vain.
	 * All set until ff_attempt_lock has looked under the execution's lock.
	 */
	int			dependents;

	/* To be written with the next transition; NULL leaves the column as it is. */
	bytea	   *result;
	FfJsonObject *raw_patch;	/* keys merged into raw_fields */
	ArrayType  *raw_removed;	/* text[]: keys taken out of raw_fields before that */
	const char *cancellation_reason;
	const char *cancelled_by;
	bool		deadline_changed;	/* deadline_at_ms is to be written too */
} FfCore;

/* A row of ff_attempt. */
typedef struct FfAttempt
{
	FfExecutionId execution;
	int32		attempt_index;
	const char *worker_id;
	const char *worker_instance_id;
	const pg_uuid_t *attempt_id;
	const pg_uuid_t *lease_id;
	int64		lease_epoch;
	FfInt8		lease_expires_at_ms;
	FfInt8		lease_check_at_ms;
	FfInt8		lease_acquired_at_ms;
	FfInt8		lease_renewed_at_ms;
	FfInt8		lease_lost_at_ms;
	FfInt8		started_at_ms;
	FfInt8		terminal_at_ms;
	FfInt8		suspended_at_ms;
	int			outcome;
	FfInt8		timeout_at_ms;
	FfInt8		timeout_left_ms;
	const char *failure_reason;
	const char *failure_category;
	Jsonb	   *raw_fields;
	ItemPointerData tid;		/* for ff_table_update */

	/* To be written with the next transition; NULL leaves the column as it is. */
	bytea	   *failure_detail;
	FfJsonObject *raw_patch;
	Jsonb	   *policy;			/* what of the policy this attempt overrides */
} FfAttempt;

/* The columns of FfCore in the order that ff_core_read takes them. */
#define FF_CORE_COLUMNS \
	"partition_key, execution_id, flow_id, lane_id, attempt_index, lifecycle_phase, " \
	"ownership_state, eligibility_state, blocking_reason, public_state, attempt_state, " \
	"terminal_outcome, eligible_at_ms, deadline_at_ms, started_at_ms, terminal_at_ms, " \
	"created_at_ms, priority, lease_reclaim_count, retry_count, blocked_on, policy, " \
	"raw_fields, caps_hash"
#define FF_CORE_NCOLUMNS 24

/* Those that say where an execution is in claim order, and whether it is too late for it. */
#define FF_CORE_ID 2
#define FF_CORE_DEADLINE 14
#define FF_CORE_CREATED 17
#define FF_CORE_PRIORITY 18

/* Fill a struct from the first FF_CORE_NCOLUMNS columns of a row. */
extern void ff_core_read(FfCore *core, const FfRow *row);

/*
 * Lock the row of an execution FOR NO KEY UPDATE and read it; waits for other
 * operations on it. ff_core_lock raises not_found, ff_core_try gives false.
 */
extern void ff_core_lock(FfCore *core, const FfExecutionId *id);
extern bool ff_core_try(FfCore *core, const FfExecutionId *id);

/* The same without waiting: false also where somebody else has the lock. */
extern bool ff_core_try_free(FfCore *core, const FfExecutionId *id);

/*
 * Lock the row of one attempt, needs the execution's lock; false if there is
 * none. Refines core->dependents.
 */
extern bool ff_attempt_lock(FfAttempt *attempt, FfCore *core, int32 attempt_index);

/* What the execution's attempts say about the next lease. */
typedef struct FfEpochs
{
	int64		top;			/* the highest lease_epoch, 0 if there is no attempt */
	bool		has_current;	/* there is one of the execution's attempt_index */
} FfEpochs;

extern FfEpochs ff_attempt_epochs(const FfCore *core);

/* True when the lease runs: ownership leased and its end not reached. */
extern bool ff_lease_is_live(const FfCore *core, const FfAttempt *attempt, int64 now_ms);

/* True when lifecycle_phase says that the execution has ended. */
extern bool ff_core_has_ended(const FfCore *core);

/* True for a paused attempt: interrupted, to go on under its own index (chapter 04, 1.1). */
extern bool ff_attempt_is_paused(const FfCore *core, const FfAttempt *attempt);

/* Text values of raw_fields; NULL if absent. ff_core_tag looks into its tags. */
extern char *ff_core_field(const FfCore *core, const char *key);
extern char *ff_core_tag(const FfCore *core, const char *key);
extern char *ff_core_namespace(const FfCore *core);

/* What raw_fields of either is merged with by the next transition; made at first use. */
extern FfJsonObject *ff_core_patch(FfCore *core);
extern FfJsonObject *ff_attempt_patch(FfAttempt *attempt);

#endif							/* FF_RECORD_H */
