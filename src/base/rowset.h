/*
 * rowset.h - the rows of a statement as the rows of a function's result.
 */
#ifndef FF_ROWSET_H
#define FF_ROWSET_H

#include "base/call.h"
#include "base/statement.h"

/* Run a statement on the caller's own snapshot, for functions declared STABLE. */
#define ff_statement_read(statement, ...) \
	ff_statement_execute(statement, FF_VALUES(__VA_ARGS__), FF_COUNT(__VA_ARGS__), true)

/* A bit for each column, counted from 1. */
#define FF_COLUMN(n) (UINT64CONST(1) << (n))

/*
 * Add all rows, column for column; those of the set `instants` hold
 * milliseconds and go out as timestamptz.
 */
extern void ff_rowset_add(FfCall *call, const FfRows *rows, uint64 instants);

#endif							/* FF_ROWSET_H */
