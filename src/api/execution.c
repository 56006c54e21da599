/*
 * execution.c - ingress: creating executions (specification chapter 04, section 2).
 */
#include "base/compat.h"

#include "common/base64.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"

#include "base/argument.h"
#include "base/call.h"
#include "base/clock.h"
#include "base/jsonbarg.h"
#include "base/setting.h"
#include "engine/capability.h"
#include "engine/ingress.h"

#define MAX_ELEMENTS 10000

/* An element of a bulk creation; the names are the parameters' of the single one. */
static const FfJsonField element_fields[] = {
	FF_JSON_OPTIONAL("lane_id", FF_JSON_STRING),
	FF_JSON_OPTIONAL("payload", FF_JSON_ANY),
	FF_JSON_OPTIONAL("payload_base64", FF_JSON_STRING),
	FF_JSON_OPTIONAL("payload_encoding", FF_JSON_STRING),
	FF_JSON_OPTIONAL("execution_kind", FF_JSON_STRING),
	FF_JSON_OPTIONAL("priority", FF_JSON_INTEGER(PG_INT32_MIN, PG_INT32_MAX)),
	/* these three are judged as the arguments are, with errors of their own */
	FF_JSON_OPTIONAL("required_capabilities", FF_JSON_ANY),
	FF_JSON_OPTIONAL("policy", FF_JSON_ANY),
	FF_JSON_OPTIONAL("tags", FF_JSON_ANY),
	FF_JSON_OPTIONAL("delay_until", FF_JSON_STRING),
	FF_JSON_OPTIONAL("deadline_at", FF_JSON_STRING),
	FF_JSON_OPTIONAL("idempotency_key", FF_JSON_STRING),
	FF_JSON_OPTIONAL("dedup_window_ms", FF_JSON_INTEGER(1, FF_MAX_INSTANT_MS)),
	FF_JSON_OPTIONAL("namespace", FF_JSON_STRING),
	FF_JSON_OPTIONAL("creator_identity", FF_JSON_STRING),
	FF_JSON_OPTIONAL("flow_id", FF_JSON_UUID),
	FF_JSON_OPTIONAL("execution_id", FF_JSON_STRING),
};
static const FfJsonShape element_shape = FF_JSON_OBJECT(element_fields);
static const FfJsonShape elements_shape = FF_JSON_ARRAY(MAX_ELEMENTS, &element_shape);

/* An element, and what it lacks. */
typedef struct Element
{
	JsonbContainer *own;
	JsonbContainer *defaults;	/* NULL: none */
	bytea	  **default_payload;	/* of all elements: made once, NULL until then */
} Element;

static bool
has_own(const Element *element, const char *key)
{
	JsonbValue	value;

	return getKeyJsonValueFromContainer(element->own, key, strlen(key), &value) != NULL;
}

/* The value of a key, JSON nulls included; an element's own null hides a default. */
static bool
look_up(const Element *element, const char *key, JsonbValue *value)
{
	int			length = strlen(key);

	return getKeyJsonValueFromContainer(element->own, key, length, value) != NULL ||
		(element->defaults &&
		 getKeyJsonValueFromContainer(element->defaults, key, length, value) != NULL);
}

/* The same where a JSON null is as if not given. */
static bool
find(const Element *element, const char *key, JsonbValue *value)
{
	return look_up(element, key, value) && value->type != jbvNull;
}

static char *
find_text(const Element *element, const char *key)
{
	JsonbValue	value;

	return find(element, key, &value) ? ff_json_value_string(&value) : NULL;
}

static Jsonb *
find_document(const Element *element, const char *key)
{
	JsonbValue	value;

	return find(element, key, &value) ? JsonbValueToJsonb(&value) : NULL;
}

static FfInt8
find_int8(const Element *element, const char *key)
{
	JsonbValue	value;
	int64		number;

	return find(element, key, &value) && ff_json_value_int8(&value, &number)
		? ff_some(number) : ff_none();
}

static FfInt8
find_instant(const Element *element, const char *key)
{
	char	   *text = find_text(element, key);

	return text ? ff_some(ff_instant_parse(text, key)) : ff_none();
}

