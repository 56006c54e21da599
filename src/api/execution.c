/*
 * execution.c - ingress: creating executions (specification chapter 04, section 2).
 */
#include "base/compat.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"

#include "base/argument.h"
#include "base/call.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/jsonbarg.h"
#include "base/setting.h"
#include "engine/capability.h"
#include "engine/outbox.h"
#include "engine/policy.h"
#include "engine/transition.h"

#define MAX_TAGS 64
#define MAX_TAG_VALUE 4096
#define MAX_PRIORITY 9000

/* What the caller asked for, checked. */
typedef struct Order
{
	FfCore		core;			/* everything but the vector */
	FfNewExecution columns;
	bool		id_given;
	const char *namespace;
	const char *idempotency_key;	/* NULL: none */
	int64		dedup_window_ms;
	const char *instance_tag;	/* NULL: none */
} Order;

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
			 " UPDATE @extschema@.ff_flow_core SET graph_revision = graph_revision + 1,"
			 "  raw_fields = raw_fields || pg_catalog.jsonb_build_object("
			 "   'node_count', $3, 'last_mutation_at_ms', $4)"
			 "  WHERE partition_key = $1 AND flow_id = $2");

static FfStatement read_public_state =
FF_STATEMENT("read_public_state", "smallint, uuid",
			 "SELECT public_state FROM @extschema@.ff_exec_core"
			 " WHERE partition_key = $1 AND execution_id = $2");

/*
 * Take an idempotency key: a row comes back when it was free or its window is
 * over. A second caller waits here for the first one's commit.
 */
static FfStatement take_key =
FF_STATEMENT("take_key", "text, text, smallint, uuid, bigint, bigint",
			 "INSERT INTO @extschema@.ff_execution_dedup AS d"
			 " (namespace, idempotency_key, partition_key, execution_id, created_at_ms, expires_at_ms)"
			 " VALUES ($1, $2, $3, $4, $5, $6)"
			 " ON CONFLICT (namespace, idempotency_key) DO UPDATE"
			 " SET partition_key = $3, execution_id = $4, created_at_ms = $5, expires_at_ms = $6"
			 " WHERE d.expires_at_ms <= $5"
			 " RETURNING d.execution_id");

static FfStatement read_key =
FF_STATEMENT("read_key", "text, text",
			 "SELECT d.partition_key, d.execution_id, c.public_state"
			 " FROM @extschema@.ff_execution_dedup d LEFT JOIN @extschema@.ff_exec_core c"
			 "  ON c.partition_key = d.partition_key AND c.execution_id = d.execution_id"
			 " WHERE d.namespace = $1 AND d.idempotency_key = $2");

static FfStatement overwrite_key =
FF_STATEMENT("overwrite_key", "text, text, smallint, uuid, bigint, bigint",
			 "UPDATE @extschema@.ff_execution_dedup SET partition_key = $3, execution_id = $4,"
			 " created_at_ms = $5, expires_at_ms = $6 WHERE namespace = $1 AND idempotency_key = $2");

static FfStatement drop_key =
FF_STATEMENT("drop_key", "text, text",
			 "DELETE FROM @extschema@.ff_execution_dedup WHERE namespace = $1 AND idempotency_key = $2");

static void
check_tag(const char *key, const JsonbValue *value)
{
	char	   *text = ff_json_value_string(value);

	if (!ff_tag_key_is_valid(key))
		ff_raise(FF_INVALID_TAG_KEY, errmsg("tag key \"%s\" does not match the tag pattern", key),
				 errdetail("A key is lower case, of the form \"area.name\", at most 128 bytes."));
	if (text == NULL)
		ff_raise_rule(FF_INVALID_INPUT, "json_shape", psprintf("tag \"%s\" is not a string", key),
					  "tags.%s", key);
	ff_check_length(text, psprintf("tag \"%s\"", key), 0, MAX_TAG_VALUE);
}

static void
check_tags(Jsonb *tags)
{
	FfJsonEach	each;
	int			n = 0;

	if (!JB_ROOT_IS_OBJECT(tags))
		ff_raise_rule(FF_INVALID_INPUT, "json_shape", "tags is not an object", "tags");
	each = ff_json_each(&tags->root);
	while (ff_json_next(&each))
	{
		check_tag(each.key, &each.value);
		if (++n > MAX_TAGS)
			ff_raise_rule(FF_INVALID_INPUT, "too_many_tags", "tags has too many keys",
						  "at most %d", MAX_TAGS);
	}
}

/* The rarely read fields, as one jsonb. */
static Jsonb *
raw_fields(const Order *order, const char *kind, const char *creator, const char *encoding,
		   Jsonb *tags)
{
	FfJsonObject *fields = ff_json_begin();

	ff_json_text(fields, "namespace", order->namespace);
	ff_json_text(fields, "execution_kind", kind);
	ff_json_text(fields, "creator_identity", creator);
	if (order->idempotency_key)
		ff_json_text(fields, "idempotency_key", order->idempotency_key);
	if (encoding)
		ff_json_text(fields, "payload_encoding", encoding);
	ff_json_jsonb(fields, "tags", tags);
	return ff_json_end(fields);
}

