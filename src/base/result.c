/*
 * result.c - building the rows of a function that RETURNS TABLE or SETOF.
 */
#include "base/result.h"

#include "access/htup_details.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "base/extension.h"

struct FfResult
{
	FunctionCallInfo fcinfo;
	MemoryContext context;		/* the caller's */
	TupleDesc	desc;
	HeapTuple	first;			/* the only row so far */
	Tuplestorestate *store;		/* once there is a second */
};

/* Row types by function, since looking one up in the catalogs costs more than a row. */
typedef struct RowType
{
	Oid			function;
	uint64		generation;
	TupleDesc	desc;
} RowType;

static TupleDesc
row_type(FunctionCallInfo fcinfo)
{
	static HTAB *cache = NULL;
	Oid			function = fcinfo->flinfo->fn_oid;
	RowType    *entry;
	bool		found;

	if (cache == NULL)
	{
		HASHCTL		ctl = {.keysize = sizeof(Oid),.entrysize = sizeof(RowType)};

		cache = hash_create("ffengine row types", 64, &ctl, HASH_ELEM | HASH_BLOBS);
	}
	entry = hash_search(cache, &function, HASH_ENTER, &found);
	if (!found)
		entry->desc = NULL;
	if (entry->desc == NULL || entry->generation != ff_extension_generation)
	{
		TupleDesc	desc;
		Oid			type;
		MemoryContext old;

		entry->desc = NULL;
		/* a table of a single column is, to PostgreSQL, a set of values */
		if (get_call_result_type(fcinfo, &type, &desc) == TYPEFUNC_SCALAR)
		{
			desc = CreateTemplateTupleDesc(1);
			TupleDescInitEntry(desc, 1, "value", type, -1, 0);
		}
		if (desc == NULL)
			elog(ERROR, "function %u does not return rows", function);
		old = MemoryContextSwitchTo(TopMemoryContext);
		desc = BlessTupleDesc(CreateTupleDescCopy(desc));
		MemoryContextSwitchTo(old);
		entry->desc = desc;
		entry->generation = ff_extension_generation;
	}
	return entry->desc;
}

FfResult *
ff_result_begin(FunctionCallInfo fcinfo)
{
	FfResult   *result = palloc0(sizeof(FfResult));
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	if (rsinfo == NULL || !IsA(rsinfo, ReturnSetInfo))
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("set-valued function called in a context that cannot accept a set")));
	result->fcinfo = fcinfo;
	result->context = CurrentMemoryContext;
	result->desc = row_type(fcinfo);
	return result;
}

static void
begin_store(FfResult *result)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) result->fcinfo->resultinfo;
	MemoryContext old;

	if (!(rsinfo->allowedModes & SFRM_Materialize))
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("materialize mode required, but it is not allowed in this context")));
	old = MemoryContextSwitchTo(rsinfo->econtext->ecxt_per_query_memory);
	result->store = tuplestore_begin_heap((rsinfo->allowedModes & SFRM_Materialize_Random) != 0,
										  false, work_mem);
	MemoryContextSwitchTo(old);
	tuplestore_puttuple(result->store, result->first);
}

void
ff_result_add_values(FfResult *result, const NullableDatum *values, int nvalues)
{
	Datum		datums[MaxHeapAttributeNumber];
	bool		nulls[MaxHeapAttributeNumber];
	MemoryContext old;

	if (nvalues != result->desc->natts)
		elog(ERROR, "a row has %d columns, got %d", result->desc->natts, nvalues);
	for (int i = 0; i < nvalues; i++)
	{
		datums[i] = values[i].value;
		nulls[i] = values[i].isnull;
	}

	old = MemoryContextSwitchTo(result->context);
	if (result->first == NULL)
		result->first = heap_form_tuple(result->desc, datums, nulls);
	else
	{
		if (result->store == NULL)
			begin_store(result);
		tuplestore_putvalues(result->store, result->desc, datums, nulls);
	}
	MemoryContextSwitchTo(old);
}

Datum
ff_result_end(FfResult *result)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) result->fcinfo->resultinfo;

	if (result->store)
	{
		rsinfo->returnMode = SFRM_Materialize;
		rsinfo->setResult = result->store;
		rsinfo->setDesc = CreateTupleDescCopy(result->desc);
		return (Datum) 0;
	}
	if (result->first == NULL)
	{
		rsinfo->isDone = ExprEndResult;
		result->fcinfo->isnull = true;
		return (Datum) 0;
	}
	if (result->desc->natts == 1)
	{
		bool		isnull;
		Datum		value = heap_getattr(result->first, 1, result->desc, &isnull);

		result->fcinfo->isnull = isnull;
		return value;
	}
	return HeapTupleGetDatum(result->first);
}
