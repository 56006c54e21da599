/*
 * event.c - reading outboxes by position.
 */
#include "engine/event.h"

#include "access/xact.h"

#include "base/id.h"
#include "engine/wait.h"

/*
 * The index a statement goes along: of the instance tag, of the namespace, or
 * of the position alone. A partition is looked for in the latter without
 * touching the table, since it holds one row of 256; OFFSET 0 keeps that apart.
 */
typedef enum Path
{
	BY_POSITION,
	BY_PARTITION,
	BY_NAMESPACE,
	BY_INSTANCE_TAG,
	PATHS
} Path;

#define ARGUMENTS "xid8, bigint, xid8, bigint, bigint, boolean, text, text, smallint, text, text, text[]"

#define RANGE(row) \
	"(" row ".xact_id, " row ".event_id) > ($1, $2) AND (" row ".xact_id, " row ".event_id) <= ($3, $4)"

#define COLUMNS(execution, flow, kind, at, shown, own) \
	"SELECT e.xact_id, e.event_id, e.partition_key::smallint, " execution ", " flow ", " kind "," \
	" e.namespace, e.instance_tag, e." at "," \
	" CASE WHEN $6 THEN to_jsonb(e) - '{event_id, namespace, instance_tag, " at ", " shown "}'::text[] END" own

/* A row without an execution or flow fits no filter by one. */
#define FILTER(execution, flow, kind) \
	" AND ($9::smallint IS NULL OR e.partition_key = $9)" \
	" AND ($10::text IS NULL OR '{fp:' || e.partition_key || '}:' || " execution " = $10)" \
	" AND ($11::text IS NULL OR " flow " = $11)" \
	" AND ($12::text[] IS NULL OR " kind " = ANY ($12))"

#define IN_ORDER " ORDER BY e.xact_id, e.event_id LIMIT $5"

#define STATEMENTS(stream, table, columns, filter) { \
	[BY_POSITION] = FF_STATEMENT("read_" stream "_by_position", ARGUMENTS, \
		columns " FROM @extschema@." table " e" \
		" WHERE " RANGE("e") filter IN_ORDER), \
	[BY_PARTITION] = FF_STATEMENT("read_" stream "_by_partition", ARGUMENTS, \
		columns " FROM (SELECT p.xact_id, p.event_id FROM @extschema@." table " p" \
		" WHERE " RANGE("p") " AND p.partition_key = $9 ORDER BY p.xact_id, p.event_id OFFSET 0) k" \
		" JOIN @extschema@." table " e ON e.event_id = k.event_id" \
		" WHERE true" filter " ORDER BY k.xact_id, k.event_id LIMIT $5"), \
	[BY_NAMESPACE] = FF_STATEMENT("read_" stream "_by_namespace", ARGUMENTS, \
		columns " FROM @extschema@." table " e" \
		" WHERE e.namespace = $7 AND " RANGE("e") filter IN_ORDER), \
	[BY_INSTANCE_TAG] = FF_STATEMENT("read_" stream "_by_instance_tag", ARGUMENTS, \
		columns " FROM @extschema@." table " e" \
		" WHERE e.instance_tag = $8 AND ($7::text IS NULL OR e.namespace = $7)" \
		" AND " RANGE("e") filter IN_ORDER), \
}

#define COMPLETION_FLOW "e.flow_id::text"
#define NONE "NULL::text"

/* The operator event of a flow has the flow's id where others have the execution's. */
#define OPERATOR_EXECUTION "CASE WHEN e.event_type <> 'flow_cancel_requested' THEN e.execution_id END"
#define OPERATOR_FLOW "CASE WHEN e.event_type = 'flow_cancel_requested' THEN e.execution_id END"

#define SIGNAL_KIND "COALESCE(e.effect, 'satisfied')"

