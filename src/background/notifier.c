/*
 * notifier.c - sending the notifications that commits left to the worker.
 *
 * A NOTIFY takes a lock of the whole cluster until its commit is done, so here
 * one transaction sends for all commits since the last. News of an event that
 * readers cannot see yet, since an older transaction still runs, is sent once
 * more when they can.
 */
#include "background/notifier.h"

#include "access/transam.h"
#include "access/xact.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"

#include "base/clock.h"
#include "base/setting.h"
#include "background/transaction.h"
#include "engine/wake.h"

/* How often the horizon is looked at, in milliseconds: at first, and at most. */
#define FIRST_LOOK_MS 5
#define LAST_LOOK_MS 250
/* How long to wait after a failure to send. */
#define RETRY_MS 1000

static FfMarks pending;			/* collected, not sent */
static bool have_pending = false;
static FfNews echoes[FF_OUTBOXES + 1];	/* sent before their events could be read */
static bool have_echoes = false;
static int64 last_sent_ms = 0;
static int64 look_ms = FIRST_LOOK_MS;
static int64 next_look_ms = FF_NEVER_DUE;
static bool warned = false;

int64
ff_notifier_gate_ms(void)
{
	return last_sent_ms + ff_notify_delay_ms;
}

/* Take over the slot's marks. */
static void
collect(FfSlot *slot)
{
	FfMarks    *marks = &slot->marks;

	LWLockAcquire(slot->lock, LW_EXCLUSIVE);
	for (int i = 1; i <= FF_OUTBOXES; i++)
	{
		ff_news_add(&pending.outboxes[i], &marks->outboxes[i]);
		have_pending |= marks->outboxes[i].event_id != 0;
	}
	for (int i = 0; i < marks->nlanes; i++)
		ff_marks_lane(&pending, marks->lanes[i]);
	pending.more_lanes |= marks->more_lanes;
	have_pending |= pending.nlanes > 0;
	ff_marks_clear(marks);
	slot->wake_pending = false;
	LWLockRelease(slot->lock);
}

static void
send_all(void)
{
	for (int i = 1; i <= FF_OUTBOXES; i++)
		if (pending.outboxes[i].event_id != 0)
			ff_wake_notify_outbox(i, pending.outboxes[i].event_id);
	if (pending.more_lanes)
		ff_wake_notify_lane("");
	else
		for (int i = 0; i < pending.nlanes; i++)
			ff_wake_notify_lane(pending.lanes[i]);
}

/* The oldest transaction that may still write, with its epoch. */
static uint64
horizon(void)
{
	TransactionId xmin = GetTransactionSnapshot()->xmin;
	uint64		next = U64FromFullTransactionId(ReadNextFullTransactionId());

	/* read after it, the next one is not behind xmin, and at most two billion ahead */
	return next - (uint32) ((uint32) next - xmin);
}

/* What was sent and cannot be read yet is to be sent once more. */
static void
note_echoes(uint64 readable_below)
{
	for (int i = 1; i <= FF_OUTBOXES; i++)
		if (pending.outboxes[i].xact_id >= readable_below)
		{
			/* what waits there may be of a younger transaction */
			ff_news_add(&echoes[i], &pending.outboxes[i]);
			have_echoes = true;
		}
	if (have_echoes)
	{
		look_ms = FIRST_LOOK_MS;
		next_look_ms = ff_steady_ms() + look_ms;
	}
}

/* In a transaction: what can be read by now is pending again. */
static void
look_at_horizon(void)
{
	uint64		readable_below = horizon();

	have_echoes = false;
	for (int i = 1; i <= FF_OUTBOXES; i++)
	{
		if (echoes[i].event_id == 0)
			continue;
		if (echoes[i].xact_id < readable_below)
		{
			ff_news_add(&pending.outboxes[i], &echoes[i]);
			have_pending = true;
			memset(&echoes[i], 0, sizeof(FfNews));
		}
		else
			have_echoes = true;
	}
	look_ms = Min(look_ms * 2, LAST_LOOK_MS);
	next_look_ms = have_echoes ? ff_steady_ms() + look_ms : FF_NEVER_DUE;
}

static bool
send_in_transaction(void *arg)
{
	/* nobody waits for this commit to be durable */
	(void) set_config_option("synchronous_commit", "off", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_LOCAL, true, 0, false);
	if (have_echoes && ff_steady_ms() >= next_look_ms)
		look_at_horizon();
	if (have_pending)
	{
		uint64		readable_below = horizon();

		send_all();
		note_echoes(readable_below);
	}
	return true;
}

void
ff_notifier_run(FfSlot *slot, bool at_once)
{
	int64		now_ms = ff_steady_ms();

	if (!at_once && now_ms < ff_notifier_gate_ms())
		return;
	collect(slot);
	if (!have_pending && now_ms < next_look_ms)
		return;
	last_sent_ms = now_ms;
	if (!ff_transaction_run("notify", send_in_transaction, NULL))
	{
		if (!warned)
			ff_transaction_log("notify");
		warned = true;
		last_sent_ms = now_ms + RETRY_MS;
		return;
	}
	warned = false;
	ff_marks_clear(&pending);
	have_pending = false;
}

int64
ff_notifier_next_ms(void)
{
	return Max(ff_notifier_gate_ms(), have_pending ? 0 : next_look_ms);
}
