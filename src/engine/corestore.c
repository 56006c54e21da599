/*
 * corestore.c - the one writer of ff_exec_core.
 */
#include "engine/corestore.h"

#include "base/table.h"
#include "engine/wake.h"

/* What every transition writes, and with it the result of a success. */
#define CORE_COLUMNS \
	"lifecycle_phase, ownership_state, eligibility_state, blocking_reason, public_state," \
	" attempt_state, terminal_outcome, attempt_index, eligible_at_ms, started_at_ms," \
	" terminal_at_ms, retry_count, lease_reclaim_count, blocked_on, last_mutation_at_ms"
#define CORE_NKEYS 2
#define CORE_NVALUES 17

static FfTable core_rows = FF_TABLE("ff_exec_core", "ff_exec_core_pkey", CORE_COLUMNS);

static FfTable core_rows_with_result =
FF_TABLE("ff_exec_core", "ff_exec_core_pkey", CORE_COLUMNS ", result");

/* The same and the columns that most transitions leave alone. */
static FfStatement write_core_whole =
FF_STATEMENT("write_core_whole",
			 "smallint, uuid, ff_lifecycle_phase, ff_ownership_state, ff_eligibility_state,"
			 " ff_blocking_reason, ff_public_state, ff_attempt_state, ff_attempt_outcome,"
			 " integer, bigint, bigint, bigint, integer, integer, uuid, bigint, bytea, text[],"
			 " jsonb, text, text, bigint",
			 "UPDATE @extschema@.ff_exec_core SET lifecycle_phase = $3, ownership_state = $4,"
			 " eligibility_state = $5, blocking_reason = $6, public_state = $7,"
			 " attempt_state = $8, terminal_outcome = $9, attempt_index = $10,"
			 " eligible_at_ms = $11, started_at_ms = $12, terminal_at_ms = $13,"
			 " retry_count = $14, lease_reclaim_count = $15, blocked_on = $16,"
			 " last_mutation_at_ms = $17, result = COALESCE($18, result),"
			 " raw_fields = (raw_fields - COALESCE($19, '{}')) || COALESCE($20, '{}'),"
			 " cancellation_reason = COALESCE(cancellation_reason, $21),"
			 " cancelled_by = COALESCE(cancelled_by, $22), deadline_at_ms = $23"
			 " WHERE partition_key = $1 AND execution_id = $2");

#define NEW_CORE_COLUMNS \
	"partition_key, execution_id, flow_id, lane_id, required_capabilities, lifecycle_phase," \
	" ownership_state, eligibility_state, blocking_reason, public_state, attempt_state," \
	" eligible_at_ms, deadline_at_ms, priority, created_at_ms, last_mutation_at_ms, payload," \
	" policy, budget_ids, quota_policy_id, raw_fields"

static FfTable new_cores = FF_TABLE("ff_exec_core", NULL, NEW_CORE_COLUMNS);

/* The same of an execution whose id the caller gave, which may be there. */
static FfStatement insert_core =
FF_STATEMENT("insert_core",
			 "smallint, uuid, uuid, text, text[], ff_lifecycle_phase, ff_ownership_state,"
			 " ff_eligibility_state, ff_blocking_reason, ff_public_state, ff_attempt_state,"
			 " bigint, bigint, integer, bigint, bigint, bytea, jsonb, uuid[], uuid, jsonb",
			 "INSERT INTO @extschema@.ff_exec_core (" NEW_CORE_COLUMNS ")"
			 " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,"
			 " $17, $18, $19, $20, $21)"
			 " ON CONFLICT (partition_key, execution_id) DO NOTHING");

static bool
has_details(const FfCore *core)
{
	return core->raw_patch || core->raw_removed ||
		core->cancellation_reason || core->cancelled_by || core->deadline_changed;
}

