/*
 * condition_parse.c - from the jsonb of a resume condition to its tree.
 *
 * The shape is checked first, and without recursion; building the tree recurses,
 * but stops at the depth that rule 3 allows.
 */
#include "engine/condition_tree.h"

#include "common/hashfn.h"
#include "utils/builtins.h"

#include "base/argument.h"
#include "base/error.h"
#include "base/jsonbarg.h"

/* The text of a document is never shorter than this part of its binary form. */
#define BINARY_PER_TEXT 8

typedef struct WordEntry
{
	const char *word;
	uint32		hash;
	int			number;
	char		status;
} WordEntry;

#define SH_PREFIX word
#define SH_ELEMENT_TYPE WordEntry
#define SH_KEY_TYPE const char *
#define SH_KEY word
#define SH_HASH_KEY(table, key) \
	hash_bytes((const unsigned char *) (key), (int) strlen(key))
#define SH_EQUAL(table, a, b) (strcmp(a, b) == 0)
#define SH_STORE_HASH
#define SH_GET_HASH(table, entry) (entry)->hash
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* The grammar of section 2. */

static const FfJsonField matcher_forms[] = {
	FF_JSON_REQUIRED("ByName", FF_JSON_STRING),
};
static const char *const matcher_words[] = {"Wildcard"};

static const FfJsonField single_fields[] = {
	FF_JSON_REQUIRED("waitpoint_key", FF_JSON_STRING),
	FF_JSON_REQUIRED("matcher", FF_JSON_TAGGED_OR_WORD(matcher_forms, matcher_words)),
};

static const FfJsonShape condition_shape;

static const FfJsonField all_of_fields[] = {
	FF_JSON_REQUIRED("members", FF_JSON_ARRAY(FF_JSON_UNBOUNDED, &condition_shape)),
};

static const char *const count_kinds[] = {
	[FF_COUNT_WAITPOINTS] = "DistinctWaitpoints",
	[FF_COUNT_SIGNALS] = "DistinctSignals",
	[FF_COUNT_SOURCES] = "DistinctSources",
};
static const FfJsonField count_fields[] = {
	FF_JSON_REQUIRED("n", FF_JSON_INTEGER(0, PG_INT32_MAX)),
	FF_JSON_REQUIRED("count_kind", FF_JSON_WORD(count_kinds)),
	FF_JSON_OPTIONAL("matcher", FF_JSON_TAGGED_OR_WORD(matcher_forms, matcher_words)),
	FF_JSON_REQUIRED("waitpoints", FF_JSON_ARRAY(FF_JSON_UNBOUNDED, FF_JSON_EACH(FF_JSON_STRING))),
};

static const FfJsonField composite_kinds[] = {
	FF_JSON_REQUIRED("AllOf", FF_JSON_OBJECT(all_of_fields)),
	FF_JSON_REQUIRED("Count", FF_JSON_OBJECT(count_fields)),
};

static const FfJsonField condition_forms[] = {
	FF_JSON_REQUIRED("Single", FF_JSON_OBJECT(single_fields)),
	FF_JSON_REQUIRED("Composite", FF_JSON_VARIANT("kind", composite_kinds)),
};
static const char *const condition_words[] = {"OperatorOnly", "TimeoutOnly"};

static const FfJsonShape condition_shape =
FF_JSON_TAGGED_OR_WORD(condition_forms, condition_words);

/* Lists that grow */

static void
words_init(FfWordList *list)
{
	list->count = 0;
	list->capacity = 8;
	list->words = palloc(list->capacity * sizeof(char *));
	list->hash = word_create(CurrentMemoryContext, 8, NULL);
}

int
ff_words_find(const FfWordList *list, const char *word)
{
	WordEntry  *entry = word_lookup(list->hash, word);

	return entry ? entry->number : -1;
}

/* The number of a word, which joins the list if it is new. */
static int
words_add(FfWordList *list, const char *word)
{
	bool		found;
	WordEntry  *entry = word_insert(list->hash, word, &found);

	if (!found)
	{
		if (list->count == list->capacity)
		{
			list->capacity *= 2;
			list->words = repalloc(list->words, list->capacity * sizeof(char *));
		}
		entry->number = list->count;
		list->words[list->count++] = word;
	}
	return entry->number;
}

static int
add_node(FfCondition *condition, FfNodeKind kind, int parent, char *path)
{
	FfConditionNode *node;

	if (condition->nnodes == condition->nodes_capacity)
	{
		condition->nodes_capacity *= 2;
		condition->nodes = repalloc(condition->nodes,
									condition->nodes_capacity * sizeof(FfConditionNode));
	}
	node = &condition->nodes[condition->nnodes];
	memset(node, 0, sizeof(FfConditionNode));
	node->kind = kind;
	node->parent = parent;
	node->path = path;
	node->name = FF_ANY_NAME;
	return condition->nnodes++;
}

/*
 * Note that a node names a key; the number of the key, or -1 where the node
 * named it before.
 */
