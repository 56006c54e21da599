/*
 * table.h - rows of the extension's tables found, locked and written without
 * the executor, whose start costs more than a row does.
 *
 *	static FfTable lanes =
 *		FF_TABLE("ff_lane_registry", "ff_lane_registry_pkey", "state");
 *
 *	FfRow row;
 *	if (ff_table_lock(&lanes, &row, ff_text(lane)))
 *		state = ff_row_enum(&row, 1, &ff_lane_states);
 *
 * For statements that run with every claim and completion; all else is SQL
 * (statement.h). What PostgreSQL does for the row it does here too: snapshots,
 * predicate locks, row locks that follow a concurrent update and look again,
 * serialization failures, defaults, generated columns, constraints, BEFORE
 * INSERT triggers. A write to a table that has got other triggers, rules, row
 * security, children, a column of a domain, or an index that is more than a
 * btree, runs as the SQL statement that it stands for. Reads see the named table
 * alone.
 *
 * What is known of a table is kept until its definition changes. Columns are
 * found by name. Runs inside ff_call_begin/ff_call_end.
 */
#ifndef FF_TABLE_H
#define FF_TABLE_H

#include "base/compat.h"

#include "access/stratnum.h"
#include "nodes/lockoptions.h"

#include "base/statement.h"

typedef struct FfTable
{
	const char *name;
	const char *index;			/* finds rows by its first columns; NULL: none is to be found */
	const char *columns;		/* read or written, in the order of the values; comma and blank */
	/* filled at first use */
	struct FfTableState *state;
	struct FfTable *next;		/* of those that were ever used */
	bool		is_listed;
	FfStatement statement;		/* a write as SQL, where it must be */
} FfTable;

#define FF_TABLE(table_name, index_name, column_names) \
	{.name = (table_name), .index = (index_name), .columns = (column_names)}

/*
 * Lock the row with this value in each column of a unique index FOR NO KEY
 * UPDATE, and read it; waits for others. False if there is none.
 */
#define ff_table_lock(table, row, ...) \
	ff_table_lock_values(table, row, LockWaitBlock, FF_VALUES(__VA_ARGS__), FF_COUNT(__VA_ARGS__))
extern bool ff_table_lock_values(FfTable *table, FfRow *row, LockWaitPolicy wait,
								 const NullableDatum *keys, int nkeys);

/* The same, false too if another transaction has it. */
#define ff_table_try_lock(table, row, ...) \
	ff_table_lock_values(table, row, LockWaitSkip, FF_VALUES(__VA_ARGS__), FF_COUNT(__VA_ARGS__))

/* Read it without locking it. */
#define ff_table_read(table, row, ...) \
	ff_table_read_values(table, row, FF_VALUES(__VA_ARGS__), FF_COUNT(__VA_ARGS__))
extern bool ff_table_read_values(FfTable *table, FfRow *row, const NullableDatum *keys, int nkeys);

/* True if there is a row with these values in the first columns of the index. */
#define ff_table_has(table, ...) \
	ff_table_has_values(table, FF_VALUES(__VA_ARGS__), FF_COUNT(__VA_ARGS__))
extern bool ff_table_has_values(FfTable *table, const NullableDatum *keys, int nkeys);

/*
 * Write the row that the first nkeys values identify, by a unique index; its
 * named columns become the values behind those. The caller has it locked. *tid
 * is where it was when it was read, if that is known, and becomes where it is.
 */
extern void ff_table_update(FfTable *table, ItemPointer tid, const NullableDatum *values,
							int nkeys, int nvalues);

/* Insert a row; columns that are not named get their defaults. */
#define ff_table_insert(table, ...) \
	ff_table_insert_values(table, FF_VALUES(__VA_ARGS__), FF_COUNT(__VA_ARGS__))
extern void ff_table_insert_values(FfTable *table, const NullableDatum *values, int nvalues);

/* A bound on a column of the index, counted from 1, which the scan goes by. */
typedef struct FfBound
{
	int			column;
	StrategyNumber strategy;	/* BT...StrategyNumber */
	Datum		value;
	bool		with_next;		/* (this, the next one) > as a row */
} FfBound;

#define FF_BOUND(n, how, datum) {.column = (n), .strategy = (how), .value = (datum)}
#define FF_BOUND_WITH_NEXT(n, datum) \
	{.column = (n), .strategy = BTGreaterStrategyNumber, .value = (datum), .with_next = true}

/*
 * Going through an index, on a snapshot of its own; several may be under way:
 *
 *	FfScan	   *scan = ff_scan_begin(&table, bounds, nbounds);
 *	while (ff_scan_next(scan, &row))
 *		...
 *	ff_scan_end(scan);
 *
 * ff_scan_lock locks the row that ff_scan_next gave FOR NO KEY UPDATE and reads
 * it again where it has changed meanwhile; false if it no longer is within the
 * bounds, or, with LockWaitSkip, another transaction has it. The caller looks
 * again at what else it wants of the row. A row stays until the next one is
 * asked for, a locked or a last one until ff_call_end. An error needs no
 * ff_scan_end.
 */
typedef struct FfScan FfScan;

extern FfScan *ff_scan_begin(FfTable *table, const FfBound *bounds, int nbounds);
extern bool ff_scan_next(FfScan *scan, FfRow *row);
extern bool ff_scan_lock(FfScan *scan, FfRow *row, LockWaitPolicy wait);
extern void ff_scan_end(FfScan *scan);

/*
 * One column of the next index entry, whether its row is live or not: for
 * stepping over what the index holds without looking at the table.
 */
extern bool ff_scan_next_key(FfScan *scan, int column, Datum *value);

/* Registers for changes of tables; called once, from _PG_init. */
extern void ff_table_init(void);

#endif							/* FF_TABLE_H */
