/*
 * call.h - the frame around every SQL-callable function that runs statements.
 *
 *	FfCall	call;
 *	... read and check arguments ...
 *	ff_call_begin(&call, fcinfo);
 *	... lock, check, transition, events; ff_call_row(&call, ff_text("completed"), ...);
 *	return ff_call_end(&call);
 */
#ifndef FF_CALL_H
#define FF_CALL_H

#include "base/compat.h"

#include "base/result.h"

typedef struct FfCall
{
	FunctionCallInfo fcinfo;
	FfResult   *result;			/* NULL where the function returns no rows */
	int64		now_ms;			/* the operation's one reading of the clock */
} FfCall;

/*
 * Begin: note the extension's schema, read the clock, connect to SPI. Memory
 * allocated until ff_call_end goes away with it. An error in between needs no
 * clean-up: PostgreSQL disconnects SPI.
 */
extern void ff_call_begin(FfCall *call, FunctionCallInfo fcinfo);

/* The same for a function that returns a plain value or void. */
extern void ff_call_begin_scalar(FfCall *call, FunctionCallInfo fcinfo);

/* Add a result row. */
#define ff_call_row(call, ...) ff_result_add((call)->result, __VA_ARGS__)

/* End: disconnect; what the function returns. A scalar call returns SQL void. */
extern Datum ff_call_end(FfCall *call);

#endif							/* FF_CALL_H */
