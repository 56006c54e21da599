/*
 * claim.c - taking work under a lease (specification chapter 04, section 3.2).
 */
#include "base/compat.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "base/argument.h"
#include "base/call.h"
#include "base/clock.h"
#include "base/setting.h"
#include "engine/capability.h"
#include "engine/take.h"

/* How often a waiting claim looks again, in milliseconds: at first, and at most. */
#define FIRST_NAP_MS 10
#define LONGEST_NAP_MS 250

/* What one claim asks for. */
typedef struct Wish
{
	const char *lane_id;
	ArrayType  *capabilities;
	int			max_claims;
	bool		include_resumable;
} Wish;

/*
 * Claim what there is now; false if that was nothing and the call may wait for
 * more: it may not where it holds locks on rows that it changed.
 */
static bool
claim_now(FfCall *call, const Wish *wish, const FfTaker *taker)
{
	FfPick	   *pick;
	FfCandidate candidate;
	bool		any = false;

	pick = ff_pick_begin(wish->lane_id, wish->capabilities, wish->include_resumable,
						 wish->max_claims, call->now_ms);
	while (ff_pick_next(pick, &candidate))
	{
		ff_take(&candidate, taker, call);
		any = true;
	}
	return any || ff_pick_wrote(pick);
}

/* Sleep, open to cancellation; the milliseconds left. */
static long
nap(long nap_ms, TimestampTz until)
{
	long		left = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), until);

	if (left > 0)
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 Min(nap_ms, left), PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
	CHECK_FOR_INTERRUPTS();
	return left;
}

/* Look again, each time on a new snapshot, until there is work or the time is over. */
static void
claim_waiting(FfCall *call, const Wish *wish, const FfTaker *taker, int64 block_ms)
{
	TimestampTz until = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), block_ms);
	long		nap_ms = FIRST_NAP_MS;

	while (nap(nap_ms, until) > 0)
	{
		call->now_ms = ff_now_ms();
		if (claim_now(call, wish, taker))
			return;
		nap_ms = Min(nap_ms * 2, LONGEST_NAP_MS);
	}
}

PG_FUNCTION_INFO_V1(ff_claim);

Datum
ff_claim(PG_FUNCTION_ARGS)
{
	FfCall		call;
	Wish		wish = {
		.lane_id = ff_arg_text(fcinfo, 0, "lane_id"),
		.max_claims = ff_arg_int4_or(fcinfo, 5, 1),
		.include_resumable = ff_arg_bool_or(fcinfo, 6, true),
	};
	FfTaker		taker = {
		.worker_id = ff_arg_text(fcinfo, 1, "worker_id"),
		.worker_instance_id = ff_arg_text(fcinfo, 2, "worker_instance_id"),
		.lease_ttl_ms = ff_arg_int8_or(fcinfo, 4, ff_default_lease_ttl_ms),
	};
	int64		block_ms = ff_arg_int8_or(fcinfo, 7, 0);

	ff_check_lane(wish.lane_id);
	ff_taker_check(&taker);
	ff_check_range(wish.max_claims, "max_claims", 1, 1000);
	ff_check_range(block_ms, "block_ms", 0, 30000);
	wish.capabilities = ff_capabilities_normalize(PG_ARGISNULL(3) ? NULL
												  : PG_GETARG_ARRAYTYPE_P(3), "worker");

	ff_call_begin(&call, fcinfo);
	/* a snapshot of the whole transaction would never show new work */
	if (!claim_now(&call, &wish, &taker) && block_ms > 0 && !IsolationUsesXactSnapshot())
		claim_waiting(&call, &wish, &taker, block_ms);
	return ff_call_end(&call);
}
