/*
 * launcher.c - starts a background worker in each database that has the
 * extension.
 *
 * It cannot see into a database: it starts a worker in each that it may, and
 * one without the extension finds that out and leaves.
 */
#include "background/launcher.h"

#include <signal.h>

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/varlena.h"
#include "utils/wait_event.h"

#include "background/worker.h"
#include "base/clock.h"
#include "base/setting.h"
#include "engine/slot.h"
#include "engine/wait.h"

#define LAUNCHER_TYPE "ffengine launcher"
#define RESTART_S 5
/* A worker that failed is started again after 1, 2, 4, ... seconds, at most this. */
#define FIRST_BACKOFF_MS 1000
#define LONGEST_BACKOFF_MS 60000
/* After which a failure is like the first. */
#define HEALTHY_MS 60000
/* How soon to try again when max_worker_processes are all in use. */
#define NO_SLOT_MS 5000
/* How long to wait for a worker to sign on or leave before the next is started. */
#define SETTLE_MS 1000
#define LOOK_MS 10
/* datconnlimit of a database whose DROP was interrupted: nobody can connect */
#define INVALID_DATABASE (-2)

/* What the launcher knows of one database. */
typedef struct Database
{
	Oid			oid;
	bool		present;		/* at the last look; workers may run in it */
	BackgroundWorkerHandle *handle; /* of the worker started last; NULL: none yet, or gone */
	bool		ran;			/* at the last look a worker was there, whoever started it */
	int64		started_ms;
	int			failures;		/* in a row */
	int64		start_ms;		/* not before this; steady clock */
	bool		warned;			/* that there is no process slot for it */
} Database;

static List *databases = NIL;	/* in TopMemoryContext */

void
ff_launcher_init(void)
{
	BackgroundWorker worker;

	if (!process_shared_preload_libraries_in_progress || IsBinaryUpgrade)
		return;
	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = RESTART_S;
	strlcpy(worker.bgw_library_name, "ffengine", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "ff_launcher_main", sizeof(worker.bgw_function_name));
	strlcpy(worker.bgw_name, LAUNCHER_TYPE, BGW_MAXLEN);
	strlcpy(worker.bgw_type, LAUNCHER_TYPE, BGW_MAXLEN);
	RegisterBackgroundWorker(&worker);
}

/* Does ffengine.databases allow a worker in it? */
static bool
is_allowed(const char *name)
{
	char	   *names = pstrdup(ff_databases);
	List	   *list = NIL;
	ListCell   *cell;

	if (!SplitGUCList(names, ',', &list) || list == NIL)
		return true;
	foreach(cell, list)
	{
		if (strcmp(lfirst(cell), name) == 0)
			return true;
	}
	return false;
}

static Database *
database_of(Oid oid)
{
	MemoryContext old;
	Database   *database;
	ListCell   *cell;

	foreach(cell, databases)
	{
		database = lfirst(cell);
		if (database->oid == oid)
			return database;
	}
	old = MemoryContextSwitchTo(TopMemoryContext);
	database = palloc0(sizeof(Database));
	database->oid = oid;
	databases = lappend(databases, database);
	MemoryContextSwitchTo(old);
	return database;
}

/* Forget those that are no more. */
static void
forget_dropped(List *existing)
{
	ListCell   *cell;

	foreach(cell, databases)
	{
		Database   *database = lfirst(cell);

		if (list_member_oid(existing, database->oid))
			continue;
		databases = foreach_delete_current(databases, cell);
		if (database->handle)
			pfree(database->handle);
		pfree(database);
	}
}

/* Which databases there are; those that are no more give back their slots. */
static void
look_at_databases(void)
{
	Relation	catalog;
	TableScanDesc scan;
	HeapTuple	tuple;
	List	   *with_slot = NIL;
	List	   *existing = NIL;
	ListCell   *cell;
	FfShared   *shared = ff_shared();

	foreach(cell, databases)
		((Database *) lfirst(cell))->present = false;

	StartTransactionCommand();
	/* before the snapshot: a database that is made after it keeps its slot */
	for (int i = 0; i < shared->nslots; i++)
		if (OidIsValid(shared->slots[i].database))
			with_slot = lappend_oid(with_slot, shared->slots[i].database);
	(void) GetTransactionSnapshot();
	catalog = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(catalog, 0, NULL);
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_database row = (Form_pg_database) GETSTRUCT(tuple);

		existing = lappend_oid(existing, row->oid);
		if (row->datallowconn && row->datconnlimit != INVALID_DATABASE && !row->datistemplate &&
			is_allowed(NameStr(row->datname)))
			database_of(row->oid)->present = true;
	}
	table_endscan(scan);
	table_close(catalog, AccessShareLock);

	foreach(cell, with_slot)
	{
		if (!list_member_oid(existing, lfirst_oid(cell)))
			ff_slot_free(lfirst_oid(cell));
	}
	forget_dropped(existing);
	CommitTransactionCommand();
}

static bool
is_running(Database *database, const FfSlot *slot)
{
	pid_t		pid;

	if (slot && slot->worker_pid != 0)
		return true;
	if (database->handle == NULL)
		return false;
	if (GetBackgroundWorkerPid(database->handle, &pid) != BGWH_STOPPED)
		return true;
	pfree(database->handle);
	database->handle = NULL;
	return false;
}

