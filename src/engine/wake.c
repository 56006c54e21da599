/*
 * wake.c - what a transaction owes when it has committed.
 */
#include "engine/wake.h"

#include "access/xact.h"
#include "commands/async.h"
#include "nodes/pg_list.h"
#include "utils/memutils.h"

#include "base/setting.h"
#include "engine/slot.h"

#define WORK_CHANNEL "ff_work"

/* Claimable work of one class. */
typedef struct Work
{
	FfWorkClass class;
	FfPlace		first;			/* the earliest */
} Work;

/* What a transaction, or a savepoint in it, owes. */
typedef struct Owed
{
	MemoryContext memory;		/* of the lists, and of a savepoint's own Owed */
	int			nest;			/* its transaction nesting level; 0: owes nothing */
	struct Owed *outer;
	FfNews		outboxes[FF_OUTBOXES + 1];
	List	   *lanes;			/* of C strings */
	List	   *works;			/* of Work */
	int64		due_ms[FF_RECONCILERS];
	bool		any_due;
	bool		settings;
	bool		start_worker;
	int64		counts[FF_COUNTERS];
} Owed;

static Owed outermost;
static Owed *owed = NULL;		/* the innermost level that owes something */

/* True when this transaction has notified, or nobody is to. */
static bool notified;

/* A savepoint has memory of its own: a transaction may go through very many of them. */
static void
begin(int nest)
{
	MemoryContext memory = TopTransactionContext;
	Owed	   *level = &outermost;

	if (nest > 1)
	{
		memory = AllocSetContextCreate(TopTransactionContext, "ffengine savepoint",
									   ALLOCSET_SMALL_SIZES);
		level = MemoryContextAlloc(memory, sizeof(Owed));
	}
	memset(level, 0, sizeof(Owed));
	level->memory = memory;
	level->nest = nest;
	level->outer = owed;
	for (int i = 0; i < FF_RECONCILERS; i++)
		level->due_ms[i] = FF_NEVER_DUE;
	owed = level;
	/* found now, so that nothing is to be looked for after the commit */
	(void) ff_slot();
}

/* What the current transaction or savepoint owes. */
static Owed *
current(void)
{
	int			nest = GetCurrentTransactionNestLevel();

	if (owed == NULL || owed->nest < nest)
		begin(nest);
	return owed;
}

void
ff_wake_count(FfCounter counter, int64 n)
{
	current()->counts[counter] += n;
}

void
ff_wake_outbox(FfOutbox outbox, int64 event_id)
{
	FfNews		news = {
		.event_id = event_id,
		.xact_id = U64FromFullTransactionId(GetTopFullTransactionId()),
	};

	ff_news_add(&current()->outboxes[outbox], &news);
	ff_wake_count(FF_COUNT_EVENTS_COMPLETION + outbox - 1, 1);
}

static void
add_lane(Owed *level, const char *lane_id, bool copy)
{
	MemoryContext old;
	ListCell   *cell;

	foreach(cell, level->lanes)
	{
		if (strcmp(lfirst(cell), lane_id) == 0)
			return;
	}
	old = MemoryContextSwitchTo(level->memory);
	level->lanes = lappend(level->lanes, copy ? pstrdup(lane_id) : unconstify(char *, lane_id));
	MemoryContextSwitchTo(old);
}

void
ff_wake_lane(const char *lane_id)
{
	add_lane(current(), lane_id, true);
}

static Work *
find_work(const Owed *level, const FfWorkClass *class)
{
	ListCell   *cell;

	foreach(cell, level->works)
	{
		Work	   *work = lfirst(cell);

		if (work->class.caps_hash == class->caps_hash &&
			work->class.resumable == class->resumable &&
			strcmp(work->class.lane_id, class->lane_id) == 0)
			return work;
	}
	return NULL;
}

