/*
 * observe.c - what the worker reads of its suspension: the signals that came,
 * and how it ended (specification chapter 03, section 7). Read-only, on the
 * caller's snapshot.
 */
#include "base/compat.h"

#include "base/argument.h"
#include "base/call.h"
#include "base/clock.h"
#include "base/rowset.h"
#include "engine/handle.h"

#define MAX_ROWS 10000

/* Suspensions put in by hand may lack attempt and epoch: they are the current attempt's. */
#define EPISODES_IN(table) \
	"SELECT suspension_id, COALESCE(reason_code, ''), suspended_at_ms, closed_at_ms," \
	" close_reason, closer_signal_id, continuation_metadata_pointer, waitpoint_ids," \
	" COALESCE(lease_epoch, 0)" \
	" FROM @extschema@." table \
	" WHERE partition_key = $1 AND execution_id = $2 AND COALESCE(attempt_index, $3) = $3"

static FfStatement read_episodes =
FF_STATEMENT("read_episodes", "smallint, uuid, integer",
			 EPISODES_IN("ff_suspension_current")
			 " UNION ALL " EPISODES_IN("ff_suspension_history"));

static FfStatement observe_signals =
FF_STATEMENT("observe_signals", "smallint, uuid, uuid, boolean, bigint, bigint",
			 "SELECT g.signal_id, g.seq, g.waitpoint_id,"
			 " (SELECT w.waitpoint_key FROM @extschema@.ff_waitpoint_pending w"
			 "  WHERE w.partition_key = $1 AND w.execution_id = $2"
			 "  AND w.waitpoint_id = g.waitpoint_id), g.signal_name,"
			 " g.signal_category, g.source_type, g.source_identity, g.correlation_id,"
			 " g.accepted_at_ms, g.created_at_ms, g.payload, g.payload_encoding, g.effect,"
			 " g.match_result, g.match_result = 'counted'"
			 " FROM @extschema@.ff_signal g"
			 " WHERE g.partition_key = $1 AND g.execution_id = $2 AND g.seq > $5"
			 " AND g.suspension_id = $3 AND (NOT $4 OR g.match_result = 'counted')"
			 " ORDER BY g.seq LIMIT $6");

/* The place of an episode in its execution's history. */
typedef struct Place
{
	int64		lease_epoch;	/* of the lease that was given up */
	int64		suspended_at_ms;
	int64		closed_at_ms;
} Place;

static Place
place_of(const FfRow *row)
{
	FfInt8		closed_at_ms = ff_row_maybe_int8(row, 4);

	return (Place) {
		.lease_epoch = ff_row_int8(row, 9),
		.suspended_at_ms = ff_row_int8(row, 3),
		.closed_at_ms = closed_at_ms.isset ? closed_at_ms.value : PG_INT64_MAX,
	};
}

/* One lease may have met a condition at once, more than once, and suspended at last. */
static bool
is_later(const Place *a, const Place *b)
{
	if (a->lease_epoch != b->lease_epoch)
		return a->lease_epoch > b->lease_epoch;
	if (a->suspended_at_ms != b->suspended_at_ms)
		return a->suspended_at_ms > b->suspended_at_ms;
	return a->closed_at_ms > b->closed_at_ms;
}

/*
 * The episode that a handle is about: of a resumed one the latest before its
 * lease, else the one that its lease was given up for. False if there is none.
 */
static bool
find_episode(const FfHandle *handle, FfRow *episode)
{
	FfRows		rows = ff_statement_read(&read_episodes, ff_int2(handle->execution.partition),
										 ff_uuid(&handle->execution.uuid),
										 ff_int4(handle->attempt_index));
	Place		latest;
	bool		found = false;

	for (uint64 i = 0; i < rows.count; i++)
	{
		FfRow		row = ff_rows_get(&rows, i);
		Place		place = place_of(&row);
		bool		fits = handle->kind == FF_HANDLE_RESUMED
			? place.lease_epoch < handle->lease_epoch
			: place.lease_epoch == handle->lease_epoch;

		if (fits && (!found || is_later(&place, &latest)))
		{
			latest = place;
			*episode = row;
			found = true;
		}
	}
	return found;
}

PG_FUNCTION_INFO_V1(ff_observe_signals);

Datum
ff_observe_signals(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfHandle	handle;
	FfRow		episode;
	bool		only_counted = ff_arg_bool_or(fcinfo, 1, false);
	int64		cursor_seq = ff_arg_int8_or(fcinfo, 2, 0);
	int32		max_rows = ff_arg_int4_or(fcinfo, 3, 1000);

	ff_handle_read(ff_arg_bytea(fcinfo, 0, "handle"), &handle);
	ff_check_not_negative(cursor_seq, "cursor_seq");
	ff_check_not_negative(max_rows, "max_rows");

	ff_call_begin(&call, fcinfo);
	if (find_episode(&handle, &episode))
	{
		FfRows		rows = ff_statement_read(&observe_signals,
											 ff_int2(handle.execution.partition),
											 ff_uuid(&handle.execution.uuid),
											 ff_row_value(&episode, 1), ff_bool(only_counted),
											 ff_int8(cursor_seq),
											 ff_int8(Min(max_rows, MAX_ROWS)));

		ff_rowset_add(&call, &rows, FF_COLUMN(10) | FF_COLUMN(11));
	}
	return ff_call_end(&call);
}

PG_FUNCTION_INFO_V1(ff_describe_resume);

Datum
ff_describe_resume(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfHandle	handle;
	FfRow		episode;

	ff_handle_read(ff_arg_bytea(fcinfo, 0, "handle"), &handle);

	ff_call_begin(&call, fcinfo);
	if (find_episode(&handle, &episode))
		ff_call_row(&call, ff_row_value(&episode, 1), ff_row_value(&episode, 2),
					ff_maybe_instant(ff_row_maybe_int8(&episode, 3)),
					ff_maybe_instant(ff_row_maybe_int8(&episode, 4)),
					ff_row_value(&episode, 5), ff_row_value(&episode, 6),
					ff_row_value(&episode, 7), ff_row_value(&episode, 8));
	return ff_call_end(&call);
}
