/*
 * ddl.c - the background worker makes way for commands that need its database
 * to themselves.
 */
#include "background/ddl.h"

#include <signal.h>

#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/syscache.h"

#include "engine/slot.h"
#include "engine/wait.h"

/* How long the command waits for the worker to leave, and how often it looks. */
#define LONGEST_WAIT_MS 5000
#define LOOK_MS 10

static ProcessUtility_hook_type next_hook = NULL;

/* True while this transaction holds a database. */
static bool holding = false;

/* The name in an option of CREATE or ALTER DATABASE; NULL: not given. */
static const char *
option(List *options, const char *name)
{
	ListCell   *cell;

	foreach(cell, options)
	{
		DefElem    *element = lfirst(cell);

		if (strcmp(element->defname, name) == 0 && element->arg)
			return defGetString(element);
	}
	return NULL;
}

/* The database that a command needs alone; NULL: none. */
static const char *
database_needed(Node *command)
{
	switch (nodeTag(command))
	{
		case T_DropdbStmt:
			return castNode(DropdbStmt, command)->dbname;
		case T_CreatedbStmt:
			return option(castNode(CreatedbStmt, command)->options, "template");
		case T_AlterDatabaseStmt:
			return option(castNode(AlterDatabaseStmt, command)->options, "tablespace") ?
				castNode(AlterDatabaseStmt, command)->dbname : NULL;
		case T_RenameStmt:
			return castNode(RenameStmt, command)->renameType == OBJECT_DATABASE ?
				castNode(RenameStmt, command)->subname : NULL;
		default:
			return NULL;
	}
}

/* May the caller do what the command asks? Whoever may not is to disturb no worker. */
static bool
is_permitted(Node *command, Oid database)
{
	HeapTuple	tuple;
	bool		is_template;
	bool		may_create;

	if (ff_owns_database(database, GetUserId()))
		return true;
	if (!IsA(command, CreatedbStmt))
		return false;
	tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(database));
	is_template = HeapTupleIsValid(tuple) && ((Form_pg_database) GETSTRUCT(tuple))->datistemplate;
	if (HeapTupleIsValid(tuple))
		ReleaseSysCache(tuple);
	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(GetUserId()));
	may_create = HeapTupleIsValid(tuple) && ((Form_pg_authid) GETSTRUCT(tuple))->rolcreatedb;
	if (HeapTupleIsValid(tuple))
		ReleaseSysCache(tuple);
	return is_template && may_create;
}

/* All of them but RENAME are refused in a transaction block. */
static bool
is_possible(Node *command, ProcessUtilityContext context)
{
	return IsA(command, RenameStmt) || !IsInTransactionBlock(context == PROCESS_UTILITY_TOPLEVEL);
}

/* Ask the worker to leave, and wait until it has, or one that is just being started. */
static void
send_away(Oid database)
{
	pid_t		asked = 0;

	for (int waited_ms = 0; waited_ms < LONGEST_WAIT_MS; waited_ms += LOOK_MS)
	{
		FfSlot	   *slot = ff_slot_find(database);
		pid_t		pid = slot ? slot->worker_pid : 0;

		if (pid == 0 && !ff_is_starting(database))
			return;
		if (pid != asked && pid != 0)
			(void) kill(pid, SIGTERM);
		asked = pid;
		ff_nap(LOOK_MS);
	}
}

static void
run_command(PlannedStmt *statement, const char *text, bool read_only_tree,
			ProcessUtilityContext context, ParamListInfo params, QueryEnvironment *environment,
			DestReceiver *receiver, QueryCompletion *completion)
{
	if (next_hook)
		next_hook(statement, text, read_only_tree, context, params, environment, receiver,
				  completion);
	else
		standard_ProcessUtility(statement, text, read_only_tree, context, params, environment,
								receiver, completion);
}

static void
utility(PlannedStmt *statement, const char *text, bool read_only_tree,
		ProcessUtilityContext context, ParamListInfo params, QueryEnvironment *environment,
		DestReceiver *receiver, QueryCompletion *completion)
{
	Node	   *command = statement->utilityStmt;
	const char *name = database_needed(command);
	Oid			database = name ? get_database_oid(name, true) : InvalidOid;

	if (OidIsValid(database) && is_possible(command, context) &&
		is_permitted(command, database) && ff_hold_take(database))
	{
		holding = true;
		send_away(database);
	}
	run_command(statement, text, read_only_tree, context, params, environment, receiver,
				completion);
}

/*
 * Until now the database was locked, and one that was dropped still looked like
 * any other. A backend that ends has its transaction aborted first.
 */
static void
transaction_ends(XactEvent event, void *arg)
{
	if (!holding ||
		(event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT && event != XACT_EVENT_PREPARE))
		return;
	holding = false;
	ff_hold_release();
	ff_slot_wake_launcher();
}

void
ff_ddl_init(void)
{
	if (!process_shared_preload_libraries_in_progress)
		return;
	next_hook = ProcessUtility_hook;
	ProcessUtility_hook = utility;
	RegisterXactCallback(transaction_ends, NULL);
}
