/*
 * condition_tree.h - what a parsed resume condition is made of. Only the
 * condition*.c files look inside.
 */
#ifndef FF_CONDITION_TREE_H
#define FF_CONDITION_TREE_H

#include "engine/condition.h"

typedef enum FfNodeKind
{
	FF_NODE_SINGLE,
	FF_NODE_OPERATOR_ONLY,
	FF_NODE_TIMEOUT_ONLY,
	FF_NODE_ALL_OF,
	FF_NODE_COUNT
} FfNodeKind;

/* What a Count counts the distinct values of; in the order of the words in condition_parse.c. */
typedef enum FfCountKind
{
	FF_COUNT_WAITPOINTS,
	FF_COUNT_SIGNALS,
	FF_COUNT_SOURCES
} FfCountKind;

#define FF_ANY_NAME (-1)

/* Keys, names and nodes refer to one another by number. */
typedef struct FfConditionNode
{
	FfNodeKind	kind;
	int			parent;			/* -1 of the root */
	char	   *path;			/* "" of the root, then members[0].members[2] */
	int		   *keys;			/* of a Single (one) or a Count, in their order */
	int			nkeys;
	int			name;			/* that a Single or a Count accepts, or FF_ANY_NAME */
	int		   *members;		/* nodes of an AllOf */
	int			nmembers;
	FfCountKind count_kind;
	int			n;				/* of a Count, at least 1 */
} FfConditionNode;

/* The nodes that name one key, chained in tree order. */
typedef struct FfMention
{
	int			node;
	int			next;			/* -1 at the end */
} FfMention;

/* Strings in order of first mention, each once, and a hash table to find them by. */
typedef struct FfWordList
{
	const char **words;
	int			count;
	int			capacity;
	struct word_hash *hash;
} FfWordList;

struct FfCondition
{
	FfConditionNode *nodes;		/* in tree order: a parent before its members; [0] is the root */
	int			nnodes;
	int			nodes_capacity;
	FfWordList	keys;
	FfWordList	names;
	FfMention  *mentions;
	int			nmentions;
	int			mentions_capacity;
	int		   *first_mention;	/* by key, as long as keys.words */
	int		   *last_mention;
	int			key_capacity;	/* of these two */
	bool		has_operator_only;
	bool		has_timeout_only;
};

/* The number of a word, -1 if it is not on the list. */
extern int	ff_words_find(const FfWordList *list, const char *word);

#endif							/* FF_CONDITION_TREE_H */
