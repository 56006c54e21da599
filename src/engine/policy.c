/*
 * policy.c - the policy of an execution.
 */
#include "engine/policy.h"

#include "catalog/pg_type.h"

#include "base/clock.h"
#include "base/jsonbarg.h"
#include "base/setting.h"

#define ANY_MS FF_MAX_INSTANT_MS

static const char *const timeout_behaviors[] = {
	"fail", "cancel", "expire", "auto_resume_with_timeout_signal", "escalate"
};
static const char *const durability_modes[] = {"buffered", "durable"};

static const FfJsonField fixed_backoff[] = {
	FF_JSON_REQUIRED("delay_ms", FF_JSON_INTEGER(0, FF_MAX_BACKOFF_MS)),
};
static const FfJsonField exponential_backoff[] = {
	FF_JSON_OPTIONAL("initial_delay_ms", FF_JSON_INTEGER(0, FF_MAX_BACKOFF_MS)),
	FF_JSON_OPTIONAL("max_delay_ms", FF_JSON_INTEGER(0, FF_MAX_BACKOFF_MS)),
	FF_JSON_OPTIONAL("multiplier", FF_JSON_NUMBER(1, 100)),
	FF_JSON_OPTIONAL("jitter", FF_JSON_BOOLEAN),
};
static const FfJsonField backoff_types[] = {
	FF_JSON_REQUIRED("fixed", FF_JSON_OBJECT(fixed_backoff)),
	FF_JSON_REQUIRED("exponential", FF_JSON_OBJECT(exponential_backoff)),
};
static const FfJsonField retry_fields[] = {
	FF_JSON_OPTIONAL("max_retries", FF_JSON_INTEGER(0, 10000)),
	FF_JSON_OPTIONAL("backoff", FF_JSON_VARIANT("type", backoff_types)),
	FF_JSON_OPTIONAL("retryable_categories",
					 FF_JSON_ARRAY(256, FF_JSON_EACH(FF_JSON_STRING_OF(1, 256)))),
};
static const FfJsonField timeout_fields[] = {
	FF_JSON_OPTIONAL("attempt_timeout_ms", FF_JSON_INTEGER(1, ANY_MS)),
	FF_JSON_OPTIONAL("execution_deadline_ms", FF_JSON_INTEGER(1, ANY_MS)),
	FF_JSON_OPTIONAL("max_reclaim_count", FF_JSON_INTEGER(0, 1000000)),
};
static const FfJsonField suspension_fields[] = {
	FF_JSON_OPTIONAL("default_timeout_ms", FF_JSON_INTEGER(1, ANY_MS)),
	FF_JSON_OPTIONAL("timeout_behavior", FF_JSON_WORD(timeout_behaviors)),
};
static const FfJsonField tier_fields[] = {
	FF_JSON_OPTIONAL("provider", FF_JSON_STRING),
	FF_JSON_OPTIONAL("model", FF_JSON_STRING),
	FF_JSON_OPTIONAL("timeout_ms", FF_JSON_INTEGER(1, ANY_MS)),
};
static const FfJsonField fallback_fields[] = {
	FF_JSON_OPTIONAL("tiers", FF_JSON_ARRAY(64, FF_JSON_EACH(FF_JSON_OBJECT(tier_fields)))),
};
static const FfJsonField routing_fields[] = {
	/* the tokens themselves are judged with those of the argument, as one set */
	FF_JSON_OPTIONAL("required_capabilities",
					 FF_JSON_ARRAY(FF_JSON_UNBOUNDED, FF_JSON_EACH(FF_JSON_STRING))),
	FF_JSON_OPTIONAL("preferred_locality", FF_JSON_STRING),
	FF_JSON_OPTIONAL("isolation_level", FF_JSON_STRING),
};
static const FfJsonField stream_fields[] = {
	FF_JSON_OPTIONAL("durability_mode", FF_JSON_WORD(durability_modes)),
	FF_JSON_OPTIONAL("retention_maxlen", FF_JSON_INTEGER(1, 10000000)),
	FF_JSON_OPTIONAL("retention_ttl_ms", FF_JSON_INTEGER(1, ANY_MS)),
};
static const FfJsonField policy_fields[] = {
	FF_JSON_OPTIONAL("priority", FF_JSON_INTEGER(PG_INT32_MIN, PG_INT32_MAX)),
	FF_JSON_OPTIONAL("delay_until", FF_JSON_INTEGER(0, ANY_MS)),
	FF_JSON_OPTIONAL("retry_policy", FF_JSON_OBJECT(retry_fields)),
	FF_JSON_OPTIONAL("timeout_policy", FF_JSON_OBJECT(timeout_fields)),
	FF_JSON_OPTIONAL("max_reclaim_count", FF_JSON_INTEGER(0, 1000000)),
	FF_JSON_OPTIONAL("reclaim_hold_ms", FF_JSON_INTEGER(0, 86400000)),
	FF_JSON_OPTIONAL("suspension_policy", FF_JSON_OBJECT(suspension_fields)),
	FF_JSON_OPTIONAL("fallback_policy", FF_JSON_OBJECT(fallback_fields)),
	FF_JSON_OPTIONAL("max_replay_count", FF_JSON_INTEGER(0, 1000000)),
	FF_JSON_OPTIONAL("budget_ids", FF_JSON_ARRAY(16, FF_JSON_EACH(FF_JSON_UUID))),
	FF_JSON_OPTIONAL("quota_policy_id", FF_JSON_UUID),
	FF_JSON_OPTIONAL("routing_requirements", FF_JSON_OBJECT(routing_fields)),
	FF_JSON_OPTIONAL("dedup_window_ms", FF_JSON_INTEGER(1, ANY_MS)),
	FF_JSON_OPTIONAL("stream_policy", FF_JSON_OBJECT(stream_fields)),
	FF_JSON_OPTIONAL("max_signals_per_execution", FF_JSON_INTEGER(0, 10000000)),
};

