/*
 * condition_reference.c - the meaning of a resume condition, said as plainly as
 * C allows and without any of the machinery of condition.c, which it judges.
 */
#include "engine/condition_tree.h"

#include "miscadmin.h"

static bool
matches(const FfCondition *condition, const FfConditionNode *node, const FfSignalFacts *signal)
{
	bool		named = false;

	for (int i = 0; i < node->nkeys && !named; i++)
		named = strcmp(condition->keys.words[node->keys[i]], signal->waitpoint_key) == 0;
	return named && (node->name == FF_ANY_NAME ||
					 strcmp(condition->names.words[node->name], signal->signal_name) == 0);
}

static int
compare_waitpoints(const void *a, const void *b)
{
	return strcmp((*(const FfSignalFacts *const *) a)->waitpoint_key,
				  (*(const FfSignalFacts *const *) b)->waitpoint_key);
}

static int
compare_ids(const void *a, const void *b)
{
	return strcmp((*(const FfSignalFacts *const *) a)->signal_id,
				  (*(const FfSignalFacts *const *) b)->signal_id);
}

static int
compare_sources(const void *a, const void *b)
{
	const FfSignalFacts *x = *(const FfSignalFacts *const *) a;
	const FfSignalFacts *y = *(const FfSignalFacts *const *) b;
	int			order = strcmp(x->source_type, y->source_type);

	return order ? order : strcmp(x->source_identity, y->source_identity);
}

static bool
count_is_true(const FfCondition *condition, const FfConditionNode *node,
			  const FfSignalFacts *signals, int nsignals)
{
	int			(*compare) (const void *, const void *) =
		node->count_kind == FF_COUNT_WAITPOINTS ? compare_waitpoints :
		node->count_kind == FF_COUNT_SIGNALS ? compare_ids : compare_sources;
	const FfSignalFacts **matching = palloc((nsignals + 1) * sizeof(FfSignalFacts *));
	int			nmatching = 0;
	int			distinct = 0;

	for (int i = 0; i < nsignals; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (matches(condition, node, &signals[i]))
			matching[nmatching++] = &signals[i];
	}
	qsort(matching, nmatching, sizeof(FfSignalFacts *), compare);
	for (int i = 0; i < nmatching; i++)
		if (i == 0 || compare(&matching[i - 1], &matching[i]) != 0)
			distinct++;
	pfree(matching);
	return distinct >= node->n;
}

static bool
is_true(const FfCondition *condition, int number, const FfSignalFacts *signals, int nsignals)
{
	const FfConditionNode *node = &condition->nodes[number];

	switch (node->kind)
	{
		case FF_NODE_SINGLE:
			for (int i = 0; i < nsignals; i++)
				if (matches(condition, node, &signals[i]))
					return true;
			return false;
		case FF_NODE_COUNT:
			return count_is_true(condition, node, signals, nsignals);
		case FF_NODE_ALL_OF:
			for (int i = 0; i < node->nmembers; i++)
				if (!is_true(condition, node->members[i], signals, nsignals))
					return false;
			return true;
		case FF_NODE_OPERATOR_ONLY:
		case FF_NODE_TIMEOUT_ONLY:
			break;
	}
	return false;
}

bool
ff_condition_evaluate(const FfCondition *condition, const FfSignalFacts *signals, int nsignals)
{
	return is_true(condition, 0, signals, nsignals);
}
