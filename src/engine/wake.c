/*
 * wake.c - waking listeners: what a transaction owes them when it commits.
 */
#include "engine/wake.h"

#include "access/xact.h"
#include "commands/async.h"
#include "nodes/pg_list.h"
#include "utils/memutils.h"

#include "base/setting.h"

#define WORK_CHANNEL "ff_work"

typedef struct OwedChannel
{
	char	   *name;
	int64		event_id;
} OwedChannel;

/* Both live in TopTransactionContext and so end with the transaction. */
static List *owed_channels = NIL;
static List *owed_lanes = NIL;

void
ff_wake_channel(const char *channel, int64 event_id)
{
	MemoryContext old;
	OwedChannel *owed;
	ListCell   *cell;

	if (ff_notify_mode == FF_NOTIFY_OFF)
		return;
	foreach(cell, owed_channels)
	{
		owed = lfirst(cell);
		if (strcmp(owed->name, channel) == 0)
		{
			owed->event_id = Max(owed->event_id, event_id);
			return;
		}
	}
	old = MemoryContextSwitchTo(TopTransactionContext);
	owed = palloc(sizeof(OwedChannel));
	owed->name = pstrdup(channel);
	owed->event_id = event_id;
	owed_channels = lappend(owed_channels, owed);
	MemoryContextSwitchTo(old);
}

void
ff_wake_lane(const char *lane_id)
{
	MemoryContext old;
	ListCell   *cell;

	if (ff_notify_mode == FF_NOTIFY_OFF)
		return;
	foreach(cell, owed_lanes)
	{
		if (strcmp(lfirst(cell), lane_id) == 0)
			return;
	}
	old = MemoryContextSwitchTo(TopTransactionContext);
	owed_lanes = lappend(owed_lanes, pstrdup(lane_id));
	MemoryContextSwitchTo(old);
}

static void
send_owed(void)
{
	ListCell   *cell;

	foreach(cell, owed_channels)
	{
		OwedChannel *owed = lfirst(cell);

		Async_Notify(owed->name, psprintf(INT64_FORMAT, owed->event_id));
	}
	foreach(cell, owed_lanes)
		Async_Notify(WORK_CHANNEL, lfirst(cell));
}

/*
 * Queued just before the commit, so that a long transaction does not queue one
 * per event. A prepared transaction may not notify: its listeners look by
 * themselves.
 */
static void
transaction_ends(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			send_owed();
			break;
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			owed_channels = NIL;
			owed_lanes = NIL;
			break;
		default:
			break;
	}
}

void
ff_wake_init(void)
{
	RegisterXactCallback(transaction_ends, NULL);
}
