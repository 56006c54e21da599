/*
 * schedule.c - one pass of a reconciler in the background worker.
 *
 * A batch takes all its rows in one transaction. Where that raises, each row
 * gets a transaction of its own, so that one bad row holds up no other; a row
 * that keeps failing is parked for some passes.
 *
 * Index entries of what is no longer due stay until vacuum removes them, which
 * an old snapshot keeps it from. So that a pass need not step over all of them,
 * it begins where the last one found the first live row; a commit that tells of
 * something due earlier moves that back. What nobody tells of, the commit of a
 * prepared transaction or a row put in by hand, is found by a look from the
 * beginning, once in the interval; less often where that is slow.
 */
#include "background/schedule.h"

#include "postmaster/interrupt.h"
#include "utils/memutils.h"

#include "base/clock.h"
#include "base/setting.h"
#include "background/duty_state.h"
#include "background/failing.h"
#include "background/transaction.h"

#define LONGEST_PASS_MS 5000
#define SHORTEST_BREAK_MS 20
#define LONGEST_BACKOFF_MS (5 * 60 * 1000)
/* Looks from the beginning take at most this part of the time, but are never put off for long. */
#define LOOK_SHARE 20
#define LONGEST_LOOK_PAUSE_MS 10000

typedef struct Schedule
{
	int64		last_end_ms;	/* steady clock */
	int64		due_at_ms;		/* engine's clock; FF_NEVER_DUE: nothing is known to be due */
	int64		from_ms;		/* engine's clock: nothing that is told of is due before */
	int64		look_ended_ms;	/* steady clock: the last look from the beginning */
	int64		look_took_ms;
	bool		again;			/* the last pass was cut short */
	int32		batch;			/* rows of the next batch */
	int			failures;		/* passes running that failed as a whole */
	int64		backoff_until_ms;	/* steady clock; 0: it does not back off */
	int			logged_sqlstate;	/* of a whole pass, so that it is logged once */
	FfFailing  *failing;		/* rows that failed in the last pass they took part in */
	FfReconcilerRun run;		/* what status shows */
	FfReconcilerRun saved;		/* as much of it as the table has */
	bool		is_noted;		/* by the transaction that saves, while that runs */
} Schedule;

static FfSlot *slot;
static Schedule schedules[FF_RECONCILERS];
static FfDutySettings settings[FF_RECONCILERS];
static MemoryContext pass_context;

/* What one transaction of a pass is told. */
typedef struct Step
{
	FfReconciler reconciler;
	FfBatch		batch;
	List	   *keys;			/* of the batch; in pass_context */
	const char *key;			/* the one to do alone */
	FfInt8		next;			/* what is due next, where the batch came short */
	int64		look_ms;		/* the time it took to find the rows, and what is due next */
	bool		failed;			/* before it came to a row */
} Step;

void
ff_schedule_init(FfSlot *my_slot)
{
	slot = my_slot;
	pass_context = AllocSetContextCreate(TopMemoryContext, "ffengine pass", ALLOCSET_DEFAULT_SIZES);
	for (int i = 0; i < FF_RECONCILERS; i++)
	{
		memset(&schedules[i], 0, sizeof(Schedule));
		schedules[i].due_at_ms = 0;
		schedules[i].from_ms = FF_DUE_EVER;
		schedules[i].run.next_due_at_ms = FF_NEVER_DUE;
	}
}

static bool
read_settings(void *arg)
{
	FfDutyState states[FF_RECONCILERS];

	ff_duty_states(states);
	for (int i = 0; i < FF_RECONCILERS; i++)
	{
		settings[i] = states[i].settings;
		/* go on from the numbers of those before */
		if (schedules[i].run.runs == 0)
			schedules[i].run = schedules[i].saved = states[i].run;
	}
	return true;
}

void
ff_schedule_read_settings(void)
{
	if (!ff_transaction_run("settings", read_settings, NULL))
		ff_transaction_log("settings");
}

void
ff_schedule_note_due(FfReconciler reconciler, int64 due_at_ms)
{
	Schedule   *schedule = &schedules[reconciler];

	schedule->due_at_ms = Min(schedule->due_at_ms, due_at_ms);
	schedule->from_ms = Min(schedule->from_ms, due_at_ms);
}

