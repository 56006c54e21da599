/*
 * jsonbarg.c - reading a jsonb argument against a declared shape.
 */
#include "base/jsonbarg.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"

/* What a message shows of one key, in bytes, and of a path, in steps at either end. */
#define SHOWN_KEY 64
#define SHOWN_STEPS 32

/*
 * A container being walked. Containers are kept on a list instead of the C
 * stack, so that no nesting is too deep to be refused for the right reason.
 */
typedef struct Frame
{
	struct Frame *parent;
	int			depth;
	const FfJsonShape *shape;	/* ARRAY, OBJECT or TAGGED */
	const char *tag;			/* the key that selected this shape of a VARIANT */
	JsonbIterator *iterator;
	uint64		seen;			/* fields of an OBJECT that are there */
	/* the step to the value looked at */
	bool		at_step;
	const char *key;			/* NULL in an array */
	int			key_length;
	int			index;
} Frame;

typedef struct Check
{
	const char *root;
	FfErrorKind kind;
	const char *rule;
	Frame	   *top;
} Check;

static void
append_clipped(StringInfo out, const char *text, int length)
{
	int			shown = pg_mbcliplen(text, length, SHOWN_KEY);

	appendBinaryStringInfo(out, text, shown);
	if (shown < length)
		appendStringInfoString(out, "...");
}

/* Where the check stands, from the root. */
static char *
current_path(const Check *check)
{
	int			nframes = check->top ? check->top->depth + 1 : 0;
	const Frame **frames = palloc((nframes + 1) * sizeof(Frame *));
	StringInfoData path;

	for (const Frame *f = check->top; f; f = f->parent)
		frames[f->depth] = f;

	initStringInfo(&path);
	appendStringInfoString(&path, check->root);
	for (int i = 0; i < nframes; i++)
	{
		if (i == SHOWN_STEPS && nframes > 2 * SHOWN_STEPS)
		{
			appendStringInfoString(&path, "[...]");
			i = nframes - SHOWN_STEPS;
		}
		if (!frames[i]->at_step)
			continue;
		if (frames[i]->key == NULL)
			appendStringInfo(&path, "[%d]", frames[i]->index);
		else
		{
			appendStringInfoChar(&path, '.');
			append_clipped(&path, frames[i]->key, frames[i]->key_length);
		}
	}
	return path.data;
}

/* Raise: the message is the path and what is wrong there. */
static void
fail(const Check *check, const char *what)
{
	char	   *path = current_path(check);
	char	   *message = psprintf("%s %s", path, what);

	if (check->rule)
		ff_raise_rule(check->kind, check->rule, message, "%s", path);
	ff_raise(check->kind, errmsg("%s", message), errdetail("%s", path));
}

static const char *
type_name(const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvNull:
			return "null";
		case jbvBool:
			return "a boolean";
		case jbvNumeric:
			return "a number";
		case jbvString:
			return "a string";
		case jbvBinary:
			return JsonContainerIsArray(value->val.binary.data) ? "an array" : "an object";
		default:
			return "a value";
	}
}

/* The words of a shape, or the names of its fields: forms that a TAGGED or a VARIANT may have. */
static void
append_choices(StringInfo out, const FfJsonShape *shape)
{
	const char *separator = "";

	appendStringInfoString(out, "one of ");
	for (int i = 0; i < shape->nfields; i++, separator = ", ")
		appendStringInfo(out, shape->type == FF_JSON_IS_TAGGED ? "%s{\"%s\": ...}" : "%s\"%s\"",
						 separator, shape->fields[i].name);
	for (int i = 0; i < shape->nwords; i++, separator = ", ")
		appendStringInfo(out, "%s\"%s\"", separator, shape->words[i]);
}

static void
append_expectation(StringInfo out, const FfJsonShape *shape)
{
	switch (shape->type)
	{
		case FF_JSON_IS_ANY:
			appendStringInfoString(out, "any value");
			break;
		case FF_JSON_IS_BOOLEAN:
			appendStringInfoString(out, "a boolean");
			break;
		case FF_JSON_IS_INTEGER:
			appendStringInfo(out, "an integer from " INT64_FORMAT " to " INT64_FORMAT,
							 shape->min, shape->max);
			break;
		case FF_JSON_IS_NUMBER:
			appendStringInfo(out, "a number from %g to %g", shape->low, shape->high);
			break;
		case FF_JSON_IS_STRING:
			appendStringInfoString(out, "a string");
			if (shape->max != PG_INT64_MAX)
				appendStringInfo(out, " of " INT64_FORMAT " to " INT64_FORMAT " bytes",
								 shape->min, shape->max);
			break;
		case FF_JSON_IS_WORD:
		case FF_JSON_IS_TAGGED:
			append_choices(out, shape);
			break;
		case FF_JSON_IS_UUID:
			appendStringInfoString(out, "a uuid");
			break;
		case FF_JSON_IS_ARRAY:
			appendStringInfoString(out, "an array");
			break;
		case FF_JSON_IS_OBJECT:
		case FF_JSON_IS_VARIANT:
			appendStringInfoString(out, "an object");
			break;
	}
}

