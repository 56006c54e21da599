/*
 * sweep.c - making sure that no frontier hides work.
 */
#include "background/sweep.h"

#include "base/clock.h"
#include "background/transaction.h"
#include "engine/wake.h"
#include "engine/workscan.h"

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

static void
sweep_class(const FfWorkClass *class)
{
	FfFrontierLook look = ff_frontier_peek(class);
	FfPlace		first;

	if (!ff_workscan_first(class, &first))
		ff_frontier_advance(&look, class, NULL);
	else if (ff_place_compare(&first, &look.passed) <= 0)
		ff_wake_work(class, &first);
	else
		ff_frontier_advance(&look, class, &first);
}

/*
 * Also those that no claim has gone by lately: the next one may come long after
 * what it is to find. A frontier that lags behind is moved forward, since claims
 * of transactions that have written, or of workers that cannot take the class,
 * move none.
 */
static bool
sweep(void *arg)
{
	char		lane_id[FF_LANE_LENGTH + 1];

	for (int i = ff_frontier_lane(0, lane_id); i >= 0; i = ff_frontier_lane(i + 1, lane_id))
		for (int resumable = 0; resumable <= 1; resumable++)
		{
			FfWorkClass class = {.lane_id = lane_id,.resumable = resumable};

			for (bool found = ff_workscan_class(&class, true); found;
				 found = ff_workscan_class(&class, false))
				sweep_class(&class);
		}
	return true;
}

static bool
is_any_to_be_swept(void)
{
	char		lane_id[FF_LANE_LENGTH + 1];

	return ff_frontier_lane(0, lane_id) >= 0;
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