/* The least due instant on the steady clock. */
static int64
due_on_steady_clock(const Schedule *schedule)
{
	if (schedule->due_at_ms == FF_NEVER_DUE)
		return FF_NEVER_DUE;
	return schedule->due_at_ms - ff_now_ms() + ff_steady_ms();
}

int64
ff_schedule_next_ms(FfReconciler reconciler)
{
	const Schedule *schedule = &schedules[reconciler];
	const FfDutySettings *setting = &settings[reconciler];
	int64		next_ms;

	if (!ff_duty_exists(reconciler) || !setting->enabled)
		return FF_NEVER_DUE;
	next_ms = schedule->last_end_ms + setting->interval_ms;
	next_ms = Min(next_ms, due_on_steady_clock(schedule));
	if (schedule->again)
		next_ms = 0;
	next_ms = Max(next_ms, schedule->last_end_ms + SHORTEST_BREAK_MS);
	return Max(next_ms, schedule->backoff_until_ms);
}

static void
check_shutdown(void)
{
	if (ShutdownRequestPending)
		ereport(ERROR, (errcode(ERRCODE_QUERY_CANCELED), errmsg("the worker is to leave")));
}

static void
apply(Step *step, const char *key)
{
	check_shutdown();
	if (ff_duty_apply(step->reconciler, key, step->batch.now_ms))
		step->batch.processed++;
	else
	{
		step->batch.skipped++;
		step->batch.passed_over++;
	}
}

/* Keys are to outlive the transaction, in case it fails. */
static List *
keep_keys(List *keys)
{
	MemoryContext old = MemoryContextSwitchTo(pass_context);
	List	   *kept = NIL;
	ListCell   *cell;

	foreach(cell, keys)
		kept = lappend(kept, pstrdup(lfirst(cell)));
	MemoryContextSwitchTo(old);
	return kept;
}

static bool
apply_batch(void *arg)
{
	Step	   *step = arg;
	FfBatch    *batch = &step->batch;
	ListCell   *cell;
	int64		began_ms = ff_steady_ms();

	if (ff_duty_has_rows(step->reconciler))
	{
		step->keys = keep_keys(ff_duty_select(step->reconciler, batch));
		step->look_ms += ff_steady_ms() - began_ms;
		batch->more = list_length(step->keys) >= batch->limit;
		foreach(cell, step->keys)
		{
			if (ff_failing_is_parked(schedules[step->reconciler].failing, lfirst(cell)))
				batch->passed_over++;
			else
				apply(step, lfirst(cell));
		}
	}
	else
		ff_duty_sweep(step->reconciler, batch);
	if (!batch->more)
	{
		began_ms = ff_steady_ms();
		step->next = ff_duty_next(step->reconciler, batch->from_ms);
		step->look_ms += ff_steady_ms() - began_ms;
	}
	return true;
}

static bool
apply_one(void *arg)
{
	Step	   *step = arg;

	apply(step, step->key);
	return true;
}

/* The batch, which was to step over so many rows, raised: each of its rows alone. */
static void
apply_one_by_one(Step *step, const char *what, int64 passed_over)
{
	const char *name = ff_reconciler_defaults[step->reconciler].name;
	Schedule   *schedule = &schedules[step->reconciler];
	ListCell   *cell;

	step->batch.processed = 0;
	step->batch.skipped = 0;
	step->batch.passed_over = passed_over;
	foreach(cell, step->keys)
	{
		step->key = lfirst(cell);
		if (ShutdownRequestPending || ff_extension_gone)
			return;
		if (ff_failing_is_parked(schedule->failing, step->key))
		{
			step->batch.passed_over++;
			continue;
		}
		if (ff_transaction_run(what, apply_one, step) || ff_transaction_sqlstate == 0)
			continue;
		step->batch.passed_over++;
		if (ff_sqlstate_is_transient(ff_transaction_sqlstate))
			step->batch.skipped++;
		else
		{
			step->batch.errors++;
			if (ff_failing_note(&schedule->failing, step->key))
				ff_transaction_log(psprintf("%s of %s", name, step->key));
			schedule->run.last_sqlstate = ff_transaction_sqlstate;
			schedule->run.last_error_at_ms = ff_real_ms();
		}
	}
}

