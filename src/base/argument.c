/*
 * argument.c - reading the arguments of a SQL-callable function.
 */
#include "base/argument.h"

#include "mb/pg_wchar.h"
#include "utils/numeric.h"

#include "base/clock.h"
#include "base/error.h"

#define MAX_JSONB_TEXT (256 * 1024)

static void
require(FunctionCallInfo fcinfo, int n, const char *name)
{
	if (PG_ARGISNULL(n))
		ff_raise_null(name);
}

char *
ff_arg_text(FunctionCallInfo fcinfo, int n, const char *name)
{
	require(fcinfo, n, name);
	return text_to_cstring(PG_GETARG_TEXT_PP(n));
}

char *
ff_arg_text_or(FunctionCallInfo fcinfo, int n, char *otherwise)
{
	return PG_ARGISNULL(n) ? otherwise : text_to_cstring(PG_GETARG_TEXT_PP(n));
}

const pg_uuid_t *
ff_arg_uuid(FunctionCallInfo fcinfo, int n, const char *name)
{
	require(fcinfo, n, name);
	return PG_GETARG_UUID_P(n);
}

const pg_uuid_t *
ff_arg_uuid_or_null(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : PG_GETARG_UUID_P(n);
}

bytea *
ff_arg_bytea(FunctionCallInfo fcinfo, int n, const char *name)
{
	require(fcinfo, n, name);
	return PG_GETARG_BYTEA_P(n);
}

bytea *
ff_arg_bytea_or_null(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : PG_GETARG_BYTEA_P(n);
}

Jsonb *
ff_arg_jsonb_or_null(FunctionCallInfo fcinfo, int n, const char *name)
{
	Jsonb	   *value;
	JsonbValue	scalar;

	if (PG_ARGISNULL(n))
		return NULL;
	value = PG_GETARG_JSONB_P(n);
	if (JsonbExtractScalar(&value->root, &scalar) && scalar.type == jbvNull)
		return NULL;

	ff_check_jsonb_length(value, name);
	return value;
}

Jsonb *
ff_arg_document_or_null(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : PG_GETARG_JSONB_P(n);
}

Jsonb *
ff_arg_jsonb(FunctionCallInfo fcinfo, int n, const char *name)
{
	Jsonb	   *value = ff_arg_jsonb_or_null(fcinfo, n, name);

	if (value == NULL)
		ff_raise_null(name);
	return value;
}

int64
ff_arg_int8(FunctionCallInfo fcinfo, int n, const char *name)
{
	require(fcinfo, n, name);
	return PG_GETARG_INT64(n);
}

int32
ff_arg_int4_or(FunctionCallInfo fcinfo, int n, int32 otherwise)
{
	return PG_ARGISNULL(n) ? otherwise : PG_GETARG_INT32(n);
}

int64
ff_arg_int8_or(FunctionCallInfo fcinfo, int n, int64 otherwise)
{
	return PG_ARGISNULL(n) ? otherwise : PG_GETARG_INT64(n);
}

FfInt8
ff_arg_maybe_int4(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? ff_none() : ff_some(PG_GETARG_INT32(n));
}

FfInt8
ff_arg_maybe_int8(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? ff_none() : ff_some(PG_GETARG_INT64(n));
}

bool
ff_arg_bool_or(FunctionCallInfo fcinfo, int n, bool otherwise)
{
	return PG_ARGISNULL(n) ? otherwise : PG_GETARG_BOOL(n);
}

FfInt8
ff_arg_maybe_instant(FunctionCallInfo fcinfo, int n, const char *name)
{
	return PG_ARGISNULL(n) ? ff_none()
		: ff_some(ff_instant_to_ms(PG_GETARG_TIMESTAMPTZ(n), name));
}

void
ff_check_length(const char *value, const char *name, int min, int max)
{
	size_t		length = strlen(value);

	if (length < (size_t) min || length > (size_t) max)
		ff_raise_rule(FF_INVALID_INPUT, "text_length",
					  psprintf(length < (size_t) min ? "%s is too short" : "%s is too long", name),
					  "%zu bytes, allowed are %d to %d", length, min, max);
}

