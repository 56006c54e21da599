/*
 * grant.c - claim grants: reserving an execution for a worker, and claiming
 * what was reserved (specification chapter 04, 3.3 to 3.5).
 */
#include "base/compat.h"

#include "base/argument.h"
#include "base/call.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/setting.h"
#include "engine/capability.h"
#include "engine/fence.h"
#include "engine/grant.h"
#include "engine/take.h"
#include "engine/transition.h"

/* The terms common to all grants; first is the argument worker_id. */
static void
read_terms(FunctionCallInfo fcinfo, int first, FfGrantTerms *terms)
{
	memset(terms, 0, sizeof(FfGrantTerms));
	terms->worker_id = ff_arg_text(fcinfo, first, "worker_id");
	terms->worker_instance_id = ff_arg_text(fcinfo, first + 1, "worker_instance_id");
}

static ArrayType *
read_capabilities(FunctionCallInfo fcinfo, int n)
{
	return ff_capabilities_normalize(PG_ARGISNULL(n) ? NULL : PG_GETARG_ARRAYTYPE_P(n), "worker");
}

/* T05: reserve the execution and tell how it is claimed. */
static void
reserve(FfCall *call, FfCore *core, const FfGrantTerms *terms)
{
	FfMove		move = {.now_ms = call->now_ms};
	int64		expires_at_ms;
	char	   *key;

	ff_transition(FF_T05_GRANT, core, NULL, &move);
	key = ff_grant_issue(core, FF_GRANT_CLAIM, terms, call->now_ms, &expires_at_ms);
	ff_call_row(call, ff_text(ff_execution_id_text(&core->id)), ff_text(core->lane_id),
				ff_text(key), ff_instant(expires_at_ms),
				ff_bool(core->public_state == FF_PUBLIC_RESUMABLE));
}

PG_FUNCTION_INFO_V1(ff_claim_for_worker);

Datum
ff_claim_for_worker(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfGrantTerms terms;
	FfCandidate candidate;
	FfPick	   *pick;
	char	   *lane_id = ff_arg_text(fcinfo, 0, "lane_id");

	ff_check_lane(lane_id);
	read_terms(fcinfo, 1, &terms);
	terms.ttl_ms = ff_arg_int8_or(fcinfo, 4, ff_default_grant_ttl_ms);
	ff_grant_check(&terms);
	terms.capabilities = read_capabilities(fcinfo, 3);

	ff_call_begin(&call, fcinfo);
	pick = ff_pick_begin(lane_id, terms.capabilities, true, 1, call.now_ms);
	if (ff_pick_next(pick, &candidate))
		reserve(&call, &candidate.core, &terms);
	return ff_call_end(&call);
}

/* Claimable now, or would be but for a grant that ran out; a live one was refused before. */
static bool
may_be_granted(const FfCore *core, int64 now_ms)
{
	if (core->phase != FF_RUNNABLE || core->ownership != FF_UNOWNED)
		return false;
	if (core->eligibility == FF_NOT_ELIGIBLE_UNTIL_TIME)
		return core->public_state == FF_PUBLIC_RESUMABLE && core->eligible_at_ms.isset &&
			core->eligible_at_ms.value <= now_ms;
	return core->eligibility == FF_ELIGIBLE_NOW || core->eligibility == FF_PENDING_CLAIM;
}

static void
check_grantable(const FfCandidate *candidate, const char *lane_id, const FfGrantTerms *terms,
				int64 now_ms)
{
	const FfCore *core = &candidate->core;

	if (ff_grant_is_out(core, now_ms))
		ff_take_refuse(FF_GRANT_ALREADY_EXISTS, core, "is granted already");
	if (!may_be_granted(core, now_ms))
		ff_take_refuse(FF_EXECUTION_NOT_ELIGIBLE, core, "may not be claimed now");
	if (!ff_lane_is_open(core->lane_id))
		ff_take_refuse(FF_EXECUTION_NOT_ELIGIBLE, core, "is in a lane that is paused or disabled");
	if (lane_id && strcmp(lane_id, core->lane_id) != 0)
		ff_take_refuse(FF_EXECUTION_NOT_IN_ELIGIBLE_SET, core,
					   psprintf("is in lane %s", core->lane_id));
	if (!ff_capabilities_match(candidate->required_capabilities,
							   ff_capabilities_read(terms->capabilities)))
		ff_raise(FF_CAPABILITY_MISMATCH,
				 errmsg("worker %s lacks capabilities that execution %s requires",
						terms->worker_id, ff_execution_id_text(&core->id)),
				 errdetail("%s", ff_capabilities_missing(candidate->required_capabilities,
														 terms->capabilities)));
	ff_take_check_flow(core);
}

