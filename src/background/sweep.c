/*
 * sweep.c - making sure that no frontier hides work.
 */
#include "background/sweep.h"

#include "base/clock.h"
#include "background/transaction.h"
#include "engine/wake.h"
#include "engine/workscan.h"

#define INTERVAL_MS 1000
/* Where dead entries make it slow it takes this part of the time; more, once it would be put off for long. */
#define SHARE 20
#define LONGEST_INTERVAL_MS 5000
/* How late the next sweep may be until claims go without. */
#define GRACE_MS 2000

static int64 next_ms = 0;

int64
ff_sweep_next_ms(void)
{
	return next_ms;
}

static void
sweep_class(const FfWorkClass *class, const FfFrontierLook *look)
{
	FfPlace		first;

	if (!ff_workscan_first(class, &first))
		ff_frontier_note_empty(look, class);
	else if (look->empty || ff_place_compare(&first, &look->passed) <= 0)
		ff_wake_work(class, &first);
	else
		ff_frontier_advance(look, class, &first);
}

static bool
is_known(const FfLaneLook *lane, const FfWorkClass *class)
{
	for (int i = 0; i < lane->nclasses; i++)
		if (lane->classes[i].caps_hash == class->caps_hash &&
			lane->classes[i].resumable == class->resumable)
			return true;
	return false;
}

/* The classes that the index has and claims do not know, where they do not ask the index themselves. */
static void
sweep_unknown(const FfLaneLook *lane, const char *lane_id, bool resumable)
{
	FfWorkClass class = {.lane_id = lane_id,.resumable = resumable};
	FfPlace		first;

	if (!lane->complete[resumable])
		return;
	for (bool found = ff_workscan_class(&class, true); found; found = ff_workscan_class(&class, false))
		if (!is_known(lane, &class) && ff_workscan_first(&class, &first))
			ff_wake_work(&class, &first);
}

static void
sweep_lane(const FfLaneLook *lane, const char *lane_id)
{
	for (int i = 0; i < lane->nclasses; i++)
	{
		const FfFrontierLook *look = &lane->classes[i];

		sweep_class(&(FfWorkClass) {
			.lane_id = lane_id,.caps_hash = look->caps_hash,.resumable = look->resumable
		}, look);
	}
	sweep_unknown(lane, lane_id, false);
	sweep_unknown(lane, lane_id, true);
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
	FfLaneLook	lane;

	for (int i = -1; (i = ff_frontier_lane(i + 1, lane_id, &lane)) >= 0;)
		sweep_lane(&lane, lane_id);
	return true;
}

static bool
is_any_to_be_swept(void)
{
	char		lane_id[FF_LANE_LENGTH + 1];

	return ff_frontier_lane(0, lane_id, NULL) >= 0;
}

void
ff_sweep_run(void)
{
	int64		began_ms = ff_steady_ms();
	int64		took_ms;
	int64		pause_ms;
	bool		swept;

	swept = !is_any_to_be_swept() || ff_transaction_run("frontiers", sweep, NULL);
	took_ms = ff_steady_ms() - began_ms;
	pause_ms = Max(INTERVAL_MS, took_ms * SHARE);
	if (swept)
		pause_ms = Min(pause_ms, LONGEST_INTERVAL_MS);
	next_ms = ff_steady_ms() + pause_ms;
	if (swept)
		ff_frontier_vouch(next_ms + took_ms + GRACE_MS);
	else
		ff_transaction_log("frontiers");
}
