/*
 * waitpoint.h - waitpoints: the addresses that signals are delivered to.
 *
 * A waitpoint changes only under the lock of its execution, which every
 * function here needs; the statements run after that lock was taken.
 */
#ifndef FF_WAITPOINT_H
#define FF_WAITPOINT_H

#include "base/compat.h"

#include "utils/array.h"

#include "base/error.h"
#include "engine/record.h"

/* Open waitpoints that one execution may have. */
#define FF_MAX_OPEN_WAITPOINTS 1000

/*
 * The signals g of waitpoints $3 (uuid[]) in partition $1, for a FROM: the order
 * makes it a walk along the primary key, waitpoint by waitpoint, and not along
 * all the signals of the execution.
 */
#define FF_SIGNALS_OF_WAITPOINTS \
	"unnest($3) AS w (id) CROSS JOIN LATERAL" \
	" (SELECT s.ctid, s.* FROM @extschema@.ff_signal s" \
	"  WHERE s.partition_key = $1 AND s.waitpoint_id = w.id" \
	"  ORDER BY s.waitpoint_id, s.seq) g"

typedef enum FfWaitpointState
{
	FF_PENDING_WAITPOINT,		/* made, no suspension yet */
	FF_ACTIVE_WAITPOINT,		/* backs the open suspension */
	FF_CLOSED_WAITPOINT,
	FF_EXPIRED_WAITPOINT
} FfWaitpointState;

typedef struct FfWaitpoint
{
	pg_uuid_t	id;
	const char *key;
	const char *token;
	const char *token_kid;		/* set by ff_waitpoint_sign only */
	FfWaitpointState state;
	FfInt8		attempt_index;
	FfInt8		expires_at_ms;
} FfWaitpoint;

static inline bool
ff_waitpoint_is_open(const FfWaitpoint *waitpoint)
{
	return waitpoint->state == FF_PENDING_WAITPOINT || waitpoint->state == FF_ACTIVE_WAITPOINT;
}

/* The state of a word of ff_waitpoint_pending.state. */
extern FfWaitpointState ff_waitpoint_state(const char *word);

/*
 * Lock one of the execution's by its id. Raises waitpoint_not_found, or
 * invalid_waitpoint_for_execution for another execution's.
 */
extern void ff_waitpoint_lock(const FfCore *core, const pg_uuid_t *id, FfWaitpoint *waitpoint);

/* Lock some, by ascending id; waitpoints[i] is filled for ids[i]. Raises the same. */
extern void ff_waitpoint_lock_many(const FfCore *core, const pg_uuid_t *ids, int nids,
								   FfWaitpoint *waitpoints);

/* Read one of the execution's, whatever its state; false if it is not there. */
extern bool ff_waitpoint_read(const FfCore *core, const pg_uuid_t *id, FfWaitpoint *waitpoint);

/* Raise the one or the other for a waitpoint that the execution does not have. */
extern void ff_waitpoint_refuse_missing(const FfCore *core, const pg_uuid_t *id,
										FfErrorKind not_found_kind, FfErrorKind foreign_kind)
			FF_NORETURN;

/* The open ones of an execution, by id; what they are is unsure without its lock. */
extern int	ff_waitpoint_list_open(const FfExecutionId *execution, pg_uuid_t **ids);

/* Raise pending_waitpoint_expired. */
extern void ff_waitpoint_refuse_expired(const pg_uuid_t *id) FF_NORETURN;

/* Raises invalid_input/too_many_open_waitpoints unless so many more may be opened. */
extern void ff_waitpoint_check_room(const FfCore *core, int more);

/* Raises waitpoint_already_exists unless an id was never used. */
extern void ff_waitpoint_check_unused(const FfCore *core, const pg_uuid_t *id);

/* Sign the token of a new one; raises invalid_input/keystore_empty. */
extern void ff_waitpoint_sign(const FfCore *core, FfWaitpoint *waitpoint);

/* What new and activated waitpoints share. */
typedef struct FfWaitpointTerms
{
	const pg_uuid_t *suspension_id; /* NULL: pending, no suspension yet */
	int32		attempt_index;
	FfInt8		expires_at_ms;
	int64		now_ms;
} FfWaitpointTerms;

/*
 * Insert new ones, signed, with required_signal_names[i] (text[]) each: active
 * where the terms name a suspension. Raises waitpoint_already_exists.
 */
extern void ff_waitpoint_insert(const FfCore *core, const FfWaitpoint *waitpoints, int nwaitpoints,
								ArrayType *const *required_signal_names,
								const FfWaitpointTerms *terms);

/* Make a pending one active; counted of its buffered signals advanced the condition. */
extern void ff_waitpoint_activate(const FfCore *core, const FfWaitpoint *waitpoint,
								  ArrayType *required_signal_names, int counted,
								  const FfWaitpointTerms *terms);

/* Close or expire one that is open; its buffered signals come to nothing. */
extern void ff_waitpoint_close(const FfCore *core, const pg_uuid_t *id, FfWaitpointState state,
							   const char *close_reason, int64 now_ms);

/*
 * Close the active ones among a suspension's (uuid[], NULL: none); satisfied says
 * whether they did their work.
 */
extern void ff_waitpoint_close_active(const FfCore *core, ArrayType *ids, const char *close_reason,
									  bool satisfied, int64 now_ms);

/* Make the active ones among a suspension's pending again; they keep their tokens. */
extern void ff_waitpoint_reopen(const FfCore *core, ArrayType *ids);

/* Close every open one of the execution; their buffered signals come to nothing. */
extern void ff_waitpoint_close_all(const FfCore *core, const char *close_reason, int64 now_ms);

/* Keep those of a suspension that was escalated open for ever. */
extern void ff_waitpoint_keep(const FfCore *core, ArrayType *ids);

/* A uuid[] of some ids; and back, NULL elements left out. */
extern ArrayType *ff_uuid_array(const pg_uuid_t *ids, int nids);
extern pg_uuid_t *ff_uuid_array_ids(ArrayType *array, int *nids);

#endif							/* FF_WAITPOINT_H */