PG_FUNCTION_INFO_V1(ff_issue_claim_grant);

Datum
ff_issue_claim_grant(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfExecutionId id;
	FfGrantTerms terms;
	FfCandidate candidate;
	char	   *lane_id = ff_arg_text_or(fcinfo, 3, NULL);

	ff_execution_id_parse(ff_arg_text(fcinfo, 0, "execution_id"), &id);
	read_terms(fcinfo, 1, &terms);
	terms.ttl_ms = ff_arg_int8_or(fcinfo, 5, ff_default_grant_ttl_ms);
	terms.capability_hash = ff_arg_text_or(fcinfo, 6, NULL);
	terms.route_snapshot_json = ff_arg_text_or(fcinfo, 7, NULL);
	terms.admission_summary = ff_arg_text_or(fcinfo, 8, NULL);
	ff_grant_check(&terms);
	if (lane_id)
		ff_check_lane(lane_id);
	terms.capabilities = read_capabilities(fcinfo, 4);

	ff_call_begin(&call, fcinfo);
	ff_pick_named(&id, &candidate);
	check_grantable(&candidate, lane_id, &terms, call.now_ms);
	reserve(&call, &candidate.core, &terms);
	return ff_call_end(&call);
}

PG_FUNCTION_INFO_V1(ff_verify_claim_grant);

Datum
ff_verify_claim_grant(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfGrant		grant;
	char	   *key = ff_arg_text(fcinfo, 0, "grant_key");
	bool		valid = ff_grant_key_is_valid(key);

	ff_call_begin(&call, fcinfo);
	if (!valid || !ff_grant_look(key, &grant))
		ff_call_row(&call, ff_text(valid ? "unknown" : "malformed"), ff_null(), ff_null(),
					ff_null(), ff_null(), ff_null());
	else
		ff_call_row(&call, ff_text(ff_grant_is_live(&grant, call.now_ms) ? "valid" : "expired"),
					ff_text(ff_execution_id_text(&grant.execution)), ff_text(grant.kind),
					ff_text(grant.worker_id), ff_text(grant.worker_instance_id),
					ff_instant(grant.expires_at_ms));
	return ff_call_end(&call);
}

static void
refuse_not_runnable(FfCore *core)
{
	FfAttempt	attempt;
	bool		any = ff_attempt_lock(&attempt, core, core->attempt_index);

	ff_fence_refuse(FF_EXECUTION_NOT_ACTIVE, core, any ? &attempt : NULL, "it is not runnable",
					"Read the execution again; it has ended, is suspended, or its lease was lost.");
}

/* Waiting, and nobody's: what a claim of a named execution starts from. */
static void
check_unowned(FfCore *core)
{
	if (core->phase == FF_ACTIVE && core->ownership == FF_LEASED)
		ff_take_refuse(FF_LEASE_CONFLICT, core, "is leased");
	if (core->phase != FF_RUNNABLE)
		refuse_not_runnable(core);
	if (core->ownership != FF_UNOWNED)
		ff_take_refuse(FF_LEASE_CONFLICT, core, "is owned");
}

static void
check_leaseable(const FfCore *core)
{
	if (core->eligibility != FF_ELIGIBLE_NOW && core->eligibility != FF_PENDING_CLAIM)
		ff_take_refuse(FF_EXECUTION_NOT_LEASEABLE, core, "may not be claimed now");
	if (core->attempt_state == FF_RUNNING_ATTEMPT)
		ff_take_refuse(FF_ACTIVE_ATTEMPT_EXISTS, core, "has a running attempt");
}

