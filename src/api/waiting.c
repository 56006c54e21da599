/*
 * waiting.c - what operators see of what waits: suspensions, waitpoints,
 * signals (specification chapter 03, section 7). Read-only, on the caller's
 * snapshot.
 */
#include "base/compat.h"

#include "base/argument.h"
#include "base/call.h"
#include "base/error.h"
#include "base/rowset.h"
#include "engine/suspension.h"

#define MAX_ROWS 1000

static FfStatement read_token =
FF_STATEMENT("read_waitpoint_token", "smallint, uuid, uuid",
			 "SELECT token, token_kid, substr(token, strpos(token, ':') + 1, 16)"
			 " FROM @extschema@.ff_waitpoint_pending"
			 " WHERE partition_key = $1 AND execution_id = $2 AND waitpoint_id = $3"
			 " AND state IN ('pending', 'active') AND token <> ''");

/* The cursor is the last row's place; below every place where there is none. */
#define SUSPENDED \
	"SELECT '{fp:' || s.partition_key || '}:' || s.execution_id, s.suspension_id," \
	" s.suspended_at_ms, COALESCE(s.reason_code, ''), s.timeout_at_ms, s.timeout_behavior," \
	" s.requested_by" \
	" FROM @extschema@.ff_suspension_current s WHERE s.closed_at_ms IS NULL"

static FfStatement list_suspended =
FF_STATEMENT("list_suspended", "bigint, smallint, uuid, bigint",
			 SUSPENDED
			 " AND (s.suspended_at_ms, s.partition_key, s.execution_id) > ($1, $2, $3)"
			 " ORDER BY s.suspended_at_ms, s.partition_key, s.execution_id LIMIT $4");

static FfStatement list_suspended_in =
FF_STATEMENT("list_suspended_in_partition", "bigint, smallint, uuid, bigint",
			 SUSPENDED
			 " AND (s.partition_key, s.suspended_at_ms, s.execution_id) > ($2, $1, $3)"
			 " AND s.partition_key <= $2"
			 " ORDER BY s.partition_key, s.suspended_at_ms, s.execution_id LIMIT $4");

static FfStatement find_execution =
FF_STATEMENT("find_execution", "smallint, uuid",
			 "SELECT FROM @extschema@.ff_exec_core"
			 " WHERE partition_key = $1 AND execution_id = $2");

static FfStatement list_waitpoints =
FF_STATEMENT("list_open_waitpoints_of", "smallint, uuid, uuid, bigint, text, boolean",
			 "SELECT waitpoint_id, waitpoint_key, state, required_signal_names, created_at_ms,"
			 " activated_at_ms, expires_at_ms, $5, token_kid,"
			 " CASE WHEN strpos(token, ':') > 0"
			 "  THEN substr(token, strpos(token, ':') + 1, 16) END,"
			 " signal_count, last_signal_at_ms"
			 " FROM @extschema@.ff_waitpoint_pending"
			 " WHERE partition_key = $1 AND execution_id = $2"
			 " AND waitpoint_id >= $3 AND ($6 OR waitpoint_id <> $3)"
			 " AND state IN ('pending', 'active')"
			 " ORDER BY waitpoint_id LIMIT $4");

#define SIGNALS \
	"SELECT g.signal_id, g.seq, g.waitpoint_id," \
	" (SELECT w.waitpoint_key FROM @extschema@.ff_waitpoint_pending w" \
	"  WHERE w.partition_key = $1 AND w.execution_id = $2" \
	"  AND w.waitpoint_id = g.waitpoint_id), g.signal_name," \
	" g.signal_category, g.source_type, g.source_identity, g.correlation_id," \
	" g.accepted_at_ms, g.created_at_ms, octet_length(g.payload), g.payload_encoding," \
	" g.effect, g.match_result, g.match_result = 'counted'" \
	" FROM @extschema@.ff_signal g" \
	" WHERE g.partition_key = $1 AND g.execution_id = $2 AND g.seq > $3"

static FfStatement list_signals =
FF_STATEMENT("list_signals", "smallint, uuid, bigint, bigint",
			 SIGNALS " ORDER BY g.seq LIMIT $4");

static FfStatement list_signals_of =
FF_STATEMENT("list_signals_of_waitpoint", "smallint, uuid, bigint, bigint, uuid",
			 SIGNALS " AND g.waitpoint_id = $5 ORDER BY g.seq LIMIT $4");

static FfStatement describe_suspension =
FF_STATEMENT("describe_suspension", "smallint, uuid",
			 "SELECT s.suspension_id, s.suspended_at_ms, COALESCE(s.reason_code, ''),"
			 " s.requested_by, s.timeout_at_ms, s.timeout_behavior, s.condition,"
			 " s.resume_policy, s.satisfied_set, s.member_map, s.waitpoint_ids,"
			 " s.continuation_metadata_pointer,"
			 " (SELECT max(w.last_signal_at_ms) FROM @extschema@.ff_waitpoint_pending w"
			 "  WHERE w.partition_key = $1 AND w.execution_id = $2"
			 "  AND w.waitpoint_id = ANY (s.waitpoint_ids)),"
			 " s.escalated_at_ms"
			 " FROM @extschema@.ff_suspension_current s"
			 " WHERE s.partition_key = $1 AND s.execution_id = $2"
			 " AND " FF_SUSPENSION_IS_OPEN("s"));

static void
read_execution_id(FunctionCallInfo fcinfo, int n, FfExecutionId *id)
{
	ff_execution_id_parse(ff_arg_text(fcinfo, n, "execution_id"), id);
}