static const pg_uuid_t *
find_uuid(const Element *element, const char *key)
{
	JsonbValue	value;
	pg_uuid_t  *uuid = palloc(sizeof(pg_uuid_t));

	return find(element, key, &value) && ff_json_value_uuid(&value, uuid) ? uuid : NULL;
}

/* Any JSON value as its text, in UTF-8 whatever the database's encoding. */
static bytea *
json_bytes(JsonbValue *value)
{
	Jsonb	   *document = JsonbValueToJsonb(value);
	char	   *printed = JsonbToCString(NULL, &document->root, VARSIZE(document));
	char	   *text = pg_server_to_any(printed, strlen(printed), PG_UTF8);
	bytea	   *bytes = (bytea *) cstring_to_text(text);

	if (text != printed)
		pfree(text);
	pfree(printed);
	pfree(document);
	ff_check_payload(bytes, "payload", ff_max_payload_size);
	return bytes;
}

/* The payload of an element that has none of its own: one for all of them. */
static bytea *
default_payload(const Element *element, JsonbValue *value)
{
	if (*element->default_payload == NULL)
		*element->default_payload = json_bytes(value);
	return *element->default_payload;
}

static bytea *
base64_bytes(const char *text)
{
	int			length = strlen(text);
	int			room = pg_b64_dec_len(length);
	bytea	   *bytes = palloc(VARHDRSZ + room);
	int			decoded = pg_b64_decode(text, length, (void *) VARDATA(bytes), room);

	if (decoded < 0)
		ff_raise_rule(FF_INVALID_INPUT, "not_base64", "payload_base64 is not base64",
					  "%d characters", length);
	SET_VARSIZE(bytes, VARHDRSZ + decoded);
	return bytes;
}

/* A JSON null is a value too, and a payload like any other. */
static void
read_payload(const Element *element, FfRequest *request)
{
	char	   *base64 = find_text(element, "payload_base64");
	JsonbValue	value;

	request->payload_encoding = find_text(element, "payload_encoding");
	if (look_up(element, "payload", &value))
	{
		if (base64)
			ff_raise_rule(FF_INVALID_INPUT, "several_payloads",
						  "both payload and payload_base64 are given", "one of them is needed");
		request->payload = has_own(element, "payload") ? json_bytes(&value)
			: default_payload(element, &value);
		if (request->payload_encoding == NULL)
			request->payload_encoding = "json";
	}
	else if (base64)
		request->payload = base64_bytes(base64);
}

static void
read_element(const Element *element, const char *policy_root, FfRequest *request)
{
	Jsonb	   *capabilities = find_document(element, "required_capabilities");

	request->lane_id = find_text(element, "lane_id");
	read_payload(element, request);
	request->execution_kind = find_text(element, "execution_kind");
	request->priority = find_int8(element, "priority");
	request->required_capabilities = capabilities
		? ff_capabilities_from_jsonb(capabilities, "required") : NULL;
	request->policy = find_document(element, "policy");
	request->policy_root = policy_root;
	request->delay_until_ms = find_instant(element, "delay_until");
	request->deadline_at_ms = find_instant(element, "deadline_at");
	request->idempotency_key = find_text(element, "idempotency_key");
	request->dedup_window_ms = find_int8(element, "dedup_window_ms");
	request->tags = find_document(element, "tags");
	request->namespace = find_text(element, "namespace");
	request->creator_identity = find_text(element, "creator_identity");
	request->flow_id = find_uuid(element, "flow_id");
	request->execution_id = find_text(element, "execution_id");
}

