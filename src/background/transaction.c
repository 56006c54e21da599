/*
 * transaction.c - a transaction of the background worker.
 */
#include "background/transaction.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/pg_extension.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"

#include "base/extension.h"
#include "base/statement.h"

#define EXTENSION "ffengine"
#define LONGEST_TRANSACTION_MS 30000

int			ff_transaction_sqlstate = 0;
bool		ff_transaction_runs = false;
bool		ff_extension_gone = false;

static Oid	extension = InvalidOid;
static Oid	owner;
static Oid	schema;

/* The installed version, in the caller's transaction; NULL: not installed. */
static char *
read_extension(void)
{
	Relation	catalog = table_open(ExtensionRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	char	   *version = NULL;

	ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber, F_NAMEEQ,
				CStringGetDatum(EXTENSION));
	scan = systable_beginscan(catalog, ExtensionNameIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
	{
		Form_pg_extension row = (Form_pg_extension) GETSTRUCT(tuple);
		bool		isnull;
		Datum		value = heap_getattr(tuple, Anum_pg_extension_extversion,
										RelationGetDescr(catalog), &isnull);

		extension = row->oid;
		owner = row->extowner;
		schema = row->extnamespace;
		version = isnull ? pstrdup("") : TextDatumGetCString(value);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return version;
}

/* The library's version has a third number, for the archive. */
static bool
is_ours(const char *version)
{
	size_t		length = strlen(version);

	return strncmp(FF_VERSION, version, length) == 0 &&
		(FF_VERSION[length] == '\0' || FF_VERSION[length] == '.');
}

FfExtensionFound
ff_transaction_find_extension(void)
{
	FfExtensionFound found = FF_EXTENSION_ABSENT;
	char	   *version;

	StartTransactionCommand();
	version = read_extension();
	if (version)
		found = is_ours(version) ? FF_EXTENSION_FOUND : FF_EXTENSION_OTHER_VERSION;
	CommitTransactionCommand();
	return found;
}

/*
 * Keep the extension from being dropped until the end of the transaction;
 * false if it is gone, or another one stands in its place.
 */
static bool
hold_extension(void)
{
	Oid			known = extension;
	char	   *version;

	LockDatabaseObject(ExtensionRelationId, known, 0, AccessShareLock);
	version = read_extension();
	return version && extension == known && is_ours(version);
}

static bool
run(FfTransactionWork work, void *arg)
{
	bool		result;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	enable_timeout_after(STATEMENT_TIMEOUT, LONGEST_TRANSACTION_MS);
	PushActiveSnapshot(GetTransactionSnapshot());
	ff_extension_gone = !hold_extension();
	if (ff_extension_gone)
		result = false;
	else
	{
		/* the end of the transaction gives the role back */
		SetUserIdAndSecContext(owner, SECURITY_LOCAL_USERID_CHANGE);
		ff_extension_enter_schema(schema);
		ff_statement_connect();
		result = work(arg);
		ff_statement_disconnect();
		SetUserIdAndSecContext(GetSessionUserId(), 0);
	}
	PopActiveSnapshot();
	disable_timeout(STATEMENT_TIMEOUT, false);
	CommitTransactionCommand();
	return result;
}

bool
ff_sqlstate_is_transient(int sqlstate)
{
	return sqlstate == ERRCODE_T_R_SERIALIZATION_FAILURE ||
		sqlstate == ERRCODE_T_R_DEADLOCK_DETECTED ||
		sqlstate == ERRCODE_LOCK_NOT_AVAILABLE ||
		sqlstate == ERRCODE_QUERY_CANCELED;
}

/* Of the last failure; in TopMemoryContext. */
static char *constraint = NULL;

/* Undo what failed; what is left of it is why. */
static void
fail(void)
{
	ErrorData  *error;

	HOLD_INTERRUPTS();
	disable_all_timeouts(false);
	QueryCancelPending = false;
	MemoryContextSwitchTo(TopMemoryContext);
	error = CopyErrorData();
	ff_transaction_sqlstate = error->sqlerrcode;
	if (constraint)
		pfree(constraint);
	constraint = error->constraint_name ? pstrdup(error->constraint_name) : NULL;
	FreeErrorData(error);
	AbortCurrentTransaction();
	FlushErrorState();
	RESUME_INTERRUPTS();
}

void
ff_transaction_log(const char *what)
{
	if (ff_transaction_sqlstate != 0 && !ff_sqlstate_is_transient(ff_transaction_sqlstate))
		ereport(WARNING,
				(errcode(ff_transaction_sqlstate),
				 errmsg("ffengine worker could not do %s: SQLSTATE %s%s%s", what,
						unpack_sql_state(ff_transaction_sqlstate),
						constraint ? ", constraint " : "", constraint ? constraint : "")));
}

bool
ff_transaction_run(const char *what, FfTransactionWork work, void *arg)
{
	MemoryContext context = CurrentMemoryContext;
	volatile bool result = false;
	char	   *activity = psprintf("ffengine: %s", what);

	pgstat_report_activity(STATE_RUNNING, activity);
	/* the caller's context may be one that is never reset */
	pfree(activity);
	ff_transaction_sqlstate = 0;
	ff_transaction_runs = true;
	PG_TRY();
	{
		result = run(work, arg);
	}
	PG_CATCH();
	{
		fail();
	}
	PG_END_TRY();
	ff_transaction_runs = false;
	/* a request to leave that came too late to cancel anything */
	QueryCancelPending = false;
	MemoryContextSwitchTo(context);
	(void) pgstat_report_stat(false);
	return result;
}
