/*
 * state.h - the words of the state vector: C constants for the labels of the
 * extension's ENUM types, in the order of the types.
 */
#ifndef FF_STATE_H
#define FF_STATE_H

#include "base/enum.h"

typedef enum FfPhase
{
	FF_SUBMITTED, FF_RUNNABLE, FF_ACTIVE, FF_SUSPENDED, FF_TERMINAL_PHASE, FF_CANCELLED
} FfPhase;

typedef enum FfOwnership
{
	FF_UNOWNED, FF_LEASED, FF_RELEASED, FF_OWNERSHIP_EXPIRED, FF_OWNERSHIP_REVOKED
} FfOwnership;

typedef enum FfEligibility
{
	FF_ELIGIBLE_NOW, FF_PENDING_CLAIM, FF_NOT_ELIGIBLE_UNTIL_TIME, FF_BLOCKED_BY_DEPENDENCIES,
	FF_BLOCKED_BY_BUDGET, FF_BLOCKED_BY_QUOTA, FF_BLOCKED_BY_ROUTE, FF_BLOCKED_BY_LANE_STATE,
	FF_BLOCKED_BY_OPERATOR, FF_NOT_APPLICABLE
} FfEligibility;

typedef enum FfBlockingReason
{
	FF_NO_REASON = -1,
	FF_WAITING_FOR_WORKER, FF_WAITING_FOR_RETRY_BACKOFF, FF_WAITING_FOR_RESUME_DELAY,
	FF_WAITING_FOR_DELAY, FF_WAITING_FOR_SIGNAL, FF_WAITING_FOR_APPROVAL,
	FF_WAITING_FOR_CALLBACK, FF_WAITING_FOR_TOOL_RESULT, FF_WAITING_FOR_CHILDREN,
	FF_WAITING_FOR_BUDGET, FF_WAITING_FOR_QUOTA, FF_WAITING_FOR_CAPABLE_WORKER,
	FF_WAITING_FOR_LOCALITY_MATCH, FF_PAUSED_BY_OPERATOR, FF_PAUSED_BY_POLICY,
	FF_PAUSED_BY_FLOW_CANCEL, FF_WAITING_FOR_OPERATOR_REVIEW
} FfBlockingReason;

typedef enum FfAttemptState
{
	FF_NO_ATTEMPT, FF_PENDING_FIRST, FF_RUNNING_ATTEMPT, FF_INTERRUPTED_ATTEMPT,
	FF_PENDING_RETRY, FF_PENDING_REPLAY, FF_ATTEMPT_TERMINAL
} FfAttemptState;

typedef enum FfPublicState
{
	FF_PUBLIC_WAITING, FF_PUBLIC_DELAYED, FF_PUBLIC_RATE_LIMITED, FF_PUBLIC_WAITING_CHILDREN,
	FF_PUBLIC_RUNNING, FF_PUBLIC_SUSPENDED, FF_PUBLIC_RESUMABLE, FF_PUBLIC_COMPLETED,
	FF_PUBLIC_FAILED, FF_PUBLIC_CANCELLED, FF_PUBLIC_EXPIRED, FF_PUBLIC_SKIPPED
} FfPublicState;

/* How an attempt, and an execution, ended; or what interrupted an attempt. */
typedef enum FfOutcome
{
	FF_NO_OUTCOME = -1,
	FF_SUCCESS, FF_FAILED, FF_RETRY, FF_OUTCOME_CANCELLED, FF_EXPIRED, FF_SKIPPED,
	FF_ATTEMPT_INTERRUPTED, FF_INTERRUPTED, FF_WAITING_CHILDREN, FF_INTERRUPTED_RECLAIMED,
	FF_LEASE_LOST
} FfOutcome;

typedef enum FfLaneState
{
	FF_LANE_ACTIVE, FF_LANE_PAUSED, FF_LANE_DRAINING, FF_LANE_DISABLED
} FfLaneState;

extern FfEnum ff_phases;
extern FfEnum ff_ownerships;
extern FfEnum ff_eligibilities;
extern FfEnum ff_blocking_reasons;
extern FfEnum ff_attempt_states;
extern FfEnum ff_public_states;
extern FfEnum ff_outcomes;
extern FfEnum ff_lane_states;

/*
 * The state that people see, from the columns it follows from (specification
 * chapter 01, 5.2). Negative values stand for NULL. Total: never fails.
 */
extern FfPublicState ff_public_state(int phase, int eligibility, int attempt_state,
									 int terminal_outcome, int attempt_outcome);

/* True for an outcome of an attempt that has not ended: NULL or an interruption. */
extern bool ff_outcome_is_open(int outcome);

#endif							/* FF_STATE_H */
