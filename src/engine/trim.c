/*
 * trim.c - removing old events.
 */
#include "engine/trim.h"

#include "base/setting.h"
#include "engine/subscription.h"

/* Looking at an event costs far less than deleting one. */
#define LOOKS_PER_DELETION 10
#define CHUNK 10000				/* events deleted by one statement */

#define RANGE "(xact_id, event_id) > ($1, $2) AND (xact_id, event_id) <= ($3, $4)"

typedef struct OutboxStatements
{
	FfStatement oldest;			/* the first rows of a range, as far as trimming cares */
	FfStatement nth;			/* the position of the row number $5, from 0, of a range */
	FfStatement last;			/* the position of its last row */
	FfStatement delete;
} OutboxStatements;

#define STATEMENTS(stream, table, recorded_at_ms, undispatched) { \
	.oldest = FF_STATEMENT("oldest_" stream, "xid8, bigint, xid8, bigint, bigint", \
		"SELECT xact_id, event_id, " recorded_at_ms ", " undispatched " FROM @extschema@." table \
		" WHERE " RANGE " ORDER BY xact_id, event_id LIMIT $5"), \
	.nth = FF_STATEMENT("nth_" stream, "xid8, bigint, xid8, bigint, bigint", \
		"SELECT xact_id, event_id FROM @extschema@." table \
		" WHERE " RANGE " ORDER BY xact_id, event_id OFFSET $5 LIMIT 1"), \
	.last = FF_STATEMENT("last_" stream, "xid8, bigint, xid8, bigint", \
		"SELECT xact_id, event_id FROM @extschema@." table \
		" WHERE " RANGE " ORDER BY xact_id DESC, event_id DESC LIMIT 1"), \
	.delete = FF_STATEMENT("delete_" stream, "xid8, bigint, xid8, bigint", \
		"DELETE FROM @extschema@." table " WHERE " RANGE), \
}

/* clang-format off */
static OutboxStatements statements[FF_OUTBOXES + 1] = {
	[FF_OUTBOX_COMPLETION] = STATEMENTS("completions", "ff_completion_event", "committed_at_ms",
										"dispatched_at_ms IS NULL"),
	[FF_OUTBOX_LEASE_HISTORY] = STATEMENTS("lease_events", "ff_lease_event", "recorded_at_ms", "false"),
	[FF_OUTBOX_SIGNAL_DELIVERY] = STATEMENTS("signal_events", "ff_signal_event", "recorded_at_ms", "false"),
	[FF_OUTBOX_OPERATOR_EVENTS] = STATEMENTS("operator_events", "ff_operator_event", "recorded_at_ms", "false"),
	[FF_OUTBOX_INSTANCE_TAGS] = STATEMENTS("tag_events", "ff_instance_tag_event", "recorded_at_ms", "false"),
	[FF_OUTBOX_WORKER_REGISTRY] = STATEMENTS("worker_events", "ff_worker_registry_event", "recorded_at_ms", "false"),
};
/* clang-format on */

/* What may go from an outbox. */
typedef struct Rules
{
	FfOutbox	outbox;
	int64		before_ms;		/* recorded before this */
	int64		in_any_case_ms; /* recorded before this: whoever has not acknowledged it */
	FfPosition	acknowledged;	/* by every subscription */
	FfPosition	horizon;
} Rules;

static bool
is_wanted(FfOutbox outbox, const FfEventFilter *filter, FfPosition from, FfPosition to, FfPosition *at)
{
	FfRows		rows = ff_events_between(outbox, filter, from, to, 1, false);
	bool		wanted = rows.count > 0;

	if (wanted)
	{
		FfRow		row = ff_rows_get(&rows, 0);

		*at = ff_event_position(&row);
	}
	ff_rows_free(&rows);
	return wanted;
}

/* The position of the row number n, from 0, of a range; false if it has fewer. */
static bool
find_nth(FfOutbox outbox, FfPosition from, FfPosition to, int64 n, FfPosition *at)
{
	FfRow		row;

	if (!ff_statement_row(&statements[outbox].nth, &row, ff_xid8(from.xact_id),
						  ff_int8(from.event_id), ff_xid8(to.xact_id), ff_int8(to.event_id),
						  ff_int8(n)))
		return false;
	*at = ff_position_of(&row);
	return true;
}

static bool
find_last(FfOutbox outbox, FfPosition from, FfPosition to, FfPosition *at)
{
	FfRow		row;

	if (!ff_statement_row(&statements[outbox].last, &row, ff_xid8(from.xact_id),
						  ff_int8(from.event_id), ff_xid8(to.xact_id), ff_int8(to.event_id)))
		return false;
	*at = ff_position_of(&row);
	return true;
}

