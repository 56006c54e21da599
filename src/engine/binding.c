/*
 * binding.c - what a suspension is asked to wait on: the waitpoints to bind and
 * the resume policy.
 */
#include "engine/binding.h"

#include "base/argument.h"
#include "base/error.h"
#include "base/id.h"
#include "base/jsonbarg.h"

/* The shapes of sections 4.1 and 4.3. */

static const FfJsonField fresh_fields[] = {
	FF_JSON_OPTIONAL("waitpoint_key", FF_JSON_STRING),
	FF_JSON_OPTIONAL("waitpoint_id", FF_JSON_UUID),
};
static const FfJsonField use_pending_fields[] = {
	FF_JSON_REQUIRED("waitpoint_id", FF_JSON_UUID),
};
static const FfJsonField binding_forms[] = {
	FF_JSON_REQUIRED("Fresh", FF_JSON_OBJECT(fresh_fields)),
	FF_JSON_REQUIRED("UsePending", FF_JSON_OBJECT(use_pending_fields)),
};
static const FfJsonShape bindings_shape =
FF_JSON_ARRAY(FF_JSON_UNBOUNDED, FF_JSON_EACH(FF_JSON_TAGGED(binding_forms)));

static const FfJsonField policy_fields[] = {
	FF_JSON_OPTIONAL("resume_target", FF_JSON_STRING),
	FF_JSON_OPTIONAL("resume_delay_ms", FF_JSON_INTEGER(PG_INT64_MIN, PG_INT64_MAX)),
	FF_JSON_OPTIONAL("close_waitpoint_on_resume", FF_JSON_BOOLEAN),
	FF_JSON_OPTIONAL("consume_matched_signals", FF_JSON_BOOLEAN),
	FF_JSON_OPTIONAL("retain_signal_buffer_until_closed", FF_JSON_BOOLEAN),
};
static const FfJsonShape policy_shape = FF_JSON_OBJECT(policy_fields);

static void
check_bindings_shape(Jsonb *waitpoints)
{
	if (waitpoints)
		ff_json_check(waitpoints, &bindings_shape, "waitpoints", FF_INVALID_INPUT, "json_shape");
}

static void
check_policy_shape(Jsonb *policy, const char *root)
{
	if (policy)
		ff_json_check(policy, &policy_shape, root, FF_INVALID_INPUT, "json_shape");
}

/* A fresh binding; NULL for what shall be minted. */
static FfBinding
fresh_binding(const char *key, const pg_uuid_t *id)
{
	FfBinding	binding = {.fresh = true,.id_given = id != NULL};

	if (id)
		binding.waitpoint_id = *id;
	else
		ff_uuid_mint(&binding.waitpoint_id);
	binding.waitpoint_key = key ? pstrdup(key)
		: psprintf("wpk:%s", ff_uuid_text(&binding.waitpoint_id));
	return binding;
}

static FfBinding
read_binding(JsonbContainer *form)
{
	JsonbContainer *fresh = ff_json_container_or_null(form, "Fresh");
	FfBinding	binding = {.fresh = false,.id_given = true};
	char	   *key;

	if (fresh == NULL)
	{
		binding.waitpoint_id = *ff_json_uuid_or_null(form, "UsePending.waitpoint_id");
		return binding;
	}
	key = ff_json_string_or_null(fresh, "waitpoint_key");
	if (key)
		ff_check_waitpoint_key(key, NULL);
	return fresh_binding(key, ff_json_uuid_or_null(fresh, "waitpoint_id"));
}

static void
check_count(int count)
{
	if (count == 0)
		ff_raise_rule(FF_INVALID_INPUT, "waitpoints_empty", "waitpoints is empty",
					  "at least one waitpoint is needed, or NULL for those of the condition");
	if (count > FF_MAX_BINDINGS)
		ff_raise_rule(FF_INVALID_INPUT, "too_many_waitpoints",
					  "too many waitpoints for one suspension",
					  "%d, at most %d", count, FF_MAX_BINDINGS);
}

/* The same id, or the same key of two fresh ones; at most 256, so each is held against each. */
static void
check_duplicates(const FfBindings *bindings)
{
	for (int i = 1; i < bindings->count; i++)
		for (int j = 0; j < i; j++)
		{
			const FfBinding *a = &bindings->items[i];
			const FfBinding *b = &bindings->items[j];

			if (memcmp(&a->waitpoint_id, &b->waitpoint_id, sizeof(pg_uuid_t)) == 0 ||
				(a->fresh && b->fresh && strcmp(a->waitpoint_key, b->waitpoint_key) == 0))
				ff_raise_rule(FF_INVALID_INPUT, "duplicate_waitpoint",
							  "a waitpoint is bound twice", "waitpoints[%d] and waitpoints[%d]",
							  j, i);
		}
}

static FfBindings
default_bindings(const FfCondition *condition)
{
	FfBindings	bindings = {.all_fresh = true};
	int			nkeys = ff_condition_key_count(condition);

	bindings.count = Max(nkeys, 1);
	check_count(bindings.count);
	bindings.items = palloc(bindings.count * sizeof(FfBinding));
	for (int i = 0; i < bindings.count; i++)
		bindings.items[i] = fresh_binding(nkeys ? ff_condition_key(condition, i) : NULL, NULL);
	return bindings;
}