/* The pass failed before it came to a row. */
static void
back_off(Schedule *schedule, FfReconciler reconciler)
{
	int64		wait_ms = settings[reconciler].interval_ms;

	for (int i = 0; i <= schedule->failures && wait_ms < LONGEST_BACKOFF_MS; i++)
		wait_ms *= 2;
	schedule->failures++;
	if (schedule->logged_sqlstate != ff_transaction_sqlstate)
		ff_transaction_log(ff_reconciler_defaults[reconciler].name);
	schedule->backoff_until_ms = ff_steady_ms() + Min(wait_ms, LONGEST_BACKOFF_MS);
	schedule->logged_sqlstate = ff_transaction_sqlstate;
	schedule->run.last_sqlstate = ff_transaction_sqlstate;
	schedule->run.last_error_at_ms = ff_real_ms();
}

/* No longer does it fail as a whole: the next time would be news. */
static void
recover(Schedule *schedule)
{
	schedule->failures = 0;
	schedule->backoff_until_ms = 0;
	schedule->logged_sqlstate = 0;
}

/* Toward ffengine.batch_target, by halves and doubles. */
static void
adapt_batch(Schedule *schedule, int32 largest, int64 took_ms)
{
	if (took_ms > ff_batch_target_ms)
		schedule->batch /= 2;
	else if (took_ms * 2 < ff_batch_target_ms)
		schedule->batch *= 2;
	schedule->batch = Max(1, Min(schedule->batch, largest));
}

/* True when a pass is to look from the beginning; where there is no shared memory nobody tells. */
static bool
is_look_due(const Schedule *schedule, int64 interval_ms)
{
	int64		pause_ms = Min(schedule->look_took_ms * LOOK_SHARE, LONGEST_LOOK_PAUSE_MS);

	return slot == NULL ||
		ff_steady_ms() >= schedule->look_ended_ms + Max(interval_ms, pause_ms);
}

/* A batch that came short has seen what is due next. */
static void
note_next(Schedule *schedule, const Step *step)
{
	if (step->batch.more)
		return;
	if (step->batch.from_ms == FF_DUE_EVER)
	{
		schedule->look_ended_ms = ff_steady_ms();
		schedule->look_took_ms = step->look_ms;
	}
	schedule->from_ms = step->next.isset ? step->next.value : step->batch.now_ms;
}

static void
begin_batch(Schedule *schedule, Step *step, int32 largest)
{
	FfBatch    *batch = &step->batch;

	if (schedule->batch == 0)
		schedule->batch = Max(1, largest / 10);
	schedule->batch = Min(schedule->batch, largest);
	batch->now_ms = ff_now_ms();
	batch->limit = schedule->batch;
	batch->from_ms = schedule->from_ms;
	batch->processed = batch->skipped = batch->errors = 0;
	batch->more = false;
	step->keys = NIL;
	step->next = ff_none();
	step->look_ms = 0;
}

/* What is left to do of a batch that raised; false when the pass is over. */
static bool
rescue_batch(Schedule *schedule, Step *step, const char *what, int64 passed_over)
{
	step->next = ff_none();
	if (ff_extension_gone || ShutdownRequestPending ||
		ff_sqlstate_is_transient(ff_transaction_sqlstate))
		return false;
	if (step->keys == NIL)
	{
		step->batch.errors++;
		step->failed = true;
		back_off(schedule, step->reconciler);
		return false;
	}
	apply_one_by_one(step, what, passed_over);
	return true;
}

/* Run one batch; false when the pass is over. */
static bool
run_batch(Schedule *schedule, Step *step, int32 largest)
{
	FfBatch    *batch = &step->batch;
	int64		began_ms = ff_steady_ms();
	int64		passed_over = batch->passed_over;
	char	   *what;

	begin_batch(schedule, step, largest);
	what = psprintf("%s (%d rows)", ff_reconciler_defaults[step->reconciler].name, batch->limit);
	if (ff_transaction_run(what, apply_batch, step))
		note_next(schedule, step);
	else if (!rescue_batch(schedule, step, what, passed_over))
		return false;
	adapt_batch(schedule, largest, ff_steady_ms() - began_ms);
	return batch->more;
}

