/*
 * suspension.c - the suspension of an execution. The one writer of
 * ff_suspension_current and ff_suspension_history.
 */
#include "engine/suspension.h"

#include "base/clock.h"
#include "engine/evaluation.h"
#include "engine/fence.h"
#include "engine/waitpoint.h"
#include "engine/wake.h"

static FfStatement lock_suspension =
FF_STATEMENT("lock_suspension", "smallint, uuid",
			 "SELECT " FF_SUSPENSION_COLUMNS
			 " FROM @extschema@.ff_suspension_current s"
			 " WHERE s.partition_key = $1 AND s.execution_id = $2 AND " FF_SUSPENSION_IS_OPEN("s")
			 " FOR NO KEY UPDATE");

/* Whether an id was used before: by the current row, or by one of the history. */
static FfStatement read_earlier =
FF_STATEMENT("read_earlier_suspensions", "smallint, uuid, uuid",
			 "SELECT EXISTS (SELECT FROM @extschema@.ff_suspension_current s"
			 "  WHERE s.partition_key = $1 AND s.execution_id = $2"
			 "  AND " FF_SUSPENSION_IS_OPEN("s") "),"
			 " EXISTS (SELECT FROM @extschema@.ff_suspension_current"
			 "  WHERE partition_key = $1 AND execution_id = $2 AND suspension_id = $3)"
			 " OR EXISTS (SELECT FROM @extschema@.ff_suspension_history"
			 "  WHERE partition_key = $1 AND execution_id = $2 AND suspension_id = $3)");

/* What a suspension is inserted with, into either table. */
#define TERMS_ARGUMENTS \
	"smallint, uuid, uuid, bigint, bigint, text, text, jsonb, jsonb, jsonb, integer, bigint," \
	" text, jsonb, text, uuid[]"
#define TERMS_COLUMNS \
	"partition_key, execution_id, suspension_id, suspended_at_ms, timeout_at_ms," \
	" timeout_behavior, reason_code, condition, satisfied_set, member_map, attempt_index," \
	" lease_epoch, requested_by, resume_policy, continuation_metadata_pointer, waitpoint_ids"
#define TERMS_VALUES \
	"$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16"

static FfStatement insert_suspension =
FF_STATEMENT("insert_suspension", TERMS_ARGUMENTS,
			 "INSERT INTO @extschema@.ff_suspension_current (" TERMS_COLUMNS ")"
			 " VALUES (" TERMS_VALUES ")");

static FfStatement insert_satisfied =
FF_STATEMENT("insert_satisfied_suspension", TERMS_ARGUMENTS ", uuid",
			 "INSERT INTO @extschema@.ff_suspension_history (" TERMS_COLUMNS ","
			 " closed_at_ms, satisfied_at_ms, close_reason, closer_signal_id)"
			 " VALUES (" TERMS_VALUES ", $4, $4, 'already_satisfied', $17)");

static FfStatement store_progress =
FF_STATEMENT("store_progress", "smallint, uuid, jsonb, jsonb",
			 "UPDATE @extschema@.ff_suspension_current SET satisfied_set = $3, member_map = $4"
			 " WHERE partition_key = $1 AND execution_id = $2");

/* What a Count has counted is of no use once the suspension is closed. */
static FfStatement close_suspension =
FF_STATEMENT("close_suspension", "smallint, uuid, uuid, bigint, text, uuid, jsonb, jsonb",
			 "WITH counted AS (DELETE FROM @extschema@.ff_signal_satisfier"
			 "  WHERE partition_key = $1 AND execution_id = $2 AND suspension_id = $3)"
			 " UPDATE @extschema@.ff_suspension_current SET closed_at_ms = $4,"
			 " satisfied_at_ms = $4, close_reason = $5, closer_signal_id = $6,"
			 " timeout_at_ms = NULL, satisfied_set = $7, member_map = $8"
			 " WHERE partition_key = $1 AND execution_id = $2");

