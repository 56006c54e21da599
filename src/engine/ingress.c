/*
 * ingress.c - creating executions, one or many.
 *
 * The orders are gone through several times, each time sorted by what is to be
 * looked up or locked: so a lane costs one look however many go there, and two
 * calls over the same keys wait for each other instead of deadlocking.
 */
#include "engine/ingress.h"

#include "miscadmin.h"
#include "nodes/pg_list.h"

#include "base/clock.h"
#include "base/setting.h"
#include "engine/outbox.h"

/* Orders under work, in the order of the present step. */
typedef struct Batch
{
	FfOrder   **orders;
	int			n;
	int64		now_ms;
	FfErrorPlace *place;		/* NULL: a single order */
} Batch;

static FfStatement read_lane =
FF_STATEMENT("read_lane", "text",
			 "SELECT state FROM @extschema@.ff_lane_registry WHERE lane_id = $1");

static FfStatement register_lane =
FF_STATEMENT("register_lane", "text, bigint",
			 "INSERT INTO @extschema@.ff_lane_registry (lane_id, registered_at_ms, registered_by)"
			 " VALUES ($1, $2, 'create_execution') ON CONFLICT (lane_id) DO NOTHING");

static FfStatement lock_flow =
FF_STATEMENT("lock_flow", "smallint, uuid",
			 "SELECT public_flow_state, COALESCE((raw_fields ->> 'node_count')::bigint, 0)"
			 " FROM @extschema@.ff_flow_core WHERE partition_key = $1 AND flow_id = $2"
			 " FOR NO KEY UPDATE");

static FfStatement add_to_flow =
FF_STATEMENT("add_to_flow", "smallint, uuid, bigint, bigint",
			 "WITH summary AS (UPDATE @extschema@.ff_flow_summary SET settled = false"
			 "  WHERE partition_key = $1 AND flow_id = $2)"
			 " UPDATE @extschema@.ff_flow_core SET graph_revision = graph_revision + $3,"
			 "  raw_fields = raw_fields || pg_catalog.jsonb_build_object("
			 "   'node_count', COALESCE((raw_fields ->> 'node_count')::bigint, 0) + $3,"
			 "   'last_mutation_at_ms', $4)"
			 "  WHERE partition_key = $1 AND flow_id = $2");

static FfStatement read_public_state =
FF_STATEMENT("read_public_state", "smallint, uuid",
			 "SELECT public_state FROM @extschema@.ff_exec_core"
			 " WHERE partition_key = $1 AND execution_id = $2");

/*
 * Take an idempotency key: touches a row when it was free or its window is
 * over. A second caller waits here for the first one's commit.
 */
static FfStatement take_key =
FF_STATEMENT("take_key", "text, text, smallint, uuid, bigint, bigint",
			 "INSERT INTO @extschema@.ff_execution_dedup AS d"
			 " (namespace, idempotency_key, partition_key, execution_id, created_at_ms, expires_at_ms)"
			 " VALUES ($1, $2, $3, $4, $5, $6)"
			 " ON CONFLICT (namespace, idempotency_key) DO UPDATE"
			 " SET partition_key = $3, execution_id = $4, created_at_ms = $5, expires_at_ms = $6"
			 " WHERE d.expires_at_ms <= $5");

static FfStatement read_key =
FF_STATEMENT("read_key", "text, text",
			 "SELECT d.partition_key, d.execution_id, c.public_state"
			 " FROM @extschema@.ff_execution_dedup d JOIN @extschema@.ff_exec_core c"
			 "  ON c.partition_key = d.partition_key AND c.execution_id = d.execution_id"
			 " WHERE d.namespace = $1 AND d.idempotency_key = $2");

static FfStatement overwrite_key =
FF_STATEMENT("overwrite_key", "text, text, smallint, uuid, bigint, bigint",
			 "UPDATE @extschema@.ff_execution_dedup SET partition_key = $3, execution_id = $4,"
			 " created_at_ms = $5, expires_at_ms = $6 WHERE namespace = $1 AND idempotency_key = $2");

