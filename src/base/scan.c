/*
 * scan.c - finding rows by an index and locking them, as the executor's index
 * scans and LockRows do.
 */
#include "base/tablestate.h"

#include "access/htup_details.h"
#include "access/nbtree.h"
#include "access/relscan.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/xact.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "base/error.h"

struct FfScan
{
	FfTableState *state;
	Relation	relation;
	Relation	index;
	Snapshot	snapshot;
	IndexScanDesc scan;
	TupleTableSlot *slot;
	HeapTuple	tuple;			/* what was read, to be freed with the next step; or NULL */
	FfRow		row;			/* likewise */
	int			nkeys;
	ScanKeyData keys[INDEX_MAX_KEYS];
	ScanKeyData members[2];		/* of the one key that compares rows */
};

static FmgrInfo *
procedure(FfTableState *state, Relation index, const FfBound *bound)
{
	FmgrInfo   *cached = &state->procedures[bound->column - 1][bound->strategy - 1];

	if (!OidIsValid(cached->fn_oid))
	{
		Oid			family = index->rd_opfamily[bound->column - 1];
		Oid			type = index->rd_opcintype[bound->column - 1];
		Oid			operator = get_opfamily_member(family, type, type, bound->strategy);

		fmgr_info_cxt(get_opcode(operator), cached, state->context);
	}
	return cached;
}

static void
set_key(FfScan *scan, ScanKey key, int flags, const FfBound *bound, FmgrInfo *function)
{
	ScanKeyEntryInitializeWithInfo(key, flags, bound->column, bound->strategy, InvalidOid,
								   scan->index->rd_indcollation[bound->column - 1], function,
								   bound->value);
}

/* (a, b) > (c, d): a key of its own kind, whose members compare by the index's order. */
static void
set_row_key(FfScan *scan, ScanKey key, const FfBound *bounds)
{
	for (int i = 0; i < 2; i++)
		set_key(scan, &scan->members[i], i == 0 ? SK_ROW_MEMBER : SK_ROW_MEMBER | SK_ROW_END,
				&bounds[i], index_getprocinfo(scan->index, bounds[i].column, BTORDER_PROC));
	memset(key, 0, sizeof(ScanKeyData));
	key->sk_flags = SK_ROW_HEADER;
	key->sk_attno = bounds[0].column;
	key->sk_strategy = bounds[0].strategy;
	key->sk_argument = PointerGetDatum(scan->members);
}

/*
 * A snapshot older than the index may need rows that it leaves out, as the
 * planner knows too; only one that is kept for the transaction can be.
 */
static void
check_index_serves(Relation index)
{
	if (index->rd_index->indcheckxmin && IsolationUsesXactSnapshot() &&
		!TransactionIdPrecedes(HeapTupleHeaderGetXmin(index->rd_indextuple->t_data),
							   TransactionXmin))
		ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
						errmsg("could not serialize access due to a concurrent rebuild of index \"%s\"",
							   RelationGetRelationName(index))));
}

FfScan *
ff_scan_open(FfTableState *state, Relation relation, const FfBound *bounds, int nbounds)
{
	FfScan	   *scan = palloc(sizeof(FfScan));

	scan->state = state;
	scan->relation = relation;
	scan->tuple = NULL;
	scan->nkeys = 0;
	scan->index = index_open(state->index, RowExclusiveLock);
	check_index_serves(scan->index);
	for (int i = 0; i < nbounds; i++)
	{
		if (bounds[i].with_next)
			set_row_key(scan, &scan->keys[scan->nkeys++], &bounds[i++]);
		else
			set_key(scan, &scan->keys[scan->nkeys++], 0, &bounds[i],
					procedure(state, scan->index, &bounds[i]));
	}

	CommandCounterIncrement();
	scan->snapshot = RegisterSnapshot(GetTransactionSnapshot());
	scan->slot = MakeSingleTupleTableSlot(state->desc, table_slot_callbacks(relation));
	scan->scan = FF_INDEX_BEGINSCAN(relation, scan->index, scan->snapshot, scan->nkeys);
	index_rescan(scan->scan, scan->keys, scan->nkeys, NULL, 0);
	return scan;
}

bool
ff_scan_step(FfScan *scan)
{
	if (scan->tuple)
	{
		pfree(scan->row.values);
		pfree(scan->row.nulls);
		heap_freetuple(scan->tuple);
		scan->tuple = NULL;
	}
	return index_getnext_slot(scan->scan, ForwardScanDirection, scan->slot);
}

TupleTableSlot *
ff_scan_slot(FfScan *scan)
{
	return scan->slot;
}

void
ff_scan_close(FfScan *scan)
{
	index_endscan(scan->scan);
	ExecDropSingleTupleTableSlot(scan->slot);
	UnregisterSnapshot(scan->snapshot);
	index_close(scan->index, NoLock);
	pfree(scan);
}

/* A copy of the row's named columns. */
static FfRow
read_row(FfScan *scan)
{
	FfTableState *state = scan->state;
	Datum		values[MaxHeapAttributeNumber];
	bool		nulls[MaxHeapAttributeNumber];

	scan->tuple = ExecCopySlotHeapTuple(scan->slot);
	scan->row.values = palloc(state->ncolumns * sizeof(Datum));
	scan->row.nulls = palloc(state->ncolumns * sizeof(bool));
	heap_deform_tuple(scan->tuple, state->desc, values, nulls);
	for (int i = 0; i < state->ncolumns; i++)
	{
		scan->row.values[i] = values[state->columns[i] - 1];
		scan->row.nulls[i] = nulls[state->columns[i] - 1];
	}
	scan->row.tid = scan->slot->tts_tid;
	return scan->row;
}