/* The row goes as it is; one that is still open is closed on the way. */
static FfStatement archive_suspension =
FF_STATEMENT("archive_suspension", "smallint, uuid, text, bigint",
			 "WITH gone AS (DELETE FROM @extschema@.ff_suspension_current"
			 "  WHERE partition_key = $1 AND execution_id = $2 RETURNING *)"
			 " INSERT INTO @extschema@.ff_suspension_history (" TERMS_COLUMNS ","
			 "  escalated_at_ms, closed_at_ms, satisfied_at_ms, close_reason, closer_signal_id)"
			 " SELECT partition_key, execution_id, suspension_id, suspended_at_ms,"
			 "  CASE WHEN closed_at_ms IS NOT NULL THEN timeout_at_ms END,"
			 "  timeout_behavior, reason_code, condition, satisfied_set, member_map,"
			 "  attempt_index, lease_epoch, requested_by, resume_policy,"
			 "  continuation_metadata_pointer, waitpoint_ids, escalated_at_ms,"
			 "  COALESCE(closed_at_ms, $4), satisfied_at_ms, COALESCE(close_reason, $3),"
			 "  closer_signal_id FROM gone"
			 " RETURNING suspension_id, waitpoint_ids");

static FfStatement note_timeout =
FF_STATEMENT("note_timeout", "smallint, uuid, text, bigint",
			 "UPDATE @extschema@.ff_suspension_current SET member_map = member_map"
			 " || jsonb_build_object('__timeout__', jsonb_build_array(jsonb_build_object("
			 "  'signal_name', 'timeout', 'signal_id', $3, 'at_ms', $4)))"
			 " WHERE partition_key = $1 AND execution_id = $2"
			 " RETURNING member_map");

static FfStatement escalate_suspension =
FF_STATEMENT("escalate_suspension", "smallint, uuid, bigint",
			 "UPDATE @extschema@.ff_suspension_current"
			 " SET reason_code = 'waiting_for_operator_review', condition = '\"OperatorOnly\"',"
			 " timeout_at_ms = NULL, timeout_behavior = NULL, satisfied_set = '[]',"
			 " member_map = jsonb_build_object('__timeout__', member_map -> '__timeout__'),"
			 " escalated_at_ms = $3"
			 " WHERE partition_key = $1 AND execution_id = $2");

bool
ff_suspension_read(FfSuspension *suspension, const FfRow *row, int column)
{
	const pg_uuid_t *id = ff_row_uuid(row, column);
	NullableDatum waitpoint_ids = ff_row_value(row, column + 5);

	if (id == NULL)
		return false;
	suspension->id = *id;
	suspension->condition = ff_row_jsonb(row, column + 1);
	suspension->satisfied_set = ff_row_jsonb(row, column + 2);
	suspension->member_map = ff_row_jsonb(row, column + 3);
	suspension->resume_policy = ff_row_jsonb(row, column + 4);
	suspension->waitpoint_ids = waitpoint_ids.isnull ? NULL
		: DatumGetArrayTypeP(waitpoint_ids.value);
	suspension->timeout_at_ms = ff_row_maybe_int8(row, column + 6);
	suspension->timeout_behavior = ff_row_cstring(row, column + 7);
	return true;
}

bool
ff_suspension_lock(const FfCore *core, FfSuspension *suspension)
{
	FfRow		row;

	return ff_statement_row(&lock_suspension, &row, ff_int2(core->id.partition),
							ff_uuid(&core->id.uuid)) &&
		ff_suspension_read(suspension, &row, 1);
}