static FfStatement drop_key =
FF_STATEMENT("drop_key", "text, text",
			 "DELETE FROM @extschema@.ff_execution_dedup WHERE namespace = $1 AND idempotency_key = $2");

static int
by_position(const FfOrder *x, const FfOrder *y)
{
	return x->position - y->position;
}

static int
by_lane(const FfOrder *x, const FfOrder *y)
{
	int			order = strcmp(x->core.lane_id, y->core.lane_id);

	return order ? order : by_position(x, y);
}

/* Those in no flow come first. */
static int
by_flow(const FfOrder *x, const FfOrder *y)
{
	int			order = (x->core.flow_id != NULL) - (y->core.flow_id != NULL);

	if (order == 0 && x->core.flow_id)
		order = memcmp(x->core.flow_id, y->core.flow_id, sizeof(pg_uuid_t));
	return order ? order : by_position(x, y);
}

/* Those without a key come first. */
static int
by_key(const FfOrder *x, const FfOrder *y)
{
	int			order = (x->idempotency_key != NULL) - (y->idempotency_key != NULL);

	if (order == 0 && x->idempotency_key)
	{
		order = strcmp(x->namespace, y->namespace);
		if (order == 0)
			order = strcmp(x->idempotency_key, y->idempotency_key);
	}
	return order ? order : by_position(x, y);
}

static int
by_execution(const FfOrder *x, const FfOrder *y)
{
	int			order = x->core.id.partition - y->core.id.partition;

	if (order == 0)
		order = memcmp(&x->core.id.uuid, &y->core.id.uuid, sizeof(pg_uuid_t));
	return order ? order : by_position(x, y);
}

typedef int (*Order) (const FfOrder *x, const FfOrder *y);

static int
compare(const void *a, const void *b, void *order)
{
	return (*(Order *) order) (*(FfOrder *const *) a, *(FfOrder *const *) b);
}

static void
sort(Batch *batch, Order order)
{
	if (batch->n > 1)
		qsort_arg(batch->orders, batch->n, sizeof(FfOrder *), compare, &order);
}

/* Errors from here on are about this order. */
static void
look_at(const Batch *batch, const FfOrder *order)
{
	if (batch->place)
		batch->place->index = order->position;
}

/* Refuse work for a lane that takes none; false if the lane is new. */
static bool
lane_is_known(const char *lane_id)
{
	FfRow		row;
	int			state;

	if (!ff_statement_row(&read_lane, &row, ff_text(lane_id)))
		return false;
	state = ff_row_enum(&row, 1, &ff_lane_states);
	if (state == FF_LANE_DRAINING || state == FF_LANE_DISABLED)
		ff_raise(FF_NOT_RUNNABLE,
				 errmsg("lane \"%s\" takes no new executions", lane_id),
				 errdetail("It is %s.", ff_enum_label(&ff_lane_states, state)));
	return true;
}

/* Check the lanes; those that are new come back, by bytes. */
static List *
enter_lanes(Batch *batch)
{
	List	   *unknown = NIL;
	const char *last = NULL;

	sort(batch, by_lane);
	for (int i = 0; i < batch->n; i++)
	{
		const char *lane_id = batch->orders[i]->core.lane_id;

		if (last && strcmp(last, lane_id) == 0)
			continue;
		last = lane_id;
		look_at(batch, batch->orders[i]);
		if (!lane_is_known(lane_id))
			unknown = lappend(unknown, unconstify(char *, lane_id));
	}
	return unknown;
}