/*
 * Move one subscription over the events before the first that it wants, at most
 * nrows of them. `more`: there may be more to pass. One that was overtaken
 * stays where it is, to show its loss.
 */
static bool
pass_over(const FfSubscription *subscription, FfPosition trimmed, FfPosition horizon,
		  int64 nrows, bool *more)
{
	FfOutbox	outbox = subscription->outbox;
	FfEventFilter filter = ff_subscription_filter(subscription->filter);
	FfPosition	from = ff_subscription_start(outbox, subscription->position);
	FfPosition	to;
	FfPosition	wanted;
	bool		bounded;
	bool		moved;

	if (ff_subscription_is_overtaken(subscription, trimmed) ||
		!find_nth(outbox, from, horizon, 0, &to) ||
		is_wanted(outbox, &filter, from, to, &wanted))
		return false;
	bounded = find_nth(outbox, from, horizon, nrows - 1, &to);
	if (!bounded)
		to = horizon;
	if (is_wanted(outbox, &filter, from, to, &wanted))
	{
		to = ff_position_before(wanted);
		bounded = false;
	}
	moved = find_last(outbox, from, to, &to) && ff_subscription_skip(subscription, to);
	*more |= moved && bounded;
	return moved;
}

/* All subscriptions of an outbox. Returns how many were moved. */
static int
pass_over_unwanted(FfOutbox outbox, int64 nrows, bool *more)
{
	FfPosition	trimmed = ff_trimmed(outbox);
	FfPosition	horizon = ff_horizon(false);
	int			count;
	FfSubscription *list = ff_subscription_list(outbox, &count);
	int			moved = 0;

	for (int i = 0; i < count; i++)
		moved += pass_over(&list[i], trimmed, horizon, nrows, more);
	return moved;
}

/* The position that every subscription has acknowledged. */
static FfPosition
acknowledged(FfOutbox outbox)
{
	FfPosition	least = FF_POSITION_END;
	int			count;
	FfSubscription *list = ff_subscription_list(outbox, &count);

	for (int i = 0; i < count; i++)
		if (ff_position_compare(list[i].position, least) < 0)
			least = list[i].position;
	return least;
}

static FfRows
oldest(const Rules *rules, FfPosition after, int64 nrows)
{
	return ff_statement_run(&statements[rules->outbox].oldest,
							ff_xid8(after.xact_id), ff_int8(after.event_id),
							ff_xid8(rules->horizon.xact_id), ff_int8(rules->horizon.event_id),
							ff_int8(nrows));
}

static bool
is_held(const Rules *rules, const FfRow *row)
{
	return ff_row_bool(row, 4) ||
		(ff_row_int8(row, 3) >= rules->in_any_case_ms &&
		 ff_position_compare(ff_position_of(row), rules->acknowledged) > 0);
}

static bool
may_go(const Rules *rules, const FfRow *row)
{
	return ff_row_int8(row, 3) < rules->before_ms && !is_held(rules, row);
}

/* How many of these rows, from the first, may go. */
static uint64
count_to_go(const Rules *rules, const FfRows *rows)
{
	uint64		n = 0;

	for (; n < rows->count; n++)
	{
		FfRow		row = ff_rows_get(rows, n);
		bool		goes = may_go(rules, &row);

		pfree(row.values);
		pfree(row.nulls);
		if (!goes)
			break;
	}
	return n;
}

/* Is the oldest row one that may go? */
static bool
has_any(const Rules *rules)
{
	FfRows		rows = oldest(rules, ff_trimmed(rules->outbox), 1);
	bool		any = count_to_go(rules, &rows) > 0;

	ff_rows_free(&rows);
	return any;
}

/* Whoever trims an outbox holds the lock of its row. */
static FfStatement insert_state =
FF_STATEMENT("insert_outbox_state", "text, bigint",
			 "INSERT INTO @extschema@.ff_outbox_state"
			 " (stream, trimmed_xact_id, trimmed_event_id, era) VALUES ($1, '0', 0, $2)"
			 " ON CONFLICT (stream) DO NOTHING");

static FfStatement find_state =
FF_STATEMENT("find_outbox_state", "text",
			 "SELECT true FROM @extschema@.ff_outbox_state WHERE stream = $1");

static FfStatement lock_state =
FF_STATEMENT("lock_outbox_state", "text",
			 "SELECT true FROM @extschema@.ff_outbox_state WHERE stream = $1 FOR UPDATE");

