/*
 * slot.c - what the sessions of one database share in memory.
 */
#include "engine/slot.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/shmem.h"

#include "base/hash.h"
#include "base/setting.h"

#define TRANCHE "ffengine"

static FfShared *shared = NULL;

/* The slot of this backend's database, once looked for. */
static FfSlot *mine = NULL;
static bool looked = false;

static shmem_startup_hook_type next_startup_hook = NULL;
#if PG_VERSION_NUM >= 150000
static shmem_request_hook_type next_request_hook = NULL;
#endif

static Size
shared_size(void)
{
	return add_size(offsetof(FfShared, slots), mul_size(ff_max_databases, sizeof(FfSlot)));
}

/* A lock for each slot, and one for all of them. */
static void
request(void)
{
#if PG_VERSION_NUM >= 150000
	if (next_request_hook)
		next_request_hook();
#endif
	RequestAddinShmemSpace(shared_size());
	RequestNamedLWLockTranche(TRANCHE, ff_max_databases + 1);
}

void
ff_news_add(FfNews *news, const FfNews *more)
{
	news->event_id = Max(news->event_id, more->event_id);
	news->xact_id = Max(news->xact_id, more->xact_id);
}

void
ff_marks_clear(FfMarks *marks)
{
	memset(marks->outboxes, 0, sizeof(marks->outboxes));
	marks->nlanes = 0;
	marks->more_lanes = false;
}

static void
no_due(FfSlot *slot)
{
	slot->settings = false;
	for (int i = 0; i < FF_RECONCILERS; i++)
		slot->due_ms[i] = FF_NEVER_DUE;
}

bool
ff_slot_take_due(FfSlot *slot, int64 due_ms[FF_RECONCILERS])
{
	bool		settings;

	LWLockAcquire(slot->lock, LW_EXCLUSIVE);
	memcpy(due_ms, slot->due_ms, sizeof(slot->due_ms));
	settings = slot->settings;
	no_due(slot);
	LWLockRelease(slot->lock);
	return settings;
}

void
ff_marks_lane(FfMarks *marks, const char *lane_id)
{
	for (int i = 0; i < marks->nlanes; i++)
		if (strcmp(marks->lanes[i], lane_id) == 0)
			return;
	if (marks->nlanes == FF_SLOT_LANES)
		marks->more_lanes = true;
	else
		strlcpy(marks->lanes[marks->nlanes++], lane_id, sizeof(marks->lanes[0]));
}

static void
slot_reset(FfSlot *slot)
{
	slot->database = InvalidOid;
	ff_marks_clear(&slot->marks);
	no_due(slot);
	slot->wake_pending = false;
	slot->worker_due_ms = 0;
	slot->worker_pid = 0;
	slot->worker_latch = NULL;
	slot->worker_stopped = false;
	slot->worker_wanted = false;
	slot->worker_exit = FF_WORKER_QUIET;
	memset(slot->runs, 0, sizeof(slot->runs));
	ff_frontiers_reset(&slot->frontiers);
	for (int i = 0; i <= FF_OUTBOXES; i++)
		ConditionVariableInit(&slot->outbox_changed[i]);
	for (int i = 0; i < FF_SLOT_BUCKETS; i++)
		ConditionVariableInit(&slot->lane_changed[i]);
	for (int i = 0; i < FF_COUNTERS; i++)
		pg_atomic_init_u64(&slot->counters[i], 0);
	for (int i = 0; i < FF_RECONCILERS; i++)
	{
		pg_atomic_init_u64(&slot->totals[i].runs, 0);
		pg_atomic_init_u64(&slot->totals[i].rows, 0);
		pg_atomic_init_u64(&slot->totals[i].errors, 0);
		pg_atomic_init_u64(&slot->totals[i].microseconds, 0);
	}
}

static void
startup(void)
{
	bool		found;

	if (next_startup_hook)
		next_startup_hook();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	shared = ShmemInitStruct("ffengine", shared_size(), &found);
	if (!found)
	{
		LWLockPadded *locks = GetNamedLWLockTranche(TRANCHE);

		memset(shared, 0, offsetof(FfShared, slots));
		shared->lock = &locks[0].lock;
		shared->nslots = ff_max_databases;
		for (int i = 0; i < shared->nslots; i++)
		{
			slot_reset(&shared->slots[i]);
			shared->slots[i].lock = &locks[i + 1].lock;
		}
	}
	LWLockRelease(AddinShmemInitLock);
}