static int64
read_max_rows(FunctionCallInfo fcinfo, int n)
{
	int32		max_rows = ff_arg_int4_or(fcinfo, n, 100);

	ff_check_not_negative(max_rows, "max_rows");
	return Min(max_rows, MAX_ROWS);
}

PG_FUNCTION_INFO_V1(ff_read_waitpoint_token);

Datum
ff_read_waitpoint_token(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfExecutionId id;
	FfRows		rows;
	const pg_uuid_t *waitpoint_id = ff_arg_uuid(fcinfo, 1, "waitpoint_id");

	read_execution_id(fcinfo, 0, &id);

	ff_call_begin(&call, fcinfo);
	rows = ff_statement_read(&read_token, ff_int2(id.partition), ff_uuid(&id.uuid),
							 ff_uuid(waitpoint_id));
	ff_rowset_add(&call, &rows, 0);
	return ff_call_end(&call);
}

PG_FUNCTION_INFO_V1(ff_list_suspended);

Datum
ff_list_suspended(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfRows		rows;
	FfInt8		partition = ff_arg_maybe_int4(fcinfo, 0);
	FfInt8		after_ms = ff_arg_maybe_instant(fcinfo, 1, "cursor_suspended_at");
	char	   *after_id = ff_arg_text_or(fcinfo, 2, NULL);
	int64		max_rows = read_max_rows(fcinfo, 3);
	FfExecutionId after = {0};

	if (partition.isset)
		(void) ff_check_partition((int32) partition.value);
	if (after_ms.isset != (after_id != NULL))
		ff_raise_rule(FF_INVALID_INPUT, "cursor", "half a cursor was given",
					  "cursor_suspended_at and cursor_execution_id go together");
	if (after_id)
		ff_execution_id_parse(after_id, &after);
	else
		after_ms = ff_some(PG_INT64_MIN);

	ff_call_begin(&call, fcinfo);
	if (partition.isset)
		rows = ff_statement_read(&list_suspended_in, ff_maybe_int8(after_ms),
								 ff_int2((int16) partition.value), ff_uuid(&after.uuid),
								 ff_int8(max_rows));
	else
		rows = ff_statement_read(&list_suspended, ff_maybe_int8(after_ms),
								 ff_int2(after.partition), ff_uuid(&after.uuid),
								 ff_int8(max_rows));
	ff_rowset_add(&call, &rows, FF_COLUMN(3) | FF_COLUMN(5));
	return ff_call_end(&call);
}

PG_FUNCTION_INFO_V1(ff_list_pending_waitpoints);

Datum
ff_list_pending_waitpoints(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfExecutionId id;
	FfRows		rows;
	const pg_uuid_t *after = ff_arg_uuid_or_null(fcinfo, 1);
	const pg_uuid_t least = {{0}};
	int64		max_rows = read_max_rows(fcinfo, 2);

	read_execution_id(fcinfo, 0, &id);

	ff_call_begin(&call, fcinfo);
	if (ff_statement_read(&find_execution, ff_int2(id.partition), ff_uuid(&id.uuid)).count == 0)
		ff_raise(FF_NOT_FOUND, errmsg("execution %s does not exist", ff_execution_id_text(&id)));
	rows = ff_statement_read(&list_waitpoints, ff_int2(id.partition), ff_uuid(&id.uuid),
							 ff_uuid(after ? after : &least), ff_int8(max_rows),
							 ff_text(ff_execution_id_text(&id)), ff_bool(after == NULL));
	ff_rowset_add(&call, &rows, FF_COLUMN(5) | FF_COLUMN(6) | FF_COLUMN(7) | FF_COLUMN(12));
	return ff_call_end(&call);
}

PG_FUNCTION_INFO_V1(ff_list_signals);

Datum
ff_list_signals(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfExecutionId id;
	FfRows		rows;
	const pg_uuid_t *waitpoint_id = ff_arg_uuid_or_null(fcinfo, 1);
	int64		cursor_seq = ff_arg_int8_or(fcinfo, 2, 0);
	int64		max_rows = read_max_rows(fcinfo, 3);

	read_execution_id(fcinfo, 0, &id);
	ff_check_not_negative(cursor_seq, "cursor_seq");

	ff_call_begin(&call, fcinfo);
	if (waitpoint_id)
		rows = ff_statement_read(&list_signals_of, ff_int2(id.partition), ff_uuid(&id.uuid),
								 ff_int8(cursor_seq), ff_int8(max_rows), ff_uuid(waitpoint_id));
	else
		rows = ff_statement_read(&list_signals, ff_int2(id.partition), ff_uuid(&id.uuid),
								 ff_int8(cursor_seq), ff_int8(max_rows));
	ff_rowset_add(&call, &rows, FF_COLUMN(10) | FF_COLUMN(11));
	return ff_call_end(&call);
}

PG_FUNCTION_INFO_V1(ff_describe_suspension);

Datum
ff_describe_suspension(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfExecutionId id;
	FfRows		rows;

	read_execution_id(fcinfo, 0, &id);

	ff_call_begin(&call, fcinfo);
	rows = ff_statement_read(&describe_suspension, ff_int2(id.partition), ff_uuid(&id.uuid));
	ff_rowset_add(&call, &rows, FF_COLUMN(2) | FF_COLUMN(5) | FF_COLUMN(13) | FF_COLUMN(14));
	return ff_call_end(&call);
}