static FfStatement try_lock_state =
FF_STATEMENT("try_lock_outbox_state", "text",
			 "SELECT true FROM @extschema@.ff_outbox_state WHERE stream = $1 FOR UPDATE SKIP LOCKED");

static FfStatement update_state =
FF_STATEMENT("update_outbox_state", "text, xid8, bigint, bigint",
			 "UPDATE @extschema@.ff_outbox_state"
			 " SET trimmed_xact_id = $2, trimmed_event_id = $3, era = $4 WHERE stream = $1");

/* False if another session trims it, for which only `wait` waits. */
static bool
lock_outbox(FfOutbox outbox, bool wait)
{
	const char *stream = ff_outbox_names[outbox].stream;
	FfRow		row;

	if (!ff_statement_row(&find_state, &row, ff_text(stream)))
		ff_statement_run(&insert_state, ff_text(stream), ff_int8(ff_era()));
	return ff_statement_row(wait ? &lock_state : &try_lock_state, &row, ff_text(stream));
}

/*
 * Delete up to max_rows; the outbox is locked. Nothing can appear in a range
 * that was judged, since it lies below the horizon.
 */
static int64
delete_oldest(const Rules *rules, int64 max_rows)
{
	FfPosition	after = ff_trimmed(rules->outbox);
	int64		deleted = 0;
	bool		whole = true;

	while (whole && deleted < max_rows)
	{
		int64		wish = Min(CHUNK, max_rows - deleted);
		FfRows		rows = oldest(rules, after, wish);
		uint64		n = count_to_go(rules, &rows);
		FfPosition	to;
		FfRow		row;

		whole = n == (uint64) wish;
		if (n > 0)
		{
			row = ff_rows_get(&rows, n - 1);
			to = ff_position_of(&row);
			deleted += ff_statement_run(&statements[rules->outbox].delete,
										ff_xid8(after.xact_id), ff_int8(after.event_id),
										ff_xid8(to.xact_id), ff_int8(to.event_id)).count;
			after = to;
		}
		ff_rows_free(&rows);
	}
	if (deleted > 0)
		ff_statement_run(&update_state, ff_text(ff_outbox_names[rules->outbox].stream),
						 ff_xid8(after.xact_id), ff_int8(after.event_id), ff_int8(ff_era()));
	return deleted;
}

/* The instant before which events are that old; 0, before all, where the setting is 0: keep. */
static int64
of_age_ms(double retention_ms, int64 now_ms)
{
	return retention_ms > 0 ? now_ms - (int64) retention_ms : 0;
}

static Rules
rules_of(FfOutbox outbox, int64 before_ms, int64 now_ms)
{
	return (Rules) {
		.outbox = outbox,
		.before_ms = before_ms,
		.in_any_case_ms = of_age_ms(ff_outbox_max_retention_ms, now_ms),
		.acknowledged = acknowledged(outbox),
		.horizon = ff_horizon(false),
	};
}

int64
ff_trim(FfOutbox outbox, int64 before_ms, int64 max_rows, bool force, int64 now_ms)
{
	Rules		rules;
	bool		more;

	do
	{
		more = false;
		(void) pass_over_unwanted(outbox, CHUNK * LOOKS_PER_DELETION, &more);
	} while (more);

	rules = rules_of(outbox, before_ms, now_ms);
	if (force)
		rules.acknowledged = FF_POSITION_END;
	if (!has_any(&rules) || !lock_outbox(outbox, true))
		return 0;
	return delete_oldest(&rules, max_rows);
}

void
ff_trim_batch(int64 max_rows, int64 now_ms, FfTrimBatch *batch)
{
	int64		before_ms = of_age_ms(ff_outbox_retention_ms, now_ms);
	int64		left = max_rows;

	memset(batch, 0, sizeof(FfTrimBatch));
	for (FfOutbox outbox = 1; outbox <= FF_OUTBOXES; outbox++)
	{
		Rules		rules;

		batch->processed += pass_over_unwanted(outbox, max_rows * LOOKS_PER_DELETION, &batch->more);
		rules = rules_of(outbox, before_ms, now_ms);
		if (!has_any(&rules))
			continue;
		if (left == 0)
			batch->more = true;
		else if (!lock_outbox(outbox, false))
			batch->skipped++;
		else
		{
			int64		deleted = delete_oldest(&rules, left);

			batch->processed += deleted;
			left -= deleted;
			if (left == 0 && has_any(&rules))
				batch->more = true;
		}
	}
}
