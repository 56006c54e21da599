/*
 * error.c - raising the kinds of the error catalogue.
 */
#include "base/error.h"

#include "lib/stringinfo.h"

typedef struct FfErrorEntry
{
	const char *sqlstate;
	const char *kind;
	const char *meaning;
} FfErrorEntry;

static const FfErrorEntry catalogue[FF_ERROR_KINDS] = {
#define FF_KIND(id, sqlstate, name, meaning) {sqlstate, name, meaning},
	FF_ERROR_CATALOGUE(FF_KIND)
#undef FF_KIND
};

/* What the second character of a code says: the class, and whether to retry. */
static const struct
{
	char		letter;
	const char *class;
	bool		retryable;
}			classes[] = {
	{'N', "not_found", false},
	{'V', "validation", false},
	{'C', "contention", true},
	{'X', "conflict", false},
	{'S', "state", false},
	{'U', "unavailable", false},
	{'T', "timeout", true},
};

int
ff_error_sqlstate(FfErrorKind kind)
{
	const char *s = catalogue[kind].sqlstate;

	return MAKE_SQLSTATE(s[0], s[1], s[2], s[3], s[4]);
}

bool
ff_error_is_own(int sqlstate)
{
	const char *text = unpack_sql_state(sqlstate);

	for (int i = 0; i < FF_ERROR_KINDS; i++)
		if (strcmp(catalogue[i].sqlstate, text) == 0)
			return true;
	return false;
}

void
ff_raise_rule(FfErrorKind kind, const char *rule, const char *message,
			  const char *detail_format,...)
{
	StringInfoData detail;

	initStringInfo(&detail);
	for (;;)
	{
		va_list		args;
		int			needed;

		va_start(args, detail_format);
		needed = appendStringInfoVA(&detail, detail_format, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(&detail, needed);
	}
	ff_raise(kind, errmsg("%s", message), errdetail("%s: %s", rule, detail.data));
}

void
ff_raise_null(const char *argument)
{
	ff_raise(FF_INVALID_INPUT, errmsg("%s must not be null", argument),
			 errdetail("null_argument: %s", argument));
}

void
ff_error_describe(FfErrorKind kind, FfErrorDescription *description)
{
	const FfErrorEntry *entry = &catalogue[kind];

	description->sqlstate = entry->sqlstate;
	description->kind = entry->kind;
	description->meaning = entry->meaning;
	for (int c = 0; c < (int) lengthof(classes); c++)
		if (classes[c].letter == entry->sqlstate[1])
		{
			description->class = classes[c].class;
			description->retryable = classes[c].retryable;
		}
}

/* Runs while the error is put together: what it says of itself can still be changed. */
static void
name_place(void *arg)
{
	FfErrorPlace *place = arg;
	MemoryContext old;
	ErrorData  *error;
	char	   *path;

	if (place->index < 0 || !ff_error_is_own(geterrcode()))
		return;
	old = MemoryContextSwitchTo(place->context);
	error = CopyErrorData();
	path = psprintf("%s[%d]", place->array, place->index);
	if (strncmp(error->message, path, strlen(path)) != 0)
		errmsg_internal("%s: %s", path, error->message);
	MemoryContextSwitchTo(old);
}

void
ff_error_place_begin(FfErrorPlace *place, const char *array)
{
	place->array = array;
	place->index = -1;
	place->context = CurrentMemoryContext;
	place->callback.callback = name_place;
	place->callback.arg = place;
	place->callback.previous = error_context_stack;
	error_context_stack = &place->callback;
}

void
ff_error_place_end(FfErrorPlace *place)
{
	error_context_stack = place->callback.previous;
}
