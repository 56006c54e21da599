/*
 * waitpoint.c - waitpoints before a suspension: making one while the worker
 * still runs, closing one (specification chapter 03, section 3).
 */
#include "base/compat.h"

#include "catalog/pg_type.h"

#include "base/argument.h"
#include "base/call.h"
#include "base/clock.h"
#include "base/error.h"
#include "engine/condition.h"
#include "engine/fence.h"
#include "engine/suspension.h"
#include "engine/lease.h"
#include "engine/waitpoint.h"

/* The longest that a waitpoint stays pending, in milliseconds; the default is an hour. */
#define MAX_EXPIRY_MS INT64CONST(3153600000000)
#define DEFAULT_EXPIRY_MS 3600000

static int64
read_expiry(FunctionCallInfo fcinfo, int n)
{
	int64		expires_in_ms = ff_arg_int8_or(fcinfo, n, DEFAULT_EXPIRY_MS);

	if (expires_in_ms < 1)
		ff_raise_rule(FF_INVALID_INPUT, "expires_in_ms", "expires_in_ms is not positive",
					  INT64_FORMAT, expires_in_ms);
	return Min(expires_in_ms, MAX_EXPIRY_MS);
}

PG_FUNCTION_INFO_V1(ff_create_waitpoint);

Datum
ff_create_waitpoint(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfHandle	handle;
	FfCore		core;
	FfAttempt	attempt;
	bytea	   *ticket = ff_arg_bytea(fcinfo, 0, "handle");
	FfWaitpoint waitpoint = {.key = ff_arg_text(fcinfo, 1, "waitpoint_key")};
	int64		expires_in_ms = read_expiry(fcinfo, 2);
	const pg_uuid_t *id = ff_arg_uuid_or_null(fcinfo, 3);
	ArrayType  *no_names = construct_empty_array(TEXTOID);
	FfWaitpointTerms terms = {0};

	ff_check_waitpoint_key(waitpoint.key, NULL);
	ff_fence_handle(ticket, &handle, FF_LEASE_CONFLICT);

	ff_call_begin(&call, fcinfo);
	ff_fence_lock(&handle, &core, &attempt);
	ff_fence_check_lease(&handle, &core, &attempt, FF_LEASE_CONFLICT);
	ff_suspension_check_live(&handle, &core, &attempt, FF_LEASE_CONFLICT,
							 FF_EXECUTION_NOT_ACTIVE, call.now_ms);
	ff_waitpoint_check_room(&core, 1);
	if (id)
		ff_waitpoint_check_unused(&core, id);

	if (id)
		waitpoint.id = *id;
	else
		ff_uuid_mint(&waitpoint.id);
	ff_waitpoint_sign(&core, &waitpoint);
	terms.attempt_index = handle.attempt_index;
	terms.expires_at_ms = ff_some(ff_after_ms(call.now_ms, expires_in_ms));
	terms.now_ms = call.now_ms;
	ff_waitpoint_insert(&core, &waitpoint, 1, &no_names, &terms);
	ff_lease_touch(&attempt);
	ff_call_row(&call, ff_uuid(&waitpoint.id), ff_text(waitpoint.key), ff_text(waitpoint.token),
				ff_maybe_instant(terms.expires_at_ms));
	return ff_call_end(&call);
}

PG_FUNCTION_INFO_V1(ff_close_waitpoint);

Datum
ff_close_waitpoint(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfExecutionId id;
	FfCore		core;
	FfWaitpoint waitpoint;
	const pg_uuid_t *waitpoint_id = ff_arg_uuid(fcinfo, 1, "waitpoint_id");
	char	   *reason = ff_arg_text_or(fcinfo, 2, "proactive_close");
	bool		is_open;

	ff_execution_id_parse(ff_arg_text(fcinfo, 0, "execution_id"), &id);
	ff_check_length(reason, "reason", 0, 1024);

	ff_call_begin(&call, fcinfo);
	ff_core_lock(&core, &id);
	ff_waitpoint_lock(&core, waitpoint_id, &waitpoint);
	is_open = ff_waitpoint_is_open(&waitpoint);
	if (is_open)
		ff_waitpoint_close(&core, waitpoint_id, FF_CLOSED_WAITPOINT, reason, call.now_ms);
	ff_call_row(&call, ff_text(is_open ? "closed" : "already_closed"));
	return ff_call_end(&call);
}
