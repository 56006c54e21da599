/*
 * duty_state.c - the one reader and writer of ff_reconciler_state.
 */
#include "background/duty_state.h"

#include "miscadmin.h"
#include "storage/lock.h"

#include "base/clock.h"

/* No SQL function takes advisory locks of this class. */
#define LOCK_CLASS 0x6666

static FfStatement read_states =
FF_STATEMENT("read_reconciler_states", "",
			 "SELECT name, changed_at_ms IS NOT NULL, enabled, interval_ms, batch_size,"
			 " last_run_at_ms, last_good_at_ms, last_duration_ms, last_processed, last_errors,"
			 " runs, processed, errors, last_sqlstate, last_error_at_ms"
			 " FROM @extschema@.ff_reconciler_state ORDER BY name");

static FfStatement write_settings =
FF_STATEMENT("write_reconciler_settings", "text, boolean, bigint, integer, bigint",
			 "INSERT INTO @extschema@.ff_reconciler_state"
			 " (name, enabled, interval_ms, batch_size, changed_at_ms)"
			 " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (name) DO UPDATE"
			 " SET enabled = $2, interval_ms = $3, batch_size = $4, changed_at_ms = $5");

static FfStatement note_run =
FF_STATEMENT("note_run",
			 "text, bigint, integer, bigint, bigint, bigint, bigint, bigint, bigint, bigint, bigint,"
			 " text, bigint",
			 "INSERT INTO @extschema@.ff_reconciler_state AS s (name, interval_ms, batch_size,"
			 " last_run_at_ms, last_good_at_ms, last_duration_ms, last_processed, last_errors,"
			 " runs, processed, errors, last_sqlstate, last_error_at_ms)"
			 " VALUES ($1, $2, $3, $4, $5, $6 / 1000.0, $7, $8, $9, $10, $11, $12, $13)"
			 " ON CONFLICT (name) DO UPDATE SET last_run_at_ms = excluded.last_run_at_ms,"
			 " last_good_at_ms = COALESCE(excluded.last_good_at_ms, s.last_good_at_ms),"
			 " last_duration_ms = excluded.last_duration_ms,"
			 " last_processed = excluded.last_processed, last_errors = excluded.last_errors,"
			 " runs = s.runs + excluded.runs, processed = s.processed + excluded.processed,"
			 " errors = s.errors + excluded.errors,"
			 " last_sqlstate = COALESCE(excluded.last_sqlstate, s.last_sqlstate),"
			 " last_error_at_ms = COALESCE(excluded.last_error_at_ms, s.last_error_at_ms)");

static void
read_run(const FfRow *row, FfReconcilerRun *run)
{
	const char *sqlstate = ff_row_cstring(row, 14);
	NullableDatum duration = ff_row_value(row, 8);

	run->last_run_at_ms = ff_row_int8(row, 6);
	run->last_good_at_ms = ff_row_int8(row, 7);
	run->last_duration_ms = duration.isnull ? 0 : DatumGetFloat8(duration.value);
	run->last_processed = ff_row_int8(row, 9);
	run->last_errors = ff_row_int8(row, 10);
	run->runs = ff_row_int8(row, 11);
	run->processed = ff_row_int8(row, 12);
	run->errors = ff_row_int8(row, 13);
	if (sqlstate && strlen(sqlstate) == 5)
		run->last_sqlstate = MAKE_SQLSTATE(sqlstate[0], sqlstate[1], sqlstate[2], sqlstate[3],
										   sqlstate[4]);
	run->last_error_at_ms = ff_row_int8(row, 15);
}

void
ff_duty_states(FfDutyState states[FF_RECONCILERS])
{
	FfRows		rows = ff_statement_run(&read_states);

	memset(states, 0, FF_RECONCILERS * sizeof(FfDutyState));
	for (int i = 0; i < FF_RECONCILERS; i++)
	{
		states[i].settings.enabled = true;
		states[i].settings.interval_ms = ff_reconciler_defaults[i].interval_ms;
		states[i].settings.batch_size = ff_reconciler_defaults[i].batch_size;
		states[i].run.next_due_at_ms = FF_NEVER_DUE;
	}
	for (uint64 i = 0; i < rows.count; i++)
	{
		FfRow		row = ff_rows_get(&rows, i);
		int			reconciler = ff_reconciler_find(ff_row_cstring(&row, 1));

		if (reconciler < 0)
			continue;
		read_run(&row, &states[reconciler].run);
		/* a row that nobody changed was made for its numbers */
		if (!ff_row_bool(&row, 2))
			continue;
		states[reconciler].settings.enabled = ff_row_bool(&row, 3);
		states[reconciler].settings.interval_ms = ff_row_int8(&row, 4);
		states[reconciler].settings.batch_size = ff_row_int4(&row, 5);
	}
	ff_rows_free(&rows);
}

void
ff_duty_settings(FfDutySettings settings[FF_RECONCILERS])
{
	FfDutyState states[FF_RECONCILERS];

	ff_duty_states(states);
	for (int i = 0; i < FF_RECONCILERS; i++)
		settings[i] = states[i].settings;
}

/* Lock the row, which may not be there yet, until the transaction ends. */
static bool
lock_row(FfReconciler reconciler, bool wait)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, 0, (uint32) reconciler, LOCK_CLASS);
	return LockAcquire(&tag, ExclusiveLock, false, !wait) != LOCKACQUIRE_NOT_AVAIL;
}

void
ff_duty_change_begin(FfReconciler reconciler)
{
	(void) lock_row(reconciler, true);
}

void
ff_duty_change(FfReconciler reconciler, const FfDutySettings *settings, int64 now_ms)
{
	ff_statement_run(&write_settings, ff_text(ff_reconciler_defaults[reconciler].name),
					 ff_bool(settings->enabled), ff_int8(settings->interval_ms),
					 ff_int4(settings->batch_size), ff_int8(now_ms));
}

static NullableDatum
ms_or_null(int64 ms)
{
	return ms == 0 ? ff_null() : ff_int8(ms);
}

bool
ff_duty_note(FfReconciler reconciler, const FfReconcilerRun *run)
{
	const FfReconcilerDefaults *defaults = &ff_reconciler_defaults[reconciler];

	if (!lock_row(reconciler, false))
		return false;
	ff_statement_run(&note_run, ff_text(defaults->name), ff_int8(defaults->interval_ms),
					 ff_int4(defaults->batch_size), ff_int8(run->last_run_at_ms),
					 ms_or_null(run->last_good_at_ms),
					 ff_int8((int64) (run->last_duration_ms * 1000)),
					 ff_int8(run->last_processed), ff_int8(run->last_errors), ff_int8(run->runs),
					 ff_int8(run->processed), ff_int8(run->errors),
					 ff_text(run->last_sqlstate ? unpack_sql_state(run->last_sqlstate) : NULL),
					 ms_or_null(run->last_error_at_ms));
	return true;
}

void
ff_duty_count(FfReconciler reconciler, const FfReconcilerRun *run)
{
	FfSlot	   *slot = ff_slot();
	FfReconcilerTotals *totals;

	if (slot == NULL)
		return;
	totals = &slot->totals[reconciler];
	pg_atomic_fetch_add_u64(&totals->runs, 1);
	pg_atomic_fetch_add_u64(&totals->rows, run->last_processed);
	pg_atomic_fetch_add_u64(&totals->errors, run->last_errors);
	pg_atomic_fetch_add_u64(&totals->microseconds, (uint64) (run->last_duration_ms * 1000));
}