void
ff_suspension_check_live(const FfHandle *handle, const FfCore *core, const FfAttempt *attempt,
						 FfErrorKind other_attempt, FfErrorKind suspended_kind, int64 now_ms)
{
	ff_fence_check_index(handle, core, attempt, other_attempt);
	if (core->phase == FF_SUSPENDED)
		ff_fence_refuse(suspended_kind, core, attempt, "it is suspended",
						"Claim it again once it is resumable.");
	if (core->phase == FF_ACTIVE && !attempt->lease_expires_at_ms.isset)
		ff_fence_refuse(FF_NO_ACTIVE_LEASE, core, attempt, "its attempt has no lease",
						"Claim the execution.");
	ff_fence_check_live(core, attempt, now_ms);
}

static int
count_fresh(const FfBindings *bindings)
{
	int			fresh = 0;

	for (int i = 0; i < bindings->count; i++)
		fresh += bindings->items[i].fresh;
	return fresh;
}

void
ff_suspension_check_new(const FfCore *core, const pg_uuid_t *suspension_id,
						const FfBindings *bindings)
{
	FfRow		row;

	if (suspension_id || (core->dependents & FF_HAS_SUSPENSION))
	{
		ff_statement_row(&read_earlier, &row, ff_int2(core->id.partition),
						 ff_uuid(&core->id.uuid), ff_uuid(suspension_id));
		if (ff_row_bool(&row, 1))
			ff_raise(FF_ALREADY_SUSPENDED,
					 errmsg("execution %s has an open suspension",
							ff_execution_id_text(&core->id)));
		if (ff_row_bool(&row, 2))
			ff_raise_rule(FF_INVALID_INPUT, "suspension_id_reused",
						  psprintf("execution %s was suspended under that id before",
								   ff_execution_id_text(&core->id)),
						  "%s", ff_uuid_text(suspension_id));
	}
	for (int i = 0; i < bindings->count; i++)
		if (bindings->items[i].fresh && bindings->items[i].id_given)
			ff_waitpoint_check_unused(core, &bindings->items[i].waitpoint_id);
	ff_waitpoint_check_room(core, count_fresh(bindings));
}

#define TERMS(core, suspension, terms) \
	ff_int2((core)->id.partition), ff_uuid(&(core)->id.uuid), ff_uuid(&(suspension)->id), \
	ff_int8((terms)->now_ms), ff_maybe_int8((suspension)->timeout_at_ms), \
	ff_text((suspension)->timeout_behavior), ff_text((terms)->reason_code), \
	ff_pointer((suspension)->condition), ff_pointer((suspension)->satisfied_set), \
	ff_pointer((suspension)->member_map), ff_int4((terms)->attempt_index), \
	ff_int8((terms)->lease_epoch), ff_text((terms)->requested_by), \
	ff_pointer((suspension)->resume_policy), ff_text((terms)->continuation_metadata_pointer), \
	ff_pointer((suspension)->waitpoint_ids)

/* Move the current row to the history; true if there was one. */
static bool
archive(const FfCore *core, const char *close_reason, int64 now_ms, FfRow *row)
{
	return ff_statement_row(&archive_suspension, row, ff_int2(core->id.partition),
							ff_uuid(&core->id.uuid), ff_text(close_reason), ff_int8(now_ms));
}

void
ff_suspension_insert(FfCore *core, const FfSuspension *suspension, const FfSuspensionTerms *terms)
{
	FfRow		row;

	if (core->dependents & FF_HAS_SUSPENSION)
		(void) archive(core, "resumed", terms->now_ms, &row);
	ff_statement_run(&insert_suspension, TERMS(core, suspension, terms));
	if (suspension->timeout_at_ms.isset)
		ff_wake_due(FF_SUSPENSION_TIMEOUT, suspension->timeout_at_ms.value);
	core->dependents |= FF_HAS_SUSPENSION | FF_HAS_WAITPOINT;
}

void
ff_suspension_insert_satisfied(const FfCore *core, const FfSuspension *suspension,
							   const FfSuspensionTerms *terms, const pg_uuid_t *closer_signal_id)
{
	ff_statement_run(&insert_satisfied, TERMS(core, suspension, terms), ff_uuid(closer_signal_id));
}

