/*
 * position.c - places in an outbox, and the cursors that name them.
 */
#include "engine/position.h"

#include "access/xlog.h"
#include "port/pg_bswap.h"

#include "base/error.h"
#include "base/hash.h"

#define CURSOR_TAG 0x02
#define SHORT_CURSOR_SIZE 9		/* tag, event_id */

int
ff_position_compare(FfPosition a, FfPosition b)
{
	if (a.xact_id != b.xact_id)
		return a.xact_id < b.xact_id ? -1 : 1;
	return a.event_id < b.event_id ? -1 : a.event_id > b.event_id;
}

FfPosition
ff_position_before(FfPosition position)
{
	if (position.event_id > PG_INT64_MIN)
		position.event_id--;
	else
	{
		position.xact_id--;
		position.event_id = PG_INT64_MAX;
	}
	return position;
}

static FfStatement read_horizon =
FF_STATEMENT("read_horizon", "", "SELECT pg_snapshot_xmin(pg_current_snapshot())");

FfPosition
ff_horizon(bool on_callers)
{
	FfRows		rows = ff_statement_execute(&read_horizon, NULL, 0, on_callers);
	FfRow		row = ff_rows_get(&rows, 0);
	FfPosition	horizon = {.xact_id = ff_row_xid8(&row, 1) - 1,.event_id = PG_INT64_MAX};

	ff_rows_free(&rows);
	return horizon;
}

uint32
ff_era(void)
{
	uint64		identifier = pg_hton64(GetSystemIdentifier());

	return (uint32) ff_hash_fnv64(FF_FNV64_BASIS, &identifier, sizeof(identifier));
}

/* What was trimmed in another era is no loss: its cursors are refused, all start anew. */
static FfStatement read_trimmed =
FF_STATEMENT("read_trimmed", "text, bigint",
			 "SELECT trimmed_xact_id, trimmed_event_id FROM @extschema@.ff_outbox_state"
			 " WHERE stream = $1 AND era = $2");

FfPosition
ff_trimmed(FfOutbox outbox)
{
	FfRows		rows = ff_statement_run(&read_trimmed, ff_text(ff_outbox_names[outbox].stream),
										ff_int8(ff_era()));
	FfPosition	trimmed = FF_POSITION_EARLIEST;

	if (rows.count > 0)
	{
		FfRow		row = ff_rows_get(&rows, 0);

		trimmed = ff_position_of(&row);
	}
	ff_rows_free(&rows);
	return trimmed;
}

static void
raise_trimmed(FfOutbox outbox, FfPosition trimmed)
{
	ff_raise(FF_INVALID_OFFSET,
			 errmsg("the cursor lies before events of outbox %s that are gone",
					ff_outbox_names[outbox].stream),
			 errdetail("trimmed: everything up to event " INT64_FORMAT " of transaction " UINT64_FORMAT,
					   trimmed.event_id, trimmed.xact_id),
			 errhint("Events may be lost. Go on with what is kept, from ff_event_cursor('%s', 'earliest').",
					 ff_outbox_names[outbox].stream));
}

void
ff_check_not_trimmed(FfOutbox outbox, FfPosition position)
{
	FfPosition	trimmed = ff_trimmed(outbox);

	if (ff_position_compare(position, trimmed) < 0)
		raise_trimmed(outbox, trimmed);
}

/* Big-endian, so that the bytes of cursors sort as the positions do. */
bytea *
ff_cursor_make(FfOutbox outbox, FfPosition position)
{
	bytea	   *bytes = palloc(VARHDRSZ + FF_CURSOR_SIZE);
	uint8	   *at = (uint8 *) VARDATA(bytes);
	uint32		era = pg_hton32(ff_era());
	uint64		xact_id = pg_hton64(position.xact_id);
	uint64		event_id = pg_hton64((uint64) position.event_id);

	SET_VARSIZE(bytes, VARHDRSZ + FF_CURSOR_SIZE);
	at[0] = CURSOR_TAG;
	at[1] = (uint8) outbox;
	memcpy(at + 2, &era, sizeof(era));
	memcpy(at + 6, &xact_id, sizeof(xact_id));
	memcpy(at + 14, &event_id, sizeof(event_id));
	return bytes;
}

