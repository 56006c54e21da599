/*
 * event.c - reading the outboxes: cursors, the horizon, and a function per
 * outbox (specification chapter 08, sections 4 and 5).
 */
#include "base/compat.h"

#include "access/transam.h"
#include "catalog/pg_type.h"

#include "base/argument.h"
#include "base/call.h"
#include "base/clock.h"
#include "engine/event.h"

PG_FUNCTION_INFO_V1(ff_event_cursor);

Datum
ff_event_cursor(PG_FUNCTION_ARGS)
{
	static const char *const starts[] = {"earliest", "latest"};
	FfCall		call;
	FfOutbox	outbox = ff_outbox_check(ff_arg_text(fcinfo, 0, "stream"));
	int			start = ff_check_one_of(ff_arg_text_or(fcinfo, 1, "latest"), "start_at",
										starts, lengthof(starts));
	FfPosition	position = FF_POSITION_EARLIEST;

	ff_call_begin_scalar(&call, fcinfo);
	if (start == 1)
		position = ff_horizon(true);
	ff_call_end(&call);
	PG_RETURN_BYTEA_P(ff_cursor_make(outbox, position));
}

PG_FUNCTION_INFO_V1(ff_decode_event_cursor);

Datum
ff_decode_event_cursor(PG_FUNCTION_ARGS)
{
	const bytea *bytes = PG_GETARG_BYTEA_PP(0);
	FfResult   *result = ff_result_begin(fcinfo);
	FfCursor	cursor;

	if (VARSIZE_ANY_EXHDR(bytes) == 0)
		return ff_result_end(result);
	ff_cursor_decode(bytes, &cursor);
	if (cursor.outbox == 0)
		ff_result_add(result, ff_null(), ff_null(), ff_null(), ff_int8(cursor.position.event_id));
	else
		ff_result_add(result, ff_text(ff_outbox_names[cursor.outbox].stream), ff_int8(cursor.era),
					  ff_xid8(cursor.position.xact_id), ff_int8(cursor.position.event_id));
	return ff_result_end(result);
}

/* Activity is shown as of the first look of a transaction, unless that is forgotten. */
static FfStatement look_anew =
FF_STATEMENT("look_anew", "", "SELECT pg_stat_clear_snapshot()");

static FfStatement find_holder =
FF_STATEMENT("find_holder", "xid8",
			 "SELECT a.pid, a.datname::text, 'backend', a.xact_start FROM pg_stat_activity a"
			 " WHERE a.backend_xid = xid($1)"
			 " UNION ALL"
			 " SELECT NULL, p.database::text, 'prepared', p.prepared FROM pg_prepared_xacts p"
			 " WHERE p.transaction = xid($1)"
			 " LIMIT 1");

PG_FUNCTION_INFO_V1(ff_event_horizon);

Datum
ff_event_horizon(PG_FUNCTION_ARGS)
{
	FfCall		call;
	uint64		horizon;
	uint64		next;
	FfRow		holder;
	NullableDatum shown[4] = {ff_null(), ff_null(), ff_null(), ff_null()};

	ff_call_begin(&call, fcinfo);
	horizon = ff_horizon(false).xact_id + 1;
	next = U64FromFullTransactionId(ReadNextFullTransactionId());
	if (horizon < next)
	{
		(void) ff_statement_execute(&look_anew, NULL, 0, false);
		/* the oldest transaction that runs is the one of the horizon itself */
		if (ff_statement_row(&find_holder, &holder, ff_xid8(horizon)))
			for (int i = 0; i < (int) lengthof(shown); i++)
				shown[i] = ff_row_value(&holder, i + 1);
	}
	ff_call_row(&call, ff_xid8(horizon), ff_xid8(next), shown[0], shown[1], shown[2], shown[3]);
	return ff_call_end(&call);
}

/* The columns between execution_id and namespace, by outbox; those of ids are texts in the tables. */
typedef struct OwnColumn
{
	int			column;			/* 0: no more */
	bool		is_uuid;
} OwnColumn;

#define MAX_OWN 7

#define OWN(n) {FF_EVENT_OWN + (n), false}
#define OWN_UUID(n) {FF_EVENT_OWN + (n), true}