void
ff_suspension_store_progress(const FfCore *core, const FfSuspension *suspension)
{
	ff_statement_run(&store_progress, ff_int2(core->id.partition), ff_uuid(&core->id.uuid),
					 ff_pointer(suspension->satisfied_set), ff_pointer(suspension->member_map));
}

void
ff_suspension_release_waitpoints(const FfCore *core, const FfSuspension *suspension,
								 const char *close_reason, int64 now_ms)
{
	FfResumePolicy policy = ff_resume_policy_parse(suspension->resume_policy, "resume_policy");

	if (policy.close_waitpoint_on_resume)
		ff_waitpoint_close_active(core, suspension->waitpoint_ids, close_reason, true, now_ms);
	else
	{
		ff_buffer_consume(core, suspension->waitpoint_ids, &policy, now_ms);
		ff_waitpoint_reopen(core, suspension->waitpoint_ids);
	}
}

void
ff_suspension_close(FfCore *core, FfSuspension *suspension, const char *close_reason,
					const pg_uuid_t *closer_signal_id, bool to_history, int64 now_ms)
{
	FfRow		row;

	ff_statement_run(&close_suspension, ff_int2(core->id.partition), ff_uuid(&core->id.uuid),
					 ff_uuid(&suspension->id), ff_int8(now_ms), ff_text(close_reason),
					 ff_uuid(closer_signal_id), ff_pointer(suspension->satisfied_set),
					 ff_pointer(suspension->member_map));
	if (to_history)
		(void) archive(core, close_reason, now_ms, &row);
	ff_suspension_release_waitpoints(core, suspension, close_reason, now_ms);
}

void
ff_suspension_note_timeout(const FfCore *core, FfSuspension *suspension,
						   const pg_uuid_t *signal_id, int64 now_ms)
{
	FfRow		row;

	if (ff_statement_row(&note_timeout, &row, ff_int2(core->id.partition), ff_uuid(&core->id.uuid),
						 ff_text(signal_id ? ff_uuid_text(signal_id) : NULL), ff_int8(now_ms)))
		suspension->member_map = ff_row_jsonb(&row, 1);
}

void
ff_suspension_escalate(const FfCore *core, const FfSuspension *suspension, int64 now_ms)
{
	FfEvaluation evaluation = {.core = core,.suspension_id = &suspension->id};

	ff_evaluation_forget(&evaluation);
	ff_statement_run(&escalate_suspension, ff_int2(core->id.partition), ff_uuid(&core->id.uuid),
					 ff_int8(now_ms));
	ff_waitpoint_keep(core, suspension->waitpoint_ids);
}

void
ff_suspension_finish(FfCore *core, const char *close_reason, int64 now_ms)
{
	FfRow		row;

	if ((core->dependents & FF_HAS_SUSPENSION) && archive(core, close_reason, now_ms, &row))
	{
		FfEvaluation evaluation = {.core = core,.suspension_id = ff_row_uuid(&row, 1)};
		NullableDatum waitpoint_ids = ff_row_value(&row, 2);

		ff_evaluation_forget(&evaluation);
		if ((core->dependents & FF_HAS_WAITPOINT) && !waitpoint_ids.isnull)
			ff_waitpoint_close_active(core, DatumGetArrayTypeP(waitpoint_ids.value),
									  close_reason, false, now_ms);
	}
	if (core->dependents & FF_HAS_WAITPOINT)
		ff_waitpoint_close_all(core, "attempt_ended", now_ms);
	core->dependents &= ~(FF_HAS_SUSPENSION | FF_HAS_WAITPOINT);
}

void
ff_suspension_supersede(FfCore *core, int64 now_ms)
{
	if (core->dependents & FF_HAS_WAITPOINT)
		ff_waitpoint_close_all(core, "attempt_ended", now_ms);
	core->dependents &= ~FF_HAS_WAITPOINT;
}
