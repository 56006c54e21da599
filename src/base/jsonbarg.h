/*
 * jsonbarg.h - reading a jsonb argument against a declared shape.
 *
 * A shape is a constant table. ff_json_check() compares a whole document with
 * it once; after that the getters may take what they find at face value.
 *
 *	static const FfJsonField backoff_fixed[] = {
 *		FF_JSON_REQUIRED("delay_ms", FF_JSON_INTEGER(0, 86400000)),
 *	};
 *	static const FfJsonField backoff_types[] = {
 *		FF_JSON_REQUIRED("fixed", FF_JSON_OBJECT(backoff_fixed)),
 *	};
 *	static const FfJsonField retry_fields[] = {
 *		FF_JSON_OPTIONAL("max_retries", FF_JSON_INTEGER(0, 10000)),
 *		FF_JSON_OPTIONAL("backoff", FF_JSON_VARIANT("type", backoff_types)),
 *		FF_JSON_OPTIONAL("retryable_categories", FF_JSON_ARRAY(64, FF_JSON_EACH(FF_JSON_STRING))),
 *	};
 *	static const FfJsonShape retry_shape = FF_JSON_OBJECT(retry_fields);
 *
 *	ff_json_check(retry, &retry_shape, "retry_policy", FF_INVALID_POLICY_JSON, NULL);
 *	max_retries = ff_json_int8_or(ff_json_root(retry), "max_retries", 3);
 */
#ifndef FF_JSONBARG_H
#define FF_JSONBARG_H

#include "base/compat.h"

#include "utils/array.h"
#include "utils/jsonb.h"
#include "utils/uuid.h"

#include "base/error.h"
#include "base/statement.h"

typedef enum FfJsonType
{
	FF_JSON_IS_ANY,				/* any value, null too */
	FF_JSON_IS_BOOLEAN,
	FF_JSON_IS_INTEGER,			/* no fraction (2.0 has none), min to max */
	FF_JSON_IS_NUMBER,			/* low to high */
	FF_JSON_IS_STRING,			/* min to max bytes */
	FF_JSON_IS_WORD,			/* one of words */
	FF_JSON_IS_UUID,			/* a string of 36 characters, 8-4-4-4-12 */
	FF_JSON_IS_ARRAY,			/* at most max values of shape element */
	FF_JSON_IS_OBJECT,			/* an object of these fields */
	FF_JSON_IS_TAGGED,			/* {"Name": value}, one of the fields; or a bare string, one of words */
	FF_JSON_IS_VARIANT			/* an object whose string field tag names one of the fields: the
								 * shape of the rest, an OBJECT */
} FfJsonType;

typedef struct FfJsonShape
{
	FfJsonType	type;
	int64		min;
	int64		max;
	double		low;
	double		high;
	const char *const *words;
	int			nwords;
	const struct FfJsonField *fields;
	int			nfields;		/* at most 64 */
	const struct FfJsonShape *element;
	const char *tag;
} FfJsonShape;

typedef struct FfJsonField
{
	const char *name;
	bool		required;
	FfJsonShape shape;
} FfJsonField;

#define FF_JSON_ANY				{.type = FF_JSON_IS_ANY}
#define FF_JSON_BOOLEAN			{.type = FF_JSON_IS_BOOLEAN}
#define FF_JSON_INTEGER(lo, hi)	{.type = FF_JSON_IS_INTEGER, .min = (lo), .max = (hi)}
#define FF_JSON_NUMBER(lo, hi)	{.type = FF_JSON_IS_NUMBER, .low = (lo), .high = (hi)}
#define FF_JSON_STRING			{.type = FF_JSON_IS_STRING, .max = PG_INT64_MAX}
#define FF_JSON_STRING_OF(least, most) {.type = FF_JSON_IS_STRING, .min = (least), .max = (most)}
#define FF_JSON_WORD(list)		{.type = FF_JSON_IS_WORD, .words = (list), .nwords = lengthof(list)}
#define FF_JSON_UUID			{.type = FF_JSON_IS_UUID}
#define FF_JSON_ARRAY(most, each) {.type = FF_JSON_IS_ARRAY, .max = (most), .element = (each)}
#define FF_JSON_OBJECT(table)	{.type = FF_JSON_IS_OBJECT, .fields = (table), .nfields = lengthof(table)}
#define FF_JSON_TAGGED(table) \
	{.type = FF_JSON_IS_TAGGED, .fields = (table), .nfields = lengthof(table)}
