/*
 * state.c - the words of the state vector.
 */
#include "engine/state.h"

static const char *const phase_labels[] = {
	"submitted", "runnable", "active", "suspended", "terminal", "cancelled"
};
static const char *const ownership_labels[] = {
	"unowned", "leased", "released", "lease_expired_reclaimable", "lease_revoked"
};
static const char *const eligibility_labels[] = {
	"eligible_now", "pending_claim", "not_eligible_until_time", "blocked_by_dependencies",
	"blocked_by_budget", "blocked_by_quota", "blocked_by_route", "blocked_by_lane_state",
	"blocked_by_operator", "not_applicable"
};
static const char *const blocking_reason_labels[] = {
	"waiting_for_worker", "waiting_for_retry_backoff", "waiting_for_resume_delay",
	"waiting_for_delay", "waiting_for_signal", "waiting_for_approval",
	"waiting_for_callback", "waiting_for_tool_result", "waiting_for_children",
	"waiting_for_budget", "waiting_for_quota", "waiting_for_capable_worker",
	"waiting_for_locality_match", "paused_by_operator", "paused_by_policy",
	"paused_by_flow_cancel", "waiting_for_operator_review"
};
static const char *const attempt_state_labels[] = {
	"none", "pending_first_attempt", "running_attempt", "attempt_interrupted",
	"pending_retry_attempt", "pending_replay_attempt", "attempt_terminal"
};
static const char *const public_state_labels[] = {
	"waiting", "delayed", "rate_limited", "waiting_children", "running", "suspended",
	"resumable", "completed", "failed", "cancelled", "expired", "skipped"
};
static const char *const outcome_labels[] = {
	"success", "failed", "retry", "cancelled", "expired", "skipped",
	"attempt_interrupted", "interrupted", "waiting_children", "interrupted_reclaimed",
	"lease_expired_reclaimable"
};
static const char *const lane_state_labels[] = {
	"active", "paused", "draining", "disabled"
};

FfEnum		ff_phases = FF_ENUM("ff_lifecycle_phase", phase_labels);
FfEnum		ff_ownerships = FF_ENUM("ff_ownership_state", ownership_labels);
FfEnum		ff_eligibilities = FF_ENUM("ff_eligibility_state", eligibility_labels);
FfEnum		ff_blocking_reasons = FF_ENUM("ff_blocking_reason", blocking_reason_labels);
FfEnum		ff_attempt_states = FF_ENUM("ff_attempt_state", attempt_state_labels);
FfEnum		ff_public_states = FF_ENUM("ff_public_state", public_state_labels);
FfEnum		ff_outcomes = FF_ENUM("ff_attempt_outcome", outcome_labels);
FfEnum		ff_lane_states = FF_ENUM("ff_lane_state", lane_state_labels);

static FfPublicState
ended_state(int terminal_outcome)
{
	switch (terminal_outcome)
	{
		case FF_SUCCESS:
			return FF_PUBLIC_COMPLETED;
		case FF_OUTCOME_CANCELLED:
			return FF_PUBLIC_CANCELLED;
		case FF_EXPIRED:
			return FF_PUBLIC_EXPIRED;
		case FF_SKIPPED:
			return FF_PUBLIC_SKIPPED;
		default:
			return FF_PUBLIC_FAILED;
	}
}

FfPublicState
ff_public_state(int phase, int eligibility, int attempt_state, int terminal_outcome,
				int attempt_outcome)
{
	bool		resumed = attempt_state == FF_INTERRUPTED_ATTEMPT &&
		attempt_outcome == FF_ATTEMPT_INTERRUPTED;

	switch (phase)
	{
		case FF_CANCELLED:
			return FF_PUBLIC_CANCELLED;
		case FF_TERMINAL_PHASE:
			return ended_state(terminal_outcome);
		case FF_SUSPENDED:
			return FF_PUBLIC_SUSPENDED;
		case FF_ACTIVE:
			return FF_PUBLIC_RUNNING;
	}
	switch (eligibility)
	{
		case FF_BLOCKED_BY_DEPENDENCIES:
			return FF_PUBLIC_WAITING_CHILDREN;
		case FF_BLOCKED_BY_BUDGET:
		case FF_BLOCKED_BY_QUOTA:
			return FF_PUBLIC_RATE_LIMITED;
		case FF_ELIGIBLE_NOW:
		case FF_PENDING_CLAIM:
			return resumed ? FF_PUBLIC_RESUMABLE : FF_PUBLIC_WAITING;
		case FF_NOT_ELIGIBLE_UNTIL_TIME:
			return resumed ? FF_PUBLIC_RESUMABLE : FF_PUBLIC_DELAYED;
		default:
			return FF_PUBLIC_WAITING;
	}
}

bool
ff_outcome_is_open(int outcome)
{
	return outcome == FF_NO_OUTCOME || outcome == FF_ATTEMPT_INTERRUPTED ||
		outcome == FF_INTERRUPTED || outcome == FF_WAITING_CHILDREN || outcome == FF_LEASE_LOST;
}
