/*
 * slot.h - what the sessions of one database share in memory: what commits owe
 * to listeners, whom they wake, when the background worker is due, counters.
 *
 * It is there where the library is preloaded, for up to
 * ffengine.max_databases databases. Nothing in it is the truth: it is lost with
 * the server, and everything works without it, by looking more often.
 */
#ifndef FF_SLOT_H
#define FF_SLOT_H

#include "base/compat.h"

#include "port/atomics.h"
#include "storage/condition_variable.h"
#include "storage/latch.h"
#include "storage/lwlock.h"

#include "engine/counter.h"
#include "engine/frontier.h"
#include "engine/outbox.h"
#include "engine/reconciler.h"

#define FF_SLOT_LANES 256		/* told one by one; more are told as "several" */
#define FF_SLOT_BUCKETS 64		/* lanes share condition variables by hash */
#define FF_NEVER_DUE PG_INT64_MAX

/* News of an outbox; event_id 0: none. */
typedef struct FfNews
{
	int64		event_id;		/* the greatest one */
	uint64		xact_id;		/* the greatest transaction that wrote one */
} FfNews;

/* What the worker is to notify of. */
typedef struct FfMarks
{
	FfNews		outboxes[FF_OUTBOXES + 1];
	int			nlanes;
	bool		more_lanes;		/* more than there is room for */
	char		lanes[FF_SLOT_LANES][FF_LANE_LENGTH + 1];
} FfMarks;

/* What the worker says of one reconciler; see ff_reconciler_status. Instants 0: none. */
typedef struct FfReconcilerRun
{
	int64		last_run_at_ms;
	int64		last_good_at_ms;
	double		last_duration_ms;
	int64		last_processed;
	int64		last_errors;
	int64		runs;
	int64		processed;
	int64		errors;
	int			last_sqlstate;	/* encoded as errcode() takes it; 0: none */
	int64		last_error_at_ms;
	int32		parked_rows;
	int64		backoff_until_ms;
	int64		next_run_at_ms;
	int64		next_due_at_ms; /* FF_NEVER_DUE: nothing is */
} FfReconcilerRun;

/* Of one reconciler since server start or reset, by the worker and ff_reconcile. */
typedef struct FfReconcilerTotals
{
	pg_atomic_uint64 runs;
	pg_atomic_uint64 rows;
	pg_atomic_uint64 errors;
	pg_atomic_uint64 microseconds;
} FfReconcilerTotals;

/* How the last background worker of a database left. */
typedef enum FfWorkerExit
{
	FF_WORKER_FAILED,			/* by an error; also while one runs */
	FF_WORKER_ASKED,			/* by a signal: to be started again soon */
	FF_WORKER_QUIET				/* nothing to do for it here */
} FfWorkerExit;

typedef struct FfSlot
{
	Oid			database;		/* InvalidOid: free */
	LWLock	   *lock;			/* over what follows, up to the blank line */
	FfMarks		marks;
	bool		wake_pending;	/* the worker's latch is set for these marks */
	int64		due_ms[FF_RECONCILERS]; /* the least instant published, or FF_NEVER_DUE */
	bool		settings;		/* a reconciler's switch, interval or batch changed */
	int64		worker_due_ms;	/* when the worker wakes up by itself; engine's clock */
	pid_t		worker_pid;		/* 0: none runs */
	Latch	   *worker_latch;
	bool		worker_stopped; /* by hand: nobody starts it */
	bool		worker_wanted;	/* it is to be started at once */
	FfWorkerExit worker_exit;
	FfReconcilerRun runs[FF_RECONCILERS];
	FfFrontiers frontiers;

	ConditionVariable outbox_changed[FF_OUTBOXES + 1];
	ConditionVariable lane_changed[FF_SLOT_BUCKETS];
	pg_atomic_uint64 counters[FF_COUNTERS];
	FfReconcilerTotals totals[FF_RECONCILERS];
} FfSlot;

#define FF_HOLDS 32

/* No worker may be in this database. */
typedef struct FfHold
{
	Oid			database;		/* InvalidOid: free */
	pid_t		holder;
} FfHold;

/* The slots of all databases, and what the launcher goes by. */
typedef struct FfShared
{
	LWLock	   *lock;			/* over slot assignment and what follows, up to nslots */
	pid_t		launcher_pid;
	Latch	   *launcher_latch;
	Oid			starting;		/* the database in which it is starting a worker */
	FfHold		holds[FF_HOLDS];	/* databases that no worker may be in */
	int			nslots;
	FfSlot		slots[FLEXIBLE_ARRAY_MEMBER];
} FfShared;

/* Ask for shared memory, if the library is being preloaded; called once, from _PG_init. */
extern void ff_slot_init(void);

/* The shared memory; NULL where the library was not preloaded. */
extern FfShared *ff_shared(void);

/* The slot of the database this backend is connected to, made at first use; NULL if it has none. */
extern FfSlot *ff_slot(void);

/* The slot of any database; NULL if it has none. */
extern FfSlot *ff_slot_find(Oid database);

/* Give back the slot of a database that is no more, if it has one. */
extern void ff_slot_free(Oid database);

/* True while a database is held: no worker may be in it. */
extern bool ff_hold_is_on(Oid database);

/*
 * The launcher is going to start a worker in a database: false if that is held;
 * else whoever takes a hold from now on sees it starting, until the end.
 */
extern bool ff_start_begin(Oid database);
extern void ff_start_end(void);
extern bool ff_is_starting(Oid database);

/* Hold a database; false if there is no room. */
extern bool ff_hold_take(Oid database);

/* Release what this backend holds, at the end of its transaction. */
extern void ff_hold_release(void);

/* The condition variable of a lane. */
extern ConditionVariable *ff_slot_lane_changed(FfSlot *slot, const char *lane_id);

/* The news of both. */
extern void ff_news_add(FfNews *news, const FfNews *more);

/* No marks. */
extern void ff_marks_clear(FfMarks *marks);

/* Take the instants published since the last time; true if settings were changed. */
extern bool ff_slot_take_due(FfSlot *slot, int64 due_ms[FF_RECONCILERS]);

/* Note a lane, once. */
extern void ff_marks_lane(FfMarks *marks, const char *lane_id);

extern void ff_slot_wake_launcher(void);

/* The background worker is to be started at once; wakes the launcher. */
extern void ff_slot_want_worker(FfSlot *slot);

/* Count at once, whatever becomes of the transaction. */
extern void ff_slot_count(FfCounter counter, int64 n);

#endif							/* FF_SLOT_H */