void
ff_check_label(const char *value, const char *name, int min, int max)
{
	ff_check_length(value, name, min, max);
	for (const char *c = value; *c; c++)
		if ((unsigned char) *c < 0x20 || *c == 0x7F)
			ff_raise_rule(FF_INVALID_INPUT, "control_character",
						  psprintf("%s holds a control character", name),
						  "byte 0x%02X at offset %d", (unsigned char) *c, (int) (c - value));
}

void
ff_check_word(const char *value, const char *name, int min, int max)
{
	ff_check_label(value, name, min, max);
	for (const char *c = value; *c; c++)
		if (*c == ' ')
			ff_raise_rule(FF_INVALID_INPUT, "white_space",
						  psprintf("%s holds white space", name),
						  "byte 0x20 at offset %d", (int) (c - value));
}

void
ff_check_range(int64 value, const char *name, int64 min, int64 max)
{
	if (value < min || value > max)
		ff_raise_rule(FF_INVALID_INPUT, "out_of_range", psprintf("%s is out of range", name),
					  INT64_FORMAT ", allowed are " INT64_FORMAT " to " INT64_FORMAT,
					  value, min, max);
}

void
ff_check_not_negative(int64 value, const char *name)
{
	if (value < 0)
		ff_raise_rule(FF_INVALID_INPUT, "negative", psprintf("%s is negative", name),
					  INT64_FORMAT, value);
}

/*
 * Bytes of the numbers of a value as text, counted until they are too many. In
 * binary form 1e100000 takes a ten-thousandth of that.
 */
static int
numbers_length(Jsonb *value)
{
	JsonbIterator *it = JsonbIteratorInit(&value->root);
	JsonbIteratorToken token;
	JsonbValue	v;
	int			length = 0;

	while (length <= MAX_JSONB_TEXT && (token = JsonbIteratorNext(&it, &v, false)) != WJB_DONE)
		if ((token == WJB_ELEM || token == WJB_VALUE) && v.type == jbvNumeric)
		{
			char	   *text = DatumGetCString(DirectFunctionCall1(numeric_out,
																   NumericGetDatum(v.val.numeric)));

			length += strlen(text);
			pfree(text);
		}
	return length;
}

void
ff_check_jsonb_length(Jsonb *value, const char *name)
{
	int			length = numbers_length(value);

	if (length > MAX_JSONB_TEXT)
		ff_raise_rule(FF_INVALID_INPUT, "text_length", psprintf("%s is too long", name),
					  "its numbers alone are more than %d bytes as text", MAX_JSONB_TEXT);

	/* without them the text is at most some times the size of the binary form: print it only in doubt */
	if (length + VARSIZE(value) <= MAX_JSONB_TEXT / 16)
		return;
	length = strlen(JsonbToCString(NULL, &value->root, VARSIZE(value)));
	if (length > MAX_JSONB_TEXT)
		ff_raise_rule(FF_INVALID_INPUT, "text_length", psprintf("%s is too long", name),
					  "%d bytes as text, at most %d", length, MAX_JSONB_TEXT);
}

void
ff_check_payload(const bytea *value, const char *name, int max)
{
	if (value && VARSIZE_ANY_EXHDR(value) > (size_t) max)
		ff_raise(FF_PAYLOAD_TOO_LARGE, errmsg("%s is too large", name),
				 errdetail("%zu bytes, at most %d", (size_t) VARSIZE_ANY_EXHDR(value), max));
}

int
ff_check_one_of(const char *value, const char *name, const char *const *words, int nwords)
{
	StringInfoData list;

	for (int i = 0; i < nwords; i++)
		if (strcmp(words[i], value) == 0)
			return i;

	initStringInfo(&list);
	for (int i = 0; i < nwords; i++)
		appendStringInfo(&list, "%s%s", i ? ", " : "", words[i]);
	ff_raise_rule(FF_INVALID_INPUT, "unknown_value",
				  psprintf("\"%s\" is not a %s", pnstrdup(value, pg_mbcliplen(value, strlen(value), 64)), name),
				  "known are %s", list.data);
}