static uint64
read_u64(const uint8 *at)
{
	uint64		value;

	memcpy(&value, at, sizeof(value));
	return pg_ntoh64(value);
}

static uint32
read_u32(const uint8 *at)
{
	uint32		value;

	memcpy(&value, at, sizeof(value));
	return pg_ntoh32(value);
}

void
ff_cursor_decode(const bytea *bytes, FfCursor *cursor)
{
	const uint8 *at = (const uint8 *) VARDATA_ANY(bytes);
	size_t		length = VARSIZE_ANY_EXHDR(bytes);
	uint64		event_id;

	if (length != FF_CURSOR_SIZE && length != SHORT_CURSOR_SIZE)
		ff_raise_rule(FF_INVALID_OFFSET, "cursor_length", "the event cursor is malformed",
					  "%zu bytes, a cursor has %d", length, FF_CURSOR_SIZE);
	if (at[0] != CURSOR_TAG)
		ff_raise_rule(FF_INVALID_OFFSET, "cursor_tag", "the event cursor is malformed",
					  "its first byte is 0x%02X, that of a cursor 0x%02X", at[0], CURSOR_TAG);

	memset(cursor, 0, sizeof(FfCursor));
	event_id = read_u64(at + (length == FF_CURSOR_SIZE ? 14 : 1));
	if (event_id > PG_INT64_MAX)
		ff_raise_rule(FF_INVALID_OFFSET, "cursor_event_id", "the event cursor is malformed",
					  "its event_id is out of range");
	cursor->position.event_id = (int64) event_id;
	if (length == SHORT_CURSOR_SIZE)
		return;
	if (at[1] < 1 || at[1] > FF_OUTBOXES)
		ff_raise_rule(FF_INVALID_OFFSET, "cursor_outbox", "the event cursor is malformed",
					  "its second byte, %d, is no outbox", at[1]);
	cursor->outbox = at[1];
	cursor->era = read_u32(at + 2);
	cursor->position.xact_id = read_u64(at + 6);
}

static void
check_belongs(const FfCursor *cursor, FfOutbox outbox)
{
	const char *stream = ff_outbox_names[outbox].stream;

	if (cursor->outbox != outbox)
		ff_raise(FF_INVALID_OFFSET,
				 errmsg("the cursor is of outbox %s, not of %s",
						ff_outbox_names[cursor->outbox].stream, stream),
				 errdetail("cursor_outbox: %d", cursor->outbox),
				 errhint("Start from ff_event_cursor('%s', 'earliest'), and drop the event_ids you know.",
						 stream));
	if (cursor->era != ff_era())
		ff_raise(FF_INVALID_OFFSET,
				 errmsg("the cursor is of another cluster, from before a restore or upgrade"),
				 errdetail("cursor_era: %u, this cluster's is %u", cursor->era, ff_era()),
				 errhint("Start from ff_event_cursor('%s', 'earliest'), and drop the event_ids you know.",
						 stream));
}

/*
 * The older form. The rows behind an event_id are read in event_id order, all
 * of them: it comes from a reader that is about to read them anyway. The inner
 * ORDER BY chooses the index.
 */
#define FIRST_BEHIND(name, table) \
	FF_STATEMENT(name, "bigint, xid8", \
				 "SELECT a.place[1]::text::xid8, a.place[2]" \
				 " FROM (SELECT min(ARRAY[r.xact_id::text::bigint, r.event_id]) AS place" \
				 " FROM (SELECT e.xact_id, e.event_id FROM @extschema@." table " e" \
				 " WHERE e.event_id > $1 ORDER BY e.event_id OFFSET 0) r" \
				 " WHERE r.xact_id <= $2) a WHERE a.place IS NOT NULL")