/* Whom the row now waits for: the clock, or a claim. */
static void
tell(const FfCore *core, bool deadline_changed)
{
	if (core->eligibility == FF_NOT_ELIGIBLE_UNTIL_TIME && core->eligible_at_ms.isset)
		ff_wake_due(FF_DELAYED_PROMOTER, core->eligible_at_ms.value);
	if (deadline_changed && core->deadline_at_ms.isset)
		ff_wake_due(FF_EXECUTION_DEADLINE, core->deadline_at_ms.value);
	if (core->phase == FF_RUNNABLE && core->eligibility == FF_ELIGIBLE_NOW)
		ff_wake_work(&(FfWorkClass) {
			.lane_id = core->lane_id,
			.caps_hash = core->caps_hash,
			.resumable = core->public_state == FF_PUBLIC_RESUMABLE
		}, &(FfPlace) {
			.priority = core->priority,
			.created_at_ms = core->created_at_ms,
			.execution_id = core->id.uuid
		});
}

void
ff_core_store(FfCore *core, int64 now_ms)
{
	bool		whole = has_details(core);
	NullableDatum values[] = {
		ff_int2(core->id.partition), ff_uuid(&core->id.uuid),
		ff_enum(&ff_phases, core->phase), ff_enum(&ff_ownerships, core->ownership),
		ff_enum(&ff_eligibilities, core->eligibility),
		ff_enum(&ff_blocking_reasons, core->blocking_reason),
		ff_enum(&ff_public_states, core->public_state),
		ff_enum(&ff_attempt_states, core->attempt_state),
		ff_enum(&ff_outcomes, core->terminal_outcome), ff_int4(core->attempt_index),
		ff_maybe_int8(core->eligible_at_ms), ff_maybe_int8(core->started_at_ms),
		ff_maybe_int8(core->terminal_at_ms), ff_int4(core->retry_count),
		ff_int4(core->lease_reclaim_count), ff_uuid(core->blocked_on), ff_int8(now_ms),
		ff_pointer(core->result), ff_pointer(core->raw_removed),
		whole ? ff_json_patch(core->raw_patch) : ff_null(),
		ff_text(core->cancellation_reason), ff_text(core->cancelled_by),
		ff_maybe_int8(core->deadline_at_ms),
	};

	if (whole)
		ff_statement_execute(&write_core_whole, values, lengthof(values), false);
	else if (core->result)
		ff_table_update(&core_rows_with_result, &core->tid, values, CORE_NKEYS, CORE_NVALUES + 1);
	else
		ff_table_update(&core_rows, &core->tid, values, CORE_NKEYS, CORE_NVALUES);
	tell(core, core->deadline_changed);
}

bool
ff_core_insert(const FfCore *core, const FfNewExecution *columns, int64 now_ms)
{
	NullableDatum values[] = {
		ff_int2(core->id.partition), ff_uuid(&core->id.uuid), ff_uuid(core->flow_id),
		ff_text(core->lane_id), ff_pointer(columns->required_capabilities),
		ff_enum(&ff_phases, core->phase), ff_enum(&ff_ownerships, core->ownership),
		ff_enum(&ff_eligibilities, core->eligibility),
		ff_enum(&ff_blocking_reasons, core->blocking_reason),
		ff_enum(&ff_public_states, core->public_state),
		ff_enum(&ff_attempt_states, core->attempt_state), ff_maybe_int8(core->eligible_at_ms),
		ff_maybe_int8(core->deadline_at_ms), ff_int4(core->priority), ff_int8(now_ms),
		ff_int8(now_ms), ff_pointer(columns->payload), ff_pointer(core->policy),
		ff_pointer(columns->budget_ids), ff_uuid(columns->quota_policy_id),
		ff_pointer(columns->raw_fields),
	};

	if (columns->id_is_minted)
		ff_table_insert_values(&new_cores, values, lengthof(values));
	else if (ff_statement_execute(&insert_core, values, lengthof(values), false).count == 0)
		return false;
	tell(core, true);
	return true;
}