/* The worker has left: when may the next one come? */
static void
note_exit(Database *database, FfSlot *slot)
{
	int64		now_ms = ff_steady_ms();
	int64		backoff_ms = FIRST_BACKOFF_MS;
	FfWorkerExit how = slot ? slot->worker_exit : FF_WORKER_QUIET;

	if (how == FF_WORKER_QUIET)
	{
		database->failures = 0;
		database->start_ms = now_ms + ff_launcher_naptime_ms;
		return;
	}
	if (how == FF_WORKER_ASKED || now_ms - database->started_ms >= HEALTHY_MS)
		database->failures = 0;
	for (int i = 0; i < database->failures && backoff_ms < LONGEST_BACKOFF_MS; i++)
		backoff_ms *= 2;
	if (how == FF_WORKER_FAILED)
		database->failures++;
	database->start_ms = now_ms + Min(backoff_ms, LONGEST_BACKOFF_MS);
}

/*
 * A process that only finds out that it has nothing to do here is to give back
 * its slot before the next one takes another.
 */
static void
wait_until_settled(Database *database)
{
	for (int waited_ms = 0; waited_ms < SETTLE_MS && !ShutdownRequestPending; waited_ms += LOOK_MS)
	{
		FfSlot	   *slot = ff_slot_find(database->oid);
		pid_t		pid;

		if ((slot && slot->worker_pid != 0) ||
			GetBackgroundWorkerPid(database->handle, &pid) == BGWH_STOPPED)
			return;
		ff_nap(LOOK_MS);
	}
}

static void
start_worker(Database *database)
{
	MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);

	database->handle = ff_worker_register(database->oid, MyProcPid);
	MemoryContextSwitchTo(old);
	database->started_ms = ff_steady_ms();
	if (database->handle)
	{
		database->warned = false;
		database->ran = true;
		wait_until_settled(database);
		return;
	}
	if (!database->warned)
		ereport(WARNING,
				(errmsg("ffengine launcher found no free background worker slot for database %u",
						database->oid),
				 errdetail("It tries again every %d seconds.", NO_SLOT_MS / 1000),
				 errhint("Raise max_worker_processes: ffengine needs one for itself and one for "
						 "each database that has the extension.")));
	database->warned = true;
	database->start_ms = ff_steady_ms() + NO_SLOT_MS;
}

/* Start the worker of a database if it is time; when to look again, 0: at once. */
static int64
attend_database(Database *database)
{
	FfSlot	   *slot = ff_slot_find(database->oid);
	bool		ran = database->ran;

	database->ran = is_running(database, slot);
	if (database->ran)
		return FF_NEVER_DUE;
	if (ran)
		note_exit(database, slot);
	if (!database->present || (slot && slot->worker_stopped))
		return FF_NEVER_DUE;
	if (slot && slot->worker_wanted)
	{
		slot->worker_wanted = false;
		database->start_ms = 0;
	}
	if (database->start_ms > ff_steady_ms())
		return database->start_ms;
	if (!ff_start_begin(database->oid))
		return ff_steady_ms() + FIRST_BACKOFF_MS;
	start_worker(database);
	ff_start_end();
	/* a wake-up may have come and gone meanwhile: another round */
	return database->handle ? 0 : database->start_ms;
}

static int64
attend_databases(void)
{
	int64		next_ms = FF_NEVER_DUE;
	ListCell   *cell;

	look_at_databases();
	foreach(cell, databases)
	{
		/* not inside Min(), which evaluates its arguments twice */
		int64		at_ms = attend_database(lfirst(cell));

		next_ms = Min(next_ms, at_ms);
		/* one was started: what is known of the others is old by now */
		if (next_ms == 0 || ShutdownRequestPending)
			break;
	}
	return next_ms;
}

static void
asked_to_leave(SIGNAL_ARGS)
{
	int			save_errno = errno;

	ShutdownRequestPending = true;
	SetLatch(MyLatch);
	errno = save_errno;
}

static void
sign_off(int code, Datum arg)
{
	FfShared   *shared = ff_shared();

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->launcher_latch = NULL;
	shared->launcher_pid = 0;
	shared->starting = InvalidOid;
	LWLockRelease(shared->lock);
}

static void
sign_on(void)
{
	FfShared   *shared = ff_shared();

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->launcher_latch = MyLatch;
	shared->launcher_pid = MyProcPid;
	LWLockRelease(shared->lock);
	before_shmem_exit(sign_off, (Datum) 0);
}

void
ff_launcher_main(Datum arg)
{
	pqsignal(SIGINT, SIG_IGN);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, asked_to_leave);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	SetConfigOption("application_name", LAUNCHER_TYPE, PGC_USERSET, PGC_S_OVERRIDE);
	sign_on();
	while (!ShutdownRequestPending)
	{
		int64		wait_ms;

		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
		pgstat_report_activity(STATE_RUNNING, "ffengine: looking for databases");
		wait_ms = attend_databases() - ff_steady_ms();
		pgstat_report_activity(STATE_IDLE, "ffengine: idle");
		if (wait_ms > 0 && !ShutdownRequestPending)
			(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
							 Min(wait_ms, ff_launcher_naptime_ms), PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	proc_exit(1);
}
