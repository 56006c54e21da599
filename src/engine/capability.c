/*
 * capability.c - sets of capability tokens.
 *
 * A set is worked on as a sorted array of views into the stored tokens, so
 * that no token is copied on the way.
 */
#include "engine/capability.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/hash.h"

#define MAX_TOKENS 256
#define MAX_JOINED 4096

struct FfTokens
{
	FfBytes    *tokens;
	int			count;
};

static void
refuse(const char *side, const char *what)
{
	ff_raise(FF_INVALID_CAPABILITIES,
			 errmsg("%s capabilities are malformed", side),
			 errdetail("%s:%s", side, what));
}

/* Order by bytes, a prefix first, as COLLATE "C" does. */
static int
compare_tokens(const void *a, const void *b)
{
	const FfBytes *left = a;
	const FfBytes *right = b;
	int			order = memcmp(left->data, right->data, Min(left->length, right->length));

	if (order != 0)
		return order;
	return (left->length > right->length) - (left->length < right->length);
}

static void
sort_distinct(FfTokens *set)
{
	int			kept = 0;

	/* a stored set is sorted already: its tokens cost one comparison each */
	qsort(set->tokens, set->count, sizeof(FfBytes), compare_tokens);
	for (int i = 0; i < set->count; i++)
		if (kept == 0 || compare_tokens(&set->tokens[kept - 1], &set->tokens[i]) != 0)
			set->tokens[kept++] = set->tokens[i];
	set->count = kept;
}

static size_t
joined_length(const FfTokens *set)
{
	size_t		length = 0;

	for (int i = 0; i < set->count; i++)
		length += set->tokens[i].length + (i > 0 ? 1 : 0);
	return length;
}

static void
check_token(FfBytes token, const char *side)
{
	if (token.length == 0)
		refuse(side, "empty_token");
	for (size_t i = 0; i < token.length; i++)
	{
		unsigned char c = token.data[i];

		if (c == ',')
			refuse(side, "comma_in_token");
		if (c <= 0x20 || c == 0x7F)
			refuse(side, "control_or_whitespace");
	}
}

/* Checks and orders what was collected from a caller. */
static void
finish_checked(FfTokens *set, const char *side)
{
	for (int i = 0; i < set->count; i++)
		check_token(set->tokens[i], side);
	sort_distinct(set);
	if (set->count > MAX_TOKENS)
		refuse(side, "too_many_tokens");
	if (joined_length(set) > MAX_JOINED)
		refuse(side, "too_many_bytes");
}

static FfBytes
token_of(Datum element)
{
	text	   *token = DatumGetTextPP(element);

	return (FfBytes) {.data = VARDATA_ANY(token),.length = VARSIZE_ANY_EXHDR(token)};
}

static FfTokens
empty_set(int capacity)
{
	return (FfTokens) {.tokens = palloc(Max(capacity, 1) * sizeof(FfBytes)),.count = 0};
}

/* The tokens of an argument added to a set with room for them; NULL has none. */
static void
add_checked(FfTokens *set, ArrayType *array, const char *side)
{
	Datum	   *elements;
	bool	   *nulls;
	int			n;

	if (array == NULL)
		return;
	if (ARR_NDIM(array) > 1)
		refuse(side, "not_array");
	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		if (nulls[i])
			refuse(side, "null_token");
		set->tokens[set->count++] = token_of(elements[i]);
	}
}

static int
array_size(ArrayType *array)
{
	return array ? ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array)) : 0;
}

/* A stored array as a set: sorted, distinct, what is no token left out. */
static FfTokens
stored_set(ArrayType *array)
{
	FfTokens	set = empty_set(array_size(array));
	Datum	   *elements;
	bool	   *nulls;
	int			n = 0;

	if (array)
		deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		FfBytes		token;

		if (nulls[i])
			continue;
		token = token_of(elements[i]);
		if (token.length > 0)
			set.tokens[set.count++] = token;
	}
	sort_distinct(&set);
	return set;
}