static const OwnColumn own_columns[FF_OUTBOXES + 1][MAX_OWN + 1] = {
	[FF_OUTBOX_COMPLETION] = {{FF_EVENT_FLOW, true}, {FF_EVENT_KIND, false}},
	[FF_OUTBOX_LEASE_HISTORY] = {{FF_EVENT_KIND, false}, OWN_UUID(0), OWN(1), OWN(2), OWN(3), OWN(4), OWN(5)},
	[FF_OUTBOX_SIGNAL_DELIVERY] = {OWN_UUID(0), OWN_UUID(1), OWN(2), {FF_EVENT_KIND, false}},
	[FF_OUTBOX_OPERATOR_EVENTS] = {{FF_EVENT_KIND, false}, {FF_EVENT_FLOW, true}, OWN(0)},
	[FF_OUTBOX_INSTANCE_TAGS] = {{FF_EVENT_KIND, false}, OWN(0)},
	[FF_OUTBOX_WORKER_REGISTRY] = {{FF_EVENT_KIND, false}, OWN(0), OWN(1)},
};

static void
add_event(FfCall *call, FfOutbox outbox, const FfRow *row)
{
	NullableDatum values[3 + MAX_OWN + 4];
	int			n = 0;

	values[n++] = ff_pointer(ff_cursor_make(outbox, ff_event_position(row)));
	values[n++] = ff_row_value(row, FF_EVENT_ID);
	values[n++] = ff_event_execution(row);
	for (const OwnColumn *own = own_columns[outbox]; own->column != 0; own++)
		values[n++] = own->is_uuid ? ff_event_uuid(row, own->column)
			: ff_row_value(row, own->column);
	values[n++] = ff_row_value(row, FF_EVENT_NAMESPACE);
	values[n++] = ff_row_value(row, FF_EVENT_INSTANCE_TAG);
	values[n++] = ff_int4(ff_row_int2(row, FF_EVENT_PARTITION));
	values[n++] = ff_maybe_instant(ff_row_maybe_int8(row, FF_EVENT_OCCURRED_AT_MS));
	ff_result_add_values(call->result, values, n);
}

static Datum
subscribe(FunctionCallInfo fcinfo, FfOutbox outbox)
{
	FfCall		call;
	bytea	   *cursor = ff_arg_bytea_or_null(fcinfo, 0);
	FfEventReader reader = {
		.outbox = outbox,
		.filter.namespace = ff_arg_text_or(fcinfo, 1, NULL),
		.filter.instance_tag = ff_arg_text_or(fcinfo, 2, NULL),
		.filter.partition = ff_arg_maybe_int4(fcinfo, 3),
		.max_rows = ff_arg_int4_or(fcinfo, 4, 256),
		.block_ms = ff_arg_int8_or(fcinfo, 5, 0),
	};
	FfRows		rows;

	ff_check_range(reader.max_rows, "max_rows", 1, 10000);
	ff_check_range(reader.block_ms, "block_ms", 0, 30000);
	if (reader.filter.partition.isset)
		ff_check_range(reader.filter.partition.value, "partition_key", 0, FF_PARTITIONS - 1);

	ff_call_begin(&call, fcinfo);
	reader.after = ff_cursor_resolve(cursor, outbox);
	reader.may_be_trimmed = ff_position_is_earliest(reader.after);
	rows = ff_events_read(&reader);
	for (uint64 i = 0; i < rows.count; i++)
	{
		FfRow		row = ff_rows_get(&rows, i);

		add_event(&call, outbox, &row);
	}
	return ff_call_end(&call);
}

#define SUBSCRIBE(function, outbox) \
	PG_FUNCTION_INFO_V1(function); \
	Datum \
	function(PG_FUNCTION_ARGS) \
	{ \
		return subscribe(fcinfo, outbox); \
	}

SUBSCRIBE(ff_subscribe_completion, FF_OUTBOX_COMPLETION)
SUBSCRIBE(ff_subscribe_lease_history, FF_OUTBOX_LEASE_HISTORY)
SUBSCRIBE(ff_subscribe_signal_delivery, FF_OUTBOX_SIGNAL_DELIVERY)
SUBSCRIBE(ff_subscribe_operator_events, FF_OUTBOX_OPERATOR_EVENTS)
SUBSCRIBE(ff_subscribe_instance_tags, FF_OUTBOX_INSTANCE_TAGS)
SUBSCRIBE(ff_subscribe_worker_events, FF_OUTBOX_WORKER_REGISTRY)