/* What the key's function says of the row's column and the bound; false for NULL. */
static bool
apply_key(FfScan *scan, ScanKey key, Datum *result)
{
	bool		isnull;
	Datum		value = slot_getattr(scan->slot, scan->state->keys[key->sk_attno - 1], &isnull);

	if (!isnull)
		*result = FunctionCall2Coll(&key->sk_func, key->sk_collation, value, key->sk_argument);
	return !isnull;
}

static bool
is_within_row_key(FfScan *scan, ScanKey key)
{
	int32		order = 0;

	for (int i = 0; i < 2 && order == 0; i++)
	{
		Datum		result;

		if (!apply_key(scan, &scan->members[i], &result))
			return false;
		order = DatumGetInt32(result);
	}
	return order > 0;
}

/* Whether a row that was updated while its lock was waited for is still within the bounds. */
static bool
is_within(FfScan *scan)
{
	for (int i = 0; i < scan->nkeys; i++)
	{
		ScanKey		key = &scan->keys[i];
		Datum		result;

		if (key->sk_flags & SK_ROW_HEADER ? !is_within_row_key(scan, key)
			: !apply_key(scan, key, &result) || !DatumGetBool(result))
			return false;
	}
	return true;
}

/* *changed: the row locked is a later version than the one found. */
static bool
lock_row(FfScan *scan, LockWaitPolicy wait, bool *changed)
{
	ItemPointerData tid = scan->slot->tts_tid;
	TM_FailureData failure;
	int			flags = TUPLE_LOCK_FLAG_LOCK_UPDATE_IN_PROGRESS;

	if (!IsolationUsesXactSnapshot())
		flags |= TUPLE_LOCK_FLAG_FIND_LAST_VERSION;
	/* as of the scan: what this transaction has done to the row since is TM_SelfModified */
	switch (table_tuple_lock(scan->relation, &tid, scan->snapshot, scan->slot,
							 scan->snapshot->curcid, LockTupleNoKeyExclusive, wait, flags,
							 &failure))
	{
		case TM_Ok:
			*changed = failure.traversed;
			return !failure.traversed || is_within(scan);
		case TM_WouldBlock:
		case TM_SelfModified:
			return false;
		case TM_Updated:
		case TM_Deleted:
			if (IsolationUsesXactSnapshot())
				ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
								errmsg("could not serialize access due to concurrent update")));
			return false;
		default:
			elog(ERROR, "could not lock a row of table %s", scan->state->owner->name);
	}
}

FfBound *
ff_scan_key(const NullableDatum *keys, int nkeys)
{
	FfBound    *bounds = palloc(nkeys * sizeof(FfBound));

	for (int i = 0; i < nkeys; i++)
		bounds[i] = (FfBound) {
			.column = i + 1,.strategy = BTEqualStrategyNumber,.value = keys[i].value
		};
	return bounds;
}

FfScan *
ff_scan_begin(FfTable *table, const FfBound *bounds, int nbounds)
{
	FfTableState *state;
	Relation	relation = ff_table_enter(table, &state);

	return ff_scan_open(state, relation, bounds, nbounds);
}

bool
ff_scan_next(FfScan *scan, FfRow *row)
{
	if (!ff_scan_step(scan))
		return false;
	*row = read_row(scan);
	return true;
}

bool
ff_scan_next_key(FfScan *scan, int column, Datum *value)
{
	bool		isnull;

	if (!scan->scan->xs_want_itup)
	{
		/* before the first step: the scan makes room for entries when it begins */
		scan->scan->xs_want_itup = true;
		index_rescan(scan->scan, scan->keys, scan->nkeys, NULL, 0);
	}
	if (index_getnext_tid(scan->scan, ForwardScanDirection) == NULL)
		return false;
	*value = index_getattr(scan->scan->xs_itup, column, scan->scan->xs_itupdesc, &isnull);
	return true;
}

bool
ff_scan_lock(FfScan *scan, FfRow *row, LockWaitPolicy wait)
{
	bool		changed;

	PreventCommandIfReadOnly("SELECT FOR NO KEY UPDATE");
	if (!lock_row(scan, wait, &changed))
		return false;
	if (changed)
		*row = read_row(scan);
	scan->tuple = NULL;
	return true;
}

void
ff_scan_end(FfScan *scan)
{
	FfTableState *state = scan->state;
	Relation	relation = scan->relation;

	ff_scan_close(scan);
	ff_table_leave(state, relation);
}

bool
ff_table_lock_values(FfTable *table, FfRow *row, LockWaitPolicy wait, const NullableDatum *keys,
					 int nkeys)
{
	FfScan	   *scan = ff_scan_begin(table, ff_scan_key(keys, nkeys), nkeys);
	bool		found = ff_scan_next(scan, row) && ff_scan_lock(scan, row, wait);

	ff_scan_end(scan);
	return found;
}

bool
ff_table_read_values(FfTable *table, FfRow *row, const NullableDatum *keys, int nkeys)
{
	FfScan	   *scan = ff_scan_begin(table, ff_scan_key(keys, nkeys), nkeys);
	bool		found = ff_scan_next(scan, row);

	ff_scan_end(scan);
	return found;
}

bool
ff_table_has_values(FfTable *table, const NullableDatum *keys, int nkeys)
{
	FfScan	   *scan = ff_scan_begin(table, ff_scan_key(keys, nkeys), nkeys);
	bool		found = ff_scan_step(scan);

	ff_scan_end(scan);
	return found;
}
