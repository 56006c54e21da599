/*
 * worker.c - the background worker of one database.
 */
#include "background/worker.h"

#include <signal.h>

#include "access/xact.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lock.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/wait_event.h"

#include "background/notifier.h"
#include "background/schedule.h"
#include "background/sweep.h"
#include "background/transaction.h"
#include "base/clock.h"
#include "base/setting.h"
#include "engine/slot.h"

/* How often what happened is written to ff_reconciler_state, at most. */
#define SAVE_MS 10000
/* How often a worker that waits for another version of the extension looks for it. */
#define VERSION_LOOK_MS 1000

static FfSlot *slot = NULL;

BackgroundWorkerHandle *
ff_worker_register(Oid database, pid_t notify_pid)
{
	BackgroundWorker worker;
	BackgroundWorkerHandle *handle;

	memset(&worker, 0, sizeof(worker));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(worker.bgw_library_name, "ffengine", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "ff_worker_main", sizeof(worker.bgw_function_name));
	strlcpy(worker.bgw_name, FF_WORKER_TYPE, BGW_MAXLEN);
	strlcpy(worker.bgw_type, FF_WORKER_TYPE, BGW_MAXLEN);
	worker.bgw_main_arg = ObjectIdGetDatum(database);
	worker.bgw_notify_pid = notify_pid;
	return RegisterDynamicBackgroundWorker(&worker, &handle) ? handle : NULL;
}

/* Leave at the next row: what runs is cancelled, and rolled back. */
static void
asked_to_leave(SIGNAL_ARGS)
{
	int			save_errno = errno;

	ShutdownRequestPending = true;
	if (ff_transaction_runs)
	{
		InterruptPending = true;
		QueryCancelPending = true;
	}
	SetLatch(MyLatch);
	errno = save_errno;
}

/* What no setting of the database or the server file is to change. */
static void
set_own_settings(void)
{
	static const char *const own[][2] = {
		{"application_name", FF_WORKER_TYPE},
		{"search_path", "pg_catalog, pg_temp"},
		{"lock_timeout", "1s"},
		{"statement_timeout", "0"},
		{"transaction_timeout", "0"},	/* since PostgreSQL 17 */
		{"default_transaction_isolation", "read committed"},
		{"default_transaction_read_only", "off"},
	};

	for (int i = 0; i < (int) lengthof(own); i++)
		if (GetConfigOption(own[i][0], true, false))
			SetConfigOption(own[i][0], own[i][1], PGC_SUSET, PGC_S_OVERRIDE);
}

/* True if this process is now the worker of its database. */
static bool
take_lock(void)
{
	LOCKTAG		tag;
	bool		taken;

	StartTransactionCommand();
	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, 0, 0, FF_LOCK_WORKER);
	taken = LockAcquire(&tag, ExclusiveLock, true, true) != LOCKACQUIRE_NOT_AVAIL;
	CommitTransactionCommand();
	return taken;
}

/* Tell the sessions of the database, and the launcher, that there is no worker any more. */
static void
sign_off(int code, Datum arg)
{
	ff_frontier_vouch(0);
	LWLockAcquire(slot->lock, LW_EXCLUSIVE);
	slot->worker_pid = 0;
	slot->worker_latch = NULL;
	slot->worker_due_ms = 0;
	LWLockRelease(slot->lock);
	ff_slot_wake_launcher();
}

static void
sign_on(void)
{
	slot = ff_slot();
	if (slot == NULL)
		return;
	LWLockAcquire(slot->lock, LW_EXCLUSIVE);
	slot->worker_exit = FF_WORKER_FAILED;
	slot->worker_wanted = false;
	slot->worker_due_ms = 0;
	slot->worker_latch = MyLatch;
	slot->worker_pid = MyProcPid;
	LWLockRelease(slot->lock);
	before_shmem_exit(sign_off, (Datum) 0);
}

static void
leave(FfWorkerExit how)
{
	if (slot)
		slot->worker_exit = how;
	proc_exit(0);
}

/* Note what commits have published, and notify. */
static void
attend_now(bool at_once)
{
	int64		due_ms[FF_RECONCILERS];
	bool		changed;

	if (slot == NULL)
		return;
	changed = ff_slot_take_due(slot, due_ms);
	for (int i = 0; i < FF_RECONCILERS; i++)
		ff_schedule_note_due(i, due_ms[i]);
	ff_notifier_run(slot, at_once);
	if (changed)
		ff_schedule_read_settings();
}

static void
attend(void)
{
	attend_now(false);
}

static void
sweep_if_due(void)
{
	if (slot && !ff_extension_gone && ff_steady_ms() >= ff_sweep_next_ms())
		ff_sweep_run();
}

/* Between the batches of a pass, which takes seconds where much is due. */
static void
look_around(void)
{
	attend();
	sweep_if_due();
}

