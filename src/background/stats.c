/*
 * stats.c - what was counted and how the background worker stands
 * (specification chapter 08, section 10). Reads the database's slot in shared
 * memory: no table, no lock. So a row may be a moment newer than another.
 */
#include "base/compat.h"

#include "base/clock.h"
#include "base/jsonobject.h"
#include "base/result.h"
#include "base/setting.h"
#include "engine/slot.h"

static const char *const notify_modes[] = {
	[FF_NOTIFY_BACKGROUND] = "background",
	[FF_NOTIFY_TRANSACTIONAL] = "transactional",
	[FF_NOTIFY_OFF] = "off",
};

/* What is counted of each reconciler. */
typedef struct ReconcilerCounter
{
	const char *name;
	size_t		offset;			/* in FfReconcilerTotals */
	double		unit;
	const char *help;
} ReconcilerCounter;

#define TOTAL(field) offsetof(FfReconcilerTotals, field)

static const ReconcilerCounter reconciler_counters[] = {
	{"ff_reconciler_runs_total", TOTAL(runs), 1, "Passes, by reconciler."},
	{"ff_reconciler_rows_total", TOTAL(rows), 1, "Rows changed, by reconciler."},
	{"ff_reconciler_errors_total", TOTAL(errors), 1, "Rows and passes that failed, by reconciler."},
	{"ff_reconciler_seconds_total", TOTAL(microseconds), 1e-6, "Time spent, by reconciler."},
};

/* One row; label NULL: it has none. */
static void
add(FfResult *result, const char *name, const char *label, const char *of, const char *kind,
	double value, const char *help)
{
	FfJsonObject *labels = ff_json_begin();

	if (label)
		ff_json_text(labels, label, of);
	ff_result_add(result, ff_text(name), ff_pointer(ff_json_end(labels)), ff_text(kind),
				  ff_value(Float8GetDatum(value)), ff_text(help));
}

static void
add_gauge(FfResult *result, const char *name, const char *label, const char *of, double value,
		  const char *help)
{
	add(result, name, label, of, "gauge", value, help);
}

static void
add_counters(FfResult *result, FfSlot *slot)
{
	for (int i = 0; i < FF_COUNTERS; i++)
	{
		const FfCounterNames *is = &ff_counter_names[i];

		add(result, is->name, is->label, is->value, "counter",
			pg_atomic_read_u64(&slot->counters[i]), is->help);
	}
}

static void
add_reconciler_counters(FfResult *result, FfSlot *slot)
{
	for (int c = 0; c < (int) lengthof(reconciler_counters); c++)
	{
		const ReconcilerCounter *is = &reconciler_counters[c];

		for (int i = 0; i < FF_RECONCILERS; i++)
		{
			char	   *total = (char *) &slot->totals[i] + is->offset;

			add(result, is->name, "reconciler", ff_reconciler_defaults[i].name, "counter",
				pg_atomic_read_u64((pg_atomic_uint64 *) total) * is->unit, is->help);
		}
	}
}

/* No row where nothing is due, or nobody has looked yet. */
static void
add_next_due(FfResult *result, FfSlot *slot)
{
	int64		now_ms = ff_now_ms();

	for (int i = 0; i < FF_RECONCILERS; i++)
	{
		int64		due_ms = *(volatile int64 *) &slot->runs[i].next_due_at_ms;

		if (due_ms != 0 && due_ms != FF_NEVER_DUE)
			add_gauge(result, "ff_reconciler_next_due_seconds", "reconciler",
					  ff_reconciler_defaults[i].name, (due_ms - now_ms) / 1000.0,
					  "Time until something is due, by reconciler; negative: overdue.");
	}
}

PG_FUNCTION_INFO_V1(ff_stats);

Datum
ff_stats(PG_FUNCTION_ARGS)
{
	FfResult   *result = ff_result_begin(fcinfo);
	FfSlot	   *slot = ff_slot();

	add_gauge(result, "ff_preloaded", NULL, NULL, ff_shared() != NULL,
			  "1 if the library is in shared_preload_libraries.");
	if (ff_shared() == NULL)
		return ff_result_end(result);
	add_gauge(result, "ff_worker_running", NULL, NULL, slot && slot->worker_pid != 0,
			  "1 if the background worker of this database runs.");
	for (int mode = 0; mode < (int) lengthof(notify_modes); mode++)
		add_gauge(result, "ff_notify_mode", "mode", notify_modes[mode], mode == ff_notify_mode,
				  "1 for the mode that ffengine.notify_mode is set to.");
	/* more databases than ffengine.max_databases: this one counts nothing */
	if (slot)
	{
		add_next_due(result, slot);
		add_counters(result, slot);
		add_reconciler_counters(result, slot);
	}
	return ff_result_end(result);
}

PG_FUNCTION_INFO_V1(ff_stats_reset);

Datum
ff_stats_reset(PG_FUNCTION_ARGS)
{
	FfSlot	   *slot = ff_slot();

	if (slot == NULL)
		PG_RETURN_VOID();
	for (int i = 0; i < FF_COUNTERS; i++)
		pg_atomic_write_u64(&slot->counters[i], 0);
	for (int c = 0; c < (int) lengthof(reconciler_counters); c++)
		for (int i = 0; i < FF_RECONCILERS; i++)
		{
			char	   *total = (char *) &slot->totals[i] + reconciler_counters[c].offset;

			pg_atomic_write_u64((pg_atomic_uint64 *) total, 0);
		}
	PG_RETURN_VOID();
}