/* Lane, kind, namespace and the other texts, and what becomes raw_fields of them. */
static void
read_texts(FunctionCallInfo fcinfo, Order *order)
{
	char	   *encoding = ff_arg_text_or(fcinfo, 2, NULL);
	char	   *kind = ff_arg_text_or(fcinfo, 3, "task");
	char	   *key = ff_arg_text_or(fcinfo, 9, "");
	Jsonb	   *tags = ff_arg_jsonb_or_null(fcinfo, 11, "tags");
	char	   *creator = ff_arg_text_or(fcinfo, 13, NULL);

	if (tags == NULL)
		tags = ff_json_end(ff_json_begin());
	order->core.lane_id = ff_arg_text(fcinfo, 0, "lane_id");
	ff_check_lane(order->core.lane_id);
	if (encoding)
		ff_check_length(encoding, "payload_encoding", 1, 64);
	ff_check_word(kind, "execution_kind", 1, 256);
	ff_check_length(key, "idempotency_key", 0, 512);
	order->idempotency_key = key[0] ? key : NULL;
	order->namespace = ff_arg_text_or(fcinfo, 12, "default");
	ff_check_word(order->namespace, "namespace", 1, 256);
	/* the role that calls, not the owner whose rights the function runs with */
	if (creator == NULL)
		creator = GetUserNameFromId(GetOuterUserId(), false);
	ff_check_label(creator, "creator_identity", 0, 256);

	order->columns.payload = ff_arg_bytea_or_null(fcinfo, 1);
	ff_check_payload(order->columns.payload, "payload", ff_max_payload_size);
	check_tags(tags);
	order->columns.raw_fields = raw_fields(order, kind, creator, encoding, tags);
	if (ff_instance_tag_key && ff_instance_tag_key[0])
		order->instance_tag = ff_json_get_text(tags, ff_instance_tag_key);
}

/* Flow and id: which partition the execution belongs to. */
static void
read_identity(FunctionCallInfo fcinfo, Order *order)
{
	char	   *id = ff_arg_text_or(fcinfo, 15, NULL);

	order->core.flow_id = ff_arg_uuid_or_null(fcinfo, 14);
	order->id_given = id != NULL;
	if (id)
		ff_execution_id_parse(id, &order->core.id);
	else
	{
		order->core.id.partition = order->core.flow_id
			? ff_partition_of_uuid(order->core.flow_id)
			: ff_partition_of_lane(order->core.lane_id);
		ff_uuid_mint(&order->core.id.uuid);
	}
}

