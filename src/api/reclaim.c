/*
 * reclaim.c - taking over work whose worker is gone: by reclaim grant as a new
 * attempt, or the same attempt (specification chapter 04, section 5).
 */
#include "base/compat.h"

#include "base/argument.h"
#include "base/call.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/setting.h"
#include "engine/capability.h"
#include "engine/grant.h"
#include "engine/lease.h"
#include "engine/policy.h"
#include "engine/take.h"
#include "engine/transition.h"

/* An execution whose lease is lost may be reclaimed: X, V, or R with a lease that ran out. */
static bool
is_reclaimable(const FfCore *core, const FfAttempt *attempt, int64 now_ms)
{
	if (core->phase != FF_ACTIVE)
		return false;
	return core->ownership == FF_OWNERSHIP_EXPIRED || core->ownership == FF_OWNERSHIP_REVOKED ||
		(core->ownership == FF_LEASED && !ff_lease_is_live(core, attempt, now_ms));
}

/* Lock the execution and its attempt; true if it may be reclaimed. */
static bool
lock_reclaimable(const FfExecutionId *id, FfCandidate *candidate, FfAttempt *attempt, int64 now_ms)
{
	ff_pick_named(id, candidate);
	return ff_attempt_lock(attempt, &candidate->core, candidate->core.attempt_index) &&
		is_reclaimable(&candidate->core, attempt, now_ms);
}

/* The DETAIL of not_reclaimable. */
static const char *
state_found(const FfCore *core)
{
	return psprintf("phase %s, ownership %s, public_state %s",
					ff_enum_label(&ff_phases, core->phase),
					ff_enum_label(&ff_ownerships, core->ownership),
					ff_enum_label(&ff_public_states, core->public_state));
}

/* How often work was taken over; a negative count, put in by hand, is none. */
static int32
reclaim_count(const FfCore *core)
{
	return Max(core->lease_reclaim_count, 0);
}

/* The cap: the policy's, else what the caller says, else the setting. */
static int64
reclaim_cap(const FfCore *core, FfInt8 given)
{
	return ff_policy_max_reclaims_or(core->policy,
									 given.isset ? given.value : ff_default_max_reclaims);
}

/* T23 at the cap: the execution fails. */
static void
fail_at_cap(FfCore *core, FfAttempt *attempt, int64 now_ms)
{
	FfMove		move = {.now_ms = now_ms,.revoked_by = "backend"};

	attempt->failure_reason = "max_reclaims_exceeded";
	core->cancellation_reason = "reclaim_cap_exceeded";
	ff_transition(FF_T23_FAIL, core, attempt, &move);
}

static Datum
no_reclaim_grant(FfCall *call, const char *outcome, const FfCore *core, FfInt8 count,
				 const char *detail)
{
	ff_call_row(call, ff_text(outcome), ff_text(ff_execution_id_text(&core->id)),
				ff_text(core->lane_id), ff_null(), ff_null(),
				count.isset ? ff_int4((int32) count.value) : ff_null(), ff_text(detail));
	return ff_call_end(call);
}

static void
read_terms(FunctionCallInfo fcinfo, FfGrantTerms *terms)
{
	terms->worker_id = ff_arg_text(fcinfo, 1, "worker_id");
	terms->worker_instance_id = ff_arg_text(fcinfo, 2, "worker_instance_id");
	terms->ttl_ms = ff_arg_int8_or(fcinfo, 4, ff_default_grant_ttl_ms);
	terms->capability_hash = ff_arg_text_or(fcinfo, 5, NULL);
	terms->route_snapshot_json = ff_arg_text_or(fcinfo, 6, NULL);
	terms->admission_summary = ff_arg_text_or(fcinfo, 7, NULL);
	ff_grant_check(terms);
	terms->capabilities = ff_capabilities_normalize(PG_ARGISNULL(3) ? NULL
													: PG_GETARG_ARRAYTYPE_P(3), "worker");
}

PG_FUNCTION_INFO_V1(ff_issue_reclaim_grant);