static int
add_mention(FfCondition *condition, int node, const char *word)
{
	int			known = condition->keys.count;
	int			key = words_add(&condition->keys, word);

	if (condition->key_capacity < condition->keys.capacity)
	{
		condition->key_capacity = condition->keys.capacity;
		condition->first_mention = repalloc(condition->first_mention,
											condition->key_capacity * sizeof(int));
		condition->last_mention = repalloc(condition->last_mention,
										   condition->key_capacity * sizeof(int));
	}
	if (condition->nmentions == condition->mentions_capacity)
	{
		condition->mentions_capacity *= 2;
		condition->mentions = repalloc(condition->mentions,
									   condition->mentions_capacity * sizeof(FfMention));
	}

	if (key == known)
		condition->first_mention[key] = condition->nmentions;
	else
	{
		FfMention  *last = &condition->mentions[condition->last_mention[key]];

		if (last->node == node)
			return -1;
		last->next = condition->nmentions;
	}
	condition->last_mention[key] = condition->nmentions;
	condition->mentions[condition->nmentions++] = (FfMention) {.node = node,.next = -1};
	return key;
}

/* Rules 2 and 3 */

static const char *
shown_path(const char *path)
{
	return path[0] ? path : "<root>";
}

static void
check_size(Jsonb *document)
{
	size_t		size = VARSIZE(document);

	/* the first comparison spares printing what is hopelessly large */
	if (size > (size_t) FF_MAX_CONDITION_TEXT * BINARY_PER_TEXT ||
		strlen(JsonbToCString(NULL, &document->root, size)) > FF_MAX_CONDITION_TEXT)
		ff_raise_rule(FF_INVALID_INPUT, "condition_size_exceeded",
					  "the resume condition is too large",
					  "more than %d bytes as text", FF_MAX_CONDITION_TEXT);
}

void
ff_check_waitpoint_key(const char *key, const char *where)
{
	size_t		length = strlen(key);

	if (length < 1 || length > FF_MAX_WAITPOINT_KEY)
		ff_raise(FF_INVALID_WAITPOINT_KEY,
				 errmsg("a waitpoint key has 1 to %d bytes", FF_MAX_WAITPOINT_KEY),
				 where ? errdetail("%zu bytes at path %s", length, where)
				 : errdetail("%zu bytes", length));
}

static void
check_name(const char *name, const char *path)
{
	if (name[0] == '\0')
		ff_raise_rule(FF_INVALID_INPUT, "empty_signal_name",
					  "a signal name to match must not be empty", "at path %s", shown_path(path));
	ff_check_length(name, "signal name to match", 1, 256);
	if (name[0] == '_' && name[1] == '_')
		ff_raise_rule(FF_INVALID_INPUT, "reserved",
					  "signal names that begin with two underscores are the engine's own",
					  "at path %s", shown_path(path));
}

/* Building the tree */

/* The name that a matcher accepts, its number; absent and Wildcard accept any. */
static int
read_matcher(FfCondition *condition, JsonbContainer *fields, const char *path)
{
	char	   *name = ff_json_string_or_null(fields, "matcher.ByName");

	if (name == NULL)
		return FF_ANY_NAME;
	check_name(name, path);
	return words_add(&condition->names, name);
}

static void
read_single(FfCondition *condition, int node, JsonbContainer *fields)
{
	FfConditionNode *single = &condition->nodes[node];
	char	   *key = ff_json_string_or_null(fields, "waitpoint_key");

	single->name = read_matcher(condition, fields, single->path);
	ff_check_waitpoint_key(key, shown_path(single->path));
	single->keys = palloc(sizeof(int));
	single->keys[0] = add_mention(condition, node, key);
	single->nkeys = 1;
}

static FfCountKind
read_count_kind(JsonbContainer *fields)
{
	char	   *word = ff_json_string_or_null(fields, "count_kind");
	int			kind = 0;

	while (strcmp(count_kinds[kind], word) != 0)
		kind++;
	return kind;
}

static void
read_count_keys(FfCondition *condition, int node, JsonbContainer *waitpoints)
{
	FfConditionNode *count = &condition->nodes[node];
	FfJsonEach	each = ff_json_each(waitpoints);

	count->keys = palloc(JsonContainerSize(waitpoints) * sizeof(int));
	while (ff_json_next(&each))
	{
		char	   *word = ff_json_value_string(&each.value);
		int			key = add_mention(condition, node, word);

		if (key < 0)
			ff_raise_rule(FF_INVALID_INPUT, "count_waitpoints_duplicate",
						  "a Count names a waitpoint twice",
						  "waitpoints[%d] at path %s", each.index, shown_path(count->path));
		count->keys[count->nkeys++] = key;
	}
}

