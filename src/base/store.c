/*
 * store.c - writing a row and its index entries, as the executor's ModifyTable
 * does. Only the indexes that get an entry are opened: the lock of the table
 * keeps the others from changing.
 */
#include "base/tablestate.h"

#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "executor/nodeModifyTable.h"
#include "miscadmin.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "base/extension.h"

#define MAX_TYPES 48

/* The SQL statement that the write stands for. */
static void
make_statement(FfTable *table, const FfTableState *state, int nkeys)
{
	StringInfoData text;
	Oid			types[MAX_TYPES];
	int			n = 0;

	if (nkeys + state->ncolumns > MAX_TYPES)
		elog(ERROR, "too many columns of table %s", table->name);
	initStringInfo(&text);
	if (nkeys == 0)
		appendStringInfo(&text, "INSERT INTO @extschema@.%s (%s) VALUES (", table->name,
						 table->columns);
	else
		appendStringInfo(&text, "UPDATE @extschema@.%s SET ", table->name);
	n = nkeys;
	for (int i = 0; i < state->ncolumns; i++)
	{
		if (i > 0)
			appendStringInfoString(&text, ", ");
		if (nkeys > 0)
			appendStringInfo(&text, "%s = ",
							 quote_identifier(get_attname(state->relation, state->columns[i], false)));
		types[n++] = TupleDescAttr(state->desc, state->columns[i] - 1)->atttypid;
		appendStringInfo(&text, "$%d", n);
	}
	if (nkeys == 0)
		appendStringInfoChar(&text, ')');
	for (int i = 0; i < nkeys; i++)
	{
		types[i] = TupleDescAttr(state->desc, state->keys[i] - 1)->atttypid;
		appendStringInfo(&text, "%s %s = $%d", i == 0 ? " WHERE" : " AND",
						 quote_identifier(get_attname(state->relation, state->keys[i], false)), i + 1);
	}

	if (table->statement.sql)
	{
		pfree(unconstify(char *, table->statement.sql));
		pfree(unconstify(Oid *, table->statement.types));
		table->statement.sql = NULL;
	}
	table->statement.name = table->name;
	table->statement.nargs = n;
	table->statement.types = memcpy(MemoryContextAlloc(TopMemoryContext, n * sizeof(Oid)), types,
									n * sizeof(Oid));
	table->statement.sql = MemoryContextStrdup(TopMemoryContext, text.data);
}

static void
run_statement(FfTable *table, const FfTableState *state, const NullableDatum *values, int nkeys,
			  int nvalues)
{
	/* the types of its parameters are those of one generation */
	if (table->statement.generation != ff_extension_generation)
		make_statement(table, state, nkeys);
	ff_statement_execute(&table->statement, values, nvalues, false);
}

static bool
is_in_index(const FfTableState *state, const FfTableIndex *index, TupleTableSlot *slot)
{
	ExprContext *context = GetPerTupleExprContext(state->estate);

	context->ecxt_scantuple = slot;
	return index->info->ii_ReadyForInserts &&
		(index->predicate == NULL || ExecQual(index->predicate, context));
}

static void
insert_index_entries(FfTableState *state, Relation relation, TupleTableSlot *slot, bool is_update)
{
	Datum		values[INDEX_MAX_KEYS];
	bool		nulls[INDEX_MAX_KEYS];

	for (int i = 0; i < state->nindexes; i++)
	{
		FfTableIndex *index = &state->indexes[i];
		Relation	opened;

		if (!is_in_index(state, index, slot))
			continue;
		opened = index_open(index->oid, RowExclusiveLock);
		FormIndexDatum(index->info, slot, state->estate, values, nulls);
		index_insert(opened, values, nulls, &slot->tts_tid, relation,
					 index->info->ii_Unique ? UNIQUE_CHECK_YES : UNIQUE_CHECK_NO,
					 is_update && index->unchanged, index->info);
		index_close(opened, NoLock);
	}
}

/* The row as it will be stored must pass. */
static void
check_row(FfTableState *state, Relation relation, TupleTableSlot *slot, bool compute)
{
	const TupleConstr *constraints = RelationGetDescr(relation)->constr;

	slot->tts_tableOid = RelationGetRelid(relation);
	if (compute && constraints && constraints->has_generated_stored)
		ExecComputeStoredGenerated(state->target, state->estate, slot, CMD_INSERT);
	if (constraints)
		ExecConstraints(state->target, slot, state->estate);
}

/* A slot for a row to be stored, its columns still those of another one, or none. */
static TupleTableSlot *
begin_row(FfTableState *state, Relation relation, TupleTableSlot *other)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(state->desc, &TTSOpsVirtual);
	int			n = state->desc->natts;

	state->target->ri_RelationDesc = relation;
	memset(slot->tts_isnull, true, n * sizeof(bool));
	if (other)
		slot_getallattrs(other);
	for (int i = 0; other && i < n; i++)
	{
		/* nobody needs what a dropped column held */
		if (TupleDescAttr(state->desc, i)->attisdropped)
			continue;
		slot->tts_values[i] = other->tts_values[i];
		slot->tts_isnull[i] = other->tts_isnull[i];
	}
	return slot;
}

