/*
 * expiry.c - what time does to one execution.
 */
#include "engine/expiry.h"

#include "base/clock.h"
#include "engine/grant.h"
#include "engine/lease.h"
#include "engine/policy.h"
#include "engine/transition.h"
#include "engine/vector.h"
#include "engine/waitpoint.h"

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

bool
ff_expiry_lease(FfCore *core, int64 now_ms, const char **outcome, const char **detail)
{
	FfAttempt	attempt;
	FfMove		move = {.now_ms = now_ms,.revoked_by = BY_RECONCILER};
	bool		lapsed = core->ownership == FF_LEASED;

	*outcome = "already_satisfied";
	/* a row put in by hand without an attempt has no lease to lose */
	*detail = core->phase == FF_ACTIVE ? "unowned" : "not_active";
	if (!ff_attempt_lock(&attempt, core, core->attempt_index))
		return false;
	move.hold_ms = ff_policy_reclaim_hold_ms(core->policy);
	*detail = nothing_to_do(core, &attempt, move.hold_ms, now_ms);
	if (*detail)
		return false;
	*detail = lose_lease(core, &attempt, &move);
	*outcome = lapsed ? "marked_expired" : "released";
	return true;
}

/*
 * When to look next at an attempt whose lease is not to be lost now; unset where
 * it has none. A lapsed lease that a reclaim grant keeps stays due, as the
 * invariant lease_check has it.
 */
static FfInt8
next_look(const FfCore *core, const FfAttempt *attempt)
{
	FfGrant		grant;
	int64		until_ms;

	if (core->phase != FF_ACTIVE || attempt->attempt_index != core->attempt_index)
		return ff_none();
	if (core->ownership == FF_LEASED)
		return attempt->lease_expires_at_ms.isset ? attempt->lease_expires_at_ms
			: attempt->lease_check_at_ms;
	if (core->ownership != FF_OWNERSHIP_EXPIRED && core->ownership != FF_OWNERSHIP_REVOKED)
		return ff_none();
	until_ms = ff_after_ms(attempt->lease_lost_at_ms.value,
						   ff_policy_reclaim_hold_ms(core->policy));
	if (ff_grant_find(core, FF_GRANT_RECLAIM, &grant))
		until_ms = Max(until_ms, grant.expires_at_ms);
	return ff_some(until_ms);
}

bool
ff_expiry_look_at_lease(FfCore *core, int32 attempt_index, int64 now_ms)
{
	FfAttempt	attempt;
	const char *outcome;
	const char *detail;

	if (attempt_index == core->attempt_index && ff_expiry_lease(core, now_ms, &outcome, &detail))
		return true;
	if (ff_attempt_lock(&attempt, core, attempt_index))
		ff_lease_look_again(&attempt, next_look(core, &attempt));
	return false;
}

const char *
ff_expiry_promote(FfCore *core, int64 now_ms)
{
	FfMove		move = {.now_ms = now_ms};

	if (core->phase != FF_RUNNABLE)
		return "not_runnable";
	if (core->eligibility != FF_NOT_ELIGIBLE_UNTIL_TIME)
		return "not_delayed";
	if (core->eligible_at_ms.isset && core->eligible_at_ms.value > now_ms)
		return "not_yet_due";
	ff_transition(FF_T34_PROMOTE, core, NULL, &move);
	return "promoted";
}

/* T27 or T28 of the running attempt; what became of the execution. */
static const char *
end_by_timeout(FfCore *core, FfAttempt *attempt, int64 now_ms)
{
	FfRetryPolicy retry;
	FfMove		move = {.now_ms = now_ms,.revoked_by = BY_RECONCILER};

	ff_policy_retry(core->policy, &retry);
	attempt->failure_reason = "attempt_timeout";
	ff_json_text(ff_core_patch(core), "last_failure_message", "attempt_timeout");
	if (core->retry_count < retry.max_retries)
	{
		ff_transition(FF_T27_TIMEOUT_RETRY, core, attempt, &move);
		return "retry_scheduled";
	}
	ff_transition(FF_T28_TIMEOUT_END, core, attempt, &move);
	return "expired";
}

static bool
is_running(const FfCore *core)
{
	return core->phase == FF_ACTIVE && core->ownership == FF_LEASED;
}

const char *
ff_expiry_attempt(FfCore *core, int64 now_ms)
{
	FfAttempt	attempt;

	if (ff_core_has_ended(core))
		return "already_terminal";
	if (!is_running(core) || !ff_attempt_lock(&attempt, core, core->attempt_index) ||
		(!is_due(attempt.timeout_at_ms, now_ms) && ff_lease_is_live(core, &attempt, now_ms)))
		return "not_due";
	return end_by_timeout(core, &attempt, now_ms);
}

bool
ff_expiry_look_at_timeout(FfCore *core, int32 attempt_index, int64 now_ms)
{
	FfAttempt	attempt;

	if (!ff_attempt_lock(&attempt, core, attempt_index) || !is_due(attempt.timeout_at_ms, now_ms))
		return false;
	if (!is_running(core) || attempt_index != core->attempt_index)
	{
		ff_lease_forget_timeout(&attempt);
		return false;
	}
	(void) end_by_timeout(core, &attempt, now_ms);
	return true;
}

const char *
ff_expiry_deadline(FfCore *core, int64 now_ms)
{
	FfAttempt	row;
	FfAttempt  *attempt;
	FfMove		move = {.now_ms = now_ms,.revoked_by = BY_RECONCILER};

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

bool
ff_expiry_waitpoint(const FfCore *core, const pg_uuid_t *waitpoint_id, int64 now_ms)
{
	FfWaitpoint waitpoint;

	if (!ff_waitpoint_read(core, waitpoint_id, &waitpoint) ||
		waitpoint.state != FF_PENDING_WAITPOINT || !is_due(waitpoint.expires_at_ms, now_ms))
		return false;
	ff_waitpoint_close(core, waitpoint_id, FF_EXPIRED_WAITPOINT, "never_committed", now_ms);
	return true;
}

bool
ff_expiry_grant(FfCore *core, const bytea *grant_id, int64 now_ms)
{
	FfMove		move = {.now_ms = now_ms};
	FfGrant		other;

	if (!ff_grant_drop_expired(core, grant_id, now_ms))
		return false;
	/* rows put in by hand may leave it another one */
	if (ff_vector_of(core) == FF_VECTOR_G &&
		!(ff_grant_find(core, FF_GRANT_CLAIM, &other) && ff_grant_is_live(&other, now_ms)))
		ff_transition(FF_T07_UNGRANT, core, NULL, &move);
	return true;
}
