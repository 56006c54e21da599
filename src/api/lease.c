/*
 * lease.c - working under a lease: renew, complete, fail (specification
 * chapter 04, section 4).
 */
#include "base/compat.h"

#include "mb/pg_wchar.h"

#include "base/argument.h"
#include "base/call.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/jsonbarg.h"
#include "base/setting.h"
#include "engine/fence.h"
#include "engine/policy.h"
#include "engine/transition.h"

/* Ends of leases that these functions bring about are the worker's own doing. */
#define BY_WORKER "worker"

/* Fence steps 2 to 4 of a handle: lock, then the lease must be the attempt's. */
static void
lock_by_handle(const FfHandle *handle, FfCore *core, FfAttempt *attempt)
{
	ff_fence_lock(handle, core, attempt);
	ff_fence_check_lease(handle, core, attempt, FF_LEASE_CONFLICT);
}

/* Fence steps 6 to 8: the attempt is the current one and its lease is live. */
static void
check_current(const FfHandle *handle, const FfCore *core, const FfAttempt *attempt, int64 now_ms)
{
	ff_fence_check_index(handle, core, attempt, FF_LEASE_CONFLICT);
	ff_fence_check_live(core, attempt, now_ms);
}

PG_FUNCTION_INFO_V1(ff_renew);

Datum
ff_renew(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfHandle	handle;
	FfCore		core;
	FfAttempt	attempt;
	FfMove		move = {0};

	ff_check_range(ff_arg_int8_or(fcinfo, 1, 1), "lease_ttl_ms", 1, ff_max_lease_ttl_ms);
	ff_fence_handle(ff_arg_bytea(fcinfo, 0, "handle"), &handle, FF_LEASE_CONFLICT);
	move.lease_ttl_ms = ff_arg_int8_or(fcinfo, 1, handle.lease_ttl_ms);
	ff_check_range(move.lease_ttl_ms, "lease_ttl_ms", 1, ff_max_lease_ttl_ms);

	ff_call_begin(&call, fcinfo);
	move.now_ms = call.now_ms;
	lock_by_handle(&handle, &core, &attempt);
	check_current(&handle, &core, &attempt, call.now_ms);
	ff_transition(FF_T08_RENEW, &core, &attempt, &move);
	ff_call_row(&call, ff_int8(attempt.lease_epoch), ff_maybe_instant(attempt.lease_expires_at_ms));
	return ff_call_end(&call);
}

static Datum
completed(FfCall *call, const FfCore *core, bool replayed)
{
	ff_call_row(call, ff_text("completed"), ff_text(ff_execution_id_text(&core->id)),
				ff_enum(&ff_public_states, core->public_state), ff_bool(replayed));
	return ff_call_end(call);
}

PG_FUNCTION_INFO_V1(ff_complete);

Datum
ff_complete(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfHandle	handle;
	FfCore		core;
	FfAttempt	attempt;
	FfMove		move = {.revoked_by = BY_WORKER};
	bytea	   *result = ff_arg_bytea_or_null(fcinfo, 1);
	char	   *encoding = ff_arg_text_or(fcinfo, 2, NULL);

	if (encoding)
		ff_check_length(encoding, "result_encoding", 1, 64);
	ff_check_payload(result, "result", ff_max_payload_size);
	ff_fence_handle(ff_arg_bytea(fcinfo, 0, "handle"), &handle, FF_LEASE_CONFLICT);

	ff_call_begin(&call, fcinfo);
	move.now_ms = call.now_ms;
	lock_by_handle(&handle, &core, &attempt);
	if (attempt.outcome == FF_SUCCESS)
		return completed(&call, &core, true);
	check_current(&handle, &core, &attempt, call.now_ms);

	core.result = result;
	if (encoding)
		ff_json_text(ff_core_patch(&core), "result_encoding", encoding);
	ff_transition(FF_T10_COMPLETE, &core, &attempt, &move);
	return completed(&call, &core, false);
}

/* A failure as reported. */
typedef struct Failure
{
	const char *reason;
	const char *class;
	const char *category;
	bytea	   *detail;
} Failure;

static const char *const failure_classes[] = {
	"transient", "infra_crash", "timeout", "permanent", "cancelled"
};

/* The classes up to this one may be retried. */
#define LAST_RETRYABLE 2