static void
read_count(FfCondition *condition, int node, JsonbContainer *fields)
{
	FfConditionNode *count = &condition->nodes[node];
	const char *path = shown_path(count->path);
	JsonbContainer *waitpoints = ff_json_container_or_null(fields, "waitpoints");

	count->n = ff_json_int8_or(fields, "n", 0);
	count->count_kind = read_count_kind(fields);
	if (count->n == 0)
		ff_raise_rule(FF_INVALID_INPUT, "count_n_zero", "n of a Count must be at least 1",
					  "at path %s", path);
	if (JsonContainerSize(waitpoints) == 0)
		ff_raise_rule(FF_INVALID_INPUT, "count_waitpoints_empty", "a Count names no waitpoint",
					  "at path %s", path);
	read_count_keys(condition, node, waitpoints);
	if (count->count_kind == FF_COUNT_WAITPOINTS && count->n > count->nkeys)
		ff_raise_rule(FF_INVALID_INPUT, "count_exceeds_waitpoint_set",
					  "a Count of distinct waitpoints can never be reached",
					  "n %d exceeds %d waitpoints at path %s", count->n, count->nkeys, path);
	count->name = read_matcher(condition, fields, count->path);
	for (int i = 0; i < count->nkeys; i++)
		ff_check_waitpoint_key(condition->keys.words[count->keys[i]], path);
}

static int	read_node(FfCondition *condition, const JsonbValue *value, int parent, char *path, int depth);

/* The nodes array may move while members are read: it is indexed anew each time. */
static void
read_all_of(FfCondition *condition, int node, JsonbContainer *fields, int depth)
{
	JsonbContainer *array = ff_json_container_or_null(fields, "members");
	const char *path = condition->nodes[node].path;
	int		   *members;
	FfJsonEach	each = ff_json_each(array);

	if (JsonContainerSize(array) == 0)
		ff_raise_rule(FF_INVALID_INPUT, "allof_empty_members", "an AllOf has no members",
					  "at path %s", shown_path(path));
	members = palloc(JsonContainerSize(array) * sizeof(int));
	while (ff_json_next(&each))
		members[each.index] = read_node(condition, &each.value, node,
										psprintf("%s%smembers[%d]", path, path[0] ? "." : "",
												 each.index),
										depth);
	condition->nodes[node].members = members;
	condition->nodes[node].nmembers = JsonContainerSize(array);
}

/* depth: the number of Composites around it. */
static int
read_composite(FfCondition *condition, JsonbContainer *fields, int parent, char *path, int depth)
{
	bool		all_of = strcmp(ff_json_string_or_null(fields, "kind"), "AllOf") == 0;
	int			node;

	depth++;
	if (depth > FF_MAX_CONDITION_DEPTH)
		ff_raise_rule(FF_INVALID_INPUT, "condition_depth_exceeded",
					  "the resume condition is nested too deep",
					  "depth %d exceeds cap %d at path %s", depth, FF_MAX_CONDITION_DEPTH,
					  shown_path(path));
	node = add_node(condition, all_of ? FF_NODE_ALL_OF : FF_NODE_COUNT, parent, path);
	if (all_of)
		read_all_of(condition, node, fields, depth);
	else
		read_count(condition, node, fields);
	return node;
}

static int
read_node(FfCondition *condition, const JsonbValue *value, int parent, char *path, int depth)
{
	JsonbContainer *form = ff_json_value_container(value);
	JsonbContainer *fields;
	int			node;

	if (form == NULL)
	{
		bool		operator_only = strcmp(ff_json_value_string(value), "OperatorOnly") == 0;

		if (operator_only)
			condition->has_operator_only = true;
		else
			condition->has_timeout_only = true;
		return add_node(condition, operator_only ? FF_NODE_OPERATOR_ONLY : FF_NODE_TIMEOUT_ONLY,
						parent, path);
	}

	fields = ff_json_container_or_null(form, "Composite");
	if (fields)
		return read_composite(condition, fields, parent, path, depth);
	node = add_node(condition, FF_NODE_SINGLE, parent, path);
	read_single(condition, node, ff_json_container_or_null(form, "Single"));
	return node;
}

void
ff_condition_check_shape(Jsonb *document, const char *root)
{
	ff_json_check(document, &condition_shape, root, FF_INVALID_INPUT, "json_shape");
}

FfCondition *
ff_condition_parse(Jsonb *document, const char *root)
{
	FfCondition *condition = palloc0(sizeof(FfCondition));
	JsonbValue	value;

	ff_condition_check_shape(document, root);
	check_size(document);

	condition->nodes_capacity = 4;
	condition->nodes = palloc(condition->nodes_capacity * sizeof(FfConditionNode));
	words_init(&condition->keys);
	words_init(&condition->names);
	condition->key_capacity = condition->keys.capacity;
	condition->first_mention = palloc(condition->key_capacity * sizeof(int));
	condition->last_mention = palloc(condition->key_capacity * sizeof(int));
	condition->mentions_capacity = 8;
	condition->mentions = palloc(condition->mentions_capacity * sizeof(FfMention));

	if (!JsonbExtractScalar(&document->root, &value))
	{
		value.type = jbvBinary;
		value.val.binary.data = &document->root;
		value.val.binary.len = VARSIZE(document) - VARHDRSZ;
	}
	(void) read_node(condition, &value, -1, pstrdup(""), 0);
	return condition;
}