/* The policy, and what it says where an argument says nothing. */
static void
read_policy(FunctionCallInfo fcinfo, Order *order, int64 now_ms)
{
	Jsonb	   *policy = ff_arg_jsonb_or_null(fcinfo, 6, "policy");
	FfInt8		priority = ff_arg_maybe_int4(fcinfo, 4);
	FfInt8		deadline = ff_arg_maybe_instant(fcinfo, 8, "deadline_at");
	FfInt8		delay = ff_arg_maybe_instant(fcinfo, 7, "delay_until");
	FfInt8		window = ff_arg_maybe_int8(fcinfo, 10);

	if (window.isset)
		ff_check_range(window.value, "dedup_window_ms", 1, FF_MAX_INSTANT_MS);
	ff_policy_check(policy);
	if (!priority.isset)
		priority = ff_policy_priority(policy);
	if (!delay.isset)
		delay = ff_policy_delay_until_ms(policy);
	if (!window.isset)
		window = ff_policy_dedup_window_ms(policy);
	if (!deadline.isset)
	{
		FfInt8		lifetime = ff_policy_deadline_ms(policy);

		if (lifetime.isset)
			deadline = ff_some(ff_after_ms(now_ms, lifetime.value));
	}
	order->core.policy = policy;
	order->core.priority = Max(0, Min(priority.value, MAX_PRIORITY));
	order->core.eligible_at_ms = delay;
	order->core.deadline_at_ms = deadline;
	order->dedup_window_ms = window.isset ? window.value
		: (int64) ff_execution_dedup_window_s * 1000;
	order->columns.required_capabilities =
		ff_capabilities_merge(PG_ARGISNULL(5) ? NULL : PG_GETARG_ARRAYTYPE_P(5),
							  ff_policy_capabilities(policy), "required");
	order->columns.budget_ids = ff_policy_budget_ids(policy);
	order->columns.quota_policy_id = ff_policy_quota_policy_id(policy);
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

/* Lock the flow and see that it takes members; the number it has. */
static int64
enter_flow(const Order *order)
{
	const pg_uuid_t *flow_id = order->core.flow_id;
	int16		partition = ff_partition_of_uuid(flow_id);
	FfRow		row;
	char	   *state;

	if (!ff_statement_row(&lock_flow, &row, ff_int2(partition), ff_uuid(flow_id)))
		ff_raise(FF_NOT_FOUND, errmsg("flow %s does not exist", ff_uuid_text(flow_id)));
	state = ff_row_cstring(&row, 1);
	if (strcmp(state, "cancelled") == 0 || strcmp(state, "completed") == 0 ||
		strcmp(state, "failed") == 0)
		ff_raise(FF_FLOW_ALREADY_TERMINAL,
				 errmsg("flow %s is %s", ff_uuid_text(flow_id), state));
	if (order->core.id.partition != partition)
		ff_raise_rule(FF_INVALID_INPUT, "wrong_partition",
					  psprintf("execution %s is not in the partition of flow %s",
							   ff_execution_id_text(&order->core.id), ff_uuid_text(flow_id)),
					  "the flow's is %d", partition);
	if (ff_row_int8(&row, 2) >= ff_max_flow_members)
		ff_raise_rule(FF_INVALID_INPUT, "too_many_members",
					  psprintf("flow %s is full", ff_uuid_text(flow_id)),
					  "at most %d members", ff_max_flow_members);
	return ff_row_int8(&row, 2);
}

static void
add_duplicate(FfCall *call, const FfExecutionId *id, int public_state)
{
	ff_call_row(call, ff_text("duplicate"), ff_text(ff_execution_id_text(id)),
				ff_enum(&ff_public_states, public_state));
}

/* The execution that an idempotency key stands for while its window runs; false if none. */
static bool
key_stands_for(FfCall *call, const Order *order)
{
	FfRow		row;
	FfExecutionId id;

	if (!ff_statement_row(&read_key, &row, ff_text(order->namespace),
						  ff_text(order->idempotency_key)) ||
		ff_row_value(&row, 3).isnull)
		return false;
	id.partition = ff_row_int2(&row, 1);
	id.uuid = *ff_row_uuid(&row, 2);
	add_duplicate(call, &id, ff_row_enum(&row, 3, &ff_public_states));
	return true;
}

/* True, and the answer given, if the key is another execution's; else it is ours now. */
static bool
key_is_taken(FfCall *call, const Order *order)
{
	NullableDatum values[] = {
		ff_text(order->namespace), ff_text(order->idempotency_key),
		ff_int2(order->core.id.partition), ff_uuid(&order->core.id.uuid),
		ff_int8(call->now_ms), ff_int8(ff_after_ms(call->now_ms, order->dedup_window_ms)),
	};

	if (ff_statement_execute(&take_key, values, lengthof(values), false).count > 0)
		return false;
	if (key_stands_for(call, order))
		return true;
	/* its execution is gone (retention), and the row is locked by the insert above */
	ff_statement_execute(&overwrite_key, values, lengthof(values), false);
	return false;
}

/* Insert the execution; false, and the duplicate told, if its id is taken. */
static bool
insert_execution(FfCall *call, Order *order)
{
	FfRow		row;
	FfCore	   *core = &order->core;

	if (ff_transition_create(core, &order->columns, call->now_ms))
		return true;
	if (order->idempotency_key)
		ff_statement_run(&drop_key, ff_text(order->namespace), ff_text(order->idempotency_key));
	if (!ff_statement_row(&read_public_state, &row, ff_int2(core->id.partition),
						  ff_uuid(&core->id.uuid)))
		elog(ERROR, "execution %s vanished", ff_execution_id_text(&core->id));
	add_duplicate(call, &core->id, ff_row_enum(&row, 1, &ff_public_states));
	return false;
}

PG_FUNCTION_INFO_V1(ff_create_execution);

Datum
ff_create_execution(PG_FUNCTION_ARGS)
{
	FfCall		call;
	Order		order = {0};
	FfCore	   *core = &order.core;
	int64		members = 0;
	bool		lane_known;

	ff_call_begin(&call, fcinfo);
	read_texts(fcinfo, &order);
	read_identity(fcinfo, &order);
	read_policy(fcinfo, &order, call.now_ms);
	lane_known = lane_is_known(core->lane_id);
	if (core->flow_id)
		members = enter_flow(&order);
	if (order.idempotency_key && key_is_taken(&call, &order))
		return ff_call_end(&call);
	if (!insert_execution(&call, &order))
		return ff_call_end(&call);

	if (!lane_known)
		ff_statement_run(&register_lane, ff_text(core->lane_id), ff_int8(call.now_ms));
	if (core->flow_id)
		ff_statement_run(&add_to_flow, ff_int2(core->id.partition), ff_uuid(core->flow_id),
						 ff_int8(members + 1), ff_int8(call.now_ms));
	if (order.instance_tag)
		ff_outbox_instance_tag(core, "attached", order.instance_tag, call.now_ms);
	ff_call_row(&call, ff_text("created"), ff_text(ff_execution_id_text(&core->id)),
				ff_enum(&ff_public_states, core->public_state));
	return ff_call_end(&call);
}
