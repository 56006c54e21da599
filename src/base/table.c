/*
 * table.c - what is known of a table: its columns, indexes, constraints and
 * defaults, compiled once and kept until its definition changes.
 *
 * While a state is in use, its memory belongs to the caller's, so that an error
 * takes it away, half-built or half-used as it may be. A write that finds
 * another one going on, or one that an error has ended, is left to the
 * executor.
 */
#include "base/tablestate.h"

#include "access/table.h"
#include "catalog/index.h"
#include "catalog/pg_am.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "nodes/bitmapset.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "base/error.h"
#include "base/extension.h"

/* All that were ever used, for invalidations. */
static FfTable *tables = NULL;

static bool
concerns(const FfTableState *state, Oid relation)
{
	if (!OidIsValid(relation) || relation == state->relation || relation == state->index)
		return true;
	for (int i = 0; i < state->nindexes; i++)
		if (state->indexes[i].oid == relation)
			return true;
	return false;
}

static void
relation_changed(Datum arg, Oid relation)
{
	for (FfTable *table = tables; table; table = table->next)
		if (table->state && concerns(table->state, relation))
			table->state->stale = true;
}

/* Compiled expressions hold what they found out about functions. */
static void
functions_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	relation_changed(arg, InvalidOid);
}

void
ff_table_init(void)
{
	CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(PROCOID, functions_changed, (Datum) 0);
}

static Oid
relation_named(const char *name)
{
	Oid			relation = get_relname_relid(name, ff_extension_schema());

	if (!OidIsValid(relation))
		ff_raise(FF_UNAVAILABLE, errmsg("relation %s of extension ffengine does not exist", name));
	return relation;
}

static void
find_columns(FfTableState *state, const char *columns)
{
	char	   *list = pstrdup(columns);
	char	   *rest = NULL;

	state->columns = palloc(state->desc->natts * sizeof(AttrNumber));
	for (char *name = strtok_r(list, ", ", &rest); name; name = strtok_r(NULL, ", ", &rest))
	{
		AttrNumber	column = get_attnum(state->relation, name);

		if (column <= 0 || state->ncolumns == state->desc->natts)
			ff_raise(FF_UNAVAILABLE,
					 errmsg("table %s of extension ffengine has no column %s", state->owner->name, name));
		state->columns[state->ncolumns++] = column;
	}
}

static void
find_index(FfTableState *state, Oid oid)
{
	Relation	index;

	state->index = oid;
	index = index_open(oid, RowExclusiveLock);
	state->keys = palloc(IndexRelationGetNumberOfAttributes(index) * sizeof(AttrNumber));
	for (int i = 0; i < IndexRelationGetNumberOfAttributes(index); i++)
		state->keys[i] = index->rd_index->indkey.values[i];
	index_close(index, NoLock);
}

static void
state_deleted(void *arg)
{
	FfTableState *state = arg;

	if (state->owner->state == state)
		state->owner->state = NULL;
}

static FfTableState *
make_state(FfTable *table, Relation relation)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "ffengine table",
												  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	FfTableState *state = palloc0(sizeof(FfTableState));

	state->owner = table;
	state->context = context;
	state->generation = ff_extension_generation;
	state->relation = RelationGetRelid(relation);
	state->deleted.func = state_deleted;
	state->deleted.arg = state;
	MemoryContextRegisterResetCallback(context, &state->deleted);
	/* known to relation_changed from here on, since look-ups may find that it changed */
	table->state = state;

	/* with its defaults: a row older than a column has that column's value there */
	state->desc = CreateTupleDescCopyConstr(RelationGetDescr(relation));
	find_columns(state, table->columns);
	if (table->index)
		find_index(state, relation_named(table->index));
	MemoryContextSwitchTo(old);
	return state;
}

/* Forget what is known; who uses it still goes on with it. */
static void
forget_state(FfTable *table)
{
	FfTableState *state = table->state;

	table->state = NULL;
	if (state->users == 0)
		MemoryContextDelete(state->context);
}

Relation
ff_table_enter(FfTable *table, FfTableState **result)
{
	FfTableState *state = table->state;
	bool		known = state && state->generation == ff_extension_generation;
	Relation	relation;

	if (!table->is_listed)
	{
		table->next = tables;
		tables = table;
		table->is_listed = true;
	}
	relation = table_open(known ? state->relation : relation_named(table->name), RowExclusiveLock);

	/* taking the lock may have told that it changed */
	if (state && (state->stale || !known))
		forget_state(table);
	state = table->state;
	if (state == NULL)
		state = make_state(table, relation);
	else if (state->users == 0)
		MemoryContextSetParent(state->context, CurrentMemoryContext);
	state->users++;
	*result = state;
	return relation;
}

void
ff_table_leave(FfTableState *state, Relation relation)
{
	table_close(relation, NoLock);
	if (--state->users > 0)
		return;
	if (state->owner->state == state)
		MemoryContextSetParent(state->context, CacheMemoryContext);
	else
		MemoryContextDelete(state->context);
}

