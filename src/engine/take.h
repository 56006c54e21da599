/*
 * take.h - a claim of a locked execution: which transition it is, and what the
 * worker gets.
 */
#ifndef FF_TAKE_H
#define FF_TAKE_H

#include "base/call.h"
#include "base/error.h"
#include "engine/pick.h"

/* Who claims, for how long, and what he says about it. */
typedef struct FfTaker
{
	const char *worker_id;
	const char *worker_instance_id;
	int64		lease_ttl_ms;
	const pg_uuid_t *lease_id;	/* NULL: minted */
	const pg_uuid_t *attempt_id;	/* of a new attempt; NULL: minted */

	/*
	 * Milliseconds that the attempt may still take, in place of the policy's, or
	 * of what a paused one had left; 0 is no limit, unset: those.
	 */
	FfInt8		attempt_timeout_ms;
	bool		overrides_policy;	/* note that with the attempt */
} FfTaker;

/* What kind of claim it is: by the row found, or where a lease was lost by the caller's choice. */
typedef enum FfTakeKind
{
	FF_TAKE_FRESH,
	FF_TAKE_RETRY,
	FF_TAKE_REPLAY,
	FF_TAKE_RESUMED,			/* was suspended: the same attempt goes on */
	FF_TAKE_CONTINUED,			/* was delayed or waited for children: the same */
	FF_TAKE_REQUEUED,			/* its lease was lost, its lane has it again: a new attempt */
	FF_TAKE_RECLAIMED,			/* its lease is lost: a new attempt, by grant */
	FF_TAKE_BACK				/* its lease is or was lost: the same attempt goes on */
} FfTakeKind;

typedef struct FfTake
{
	FfTakeKind	kind;
	FfAttempt	attempt;		/* the current one, where the kind asks; then the one taken */
} FfTake;

/* Raise invalid_input for a worker_id, worker_instance_id or ttl out of bounds. */
extern void ff_taker_check(const FfTaker *taker);

/* The kind of a claim of this execution (specification chapter 04, 3.1). */
extern void ff_take_find(FfCore *core, FfTake *take);

/* True when a paused attempt goes on. */
extern bool ff_take_is_paused(const FfTake *take);

/* The attempt_index that it would run. */
extern int32 ff_take_attempt_index(const FfCore *core, const FfTake *take);

/*
 * Make the transition; the worker's handle. Needs the locks of execution and
 * attempt, and an execution in a state that the kind starts from.
 */
extern bytea *ff_take_make(FfCore *core, FfTake *take, const FfTaker *taker, int64 now_ms);

/* Make it, and add the ff_claimed row to the call's result. */
extern void ff_take_row(FfCandidate *candidate, FfTake *take, const FfTaker *taker, FfCall *call);

/* Find and make it: give the execution to the worker. */
extern void ff_take(FfCandidate *candidate, const FfTaker *taker, FfCall *call);

/*
 * Raise a refusal to claim or grant a named execution: "execution ... <what>".
 * DETAIL gives phase, ownership, eligibility, public_state and attempt_index as found.
 */
extern void ff_take_refuse(FfErrorKind kind, const FfCore *core, const char *what)
			FF_NORETURN;

/* Raise execution_not_eligible where the execution's flow withholds it. */
extern void ff_take_check_flow(const FfCore *core);

#endif							/* FF_TAKE_H */
