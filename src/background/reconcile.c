/*
 * reconcile.c - running, setting and watching the reconcilers from SQL
 * (specification chapter 08, section 9). They need neither a worker nor the
 * library preloaded, and work beside a running worker.
 */
#include "base/compat.h"

#include "access/xlog.h"

#include "background/duty_state.h"
#include "background/pass.h"
#include "base/argument.h"
#include "base/call.h"
#include "base/clock.h"
#include "base/error.h"
#include "engine/slot.h"
#include "engine/wake.h"

#define MAX_ROWS 100000
#define MIN_INTERVAL_MS 20
#define MAX_INTERVAL_MS 3600000
#define MAX_BATCH 10000

/* A pass that found nothing is noted only so often: a poll each second shall write nothing. */
#define NOTE_IDLE_MS 60000

static FfReconciler
find_reconciler(const char *name)
{
	int			reconciler = ff_reconciler_find(name);

	if (reconciler < 0)
		ff_raise_rule(FF_INVALID_INPUT, "unknown_value", "there is no such reconciler",
					  "ff_reconciler_status() lists them");
	return (FfReconciler) reconciler;
}

static void
refuse_standby(void)
{
	if (RecoveryInProgress())
		ff_raise(FF_UNAVAILABLE, errmsg("reconcilers do not run on a standby"),
				 errhint("Call this on the primary."));
}

static void
run_and_note(FfReconciler reconciler, FfPass *pass, const FfDutyState *state)
{
	FfReconcilerRun run = {.last_run_at_ms = pass->batch.now_ms,.runs = 1};
	int64		began_us = ff_steady_us();

	ff_pass_run(reconciler, pass);
	run.last_duration_ms = (ff_steady_us() - began_us) / 1000.0;
	run.last_processed = run.processed = pass->batch.processed;
	run.last_errors = run.errors = pass->batch.errors;
	if (run.errors > 0)
	{
		run.last_sqlstate = pass->sqlstate;
		run.last_error_at_ms = run.last_run_at_ms;
	}
	else
		run.last_good_at_ms = run.last_run_at_ms;
	ff_duty_count(reconciler, &run);
	if (run.processed > 0 || run.errors > 0 ||
		run.last_run_at_ms - state->run.last_run_at_ms >= NOTE_IDLE_MS)
		(void) ff_duty_note(reconciler, &run);
}

static NullableDatum
details_of(FfReconciler reconciler, const FfBatch *batch)
{
	FfJsonObject *details;

	if (batch->details)
		return ff_pointer(batch->details);
	details = ff_json_begin();
	if (!ff_duty_exists(reconciler))
		ff_json_bool(details, "unavailable", true);
	return ff_json_patch(details);
}

/* Run a reconciler, if its family is there, and tell of it. */
static void
reconcile(FfCall *call, FfReconciler reconciler, FfPass pass, const FfDutyState *state)
{
	FfBatch    *batch = &pass.batch;

	batch->now_ms = call->now_ms;
	batch->from_ms = FF_DUE_EVER;
	if (batch->limit == 0)
		batch->limit = state->settings.batch_size;
	if (ff_duty_exists(reconciler))
		run_and_note(reconciler, &pass, state);
	ff_call_row(call, ff_text(ff_reconciler_defaults[reconciler].name),
				ff_int8(batch->processed), ff_int8(batch->skipped), ff_int8(batch->errors),
				ff_bool(batch->more), ff_maybe_instant(ff_duty_next(reconciler, FF_DUE_EVER)),
				details_of(reconciler, batch));
}

PG_FUNCTION_INFO_V1(ff_reconcile);

Datum
ff_reconcile(PG_FUNCTION_ARGS)
{
	FfCall		call;
	char	   *name = ff_arg_text_or(fcinfo, 0, NULL);
	FfInt8		max_rows = ff_arg_maybe_int4(fcinfo, 1);
	FfPass		pass = {
		.namespace = ff_arg_text_or(fcinfo, 2, NULL),
		.instance_tag = ff_arg_text_or(fcinfo, 3, NULL),
	};
	FfReconciler only = name ? find_reconciler(name) : FF_RECONCILERS;
	FfDutyState states[FF_RECONCILERS];

	if (max_rows.isset)
		ff_check_range(max_rows.value, "max_rows", 1, MAX_ROWS);
	refuse_standby();
	if (name && !ff_duty_exists(only))
		ff_raise(FF_UNAVAILABLE, errmsg("reconciler %s is not there in this version", name));
	pass.batch.limit = (int32) max_rows.value;

	ff_call_begin(&call, fcinfo);
	ff_duty_states(states);
	for (int i = 0; i < FF_RECONCILERS; i++)
		if (name ? i == (int) only : states[i].settings.enabled)
			reconcile(&call, i, pass, &states[i]);
	return ff_call_end(&call);
}

