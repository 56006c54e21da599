/*
 * subscription.c - durable subscriptions as rows.
 */
#include "engine/subscription.h"

#include "base/error.h"
#include "base/id.h"
#include "base/jsonbarg.h"

static const FfJsonField filter_fields[] = {
	FF_JSON_OPTIONAL("namespace", FF_JSON_STRING),
	FF_JSON_OPTIONAL("instance_tag", FF_JSON_STRING),
	FF_JSON_OPTIONAL("execution_id", FF_JSON_STRING),
	FF_JSON_OPTIONAL("flow_id", FF_JSON_UUID),
	FF_JSON_OPTIONAL("partition_key", FF_JSON_INTEGER(0, FF_PARTITIONS - 1)),
	FF_JSON_OPTIONAL("event_types", FF_JSON_ARRAY(FF_JSON_UNBOUNDED, FF_JSON_EACH(FF_JSON_STRING))),
};
static const FfJsonShape filter_shape = FF_JSON_OBJECT(filter_fields);

void
ff_subscription_check_filter(Jsonb *filter)
{
	char	   *execution_id;
	FfExecutionId id;

	ff_json_check(filter, &filter_shape, "filter", FF_INVALID_INPUT, "json_shape");
	execution_id = ff_json_string_or_null(ff_json_root(filter), "execution_id");
	if (execution_id)
		ff_execution_id_parse(execution_id, &id);
}

FfEventFilter
ff_subscription_filter(Jsonb *document)
{
	JsonbContainer *root = ff_json_root(document);
	char	   *execution_id = ff_json_string_or_null(root, "execution_id");
	pg_uuid_t  *flow_id = ff_json_uuid_or_null(root, "flow_id");
	FfEventFilter filter = {
		.namespace = ff_json_string_or_null(root, "namespace"),
		.instance_tag = ff_json_string_or_null(root, "instance_tag"),
		.flow_id = flow_id ? ff_uuid_text(flow_id) : NULL,
		.partition = ff_json_maybe_int8(root, "partition_key"),
		.kinds = ff_json_text_array_or_null(root, "event_types"),
	};

	if (execution_id)
	{
		FfExecutionId id;

		ff_execution_id_parse(execution_id, &id);
		filter.execution_id = ff_execution_id_text(&id);
		/* spares looking at the rows of other partitions */
		if (!filter.partition.isset)
			filter.partition = ff_some(id.partition);
	}
	return filter;
}

static FfStatement insert_subscription =
FF_STATEMENT("insert_subscription", "text, text, jsonb, bigint, xid8, bigint, bigint",
			 "INSERT INTO @extschema@.ff_subscription"
			 " (name, stream, filter, era, xact_id, event_id, created_at_ms)"
			 " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (name) DO NOTHING");

bool
ff_subscription_add(const FfSubscription *subscription)
{
	return ff_statement_run(&insert_subscription, ff_text(subscription->name),
							ff_text(ff_outbox_names[subscription->outbox].stream),
							ff_pointer(subscription->filter), ff_int8(ff_era()),
							ff_xid8(subscription->position.xact_id),
							ff_int8(subscription->position.event_id),
							ff_int8(subscription->created_at_ms)).count > 0;
}

#define READ_SUBSCRIPTION \
	"SELECT name, stream, filter, era, xact_id, event_id, created_at_ms, acked_at_ms" \
	" FROM @extschema@.ff_subscription"

static FfStatement find_subscription =
FF_STATEMENT("find_subscription", "text", READ_SUBSCRIPTION " WHERE name = $1");

static FfStatement lock_subscription =
FF_STATEMENT("lock_subscription", "text", READ_SUBSCRIPTION " WHERE name = $1 FOR UPDATE");

static FfStatement list_subscriptions =
FF_STATEMENT("list_subscriptions", "text",
			 READ_SUBSCRIPTION " WHERE $1::text IS NULL OR stream = $1 ORDER BY name");

static FfStatement delete_subscription =
FF_STATEMENT("delete_subscription", "text",
			 "DELETE FROM @extschema@.ff_subscription WHERE name = $1");

