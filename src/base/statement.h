/*
 * statement.h - SQL statements as named static objects.
 *
 *	static FfStatement read_lane =
 *		FF_STATEMENT("read_lane", "text",
 *					 "SELECT state FROM @extschema@.ff_lane_registry WHERE lane_id = $1");
 *
 *	FfRow row;
 *	if (ff_statement_row(&read_lane, &row, ff_text(lane)))
 *		state = ff_row_enum(&row, 1, &ff_lane_states);
 *
 * The text is a constant; @extschema@ is replaced once by the quoted schema. A
 * statement is planned once per backend as a generic plan that is kept, without
 * sequential scans, bitmap scans, sorts (where there is another way) and JIT; it
 * follows ALTER TABLE by PostgreSQL's own invalidation and a re-created
 * extension by its generation. Statements run inside ff_call_begin/ff_call_end
 * (call.h), each with a snapshot of its own at READ COMMITTED.
 */
#ifndef FF_STATEMENT_H
#define FF_STATEMENT_H

#include "base/compat.h"

#include "executor/spi.h"

#include "base/enum.h"
#include "base/value.h"

typedef struct FfStatement
{
	const char *name;			/* named in the error context */
	const char *arguments;		/* parameter types, separated by a comma and a blank */
	const char *sql;
	const Oid  *types;			/* of the parameters, where their names are not known; nargs is set */
	/* filled at first use, good for one generation of the extension */
	uint64		generation;
	SPIPlanPtr	plan;
	int			nargs;
} FfStatement;

#define FF_STATEMENT(statement_name, argument_types, text) \
	{.name = (statement_name), .arguments = (argument_types), .sql = (text)}

/* Rows of a statement that returned some; they live until ff_call_end. */
typedef struct FfRows
{
	SPITupleTable *table;
	uint64		count;			/* rows returned, or touched where none are returned */
} FfRows;

typedef struct FfRow
{
	Datum	   *values;
	bool	   *nulls;
	ItemPointerData tid;		/* where a row found through table.h is; else invalid */
} FfRow;

/* Both take the arguments as NullableDatum values, see value.h. */
#define FF_VALUES(...) (NullableDatum[]){__VA_ARGS__}
#define FF_COUNT(...) ((int) lengthof(((NullableDatum[]){__VA_ARGS__})))

/* Run a statement; any number of rows. */
#define ff_statement_run(statement, ...) \
	ff_statement_execute(statement, FF_VALUES(__VA_ARGS__), FF_COUNT(__VA_ARGS__), false)

/* Run a statement that returns at most one row; true if it did. */
#define ff_statement_row(statement, row, ...) \
	ff_statement_fetch(statement, row, FF_VALUES(__VA_ARGS__), FF_COUNT(__VA_ARGS__))

/*
 * The same with the arguments in an array. read_only: on the caller's own
 * snapshot, for functions declared STABLE.
 */
extern FfRows ff_statement_execute(FfStatement *statement, const NullableDatum *values,
								   int nvalues, bool read_only);
extern bool ff_statement_fetch(FfStatement *statement, FfRow *row,
							   const NullableDatum *values, int nvalues);

/*
 * Run SQL text made at run time, no parameters, no rows. For GRANT and REVOKE of
 * access sets alone, which take none; every identifier in it quoted.
 */
extern void ff_statement_run_text(const char *sql);

/* Row number i, from 0. */
extern FfRow ff_rows_get(const FfRows *rows, uint64 i);

/* Give back the memory of rows that a loop is done with; what points into them is void. */
extern void ff_rows_free(FfRows *rows);

/*
 * Columns are counted from 1. The getters without a null flag give 0, NULL or
 * -1 (enums) for SQL NULL. Pointers point into the row.
 */
extern NullableDatum ff_row_value(const FfRow *row, int column);
extern bool ff_row_bool(const FfRow *row, int column);
extern int16 ff_row_int2(const FfRow *row, int column);
extern int32 ff_row_int4(const FfRow *row, int column);
extern int64 ff_row_int8(const FfRow *row, int column);
extern uint64 ff_row_xid8(const FfRow *row, int column);
extern int	ff_row_enum(const FfRow *row, int column, FfEnum *type);
extern char *ff_row_cstring(const FfRow *row, int column);	/* of a text; a copy */
extern const pg_uuid_t *ff_row_uuid(const FfRow *row, int column);
extern Jsonb *ff_row_jsonb(const FfRow *row, int column);	/* detoasted */
extern bytea *ff_row_bytea(const FfRow *row, int column);	/* detoasted */

/* An integer that may be SQL NULL. */
typedef struct FfInt8
{
	int64		value;
	bool		isset;
} FfInt8;

extern FfInt8 ff_row_maybe_int8(const FfRow *row, int column);

static inline NullableDatum
ff_maybe_int8(FfInt8 value)
{
	return value.isset ? ff_int8(value.value) : ff_null();
}

static inline FfInt8
ff_some(int64 value)
{
	return (FfInt8) {.value = value,.isset = true};
}

static inline FfInt8
ff_none(void)
{
	return (FfInt8) {.value = 0,.isset = false};
}

/* Registers with the planner; called once, from _PG_init. */
extern void ff_statement_init(void);

/*
 * Connect and disconnect SPI: call.c around a call, and background/duty.c around
 * each row inside one, so that what the row's statements returned goes with it.
 */
extern void ff_statement_connect(void);
extern void ff_statement_disconnect(void);

#endif							/* FF_STATEMENT_H */
