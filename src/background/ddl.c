/*
 * ddl.c - the background worker makes way for commands that need its database
 * to themselves.
 */
#include "background/ddl.h"

#include <signal.h>

#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "storage/latch.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/syscache.h"
#include "utils/wait_event.h"

#include "engine/slot.h"

/* How long the command waits for the worker to leave, and how often it looks. */
#define LONGEST_WAIT_MS 5000
#define LOOK_MS 10

static ProcessUtility_hook_type next_hook = NULL;

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

/* Ask the worker to leave, and wait until it has. */
static void
send_away(FfSlot *slot)
{
	for (int waited_ms = 0; waited_ms < LONGEST_WAIT_MS; waited_ms += LOOK_MS)
	{
		pid_t		pid = slot->worker_pid;

		if (pid == 0)
			return;
		if (waited_ms == 0)
			(void) kill(pid, SIGTERM);
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 LOOK_MS, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
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
	const char *name = database_needed(statement->utilityStmt);
	Oid			database = name ? get_database_oid(name, true) : InvalidOid;
	FfSlot	   *slot = OidIsValid(database) ? ff_slot_find(database) : NULL;

	if (slot == NULL || !is_permitted(statement->utilityStmt, database) || !ff_hold_take(database))
	{
		run_command(statement, text, read_only_tree, context, params, environment, receiver,
					completion);
		return;
	}
	/* the hold is to end with the command, however it ends */
	PG_TRY();
	{
		send_away(slot);
		run_command(statement, text, read_only_tree, context, params, environment, receiver,
					completion);
	}
	PG_FINALLY();
	{
		ff_hold_release(database);
		ff_slot_wake_launcher();
	}
	PG_END_TRY();
}

void
ff_ddl_init(void)
{
	if (!process_shared_preload_libraries_in_progress)
		return;
	next_hook = ProcessUtility_hook;
	ProcessUtility_hook = utility;
}
