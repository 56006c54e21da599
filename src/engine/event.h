/*
 * event.h - reading outboxes by position (specification chapter 08, section 5).
 */
#ifndef FF_EVENT_H
#define FF_EVENT_H

#include "base/compat.h"

#include "utils/array.h"

#include "engine/position.h"

/* Which events are wanted; all of what is set must fit. NULL in a row fits nothing. */
typedef struct FfEventFilter
{
	const char *namespace;
	const char *instance_tag;
	const char *execution_id;	/* {fp:N}:<uuid>, lower case */
	const char *flow_id;		/* lower case */
	ArrayType  *kinds;			/* text[]: outcome, event_type, effect or event_kind */
	FfInt8		partition;
} FfEventFilter;

/* The columns of a row of events. */
enum FfEventColumn
{
	FF_EVENT_XACT_ID = 1,
	FF_EVENT_ID,
	FF_EVENT_PARTITION,
	FF_EVENT_EXECUTION,			/* the uuid as text, if it is one; NULL: it concerns none */
	FF_EVENT_FLOW,				/* likewise */
	FF_EVENT_KIND,
	FF_EVENT_NAMESPACE,
	FF_EVENT_INSTANCE_TAG,
	FF_EVENT_OCCURRED_AT_MS,
	FF_EVENT_BODY,				/* the row's other columns as jsonb, if asked for */
	FF_EVENT_OWN				/* from here on: columns that only this outbox has */
};

/*
 * Columns of its own, in order. lease_history: lease_id, lease_epoch,
 * attempt_index, worker_instance_id, revoked_by, reason. signal_delivery:
 * signal_id, waitpoint_id, source_identity. operator_events: details.
 * instance_tags: tag. worker_registry: worker_instance_id, reason. Ids are text.
 */

/*
 * Events behind `after` and not behind `through`, in the order of positions, at
 * most max_rows. To read whole, `through` must not lie behind a horizon that was
 * taken before.
 */
extern FfRows ff_events_between(FfOutbox outbox, const FfEventFilter *filter, FfPosition after,
								FfPosition through, int64 max_rows, bool with_body);

/* A reader, and how long it waits where there is nothing. */
typedef struct FfEventReader
{
	FfOutbox	outbox;
	FfEventFilter filter;
	FfPosition	after;
	bool		may_be_trimmed; /* false: rows removed behind `after` are an error */
	int64		max_rows;
	int64		block_ms;
	bool		with_body;
} FfEventReader;

/*
 * Read, or wait until there is something to read. Does not wait in a
 * transaction that has a transaction id, for it would wait for its own end.
 * Raises invalid_offset where events were removed before the reader saw them.
 */
extern FfRows ff_events_read(FfEventReader *reader);

/* The position of a row of events. */
extern FfPosition ff_event_position(const FfRow *row);

/* What {fp:N}:<uuid> the row names, and its uuid columns, which are text; SQL NULL if it is no uuid. */
extern NullableDatum ff_event_execution(const FfRow *row);
extern NullableDatum ff_event_uuid(const FfRow *row, int column);

#endif							/* FF_EVENT_H */
