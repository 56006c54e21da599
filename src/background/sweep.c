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

static int64 next_ms = 0;
static int64 swept[FF_FRONTIERS];	/* FfFrontier.used when it was last looked at */

int64
ff_sweep_next_ms(void)
{
	return next_ms;
}

/* True where claims have gone by this frontier since it was last swept. */
static bool
is_to_be_swept(int number, FfFrontier *frontier)
{
	FfPlace		first = FF_FIRST_PLACE;

	return ff_frontier_get(number, frontier) && frontier->used != swept[number] &&
		ff_place_compare(&frontier->passed, &first) != 0;
}

static bool
sweep(void *arg)
{
	for (int i = 0; i < FF_FRONTIERS; i++)
	{
		FfFrontier	frontier;
		FfWorkClass class;
		FfPlace		first;

		if (!is_to_be_swept(i, &frontier))
			continue;
		swept[i] = frontier.used;
		class = (FfWorkClass) {
			.lane_id = frontier.lane_id,.caps_hash = frontier.caps_hash,.resumable = frontier.resumable
		};
		if (ff_pick_first(&class, &first) && ff_place_compare(&first, &frontier.passed) <= 0)
			ff_wake_work(&class, &first);
	}
	return true;
}

static bool
is_any_to_be_swept(void)
{
	FfFrontier	frontier;

	for (int i = 0; i < FF_FRONTIERS; i++)
		if (is_to_be_swept(i, &frontier))
			return true;
	return false;
}

void
ff_sweep_run(void)
{
	int64		began_ms = ff_steady_ms();
	int64		took_ms;

	if (is_any_to_be_swept() && !ff_transaction_run("frontiers", sweep, NULL))
		ff_transaction_log("frontiers");
	took_ms = ff_steady_ms() - began_ms;
	next_ms = ff_steady_ms() + Max(INTERVAL_MS, took_ms * SHARE);
}
