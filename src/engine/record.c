/*
 * record.c - an execution and its attempt as C structs: reading and locking
 * their rows.
 */
#include "engine/record.h"

#include "base/error.h"
#include "base/table.h"

static FfTable core_rows = FF_TABLE("ff_exec_core", "ff_exec_core_pkey", FF_CORE_COLUMNS);

static FfTable attempt_rows =
FF_TABLE("ff_attempt", "ff_attempt_pkey",
		 "worker_id, worker_instance_id, attempt_id, lease_id, lease_epoch, lease_expires_at_ms,"
		 " lease_check_at_ms, lease_acquired_at_ms, lease_renewed_at_ms, lease_lost_at_ms,"
		 " started_at_ms, terminal_at_ms, suspended_at_ms, outcome, timeout_at_ms,"
		 " timeout_left_ms, failure_reason, failure_category, raw_fields");

static FfTable epochs = FF_TABLE("ff_attempt", "ff_attempt_pkey", "attempt_index, lease_epoch");

static FfTable grants =
FF_TABLE("ff_claim_grant", "ff_claim_grant_execution_idx", "execution_id");

static FfTable suspensions =
FF_TABLE("ff_suspension_current", "ff_suspension_current_pkey", "execution_id");

static FfTable open_waitpoints =
FF_TABLE("ff_waitpoint_pending", "ff_waitpoint_pending_open_idx", "execution_id");

void
ff_core_read(FfCore *core, const FfRow *row)
{
	memset(core, 0, sizeof(FfCore));
	core->id.partition = ff_row_int2(row, 1);
	core->id.uuid = *ff_row_uuid(row, FF_CORE_ID);
	core->flow_id = ff_row_uuid(row, 3);
	core->lane_id = ff_row_cstring(row, 4);
	core->attempt_index = ff_row_int4(row, 5);
	core->phase = ff_row_enum(row, 6, &ff_phases);
	core->ownership = ff_row_enum(row, 7, &ff_ownerships);
	core->eligibility = ff_row_enum(row, 8, &ff_eligibilities);
	core->blocking_reason = ff_row_enum(row, 9, &ff_blocking_reasons);
	core->public_state = ff_row_enum(row, 10, &ff_public_states);
	core->attempt_state = ff_row_enum(row, 11, &ff_attempt_states);
	core->terminal_outcome = ff_row_enum(row, 12, &ff_outcomes);
	core->eligible_at_ms = ff_row_maybe_int8(row, 13);
	core->deadline_at_ms = ff_row_maybe_int8(row, FF_CORE_DEADLINE);
	core->started_at_ms = ff_row_maybe_int8(row, 15);
	core->terminal_at_ms = ff_row_maybe_int8(row, 16);
	core->created_at_ms = ff_row_int8(row, FF_CORE_CREATED);
	core->priority = ff_row_int4(row, FF_CORE_PRIORITY);
	core->lease_reclaim_count = ff_row_int4(row, 19);
	core->retry_count = ff_row_int4(row, 20);
	core->blocked_on = ff_row_uuid(row, 21);
	core->policy = ff_row_jsonb(row, 22);
	core->raw_fields = ff_row_jsonb(row, 23);
	core->caps_hash = ff_row_int8(row, 24);
	core->tid = row->tid;
	core->dependents = FF_HAS_ANY;
}

bool
ff_core_try(FfCore *core, const FfExecutionId *id)
{
	FfRow		row;

	if (!ff_table_lock(&core_rows, &row, ff_int2(id->partition), ff_uuid(&id->uuid)))
		return false;
	ff_core_read(core, &row);
	return true;
}

bool
ff_core_try_free(FfCore *core, const FfExecutionId *id)
{
	FfRow		row;

	if (!ff_table_try_lock(&core_rows, &row, ff_int2(id->partition), ff_uuid(&id->uuid)))
		return false;
	ff_core_read(core, &row);
	return true;
}

void
ff_core_lock(FfCore *core, const FfExecutionId *id)
{
	if (!ff_core_try(core, id))
		ff_raise(FF_NOT_FOUND,
				 errmsg("execution %s does not exist", ff_execution_id_text(id)));
}

/*
 * Everyone who writes a dependent row holds the execution's lock, and these
 * look on snapshots taken after that lock was: what they do not see is not
 * there.
 */
static int
find_dependents(const FfCore *core)
{
	NullableDatum partition = ff_int2(core->id.partition);
	NullableDatum execution = ff_uuid(&core->id.uuid);

	return (ff_table_has(&grants, partition, execution) ? FF_HAS_GRANT : 0) |
		(ff_table_has(&suspensions, partition, execution) ? FF_HAS_SUSPENSION : 0) |
		(ff_table_has(&open_waitpoints, partition, execution) ? FF_HAS_WAITPOINT : 0);
}