/* What was found where a word was expected. Other strings are not shown: they may be payload. */
static void
append_found(StringInfo out, const JsonbValue *value)
{
	if (value->type != jbvString)
	{
		appendStringInfo(out, ", not %s", type_name(value));
		return;
	}
	appendStringInfoString(out, ", not \"");
	append_clipped(out, value->val.string.val, value->val.string.len);
	appendStringInfoChar(out, '"');
}

/* Raise: the value is not what its shape expects. */
static void
fail_value(const Check *check, const FfJsonShape *shape, const JsonbValue *value)
{
	bool		right_type = (value->type == jbvNumeric &&
							  (shape->type == FF_JSON_IS_INTEGER || shape->type == FF_JSON_IS_NUMBER)) ||
		(value->type == jbvBinary && shape->type == FF_JSON_IS_TAGGED &&
		 !JsonContainerIsArray(value->val.binary.data));
	StringInfoData what;

	initStringInfo(&what);
	appendStringInfoString(&what, "must be ");
	append_expectation(&what, shape);
	if (right_type)
		;						/* it is out of range, or of no known form */
	else if (shape->type == FF_JSON_IS_WORD || shape->type == FF_JSON_IS_TAGGED)
		append_found(&what, value);
	else if (strstr(what.data, type_name(value)) == NULL)
		appendStringInfo(&what, ", not %s", type_name(value));
	fail(check, what.data);
}

static bool
is_word(const FfJsonShape *shape, const JsonbValue *value)
{
	for (int i = 0; i < shape->nwords; i++)
		if (strlen(shape->words[i]) == (size_t) value->val.string.len &&
			memcmp(shape->words[i], value->val.string.val, value->val.string.len) == 0)
			return true;
	return false;
}

/* Whether a scalar is what its shape expects; containers never are. */
static bool
scalar_fits(const FfJsonShape *shape, const JsonbValue *value)
{
	int64		integer;
	double		number;
	pg_uuid_t	uuid;

	switch (shape->type)
	{
		case FF_JSON_IS_ANY:
			return true;
		case FF_JSON_IS_BOOLEAN:
			return value->type == jbvBool;
		case FF_JSON_IS_INTEGER:
			return ff_json_value_int8(value, &integer) &&
				integer >= shape->min && integer <= shape->max;
		case FF_JSON_IS_NUMBER:
			return ff_json_value_float8(value, &number) &&
				number >= shape->low && number <= shape->high;
		case FF_JSON_IS_STRING:
			return value->type == jbvString &&
				value->val.string.len >= shape->min && value->val.string.len <= shape->max;
		case FF_JSON_IS_UUID:
			return ff_json_value_uuid(value, &uuid);
		case FF_JSON_IS_WORD:
		case FF_JSON_IS_TAGGED:
			return value->type == jbvString && is_word(shape, value);
		default:
			return false;
	}
}

/* The number of the field with this name, -1 if there is none. */
static int
find_field(const FfJsonShape *shape, const char *name, int length)
{
	for (int i = 0; i < shape->nfields; i++)
		if (strlen(shape->fields[i].name) == (size_t) length &&
			memcmp(shape->fields[i].name, name, length) == 0)
			return i;
	return -1;
}

static void
set_step(Frame *frame, const char *key, int key_length)
{
	frame->at_step = true;
	frame->key = key;
	frame->key_length = key_length;
}

static void
push_frame(Check *check, const FfJsonShape *shape, const char *tag, JsonbContainer *container)
{
	Frame	   *frame = palloc0(sizeof(Frame));
	JsonbValue	ignored;

	Assert(shape->nfields <= 64);
	frame->parent = check->top;
	frame->depth = check->top ? check->top->depth + 1 : 0;
	frame->shape = shape;
	frame->tag = tag;
	frame->iterator = JsonbIteratorInit(container);
	frame->index = -1;
	(void) JsonbIteratorNext(&frame->iterator, &ignored, true);
	check->top = frame;
}

