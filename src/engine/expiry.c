/*
 * expiry.c - what time does to one execution.
 */
#include "engine/expiry.h"

#include "engine/grant.h"
#include "engine/policy.h"
#include "engine/transition.h"

#define BY_RECONCILER "reconciler"

static bool
is_due(FfInt8 at_ms, int64 now_ms)
{
	return at_ms.isset && at_ms.value <= now_ms;
}

static bool
has_reclaim_grant(const FfCore *core, int64 now_ms)
{
	FfGrant		grant;

	return ff_grant_find(core, FF_GRANT_RECLAIM, &grant) && ff_grant_is_live(&grant, now_ms);
}

/* Why the lease is left as it is; NULL where there is something to do. */
static const char *
nothing_to_do(const FfCore *core, const FfAttempt *attempt, int64 hold_ms, int64 now_ms)
{
	if (core->phase != FF_ACTIVE)
		return "not_active";
	if (core->ownership == FF_UNOWNED || core->ownership == FF_RELEASED)
		return "unowned";
	if (core->ownership == FF_LEASED && ff_lease_is_live(core, attempt, now_ms))
		return "not_yet_expired";
	if (has_reclaim_grant(core, now_ms))
		return "grant_outstanding";
	if (core->ownership != FF_LEASED && attempt->lease_lost_at_ms.value + hold_ms > now_ms)
		return core->ownership == FF_OWNERSHIP_REVOKED ? "already_revoked" : "already_expired";
	return NULL;
}

/* T22, or T21 while the lease may still be reclaimed; what became of the execution. */
static const char *
lose_lease(FfCore *core, FfAttempt *attempt, FfMove *move)
{
	bool		lapsed = core->ownership == FF_LEASED;
	int64		cap = ff_policy_max_reclaims(core->policy);

	if (lapsed)
		attempt->failure_reason = "lease_expired";
	if (lapsed && move->hold_ms > 0)
	{
		ff_transition(FF_T21_HOLD, core, attempt, move);
		return "held";
	}
	/* the cap ends what was lost by itself, never what an operator took away */
	if (core->ownership != FF_OWNERSHIP_REVOKED && (int64) Max(core->lease_reclaim_count, 0) + 1 > cap)
	{
		attempt->failure_reason = "max_reclaims_exceeded";
		ff_transition(lapsed ? FF_T22_FAIL_LAPSED : FF_T22_FAIL_HELD, core, attempt, move);
		return "failed";
	}
	ff_transition(lapsed ? FF_T22_REQUEUE_LAPSED : FF_T22_REQUEUE_HELD, core, attempt, move);
	return "requeued";
}

void
ff_expiry_lease(const FfExecutionId *id, int64 now_ms, const char **outcome, const char **detail)
{
	FfCore		core;
	FfAttempt	attempt;
	FfMove		move = {.now_ms = now_ms,.revoked_by = BY_RECONCILER};
	bool		lapsed;

	*outcome = "already_satisfied";
	*detail = "execution_not_found";
	if (!ff_core_try(&core, id))
		return;
	/* a row put in by hand without an attempt has no lease to lose */
	*detail = core.phase == FF_ACTIVE ? "unowned" : "not_active";
	if (!ff_attempt_lock(&attempt, &core, core.attempt_index))
		return;
	move.hold_ms = ff_policy_reclaim_hold_ms(core.policy);
	*detail = nothing_to_do(&core, &attempt, move.hold_ms, now_ms);
	if (*detail)
		return;
	lapsed = core.ownership == FF_LEASED;
	*detail = lose_lease(&core, &attempt, &move);
	*outcome = lapsed ? "marked_expired" : "released";
}

const char *
ff_expiry_promote(const FfExecutionId *id, int64 now_ms, FfCore *core)
{
	FfMove		move = {.now_ms = now_ms};

	if (!ff_core_try(core, id))
		return "not_found";
	if (core->phase != FF_RUNNABLE)
		return "not_runnable";
	if (core->eligibility != FF_NOT_ELIGIBLE_UNTIL_TIME)
		return "not_delayed";
	if (core->eligible_at_ms.isset && core->eligible_at_ms.value > now_ms)
		return "not_yet_due";
	ff_transition(FF_T34_PROMOTE, core, NULL, &move);
	return "promoted";
}

const char *
ff_expiry_attempt(const FfExecutionId *id, int64 now_ms, FfCore *core)
{
	FfAttempt	attempt;
	FfRetryPolicy retry;
	FfMove		move = {.now_ms = now_ms,.revoked_by = BY_RECONCILER};

	if (!ff_core_try(core, id))
		return "not_found";
	if (ff_core_has_ended(core))
		return "already_terminal";
	if (core->phase != FF_ACTIVE || core->ownership != FF_LEASED ||
		!ff_attempt_lock(&attempt, core, core->attempt_index) ||
		(!is_due(attempt.timeout_at_ms, now_ms) && ff_lease_is_live(core, &attempt, now_ms)))
		return "not_due";

	ff_policy_retry(core->policy, &retry);
	attempt.failure_reason = "attempt_timeout";
	ff_json_text(ff_core_patch(core), "last_failure_message", "attempt_timeout");
	if (core->retry_count < retry.max_retries)
	{
		ff_transition(FF_T27_TIMEOUT_RETRY, core, &attempt, &move);
		return "retry_scheduled";
	}
	ff_transition(FF_T28_TIMEOUT_END, core, &attempt, &move);
	return "expired";
}

const char *
ff_expiry_deadline(const FfExecutionId *id, int64 now_ms, FfCore *core)
{
	FfAttempt	row;
	FfAttempt  *attempt;
	FfMove		move = {.now_ms = now_ms,.revoked_by = BY_RECONCILER};

	if (!ff_core_try(core, id))
		return "not_found";
	if (ff_core_has_ended(core))
		return "already_terminal";
	if (!is_due(core->deadline_at_ms, now_ms))
		return "not_due";

	attempt = ff_attempt_lock(&row, core, core->attempt_index) ? &row : NULL;
	if (attempt && ff_outcome_is_open(attempt->outcome))
		attempt->failure_reason = "execution_deadline";
	ff_json_text(ff_core_patch(core), "last_failure_message", "execution_deadline");
	ff_transition(FF_T29_DEADLINE, core, attempt, &move);
	return "expired";
}