Datum
ff_issue_reclaim_grant(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfExecutionId id;
	FfGrantTerms terms;
	FfCandidate candidate;
	FfCore	   *core = &candidate.core;
	FfAttempt	attempt;
	bool		reclaimable;
	int64		expires_at_ms;
	char	   *key;

	ff_execution_id_parse(ff_arg_text(fcinfo, 0, "execution_id"), &id);
	read_terms(fcinfo, &terms);

	ff_call_begin(&call, fcinfo);
	reclaimable = lock_reclaimable(&id, &candidate, &attempt, call.now_ms);
	if (ff_grant_is_out(core, call.now_ms))
		ff_take_refuse(FF_GRANT_ALREADY_EXISTS, core, "is granted already");
	if (!reclaimable)
		return no_reclaim_grant(&call, "not_reclaimable", core, ff_none(), state_found(core));
	if (reclaim_count(core) >= reclaim_cap(core, ff_none()))
		return no_reclaim_grant(&call, "reclaim_cap_exceeded", core,
								ff_some(reclaim_count(core)), NULL);
	if (!ff_capabilities_match(candidate.required_capabilities,
							   ff_capabilities_read(terms.capabilities)))
		return no_reclaim_grant(&call, "not_reclaimable", core, ff_none(),
								psprintf("capability_mismatch:%s",
										 ff_capabilities_missing(candidate.required_capabilities,
																 terms.capabilities)));
	ff_take_check_flow(core);

	key = ff_grant_issue(core, FF_GRANT_RECLAIM, &terms, call.now_ms, &expires_at_ms);
	ff_lease_touch(&attempt);
	ff_call_row(&call, ff_text("granted"), ff_text(ff_execution_id_text(&core->id)),
				ff_text(core->lane_id), ff_text(key), ff_instant(expires_at_ms),
				ff_int4(reclaim_count(core)), ff_null());
	return ff_call_end(&call);
}

static Datum
not_reclaimed(FfCall *call, const char *outcome, const FfCore *core, FfInt8 count,
			  const char *detail)
{
	ff_call_row(call, ff_text(outcome), ff_text(ff_execution_id_text(&core->id)),
				ff_null(), ff_null(), ff_null(), ff_null(), ff_null(), ff_null(),
				count.isset ? ff_int4((int32) count.value) : ff_null(),
				ff_null(), ff_null(), ff_text(detail));
	return ff_call_end(call);
}

static Datum
reclaim(FfCall *call, FfCandidate *candidate, FfTake *take, const FfTaker *taker)
{
	FfCore	   *core = &candidate->core;
	FfAttempt  *attempt = &take->attempt;
	bytea	   *handle = ff_take_make(core, take, taker, call->now_ms);

	ff_call_row(call, ff_text("claimed"), ff_text(ff_execution_id_text(&core->id)),
				ff_pointer(handle), ff_int4(attempt->attempt_index), ff_uuid(attempt->attempt_id),
				ff_uuid(attempt->lease_id), ff_int8(attempt->lease_epoch),
				ff_maybe_instant(attempt->lease_expires_at_ms), ff_int4(core->lease_reclaim_count),
				ff_pointer(candidate->payload), ff_text(ff_core_field(core, "payload_encoding")),
				ff_null());
	return ff_call_end(call);
}

static void
read_taker(FunctionCallInfo fcinfo, FfTaker *taker)
{
	memset(taker, 0, sizeof(FfTaker));
	taker->worker_id = ff_arg_text(fcinfo, 1, "worker_id");
	taker->worker_instance_id = ff_arg_text(fcinfo, 2, "worker_instance_id");
	taker->lease_ttl_ms = ff_arg_int8_or(fcinfo, 3, ff_default_lease_ttl_ms);
	ff_taker_check(taker);
}

/* Whether the execution has a live reclaim grant, of that key if one is given; whoever's. */
static bool
find_reclaim_grant(const FfCore *core, const char *key, int64 now_ms, FfGrant *grant)
{
	return ff_grant_find(core, FF_GRANT_RECLAIM, grant) && ff_grant_is_live(grant, now_ms) &&
		(key == NULL || ff_grant_has_key(grant, key));
}

PG_FUNCTION_INFO_V1(ff_reclaim_execution);

