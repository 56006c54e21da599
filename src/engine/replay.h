/*
 * replay.h - suspends that may be sent again: what the first one returned, kept
 * under its idempotency key (specification chapter 03, 4.5).
 */
#ifndef FF_REPLAY_H
#define FF_REPLAY_H

#include "engine/record.h"
#include "engine/waitpoint.h"

/* What a suspend returns. */
typedef struct FfSuspendOutcome
{
	const char *outcome;		/* suspended or already_satisfied */
	pg_uuid_t	suspension_id;
	FfWaitpoint *waitpoints;	/* in binding order; id, key and token are set */
	int			nwaitpoints;
	bytea	   *handle;			/* NULL for already_satisfied */
	bool		replayed;
} FfSuspendOutcome;

/* The outcome kept under a key, if it still holds. Tokens come from the waitpoints themselves. */
extern bool ff_replay_find(const FfCore *core, const char *idempotency_key, int64 now_ms,
						   FfSuspendOutcome *outcome);

/* Keep an outcome until expires_at_ms, in place of one that no longer holds. */
extern void ff_replay_store(const FfCore *core, const char *idempotency_key,
							const FfSuspendOutcome *outcome, int64 expires_at_ms, int64 now_ms);

#endif							/* FF_REPLAY_H */