static ArrayType *
to_array(const FfTokens *set)
{
	Datum	   *elements;

	if (set->count == 0)
		return construct_empty_array(TEXTOID);
	elements = palloc(set->count * sizeof(Datum));
	for (int i = 0; i < set->count; i++)
		elements[i] = PointerGetDatum(cstring_to_text_with_len(set->tokens[i].data,
															   (int) set->tokens[i].length));
	return construct_array(elements, set->count, TEXTOID, -1, false, TYPALIGN_INT);
}

ArrayType *
ff_capabilities_merge(ArrayType *tokens, ArrayType *others, const char *side)
{
	FfTokens	set = empty_set(array_size(tokens) + array_size(others));

	add_checked(&set, tokens, side);
	add_checked(&set, others, side);
	finish_checked(&set, side);
	return to_array(&set);
}

ArrayType *
ff_capabilities_normalize(ArrayType *tokens, const char *side)
{
	return ff_capabilities_merge(tokens, NULL, side);
}

ArrayType *
ff_capabilities_from_jsonb(Jsonb *tokens, const char *side)
{
	FfTokens	set;
	JsonbIterator *iterator;
	JsonbValue	value;
	JsonbIteratorToken what;

	if (tokens == NULL)
		return construct_empty_array(TEXTOID);
	if (!JB_ROOT_IS_ARRAY(tokens) || JB_ROOT_IS_SCALAR(tokens))
		refuse(side, "not_array");
	set = empty_set(JB_ROOT_COUNT(tokens));
	iterator = JsonbIteratorInit(&tokens->root);
	while ((what = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (what != WJB_ELEM)
			continue;
		if (value.type == jbvNull)
			refuse(side, "null_token");
		if (value.type != jbvString)
			refuse(side, "non_string_token");
		set.tokens[set.count++] = (FfBytes) {.data = value.val.string.val,
			.length = value.val.string.len};
	}
	finish_checked(&set, side);
	return to_array(&set);
}

static bool
has_token(const FfTokens *set, const FfBytes *token)
{
	return bsearch(token, set->tokens, set->count, sizeof(FfBytes), compare_tokens) != NULL;
}

/* The tokens of one set that another lacks. */
static FfTokens
difference(const FfTokens *set, const FfTokens *other)
{
	FfTokens	rest = empty_set(set->count);

	for (int i = 0; i < set->count; i++)
		if (!has_token(other, &set->tokens[i]))
			rest.tokens[rest.count++] = set->tokens[i];
	return rest;
}

const FfTokens *
ff_capabilities_read(ArrayType *tokens)
{
	FfTokens   *set = palloc(sizeof(FfTokens));

	*set = stored_set(tokens);
	return set;
}

bool
ff_capabilities_match(ArrayType *required, const FfTokens *worker)
{
	FfTokens	needed;

	if (array_size(required) == 0)
		return true;
	needed = stored_set(required);
	return difference(&needed, worker).count == 0;
}

static char *
join(const FfTokens *set)
{
	StringInfoData csv;

	initStringInfo(&csv);
	for (int i = 0; i < set->count; i++)
	{
		if (i > 0)
			appendStringInfoChar(&csv, ',');
		appendBinaryStringInfo(&csv, set->tokens[i].data, (int) set->tokens[i].length);
	}
	return csv.data;
}

char *
ff_capabilities_csv(ArrayType *tokens)
{
	FfTokens	set = stored_set(tokens);

	return join(&set);
}

char *
ff_capabilities_missing(ArrayType *required, ArrayType *worker)
{
	FfTokens	needed = stored_set(required);
	FfTokens	present = stored_set(worker);
	FfTokens	missing = difference(&needed, &present);

	return join(&missing);
}

int64
ff_capabilities_hash(ArrayType *tokens)
{
	FfTokens	set;
	uint64		hash = FF_FNV64_BASIS;

	/* most executions require nothing, and every insert of one comes here */
	if (array_size(tokens) == 0)
		return 0;
	set = stored_set(tokens);
	if (set.count == 0)
		return 0;
	for (int i = 0; i < set.count; i++)
	{
		if (i > 0)
			hash = ff_hash_fnv64(hash, ",", 1);
		hash = ff_hash_fnv64(hash, set.tokens[i].data, set.tokens[i].length);
	}
	return hash == 0 ? 1 : (int64) hash;
}
