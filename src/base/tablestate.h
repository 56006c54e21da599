/*
 * tablestate.h - what the rooms of table.h keep of a table.
 */
#ifndef FF_TABLESTATE_H
#define FF_TABLESTATE_H

#include "base/table.h"

#include "access/genam.h"
#include "nodes/execnodes.h"
#include "utils/rel.h"

typedef struct FfTableIndex
{
	Oid			oid;
	IndexInfo  *info;
	ExprState  *predicate;		/* NULL: every row is in it */
	bool		unchanged;		/* an update writes none of its columns */
} FfTableIndex;

typedef struct FfTableState
{
	FfTable    *owner;
	MemoryContext context;		/* holds all of this; a child of the caller's while in use */
	MemoryContextCallback deleted;
	bool		stale;			/* the table or an index changed */
	int			users;			/* scans and writes that go on */
	uint64		generation;
	Oid			relation;
	TupleDesc	desc;			/* a copy, not counted by anybody's resource owner */
	int			ncolumns;
	AttrNumber *columns;		/* the named ones */

	/* The index that finds rows; procedures by column and strategy, as they are needed. */
	Oid			index;
	AttrNumber *keys;			/* its columns as those of the table; 0: an expression */
	FmgrInfo	procedures[INDEX_MAX_KEYS][BTMaxStrategyNumber];

	/* For writing, one row at a time; made with the first write. */
	bool		writing;
	EState	   *estate;
	ResultRelInfo *target;
	FfTableIndex *indexes;
	int			nindexes;
	ExprState **defaults;		/* of the columns not named, by attribute; NULL: none */
	bool		computes;		/* a generated column depends on one that is written */
	bool		as_sql;			/* writes are left to the executor */
} FfTableState;

/*
 * Open and lock the table, give what is known of it, which stays until
 * ff_table_leave. The lock stays until the transaction ends. It is that of a
 * write for scans too: one that found rows under a weaker lock and then wrote
 * them would deadlock with a REINDEX, which locks the table first, then the
 * index.
 */
extern Relation ff_table_enter(FfTable *table, FfTableState **state);
extern void ff_table_leave(FfTableState *state, Relation relation);

/* Make ready for writing a row; false if that is up to the executor. Sets state->writing. */
extern bool ff_table_begin_write(FfTableState *state, Relation relation);

/* A scan of a table that was entered already; equality on the first columns of its index. */
extern FfScan *ff_scan_open(FfTableState *state, Relation relation, const FfBound *bounds, int nbounds);
extern FfBound *ff_scan_key(const NullableDatum *keys, int nkeys);
extern TupleTableSlot *ff_scan_slot(FfScan *scan);	/* of the row that ff_scan_next gave */
extern bool ff_scan_step(FfScan *scan); /* to the next row, unread */
extern void ff_scan_close(FfScan *scan);

#endif							/* FF_TABLESTATE_H */