bool
ff_attempt_lock(FfAttempt *attempt, FfCore *core, int32 attempt_index)
{
	FfRow		row;

	memset(attempt, 0, sizeof(FfAttempt));
	attempt->execution = core->id;
	attempt->attempt_index = attempt_index;
	attempt->outcome = FF_NO_OUTCOME;
	if (!ff_table_lock(&attempt_rows, &row, ff_int2(core->id.partition),
					   ff_uuid(&core->id.uuid), ff_int4(attempt_index)))
		return false;

	attempt->worker_id = ff_row_cstring(&row, 1);
	attempt->worker_instance_id = ff_row_cstring(&row, 2);
	attempt->attempt_id = ff_row_uuid(&row, 3);
	attempt->lease_id = ff_row_uuid(&row, 4);
	attempt->lease_epoch = ff_row_int8(&row, 5);
	attempt->lease_expires_at_ms = ff_row_maybe_int8(&row, 6);
	attempt->lease_check_at_ms = ff_row_maybe_int8(&row, 7);
	attempt->lease_acquired_at_ms = ff_row_maybe_int8(&row, 8);
	attempt->lease_renewed_at_ms = ff_row_maybe_int8(&row, 9);
	attempt->lease_lost_at_ms = ff_row_maybe_int8(&row, 10);
	attempt->started_at_ms = ff_row_maybe_int8(&row, 11);
	attempt->terminal_at_ms = ff_row_maybe_int8(&row, 12);
	attempt->suspended_at_ms = ff_row_maybe_int8(&row, 13);
	attempt->outcome = ff_row_enum(&row, 14, &ff_outcomes);
	attempt->timeout_at_ms = ff_row_maybe_int8(&row, 15);
	attempt->timeout_left_ms = ff_row_maybe_int8(&row, 16);
	attempt->failure_reason = ff_row_cstring(&row, 17);
	attempt->failure_category = ff_row_cstring(&row, 18);
	attempt->raw_fields = ff_row_jsonb(&row, 19);
	attempt->tid = row.tid;
	core->dependents = find_dependents(core);
	return true;
}

FfEpochs
ff_attempt_epochs(const FfCore *core)
{
	FfEpochs	result = {0};
	FfBound		of_execution[] = {
		FF_BOUND(1, BTEqualStrategyNumber, Int16GetDatum(core->id.partition)),
		FF_BOUND(2, BTEqualStrategyNumber, UUIDPGetDatum(&core->id.uuid)),
	};
	FfScan	   *scan = ff_scan_begin(&epochs, of_execution, lengthof(of_execution));
	FfRow		row;

	while (ff_scan_next(scan, &row))
	{
		result.has_current |= ff_row_int4(&row, 1) == core->attempt_index;
		result.top = Max(result.top, ff_row_int8(&row, 2));
	}
	ff_scan_end(scan);
	return result;
}

bool
ff_lease_is_live(const FfCore *core, const FfAttempt *attempt, int64 now_ms)
{
	return core->ownership == FF_LEASED && attempt->lease_expires_at_ms.isset &&
		attempt->lease_expires_at_ms.value > now_ms;
}

bool
ff_core_has_ended(const FfCore *core)
{
	return core->phase == FF_TERMINAL_PHASE || core->phase == FF_CANCELLED;
}

bool
ff_attempt_is_paused(const FfCore *core, const FfAttempt *attempt)
{
	return core->attempt_state == FF_INTERRUPTED_ATTEMPT &&
		(attempt->outcome == FF_ATTEMPT_INTERRUPTED || attempt->outcome == FF_INTERRUPTED ||
		 attempt->outcome == FF_WAITING_CHILDREN);
}

char *
ff_core_field(const FfCore *core, const char *key)
{
	return ff_json_get_text(core->raw_fields, key);
}

char *
ff_core_tag(const FfCore *core, const char *key)
{
	return ff_json_get_text(ff_json_get_object(core->raw_fields, "tags"), key);
}

char *
ff_core_namespace(const FfCore *core)
{
	return ff_core_field(core, "namespace");
}

FfJsonObject *
ff_core_patch(FfCore *core)
{
	if (core->raw_patch == NULL)
		core->raw_patch = ff_json_begin();
	return core->raw_patch;
}

FfJsonObject *
ff_attempt_patch(FfAttempt *attempt)
{
	if (attempt->raw_patch == NULL)
		attempt->raw_patch = ff_json_begin();
	return attempt->raw_patch;
}
