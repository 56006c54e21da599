/*
 * resume.c - claiming a resumed execution by name (specification chapter 03,
 * section 6.3).
 */
#include "base/compat.h"

#include "base/argument.h"
#include "base/call.h"
#include "base/error.h"
#include "base/setting.h"
#include "engine/grant.h"
#include "engine/take.h"

/* Runnable with a paused attempt, owned by nobody, eligible, and under the index expected. */
static void
check_state(const FfCore *core, const FfAttempt *attempt, FfInt8 expected_index, int64 now_ms)
{
	bool		due = core->eligibility == FF_NOT_ELIGIBLE_UNTIL_TIME &&
		core->eligible_at_ms.isset && core->eligible_at_ms.value <= now_ms;

	if (core->phase != FF_RUNNABLE || !ff_attempt_is_paused(core, attempt))
		ff_take_refuse(FF_NOT_A_RESUMED_EXECUTION, core, "is not resumable");
	if (core->ownership == FF_LEASED)
		ff_take_refuse(FF_LEASE_CONFLICT, core, "is leased");
	if (core->eligibility != FF_ELIGIBLE_NOW && core->eligibility != FF_PENDING_CLAIM && !due)
		ff_take_refuse(FF_EXECUTION_NOT_ELIGIBLE, core, "may not be claimed yet");
	if (expected_index.isset && expected_index.value != core->attempt_index)
		ff_take_refuse(FF_EXECUTION_NOT_ELIGIBLE, core, "is at another attempt");
}

/*
 * A live claim grant reserves the execution for its worker: this worker's is
 * consumed. One that has run out reserves nothing, but is no good either.
 */
static void
pass_grant(FfCore *core, const char *worker_id, const char *grant_key, int64 now_ms)
{
	FfGrant		grant;
	bool		found = ff_grant_find(core, FF_GRANT_CLAIM, &grant);

	if (grant_key)
		ff_grant_require(core, found ? &grant : NULL, worker_id, grant_key, now_ms);
	if (found && ff_grant_is_live(&grant, now_ms) && !ff_grant_is_for(&grant, worker_id))
		ff_take_refuse(FF_INVALID_CLAIM_GRANT, core, "is reserved for another worker");
	ff_grant_redeem(core, now_ms);
}

PG_FUNCTION_INFO_V1(ff_claim_resumed_execution);

Datum
ff_claim_resumed_execution(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfExecutionId id;
	FfTaker		taker = {
		.worker_id = ff_arg_text(fcinfo, 1, "worker_id"),
		.worker_instance_id = ff_arg_text(fcinfo, 2, "worker_instance_id"),
		.lease_ttl_ms = ff_arg_int8_or(fcinfo, 3, ff_default_lease_ttl_ms),
		.lease_id = ff_arg_uuid_or_null(fcinfo, 4),
		.attempt_timeout_ms = ff_arg_maybe_int8(fcinfo, 7),
	};
	char	   *lane_id = ff_arg_text_or(fcinfo, 5, NULL);
	char	   *grant_key = ff_arg_text_or(fcinfo, 8, NULL);
	FfCandidate candidate;
	FfCore	   *core = &candidate.core;
	FfAttempt	attempt;
	bool		has_attempt;

	ff_execution_id_parse(ff_arg_text(fcinfo, 0, "execution_id"), &id);
	ff_taker_check(&taker);
	if (lane_id)
		ff_check_lane(lane_id);
	ff_check_not_negative(taker.attempt_timeout_ms.value, "remaining_attempt_timeout_ms");

	ff_call_begin(&call, fcinfo);
	ff_pick_named(&id, &candidate);
	if (lane_id && strcmp(lane_id, core->lane_id) != 0)
		ff_raise_rule(FF_INVALID_INPUT, "lane_mismatch",
					  psprintf("execution %s is in another lane", ff_execution_id_text(&id)),
					  "lane_id=%s execution lane_id=%s", lane_id, core->lane_id);
	has_attempt = ff_attempt_lock(&attempt, core, core->attempt_index);
	if (has_attempt || core->attempt_state != FF_INTERRUPTED_ATTEMPT)
		check_state(core, &attempt, ff_arg_maybe_int4(fcinfo, 6), call.now_ms);
	pass_grant(core, taker.worker_id, grant_key, call.now_ms);
	if (!has_attempt)
		ff_raise(FF_NOT_FOUND, errmsg("attempt %d of execution %s does not exist",
									  core->attempt_index, ff_execution_id_text(&id)));
	ff_take_check_flow(core);
	ff_take(&candidate, &taker, &call);
	return ff_call_end(&call);
}
