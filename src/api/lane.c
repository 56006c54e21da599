/*
 * lane.c - opening and closing lanes (specification chapter 04, section 3.7).
 */
#include "base/compat.h"

#include "base/argument.h"
#include "base/call.h"
#include "base/error.h"
#include "base/id.h"
#include "base/statement.h"
#include "engine/state.h"
#include "engine/wake.h"

#define MAX_REASON 1024

static FfStatement add_lane =
FF_STATEMENT("add_lane", "text, ff_lane_state, text, bigint",
			 "INSERT INTO @extschema@.ff_lane_registry (lane_id, registered_at_ms, registered_by,"
			 " state, state_reason, state_changed_at_ms)"
			 " VALUES ($1, $4, 'set_lane_state', $2, $3, $4)"
			 " ON CONFLICT (lane_id) DO NOTHING");

static FfStatement lock_lane =
FF_STATEMENT("lock_lane", "text",
			 "SELECT state FROM @extschema@.ff_lane_registry WHERE lane_id = $1"
			 " FOR NO KEY UPDATE");

static FfStatement change_lane =
FF_STATEMENT("change_lane", "text, ff_lane_state, text, bigint",
			 "UPDATE @extschema@.ff_lane_registry SET state = $2, state_reason = $3,"
			 " state_changed_at_ms = $4 WHERE lane_id = $1");

/* The state the lane had, -1 for one that was unknown. Lanes are never removed. */
static int
set_state(const char *lane_id, int state, const char *reason, int64 now_ms)
{
	NullableDatum values[] = {
		ff_text(lane_id), ff_enum(&ff_lane_states, state), ff_text(reason), ff_int8(now_ms)
	};
	FfRow		row;
	int			previous;

	if (ff_statement_execute(&add_lane, values, lengthof(values), false).count > 0)
		return -1;
	if (!ff_statement_row(&lock_lane, &row, ff_text(lane_id)))
		elog(ERROR, "lane \"%s\" vanished", lane_id);
	previous = ff_row_enum(&row, 1, &ff_lane_states);
	if (previous != state)
		ff_statement_execute(&change_lane, values, lengthof(values), false);
	return previous;
}

PG_FUNCTION_INFO_V1(ff_set_lane_state);

Datum
ff_set_lane_state(PG_FUNCTION_ARGS)
{
	FfCall		call;
	char	   *lane_id = ff_arg_text(fcinfo, 0, "lane_id");
	char	   *reason = ff_arg_text_or(fcinfo, 2, NULL);
	int			state;
	int			previous;

	ff_check_lane(lane_id);
	if (PG_ARGISNULL(1))
		ff_raise_null("state");
	if (reason)
		ff_check_length(reason, "reason", 0, MAX_REASON);

	ff_call_begin(&call, fcinfo);
	state = ff_enum_value(&ff_lane_states, PG_GETARG_DATUM(1));
	previous = set_state(lane_id, state, reason, call.now_ms);
	if (previous != state && (state == FF_LANE_ACTIVE || state == FF_LANE_DRAINING))
		ff_wake_lane(lane_id);
	ff_call_row(&call,
				ff_text(previous < 0 ? "registered" : previous == state ? "unchanged" : "changed"),
				ff_text(lane_id), ff_enum(&ff_lane_states, previous));
	return ff_call_end(&call);
}