Datum
ff_reclaim_execution(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfExecutionId id;
	FfTaker		taker;
	FfCandidate candidate;
	FfCore	   *core = &candidate.core;
	FfTake		take = {.kind = FF_TAKE_RECLAIMED};
	FfGrant		grant;
	FfInt8		given_cap = ff_arg_maybe_int4(fcinfo, 7);
	char	   *grant_key = ff_arg_text_or(fcinfo, 4, NULL);
	bool		reclaimable;

	ff_execution_id_parse(ff_arg_text(fcinfo, 0, "execution_id"), &id);
	read_taker(fcinfo, &taker);
	taker.lease_id = ff_arg_uuid_or_null(fcinfo, 5);
	taker.attempt_id = ff_arg_uuid_or_null(fcinfo, 6);
	ff_check_not_negative(given_cap.value, "max_reclaim_count");

	ff_call_begin(&call, fcinfo);
	reclaimable = lock_reclaimable(&id, &candidate, &take.attempt, call.now_ms);
	if (!find_reclaim_grant(core, grant_key, call.now_ms, &grant))
		return not_reclaimed(&call, "grant_not_found", core, ff_none(), NULL);
	if (!ff_grant_is_for(&grant, taker.worker_id))
		ff_raise_rule(FF_INVALID_INPUT, "worker_mismatch",
					  psprintf("execution %s is granted to another worker",
							   ff_execution_id_text(&core->id)),
					  "worker_id=%s", taker.worker_id);
	if (!reclaimable)
		return not_reclaimed(&call, "not_reclaimable", core, ff_none(), state_found(core));
	if (reclaim_count(core) >= reclaim_cap(core, given_cap))
	{
		fail_at_cap(core, &take.attempt, call.now_ms);
		return not_reclaimed(&call, "reclaim_cap_exceeded", core,
							 ff_some(core->lease_reclaim_count), NULL);
	}
	ff_take_check_flow(core);
	ff_grant_redeem(core, call.now_ms);
	return reclaim(&call, &candidate, &take, &taker);
}

/* Waiting and eligible; a paused attempt's delay may be over before the promoter came. */
static bool
is_waiting(const FfCore *core, const FfTake *take, int64 now_ms)
{
	if (core->phase != FF_RUNNABLE || core->ownership != FF_UNOWNED)
		return false;
	if (core->eligibility == FF_NOT_ELIGIBLE_UNTIL_TIME)
		return ff_take_is_paused(take) && core->eligible_at_ms.isset &&
			core->eligible_at_ms.value <= now_ms;
	return core->eligibility == FF_ELIGIBLE_NOW || core->eligibility == FF_PENDING_CLAIM;
}

/* Lock the attempt, not_found, and find how it may go on; false if it may not. */
static bool
find_take_back(FfCore *core, FfTake *take, int64 now_ms)
{
	ff_take_find(core, take);
	if (take->kind != FF_TAKE_REQUEUED && !ff_take_is_paused(take) &&
		!ff_attempt_lock(&take->attempt, core, core->attempt_index))
		ff_raise(FF_NOT_FOUND, errmsg("attempt %d of execution %s does not exist",
									  core->attempt_index, ff_execution_id_text(&core->id)));
	if (is_reclaimable(core, &take->attempt, now_ms))
	{
		take->kind = FF_TAKE_BACK;
		return true;
	}
	if (!is_waiting(core, take, now_ms))
		return false;
	if (take->kind == FF_TAKE_REQUEUED)
		take->kind = FF_TAKE_BACK;
	return take->kind == FF_TAKE_BACK || ff_take_is_paused(take);
}

/*
 * No grant is needed, but a key that is presented must be good, and another
 * worker's live grant keeps the execution for that one; false in this case.
 */
static bool
pass_grant(const FfCore *core, const char *worker_id, const char *key, int64 now_ms)
{
	FfGrant		grant;
	bool		found = ff_grant_find(core, FF_GRANT_ANY, &grant);

	if (key)
		ff_grant_require(core, found ? &grant : NULL, worker_id, key, now_ms);
	return !found || !ff_grant_is_live(&grant, now_ms) || ff_grant_is_for(&grant, worker_id);
}

PG_FUNCTION_INFO_V1(ff_claim_from_reclaim);

Datum
ff_claim_from_reclaim(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfExecutionId id;
	FfTaker		taker;
	FfCandidate candidate;
	FfCore	   *core = &candidate.core;
	FfTake		take;
	char	   *grant_key = ff_arg_text_or(fcinfo, 4, NULL);
	bool		may_go_on;

	ff_execution_id_parse(ff_arg_text(fcinfo, 0, "execution_id"), &id);
	read_taker(fcinfo, &taker);

	ff_call_begin(&call, fcinfo);
	ff_pick_named(&id, &candidate);
	may_go_on = find_take_back(core, &take, call.now_ms);
	if (!pass_grant(core, taker.worker_id, grant_key, call.now_ms) || !may_go_on)
		return ff_call_end(&call);
	if (take.kind == FF_TAKE_BACK && reclaim_count(core) >= reclaim_cap(core, ff_none()))
	{
		fail_at_cap(core, &take.attempt, call.now_ms);
		return ff_call_end(&call);
	}
	ff_take_check_flow(core);
	ff_grant_redeem(core, call.now_ms);
	ff_take_row(&candidate, &take, &taker, &call);
	return ff_call_end(&call);
}
