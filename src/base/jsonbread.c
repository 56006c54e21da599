/*
 * jsonbread.c - reading the values of a jsonb document that was checked.
 */
#include "base/jsonbarg.h"

#include <float.h>
#include <math.h>

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "base/id.h"

static int
compare(Numeric a, Numeric b)
{
	return DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(a), NumericGetDatum(b)));
}

/* Compared before it is converted: 1e100000 has no int64, and is slow to print. */
static bool
is_between(Numeric value, Numeric low, Numeric high)
{
	return compare(value, low) >= 0 && compare(value, high) <= 0;
}

bool
ff_json_value_int8(const JsonbValue *value, int64 *result)
{
	Numeric		numeric;

	if (value->type != jbvNumeric)
		return false;
	numeric = value->val.numeric;
	if (!is_between(numeric, int64_to_numeric(PG_INT64_MIN), int64_to_numeric(PG_INT64_MAX)))
		return false;
	/* rounding could carry the largest fractions over the edge: cut off, then compare */
	numeric = DatumGetNumeric(DirectFunctionCall2(numeric_trunc, NumericGetDatum(numeric),
												  Int32GetDatum(0)));
	if (compare(numeric, value->val.numeric) != 0)
		return false;
	*result = DatumGetInt64(DirectFunctionCall1(numeric_int8, NumericGetDatum(numeric)));
	return true;
}

static Numeric
float8_as_numeric(double value)
{
	return DatumGetNumeric(DirectFunctionCall1(float8_numeric, Float8GetDatum(value)));
}

bool
ff_json_value_float8(const JsonbValue *value, double *result)
{
	Numeric		numeric;

	if (value->type != jbvNumeric)
		return false;
	numeric = value->val.numeric;
	if (!is_between(numeric, float8_as_numeric(-DBL_MAX), float8_as_numeric(DBL_MAX)))
		return false;
	*result = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow,
												 NumericGetDatum(numeric)));
	return isfinite(*result);
}

bool
ff_json_value_uuid(const JsonbValue *value, pg_uuid_t *result)
{
	return value->type == jbvString &&
		ff_uuid_read(value->val.string.val, value->val.string.len, result);
}

char *
ff_json_value_string(const JsonbValue *value)
{
	return value->type == jbvString
		? pnstrdup(value->val.string.val, value->val.string.len) : NULL;
}

JsonbContainer *
ff_json_value_container(const JsonbValue *value)
{
	return value->type == jbvBinary ? value->val.binary.data : NULL;
}

bool
ff_json_find(JsonbContainer *in, const char *path, JsonbValue *value)
{
	for (;;)
	{
		size_t		length = strcspn(path, ".");

		if (in == NULL || !JsonContainerIsObject(in) ||
			getKeyJsonValueFromContainer(in, path, length, value) == NULL ||
			value->type == jbvNull)
			return false;
		if (path[length] == '\0')
			return true;
		in = ff_json_value_container(value);
		path += length + 1;
	}
}

FfInt8
ff_json_maybe_int8(JsonbContainer *in, const char *path)
{
	JsonbValue	value;
	int64		result;

	return ff_json_find(in, path, &value) && ff_json_value_int8(&value, &result)
		? ff_some(result) : ff_none();
}

int64
ff_json_int8_or(JsonbContainer *in, const char *path, int64 otherwise)
{
	FfInt8		found = ff_json_maybe_int8(in, path);

	return found.isset ? found.value : otherwise;
}

double
ff_json_float8_or(JsonbContainer *in, const char *path, double otherwise)
{
	JsonbValue	value;
	double		result;

	return ff_json_find(in, path, &value) && ff_json_value_float8(&value, &result)
		? result : otherwise;
}

bool
ff_json_bool_or(JsonbContainer *in, const char *path, bool otherwise)
{
	JsonbValue	value;

	return ff_json_find(in, path, &value) && value.type == jbvBool
		? value.val.boolean : otherwise;
}

char *
ff_json_string_or_null(JsonbContainer *in, const char *path)
{
	JsonbValue	value;

	return ff_json_find(in, path, &value) ? ff_json_value_string(&value) : NULL;
}

pg_uuid_t *
ff_json_uuid_or_null(JsonbContainer *in, const char *path)
{
	JsonbValue	value;
	pg_uuid_t  *result = palloc(sizeof(pg_uuid_t));

	return ff_json_find(in, path, &value) && ff_json_value_uuid(&value, result) ? result : NULL;
}

JsonbContainer *
ff_json_container_or_null(JsonbContainer *in, const char *path)
{
	JsonbValue	value;

	return ff_json_find(in, path, &value) ? ff_json_value_container(&value) : NULL;
}

FfJsonEach
ff_json_each(JsonbContainer *in)
{
	FfJsonEach	each = {.iterator = NULL,.index = -1};
	JsonbValue	ignored;

	if (in)
	{
		each.iterator = JsonbIteratorInit(in);
		(void) JsonbIteratorNext(&each.iterator, &ignored, true);
	}
	return each;
}

bool
ff_json_next(FfJsonEach *each)
{
	if (each->iterator == NULL)
		return false;
	switch (JsonbIteratorNext(&each->iterator, &each->value, true))
	{
		case WJB_ELEM:
			each->index++;
			return true;
		case WJB_KEY:
			each->index++;
			each->key = ff_json_value_string(&each->value);
			(void) JsonbIteratorNext(&each->iterator, &each->value, true);
			return true;
		default:
			each->iterator = NULL;
			return false;
	}
}

/* The strings of an array as datums; uuids where asked for. */
static Datum *
array_datums(JsonbContainer *array, bool uuids, int *count)
{
	Datum	   *datums = palloc((JsonContainerSize(array) + 1) * sizeof(Datum));
	FfJsonEach	each = ff_json_each(array);

	*count = 0;
	while (ff_json_next(&each))
	{
		pg_uuid_t  *uuid = palloc(sizeof(pg_uuid_t));

		if (!uuids && each.value.type == jbvString)
			datums[(*count)++] = PointerGetDatum(cstring_to_text_with_len(each.value.val.string.val,
																		  each.value.val.string.len));
		else if (uuids && ff_json_value_uuid(&each.value, uuid))
			datums[(*count)++] = UUIDPGetDatum(uuid);
	}
	return datums;
}

ArrayType *
ff_json_text_array_or_null(JsonbContainer *in, const char *path)
{
	JsonbContainer *array = ff_json_container_or_null(in, path);
	Datum	   *datums;
	int			count;

	if (array == NULL || !JsonContainerIsArray(array))
		return NULL;
	datums = array_datums(array, false, &count);
	return construct_array(datums, count, TEXTOID, -1, false, TYPALIGN_INT);
}

ArrayType *
ff_json_uuid_array_or_null(JsonbContainer *in, const char *path)
{
	JsonbContainer *array = ff_json_container_or_null(in, path);
	Datum	   *datums;
	int			count;

	if (array == NULL || !JsonContainerIsArray(array))
		return NULL;
	datums = array_datums(array, true, &count);
	return construct_array(datums, count, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR);
}
