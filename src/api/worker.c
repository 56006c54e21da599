/*
 * worker.c - the worker registry (specification chapter 04, section 7).
 * Information for routing and operators: claiming needs no registration.
 */
#include "base/compat.h"

#include "catalog/pg_type.h"
#include "utils/array.h"

#include "base/argument.h"
#include "base/call.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/id.h"
#include "base/statement.h"
#include "engine/capability.h"
#include "engine/outbox.h"
#include "engine/wake.h"

#define MAX_LANES 256
#define MAX_REASON 256
#define DEFAULT_TTL_MS 60000
#define MAX_TTL_MS 86400000

#define INSTANCE " WHERE w.partition_key = $1 AND w.namespace = $2 AND w.worker_instance_id = $3"
#define LIVE "w.last_heartbeat_ms + w.liveness_ttl_ms > $4"

/*
 * Lock the row of an instance, made first where there is none: with a time to
 * live of 0, so that it reads as lapsed. Of two at once the second waits here.
 */
static FfStatement lock_worker =
FF_STATEMENT("lock_worker", "smallint, text, text, bigint, text",
			 "INSERT INTO @extschema@.ff_worker_registry AS w"
			 " (partition_key, namespace, worker_instance_id, worker_id, lanes, capabilities_csv,"
			 "  last_heartbeat_ms, liveness_ttl_ms, registered_at_ms)"
			 " VALUES ($1, $2, $3, $5, '{}', '', $4, 0, $4)"
			 " ON CONFLICT (partition_key, namespace, worker_instance_id)"
			 " DO UPDATE SET worker_id = w.worker_id"
			 " RETURNING w.worker_id, " LIVE);

static FfStatement write_worker =
FF_STATEMENT("write_worker", "smallint, text, text, bigint, text, text[], text, bigint, boolean",
			 "UPDATE @extschema@.ff_worker_registry w SET worker_id = $5, lanes = $6,"
			 " capabilities_csv = $7, last_heartbeat_ms = $4, liveness_ttl_ms = $8,"
			 " registered_at_ms = CASE WHEN $9 THEN registered_at_ms ELSE $4 END,"
			 " ttl_check_at_ms = $4 + $8" INSTANCE);

/* Touches no index: ttl_check_at_ms is for the sweep to move. */
static FfStatement beat =
FF_STATEMENT("beat", "smallint, text, text, bigint",
			 "UPDATE @extschema@.ff_worker_registry w SET last_heartbeat_ms = $4"
			 INSTANCE " AND " LIVE " RETURNING w.liveness_ttl_ms");

static FfStatement remove_worker =
FF_STATEMENT("remove_worker", "smallint, text, text, bigint",
			 "DELETE FROM @extschema@.ff_worker_registry w" INSTANCE " AND " LIVE);

/* Which process of which namespace. */
typedef struct Instance
{
	char	   *id;
	char	   *namespace;
} Instance;

static Instance
read_instance(FunctionCallInfo fcinfo, int n_id, int n_namespace)
{
	Instance	instance = {
		.id = ff_arg_text(fcinfo, n_id, "worker_instance_id"),
		.namespace = ff_arg_text_or(fcinfo, n_namespace, "default")
	};

	ff_check_word(instance.id, "worker_instance_id", 1, 256);
	ff_check_word(instance.namespace, "namespace", 1, 256);
	return instance;
}

#define INSTANCE_VALUES(instance, now_ms) \
	ff_int2(ff_partition_of_worker((instance).id)), ff_text((instance).namespace), \
	ff_text((instance).id), ff_int8(now_ms)

static int
compare_lanes(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

static ArrayType *
distinct_lanes(char **lanes, int n)
{
	Datum	   *kept = palloc(Max(n, 1) * sizeof(Datum));
	int			nkept = 0;

	qsort(lanes, n, sizeof(char *), compare_lanes);
	for (int i = 0; i < n; i++)
		if (i == 0 || strcmp(lanes[i - 1], lanes[i]) != 0)
			kept[nkept++] = CStringGetTextDatum(lanes[i]);
	ff_check_range(nkept, "the number of lanes", 1, MAX_LANES);
	return construct_array(kept, nkept, TEXTOID, -1, false, TYPALIGN_INT);
}

/* The lanes of a registration, checked, by bytes, each once. */
static ArrayType *
read_lanes(FunctionCallInfo fcinfo, int n)
{
	ArrayType  *array;
	Datum	   *values;
	bool	   *nulls;
	char	  **lanes;
	int			count;

	if (PG_ARGISNULL(n))
		ff_raise_null("lanes");
	array = PG_GETARG_ARRAYTYPE_P(n);
	if (ARR_NDIM(array) > 1)
		ff_raise_rule(FF_INVALID_INPUT, "not_array", "lanes has several dimensions",
					  "an array of one dimension is needed");
	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &count);
	lanes = palloc(Max(count, 1) * sizeof(char *));
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			ff_raise_null("an element of lanes");
		lanes[i] = TextDatumGetCString(values[i]);
		ff_check_lane(lanes[i]);
	}
	return distinct_lanes(lanes, count);
}

