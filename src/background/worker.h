/*
 * worker.h - the background worker: one process for each database that has the
 * extension, which notifies listeners, runs the reconcilers and sweeps the lanes.
 */
#ifndef FF_WORKER_H
#define FF_WORKER_H

#include "base/compat.h"

#include "postmaster/bgworker.h"

#define FF_WORKER_TYPE "ffengine worker"

/* Where the process begins; the argument is the database. */
extern PGDLLEXPORT void ff_worker_main(Datum database);

/*
 * The lock that the one worker of a database holds, of a class of advisory
 * locks that no SQL function can take.
 */
#define FF_LOCK_WORKER 0x7F01

/* Register a worker for a database; NULL when there is no free slot of max_worker_processes. */
extern BackgroundWorkerHandle *ff_worker_register(Oid database, pid_t notify_pid);

#endif							/* FF_WORKER_H */
