/*
 * take.h - a claim of a locked execution: which transition it is, and what the
 * worker gets.
 */
#ifndef FF_TAKE_H
#define FF_TAKE_H

#include "base/call.h"
#include "engine/pick.h"

/* Who claims, and for how long. */
typedef struct FfTaker
{
	const char *worker_id;
	const char *worker_instance_id;
	int64		lease_ttl_ms;
	const pg_uuid_t *lease_id;	/* NULL: minted */

	/*
	 * Milliseconds that a paused attempt has left, in place of what it had when it
	 * was paused; unset: that.
	 */
	FfInt8		attempt_timeout_ms;
} FfTaker;

/* Raise invalid_input for a worker_id, worker_instance_id or ttl out of bounds. */
extern void ff_taker_check(const FfTaker *taker);

/*
 * Give the execution to the worker (specification chapter 04, 3.1): a new
 * attempt, the paused one, or one after a lost lease; add the ff_claimed row
 * to the call's result.
 */
extern void ff_take(FfCandidate *candidate, const FfTaker *taker, FfCall *call);

#endif							/* FF_TAKE_H */
