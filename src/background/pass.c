/*
 * pass.c - one pass of one reconciler in the caller's transaction.
 */
#include "background/pass.h"

#include "background/duty_table.h"
#include "background/transaction.h"
#include "base/setting.h"
#include "base/subtransaction.h"

/*
 * A head of rows that nothing can be done with must not hide what stands behind
 * it: a pass looks so many times further.
 */
#define MAX_ROUNDS 10

static FfStatement read_marks =
FF_STATEMENT("read_execution_marks", "smallint, uuid, text",
			 "SELECT c.namespace, c.raw_fields -> 'tags' ->> $3 FROM @extschema@.ff_exec_core c"
			 " WHERE c.partition_key = $1 AND c.execution_id = $2");

/* Rows to be done together, or a reconciler that works as a whole (no keys). */
typedef struct Portion
{
	FfReconciler reconciler;
	FfBatch	   *batch;
	List	   *keys;
	int64		done;
} Portion;

static void
take_rows(void *arg)
{
	Portion    *portion = arg;
	ListCell   *cell;

	portion->done = 0;
	foreach(cell, portion->keys)
		portion->done += ff_duty_apply(portion->reconciler, lfirst(cell), portion->batch->now_ms);
}

static void
take_whole(void *arg)
{
	Portion    *portion = arg;

	ff_duty_sweep(portion->reconciler, portion->batch);
}

/* Messages of others may tell what rows hold: the SQLSTATE says enough. */
static void
note_error(FfReconciler reconciler, FfPass *pass, const char *key, const ErrorData *error)
{
	const char *name = ff_reconciler_defaults[reconciler].name;

	if (ff_sqlstate_is_transient(error->sqlerrcode))
	{
		pass->batch.skipped += key != NULL;
		return;
	}
	pass->batch.errors++;
	pass->sqlstate = error->sqlerrcode;
	if (key)
		ereport(WARNING,
				(errcode(error->sqlerrcode),
				 errmsg("reconciler %s: SQLSTATE %s at %s", name,
						unpack_sql_state(error->sqlerrcode), key)));
	else
		ereport(WARNING,
				(errcode(error->sqlerrcode),
				 errmsg("reconciler %s: SQLSTATE %s", name,
						unpack_sql_state(error->sqlerrcode))));
}

/* Together, and where that raised each half by itself, down to the rows that do. */
static void
run_rows(FfReconciler reconciler, FfPass *pass, List *keys)
{
	Portion		portion = {.reconciler = reconciler,.batch = &pass->batch,.keys = keys};
	int			half = list_length(keys) / 2;
	ErrorData  *error;

	if (keys == NIL)
		return;
	error = ff_subtransaction_try(take_rows, &portion);
	if (error == NULL)
	{
		pass->batch.processed += portion.done;
		pass->batch.skipped += list_length(keys) - portion.done;
	}
	else if (half == 0)
		note_error(reconciler, pass, linitial(keys), error);
	else
	{
		run_rows(reconciler, pass, list_truncate(list_copy(keys), half));
		run_rows(reconciler, pass, list_copy_tail(keys, half));
	}
}

static bool
is_wanted(const FfPass *pass, const char *key)
{
	FfExecutionId id;
	FfRow		row;
	const char *namespace;
	const char *instance_tag;

	(void) ff_duty_key_execution(key, &id);
	if (!ff_statement_row(&read_marks, &row, ff_int2(id.partition), ff_uuid(&id.uuid),
						  ff_text(ff_instance_tag_key)))
		return false;
	namespace = ff_row_cstring(&row, 1);
	instance_tag = ff_row_cstring(&row, 2);
	return (pass->namespace == NULL || (namespace && strcmp(namespace, pass->namespace) == 0)) &&
		(pass->instance_tag == NULL ||
		 (instance_tag && strcmp(instance_tag, pass->instance_tag) == 0));
}

/* Those that the filters let through; the others count as skipped. */
static List *
filter(FfReconciler reconciler, FfPass *pass, List *keys)
{
	List	   *wanted = NIL;
	ListCell   *cell;

	if (!ff_duty_has_executions(reconciler) || (!pass->namespace && !pass->instance_tag))
		return keys;
	foreach(cell, keys)
	{
		if (is_wanted(pass, lfirst(cell)))
			wanted = lappend(wanted, lfirst(cell));
	}
	pass->batch.skipped += list_length(keys) - list_length(wanted);
	return wanted;
}

static void
run_by_rows(FfReconciler reconciler, FfPass *pass)
{
	FfBatch    *batch = &pass->batch;
	int			rounds = 0;

	do
	{
		List	   *keys = ff_duty_select(reconciler, batch);
		List	   *wanted = filter(reconciler, pass, keys);

		run_rows(reconciler, pass, wanted);
		batch->more = list_length(keys) >= batch->limit;
		batch->passed_over = batch->skipped + batch->errors;
		rounds += wanted != NIL;
	} while (batch->more && batch->processed == 0 && rounds < MAX_ROUNDS);
}

static void
run_as_whole(FfReconciler reconciler, FfPass *pass)
{
	Portion		portion = {.reconciler = reconciler,.batch = &pass->batch};
	FfBatch		before = pass->batch;
	ErrorData  *error = ff_subtransaction_try(take_whole, &portion);

	if (error)
	{
		pass->batch = before;
		note_error(reconciler, pass, NULL, error);
	}
}

void
ff_pass_run(FfReconciler reconciler, FfPass *pass)
{
	if (ff_duty_has_rows(reconciler))
		run_by_rows(reconciler, pass);
	else
		run_as_whole(reconciler, pass);
	pass->batch.details = ff_duty_details(reconciler, &pass->batch);
}