/* Lock a flow and see that it takes members; the number it has. */
static int64
enter_flow(const pg_uuid_t *flow_id)
{
	FfRow		row;
	char	   *state;

	if (!ff_statement_row(&lock_flow, &row, ff_int2(ff_partition_of_uuid(flow_id)),
						  ff_uuid(flow_id)))
		ff_raise(FF_NOT_FOUND, errmsg("flow %s does not exist", ff_uuid_text(flow_id)));
	state = ff_row_cstring(&row, 1);
	if (strcmp(state, "cancelled") == 0 || strcmp(state, "completed") == 0 ||
		strcmp(state, "failed") == 0)
		ff_raise(FF_FLOW_ALREADY_TERMINAL,
				 errmsg("flow %s is %s", ff_uuid_text(flow_id), state));
	return ff_row_int8(&row, 2);
}

/* See that an execution may be a member of its flow, beside so many others. */
static void
check_member(const FfCore *core, int64 others)
{
	int16		partition = ff_partition_of_uuid(core->flow_id);

	if (core->id.partition != partition)
		ff_raise_rule(FF_INVALID_INPUT, "wrong_partition",
					  psprintf("execution %s is not in the partition of flow %s",
							   ff_execution_id_text(&core->id), ff_uuid_text(core->flow_id)),
					  "the flow's is %d", partition);
	if (others >= ff_max_flow_members)
		ff_raise_rule(FF_INVALID_INPUT, "too_many_members",
					  psprintf("flow %s is full", ff_uuid_text(core->flow_id)),
					  "at most %d members", ff_max_flow_members);
}

static bool
in_one_flow(const FfOrder *x, const FfOrder *y)
{
	return memcmp(x->core.flow_id, y->core.flow_id, sizeof(pg_uuid_t)) == 0;
}

static void
enter_flows(Batch *batch)
{
	const FfOrder *last = NULL;
	int64		members = 0;

	sort(batch, by_flow);
	for (int i = 0; i < batch->n; i++)
	{
		const FfOrder *order = batch->orders[i];

		if (order->core.flow_id == NULL)
			continue;
		look_at(batch, order);
		if (last == NULL || !in_one_flow(last, order))
			members = enter_flow(order->core.flow_id);
		check_member(&order->core, members++);
		last = order;
	}
}

static void
answer(FfOrder *order, const FfExecutionId *execution, int public_state)
{
	order->execution = *execution;
	order->public_state = public_state;
	order->answered = true;
}

/* True, and the order answered, if the key stands for an execution that exists. */
static bool
key_stands_for(FfOrder *order)
{
	FfRows		rows = ff_statement_run(&read_key, ff_text(order->namespace),
										ff_text(order->idempotency_key));
	bool		found = rows.count > 0;

	if (found)
	{
		FfRow		row = ff_rows_get(&rows, 0);
		FfExecutionId id = {.partition = ff_row_int2(&row, 1),.uuid = *ff_row_uuid(&row, 2)};

		answer(order, &id, ff_row_enum(&row, 3, &ff_public_states));
	}
	ff_rows_free(&rows);
	return found;
}

/* Make the key the order's, or the order a duplicate of whose it is. */
static void
claim_key(FfOrder *order, int64 now_ms)
{
	NullableDatum values[] = {
		ff_text(order->namespace), ff_text(order->idempotency_key),
		ff_int2(order->core.id.partition), ff_uuid(&order->core.id.uuid),
		ff_int8(now_ms), ff_int8(ff_after_ms(now_ms, order->dedup_window_ms)),
	};

	if (ff_statement_execute(&take_key, values, lengthof(values), false).count > 0)
		return;
	/* where its execution is gone (retention) the key is free, and locked by the insert above */
	if (!key_stands_for(order))
		ff_statement_execute(&overwrite_key, values, lengthof(values), false);
}

static bool
have_one_key(const FfOrder *x, const FfOrder *y)
{
	return strcmp(x->namespace, y->namespace) == 0 &&
		strcmp(x->idempotency_key, y->idempotency_key) == 0;
}

