/*
 * record.c - an execution and its attempt as C structs: reading and locking
 * their rows.
 */
#include "engine/record.h"

#include "base/error.h"

#define LOCK_CORE \
	"SELECT " FF_CORE_COLUMNS \
	" FROM @extschema@.ff_exec_core c" \
	" WHERE c.partition_key = $1 AND c.execution_id = $2" \
	" FOR NO KEY UPDATE"

static FfStatement lock_core = FF_STATEMENT("lock_core", "smallint, uuid", LOCK_CORE);

static FfStatement lock_free_core =
FF_STATEMENT("lock_free_core", "smallint, uuid", LOCK_CORE " SKIP LOCKED");

/*
 * Everyone who writes a dependent row holds the execution's lock, and this
 * statement's snapshot is taken after that lock was: what it does not see is
 * not there.
 */
static FfStatement lock_attempt =
FF_STATEMENT("lock_attempt", "smallint, uuid, integer",
			 "SELECT worker_id, worker_instance_id, attempt_id, lease_id, lease_epoch,"
			 " lease_expires_at_ms, lease_check_at_ms, lease_acquired_at_ms,"
			 " lease_renewed_at_ms, lease_lost_at_ms, started_at_ms, terminal_at_ms,"
			 " suspended_at_ms, outcome, timeout_at_ms, timeout_left_ms, failure_reason,"
			 " failure_category, raw_fields,"
			 " EXISTS (SELECT FROM @extschema@.ff_claim_grant g"
			 "  WHERE g.partition_key = $1 AND g.execution_id = $2),"
			 " EXISTS (SELECT FROM @extschema@.ff_suspension_current s"
			 "  WHERE s.partition_key = $1 AND s.execution_id = $2),"
			 " EXISTS (SELECT FROM @extschema@.ff_waitpoint_pending w"
			 "  WHERE w.partition_key = $1 AND w.execution_id = $2"
			 "  AND w.state IN ('pending', 'active'))"
			 " FROM @extschema@.ff_attempt"
			 " WHERE partition_key = $1 AND execution_id = $2 AND attempt_index = $3"
			 " FOR NO KEY UPDATE");

static FfStatement top_epoch =
FF_STATEMENT("top_epoch", "smallint, uuid",
			 "SELECT max(lease_epoch) FROM @extschema@.ff_attempt"
			 " WHERE partition_key = $1 AND execution_id = $2");

void
ff_core_read(FfCore *core, const FfRow *row)
{
	memset(core, 0, sizeof(FfCore));
	core->id.partition = ff_row_int2(row, 1);
	core->id.uuid = *ff_row_uuid(row, 2);
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
	core->deadline_at_ms = ff_row_maybe_int8(row, 14);
	core->started_at_ms = ff_row_maybe_int8(row, 15);
	core->terminal_at_ms = ff_row_maybe_int8(row, 16);
	core->created_at_ms = ff_row_int8(row, 17);
	core->priority = ff_row_int4(row, 18);
	core->lease_reclaim_count = ff_row_int4(row, 19);
	core->retry_count = ff_row_int4(row, 20);
	core->blocked_on = ff_row_uuid(row, 21);
	core->policy = ff_row_jsonb(row, 22);
	core->raw_fields = ff_row_jsonb(row, 23);
	core->dependents = FF_HAS_ANY;
}

static bool
lock_by(FfStatement *lock, FfCore *core, const FfExecutionId *id)
{
	FfRow		row;

	if (!ff_statement_row(lock, &row, ff_int2(id->partition), ff_uuid(&id->uuid)))
		return false;
	ff_core_read(core, &row);
	return true;
}

bool
ff_core_try(FfCore *core, const FfExecutionId *id)
{
	return lock_by(&lock_core, core, id);
}

bool
ff_core_try_free(FfCore *core, const FfExecutionId *id)
{
	return lock_by(&lock_free_core, core, id);
}

void
ff_core_lock(FfCore *core, const FfExecutionId *id)
{
	if (!ff_core_try(core, id))
		ff_raise(FF_NOT_FOUND,
				 errmsg("execution %s does not exist", ff_execution_id_text(id)));
}

bool
ff_attempt_lock(FfAttempt *attempt, FfCore *core, int32 attempt_index)
{
	FfRow		row;

	memset(attempt, 0, sizeof(FfAttempt));
	attempt->execution = core->id;
	attempt->attempt_index = attempt_index;
	attempt->outcome = FF_NO_OUTCOME;
	if (!ff_statement_row(&lock_attempt, &row, ff_int2(core->id.partition),
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
	core->dependents = (ff_row_bool(&row, 20) ? FF_HAS_GRANT : 0) |
		(ff_row_bool(&row, 21) ? FF_HAS_SUSPENSION : 0) |
		(ff_row_bool(&row, 22) ? FF_HAS_WAITPOINT : 0);
	return true;
}

int64
ff_attempt_top_epoch(const FfCore *core)
{
	FfRow		row;

	ff_statement_row(&top_epoch, &row, ff_int2(core->id.partition), ff_uuid(&core->id.uuid));
	return ff_row_int8(&row, 1);
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
