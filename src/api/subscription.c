/*
 * subscription.c - durable subscriptions, and trimming what they have read
 * (specification chapter 08, section 6).
 */
#include "base/compat.h"

#include "base/argument.h"
#include "base/call.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/jsonobject.h"
#include "engine/subscription.h"
#include "engine/trim.h"

#define MAX_NAME 128

static char *
name_argument(FunctionCallInfo fcinfo)
{
	char	   *name = ff_arg_text(fcinfo, 0, "name");

	ff_check_length(name, "name", 1, MAX_NAME);
	return name;
}

static bool
same_jsonb(Jsonb *a, Jsonb *b)
{
	return compareJsonbContainers(&a->root, &b->root) == 0;
}

static bytea *
cursor_of(const FfSubscription *subscription)
{
	return ff_cursor_make(subscription->outbox, subscription->position);
}

/* The name is taken: by a subscription that is the same? */
static void
add_existing(FfCall *call, const FfSubscription *wish)
{
	FfSubscription there;

	ff_subscription_find(wish->name, &there);
	if (there.outbox != wish->outbox || !same_jsonb(there.filter, wish->filter))
		ff_raise(FF_INVALID_INPUT,
				 errmsg("subscription \"%s\" exists with another definition", wish->name),
				 errdetail("subscription_exists: stream %s, filter %s",
						   ff_outbox_names[there.outbox].stream,
						   JsonbToCString(NULL, &there.filter->root, VARSIZE(there.filter))),
				 errhint("Drop it with ff_drop_subscription, or choose another name."));
	ff_call_row(call, ff_text("exists"), ff_pointer(cursor_of(&there)));
}

/* Where a new one starts: behind a cursor, at the oldest event kept, or behind the last that can be read. */
static FfPosition
start_of(FfOutbox outbox, const bytea *cursor, bool earliest)
{
	FfPosition	position;

	if (cursor)
	{
		position = ff_subscription_start(outbox, ff_cursor_resolve(cursor, outbox));
		ff_check_not_trimmed(outbox, position);
		return position;
	}
	return earliest ? ff_subscription_start(outbox, FF_POSITION_EARLIEST) : ff_latest(outbox);
}

PG_FUNCTION_INFO_V1(ff_create_subscription);

Datum
ff_create_subscription(PG_FUNCTION_ARGS)
{
	static const char *const starts[] = {"earliest", "latest"};
	FfCall		call;
	FfSubscription wish = {
		.name = name_argument(fcinfo),
		.outbox = ff_outbox_check(ff_arg_text(fcinfo, 1, "stream")),
		.filter = ff_arg_jsonb_or_null(fcinfo, 2, "filter"),
	};
	int			start = ff_check_one_of(ff_arg_text_or(fcinfo, 3, "latest"), "start_at",
										starts, lengthof(starts));
	bytea	   *cursor = ff_arg_bytea_or_null(fcinfo, 4);

	if (wish.filter == NULL)
		wish.filter = ff_json_end(ff_json_begin());
	ff_subscription_check_filter(wish.filter);

	ff_call_begin(&call, fcinfo);
	wish.position = start_of(wish.outbox, cursor, start == 0);
	wish.created_at_ms = call.now_ms;
	if (ff_subscription_add(&wish))
		ff_call_row(&call, ff_text("created"), ff_pointer(cursor_of(&wish)));
	else
		add_existing(&call, &wish);
	return ff_call_end(&call);
}

static void
add_event(FfCall *call, FfOutbox outbox, const FfRow *row)
{
	ff_call_row(call, ff_pointer(ff_cursor_make(outbox, ff_event_position(row))),
				ff_row_value(row, FF_EVENT_ID), ff_row_value(row, FF_EVENT_KIND),
				ff_event_execution(row), ff_event_uuid(row, FF_EVENT_FLOW),
				ff_row_value(row, FF_EVENT_NAMESPACE), ff_row_value(row, FF_EVENT_INSTANCE_TAG),
				ff_maybe_instant(ff_row_maybe_int8(row, FF_EVENT_OCCURRED_AT_MS)),
				ff_row_value(row, FF_EVENT_BODY));
}

PG_FUNCTION_INFO_V1(ff_poll_subscription);

Datum
ff_poll_subscription(PG_FUNCTION_ARGS)
{
	FfCall		call;
	char	   *name = name_argument(fcinfo);
	bytea	   *cursor = ff_arg_bytea_or_null(fcinfo, 3);
	FfEventReader reader = {
		.max_rows = ff_arg_int4_or(fcinfo, 1, 256),
		.block_ms = ff_arg_int8_or(fcinfo, 2, 0),
		.with_body = true,
	};
	FfSubscription subscription;
	FfRows		rows;

	ff_check_range(reader.max_rows, "max_rows", 1, 10000);
	ff_check_range(reader.block_ms, "block_ms", 0, 30000);

	ff_call_begin(&call, fcinfo);
	ff_subscription_find(name, &subscription);
	reader.outbox = subscription.outbox;
	reader.filter = ff_subscription_filter(subscription.filter);
	if (cursor)
	{
		reader.after = ff_cursor_resolve(cursor, reader.outbox);
		reader.may_be_trimmed = ff_position_is_earliest(reader.after);
	}
	else
	{
		reader.after = subscription.position;
		reader.may_be_trimmed = subscription.other_era;
	}
	rows = ff_events_read(&reader);
	for (uint64 i = 0; i < rows.count; i++)
	{
		FfRow		row = ff_rows_get(&rows, i);

		add_event(&call, reader.outbox, &row);
	}
	return ff_call_end(&call);
}

