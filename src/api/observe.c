/*
 * observe.c - what the worker reads of its suspension: the signals that came,
 * and how it ended (specification chapter 03, section 7). Read-only, on the
 * caller's snapshot.
 */
#include "base/compat.h"

#include "base/argument.h"
#include "base/call.h"
#include "base/rowset.h"
#include "engine/handle.h"

#define MAX_ROWS 10000

/*
 * The episode of a handle ($1, $2: execution, $3: attempt index, $4: lease epoch,
 * $5: whether it is a resumed one): the latest before its lease, else the one
 * that gave up its lease. One epoch may have met a condition at once and gone on.
 */
#define EPISODE \
	"(SELECT e.* FROM (" EPISODES_IN("ff_suspension_current") \
	"  UNION ALL " EPISODES_IN("ff_suspension_history") ") e" \
	"  ORDER BY e.lease_epoch DESC, e.suspended_at_ms DESC, e.closed_at_ms DESC NULLS FIRST" \
	"  LIMIT 1)"
#define EPISODES_IN(table) \
	"SELECT suspension_id, reason_code, suspended_at_ms, closed_at_ms, close_reason," \
	" closer_signal_id, continuation_metadata_pointer, waitpoint_ids," \
	" COALESCE(lease_epoch, 0) AS lease_epoch" \
	" FROM @extschema@." table \
	" WHERE partition_key = $1 AND execution_id = $2 AND COALESCE(attempt_index, $3) = $3" \
	" AND CASE WHEN $5 THEN COALESCE(lease_epoch, 0) < $4 ELSE lease_epoch = $4 END"

static FfStatement observe_signals =
FF_STATEMENT("observe_signals", "smallint, uuid, integer, bigint, boolean, boolean, bigint, bigint",
			 "SELECT g.signal_id, g.seq, g.waitpoint_id, w.waitpoint_key, g.signal_name,"
			 " g.signal_category, g.source_type, g.source_identity, g.correlation_id,"
			 " g.accepted_at_ms, g.created_at_ms, g.payload, g.payload_encoding, g.effect,"
			 " g.match_result, g.match_result = 'counted'"
			 " FROM " EPISODE " s"
			 " JOIN @extschema@.ff_signal g ON g.partition_key = $1 AND g.execution_id = $2"
			 "  AND g.seq > $7 AND g.suspension_id = s.suspension_id"
			 " LEFT JOIN @extschema@.ff_waitpoint_pending w"
			 "  ON w.partition_key = $1 AND w.waitpoint_id = g.waitpoint_id"
			 " WHERE NOT $6 OR g.match_result = 'counted'"
			 " ORDER BY g.seq LIMIT $8");

static FfStatement describe_resume =
FF_STATEMENT("describe_resume", "smallint, uuid, integer, bigint, boolean",
			 "SELECT s.suspension_id, COALESCE(s.reason_code, ''), s.suspended_at_ms,"
			 " s.closed_at_ms, s.close_reason, s.closer_signal_id,"
			 " s.continuation_metadata_pointer, s.waitpoint_ids"
			 " FROM " EPISODE " s");

#define EPISODE_VALUES(handle) \
	ff_int2((handle)->execution.partition), ff_uuid(&(handle)->execution.uuid), \
	ff_int4((handle)->attempt_index), ff_int8((handle)->lease_epoch), \
	ff_bool((handle)->kind == FF_HANDLE_RESUMED)

PG_FUNCTION_INFO_V1(ff_observe_signals);

Datum
ff_observe_signals(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfHandle	handle;
	FfRows		rows;
	bool		only_counted = ff_arg_bool_or(fcinfo, 1, false);
	int64		cursor_seq = ff_arg_int8_or(fcinfo, 2, 0);
	int32		max_rows = ff_arg_int4_or(fcinfo, 3, 1000);

	ff_handle_read(ff_arg_bytea(fcinfo, 0, "handle"), &handle);
	ff_check_not_negative(cursor_seq, "cursor_seq");
	ff_check_not_negative(max_rows, "max_rows");

	ff_call_begin(&call, fcinfo);
	rows = ff_statement_read(&observe_signals, EPISODE_VALUES(&handle), ff_bool(only_counted),
							 ff_int8(cursor_seq), ff_int8(Min(max_rows, MAX_ROWS)));
	ff_rowset_add(&call, &rows, FF_COLUMN(10) | FF_COLUMN(11));
	return ff_call_end(&call);
}

PG_FUNCTION_INFO_V1(ff_describe_resume);

Datum
ff_describe_resume(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfHandle	handle;
	FfRows		rows;

	ff_handle_read(ff_arg_bytea(fcinfo, 0, "handle"), &handle);

	ff_call_begin(&call, fcinfo);
	rows = ff_statement_read(&describe_resume, EPISODE_VALUES(&handle));
	ff_rowset_add(&call, &rows, FF_COLUMN(3) | FF_COLUMN(4));
	return ff_call_end(&call);
}
