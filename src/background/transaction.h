/*
 * transaction.h - a transaction of the background worker: on the extension's
 * behalf, and able to fail without ending the worker.
 */
#ifndef FF_TRANSACTION_H
#define FF_TRANSACTION_H

#include "base/compat.h"

typedef bool (*FfTransactionWork) (void *arg);

/*
 * Run work in a transaction of its own, as the owner of the extension, with
 * SPI connected. It waits at most a second for a lock and is cancelled after
 * 30. What work returned; false if it raised, and is undone. what is shown in
 * pg_stat_activity. The caller's memory context is current in it and after it.
 */
extern bool ff_transaction_run(const char *what, FfTransactionWork work, void *arg);

/*
 * Log why the last run failed, unless that only says "not now": the SQLSTATE,
 * and the constraint where it was one. A message may quote what a row holds.
 */
extern void ff_transaction_log(const char *what);

/* The SQLSTATE of what the last run raised; 0 if it raised nothing. */
extern int	ff_transaction_sqlstate;

/* True while one runs: then a request to leave cancels it. */
extern bool ff_transaction_runs;

/* True when the last run found the extension dropped, or updated. */
extern bool ff_extension_gone;

/* True for serialization failures, deadlocks, lock time-outs and cancellation. */
extern bool ff_sqlstate_is_transient(int sqlstate);

typedef enum FfExtensionFound
{
	FF_EXTENSION_ABSENT,
	FF_EXTENSION_OTHER_VERSION,
	FF_EXTENSION_FOUND
} FfExtensionFound;

/* Look for the extension in this database; before the first run. */
extern FfExtensionFound ff_transaction_find_extension(void);

#endif							/* FF_TRANSACTION_H */