static const FfJsonShape policy_shape = FF_JSON_OBJECT(policy_fields);
static const FfJsonShape retry_shape = FF_JSON_OBJECT(retry_fields);

void
ff_policy_check(Jsonb *policy, const char *root)
{
	if (policy)
		ff_json_check(policy, &policy_shape, root, FF_INVALID_POLICY_JSON, NULL);
}

void
ff_policy_check_retry(Jsonb *retry_policy)
{
	if (retry_policy)
		ff_json_check(retry_policy, &retry_shape, "retry_policy", FF_INVALID_POLICY_JSON, NULL);
}

FfInt8
ff_policy_attempt_timeout_ms(Jsonb *policy)
{
	return ff_json_maybe_int8(ff_json_root(policy), "timeout_policy.attempt_timeout_ms");
}

FfInt8
ff_policy_deadline_ms(Jsonb *policy)
{
	return ff_json_maybe_int8(ff_json_root(policy), "timeout_policy.execution_deadline_ms");
}

FfInt8
ff_policy_delay_until_ms(Jsonb *policy)
{
	return ff_json_maybe_int8(ff_json_root(policy), "delay_until");
}

FfInt8
ff_policy_priority(Jsonb *policy)
{
	return ff_json_maybe_int8(ff_json_root(policy), "priority");
}

FfInt8
ff_policy_dedup_window_ms(Jsonb *policy)
{
	return ff_json_maybe_int8(ff_json_root(policy), "dedup_window_ms");
}

FfInt8
ff_policy_max_signals(Jsonb *policy)
{
	return ff_json_maybe_int8(ff_json_root(policy), "max_signals_per_execution");
}

int64
ff_policy_reclaim_hold_ms(Jsonb *policy)
{
	return ff_json_int8_or(ff_json_root(policy), "reclaim_hold_ms", ff_reclaim_hold_ms);
}

/* The key at the top wins over that of timeout_policy. */
int64
ff_policy_max_reclaims_or(Jsonb *policy, int64 otherwise)
{
	JsonbContainer *in = ff_json_root(policy);

	return ff_json_int8_or(in, "max_reclaim_count",
						   ff_json_int8_or(in, "timeout_policy.max_reclaim_count", otherwise));
}

int64
ff_policy_max_reclaims(Jsonb *policy)
{
	return ff_policy_max_reclaims_or(policy, ff_default_max_reclaims);
}

FfInt8
ff_policy_suspension_timeout_ms(Jsonb *policy)
{
	return ff_json_maybe_int8(ff_json_root(policy), "suspension_policy.default_timeout_ms");
}

char *
ff_policy_suspension_behavior(Jsonb *policy)
{
	return ff_json_string_or_null(ff_json_root(policy), "suspension_policy.timeout_behavior");
}

ArrayType *
ff_policy_capabilities(Jsonb *policy)
{
	return ff_json_text_array_or_null(ff_json_root(policy),
									  "routing_requirements.required_capabilities");
}

ArrayType *
ff_policy_budget_ids(Jsonb *policy)
{
	ArrayType  *given = ff_json_uuid_array_or_null(ff_json_root(policy), "budget_ids");
	Datum	   *ids;
	int			n = 0;
	int			kept = 0;

	if (given == NULL)
		return construct_empty_array(UUIDOID);
	deconstruct_array(given, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR, &ids, NULL, &n);
	for (int i = 0; i < n; i++)
	{
		bool		seen = false;

		for (int k = 0; k < kept && !seen; k++)
			seen = memcmp(DatumGetUUIDP(ids[k]), DatumGetUUIDP(ids[i]), UUID_LEN) == 0;
		if (!seen)
			ids[kept++] = ids[i];
	}
	return construct_array(ids, kept, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR);
}

pg_uuid_t *
ff_policy_quota_policy_id(Jsonb *policy)
{
	return ff_json_uuid_or_null(ff_json_root(policy), "quota_policy_id");
}

static void
read_retry(JsonbContainer *in, FfRetryPolicy *retry)
{
	char	   *type = ff_json_string_or_null(in, "backoff.type");

	retry->max_retries = ff_json_int8_or(in, "max_retries", ff_default_max_retries);
	retry->fixed = type && strcmp(type, "fixed") == 0;
	retry->initial_delay_ms = retry->fixed
		? ff_json_int8_or(in, "backoff.delay_ms", 0)
		: ff_json_int8_or(in, "backoff.initial_delay_ms", ff_default_backoff_initial_ms);
	retry->max_delay_ms = ff_json_int8_or(in, "backoff.max_delay_ms", ff_default_backoff_max_ms);
	retry->multiplier = ff_json_float8_or(in, "backoff.multiplier",
										  ff_default_backoff_multiplier);
	retry->jitter = ff_json_bool_or(in, "backoff.jitter", false);
	retry->categories = ff_json_text_array_or_null(in, "retryable_categories");
}

void
ff_policy_retry(Jsonb *policy, FfRetryPolicy *retry)
{
	read_retry(ff_json_container_or_null(ff_json_root(policy), "retry_policy"), retry);
}

void
ff_policy_retry_given(Jsonb *retry_policy, FfRetryPolicy *retry)
{
	read_retry(ff_json_root(retry_policy), retry);
}
