/*
 * sweep.c - making sure that no frontier hides work.
 */
#include "background/sweep.h"

#include "base/clock.h"
#include "background/transaction.h"
#include "engine/frontier.h"
#include "engine/pick.h"
#include "engine/wake.h"

#define INTERVAL_MS 1000
/* Where dead entries make it slow it takes at most this part of the time. */
#define SHARE 20
/* How late the next sweep may be until claims go without. */
#define GRACE_MS 2000

static int64 next_ms = 0;

int64
ff_sweep_next_ms(void)
{
	return next_ms;
}

/*
 * Also those that no claim has gone by lately: the next one may come long after
 * what it is to find. A frontier that lags behind is moved forward, since claims
 * of transactions that have written move none.
 */
static bool
sweep(void *arg)
{
	for (int i = 0; i < FF_FRONTIERS; i++)
	{
		FfFrontier	frontier;
		FfFrontierLook look;
		FfWorkClass class;
		FfPlace		first;

		if (!ff_frontier_get(i, &frontier, &look, &class) || !ff_pick_first(&class, &first))
			continue;
		if (ff_place_compare(&first, &look.passed) <= 0)
			ff_wake_work(&class, &first);
		else
			ff_frontier_advance(&look, &class, &first);
	}
	return true;
}

static bool
is_any_to_be_swept(void)
{
	FfFrontier	frontier;
	FfFrontierLook look;
	FfWorkClass class;

	for (int i = 0; i < FF_FRONTIERS; i++)
		if (ff_frontier_get(i, &frontier, &look, &class))
			return true;
	return false;
}

void
ff_sweep_run(void)
{
	int64		began_ms = ff_steady_ms();
	int64		took_ms;
	bool		swept;

	swept = !is_any_to_be_swept() || ff_transaction_run("frontiers", sweep, NULL);
	took_ms = ff_steady_ms() - began_ms;
	next_ms = ff_steady_ms() + Max(INTERVAL_MS, took_ms * SHARE);
	if (swept)
		ff_frontier_vouch(next_ms + GRACE_MS);
	else
		ff_transaction_log("frontiers");
}