#define FF_JSON_TAGGED_OR_WORD(table, list) \
	{.type = FF_JSON_IS_TAGGED, .fields = (table), .nfields = lengthof(table), \
	 .words = (list), .nwords = lengthof(list)}
#define FF_JSON_VARIANT(field, table) \
	{.type = FF_JSON_IS_VARIANT, .tag = (field), .fields = (table), .nfields = lengthof(table)}

/* The element of an array or map, written in place; &some_shape does as well. */
#define FF_JSON_EACH(...)		(&(const FfJsonShape) __VA_ARGS__)

#define FF_JSON_REQUIRED(key, ...) {.name = (key), .required = true, .shape = __VA_ARGS__}
#define FF_JSON_OPTIONAL(key, ...) {.name = (key), .required = false, .shape = __VA_ARGS__}

/* Array or map of any length. */
#define FF_JSON_UNBOUNDED PG_INT64_MAX

/*
 * Compare a document with its shape. Raises the kind given, for the first key
 * that is unknown, missing or of a wrong type or value. The message begins with
 * the key's full path from root, such as "policy.retry_policy.max_retries", and
 * so does DETAIL: "<rule>: <path>", or the path alone where rule is NULL. A JSON
 * null of an optional field counts as absent. Does not recurse: any depth of
 * nesting is checked.
 */
extern void ff_json_check(Jsonb *document, const FfJsonShape *shape, const char *root,
						  FfErrorKind kind, const char *rule);

/* The object or array at the top; NULL for a NULL document. */
static inline JsonbContainer *
ff_json_root(Jsonb *document)
{
	return document ? &document->root : NULL;
}

/*
 * Reading a checked document. A path names keys separated by dots, such as
 * "retry_policy.max_retries"; an absent key, a JSON null, or in == NULL is as if
 * absent. Strings, uuids and documents returned are copies. A value whose type
 * is not the one asked for, impossible after the check, reads as absent.
 */
extern bool ff_json_find(JsonbContainer *in, const char *path, JsonbValue *value);
extern FfInt8 ff_json_maybe_int8(JsonbContainer *in, const char *path);
extern int64 ff_json_int8_or(JsonbContainer *in, const char *path, int64 otherwise);
extern double ff_json_float8_or(JsonbContainer *in, const char *path, double otherwise);
extern bool ff_json_bool_or(JsonbContainer *in, const char *path, bool otherwise);
extern char *ff_json_string_or_null(JsonbContainer *in, const char *path);
extern pg_uuid_t *ff_json_uuid_or_null(JsonbContainer *in, const char *path);

/* A nested object or array, for further reading. */
extern JsonbContainer *ff_json_container_or_null(JsonbContainer *in, const char *path);

/* Arrays of strings and of uuid strings as SQL arrays; NULL if absent. */
extern ArrayType *ff_json_text_array_or_null(JsonbContainer *in, const char *path);
extern ArrayType *ff_json_uuid_array_or_null(JsonbContainer *in, const char *path);

/*
 * Walking an array or object, one level:
 *
 *	FfJsonEach	each = ff_json_each(container);
 *	while (ff_json_next(&each))
 *		... each.index, each.key (NULL in an array), each.value ...
 *
 * A nested value is a jbvBinary: ff_json_value_container() gives it. A walk of
 * NULL is empty.
 */
typedef struct FfJsonEach
{
	JsonbIterator *iterator;
	int			index;			/* from 0 */
	char	   *key;			/* a copy */
	JsonbValue	value;
} FfJsonEach;

extern FfJsonEach ff_json_each(JsonbContainer *in);
extern bool ff_json_next(FfJsonEach *each);

/* What a single value holds; false, or NULL, where it is of another type or out of range. */
extern bool ff_json_value_int8(const JsonbValue *value, int64 *result);
extern bool ff_json_value_float8(const JsonbValue *value, double *result);
extern bool ff_json_value_uuid(const JsonbValue *value, pg_uuid_t *result);
extern char *ff_json_value_string(const JsonbValue *value); /* a copy */
extern JsonbContainer *ff_json_value_container(const JsonbValue *value);

#endif							/* FF_JSONBARG_H */