/* Enter an object whose field `tag` says which fields it has. */
static void
push_variant(Check *check, const FfJsonShape *shape, JsonbContainer *container)
{
	JsonbValue	value;
	int			i = -1;
	StringInfoData what;

	push_frame(check, shape, shape->tag, container);
	set_step(check->top, shape->tag, strlen(shape->tag));
	if (getKeyJsonValueFromContainer(container, shape->tag, strlen(shape->tag), &value) == NULL)
		fail(check, "is missing");
	if (value.type == jbvString)
		i = find_field(shape, value.val.string.val, value.val.string.len);
	if (i < 0)
	{
		initStringInfo(&what);
		appendStringInfoString(&what, "must be ");
		append_choices(&what, shape);
		append_found(&what, &value);
		fail(check, what.data);
	}
	check->top->at_step = false;
	check->top->shape = &shape->fields[i].shape;
}

/* Check a value: a scalar at once, a container by putting it on the list. */
static void
check_value(Check *check, const FfJsonShape *shape, const JsonbValue *value)
{
	JsonbContainer *container;
	FfJsonType	type = shape->type;

	if (value->type != jbvBinary || type == FF_JSON_IS_ANY)
	{
		if (!scalar_fits(shape, value))
			fail_value(check, shape, value);
		return;
	}

	container = value->val.binary.data;
	if (JsonContainerIsArray(container) != (type == FF_JSON_IS_ARRAY))
		fail_value(check, shape, value);
	switch (type)
	{
		case FF_JSON_IS_ARRAY:
			if (JsonContainerSize(container) > shape->max)
				fail(check, psprintf("must have at most " INT64_FORMAT " elements", shape->max));
			push_frame(check, shape, NULL, container);
			break;
		case FF_JSON_IS_TAGGED:
			if (JsonContainerSize(container) != 1)
				fail_value(check, shape, value);
			push_frame(check, shape, NULL, container);
			break;
		case FF_JSON_IS_OBJECT:
			push_frame(check, shape, NULL, container);
			break;
		case FF_JSON_IS_VARIANT:
			push_variant(check, shape, container);
			break;
		default:
			fail_value(check, shape, value);
	}
}

/* Check the value of a key of an object with declared fields. */
static void
check_field(Check *check, const JsonbValue *value)
{
	Frame	   *frame = check->top;
	int			i;

	if (frame->tag && strlen(frame->tag) == (size_t) frame->key_length &&
		memcmp(frame->tag, frame->key, frame->key_length) == 0)
		return;

	i = find_field(frame->shape, frame->key, frame->key_length);
	if (i < 0 && frame->shape->type == FF_JSON_IS_TAGGED)
	{
		/* the value as a whole is of no known form: name it, not the key in it */
		frame->at_step = false;
		fail_value(check, frame->shape, &(JsonbValue) {
			.type = jbvBinary,.val.binary.data = frame->iterator->container
		});
	}
	if (i < 0)
		fail(check, "is not a known key");
	frame->seen |= UINT64CONST(1) << i;
	if (value->type == jbvNull && !frame->shape->fields[i].required)
		return;
	check_value(check, &frame->shape->fields[i].shape, value);
}

/* All of a container was seen: what of its fields is missing? Then leave it. */
static void
pop_frame(Check *check)
{
	Frame	   *frame = check->top;
	const FfJsonShape *shape = frame->shape;

	if (shape->type == FF_JSON_IS_OBJECT)
		for (int i = 0; i < shape->nfields; i++)
			if (shape->fields[i].required && !(frame->seen & (UINT64CONST(1) << i)))
			{
				set_step(frame, shape->fields[i].name, strlen(shape->fields[i].name));
				fail(check, "is missing");
			}
	check->top = frame->parent;
	pfree(frame);
}

/* Look at the next value of the innermost container. */
static void
check_next(Check *check)
{
	Frame	   *frame = check->top;
	JsonbValue	value;

	switch (JsonbIteratorNext(&frame->iterator, &value, true))
	{
		case WJB_ELEM:
			set_step(frame, NULL, 0);
			frame->index++;
			check_value(check, frame->shape->element, &value);
			break;
		case WJB_KEY:
			set_step(frame, value.val.string.val, value.val.string.len);
			(void) JsonbIteratorNext(&frame->iterator, &value, true);
			check_field(check, &value);
			break;
		default:
			pop_frame(check);
	}
}

void
ff_json_check(Jsonb *document, const FfJsonShape *shape, const char *root,
			  FfErrorKind kind, const char *rule)
{
	Check		check = {.root = root,.kind = kind,.rule = rule};
	JsonbValue	value;

	if (!JsonbExtractScalar(&document->root, &value))
	{
		value.type = jbvBinary;
		value.val.binary.data = &document->root;
		value.val.binary.len = VARSIZE(document) - VARHDRSZ;
	}
	check_value(&check, shape, &value);
	while (check.top)
	{
		CHECK_FOR_INTERRUPTS();
		check_next(&check);
	}
}