static void
move_to(FfSubscription *subscription, FfPosition position, int64 now_ms)
{
	position = ff_subscription_start(subscription->outbox, position);
	if (ff_position_compare(position, subscription->position) == 0)
		return;
	ff_subscription_ack(subscription, position, now_ms);
	subscription->position = position;
}

PG_FUNCTION_INFO_V1(ff_ack_subscription);

Datum
ff_ack_subscription(PG_FUNCTION_ARGS)
{
	FfCall		call;
	char	   *name = name_argument(fcinfo);
	bytea	   *cursor = ff_arg_bytea_or_null(fcinfo, 1);
	bool		allow_rewind = ff_arg_bool_or(fcinfo, 2, false);
	FfSubscription subscription;
	FfPosition	position;
	int			order;

	ff_call_begin(&call, fcinfo);
	ff_subscription_lock(name, &subscription);
	/* to a reader these mean "from now on"; to acknowledge all unread by a slip is another matter */
	if (cursor == NULL || VARSIZE_ANY_EXHDR(cursor) == 0)
		ff_raise_rule(FF_INVALID_OFFSET, "cursor_length", "the cursor to acknowledge is empty",
					  "subscription \"%s\"", name);
	position = ff_cursor_resolve(cursor, subscription.outbox);
	if (!ff_position_is_earliest(position))
		ff_check_not_trimmed(subscription.outbox, position);
	if (ff_position_compare(position, ff_horizon(false)) > 0)
		ff_raise_rule(FF_INVALID_INPUT, "cursor_beyond_horizon",
					  "the cursor to acknowledge lies beyond what can be read",
					  "transaction " UINT64_FORMAT ", subscription \"%s\"", position.xact_id, name);

	order = ff_position_compare(position, subscription.position);
	if (order > 0 || allow_rewind)
		move_to(&subscription, position, call.now_ms);
	ff_call_row(&call, ff_text(order < 0 && !allow_rewind ? "behind" : "acked"),
				ff_pointer(cursor_of(&subscription)));
	return ff_call_end(&call);
}

PG_FUNCTION_INFO_V1(ff_drop_subscription);

Datum
ff_drop_subscription(PG_FUNCTION_ARGS)
{
	FfCall		call;
	char	   *name = name_argument(fcinfo);
	bool		existed;

	ff_call_begin_scalar(&call, fcinfo);
	existed = ff_subscription_remove(name);
	ff_call_end(&call);
	PG_RETURN_BOOL(existed);
}

/* When the oldest event happened that a subscription wants, has not acknowledged and could read. */
static NullableDatum
oldest_unacked_at(const FfSubscription *subscription)
{
	FfEventFilter filter = ff_subscription_filter(subscription->filter);
	FfRows		rows = ff_events_between(subscription->outbox, &filter, subscription->position,
										 ff_horizon(false), 1, false);
	FfRow		row;

	if (rows.count == 0)
		return ff_null();
	row = ff_rows_get(&rows, 0);
	return ff_maybe_instant(ff_row_maybe_int8(&row, FF_EVENT_OCCURRED_AT_MS));
}

PG_FUNCTION_INFO_V1(ff_list_subscriptions);

Datum
ff_list_subscriptions(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfSubscription *list;
	int			count;

	ff_call_begin(&call, fcinfo);
	list = ff_subscription_list(0, &count);
	for (int i = 0; i < count; i++)
		ff_call_row(&call, ff_text(list[i].name), ff_text(ff_outbox_names[list[i].outbox].stream),
					ff_pointer(list[i].filter), ff_pointer(cursor_of(&list[i])),
					ff_instant(list[i].created_at_ms), ff_maybe_instant(list[i].acked_at_ms),
					oldest_unacked_at(&list[i]),
					ff_bool(ff_subscription_is_overtaken(&list[i], ff_trimmed(list[i].outbox))));
	return ff_call_end(&call);
}

PG_FUNCTION_INFO_V1(ff_trim_outbox);

Datum
ff_trim_outbox(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfOutbox	outbox = ff_outbox_check(ff_arg_text(fcinfo, 0, "stream"));
	FfInt8		before_ms = ff_arg_maybe_instant(fcinfo, 1, "before");
	int32		max_rows = ff_arg_int4_or(fcinfo, 2, 10000);
	bool		force = ff_arg_bool_or(fcinfo, 3, false);
	int64		deleted;

	if (!before_ms.isset)
		ff_raise_null("before");
	ff_check_range(max_rows, "max_rows", 1, 1000000);

	ff_call_begin_scalar(&call, fcinfo);
	deleted = ff_trim(outbox, before_ms.value, max_rows, force, call.now_ms);
	ff_call_end(&call);
	PG_RETURN_INT64(deleted);
}