static FfStatement first_behind[FF_OUTBOXES + 1] = {
	[FF_OUTBOX_COMPLETION] = FIRST_BEHIND("first_completion_behind", "ff_completion_event"),
	[FF_OUTBOX_LEASE_HISTORY] = FIRST_BEHIND("first_lease_behind", "ff_lease_event"),
	[FF_OUTBOX_SIGNAL_DELIVERY] = FIRST_BEHIND("first_signal_behind", "ff_signal_event"),
	[FF_OUTBOX_OPERATOR_EVENTS] = FIRST_BEHIND("first_operator_behind", "ff_operator_event"),
	[FF_OUTBOX_INSTANCE_TAGS] = FIRST_BEHIND("first_tag_behind", "ff_instance_tag_event"),
	[FF_OUTBOX_WORKER_REGISTRY] = FIRST_BEHIND("first_worker_behind", "ff_worker_registry_event"),
};

/*
 * Just before the first readable row behind an event_id, or the horizon where
 * there is none: what is not readable yet comes after both.
 */
static FfPosition
behind_event(FfOutbox outbox, int64 event_id)
{
	FfPosition	horizon = ff_horizon(false);
	FfPosition	trimmed = ff_trimmed(outbox);
	FfRow		row;

	if (event_id < trimmed.event_id)
		raise_trimmed(outbox, trimmed);
	if (!ff_statement_row(&first_behind[outbox], &row, ff_int8(event_id), ff_xid8(horizon.xact_id)))
		return horizon;
	return ff_position_before(ff_position_of(&row));
}

FfPosition
ff_cursor_resolve(const bytea *bytes, FfOutbox outbox)
{
	FfCursor	cursor;

	if (bytes == NULL || VARSIZE_ANY_EXHDR(bytes) == 0)
		return ff_horizon(false);
	ff_cursor_decode(bytes, &cursor);
	if (cursor.outbox == 0)
		return behind_event(outbox, cursor.position.event_id);
	check_belongs(&cursor, outbox);
	return cursor.position;
}

#define LAST_READABLE(name, table) \
	FF_STATEMENT(name, "xid8", \
				 "SELECT xact_id, event_id FROM @extschema@." table " WHERE xact_id <= $1" \
				 " ORDER BY xact_id DESC, event_id DESC LIMIT 1")

static FfStatement last_readable[FF_OUTBOXES + 1] = {
	[FF_OUTBOX_COMPLETION] = LAST_READABLE("last_completion", "ff_completion_event"),
	[FF_OUTBOX_LEASE_HISTORY] = LAST_READABLE("last_lease", "ff_lease_event"),
	[FF_OUTBOX_SIGNAL_DELIVERY] = LAST_READABLE("last_signal", "ff_signal_event"),
	[FF_OUTBOX_OPERATOR_EVENTS] = LAST_READABLE("last_operator", "ff_operator_event"),
	[FF_OUTBOX_INSTANCE_TAGS] = LAST_READABLE("last_tag", "ff_instance_tag_event"),
	[FF_OUTBOX_WORKER_REGISTRY] = LAST_READABLE("last_worker", "ff_worker_registry_event"),
};

FfPosition
ff_latest(FfOutbox outbox)
{
	NullableDatum horizon = ff_xid8(ff_horizon(true).xact_id);
	FfRows		rows = ff_statement_execute(&last_readable[outbox], &horizon, 1, true);
	FfPosition	trimmed = ff_trimmed(outbox);
	FfPosition	last = FF_POSITION_EARLIEST;

	if (rows.count > 0)
	{
		FfRow		row = ff_rows_get(&rows, 0);

		last = ff_position_of(&row);
	}
	return ff_position_compare(last, trimmed) < 0 ? trimmed : last;
}
