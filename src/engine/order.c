/*
 * order.c - an execution to be created: limits, policy, and the columns that
 * follow from both.
 */
#include "engine/order.h"

#include "miscadmin.h"

#include "base/argument.h"
#include "base/clock.h"
#include "base/jsonbarg.h"
#include "base/setting.h"
#include "engine/capability.h"
#include "engine/policy.h"

#define MAX_TAGS 64
#define MAX_TAG_VALUE 4096
#define MAX_PRIORITY 9000

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

	ff_check_jsonb_length(tags, "tags");
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
raw_fields(const FfOrder *order, const FfRequest *request, const char *kind, const char *creator)
{
	FfJsonObject *fields = ff_json_begin();

	ff_json_text(fields, "namespace", order->namespace);
	ff_json_text(fields, "execution_kind", kind);
	ff_json_text(fields, "creator_identity", creator);
	if (order->idempotency_key)
		ff_json_text(fields, "idempotency_key", order->idempotency_key);
	if (request->payload_encoding)
		ff_json_text(fields, "payload_encoding", request->payload_encoding);
	ff_json_jsonb(fields, "tags", request->tags ? request->tags : ff_json_end(ff_json_begin()));
	return ff_json_end(fields);
}

/* Lane, kind, namespace and the other texts, and what becomes raw_fields of them. */
static void
read_texts(const FfRequest *request, FfOrder *order)
{
	const char *kind = request->execution_kind ? request->execution_kind : "task";
	const char *key = request->idempotency_key ? request->idempotency_key : "";
	const char *creator = request->creator_identity;

	if (request->lane_id == NULL)
		ff_raise_null("lane_id");
	order->core.lane_id = request->lane_id;
	ff_check_lane(order->core.lane_id);
	if (request->payload_encoding)
		ff_check_length(request->payload_encoding, "payload_encoding", 1, 64);
	ff_check_word(kind, "execution_kind", 1, 256);
	ff_check_length(key, "idempotency_key", 0, 512);
	order->idempotency_key = key[0] ? key : NULL;
	order->namespace = request->namespace ? request->namespace : "default";
	ff_check_word(order->namespace, "namespace", 1, 256);
	/* the role that calls, not the owner whose rights the function runs with */
	if (creator == NULL)
		creator = GetUserNameFromId(GetOuterUserId(), false);
	ff_check_label(creator, "creator_identity", 0, 256);

	order->columns.payload = request->payload;
	ff_check_payload(order->columns.payload, "payload", ff_max_payload_size);
	if (request->tags)
		check_tags(request->tags);
	order->columns.raw_fields = raw_fields(order, request, kind, creator);
	if (request->tags && ff_instance_tag_key && ff_instance_tag_key[0])
		order->instance_tag = ff_json_get_text(request->tags, ff_instance_tag_key);
}

/* Flow and id: which partition the execution belongs to. */
static void
read_identity(const FfRequest *request, FfOrder *order)
{
	order->core.flow_id = request->flow_id;
	if (request->execution_id)
		ff_execution_id_parse(request->execution_id, &order->core.id);
	else
	{
		order->core.id.partition = order->core.flow_id
			? ff_partition_of_uuid(order->core.flow_id)
			: ff_partition_of_lane(order->core.lane_id);
		ff_uuid_mint(&order->core.id.uuid);
		order->columns.id_is_minted = true;
	}
}

static FfInt8
first_of(FfInt8 given, FfInt8 otherwise)
{
	return given.isset ? given : otherwise;
}

/* The policy, and what it says where the request says nothing. */
static void
read_policy(const FfRequest *request, FfOrder *order, int64 now_ms)
{
	Jsonb	   *policy = request->policy;
	FfInt8		lifetime;
	FfInt8		window;

	if (request->dedup_window_ms.isset)
		ff_check_range(request->dedup_window_ms.value, "dedup_window_ms", 1, FF_MAX_INSTANT_MS);
	if (policy)
		ff_check_jsonb_length(policy, "policy");
	ff_policy_check(policy, request->policy_root);

	lifetime = ff_policy_deadline_ms(policy);
	window = first_of(request->dedup_window_ms, ff_policy_dedup_window_ms(policy));
	order->core.policy = policy;
	order->core.priority =
		Max(0, Min(first_of(request->priority, ff_policy_priority(policy)).value, MAX_PRIORITY));
	order->core.eligible_at_ms =
		first_of(request->delay_until_ms, ff_policy_delay_until_ms(policy));
	order->core.deadline_at_ms = request->deadline_at_ms;
	if (!order->core.deadline_at_ms.isset && lifetime.isset)
		order->core.deadline_at_ms = ff_some(ff_after_ms(now_ms, lifetime.value));
	order->dedup_window_ms = window.isset ? window.value
		: (int64) ff_execution_dedup_window_s * 1000;
	order->columns.required_capabilities =
		ff_capabilities_merge(request->required_capabilities, ff_policy_capabilities(policy),
							  "required");
	order->columns.budget_ids = ff_policy_budget_ids(policy);
	order->columns.quota_policy_id = ff_policy_quota_policy_id(policy);
}

void
ff_order_read(const FfRequest *request, int64 now_ms, FfOrder *order)
{
	read_texts(request, order);
	read_identity(request, order);
	read_policy(request, order, now_ms);
}