static void
add_work(Owed *level, const FfWorkClass *class, const FfPlace *place)
{
	Work	   *work = find_work(level, class);
	MemoryContext old;

	if (work)
	{
		if (ff_place_compare(place, &work->first) < 0)
			work->first = *place;
		return;
	}
	old = MemoryContextSwitchTo(level->memory);
	work = palloc(sizeof(Work));
	work->class = *class;
	work->class.lane_id = pstrdup(class->lane_id);
	work->first = *place;
	level->works = lappend(level->works, work);
	MemoryContextSwitchTo(old);
	add_lane(level, work->class.lane_id, false);
}

void
ff_wake_work(const FfWorkClass *class, const FfPlace *place)
{
	add_work(current(), class, place);
}

bool
ff_wake_owes_work(const FfWorkClass *class, FfPlace *first)
{
	bool		owes = false;

	for (const Owed *level = owed; level; level = level->outer)
	{
		const Work *work = find_work(level, class);

		if (work && (!owes || ff_place_compare(&work->first, first) < 0))
			*first = work->first;
		owes |= work != NULL;
	}
	return owes;
}

static void
add_due(Owed *level, FfReconciler reconciler, int64 due_at_ms)
{
	level->due_ms[reconciler] = Min(level->due_ms[reconciler], due_at_ms);
	level->any_due = true;
}

void
ff_wake_due(FfReconciler reconciler, int64 due_at_ms)
{
	add_due(current(), reconciler, due_at_ms);
}

void
ff_wake_settings(void)
{
	current()->settings = true;
}

void
ff_wake_start_worker(void)
{
	current()->start_worker = true;
}

void
ff_wake_notify_outbox(FfOutbox outbox, int64 event_id)
{
	Async_Notify(ff_outbox_names[outbox].channel, psprintf(INT64_FORMAT, event_id));
	ff_wake_count(FF_COUNT_NOTIFY_COMPLETION + outbox - 1, 1);
}

void
ff_wake_notify_lane(const char *lane_id)
{
	Async_Notify(WORK_CHANNEL, lane_id);
	ff_wake_count(FF_COUNT_NOTIFY_WORK, 1);
}

/* Does the background worker notify of this transaction? */
static bool
worker_notifies(void)
{
	FfSlot	   *slot = ff_slot();

	return ff_notify_mode == FF_NOTIFY_BACKGROUND && slot && slot->worker_pid != 0;
}

/*
 * Queued just before the commit, so that a long transaction does not queue one
 * per event.
 */
static void
notify(void)
{
	ListCell   *cell;

	for (int i = 1; i <= FF_OUTBOXES; i++)
		if (owed->outboxes[i].event_id != 0)
			ff_wake_notify_outbox(i, owed->outboxes[i].event_id);
	foreach(cell, owed->lanes)
		ff_wake_notify_lane(lfirst(cell));
}

/* When the worker is due; true if it is to wake up for that. */
static bool
mark_due(FfSlot *slot)
{
	bool		wake = owed->settings;

	slot->settings |= owed->settings;
	for (int i = 0; owed->any_due && i < FF_RECONCILERS; i++)
	{
		slot->due_ms[i] = Min(slot->due_ms[i], owed->due_ms[i]);
		if (owed->due_ms[i] < slot->worker_due_ms)
		{
			/* nobody else is to wake it for the same */
			slot->worker_due_ms = owed->due_ms[i];
			wake = true;
		}
	}
	return wake;
}

/* What the worker is to notify of; true if it is to wake up for that. */
static bool
mark_news(FfSlot *slot)
{
	FfMarks    *marks = &slot->marks;
	bool		news = owed->lanes != NIL;
	ListCell   *cell;

	if (notified)
		return false;
	for (int i = 1; i <= FF_OUTBOXES; i++)
	{
		news |= owed->outboxes[i].event_id != 0;
		ff_news_add(&marks->outboxes[i], &owed->outboxes[i]);
	}
	foreach(cell, owed->lanes)
		ff_marks_lane(marks, lfirst(cell));
	if (!news || slot->wake_pending)
		return false;
	slot->wake_pending = true;
	return true;
}

