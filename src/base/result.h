/*
 * result.h - building the rows of a function that RETURNS TABLE or SETOF.
 *
 * One row goes back by itself, which spares a tuplestore; more go back in one.
 */
#ifndef FF_RESULT_H
#define FF_RESULT_H

#include "base/compat.h"

#include "base/value.h"

typedef struct FfResult FfResult;

/* Start in the memory context the rows shall live in: the caller's, before SPI. */
extern FfResult *ff_result_begin(FunctionCallInfo fcinfo);

/* Add a row; the values are copied. Their number must be that of the columns. */
#define ff_result_add(result, ...) \
	ff_result_add_values(result, (NullableDatum[]){__VA_ARGS__}, \
						 (int) lengthof(((NullableDatum[]){__VA_ARGS__})))
extern void ff_result_add_values(FfResult *result, const NullableDatum *values, int nvalues);

/* What the function returns to the executor. */
extern Datum ff_result_end(FfResult *result);

#endif							/* FF_RESULT_H */