void
ff_slot_init(void)
{
	if (!process_shared_preload_libraries_in_progress)
		return;
	next_startup_hook = shmem_startup_hook;
	shmem_startup_hook = startup;
#if PG_VERSION_NUM >= 150000
	next_request_hook = shmem_request_hook;
	shmem_request_hook = request;
#else
	request();
#endif
}

FfShared *
ff_shared(void)
{
	return shared;
}

static FfSlot *
find_slot(Oid database)
{
	for (int i = 0; i < shared->nslots; i++)
		if (shared->slots[i].database == database)
			return &shared->slots[i];
	return NULL;
}

FfSlot *
ff_slot(void)
{
	if (looked || shared == NULL || !OidIsValid(MyDatabaseId))
		return mine;
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	mine = find_slot(MyDatabaseId);
	if (mine == NULL)
	{
		mine = find_slot(InvalidOid);
		if (mine)
			mine->database = MyDatabaseId;
	}
	LWLockRelease(shared->lock);
	looked = true;
	return mine;
}

FfSlot *
ff_slot_find(Oid database)
{
	FfSlot	   *slot;

	LWLockAcquire(shared->lock, LW_SHARED);
	slot = find_slot(database);
	LWLockRelease(shared->lock);
	return slot;
}

void
ff_slot_free(Oid database)
{
	FfSlot	   *slot;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	slot = find_slot(database);
	if (slot)
		slot_reset(slot);
	LWLockRelease(shared->lock);
}

/* Under the lock. */
static bool
is_held(Oid database)
{
	for (int i = 0; i < FF_HOLDS; i++)
		if (shared->holds[i].database == database)
			return true;
	return false;
}

bool
ff_hold_is_on(Oid database)
{
	bool		on;

	LWLockAcquire(shared->lock, LW_SHARED);
	on = is_held(database);
	LWLockRelease(shared->lock);
	return on;
}

bool
ff_start_begin(Oid database)
{
	bool		free;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	free = !is_held(database);
	if (free)
		shared->starting = database;
	LWLockRelease(shared->lock);
	return free;
}

void
ff_start_end(void)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->starting = InvalidOid;
	LWLockRelease(shared->lock);
}

bool
ff_is_starting(Oid database)
{
	bool		starting;

	LWLockAcquire(shared->lock, LW_SHARED);
	starting = shared->starting == database;
	LWLockRelease(shared->lock);
	return starting;
}

bool
ff_hold_take(Oid database)
{
	FfHold	   *hold = NULL;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	for (int i = 0; hold == NULL && i < FF_HOLDS; i++)
		if (!OidIsValid(shared->holds[i].database))
			hold = &shared->holds[i];
	if (hold)
	{
		hold->database = database;
		hold->holder = MyProcPid;
	}
	LWLockRelease(shared->lock);
	return hold != NULL;
}

void
ff_hold_release(void)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < FF_HOLDS; i++)
		if (shared->holds[i].holder == MyProcPid)
			shared->holds[i].database = InvalidOid;
	LWLockRelease(shared->lock);
}

ConditionVariable *
ff_slot_lane_changed(FfSlot *slot, const char *lane_id)
{
	return &slot->lane_changed[ff_hash_fnv64(FF_FNV64_BASIS, lane_id, strlen(lane_id)) % FF_SLOT_BUCKETS];
}

void
ff_slot_wake_launcher(void)
{
	Latch	   *launcher = shared->launcher_latch;

	if (launcher)
		SetLatch(launcher);
}

void
ff_slot_want_worker(FfSlot *slot)
{
	LWLockAcquire(slot->lock, LW_EXCLUSIVE);
	slot->worker_wanted = true;
	slot->worker_stopped = false;
	LWLockRelease(slot->lock);
	ff_slot_wake_launcher();
}

void
ff_slot_count(FfCounter counter, int64 n)
{
	FfSlot	   *slot = ff_slot();

	if (slot)
		pg_atomic_fetch_add_u64(&slot->counters[counter], n);
}