static void
run_due_passes(void)
{
	for (int i = 0; i < FF_RECONCILERS; i++)
	{
		sweep_if_due();
		if (ShutdownRequestPending || ff_extension_gone)
			return;
		if (ff_schedule_next_ms(i) <= ff_steady_ms())
			ff_schedule_run(i, look_around);
	}
}

static int64
next_ms(int64 least)
{
	least = Min(least, ff_notifier_next_ms());
	if (slot)
		least = Min(least, ff_sweep_next_ms());
	for (int i = 0; i < FF_RECONCILERS; i++)
		least = Min(least, ff_schedule_next_ms(i));
	return least;
}

/*
 * Say until when this process sleeps, so that commits know when to wake it;
 * sooner if one has left something since it last looked.
 */
static int64
announce_sleep(int64 until_ms)
{
	int64		ahead_ms = ff_now_ms() - ff_steady_ms();	/* to the engine's clock */

	if (slot == NULL)
		return until_ms;
	LWLockAcquire(slot->lock, LW_EXCLUSIVE);
	if (slot->wake_pending)
		until_ms = Min(until_ms, ff_notifier_gate_ms());
	if (slot->settings)
		until_ms = 0;
	for (int i = 0; i < FF_RECONCILERS; i++)
		if (slot->due_ms[i] < until_ms + ahead_ms)
			until_ms = 0;
	slot->worker_due_ms = until_ms + ahead_ms;
	LWLockRelease(slot->lock);
	return until_ms;
}

static void
sleep_until(int64 until_ms)
{
	int64		left_ms = until_ms - ff_steady_ms();

	pgstat_report_activity(STATE_IDLE, "ffengine: idle");
	if (left_ms > 0 && !ShutdownRequestPending)
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 Min(left_ms, ff_launcher_naptime_ms), PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
}

/* Between transactions there is nothing to cancel. */
static void
check_interrupts(void)
{
	QueryCancelPending = false;
	CHECK_FOR_INTERRUPTS();
}

static void
work(void)
{
	int64		settings_ms = 0;
	int64		saved_ms = ff_steady_ms();

	ff_schedule_init(slot);
	while (!ShutdownRequestPending && !ff_extension_gone)
	{
		check_interrupts();
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
		}
		if (ff_steady_ms() >= settings_ms)
		{
			ff_schedule_read_settings();
			settings_ms = ff_steady_ms() + ff_launcher_naptime_ms;
		}
		attend();
		run_due_passes();
		if (ff_steady_ms() >= saved_ms + SAVE_MS)
		{
			ff_schedule_save(false);
			saved_ms = ff_steady_ms();
		}
		attend();
		sleep_until(announce_sleep(next_ms(Min(settings_ms, saved_ms + SAVE_MS))));
	}
}

/* End before there was anything to do. A database without the extension is given no slot. */
static void
leave_quietly(void)
{
	slot = ff_shared() ? ff_slot_find(MyDatabaseId) : NULL;
	leave(FF_WORKER_QUIET);
}

/* True while a command needs the database for itself. */
static bool
is_in_the_way(void)
{
	return ff_shared() && ff_hold_is_on(MyDatabaseId);
}

/* Wait while the library is not the one that the extension was made for. */
static void
wait_for_version(void)
{
	FfExtensionFound found;
	bool		warned = false;

	while ((found = ff_transaction_find_extension()) == FF_EXTENSION_OTHER_VERSION)
	{
		if (!warned)
			ereport(WARNING,
					(errmsg("ffengine worker of database %u waits: the library is version %s, the "
							"extension is of another", MyDatabaseId, FF_VERSION),
					 errhint("Run ALTER EXTENSION ffengine UPDATE.")));
		warned = true;
		sleep_until(ff_steady_ms() + VERSION_LOOK_MS);
		check_interrupts();
		/* commits are not to rely on it yet: no slot tells those commands whom to send away */
		if (ShutdownRequestPending || is_in_the_way())
			proc_exit(0);
	}
	if (found == FF_EXTENSION_ABSENT)
		leave_quietly();
}

/* End here unless this database is to have a worker, and this process is to be it. */
static void
begin(void)
{
	if (ff_transaction_find_extension() == FF_EXTENSION_ABSENT || !ff_worker_enabled)
		leave_quietly();
	if (!take_lock())
		proc_exit(0);
	wait_for_version();
	sign_on();
	/* a command that came before could not see it, one that comes now does */
	if (is_in_the_way())
		leave(FF_WORKER_ASKED);
}

/* What is left to tell, once commits have been told to do without the worker. */
static void
wind_up(void)
{
	if (ff_extension_gone)
		return;
	if (slot)
	{
		sign_off(0, (Datum) 0);
		attend_now(true);
	}
	ff_schedule_save(true);
}

void
ff_worker_main(Datum database)
{
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, asked_to_leave);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(DatumGetObjectId(database), InvalidOid, 0);
	set_own_settings();
	begin();
	work();
	wind_up();
	leave(ff_extension_gone ? FF_WORKER_QUIET : FF_WORKER_ASKED);
}
