/*
 * control.c - starting and stopping the background worker by hand
 * (specification chapter 08, section 8).
 */
#include "base/compat.h"

#include <signal.h>

#include "access/xact.h"
#include "access/xlog.h"
#include "commands/extension.h"
#include "miscadmin.h"

#include "background/worker.h"
#include "base/argument.h"
#include "base/call.h"
#include "base/clock.h"
#include "base/error.h"
#include "engine/slot.h"
#include "engine/wait.h"
#include "engine/wake.h"

#define LOOK_MS 10
/* How long a start waits for the process to take its lock. */
#define LONGEST_START_MS 5000

/* The process that holds the worker's lock of this database. */
static FfStatement find_worker =
FF_STATEMENT("find_worker", "bigint",
			 "SELECT l.pid FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_database d ON d.oid = l.database"
			 " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = $1"
			 " AND d.datname = pg_catalog.current_database()");

static FfStatement extension_xmin =
FF_STATEMENT("extension_xmin", "",
			 "SELECT x.xmin::text::bigint FROM pg_catalog.pg_extension x"
			 " WHERE x.extname = 'ffengine'");

static int
worker_pid(void)
{
	FfRow		row;

	return ff_statement_row(&find_worker, &row, ff_int8(FF_LOCK_WORKER)) ? ff_row_int4(&row, 1) : 0;
}

/* True where this transaction made the extension: no other process sees it yet. */
static bool
extension_is_new(void)
{
	FfRow		row;

	return ff_statement_row(&extension_xmin, &row) &&
		TransactionIdIsCurrentTransactionId((TransactionId) ff_row_int8(&row, 1));
}

/* Start one, and wait until it is the worker of the database; its process. */
static int
start(void)
{
	BackgroundWorkerHandle *handle = ff_worker_register(MyDatabaseId, MyProcPid);
	int64		until_ms = ff_steady_ms() + LONGEST_START_MS;
	pid_t		unused;
	int			pid;

	if (handle == NULL)
		ff_raise(FF_UNAVAILABLE,
				 errmsg("there is no free slot for a background worker"),
				 errhint("Raise max_worker_processes."));
	(void) WaitForBackgroundWorkerStartup(handle, &unused);
	while ((pid = worker_pid()) == 0)
	{
		if (GetBackgroundWorkerPid(handle, &unused) == BGWH_STOPPED || ff_steady_ms() > until_ms)
			ff_raise(FF_UNAVAILABLE,
					 errmsg("the background worker did not stay"),
					 errhint("See whether ffengine.worker_enabled is on, and the server log."));
		ff_nap(LOOK_MS);
	}
	return pid;
}

static void
start_after_commit(FfCall *call, FfSlot *slot)
{
	if (slot == NULL)
		ff_raise(FF_UNAVAILABLE,
				 errmsg("the extension was made by this very transaction"),
				 errhint("Commit first: without preload nothing starts by itself."));
	ff_wake_start_worker();
	/* one of an extension dropped before is to look, and to leave */
	ff_wake_settings();
	ff_call_row(call, ff_text("starting"), ff_null());
}

PG_FUNCTION_INFO_V1(ff_start_worker);

Datum
ff_start_worker(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfSlot	   *slot = ff_slot();
	int			pid;

	if (RecoveryInProgress())
		ff_raise(FF_UNAVAILABLE, errmsg("a standby runs no background worker"));
	ff_call_begin(&call, fcinfo);
	if (slot)
		slot->worker_stopped = false;
	if (creating_extension && slot == NULL)
		/* CREATE EXTENSION asks for it everywhere: here nothing runs by itself */
		return ff_call_end(&call);
	if (extension_is_new())
		/* one that still runs is of the extension that was dropped before */
		start_after_commit(&call, slot);
	else if ((pid = worker_pid()) != 0)
		ff_call_row(&call, ff_text("already_running"), ff_int4(pid));
	else
		ff_call_row(&call, ff_text("started"), ff_int4(start()));
	return ff_call_end(&call);
}

PG_FUNCTION_INFO_V1(ff_stop_worker);

Datum
ff_stop_worker(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfSlot	   *slot = ff_slot();
	int64		timeout_ms = ff_arg_int8_or(fcinfo, 0, 5000);
	int64		until_ms = ff_steady_ms() + timeout_ms;
	int			pid;

	ff_check_range(timeout_ms, "timeout_ms", 0, 60000);
	ff_call_begin(&call, fcinfo);
	if (slot)
		slot->worker_stopped = true;
	pid = worker_pid();
	if (pid != 0)
		(void) kill(pid, SIGTERM);
	while (pid != 0 && worker_pid() == pid)
	{
		if (ff_steady_ms() >= until_ms)
		{
			ff_call_row(&call, ff_text("timeout"), ff_int4(pid));
			return ff_call_end(&call);
		}
		ff_nap(LOOK_MS);
	}
	ff_call_row(&call, ff_text(pid ? "stopped" : "not_running"), pid ? ff_int4(pid) : ff_null());
	return ff_call_end(&call);
}
