/*
 * page.c - arguments of the list functions that are written in SQL, which
 * could not refuse one themselves. For the extension's owner alone.
 */
#include "base/compat.h"

#include "catalog/pg_type.h"
#include "utils/array.h"

#include "base/argument.h"
#include "base/error.h"

/* All parts of a cursor are given, or none. */
static void
check_cursor(ArrayType *parts)
{
	Datum	   *given;
	bool	   *nulls;
	int			n;
	int			ngiven = 0;

	deconstruct_array(parts, BOOLOID, 1, true, TYPALIGN_CHAR, &given, &nulls, &n);
	for (int i = 0; i < n; i++)
		ngiven += !nulls[i] && DatumGetBool(given[i]);
	if (ngiven != 0 && ngiven != n)
		ff_raise_rule(FF_INVALID_INPUT, "cursor", "the cursor is incomplete",
					  "%d of its %d parts are given, all or none are needed", ngiven, n);
}

PG_FUNCTION_INFO_V1(ff_page);

Datum
ff_page(PG_FUNCTION_ARGS)
{
	int32		max_rows;

	if (PG_ARGISNULL(0))
		ff_raise_null("max_rows");
	max_rows = PG_GETARG_INT32(0);
	ff_check_not_negative(max_rows, "max_rows");
	check_cursor(PG_GETARG_ARRAYTYPE_P(2));
	PG_RETURN_INT32(Min(max_rows, PG_GETARG_INT32(1)));
}

PG_FUNCTION_INFO_V1(ff_in_range);

Datum
ff_in_range(PG_FUNCTION_ARGS)
{
	char	   *name = ff_arg_text(fcinfo, 1, "name");
	int64		value = ff_arg_int8(fcinfo, 0, name);

	ff_check_range(value, name, ff_arg_int8(fcinfo, 2, "low"), ff_arg_int8(fcinfo, 3, "high"));
	PG_RETURN_INT64(value);
}
