/*
 * signal.c - delivering signals from outside (specification chapter 03,
 * sections 5.1 and 5.4).
 */
#include "base/compat.h"

#include "base/argument.h"
#include "base/call.h"
#include "base/error.h"
#include "base/setting.h"
#include "engine/signal.h"
#include "engine/token.h"
#include "engine/waitpoint.h"

static const char *const target_scopes[] = {"waitpoint", "execution"};

/* What the engine calls its own may not come from outside. */
static void
refuse_reserved(const char *what, const char *value)
{
	ff_raise_rule(FF_INVALID_INPUT, "reserved",
				  psprintf("that %s is the engine's own", what), "%s %s", what, value);
}

static void
check_name(const char *signal_name)
{
	ff_check_length(signal_name, "signal_name", 1, 256);
	if (strncmp(signal_name, "__", 2) == 0)
		refuse_reserved("signal_name", signal_name);
}

/* An argument that may not be negative; unset where it is NULL. */
static FfInt8
read_count(FunctionCallInfo fcinfo, int n, const char *name)
{
	FfInt8		value = ff_arg_maybe_int8(fcinfo, n);

	ff_check_not_negative(value.value, name);
	return value;
}

/* How long an idempotency key holds, in milliseconds. */
static int64
read_dedup_ttl(FunctionCallInfo fcinfo, int n, const char *name)
{
	FfInt8		ttl_ms = read_count(fcinfo, n, name);

	return ttl_ms.isset ? ttl_ms.value : (int64) ff_signal_dedup_window_s * 1000;
}

static void
check_texts(const FfSignal *signal)
{
	check_name(signal->name);
	ff_check_length(signal->payload_encoding, "payload_encoding", 1, 64);
	ff_check_length(signal->category, "signal_category", 1, 64);
	ff_check_length(signal->source_type, "source_type", 1, 64);
	if (strcmp(signal->source_type, "engine") == 0)
		refuse_reserved("source_type", signal->source_type);
	ff_check_length(signal->source_identity, "source_identity", 0, 512);
	if (signal->correlation_id)
		ff_check_length(signal->correlation_id, "correlation_id", 0, 512);
	if (signal->idempotency_key)
		ff_check_length(signal->idempotency_key, "idempotency_key", 0, 512);
	(void) ff_check_one_of(signal->target_scope, "target_scope", target_scopes,
						   lengthof(target_scopes));
}

/* Check 1: everything but execution, waitpoint and token. */
static void
read_signal(FunctionCallInfo fcinfo, FfSignal *signal)
{
	const pg_uuid_t *id = ff_arg_uuid_or_null(fcinfo, 12);

	*signal = (FfSignal) {
		.name = ff_arg_text(fcinfo, 3, "signal_name"),
		.payload = ff_arg_bytea_or_null(fcinfo, 4),
		.payload_encoding = ff_arg_text_or(fcinfo, 5, "json"),
		.category = ff_arg_text_or(fcinfo, 6, "custom"),
		.source_type = ff_arg_text_or(fcinfo, 7, "external_api"),
		.source_identity = ff_arg_text_or(fcinfo, 8, ""),
		.correlation_id = ff_arg_text_or(fcinfo, 9, NULL),
		.idempotency_key = ff_arg_text_or(fcinfo, 10, NULL),
		.dedup_ttl_ms = read_dedup_ttl(fcinfo, 11, "dedup_ttl_ms"),
		.id_given = id != NULL,
		.target_scope = ff_arg_text_or(fcinfo, 13, "waitpoint"),
		.created_at_ms = ff_arg_maybe_instant(fcinfo, 14, "created_at"),
		.resume_delay_ms = read_count(fcinfo, 15, "resume_delay_ms"),
		.max_signals = read_count(fcinfo, 16, "max_signals_per_execution"),
		.maxlen = ff_arg_int8_or(fcinfo, 17, 1000),
	};
	ff_check_not_negative(signal->maxlen, "signal_maxlen");
	check_texts(signal);
	ff_check_payload(signal->payload, "payload", ff_max_signal_payload_size);
	if (id)
		signal->id = *id;
	else
		ff_uuid_mint(&signal->id);
	if (signal->idempotency_key && signal->idempotency_key[0] == '\0')
		signal->idempotency_key = NULL;
}

