/*
 * outbox.c - the insert trigger of the outboxes (specification chapter 08,
 * section 3).
 */
#include "base/compat.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "utils/rel.h"
#include "utils/xid8.h"

#include "base/clock.h"
#include "engine/outbox.h"
#include "engine/wake.h"

/* Column numbers of an outbox, looked up once per statement that inserts. */
typedef struct OutboxColumns
{
	int			event_id;
	int			xact_id;
	int			recorded_at_ms; /* committed_at_ms of the completions */
	int			outbox;			/* FfOutbox */
} OutboxColumns;

static OutboxColumns *
outbox_columns(FunctionCallInfo fcinfo, const Trigger *trigger, TupleDesc desc)
{
	OutboxColumns *columns = fcinfo->flinfo->fn_extra;

	if (columns == NULL)
	{
		columns = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(OutboxColumns));
		columns->event_id = SPI_fnumber(desc, "event_id");
		columns->xact_id = SPI_fnumber(desc, "xact_id");
		columns->recorded_at_ms = SPI_fnumber(desc, "recorded_at_ms");
		if (columns->recorded_at_ms <= 0)
			columns->recorded_at_ms = SPI_fnumber(desc, "committed_at_ms");
		columns->outbox = ff_outbox_find(trigger->tgargs[1]);
		fcinfo->flinfo->fn_extra = columns;
	}
	return columns;
}

PG_FUNCTION_INFO_V1(ff_outbox_trigger);

/*
 * BEFORE INSERT on every outbox, arguments: the channel and the stream. Stamps
 * the row with the top-level transaction, whatever it came with, so that also a
 * row put in by hand or restored from a dump gets a place behind all that was
 * seen. A row that has its stamps is not copied.
 */
Datum
ff_outbox_trigger(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	TupleDesc	desc;
	OutboxColumns *columns;
	HeapTuple	tuple;
	Datum		values[2];
	bool		nulls[2] = {false, false};
	int			numbers[2];
	int			n = 0;
	FullTransactionId xact_id;
	Datum		given;
	bool		isnull;
	int64		event_id;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_BEFORE(trigger->tg_event) ||
		!TRIGGER_FIRED_BY_INSERT(trigger->tg_event) || trigger->tg_trigger->tgnargs < 2)
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("ff_outbox_trigger is the insert trigger of the outboxes")));

	desc = RelationGetDescr(trigger->tg_relation);
	columns = outbox_columns(fcinfo, trigger->tg_trigger, desc);
	tuple = trigger->tg_trigtuple;
	xact_id = GetTopFullTransactionId();

	given = heap_getattr(tuple, columns->xact_id, desc, &isnull);
	if (isnull || !FullTransactionIdEquals(DatumGetFullTransactionId(given), xact_id))
	{
		numbers[n] = columns->xact_id;
		values[n++] = FullTransactionIdGetDatum(xact_id);
	}
	heap_getattr(tuple, columns->recorded_at_ms, desc, &isnull);
	if (isnull)
	{
		numbers[n] = columns->recorded_at_ms;
		values[n++] = Int64GetDatum(ff_now_ms());
	}
	if (n > 0)
		tuple = heap_modify_tuple_by_cols(tuple, desc, n, numbers, values, nulls);

	event_id = DatumGetInt64(heap_getattr(tuple, columns->event_id, desc, &isnull));
	if (!isnull && columns->outbox != 0)
		ff_wake_outbox(columns->outbox, event_id);
	return PointerGetDatum(tuple);
}