/* Those who wait look again: the commit is visible. */
static void
broadcast(FfSlot *slot)
{
	ListCell   *cell;

	for (int i = 1; i <= FF_OUTBOXES; i++)
		if (owed->outboxes[i].event_id != 0)
			ConditionVariableBroadcast(&slot->outbox_changed[i]);
	foreach(cell, owed->lanes)
		ConditionVariableBroadcast(ff_slot_lane_changed(slot, lfirst(cell)));
}

static bool
owes_news(void)
{
	for (int i = 1; i <= FF_OUTBOXES; i++)
		if (owed->outboxes[i].event_id != 0)
			return true;
	return owed->lanes != NIL || owed->any_due || owed->settings;
}

/* What is shared, at once; the latch to be set, or NULL. */
static Latch *
mark(FfSlot *slot)
{
	bool		due;
	bool		news;
	Latch	   *latch;
	ListCell   *cell;

	LWLockAcquire(slot->lock, LW_EXCLUSIVE);
	foreach(cell, owed->works)
	{
		Work	   *work = lfirst(cell);

		ff_frontier_move_back(&slot->frontiers, &work->class, &work->first);
	}
	due = mark_due(slot);
	news = mark_news(slot);
	latch = due || news ? slot->worker_latch : NULL;
	LWLockRelease(slot->lock);
	return latch;
}

/* The commit is done: allocates nothing, cannot fail. */
static void
settle(void)
{
	FfSlot	   *slot = ff_slot();
	Latch	   *latch = NULL;

	if (slot == NULL)
		return;
	for (int i = 0; i < FF_COUNTERS; i++)
		if (owed->counts[i] != 0)
			pg_atomic_fetch_add_u64(&slot->counters[i], owed->counts[i]);

	/* first of all: whoever is told of work below is to find it */
	if (owes_news())
		latch = mark(slot);
	if (latch)
		SetLatch(latch);
	broadcast(slot);
	if (owed->start_worker)
		ff_slot_want_worker(slot);
}

static void
transaction_ends(XactEvent event, void *arg)
{
	if (owed == NULL)
		return;
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			notified = !worker_notifies();
			if (notified && ff_notify_mode != FF_NOTIFY_OFF)
				notify();
			break;
		case XACT_EVENT_COMMIT:
			settle();
			owed = NULL;
			break;
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			owed = NULL;
			break;
		default:
			break;
	}
}

/* The innermost level, of a savepoint, is no more. */
static void
drop(void)
{
	Owed	   *inner = owed;

	owed = inner->outer;
	MemoryContextDelete(inner->memory);
}

/* The innermost level becomes part of the one around it. */
static void
merge(void)
{
	Owed	   *inner = owed;
	Owed	   *outer = inner->outer;
	ListCell   *cell;

	if (outer == NULL || outer->nest < inner->nest - 1)
	{
		inner->nest--;
		return;
	}
	for (int i = 1; i <= FF_OUTBOXES; i++)
		ff_news_add(&outer->outboxes[i], &inner->outboxes[i]);
	foreach(cell, inner->lanes)
		add_lane(outer, lfirst(cell), true);
	foreach(cell, inner->works)
	{
		Work	   *work = lfirst(cell);

		add_work(outer, &work->class, &work->first);
	}
	for (int i = 0; inner->any_due && i < FF_RECONCILERS; i++)
		if (inner->due_ms[i] != FF_NEVER_DUE)
			add_due(outer, i, inner->due_ms[i]);
	outer->settings |= inner->settings;
	outer->start_worker |= inner->start_worker;
	for (int i = 0; i < FF_COUNTERS; i++)
		outer->counts[i] += inner->counts[i];
	drop();
}

static void
savepoint_ends(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	/* at this point the ending savepoint is still the current level */
	if (owed == NULL || owed->nest < GetCurrentTransactionNestLevel())
		return;
	if (event == SUBXACT_EVENT_COMMIT_SUB)
		merge();
	else if (event == SUBXACT_EVENT_ABORT_SUB)
		drop();
}

void
ff_wake_init(void)
{
	RegisterXactCallback(transaction_ends, NULL);
	RegisterSubXactCallback(savepoint_ends, NULL);
}