/* A setting as asked for: unset keeps what there is, 0 is the default. */
static int64
asked_for(FfInt8 asked, int64 current, int64 otherwise)
{
	if (!asked.isset)
		return current;
	return asked.value == 0 ? otherwise : asked.value;
}

PG_FUNCTION_INFO_V1(ff_set_reconciler);

Datum
ff_set_reconciler(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfReconciler reconciler = find_reconciler(ff_arg_text(fcinfo, 0, "name"));
	const FfReconcilerDefaults *defaults = &ff_reconciler_defaults[reconciler];
	FfInt8		interval_ms = ff_arg_maybe_int8(fcinfo, 2);
	FfInt8		batch_size = ff_arg_maybe_int4(fcinfo, 3);
	FfDutySettings all[FF_RECONCILERS];
	FfDutySettings new;
	bool		changed;

	if (interval_ms.value != 0)
		ff_check_range(interval_ms.value, "interval_ms", MIN_INTERVAL_MS, MAX_INTERVAL_MS);
	if (batch_size.value != 0)
		ff_check_range(batch_size.value, "batch_size", 1, MAX_BATCH);
	refuse_standby();

	ff_call_begin(&call, fcinfo);
	ff_duty_change_begin(reconciler);
	ff_duty_settings(all);
	new = all[reconciler];
	new.enabled = ff_arg_bool_or(fcinfo, 1, new.enabled);
	new.interval_ms = asked_for(interval_ms, new.interval_ms, defaults->interval_ms);
	new.batch_size = (int32) asked_for(batch_size, new.batch_size, defaults->batch_size);
	changed = new.enabled != all[reconciler].enabled ||
		new.interval_ms != all[reconciler].interval_ms ||
		new.batch_size != all[reconciler].batch_size;
	if (changed)
	{
		ff_duty_change(reconciler, &new, call.now_ms);
		ff_wake_settings();
	}
	ff_call_row(&call, ff_text(changed ? "changed" : "unchanged"), ff_text(defaults->name),
				ff_bool(new.enabled), ff_int8(new.interval_ms), ff_int4(new.batch_size));
	return ff_call_end(&call);
}

/* What the worker says, if one runs. */
static bool
read_worker(FfReconcilerRun runs[FF_RECONCILERS])
{
	FfSlot	   *slot = ff_slot();
	bool		running = false;

	if (slot == NULL)
		return false;
	LWLockAcquire(slot->lock, LW_SHARED);
	running = slot->worker_pid != 0;
	if (running)
		memcpy(runs, slot->runs, sizeof(slot->runs));
	LWLockRelease(slot->lock);
	return running;
}

static NullableDatum
instant_or_none(int64 at_ms)
{
	return at_ms == 0 || at_ms == FF_NEVER_DUE ? ff_null() : ff_instant(at_ms);
}

static void
tell_status(FfCall *call, FfReconciler reconciler, const FfDutySettings *settings,
			const FfReconcilerRun *run)
{
	ff_call_row(call, ff_text(ff_reconciler_defaults[reconciler].name),
				ff_bool(settings->enabled), ff_int8(settings->interval_ms),
				ff_int4(settings->batch_size), instant_or_none(run->last_run_at_ms),
				instant_or_none(run->last_good_at_ms),
				run->last_run_at_ms ? ff_value(Float8GetDatum(run->last_duration_ms)) : ff_null(),
				ff_int8(run->last_processed), ff_int8(run->last_errors), ff_int8(run->runs),
				ff_int8(run->processed), ff_int8(run->errors),
				ff_text(run->last_sqlstate ? unpack_sql_state(run->last_sqlstate) : NULL),
				instant_or_none(run->last_error_at_ms), ff_int4(run->parked_rows),
				instant_or_none(run->backoff_until_ms), instant_or_none(run->next_run_at_ms),
				instant_or_none(run->next_due_at_ms));
}

PG_FUNCTION_INFO_V1(ff_reconciler_status);

Datum
ff_reconciler_status(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfDutyState states[FF_RECONCILERS];
	FfReconcilerRun runs[FF_RECONCILERS];
	bool		running;

	ff_call_begin(&call, fcinfo);
	ff_duty_states(states);
	running = read_worker(runs);
	for (int i = 0; i < FF_RECONCILERS; i++)
	{
		FfReconcilerRun *run = running ? &runs[i] : &states[i].run;

		if (!running)
		{
			FfInt8		due = ff_duty_next(i, FF_DUE_EVER);

			run->next_due_at_ms = due.isset ? due.value : FF_NEVER_DUE;
		}
		tell_status(&call, i, &states[i].settings, run);
	}
	return ff_call_end(&call);
}
