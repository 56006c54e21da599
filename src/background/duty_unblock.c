/*
 * duty_unblock.c - letting blocked work go: routes, once one live worker serves
 * them (specification chapter 04, 6.2).
 *
 * Blocked work is looked at class by class (namespace, lane, capability class):
 * one that no worker serves costs one descent of the index, however much waits
 * in it.
 */
#include "background/duty_table.h"

#include "engine/blocking.h"

/* The index ff_exec_core_route_idx; an execution in no namespace is served by the default one's. */
#define BLOCKED_ROUTES \
	" FROM @extschema@.ff_exec_core c" \
	" WHERE c.lifecycle_phase = 'runnable' AND c.eligibility_state = 'blocked_by_route'"
#define NAMESPACE "COALESCE(c.namespace, 'default')"

/* One live worker that serves it all by itself; at is now. */
#define SERVED(namespace, lane_id, tokens, at) \
	"EXISTS (SELECT FROM @extschema@.ff_worker_registry w WHERE w.namespace = " namespace \
	" AND w.last_heartbeat_ms + w.liveness_ttl_ms > " at \
	" AND " lane_id " = ANY (w.lanes)" \
	" AND string_to_array(w.capabilities_csv, ',') @> " tokens ")"

static FfStatement next_class =
FF_STATEMENT("next_blocked_class", "text, text, bigint, bigint",
			 "SELECT k.namespace, k.lane_id, k.caps_hash,"
			 SERVED("k.namespace", "k.lane_id", "k.required_capabilities", "$4")
			 " FROM (SELECT " NAMESPACE " AS namespace, c.lane_id, c.caps_hash,"
			 "  c.required_capabilities" BLOCKED_ROUTES
			 "  AND (" NAMESPACE ", c.lane_id, c.caps_hash) > ($1, $2, $3)"
			 "  ORDER BY " NAMESPACE ", c.lane_id, c.caps_hash LIMIT 1) k");

static FfStatement of_class =
FF_STATEMENT("blocked_of_class", "text, text, bigint, bigint",
			 "SELECT c.partition_key, c.execution_id, NULL::text" BLOCKED_ROUTES
			 " AND " NAMESPACE " = $1 AND c.lane_id = $2 AND c.caps_hash = $3"
			 " ORDER BY " NAMESPACE ", c.lane_id, c.caps_hash, c.created_at_ms LIMIT $4");

/* The row's own tokens decide, should two sets share a hash. */
static FfStatement is_served =
FF_STATEMENT("is_served", "smallint, uuid, bigint",
			 "SELECT " SERVED(NAMESPACE, "c.lane_id", "c.required_capabilities", "$3")
			 " FROM @extschema@.ff_exec_core c"
			 " WHERE c.partition_key = $1 AND c.execution_id = $2");

typedef struct Class
{
	const char *namespace;
	const char *lane_id;
	int64		caps_hash;
	bool		served;
} Class;

static bool
step(Class *class, int64 now_ms)
{
	FfRows		rows = ff_statement_run(&next_class, ff_text(class->namespace),
										ff_text(class->lane_id), ff_int8(class->caps_hash),
										ff_int8(now_ms));
	bool		found = rows.count > 0;

	if (found)
	{
		FfRow		row = ff_rows_get(&rows, 0);

		class->namespace = ff_row_cstring(&row, 1);
		class->lane_id = ff_row_cstring(&row, 2);
		class->caps_hash = ff_row_int8(&row, 3);
		class->served = ff_row_bool(&row, 4);
	}
	/* there may be very many classes */
	ff_rows_free(&rows);
	return found;
}

static List *
choose_served(const FfBatch *batch)
{
	Class		class = {.namespace = "",.lane_id = "",.caps_hash = PG_INT64_MIN};
	List	   *keys = NIL;
	int64		passed = 0;

	while (list_length(keys) < batch->limit && step(&class, batch->now_ms))
	{
		FfRows		rows;

		if (!class.served)
			continue;
		rows = ff_statement_run(&of_class, ff_text(class.namespace), ff_text(class.lane_id),
								ff_int8(class.caps_hash),
								ff_int8(batch->passed_over - passed +
										batch->limit - list_length(keys)));
		for (uint64 i = 0; i < rows.count; i++)
		{
			FfRow		row = ff_rows_get(&rows, i);

			if (passed < batch->passed_over)
				passed++;
			else
				keys = lappend(keys, ff_duty_execution_key(&row));
		}
		ff_rows_free(&rows);
	}
	return keys;
}

static bool
apply_route(const char *key, int64 now_ms)
{
	FfCore		core;
	FfRow		row;

	if (!ff_duty_lock(key, &core, NULL) || core.eligibility != FF_BLOCKED_BY_ROUTE ||
		!ff_blocking_is_blocked(&core) ||
		!ff_statement_row(&is_served, &row, ff_int2(core.id.partition), ff_uuid(&core.id.uuid),
						  ff_int8(now_ms)) ||
		!ff_row_bool(&row, 1))
		return false;
	ff_blocking_unblock(&core, now_ms);
	return true;
}

static Jsonb *
tell_routes(const FfBatch *batch)
{
	FfJsonObject *details = ff_json_begin();

	ff_json_int8(details, "admission", 0);
	ff_json_int8(details, "route", batch->processed);
	return ff_json_end(details);
}

const FfDuty ff_duty_unblock = {
	.choose = choose_served,
	.apply = apply_route,
	.executions = true,
	.details = tell_routes,
};