/* Lock the instance's row; true if it is a live registration, then of this worker. */
static bool
lock_registration(Instance instance, const char *worker_id, int64 now_ms)
{
	FfRow		row;
	bool		live;

	if (!ff_statement_row(&lock_worker, &row, INSTANCE_VALUES(instance, now_ms),
						  ff_text(worker_id)))
		elog(ERROR, "worker instance \"%s\" could not be locked", instance.id);
	live = ff_row_bool(&row, 2);
	if (live && strcmp(ff_row_cstring(&row, 1), worker_id) != 0)
		ff_raise_rule(FF_INVALID_INPUT, "instance_id_reassigned",
					  psprintf("instance_id reassigned: \"%s\" is registered by worker \"%s\"",
							   instance.id, ff_row_cstring(&row, 1)),
					  "worker_id \"%s\" was given", worker_id);
	return live;
}

PG_FUNCTION_INFO_V1(ff_register_worker);

Datum
ff_register_worker(PG_FUNCTION_ARGS)
{
	FfCall		call;
	char	   *worker_id = ff_arg_text(fcinfo, 0, "worker_id");
	Instance	instance = read_instance(fcinfo, 1, 5);
	ArrayType  *lanes = read_lanes(fcinfo, 2);
	int64		ttl_ms = ff_arg_int8_or(fcinfo, 4, DEFAULT_TTL_MS);
	ArrayType  *capabilities;
	bool		live;

	ff_check_word(worker_id, "worker_id", 1, 256);
	ff_check_range(ttl_ms, "liveness_ttl_ms", 1, MAX_TTL_MS);
	capabilities = ff_capabilities_normalize(PG_ARGISNULL(3) ? NULL : PG_GETARG_ARRAYTYPE_P(3),
											 "worker");

	ff_call_begin(&call, fcinfo);
	live = lock_registration(instance, worker_id, call.now_ms);
	ff_statement_run(&write_worker, INSTANCE_VALUES(instance, call.now_ms), ff_text(worker_id),
					 ff_pointer(lanes), ff_text(ff_capabilities_csv(capabilities)),
					 ff_int8(ttl_ms), ff_bool(live));
	ff_outbox_worker(instance.namespace, instance.id, "registered", NULL, call.now_ms);
	ff_wake_due(FF_WORKER_REGISTRY_TTL_SWEEP, call.now_ms + ttl_ms);
	/* it may be the one that a blocked route waits for */
	ff_wake_due(FF_UNBLOCK, call.now_ms);
	ff_call_row(&call, ff_text(live ? "refreshed" : "registered"),
				ff_instant(ff_after_ms(call.now_ms, ttl_ms)));
	return ff_call_end(&call);
}

PG_FUNCTION_INFO_V1(ff_heartbeat_worker);

Datum
ff_heartbeat_worker(PG_FUNCTION_ARGS)
{
	FfCall		call;
	Instance	instance = read_instance(fcinfo, 0, 1);
	FfRow		row;
	bool		live;

	ff_call_begin(&call, fcinfo);
	live = ff_statement_row(&beat, &row, INSTANCE_VALUES(instance, call.now_ms));
	if (live)
		ff_outbox_worker(instance.namespace, instance.id, "heartbeat", NULL, call.now_ms);
	ff_call_row(&call, ff_text(live ? "refreshed" : "not_registered"),
				live ? ff_instant(ff_after_ms(call.now_ms, ff_row_int8(&row, 1))) : ff_null());
	return ff_call_end(&call);
}

PG_FUNCTION_INFO_V1(ff_mark_worker_dead);

Datum
ff_mark_worker_dead(PG_FUNCTION_ARGS)
{
	FfCall		call;
	Instance	instance = read_instance(fcinfo, 0, 2);
	char	   *reason = ff_arg_text(fcinfo, 1, "reason");
	bool		live;

	ff_check_label(reason, "reason", 0, MAX_REASON);
	ff_call_begin(&call, fcinfo);
	live = ff_statement_run(&remove_worker, INSTANCE_VALUES(instance, call.now_ms)).count > 0;
	if (live)
		ff_outbox_worker(instance.namespace, instance.id, "marked_dead", reason, call.now_ms);
	ff_call_row(&call, ff_text(live ? "marked" : "not_registered"));
	return ff_call_end(&call);
}