/* A text cut to so many bytes, at a character boundary. */
static const char *
cut(const char *text, int max)
{
	int			length = strlen(text);

	return length <= max ? text : pnstrdup(text, pg_mbcliplen(text, length, max));
}

static void
read_failure(FunctionCallInfo fcinfo, Failure *failure)
{
	failure->reason = cut(ff_arg_text(fcinfo, 1, "reason"), 4096);
	failure->class = ff_arg_text_or(fcinfo, 2, "transient");
	ff_check_one_of(failure->class, "failure_class", failure_classes, lengthof(failure_classes));
	failure->category = cut(ff_arg_text_or(fcinfo, 3, (char *) failure->class), 256);
	failure->detail = ff_arg_bytea_or_null(fcinfo, 4);
	ff_check_payload(failure->detail, "detail", ff_max_payload_size);
}

/* The wait before the retry, in milliseconds; unset when the failure is for good. */
static FfInt8
retry_after(const Failure *failure, const FfCore *core)
{
	FfRetryPolicy policy;
	int			class = ff_check_one_of(failure->class, "failure_class", failure_classes,
										lengthof(failure_classes));

	ff_policy_retry(core->policy, &policy);
	if (class > LAST_RETRYABLE ||
		!ff_retry_applies(&policy, core->retry_count, failure->category))
		return ff_none();
	return ff_some(ff_retry_backoff_ms(&policy, core->retry_count));
}

static void
note_failure(const Failure *failure, FfCore *core, FfAttempt *attempt)
{
	ff_json_text(ff_core_patch(core), "last_failure_message", failure->reason);
	ff_json_text(ff_core_patch(core), "last_failure_category", failure->category);
	attempt->failure_reason = failure->reason;
	attempt->failure_category = failure->category;
	attempt->failure_detail = failure->detail;
	ff_json_text(ff_attempt_patch(attempt), "failure_class", failure->class);
}

static Datum
retry_scheduled(FfCall *call, const FfCore *core, int32 next_index, FfInt8 retry_at, bool replayed)
{
	ff_call_row(call, ff_text("retry_scheduled"), ff_text(ff_execution_id_text(&core->id)),
				ff_enum(&ff_public_states, core->public_state), ff_int4(next_index),
				ff_maybe_instant(retry_at), ff_bool(replayed));
	return ff_call_end(call);
}

static Datum
failed(FfCall *call, const FfCore *core, bool replayed)
{
	ff_call_row(call, ff_text("terminal_failed"), ff_text(ff_execution_id_text(&core->id)),
				ff_enum(&ff_public_states, core->public_state), ff_null(), ff_null(),
				ff_bool(replayed));
	return ff_call_end(call);
}

PG_FUNCTION_INFO_V1(ff_fail);

Datum
ff_fail(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfHandle	handle;
	FfCore		core;
	FfAttempt	attempt;
	Failure		failure;
	FfInt8		backoff;
	FfMove		move = {.revoked_by = BY_WORKER};

	read_failure(fcinfo, &failure);
	ff_fence_handle(ff_arg_bytea(fcinfo, 0, "handle"), &handle, FF_LEASE_CONFLICT);

	ff_call_begin(&call, fcinfo);
	move.now_ms = call.now_ms;
	lock_by_handle(&handle, &core, &attempt);
	if (attempt.outcome == FF_RETRY)
		return retry_scheduled(&call, &core, attempt.attempt_index + 1,
							   ff_json_maybe_int8(ff_json_root(attempt.raw_fields), "retry_at_ms"),
							   true);
	if (attempt.outcome == FF_FAILED)
		return failed(&call, &core, true);
	check_current(&handle, &core, &attempt, call.now_ms);

	backoff = retry_after(&failure, &core);
	note_failure(&failure, &core, &attempt);
	if (!backoff.isset)
	{
		ff_transition(FF_T12_FAIL, &core, &attempt, &move);
		return failed(&call, &core, false);
	}
	backoff.value = ff_after_ms(call.now_ms, backoff.value);
	if (backoff.value > call.now_ms)
		move.eligible_at_ms = backoff;
	ff_json_int8(ff_attempt_patch(&attempt), "retry_at_ms", backoff.value);
	ff_transition(FF_T11_RETRY, &core, &attempt, &move);
	return retry_scheduled(&call, &core, core.attempt_index, backoff, false);
}