static void
set_columns(FfTableState *state, TupleTableSlot *slot, const NullableDatum *values, int nvalues)
{
	if (nvalues != state->ncolumns)
		elog(ERROR, "a write to table %s takes %d columns, got %d", state->owner->name,
			 state->ncolumns, nvalues);
	for (int i = 0; i < nvalues; i++)
	{
		slot->tts_values[state->columns[i] - 1] = values[i].value;
		slot->tts_isnull[state->columns[i] - 1] = values[i].isnull;
	}
	ExecStoreVirtualTuple(slot);
}

static void
set_defaults(FfTableState *state, TupleTableSlot *slot)
{
	ExprContext *context = GetPerTupleExprContext(state->estate);

	for (int i = 0; i < state->desc->natts; i++)
		if (state->defaults[i])
			slot->tts_values[i] = ExecEvalExprSwitchContext(state->defaults[i], context,
															&slot->tts_isnull[i]);
}

static void
end_row(FfTableState *state, TupleTableSlot *slot)
{
	ExecDropSingleTupleTableSlot(slot);
	ResetPerTupleExprContext(state->estate);
}

static bool
has_key(const FfTableState *state, TupleTableSlot *slot, const NullableDatum *keys, int nkeys)
{
	for (int i = 0; i < nkeys; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(state->desc, state->keys[i] - 1);
		bool		isnull;
		Datum		value = slot_getattr(slot, state->keys[i], &isnull);

		if (isnull || !datumIsEqual(value, keys[i].value, attribute->attbyval, attribute->attlen))
			return false;
	}
	return true;
}

/* The row's current version: where it is said to be, if that still is it, else by its key. */
static bool
fetch_row(FfTableState *state, Relation relation, TupleTableSlot *slot, ItemPointer tid,
		  const NullableDatum *keys, int nkeys)
{
	FfScan	   *scan;
	bool		found;

	if (ItemPointerIsValid(tid) &&
		table_tuple_fetch_row_version(relation, tid, GetActiveSnapshot(), slot) &&
		has_key(state, slot, keys, nkeys))
		return true;
	scan = ff_scan_open(state, relation, ff_scan_key(keys, nkeys), nkeys);
	found = ff_scan_step(scan);
	if (found)
		ExecCopySlot(slot, ff_scan_slot(scan));
	ff_scan_close(scan);
	return found;
}

static void
update_row(FfTableState *state, Relation relation, TupleTableSlot *old, ItemPointer tid,
		   const NullableDatum *values, int nvalues)
{
	TupleTableSlot *slot = begin_row(state, relation, old);
	TM_FailureData failure;
	LockTupleMode mode;
	FfUpdateIndexes indexes;

	set_columns(state, slot, values, nvalues);
	check_row(state, relation, slot, state->computes);
	CheckCmdReplicaIdentity(relation, CMD_UPDATE);
	if (table_tuple_update(relation, &old->tts_tid, slot, GetCurrentCommandId(true),
						   GetActiveSnapshot(), InvalidSnapshot, true, &failure, &mode,
						   &indexes) != TM_Ok)
		ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
						errmsg("could not serialize access due to concurrent update")));
	if (FF_UPDATES_INDEXES(indexes))
		insert_index_entries(state, relation, slot, true);
	*tid = slot->tts_tid;
	end_row(state, slot);
}

/* Write a row with the snapshot that a statement of its own would have. */
static void
begin_statement(void)
{
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
}

static void
end_statement(FfTableState *state)
{
	PopActiveSnapshot();
	CommandCounterIncrement();
	state->writing = false;
}

void
ff_table_update(FfTable *table, ItemPointer tid, const NullableDatum *values, int nkeys, int nvalues)
{
	FfTableState *state;
	Relation	relation = ff_table_enter(table, &state);

	PreventCommandIfReadOnly("UPDATE");
	if (!ff_table_begin_write(state, relation))
		run_statement(table, state, values, nkeys, nvalues);
	else
	{
		TupleTableSlot *old = MakeSingleTupleTableSlot(state->desc, table_slot_callbacks(relation));

		begin_statement();
		if (fetch_row(state, relation, old, tid, values, nkeys))
			update_row(state, relation, old, tid, values + nkeys, nvalues - nkeys);
		ExecDropSingleTupleTableSlot(old);
		end_statement(state);
	}
	ff_table_leave(state, relation);
}

static void
insert_row(FfTableState *state, Relation relation, const NullableDatum *values, int nvalues)
{
	TupleTableSlot *slot = begin_row(state, relation, NULL);

	set_defaults(state, slot);
	set_columns(state, slot, values, nvalues);
	slot->tts_tableOid = RelationGetRelid(relation);
	if (state->target->ri_TrigDesc == NULL || !state->target->ri_TrigDesc->trig_insert_before_row ||
		ExecBRInsertTriggers(state->estate, state->target, slot))
	{
		check_row(state, relation, slot, true);
		table_tuple_insert(relation, slot, GetCurrentCommandId(true), 0, NULL);
		insert_index_entries(state, relation, slot, false);
	}
	end_row(state, slot);
}

void
ff_table_insert_values(FfTable *table, const NullableDatum *values, int nvalues)
{
	FfTableState *state;
	Relation	relation = ff_table_enter(table, &state);

	PreventCommandIfReadOnly("INSERT");
	if (!ff_table_begin_write(state, relation))
		run_statement(table, state, values, 0, nvalues);
	else
	{
		begin_statement();
		insert_row(state, relation, values, nvalues);
		end_statement(state);
	}
	ff_table_leave(state, relation);
}
