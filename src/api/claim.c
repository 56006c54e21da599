/*
 * claim.c - taking work under a lease (specification chapter 04, section 3.2).
 */
#include "base/compat.h"

#include "base/argument.h"
#include "base/call.h"
#include "base/clock.h"
#include "base/setting.h"
#include "engine/capability.h"
#include "engine/take.h"
#include "engine/wait.h"
#include "engine/wake.h"

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
claim_now(FfCall *call, const Wish *wish, const FfTaker *taker, bool *claimed)
{
	FfPick	   *pick;
	FfCandidate candidate;

	pick = ff_pick_begin(wish->lane_id, wish->capabilities, wish->include_resumable,
						 wish->max_claims, call->now_ms);
	while (ff_pick_next(pick, &candidate))
	{
		ff_take(&candidate, taker, call);
		*claimed = true;
	}
	return *claimed || ff_pick_wrote(pick);
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
	FfWait		wait;
	bool		claimed = false;

	ff_check_lane(wish.lane_id);
	ff_taker_check(&taker);
	ff_check_range(wish.max_claims, "max_claims", 1, 1000);
	ff_check_range(block_ms, "block_ms", 0, 30000);
	wish.capabilities = ff_capabilities_normalize(PG_ARGISNULL(3) ? NULL
												  : PG_GETARG_ARRAYTYPE_P(3), "worker");

	ff_call_begin(&call, fcinfo);
	ff_wait_begin(&wait, ff_wait_on_lane(wish.lane_id), block_ms);
	while (!claim_now(&call, &wish, &taker, &claimed) && ff_wait_next(&wait, false))
		call.now_ms = ff_now_ms();
	ff_wait_end(&wait);
	ff_wake_count(claimed ? FF_COUNT_CLAIMS_CLAIMED : FF_COUNT_CLAIMS_EMPTY, 1);
	return ff_call_end(&call);
}