/* clang-format off */
static FfStatement statements[FF_OUTBOXES + 1][PATHS] = {
	[FF_OUTBOX_COMPLETION] =
	STATEMENTS("completions", "ff_completion_event",
			   COLUMNS("e.execution_id::text", COMPLETION_FLOW, "e.outcome", "occurred_at_ms",
					   "execution_id, flow_id, outcome", ""),
			   FILTER("e.execution_id", COMPLETION_FLOW, "e.outcome")),
	[FF_OUTBOX_LEASE_HISTORY] =
	STATEMENTS("lease_events", "ff_lease_event",
			   COLUMNS("e.execution_id", NONE, "e.event_type", "occurred_at_ms",
					   "execution_id, event_type",
					   ", e.lease_id, e.lease_epoch, e.attempt_index, e.worker_instance_id,"
					   " e.revoked_by, e.reason"),
			   FILTER("e.execution_id", NONE, "e.event_type")),
	[FF_OUTBOX_SIGNAL_DELIVERY] =
	STATEMENTS("signal_events", "ff_signal_event",
			   COLUMNS("e.execution_id", NONE, SIGNAL_KIND, "delivered_at_ms",
					   "execution_id, effect",
					   ", e.signal_id, e.waitpoint_id, e.source_identity"),
			   FILTER("e.execution_id", NONE, SIGNAL_KIND)),
	[FF_OUTBOX_OPERATOR_EVENTS] =
	STATEMENTS("operator_events", "ff_operator_event",
			   COLUMNS(OPERATOR_EXECUTION, OPERATOR_FLOW, "e.event_type", "occurred_at_ms",
					   "execution_id, event_type", ", e.details"),
			   FILTER(OPERATOR_EXECUTION, OPERATOR_FLOW, "e.event_type")),
	[FF_OUTBOX_INSTANCE_TAGS] =
	STATEMENTS("tag_events", "ff_instance_tag_event",
			   COLUMNS("e.execution_id", NONE, "e.event_type", "occurred_at_ms",
					   "execution_id, event_type", ", e.tag"),
			   FILTER("e.execution_id", NONE, "e.event_type")),
	[FF_OUTBOX_WORKER_REGISTRY] =
	STATEMENTS("worker_events", "ff_worker_registry_event",
			   COLUMNS(NONE, NONE, "e.event_kind", "event_at_ms",
					   "event_kind", ", e.worker_instance_id, e.reason"),
			   FILTER(NONE, NONE, "e.event_kind")),
};
/* clang-format on */

static Path
path_of(const FfEventFilter *filter)
{
	if (filter->instance_tag)
		return BY_INSTANCE_TAG;
	if (filter->namespace)
		return BY_NAMESPACE;
	return filter->partition.isset ? BY_PARTITION : BY_POSITION;
}

FfRows
ff_events_between(FfOutbox outbox, const FfEventFilter *filter, FfPosition after,
				  FfPosition through, int64 max_rows, bool with_body)
{
	return ff_statement_run(&statements[outbox][path_of(filter)],
							ff_xid8(after.xact_id), ff_int8(after.event_id),
							ff_xid8(through.xact_id), ff_int8(through.event_id),
							ff_int8(max_rows), ff_bool(with_body),
							ff_text(filter->namespace), ff_text(filter->instance_tag),
							filter->partition.isset ? ff_int2((int16) filter->partition.value)
							: ff_null(),
							ff_text(filter->execution_id), ff_text(filter->flow_id),
							ff_pointer(filter->kinds));
}

/*
 * What is there now. Having found nothing the reader stands at the horizon, so
 * that another look does not pass over the same rows again.
 */
static FfRows
look(FfEventReader *reader)
{
	FfPosition	horizon = ff_horizon(false);
	FfRows		rows = ff_events_between(reader->outbox, &reader->filter, reader->after, horizon,
										 reader->max_rows, reader->with_body);

	if (!reader->may_be_trimmed)
		ff_check_not_trimmed(reader->outbox, reader->after);
	if (rows.count == 0 && ff_position_compare(reader->after, horizon) < 0)
		reader->after = horizon;
	return rows;
}

/*
 * Is there an event that cannot be read yet? Committed, above the horizon: it
 * comes soon. Whether it is wanted the next look tells: as long as a transaction
 * holds the horizon there may be millions, too many to search for one.
 */
static bool
is_near(const FfEventReader *reader)
{
	static const FfEventFilter any;
	FfRows		rows = ff_events_between(reader->outbox, &any, reader->after,
										 FF_POSITION_END, 1, false);
	bool		near = rows.count > 0;

	ff_rows_free(&rows);
	return near;
}

FfRows
ff_events_read(FfEventReader *reader)
{
	FfWait		wait;
	FfRows		rows;

	if (TransactionIdIsValid(GetTopTransactionIdIfAny()))
		reader->block_ms = 0;
	ff_wait_begin(&wait, ff_wait_on_outbox(reader->outbox), reader->block_ms);
	for (;;)
	{
		rows = look(reader);
		if (rows.count > 0 || !ff_wait_next(&wait, wait.block && is_near(reader)))
			break;
		ff_rows_free(&rows);
	}
	ff_wait_end(&wait);
	return rows;
}

FfPosition
ff_event_position(const FfRow *row)
{
	return (FfPosition) {
		.xact_id = ff_row_xid8(row, FF_EVENT_XACT_ID),
		.event_id = ff_row_int8(row, FF_EVENT_ID),
	};
}

NullableDatum
ff_event_uuid(const FfRow *row, int column)
{
	char	   *text = ff_row_cstring(row, column);
	pg_uuid_t  *uuid = palloc(sizeof(pg_uuid_t));

	return text && ff_uuid_read(text, strlen(text), uuid) ? ff_uuid(uuid) : ff_null();
}

NullableDatum
ff_event_execution(const FfRow *row)
{
	char	   *text = ff_row_cstring(row, FF_EVENT_EXECUTION);
	FfExecutionId id = {.partition = ff_row_int2(row, FF_EVENT_PARTITION)};

	if (text == NULL || !ff_uuid_read(text, strlen(text), &id.uuid))
		return ff_null();
	return ff_text(ff_execution_id_text(&id));
}