/* Check 2: the token is genuine for the waitpoint, or finds it among the open ones. */
static void
pass_token(const char *token, const FfExecutionId *execution, const pg_uuid_t *waitpoint_id,
		   FfSignal *signal, int64 now_ms)
{
	pg_uuid_t  *open;
	int			nopen;

	if (waitpoint_id)
	{
		ff_token_verify(token, execution, waitpoint_id, now_ms);
		signal->waitpoint_id = *waitpoint_id;
		return;
	}
	nopen = ff_waitpoint_list_open(execution, &open);
	signal->waitpoint_id = open[ff_token_find(token, execution, open, nopen, now_ms)];
}

static Datum
finish(FfCall *call, const FfDelivery *delivery)
{
	ff_call_row(call, ff_text(delivery->outcome), ff_uuid(&delivery->signal_id),
				ff_text(delivery->effect), ff_text(delivery->match_result));
	return ff_call_end(call);
}

PG_FUNCTION_INFO_V1(ff_deliver_signal);

Datum
ff_deliver_signal(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfExecutionId id;
	FfCore		core;
	FfSignal	signal;
	FfDelivery	delivery;
	const pg_uuid_t *waitpoint_id = ff_arg_uuid_or_null(fcinfo, 1);
	char	   *token = ff_arg_text_or(fcinfo, 2, NULL);

	ff_execution_id_parse(ff_arg_text(fcinfo, 0, "execution_id"), &id);
	read_signal(fcinfo, &signal);
	if (waitpoint_id == NULL && strcmp(signal.target_scope, "waitpoint") == 0)
		ff_raise_null("waitpoint_id");

	ff_call_begin(&call, fcinfo);
	pass_token(token, &id, waitpoint_id, &signal, call.now_ms);
	ff_core_lock(&core, &id);
	ff_signal_deliver(&core, &signal, FF_WAITPOINT_NOT_FOUND, FF_INVALID_WAITPOINT_FOR_EXECUTION,
					  call.now_ms, &delivery);
	return finish(&call, &delivery);
}

/* An approval: its name and a suffix make the key that tells it from others. */
static void
read_approval(FunctionCallInfo fcinfo, FfSignal *signal)
{
	const char *suffix = ff_arg_text(fcinfo, 3, "idempotency_suffix");

	*signal = (FfSignal) {
		.waitpoint_id = *ff_arg_uuid(fcinfo, 1, "waitpoint_id"),
		.name = ff_arg_text(fcinfo, 2, "signal_name"),
		.category = "approval",
		.source_type = "operator",
		.source_identity = ff_arg_text_or(fcinfo, 8, ""),
		.target_scope = "execution",
		.payload = ff_arg_bytea_or_null(fcinfo, 9),
		.payload_encoding = "json",
		.dedup_ttl_ms = read_dedup_ttl(fcinfo, 5, "signal_dedup_ttl_ms"),
		.max_signals = read_count(fcinfo, 7, "max_signals_per_execution"),
		.maxlen = ff_arg_int8_or(fcinfo, 6, 1000),
	};
	check_name(signal->name);
	ff_check_length(suffix, "idempotency_suffix", 1, 512);
	signal->idempotency_key = psprintf("approval:%s:%s", signal->name, suffix);
	ff_check_not_negative(signal->maxlen, "maxlen");
	ff_check_length(signal->source_identity, "source_identity", 0, 512);
	ff_check_payload(signal->payload, "payload", ff_max_signal_payload_size);
	ff_uuid_mint(&signal->id);
}

PG_FUNCTION_INFO_V1(ff_deliver_approval_signal);

Datum
ff_deliver_approval_signal(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfExecutionId id;
	FfCore		core;
	FfSignal	signal;
	FfDelivery	delivery;
	char	   *lane_id = ff_arg_text_or(fcinfo, 4, NULL);

	ff_execution_id_parse(ff_arg_text(fcinfo, 0, "execution_id"), &id);
	read_approval(fcinfo, &signal);
	if (lane_id)
		ff_check_lane(lane_id);

	ff_call_begin(&call, fcinfo);
	ff_core_lock(&core, &id);
	if (lane_id && strcmp(lane_id, core.lane_id) != 0)
		ff_raise_rule(FF_INVALID_INPUT, "lane_mismatch",
					  psprintf("execution %s is in another lane", ff_execution_id_text(&id)),
					  "lane_id=%s execution lane_id=%s", lane_id, core.lane_id);
	ff_signal_deliver(&core, &signal, FF_NOT_FOUND, FF_NOT_FOUND, call.now_ms, &delivery);
	return finish(&call, &delivery);
}
