/*
 * policy.h - the policy of an execution: its shape, and what its keys say or
 * the settings in their place (specification chapter 01, 3.2).
 */
#ifndef FF_POLICY_H
#define FF_POLICY_H

#include "base/statement.h"
#include "engine/retry.h"

/*
 * Raises invalid_policy_json with the path of what is wrong, which begins with
 * root: "policy", or where the policy is part of a larger document; NULL is fine.
 */
extern void ff_policy_check(Jsonb *policy, const char *root);

/* The same for a retry_policy given by itself. */
extern void ff_policy_check_retry(Jsonb *retry_policy);

/* Durations in milliseconds; unset where neither policy nor setting limits. policy may be NULL. */
extern FfInt8 ff_policy_attempt_timeout_ms(Jsonb *policy);
extern FfInt8 ff_policy_deadline_ms(Jsonb *policy);
extern FfInt8 ff_policy_delay_until_ms(Jsonb *policy);
extern FfInt8 ff_policy_priority(Jsonb *policy);
extern FfInt8 ff_policy_dedup_window_ms(Jsonb *policy);
extern FfInt8 ff_policy_max_signals(Jsonb *policy);

/* How long a lost lease is held for reclaiming, in milliseconds, and how often it may be taken over. */
extern int64 ff_policy_reclaim_hold_ms(Jsonb *policy);
extern int64 ff_policy_max_reclaims(Jsonb *policy);
extern int64 ff_policy_max_reclaims_or(Jsonb *policy, int64 otherwise);
extern FfInt8 ff_policy_suspension_timeout_ms(Jsonb *policy);
extern char *ff_policy_suspension_behavior(Jsonb *policy);	/* NULL: none */

/* Tokens that routing_requirements ask for, as given; NULL: none. */
extern ArrayType *ff_policy_capabilities(Jsonb *policy);

/* uuid[], duplicates dropped, order kept; never NULL. And the quota policy, NULL: none. */
extern ArrayType *ff_policy_budget_ids(Jsonb *policy);
extern pg_uuid_t *ff_policy_quota_policy_id(Jsonb *policy);

/* How failures are retried: the execution's policy, or the settings. */
extern void ff_policy_retry(Jsonb *policy, FfRetryPolicy *retry);

/* The same from a retry_policy given by itself. */
extern void ff_policy_retry_given(Jsonb *retry_policy, FfRetryPolicy *retry);

#endif							/* FF_POLICY_H */