FfBindings
ff_bindings_parse(Jsonb *waitpoints, const FfCondition *condition)
{
	FfBindings	bindings = {.all_fresh = true};
	FfJsonEach	each;

	if (waitpoints == NULL)
		return default_bindings(condition);

	check_bindings_shape(waitpoints);
	bindings.count = JB_ROOT_COUNT(waitpoints);
	check_count(bindings.count);
	bindings.items = palloc(bindings.count * sizeof(FfBinding));
	each = ff_json_each(ff_json_root(waitpoints));
	while (ff_json_next(&each))
	{
		FfBinding	binding = read_binding(ff_json_value_container(&each.value));

		bindings.items[each.index] = binding;
		bindings.all_fresh &= binding.fresh;
	}
	check_duplicates(&bindings);
	return bindings;
}

/* Rule 5: a condition on one waitpoint is about the first that is bound. */
static void
check_first_key(const FfBindings *bindings, const FfCondition *condition)
{
	const char *key = ff_condition_single_key(condition);
	const FfBinding *first = &bindings->items[0];

	if (key && first->fresh && strcmp(key, first->waitpoint_key) != 0)
		ff_raise_rule(FF_INVALID_INPUT, "waitpoint_key_mismatch",
					  "the first waitpoint is not the one that the condition names",
					  "condition %s, waitpoint %s", key, first->waitpoint_key);
}

/*
 * Rule 6 over bindings whose keys are all known. Each key of the condition is
 * ticked off, so the cost is linear in both.
 */
static void
check_keys(const FfBindings *bindings, const FfCondition *condition, FfErrorKind kind)
{
	int			nkeys = ff_condition_key_count(condition);
	bool	   *bound = palloc0(nkeys + 1);
	const char *extra = NULL;

	for (int i = 0; i < bindings->count; i++)
	{
		const char *key = bindings->items[i].waitpoint_key;
		int			number = ff_condition_find_key(condition, key);

		if (number >= 0)
			bound[number] = true;
		else if (extra == NULL)
			extra = key;
	}
	for (int i = 0; i < nkeys; i++)
		if (!bound[i])
			ff_raise_rule(kind, "referenced_waitpoint_key_missing_binding",
						  "the condition names a waitpoint that is not bound",
						  "%s", ff_condition_key(condition, i));
	if (extra && nkeys > 0)
		ff_raise_rule(kind, "extra_binding_not_referenced_by_condition",
					  "a waitpoint is bound that the condition does not name", "%s", extra);
}

void
ff_bindings_check_keys(const FfBindings *bindings, const FfCondition *condition)
{
	check_keys(bindings, condition, FF_INVALID_WAITPOINT_FOR_EXECUTION);
	for (int i = 1; i < bindings->count; i++)
		for (int j = 0; j < i; j++)
			if (strcmp(bindings->items[i].waitpoint_key, bindings->items[j].waitpoint_key) == 0)
				ff_raise_rule(FF_INVALID_WAITPOINT_FOR_EXECUTION, "duplicate_waitpoint",
							  "two waitpoints to bind have the same key",
							  "%s", bindings->items[i].waitpoint_key);
}

FfResumePolicy
ff_resume_policy_parse(Jsonb *document, const char *root)
{
	JsonbContainer *policy = ff_json_root(document);
	FfResumePolicy result;
	char	   *target;

	check_policy_shape(document, root);
	target = ff_json_string_or_null(policy, "resume_target");
	if (target)
	{
		static const char *const targets[] = {"Runnable"};

		(void) ff_check_one_of(target, psprintf("%s.resume_target", root),
							   targets, lengthof(targets));
	}
	result.resume_delay_ms = ff_json_maybe_int8(policy, "resume_delay_ms");
	if (result.resume_delay_ms.isset)
		ff_check_not_negative(result.resume_delay_ms.value, psprintf("%s.resume_delay_ms", root));
	result.close_waitpoint_on_resume = ff_json_bool_or(policy, "close_waitpoint_on_resume", true);
	result.consume_matched_signals = ff_json_bool_or(policy, "consume_matched_signals", true);
	result.retain_signal_buffer_until_closed =
		ff_json_bool_or(policy, "retain_signal_buffer_until_closed", false);
	return result;
}

FfWaitTerms *
ff_wait_terms_parse(Jsonb *resume_condition, Jsonb *waitpoints, Jsonb *resume_policy)
{
	FfWaitTerms *wait = palloc(sizeof(FfWaitTerms));

	/* rule 1 comes first, for all three */
	ff_condition_check_shape(resume_condition, "resume_condition");
	check_bindings_shape(waitpoints);
	check_policy_shape(resume_policy, "resume_policy");

	wait->condition = ff_condition_parse(resume_condition, "resume_condition");
	wait->bindings = ff_bindings_parse(waitpoints, wait->condition);
	check_first_key(&wait->bindings, wait->condition);
	if (wait->bindings.all_fresh)
		check_keys(&wait->bindings, wait->condition, FF_INVALID_INPUT);
	wait->policy = ff_resume_policy_parse(resume_policy, "resume_policy");
	return wait;
}