/* Read and check the elements, in order; how many there are. */
static int
read_elements(Jsonb *executions, Jsonb *defaults, int64 now_ms, FfErrorPlace *place,
			  FfOrder **orders)
{
	FfJsonEach	each = ff_json_each(&executions->root);
	bytea	   *payload = NULL;

	*orders = palloc0(Max(JB_ROOT_COUNT(executions), 1) * sizeof(FfOrder));
	while (ff_json_next(&each))
	{
		FfRequest	request = {0};
		FfOrder    *order = &(*orders)[each.index];
		Element		element = {
			.own = ff_json_value_container(&each.value),
			.defaults = ff_json_root(defaults),
			.default_payload = &payload
		};

		CHECK_FOR_INTERRUPTS();
		place->index = each.index;
		order->position = each.index;
		read_element(&element, psprintf("executions[%d].policy", each.index), &request);
		ff_order_read(&request, now_ms, order);
	}
	return JB_ROOT_COUNT(executions);
}

static void
read_arguments(FunctionCallInfo fcinfo, FfRequest *request)
{
	request->lane_id = ff_arg_text(fcinfo, 0, "lane_id");
	request->payload = ff_arg_bytea_or_null(fcinfo, 1);
	request->payload_encoding = ff_arg_text_or(fcinfo, 2, NULL);
	request->execution_kind = ff_arg_text_or(fcinfo, 3, NULL);
	request->priority = ff_arg_maybe_int4(fcinfo, 4);
	request->required_capabilities = PG_ARGISNULL(5) ? NULL : PG_GETARG_ARRAYTYPE_P(5);
	request->policy = ff_arg_jsonb_or_null(fcinfo, 6, "policy");
	request->policy_root = "policy";
	request->delay_until_ms = ff_arg_maybe_instant(fcinfo, 7, "delay_until");
	request->deadline_at_ms = ff_arg_maybe_instant(fcinfo, 8, "deadline_at");
	request->idempotency_key = ff_arg_text_or(fcinfo, 9, NULL);
	request->dedup_window_ms = ff_arg_maybe_int8(fcinfo, 10);
	request->tags = ff_arg_jsonb_or_null(fcinfo, 11, "tags");
	request->namespace = ff_arg_text_or(fcinfo, 12, NULL);
	request->creator_identity = ff_arg_text_or(fcinfo, 13, NULL);
	request->flow_id = ff_arg_uuid_or_null(fcinfo, 14);
	request->execution_id = ff_arg_text_or(fcinfo, 15, NULL);
}

static const char *
outcome(const FfOrder *order)
{
	return order->created ? "created" : "duplicate";
}

PG_FUNCTION_INFO_V1(ff_create_execution);

Datum
ff_create_execution(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfRequest	request = {0};
	FfOrder		order = {0};

	ff_call_begin(&call, fcinfo);
	read_arguments(fcinfo, &request);
	ff_order_read(&request, call.now_ms, &order);
	ff_ingress_create(&order, 1, call.now_ms, NULL);
	ff_call_row(&call, ff_text(outcome(&order)), ff_text(ff_execution_id_text(&order.execution)),
				ff_enum(&ff_public_states, order.public_state));
	return ff_call_end(&call);
}

PG_FUNCTION_INFO_V1(ff_create_executions);

Datum
ff_create_executions(PG_FUNCTION_ARGS)
{
	FfCall		call;
	Jsonb	   *executions = ff_arg_document_or_null(fcinfo, 0);
	Jsonb	   *defaults = ff_arg_document_or_null(fcinfo, 1);
	FfErrorPlace place;
	FfOrder    *orders;
	int			norders;

	if (executions == NULL)
		ff_raise_null("executions");
	ff_json_check(executions, &elements_shape, "executions", FF_INVALID_INPUT, "json_shape");
	if (defaults)
		ff_json_check(defaults, &element_shape, "defaults", FF_INVALID_INPUT, "json_shape");

	ff_call_begin(&call, fcinfo);
	ff_error_place_begin(&place, "executions");
	norders = read_elements(executions, defaults, call.now_ms, &place, &orders);
	ff_ingress_create(orders, norders, call.now_ms, &place);
	ff_error_place_end(&place);
	for (int i = 0; i < norders; i++)
		ff_call_row(&call, ff_int4(i), ff_text(outcome(&orders[i])),
					ff_text(ff_execution_id_text(&orders[i].execution)),
					ff_enum(&ff_public_states, orders[i].public_state));
	return ff_call_end(&call);
}
