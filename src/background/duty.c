/*
 * duty.c - the one table of reconcilers.
 */
#include "background/duty_table.h"

#include "base/id.h"

/* A family that is not built yet has no line. */
/* clang-format off */
static const FfDuty *const duties[FF_RECONCILERS] = {
	[FF_EXECUTION_DEADLINE] = &ff_duty_execution_deadline,
	[FF_ATTEMPT_TIMEOUT] = &ff_duty_attempt_timeout,
	[FF_LEASE_EXPIRY] = &ff_duty_lease_expiry,
	[FF_SUSPENSION_TIMEOUT] = &ff_duty_suspension_timeout,
	[FF_PENDING_WAITPOINT_EXPIRY] = &ff_duty_pending_waitpoint_expiry,
	[FF_DELAYED_PROMOTER] = &ff_duty_delayed_promoter,
	[FF_CLAIM_GRANT_EXPIRY] = &ff_duty_claim_grant_expiry,
	[FF_UNBLOCK] = &ff_duty_unblock,
	[FF_WORKER_REGISTRY_TTL_SWEEP] = &ff_duty_worker_registry_ttl_sweep,
	[FF_OUTBOX_TRIMMER] = &ff_duty_outbox_trimmer,
	[FF_DEDUP_TRIMMER] = &ff_duty_dedup_trimmer,
	[FF_HMAC_KID_GC] = &ff_duty_hmac_kid_gc,
	[FF_STATE_CHECK] = &ff_duty_state_check,
};
/* clang-format on */

bool
ff_duty_exists(FfReconciler reconciler)
{
	return duties[reconciler] != NULL;
}

bool
ff_duty_is_unhurried(FfReconciler reconciler)
{
	return duties[reconciler] && duties[reconciler]->unhurried;
}

bool
ff_duty_has_rows(FfReconciler reconciler)
{
	return duties[reconciler] && duties[reconciler]->apply;
}

bool
ff_duty_has_executions(FfReconciler reconciler)
{
	return duties[reconciler] && duties[reconciler]->executions;
}

char *
ff_duty_execution_key(const FfRow *row)
{
	FfExecutionId id = {.partition = ff_row_int2(row, 1),.uuid = *ff_row_uuid(row, 2)};
	char	   *rest = ff_row_cstring(row, 3);

	return rest ? psprintf("%s %s", ff_execution_id_text(&id), rest) : ff_execution_id_text(&id);
}

const char *
ff_duty_key_execution(const char *key, FfExecutionId *id)
{
	const char *blank = strchr(key, ' ');
	const char *broken = ff_execution_id_read(key, blank ? (size_t) (blank - key) : strlen(key), id);

	if (broken)
		elog(ERROR, "\"%s\" is not the key of an execution: %s", key, broken);
	return blank ? blank + 1 : NULL;
}

bool
ff_duty_lock(const char *key, FfCore *core, const char **rest)
{
	FfExecutionId id;
	const char *after = ff_duty_key_execution(key, &id);

	if (rest)
		*rest = after;
	return ff_core_try_free(core, &id);
}

List *
ff_duty_select(FfReconciler reconciler, const FfBatch *batch)
{
	const FfDuty *duty = duties[reconciler];
	List	   *keys = NIL;
	FfRows		rows;

	if (duty->choose)
		return duty->choose(batch);
	rows = ff_statement_run(duty->select, ff_int8(batch->now_ms), ff_int8(batch->limit),
							ff_int8(batch->passed_over), ff_int8(batch->from_ms));
	for (uint64 i = 0; i < rows.count; i++)
	{
		FfRow		row = ff_rows_get(&rows, i);

		keys = lappend(keys, duty->executions ? ff_duty_execution_key(&row)
					   : ff_row_cstring(&row, 1));
	}
	ff_rows_free(&rows);
	return keys;
}

bool
ff_duty_apply(FfReconciler reconciler, const char *key, int64 now_ms)
{
	bool		done;

	ff_statement_connect();
	done = duties[reconciler]->apply(key, now_ms);
	ff_statement_disconnect();
	return done;
}

void
ff_duty_sweep(FfReconciler reconciler, FfBatch *batch)
{
	duties[reconciler]->sweep(batch);
}

Jsonb *
ff_duty_details(FfReconciler reconciler, const FfBatch *batch)
{
	const FfDuty *duty = duties[reconciler];

	return duty->details ? duty->details(batch) : batch->details;
}

FfInt8
ff_duty_next(FfReconciler reconciler, int64 from_ms)
{
	const FfDuty *duty = duties[reconciler];
	FfRow		row;

	if (duty == NULL || duty->next == NULL ||
		!ff_statement_row(duty->next, &row, ff_int8(from_ms)))
		return ff_none();
	return ff_row_maybe_int8(&row, 1);
}
