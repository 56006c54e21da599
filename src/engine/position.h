/*
 * position.h - places in an outbox, and the cursors that name them
 * (specification chapter 08, section 4).
 *
 * A position is (xact_id, event_id): the writing transaction, then the order
 * inside it. A reader sees what lies at or before the horizon, below the oldest
 * transaction that was running: everything there has ended, so nothing can
 * appear later at or before a position that was handed out.
 */
#ifndef FF_POSITION_H
#define FF_POSITION_H

#include "base/compat.h"

#include "engine/outbox.h"

/* Read up to here: events at or before it are done with. */
typedef struct FfPosition
{
	uint64		xact_id;
	int64		event_id;
} FfPosition;

/* Before the oldest row; behind everything there will ever be. */
#define FF_POSITION_EARLIEST ((FfPosition) {.xact_id = 0,.event_id = 0})
#define FF_POSITION_END ((FfPosition) {.xact_id = PG_UINT64_MAX,.event_id = PG_INT64_MAX})

/* Of a row whose first two columns are xact_id and event_id. */
static inline FfPosition
ff_position_of(const FfRow *row)
{
	return (FfPosition) {.xact_id = ff_row_xid8(row, 1),.event_id = ff_row_int8(row, 2)};
}

/* Negative, 0 or positive, as a lies before, at or behind b. */
extern int	ff_position_compare(FfPosition a, FfPosition b);

/* The position just before one. */
extern FfPosition ff_position_before(FfPosition position);

/*
 * The last position below every transaction that was running. Good for this
 * snapshot and all later ones, for nothing appears below it any more. Takes no
 * transaction id. on_callers: of the caller's snapshot, for functions declared
 * STABLE, else of a new one.
 */
extern FfPosition ff_horizon(bool on_callers);

/*
 * The position of an outbox's last event that can be read, or was before it was
 * removed; by the caller's snapshot. Not the horizon itself, for that may lie
 * above transactions that came to nothing and are in no log yet: after a crash
 * their ids are given out again, to events that a cursor kept from before would
 * lie behind.
 */
extern FfPosition ff_latest(FfOutbox outbox);

/* Which cluster positions belong to: a hash of its system identifier. */
extern uint32 ff_era(void);

/* The last position removed from an outbox; FF_POSITION_EARLIEST if nothing was. */
extern FfPosition ff_trimmed(FfOutbox outbox);

/*
 * Raises invalid_offset when events behind the position were removed: the
 * reader that stands there has lost them. Judge after reading, in a later
 * snapshot, for rows may go in between.
 */
extern void ff_check_not_trimmed(FfOutbox outbox, FfPosition position);

/* Bytes of a cursor; see the specification for the format. */
#define FF_CURSOR_SIZE 22

/* What a cursor holds, undone from its bytes and not compared with anything. */
typedef struct FfCursor
{
	FfOutbox	outbox;			/* 0: the older form, of 9 bytes, which has an event_id alone */
	uint32		era;
	FfPosition	position;
} FfCursor;

/* The cursor of a position in this cluster; palloc'd. */
extern bytea *ff_cursor_make(FfOutbox outbox, FfPosition position);

/* Raises invalid_offset for bytes that are no cursor. */
extern void ff_cursor_decode(const bytea *bytes, FfCursor *cursor);

/*
 * The position that a cursor names in an outbox; NULL and an empty one are the
 * horizon. Raises invalid_offset for a malformed one, and for one of another
 * outbox or era.
 */
extern FfPosition ff_cursor_resolve(const bytea *bytes, FfOutbox outbox);

/* True for the position that stands before whatever is kept: it loses nothing by trimming. */
static inline bool
ff_position_is_earliest(FfPosition position)
{
	return position.xact_id == 0 && position.event_id == 0;
}

#endif							/* FF_POSITION_H */