static void
check_expected_index(const FfCore *core, const FfTake *take, FfInt8 expected)
{
	int32		index = ff_take_attempt_index(core, take);

	if (expected.isset && expected.value != index)
		ff_take_refuse(FF_LEASE_CONFLICT, core, psprintf("would run attempt %d", index));
}

/* The taker of ff_claim_execution. */
static void
read_taker(FunctionCallInfo fcinfo, FfTaker *taker)
{
	memset(taker, 0, sizeof(FfTaker));
	taker->worker_id = ff_arg_text(fcinfo, 1, "worker_id");
	taker->worker_instance_id = ff_arg_text(fcinfo, 2, "worker_instance_id");
	taker->lease_ttl_ms = ff_arg_int8_or(fcinfo, 3, ff_default_lease_ttl_ms);
	taker->lease_id = ff_arg_uuid_or_null(fcinfo, 5);
	taker->attempt_id = ff_arg_uuid_or_null(fcinfo, 6);
	taker->attempt_timeout_ms = ff_arg_maybe_int8(fcinfo, 8);
	taker->overrides_policy = true;
	ff_taker_check(taker);
	if (taker->attempt_timeout_ms.isset)
		ff_check_range(taker->attempt_timeout_ms.value, "attempt_timeout_ms", 1, FF_MAX_INSTANT_MS);
}

PG_FUNCTION_INFO_V1(ff_claim_execution);

Datum
ff_claim_execution(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfExecutionId id;
	FfTaker		taker;
	FfCandidate candidate;
	FfCore	   *core = &candidate.core;
	FfGrant		grant;
	FfTake		take;
	char	   *grant_key = ff_arg_text_or(fcinfo, 4, NULL);
	FfInt8		deadline_at_ms = ff_arg_maybe_instant(fcinfo, 9, "deadline_at");

	ff_execution_id_parse(ff_arg_text(fcinfo, 0, "execution_id"), &id);
	read_taker(fcinfo, &taker);

	ff_call_begin(&call, fcinfo);
	ff_pick_named(&id, &candidate);
	check_unowned(core);
	check_leaseable(core);
	if (core->public_state == FF_PUBLIC_RESUMABLE)
		ff_take_refuse(FF_USE_CLAIM_RESUMED_EXECUTION, core, "is resumable");
	ff_grant_require(core, ff_grant_find(core, FF_GRANT_CLAIM, &grant) ? &grant : NULL,
					 taker.worker_id, grant_key, call.now_ms);
	ff_take_find(core, &take);
	check_expected_index(core, &take, ff_arg_maybe_int4(fcinfo, 7));
	ff_take_check_flow(core);

	if (deadline_at_ms.isset)
	{
		core->deadline_at_ms = deadline_at_ms;
		core->deadline_changed = true;
	}
	ff_grant_redeem(core, call.now_ms);
	ff_take_row(&candidate, &take, &taker, &call);
	return ff_call_end(&call);
}

PG_FUNCTION_INFO_V1(ff_issue_grant_and_claim);

Datum
ff_issue_grant_and_claim(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfExecutionId id;
	FfTaker		taker = {
		.lease_ttl_ms = ff_arg_int8_or(fcinfo, 1, ff_default_lease_ttl_ms),
		.worker_id = ff_arg_text_or(fcinfo, 2, "operator"),
		.worker_instance_id = ff_arg_text_or(fcinfo, 3, "operator"),
	};
	FfCandidate candidate;
	FfCore	   *core = &candidate.core;
	FfTake		take;

	ff_execution_id_parse(ff_arg_text(fcinfo, 0, "execution_id"), &id);
	ff_taker_check(&taker);

	ff_call_begin(&call, fcinfo);
	ff_pick_named(&id, &candidate);
	check_unowned(core);
	if (ff_grant_is_out(core, call.now_ms))
		ff_take_refuse(FF_GRANT_ALREADY_EXISTS, core, "is granted already");
	ff_take_find(core, &take);
	/* a paused attempt is pulled forward from wherever it waits */
	if (!ff_take_is_paused(&take))
		check_leaseable(core);
	ff_take_check_flow(core);

	core->blocked_on = NULL;
	ff_grant_redeem(core, call.now_ms);
	ff_take_row(&candidate, &take, &taker, &call);
	return ff_call_end(&call);
}
