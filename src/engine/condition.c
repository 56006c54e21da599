/*
 * condition.c - what can be read off a resume condition, and its evaluation one
 * signal at a time.
 *
 * A signal visits the nodes that name its waitpoint, and those it makes true
 * tell their parents: nothing depends on how many signals came before.
 */
#include "engine/condition_tree.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

#include "base/jsonbarg.h"

int
ff_condition_key_count(const FfCondition *condition)
{
	return condition->keys.count;
}

const char *
ff_condition_key(const FfCondition *condition, int i)
{
	return condition->keys.words[i];
}

int
ff_condition_find_key(const FfCondition *condition, const char *key)
{
	return ff_words_find(&condition->keys, key);
}

const char *
ff_condition_single_key(const FfCondition *condition)
{
	return condition->nodes[0].kind == FF_NODE_SINGLE ? condition->keys.words[0] : NULL;
}

bool
ff_condition_has_timeout_only(const FfCondition *condition)
{
	return condition->has_timeout_only;
}

/* The first mention of a key, to follow along mentions[].next; -1 if there is none. */
static int
first_mention(const FfCondition *condition, const char *key)
{
	int			number = ff_words_find(&condition->keys, key);

	return number < 0 ? -1 : condition->first_mention[number];
}

ArrayType *
ff_condition_required_names(const FfCondition *condition, const char *key)
{
	Datum	   *names = palloc((condition->names.count + 2) * sizeof(Datum));
	bool	   *taken = palloc0(condition->names.count + 1);
	int			count = 0;

	for (int m = first_mention(condition, key); m >= 0; m = condition->mentions[m].next)
	{
		int			name = condition->nodes[condition->mentions[m].node].name;

		if (name == FF_ANY_NAME || taken[name])
			continue;
		taken[name] = true;
		names[count++] = CStringGetTextDatum(condition->names.words[name]);
	}
	if (condition->has_operator_only)
		names[count++] = CStringGetTextDatum("__operator_only__");
	if (condition->has_timeout_only)
		names[count++] = CStringGetTextDatum("__timeout_only__");
	return construct_array(names, count, TEXTOID, -1, false, TYPALIGN_INT);
}

const char *
ff_match_result_word(FfMatchResult match)
{
	static const char *const words[] = {
		[FF_MATCH_COUNTED] = "counted",
		[FF_MATCH_ALREADY_COUNTED] = "already_counted",
		[FF_MATCH_NAME_MISMATCH] = "name_mismatch",
		[FF_MATCH_NOT_IN_CONDITION] = "not_in_condition",
		[FF_MATCH_NOT_EVALUATED] = "not_evaluated",
	};

	return words[match];
}

/* Progress; the arrays go by node. */
struct FfConditionState
{
	const FfCondition *condition;
	bool	   *satisfied;
	int		   *counts;			/* distinct values so far of a Count not yet true */
	int		   *open;			/* members of an AllOf not yet true */
	Jsonb	   *member_map;		/* as loaded, for the keys that are not ours */
};

/* The node at a path as we write it, -1 if there is none. */
static int
find_path(const FfCondition *condition, const char *path)
{
	const char *rest = path;
	int			node = 0;

	while (*rest)
	{
		const FfConditionNode *all_of = &condition->nodes[node];
		char	   *end;
		long		member;

		if (all_of->kind != FF_NODE_ALL_OF || strncmp(rest, "members[", 8) != 0)
			return -1;
		member = strtol(rest + 8, &end, 10);
		if (member < 0 || member >= all_of->nmembers || *end != ']')
			return -1;
		node = all_of->members[member];
		rest = end + 1;
		if (*rest == '.')
			rest++;
	}
	return strcmp(condition->nodes[node].path, path) == 0 ? node : -1;
}

/* The Count node that a key of member_map is about; -1 for a key that is not ours. */
static int
find_count(const FfCondition *condition, const char *path)
{
	int			node = find_path(condition, path);

	return node >= 0 && condition->nodes[node].kind == FF_NODE_COUNT ? node : -1;
}

static JsonbContainer *
container_of(Jsonb *document, bool array)
{
	if (document == NULL || JB_ROOT_IS_SCALAR(document) || JB_ROOT_IS_ARRAY(document) != array)
		return NULL;
	return &document->root;
}

static void
load_satisfied(FfConditionState *state, Jsonb *satisfied_set)
{
	FfJsonEach	each = ff_json_each(container_of(satisfied_set, true));

	while (ff_json_next(&each))
	{
		char	   *path = ff_json_value_string(&each.value);
		int			node = path ? find_path(state->condition, path) : -1;

		if (node >= 0)
			state->satisfied[node] = true;
	}
}

static void
load_counts(FfConditionState *state, Jsonb *member_map)
{
	FfJsonEach	each = ff_json_each(container_of(member_map, false));

	while (ff_json_next(&each))
	{
		int			node = find_count(state->condition, each.key);
		int64		count;

		if (node >= 0 && ff_json_value_int8(&each.value, &count))
			state->counts[node] = (int) Max(0, Min(count, PG_INT32_MAX - 1));
	}
}