/*
 * Defaults of the columns that are not named, and whether a generated one
 * depends on one that is.
 */
static void
compile_columns(FfTableState *state, Relation relation)
{
	TupleDesc	desc = RelationGetDescr(relation);
	Bitmapset  *named = NULL;

	for (int i = 0; i < state->ncolumns; i++)
		named = bms_add_member(named, state->columns[i] - FirstLowInvalidHeapAttributeNumber);
	state->defaults = palloc0(desc->natts * sizeof(ExprState *));
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(desc, i);
		Expr	   *expression;
		Bitmapset  *needs = NULL;

		if (attribute->attisdropped)
			continue;
		/* a domain checks even a NULL that nobody named, and may change without the table */
		if (get_typtype(attribute->atttypid) == TYPTYPE_DOMAIN)
			state->as_sql = true;
		/* a virtual one, since PostgreSQL 18, is not in the row */
		if (attribute->attgenerated && attribute->attgenerated != ATTRIBUTE_GENERATED_STORED)
			continue;
		expression = (Expr *) build_column_default(relation, i + 1);
		if (expression == NULL)
			continue;
		if (attribute->attgenerated)
		{
			pull_varattnos((Node *) expression, 1, &needs);
			state->computes |= bms_overlap(needs, named);
		}
		else if (!bms_is_member(i + 1 - FirstLowInvalidHeapAttributeNumber, named))
			state->defaults[i] = ExecPrepareExpr(expression, state->estate);
	}
}

/* Whether none of the index's columns is written; where it is one of an expression, who knows. */
static bool
is_unchanged(const FfTableState *state, const IndexInfo *info)
{
	for (int i = 0; i < info->ii_NumIndexAttrs; i++)
	{
		if (info->ii_IndexAttrNumbers[i] == 0)
			return false;
		for (int j = 0; j < state->ncolumns; j++)
			if (info->ii_IndexAttrNumbers[i] == state->columns[j])
				return false;
	}
	return !state->computes;
}

static void
compile_indexes(FfTableState *state, Relation relation)
{
	List	   *oids = RelationGetIndexList(relation);
	ListCell   *cell;

	state->indexes = palloc0(list_length(oids) * sizeof(FfTableIndex));
	foreach(cell, oids)
	{
		FfTableIndex *index = &state->indexes[state->nindexes++];
		Relation	opened;

		index->oid = lfirst_oid(cell);
		opened = index_open(index->oid, RowExclusiveLock);
		index->info = BuildIndexInfo(opened);
		index->unchanged = is_unchanged(state, index->info);
		if (index->info->ii_Predicate)
			index->predicate = ExecPrepareQual(index->info->ii_Predicate, state->estate);
		if (opened->rd_rel->relam != BTREE_AM_OID || index->info->ii_ExclusionOps ||
			!opened->rd_index->indimmediate)
			state->as_sql = true;
		index_close(opened, NoLock);
	}
}

/* Whether the table has got what only the executor sees to. */
static bool
needs_executor(const FfTableState *state, Relation relation)
{
	const TriggerDesc *triggers = relation->trigdesc;

	if (relation->rd_rel->relkind != RELKIND_RELATION || relation->rd_rel->relispartition ||
		relation->rd_rel->relhassubclass || relation->rd_rules != NULL ||
		relation->rd_rel->relrowsecurity)
		return true;
	if (triggers == NULL)
		return false;
	if (state->owner->index)
		return triggers->trig_update_before_row || triggers->trig_update_after_row ||
			triggers->trig_update_before_statement || triggers->trig_update_after_statement;
	return triggers->trig_insert_after_row || triggers->trig_insert_before_statement ||
		triggers->trig_insert_after_statement;
}

/* What trigger functions keep from row to row must live as long as what calls them. */
static void
compile_triggers(FfTableState *state)
{
	TriggerDesc *triggers = state->target->ri_TrigDesc;

	for (int i = 0; triggers && i < triggers->numtriggers; i++)
		fmgr_info(triggers->triggers[i].tgfoid, &state->target->ri_TrigFunctions[i]);
}

static void
prepare_writes(FfTableState *state, Relation relation)
{
	MemoryContext old = MemoryContextSwitchTo(state->context);

	state->estate = CreateExecutorState();
	MemoryContextSwitchTo(state->estate->es_query_cxt);
	state->target = makeNode(ResultRelInfo);
	InitResultRelInfo(state->target, relation, 0, NULL, 0);
	state->as_sql = needs_executor(state, relation);
	compile_triggers(state);
	compile_columns(state, relation);
	compile_indexes(state, relation);
	MemoryContextSwitchTo(old);
}

bool
ff_table_begin_write(FfTableState *state, Relation relation)
{
	if (state->writing)
		return false;
	state->writing = true;
	if (state->estate == NULL)
		prepare_writes(state, relation);
	state->writing = !state->as_sql;
	return state->writing;
}