/* An instant of the steady clock, for people. */
static int64
on_real_clock(int64 steady_ms)
{
	if (steady_ms == 0 || steady_ms == FF_NEVER_DUE)
		return steady_ms;
	return steady_ms - ff_steady_ms() + ff_real_ms();
}

static void
publish(FfReconciler reconciler)
{
	Schedule   *schedule = &schedules[reconciler];

	schedule->run.backoff_until_ms = on_real_clock(schedule->backoff_until_ms);
	schedule->run.next_due_at_ms = schedule->due_at_ms;
	schedule->run.next_run_at_ms = on_real_clock(ff_schedule_next_ms(reconciler));
	if (slot == NULL)
		return;
	LWLockAcquire(slot->lock, LW_EXCLUSIVE);
	slot->runs[reconciler] = schedule->run;
	LWLockRelease(slot->lock);
}

/* What the pass did, for those who ask and for the table. */
static void
account(FfReconciler reconciler, int64 processed, int64 errors)
{
	Schedule   *schedule = &schedules[reconciler];
	FfReconcilerRun *run = &schedule->run;

	run->parked_rows = ff_failing_settle(&schedule->failing);
	run->last_processed = processed;
	run->last_errors = errors;
	run->runs++;
	run->processed += processed;
	run->errors += errors;
	if (errors == 0)
		run->last_good_at_ms = run->last_run_at_ms;
	ff_duty_count(reconciler, run);
}

void
ff_schedule_run(FfReconciler reconciler, void (*between) (void))
{
	Schedule   *schedule = &schedules[reconciler];
	Step		step = {.reconciler = reconciler};
	int64		began_us = ff_steady_us();
	int64		now_ms = ff_now_ms();
	int64		processed = 0;
	int64		errors = 0;
	bool		more;
	MemoryContext old = MemoryContextSwitchTo(pass_context);

	schedule->run.last_run_at_ms = ff_real_ms();
	/* what is published while it runs is not to be forgotten */
	schedule->due_at_ms = FF_NEVER_DUE;
	if (is_look_due(schedule, settings[reconciler].interval_ms))
		schedule->from_ms = FF_DUE_EVER;
	do
	{
		more = run_batch(schedule, &step, settings[reconciler].batch_size);
		processed += step.batch.processed;
		errors += step.batch.errors;
		between();
	} while (more && ff_steady_us() - began_us < LONGEST_PASS_MS * 1000 &&
			 !ShutdownRequestPending && !ff_extension_gone);

	schedule->run.last_duration_ms = (ff_steady_us() - began_us) / 1000.0;
	schedule->again = more;
	schedule->last_end_ms = ff_steady_ms();
	if (!step.failed)
		recover(schedule);
	/* what was due and could not be done waits for the interval */
	if (step.next.isset && !ff_duty_is_unhurried(reconciler) &&
		(step.next.value > now_ms || processed > 0))
		ff_schedule_note_due(reconciler, step.next.value);
	account(reconciler, processed, errors);
	publish(reconciler);
	MemoryContextSwitchTo(old);
	MemoryContextReset(pass_context);
}

static bool
save(void *arg)
{
	bool	   *all = arg;

	for (int i = 0; i < FF_RECONCILERS; i++)
	{
		Schedule   *schedule = &schedules[i];
		FfReconcilerRun since = schedule->run;

		since.runs -= schedule->saved.runs;
		since.processed -= schedule->saved.processed;
		since.errors -= schedule->saved.errors;
		if (since.runs > 0 && (since.processed > 0 || since.errors > 0 || *all))
			schedule->is_noted = ff_duty_note(i, &since);
	}
	return true;
}

void
ff_schedule_save(bool all)
{
	bool		saved = ff_transaction_run("statistics", save, &all);

	if (!saved)
		ff_transaction_log("statistics");
	for (int i = 0; i < FF_RECONCILERS; i++)
	{
		if (saved && schedules[i].is_noted)
			schedules[i].saved = schedules[i].run;
		schedules[i].is_noted = false;
	}
}
