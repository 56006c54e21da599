/*
 * rowset.c - the rows of a statement as the rows of a function's result.
 */
#include "base/rowset.h"

#include "base/clock.h"

void
ff_rowset_add(FfCall *call, const FfRows *rows, uint64 instants)
{
	int			ncolumns = rows->count > 0 ? rows->table->tupdesc->natts : 0;
	NullableDatum *values = palloc((ncolumns + 1) * sizeof(NullableDatum));

	for (uint64 i = 0; i < rows->count; i++)
	{
		FfRow		row = ff_rows_get(rows, i);

		for (int column = 1; column <= ncolumns; column++)
			values[column - 1] = instants & FF_COLUMN(column)
				? ff_maybe_instant(ff_row_maybe_int8(&row, column))
				: ff_row_value(&row, column);
		ff_result_add_values(call->result, values, ncolumns);
		pfree(row.values);
		pfree(row.nulls);
	}
}