static void
claim_keys(Batch *batch)
{
	FfOrder    *first = NULL;

	sort(batch, by_key);
	for (int i = 0; i < batch->n; i++)
	{
		FfOrder    *order = batch->orders[i];

		if (order->idempotency_key == NULL)
			continue;
		if (first && have_one_key(first, order))
		{
			order->same_as = first;
			continue;
		}
		first = order;
		claim_key(order, batch->now_ms);
	}
}

/* Insert the execution, or make the order a duplicate of the one that has its id. */
static void
insert(FfOrder *order, int64 now_ms)
{
	FfRow		row;
	FfCore	   *core = &order->core;

	order->created = ff_transition_create(core, &order->columns, now_ms);
	if (order->created)
	{
		answer(order, &core->id, core->public_state);
		if (order->instance_tag)
			ff_outbox_instance_tag(core, "attached", order->instance_tag, now_ms);
		return;
	}
	if (order->idempotency_key)
		ff_statement_run(&drop_key, ff_text(order->namespace), ff_text(order->idempotency_key));
	if (!ff_statement_row(&read_public_state, &row, ff_int2(core->id.partition),
						  ff_uuid(&core->id.uuid)))
		elog(ERROR, "execution %s vanished", ff_execution_id_text(&core->id));
	answer(order, &core->id, ff_row_enum(&row, 1, &ff_public_states));
}

static void
insert_all(Batch *batch)
{
	sort(batch, by_execution);
	for (int i = 0; i < batch->n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!batch->orders[i]->answered && batch->orders[i]->same_as == NULL)
			insert(batch->orders[i], batch->now_ms);
	}
	/* by now the first of each repeated key has its answer */
	for (int i = 0; i < batch->n; i++)
		if (batch->orders[i]->same_as)
			answer(batch->orders[i], &batch->orders[i]->same_as->execution,
				   batch->orders[i]->same_as->public_state);
}

/* The flows count their new members. */
static void
join_flows(Batch *batch)
{
	int64		created = 0;

	sort(batch, by_flow);
	for (int i = 0; i < batch->n; i++)
	{
		const FfOrder *order = batch->orders[i];

		if (order->core.flow_id == NULL)
			continue;
		created += order->created;
		if (i + 1 < batch->n && in_one_flow(order, batch->orders[i + 1]))
			continue;
		if (created > 0)
			ff_statement_run(&add_to_flow, ff_int2(ff_partition_of_uuid(order->core.flow_id)),
							 ff_uuid(order->core.flow_id), ff_int8(created),
							 ff_int8(batch->now_ms));
		created = 0;
	}
}

/* A lane that only duplicates were sent to stays unknown: they write nothing. */
static void
register_lanes(Batch *batch, List *unknown)
{
	ListCell   *cell;
	int			i = 0;

	if (unknown == NIL)
		return;
	sort(batch, by_lane);
	foreach(cell, unknown)
	{
		const char *lane_id = lfirst(cell);
		bool		used = false;

		while (i < batch->n && strcmp(batch->orders[i]->core.lane_id, lane_id) < 0)
			i++;
		for (; i < batch->n && strcmp(batch->orders[i]->core.lane_id, lane_id) == 0; i++)
			used |= batch->orders[i]->created;
		if (used)
			ff_statement_run(&register_lane, ff_text(lane_id), ff_int8(batch->now_ms));
	}
}

void
ff_ingress_create(FfOrder *orders, int norders, int64 now_ms, FfErrorPlace *place)
{
	Batch		batch = {.n = norders,.now_ms = now_ms,.place = place};
	List	   *unknown;

	batch.orders = palloc(Max(norders, 1) * sizeof(FfOrder *));
	for (int i = 0; i < norders; i++)
		batch.orders[i] = &orders[i];

	unknown = enter_lanes(&batch);
	enter_flows(&batch);
	if (place)
		place->index = -1;
	claim_keys(&batch);
	insert_all(&batch);
	join_flows(&batch);
	register_lanes(&batch, unknown);
}
