/*
 * jsonobject.c - building a jsonb object key by key.
 */
#include "base/jsonobject.h"

#include "utils/builtins.h"
#include "utils/numeric.h"

FfJsonObject *
ff_json_begin(void)
{
	FfJsonObject *object = palloc0(sizeof(FfJsonObject));

	pushJsonbValue(&object->state, WJB_BEGIN_OBJECT, NULL);
	return object;
}

static void
push(FfJsonObject *object, const char *key, JsonbValue *value)
{
	JsonbValue	k;

	k.type = jbvString;
	k.val.string.val = pstrdup(key);
	k.val.string.len = strlen(key);
	pushJsonbValue(&object->state, WJB_KEY, &k);
	pushJsonbValue(&object->state, WJB_VALUE, value);
}

void
ff_json_text(FfJsonObject *object, const char *key, const char *value)
{
	JsonbValue	v;

	v.type = jbvNull;
	if (value)
	{
		v.type = jbvString;
		v.val.string.val = pstrdup(value);
		v.val.string.len = strlen(value);
	}
	push(object, key, &v);
}

void
ff_json_bool(FfJsonObject *object, const char *key, bool value)
{
	JsonbValue	v;

	v.type = jbvBool;
	v.val.boolean = value;
	push(object, key, &v);
}

void
ff_json_int8(FfJsonObject *object, const char *key, int64 value)
{
	JsonbValue	v;

	v.type = jbvNumeric;
	v.val.numeric = int64_to_numeric(value);
	push(object, key, &v);
}

void
ff_json_jsonb(FfJsonObject *object, const char *key, Jsonb *value)
{
	JsonbValue	v;

	JsonbToJsonbValue(value, &v);
	push(object, key, &v);
}

Jsonb *
ff_json_end(FfJsonObject *object)
{
	return JsonbValueToJsonb(pushJsonbValue(&object->state, WJB_END_OBJECT, NULL));
}

NullableDatum
ff_json_patch(FfJsonObject *object)
{
	return ff_pointer(object ? ff_json_end(object) : NULL);
}

static bool
find(Jsonb *object, const char *key, JsonbValue *found)
{
	if (object == NULL || !JB_ROOT_IS_OBJECT(object))
		return false;
	return getKeyJsonValueFromContainer(&object->root, key, strlen(key), found) != NULL;
}

char *
ff_json_get_text(Jsonb *object, const char *key)
{
	JsonbValue	v;

	if (!find(object, key, &v))
		return NULL;
	switch (v.type)
	{
		case jbvString:
			return pnstrdup(v.val.string.val, v.val.string.len);
		case jbvNumeric:
			return DatumGetCString(DirectFunctionCall1(numeric_out,
													   NumericGetDatum(v.val.numeric)));
		case jbvBool:
			return pstrdup(v.val.boolean ? "true" : "false");
		default:
			return NULL;
	}
}

Jsonb *
ff_json_get_object(Jsonb *object, const char *key)
{
	JsonbValue	v;

	if (!find(object, key, &v) || v.type != jbvBinary ||
		!JsonContainerIsObject(v.val.binary.data))
		return NULL;
	return JsonbValueToJsonb(&v);
}
