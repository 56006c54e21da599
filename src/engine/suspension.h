/*
 * suspension.h - the suspension of an execution, its waitpoints and what
 * happens to both when it resumes or ends.
 */
#ifndef FF_SUSPENSION_H
#define FF_SUSPENSION_H

#include "base/compat.h"

#include "utils/array.h"

#include "base/error.h"
#include "engine/binding.h"
#include "engine/handle.h"
#include "engine/record.h"

/* An open suspension: a row of ff_suspension_current. */
typedef struct FfSuspension
{
	pg_uuid_t	id;
	Jsonb	   *condition;
	Jsonb	   *satisfied_set;
	Jsonb	   *member_map;
	Jsonb	   *resume_policy;	/* NULL: the defaults */
	ArrayType  *waitpoint_ids;	/* uuid[]; NULL: none */
	FfInt8		timeout_at_ms;
	const char *timeout_behavior;	/* NULL: fail */
} FfSuspension;

/*
 * Whether a row is open, in words that the partial indexes over open suspensions
 * do not answer to: a plan made on an empty table might walk one from end to end.
 */
#define FF_SUSPENSION_IS_OPEN(s) "num_nulls(" s ".closed_at_ms) = 1"

/* Its columns in the order that ff_suspension_read takes them, from ff_suspension_current s. */
#define FF_SUSPENSION_COLUMNS \
	"s.suspension_id, s.condition, s.satisfied_set, s.member_map, s.resume_policy," \
	" s.waitpoint_ids, s.timeout_at_ms, s.timeout_behavior"

/* Fill the struct from a row, beginning at a column; false where the id is NULL. */
extern bool ff_suspension_read(FfSuspension *suspension, const FfRow *row, int column);

/* Lock and read the open suspension of a locked execution; false if there is none. */
extern bool ff_suspension_lock(const FfCore *core, FfSuspension *suspension);

/*
 * Checks 16 and 17 of specification chapter 03, 4.2: the handle's attempt is the
 * current one and its lease is live. other_attempt and suspended_kind are what
 * the caller raises for another attempt and for a suspended execution.
 */
extern void ff_suspension_check_live(const FfHandle *handle, const FfCore *core,
									 const FfAttempt *attempt, FfErrorKind other_attempt,
									 FfErrorKind suspended_kind, int64 now_ms);

/*
 * Checks 18 to 20: no suspension is open, the suspension_id (NULL: not given) and
 * the ids given to fresh waitpoints were never used, there is room for them.
 * Raises already_suspended, invalid_input/suspension_id_reused,
 * waitpoint_already_exists, invalid_input/too_many_open_waitpoints.
 */
extern void ff_suspension_check_new(const FfCore *core, const pg_uuid_t *suspension_id,
									const FfBindings *bindings);

/* What a new suspension consists of besides what FfSuspension has. */
typedef struct FfSuspensionTerms
{
	const char *reason_code;
	const char *requested_by;
	const char *continuation_metadata_pointer;	/* may be NULL */
	int32		attempt_index;
	int64		lease_epoch;	/* of the lease that is given up */
	int64		now_ms;
} FfSuspensionTerms;

/* Make it the execution's open one; an earlier one goes to the history. */
extern void ff_suspension_insert(FfCore *core, const FfSuspension *suspension,
								 const FfSuspensionTerms *terms);

/* Write it to the history, closed as already_satisfied: it never began. */
extern void ff_suspension_insert_satisfied(const FfCore *core, const FfSuspension *suspension,
										   const FfSuspensionTerms *terms,
										   const pg_uuid_t *closer_signal_id);

/* Store how far the condition is. */
extern void ff_suspension_store_progress(const FfCore *core, const FfSuspension *suspension);

/*
 * Close the suspension of an execution that goes on, with its progress as the
 * struct has it, and its waitpoints or make them pending again, as its policy
 * says. to_history moves the closed row at once. closer_signal_id may be NULL.
 */
extern void ff_suspension_close(FfCore *core, FfSuspension *suspension, const char *close_reason,
								const pg_uuid_t *closer_signal_id, bool to_history, int64 now_ms);

/*
 * The waitpoints of a suspension that was met: they close, or go back to
 * pending, as its policy says.
 */
extern void ff_suspension_release_waitpoints(const FfCore *core, const FfSuspension *suspension,
											 const char *close_reason, int64 now_ms);

/* Its time is over: note that, and the timeout signal (NULL: none), in its member_map. */
extern void ff_suspension_note_timeout(const FfCore *core, FfSuspension *suspension,
									   const pg_uuid_t *signal_id, int64 now_ms);

/* It stays open, for an operator alone to resume. */
extern void ff_suspension_escalate(const FfCore *core, const FfSuspension *suspension,
								   int64 now_ms);

/*
 * What FINISH asks for when an execution ends (chapter 01, 5.3): close the
 * open suspension, if there is one, with close_reason, and move the row to the
 * history; close every pending and active waitpoint of the execution, turning
 * buffered signals into no_op_waitpoint_never_activated. Looks only for what
 * core->dependents says may be there. Needs the execution's lock. A second
 * call does nothing: who wants a close_reason of its own calls it before the
 * transition.
 */
extern void ff_suspension_finish(FfCore *core, const char *close_reason, int64 now_ms);

/*
 * The attempt is superseded by another: close the waitpoints it made and never
 * bound. Looks only where core->dependents says there may be some.
 */
extern void ff_suspension_supersede(FfCore *core, int64 now_ms);

#endif							/* FF_SUSPENSION_H */