FfConditionState *
ff_condition_load(const FfCondition *condition, Jsonb *satisfied_set, Jsonb *member_map)
{
	FfConditionState *state = palloc0(sizeof(FfConditionState));

	state->condition = condition;
	state->satisfied = palloc0(condition->nnodes * sizeof(bool));
	state->counts = palloc0(condition->nnodes * sizeof(int));
	state->open = palloc0(condition->nnodes * sizeof(int));
	state->member_map = member_map;
	load_satisfied(state, satisfied_set);
	load_counts(state, member_map);

	/* members stand behind their AllOf, so backwards each is settled before it is asked */
	for (int i = condition->nnodes - 1; i >= 0; i--)
	{
		const FfConditionNode *node = &condition->nodes[i];

		if (node->kind == FF_NODE_ALL_OF && state->open[i] == 0)
			state->satisfied[i] = true;
		if (node->parent >= 0 && !state->satisfied[i])
			state->open[node->parent]++;
	}
	return state;
}

/* A node becomes true, and each AllOf above whose last open member that was. */
static void
satisfy(FfConditionState *state, int node)
{
	for (;;)
	{
		int			parent = state->condition->nodes[node].parent;

		state->satisfied[node] = true;
		if (parent < 0 || --state->open[parent] > 0 || state->satisfied[parent])
			return;
		node = parent;
	}
}

/* Whether the signal shows a Count a value that it has not counted. */
static bool
is_new_value(const FfConditionNode *count, const FfSignalFacts *signal,
			 FfIsNewValue is_new, void *arg)
{
	const char *token = signal->waitpoint_key;

	/* every signal has an id of its own; and the first value of any kind is new */
	if (count->count_kind == FF_COUNT_SIGNALS || count->n == 1)
		return true;
	if (count->count_kind == FF_COUNT_SOURCES)
		token = psprintf("%zu:%s:%s", strlen(signal->source_type), signal->source_type,
						 signal->source_identity);
	return is_new(count->path, token, arg);
}

/* Offer the signal to a node that accepts it and is not true; whether it gained. */
static bool
offer_to(FfConditionState *state, int number, const FfSignalFacts *signal,
		 FfIsNewValue is_new, void *arg)
{
	const FfConditionNode *node = &state->condition->nodes[number];

	if (node->kind == FF_NODE_COUNT)
	{
		if (!is_new_value(node, signal, is_new, arg))
			return false;
		if (++state->counts[number] < node->n)
			return true;
	}
	satisfy(state, number);
	return true;
}

FfOffer
ff_condition_offer(FfConditionState *state, const FfSignalFacts *signal,
				   FfIsNewValue is_new, void *arg)
{
	const FfCondition *condition = state->condition;
	int			name = ff_words_find(&condition->names, signal->signal_name);
	bool		was_satisfied = state->satisfied[0];
	FfMatchResult match = FF_MATCH_NOT_IN_CONDITION;

	for (int m = first_mention(condition, signal->waitpoint_key); m >= 0;
		 m = condition->mentions[m].next)
	{
		int			number = condition->mentions[m].node;
		const FfConditionNode *node = &condition->nodes[number];

		/* the results are in order: a lower one outdoes a higher one */
		if (node->name != FF_ANY_NAME && node->name != name)
			match = Min(match, FF_MATCH_NAME_MISMATCH);
		else if (!state->satisfied[number] && offer_to(state, number, signal, is_new, arg))
			match = FF_MATCH_COUNTED;
		else
			match = Min(match, FF_MATCH_ALREADY_COUNTED);
	}
	return (FfOffer) {
		.match = match,
		.satisfied = state->satisfied[0],
		.became_satisfied = state->satisfied[0] && !was_satisfied
	};
}

bool
ff_condition_is_satisfied(const FfConditionState *state)
{
	return state->satisfied[0];
}

static void
push_string(JsonbParseState **stack, JsonbIteratorToken token, const char *text)
{
	JsonbValue	value = {.type = jbvString};

	value.val.string.val = (char *) text;
	value.val.string.len = strlen(text);
	(void) pushJsonbValue(stack, token, &value);
}

Jsonb *
ff_condition_satisfied_set(const FfConditionState *state)
{
	JsonbParseState *stack = NULL;

	(void) pushJsonbValue(&stack, WJB_BEGIN_ARRAY, NULL);
	for (int i = 0; i < state->condition->nnodes; i++)
		if (state->satisfied[i])
			push_string(&stack, WJB_ELEM, state->condition->nodes[i].path);
	return JsonbValueToJsonb(pushJsonbValue(&stack, WJB_END_ARRAY, NULL));
}

/* Keys that are not about a Count of this condition stay as they are. */
static void
push_other_keys(JsonbParseState **stack, const FfConditionState *state)
{
	FfJsonEach	each = ff_json_each(container_of(state->member_map, false));

	while (ff_json_next(&each))
		if (find_count(state->condition, each.key) < 0)
		{
			push_string(stack, WJB_KEY, each.key);
			(void) pushJsonbValue(stack, WJB_VALUE, &each.value);
		}
}

Jsonb *
ff_condition_member_map(const FfConditionState *state)
{
	JsonbParseState *stack = NULL;

	(void) pushJsonbValue(&stack, WJB_BEGIN_OBJECT, NULL);
	push_other_keys(&stack, state);
	for (int i = 0; i < state->condition->nnodes; i++)
		if (state->counts[i] > 0 && !state->satisfied[i])
		{
			JsonbValue	count = {.type = jbvNumeric};

			count.val.numeric = int64_to_numeric(state->counts[i]);
			push_string(&stack, WJB_KEY, state->condition->nodes[i].path);
			(void) pushJsonbValue(&stack, WJB_VALUE, &count);
		}
	return JsonbValueToJsonb(pushJsonbValue(&stack, WJB_END_OBJECT, NULL));
}