static void
read_row(const FfRow *row, FfSubscription *subscription)
{
	*subscription = (FfSubscription) {
		.name = ff_row_cstring(row, 1),
		.outbox = ff_outbox_find(ff_row_cstring(row, 2)),
		.filter = ff_row_jsonb(row, 3),
		.other_era = ff_row_int8(row, 4) != ff_era(),
		.created_at_ms = ff_row_int8(row, 7),
		.acked_at_ms = ff_row_maybe_int8(row, 8),
	};
	if (subscription->other_era)
		subscription->position = FF_POSITION_EARLIEST;
	else
		subscription->position = (FfPosition) {
			.xact_id = ff_row_xid8(row, 5),
			.event_id = ff_row_int8(row, 6),
		};
}

static void
find(FfStatement *statement, const char *name, FfSubscription *subscription)
{
	FfRow		row;

	if (!ff_statement_row(statement, &row, ff_text(name)))
		ff_raise(FF_NOT_FOUND, errmsg("subscription \"%s\" does not exist", name));
	read_row(&row, subscription);
}

void
ff_subscription_find(const char *name, FfSubscription *subscription)
{
	find(&find_subscription, name, subscription);
}

void
ff_subscription_lock(const char *name, FfSubscription *subscription)
{
	find(&lock_subscription, name, subscription);
}

bool
ff_subscription_remove(const char *name)
{
	return ff_statement_run(&delete_subscription, ff_text(name)).count > 0;
}

FfSubscription *
ff_subscription_list(int outbox, int *count)
{
	FfRows		rows = ff_statement_run(&list_subscriptions,
										ff_text(outbox ? ff_outbox_names[outbox].stream : NULL));
	FfSubscription *list = palloc((rows.count + 1) * sizeof(FfSubscription));

	for (uint64 i = 0; i < rows.count; i++)
	{
		FfRow		row = ff_rows_get(&rows, i);

		read_row(&row, &list[i]);
	}
	*count = (int) rows.count;
	return list;
}

static FfStatement ack_subscription =
FF_STATEMENT("ack_subscription", "text, bigint, xid8, bigint, bigint",
			 "UPDATE @extschema@.ff_subscription"
			 " SET era = $2, xact_id = $3, event_id = $4, acked_at_ms = $5 WHERE name = $1");

void
ff_subscription_ack(const FfSubscription *subscription, FfPosition position, int64 now_ms)
{
	ff_statement_run(&ack_subscription, ff_text(subscription->name), ff_int8(ff_era()),
					 ff_xid8(position.xact_id), ff_int8(position.event_id), ff_int8(now_ms));
}

/* A position of another era is none of this one's. */
static FfStatement skip_events =
FF_STATEMENT("skip_events", "text, bigint, xid8, bigint, boolean, xid8, bigint",
			 "UPDATE @extschema@.ff_subscription s"
			 " SET era = $2, xact_id = $6, event_id = $7"
			 " FROM (SELECT name FROM @extschema@.ff_subscription"
			 " WHERE name = $1 AND (CASE WHEN $5 THEN era <> $2"
			 " ELSE era = $2 AND xact_id = $3 AND event_id = $4 END)"
			 " FOR UPDATE SKIP LOCKED) k WHERE s.name = k.name");

bool
ff_subscription_skip(const FfSubscription *subscription, FfPosition position)
{
	return ff_statement_run(&skip_events, ff_text(subscription->name), ff_int8(ff_era()),
							ff_xid8(subscription->position.xact_id),
							ff_int8(subscription->position.event_id),
							ff_bool(subscription->other_era),
							ff_xid8(position.xact_id), ff_int8(position.event_id)).count > 0;
}

bool
ff_subscription_is_overtaken(const FfSubscription *subscription, FfPosition trimmed)
{
	return !subscription->other_era &&
		ff_position_compare(subscription->position, trimmed) < 0;
}

FfPosition
ff_subscription_start(FfOutbox outbox, FfPosition position)
{
	return ff_position_is_earliest(position) ? ff_trimmed(outbox) : position;
}
