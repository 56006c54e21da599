/*
 * bulk.c - many handles in one call (specification chapter 04, section 4.7).
 */
#include "base/compat.h"

#include "catalog/pg_type.h"
#include "utils/array.h"

#include "base/argument.h"
#include "base/call.h"
#include "base/error.h"
#include "base/setting.h"
#include "base/subtransaction.h"
#include "engine/slot.h"
#include "engine/work.h"

#define MAX_HANDLES 1000

typedef struct Entry
{
	int			position;		/* from 0 */
	bytea	   *handle;			/* NULL: given as null */
	bytea	   *result;
	bool		decoded;
	FfFence		fence;
	ErrorData  *refusal;		/* NULL: done */
} Entry;

typedef struct Batch
{
	FfCall		call;
	Entry	   *entries;			/* by ascending execution id */
	int			nentries;
	int			nrefused;		/* entries whose handle could be read */
} Batch;

typedef void (*EntryStep) (Entry *entry, int64 now_ms);

static void
complete_entry(Entry *entry, int64 now_ms)
{
	FfCore		core;

	ff_work_complete(&entry->fence, entry->result, NULL, now_ms, &core);
}

static void
renew_entry(Entry *entry, int64 now_ms)
{
	FfAttempt	attempt;

	ff_check_range(entry->fence.lease_ttl_ms, "lease_ttl_ms", 1, ff_max_lease_ttl_ms);
	ff_work_renew(&entry->fence, entry->fence.lease_ttl_ms, now_ms, &attempt);
}

static Datum *
elements(FunctionCallInfo fcinfo, int n, const char *name, bool **nulls, int *count)
{
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(n);
	Datum	   *values;

	if (ARR_NDIM(array) > 1)
		ff_raise_rule(FF_INVALID_INPUT, "not_array", psprintf("%s has several dimensions", name),
					  "an array of one dimension is needed");
	deconstruct_array(array, BYTEAOID, -1, false, TYPALIGN_INT, &values, nulls, count);
	return values;
}

static void
read_handles(FunctionCallInfo fcinfo, Batch *batch)
{
	bool	   *nulls;
	Datum	   *values;

	if (PG_ARGISNULL(0))
		ff_raise_null("handles");
	values = elements(fcinfo, 0, "handles", &nulls, &batch->nentries);
	if (batch->nentries > MAX_HANDLES)
		ff_raise_rule(FF_INVALID_INPUT, "out_of_range", "handles has too many elements",
					  "%d, at most %d", batch->nentries, MAX_HANDLES);
	batch->entries = palloc0(Max(batch->nentries, 1) * sizeof(Entry));
	for (int i = 0; i < batch->nentries; i++)
	{
		batch->entries[i].position = i;
		batch->entries[i].handle = nulls[i] ? NULL : DatumGetByteaP(values[i]);
	}
}

static void
read_results(FunctionCallInfo fcinfo, Batch *batch)
{
	bool	   *nulls;
	Datum	   *values;
	int			n;

	if (PG_ARGISNULL(1))
		return;
	values = elements(fcinfo, 1, "results", &nulls, &n);
	if (n != batch->nentries)
		ff_raise_rule(FF_INVALID_INPUT, "out_of_range", "results has another length than handles",
					  "%d results, %d handles", n, batch->nentries);
	for (int i = 0; i < n; i++)
		batch->entries[i].result = nulls[i] ? NULL : DatumGetByteaP(values[i]);
}

/* Ascending execution id, so that two calls over the same executions do not deadlock. */
static int
by_execution(const void *a, const void *b)
{
	const Entry *x = a;
	const Entry *y = b;

	if (x->fence.execution.partition != y->fence.execution.partition)
		return x->fence.execution.partition - y->fence.execution.partition;
	if (memcmp(&x->fence.execution.uuid, &y->fence.execution.uuid, sizeof(pg_uuid_t)) != 0)
		return memcmp(&x->fence.execution.uuid, &y->fence.execution.uuid, sizeof(pg_uuid_t));
	return x->position - y->position;
}

static int
by_position(const void *a, const void *b)
{
	return ((const Entry *) a)->position - ((const Entry *) b)->position;
}

/* What is wrong with an entry by itself. */
static void
decode_entry(Entry *entry, int64 now_ms)
{
	if (entry->handle == NULL)
		ff_raise_null("handle");
	ff_fence_from_handle(entry->handle, &entry->fence);
	ff_check_payload(entry->result, "result", ff_max_payload_size);
}

/* A step to be taken for entries from first on, n of them. */
typedef struct Round
{
	Batch	   *batch;
	EntryStep	step;
	int			first;
	int			n;
} Round;

static void
take_round(void *arg)
{
	Round	   *round = arg;

	for (int i = round->first; i < round->first + round->n; i++)
		if (round->batch->entries[i].refusal == NULL)
			round->step(&round->batch->entries[i], round->batch->call.now_ms);
}

/* All entries in one subtransaction, and one by one only where that was refused. */
static void
for_each(Batch *batch, EntryStep step)
{
	Round		all = {batch, step, 0, batch->nentries};

	if (ff_subtransaction_run(take_round, &all) == NULL)
		return;
	for (int i = 0; i < batch->nentries; i++)
	{
		Round		one = {batch, step, i, 1};

		if (batch->entries[i].refusal == NULL)
			batch->entries[i].refusal = ff_subtransaction_run(take_round, &one);
	}
}

static void
add_row(Batch *batch, const Entry *entry, const char *outcome)
{
	const ErrorData *refusal = entry->refusal;

	ff_call_row(&batch->call, ff_int4(entry->position + 1),
				entry->decoded ? ff_text(ff_execution_id_text(&entry->fence.execution)) : ff_null(),
				ff_text(refusal ? "refused" : outcome),
				ff_text(refusal ? unpack_sql_state(refusal->sqlerrcode) : NULL),
				ff_text(refusal ? refusal->message : NULL));
}

static Datum
run(Batch *batch, EntryStep step, const char *outcome)
{
	for_each(batch, decode_entry);
	for (int i = 0; i < batch->nentries; i++)
		batch->entries[i].decoded = batch->entries[i].refusal == NULL;
	qsort(batch->entries, batch->nentries, sizeof(Entry), by_execution);
	for_each(batch, step);
	qsort(batch->entries, batch->nentries, sizeof(Entry), by_position);
	for (int i = 0; i < batch->nentries; i++)
	{
		add_row(batch, &batch->entries[i], outcome);
		batch->nrefused += batch->entries[i].decoded && batch->entries[i].refusal;
	}
	return ff_call_end(&batch->call);
}

PG_FUNCTION_INFO_V1(ff_complete_many);

Datum
ff_complete_many(PG_FUNCTION_ARGS)
{
	Batch		batch = {0};

	ff_call_begin(&batch.call, fcinfo);
	read_handles(fcinfo, &batch);
	read_results(fcinfo, &batch);
	return run(&batch, complete_entry, "completed");
}

PG_FUNCTION_INFO_V1(ff_renew_many);

Datum
ff_renew_many(PG_FUNCTION_ARGS)
{
	Batch		batch = {0};
	Datum		result;

	ff_call_begin(&batch.call, fcinfo);
	read_handles(fcinfo, &batch);
	result = run(&batch, renew_entry, "renewed");
	ff_slot_count(FF_COUNT_RENEWALS_REFUSED, batch.nrefused);
	return result;
}
