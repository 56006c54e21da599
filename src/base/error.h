/*
 * error.h - the error catalogue: every refusal of the engine has a kind, and
 * every kind has one SQLSTATE.
 */
#ifndef FF_ERROR_H
#define FF_ERROR_H

#include "base/compat.h"

#include "base/error_catalogue.h"

typedef enum FfErrorKind
{
#define FF_KIND(id, sqlstate, name, meaning) FF_##id,
	FF_ERROR_CATALOGUE(FF_KIND)
#undef FF_KIND
	FF_ERROR_KINDS
} FfErrorKind;

/* What the view ff_error_code shows of a kind. */
typedef struct FfErrorDescription
{
	const char *sqlstate;
	const char *class;
	const char *kind;
	bool		retryable;
	const char *meaning;
} FfErrorDescription;

extern void ff_error_describe(FfErrorKind kind, FfErrorDescription *description);

/* The SQLSTATE of a kind, packed as errcode() takes it. */
extern int	ff_error_sqlstate(FfErrorKind kind);

/* True when an SQLSTATE, packed as in ErrorData, is one of the engine's own. */
extern bool ff_error_is_own(int sqlstate);

/*
 * Raise a kind: ff_raise(FF_NOT_FOUND, errmsg("execution %s does not exist", id)).
 * The message names the ids concerned; errdetail() and errhint() may follow.
 * Never returns. Neither tokens, secrets nor payloads may go in.
 */
#define ff_raise(kind, ...) \
	ereport(ERROR, (errcode(ff_error_sqlstate(kind)), __VA_ARGS__))

/*
 * Raise a kind whose DETAIL begins with a rule name of the specification:
 * ff_raise_rule(FF_INVALID_INPUT, "text_length", "signal_name is too long",
 *               "%d bytes, at most 256", n).
 */
extern void ff_raise_rule(FfErrorKind kind, const char *rule, const char *message,
						  const char *detail_format,...)
			FF_NORETURN FF_PRINTF_LIKE(4, 5);

/* Raise invalid_input/null_argument for a required argument that is NULL. */
extern void ff_raise_null(const char *argument) FF_NORETURN;

/*
 * Naming the element of an array that an error is about: while a place is in
 * force, the message of an error of the engine's own begins with its path,
 * "executions[3]: ...", unless it does so by itself. Set index as the work goes
 * on; an error ends the place as it ends all else.
 */
typedef struct FfErrorPlace
{
	const char *array;			/* the argument's name */
	int			index;			/* from 0; negative: no element */
	MemoryContext context;
	ErrorContextCallback callback;
} FfErrorPlace;

extern void ff_error_place_begin(FfErrorPlace *place, const char *array);
extern void ff_error_place_end(FfErrorPlace *place);

#endif							/* FF_ERROR_H */
