/*
 * lease.c - working under a lease: renew, progress, complete, fail
 * (specification chapter 04, section 4).
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
#include "engine/slot.h"
#include "engine/transition.h"
#include "engine/work.h"

/* A lease triple from four arguments in a row, the last being the attempt's index. */
static void
read_triple(FunctionCallInfo fcinfo, int first, const char *source, FfFence *fence)
{
	FfExecutionId id;
	FfInt8		epoch = ff_arg_maybe_int8(fcinfo, first + 1);
	FfInt8		index = ff_arg_maybe_int4(fcinfo, first + 3);

	ff_execution_id_parse(ff_arg_text(fcinfo, 0, "execution_id"), &id);
	if (epoch.isset)
		ff_check_not_negative(epoch.value, "lease_epoch");
	if (index.isset)
		ff_check_not_negative(index.value, "attempt_index");
	ff_fence_from_triple(&id, ff_arg_uuid_or_null(fcinfo, first), epoch,
						 ff_arg_uuid_or_null(fcinfo, first + 2), index, source, fence);
}

static char *
read_source(FunctionCallInfo fcinfo, int n)
{
	char	   *source = ff_arg_text_or(fcinfo, n, "lease_holder");

	ff_check_length(source, "source", 1, 64);
	return source;
}

/* Runs while the error is put together: a refusal counts though it rolls back. */
static void
count_refusal(void *arg)
{
	if (ff_error_is_own(geterrcode()))
		ff_slot_count(FF_COUNT_RENEWALS_REFUSED, 1);
}

static Datum
renew(FfCall *call, const FfFence *fence, int64 lease_ttl_ms)
{
	FfAttempt	attempt;
	ErrorContextCallback refusal = {.previous = error_context_stack,.callback = count_refusal};

	error_context_stack = &refusal;
	ff_work_renew(fence, lease_ttl_ms, call->now_ms, &attempt);
	error_context_stack = refusal.previous;
	ff_call_row(call, ff_int8(attempt.lease_epoch), ff_maybe_instant(attempt.lease_expires_at_ms));
	return ff_call_end(call);
}

PG_FUNCTION_INFO_V1(ff_renew);

Datum
ff_renew(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfFence		fence;
	int64		ttl_ms;

	/* a ttl that is given is judged before the handle, the handle's own after */
	ff_check_range(ff_arg_int8_or(fcinfo, 1, 1), "lease_ttl_ms", 1, ff_max_lease_ttl_ms);
	ff_fence_from_handle(ff_arg_bytea(fcinfo, 0, "handle"), &fence);
	ttl_ms = ff_arg_int8_or(fcinfo, 1, fence.lease_ttl_ms);
	ff_check_range(ttl_ms, "lease_ttl_ms", 1, ff_max_lease_ttl_ms);
	ff_call_begin(&call, fcinfo);
	return renew(&call, &fence, ttl_ms);
}

PG_FUNCTION_INFO_V1(ff_renew_lease);

Datum
ff_renew_lease(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfFence		fence;
	int64		ttl_ms = ff_arg_int8(fcinfo, 1, "lease_ttl_ms");

	ff_check_range(ttl_ms, "lease_ttl_ms", 1, ff_max_lease_ttl_ms);
	ff_call_begin(&call, fcinfo);
	read_triple(fcinfo, 2, "lease_holder", &fence);
	return renew(&call, &fence, ttl_ms);
}

PG_FUNCTION_INFO_V1(ff_progress);

Datum
ff_progress(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfFence		fence;
	FfCore		core;
	FfAttempt	attempt;
	FfMove		move = {0};
	FfInt8		percent = ff_arg_maybe_int4(fcinfo, 1);
	char	   *message = ff_arg_text_or(fcinfo, 2, NULL);

	if (percent.isset)
		ff_check_range(percent.value, "percent", 0, 100);
	if (message)
		ff_check_length(message, "message", 0, 4096);
	ff_fence_from_handle(ff_arg_bytea(fcinfo, 0, "handle"), &fence);

	ff_call_begin_scalar(&call, fcinfo);
	move.now_ms = call.now_ms;
	ff_fence_enter(&fence, &core, &attempt);
	ff_fence_check_current(&fence, &core, &attempt, call.now_ms);
	if (percent.isset)
		ff_json_int8(ff_core_patch(&core), "progress_pct", percent.value);
	if (message)
		ff_json_text(ff_core_patch(&core), "progress_message", message);
	ff_json_int8(ff_core_patch(&core), "progress_at_ms", call.now_ms);
	ff_transition(FF_T09_PROGRESS, &core, &attempt, &move);
	return ff_call_end(&call);
}

/* The result and the word about it, arguments n and n + 1. */
static bytea *
read_result(FunctionCallInfo fcinfo, int n, char **encoding)
{
	bytea	   *result = ff_arg_bytea_or_null(fcinfo, n);

	*encoding = ff_arg_text_or(fcinfo, n + 1, NULL);
	if (*encoding)
		ff_check_length(*encoding, "result_encoding", 1, 64);
	ff_check_payload(result, "result", ff_max_payload_size);
	return result;
}

static Datum
complete(FfCall *call, const FfFence *fence, bytea *result, const char *encoding)
{
	FfCore		core;
	bool		replayed = ff_work_complete(fence, result, encoding, call->now_ms, &core);

	ff_call_row(call, ff_text("completed"), ff_text(ff_execution_id_text(&core.id)),
				ff_enum(&ff_public_states, core.public_state), ff_bool(replayed));
	return ff_call_end(call);
}

PG_FUNCTION_INFO_V1(ff_complete);

Datum
ff_complete(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfFence		fence;
	char	   *encoding;
	bytea	   *result = read_result(fcinfo, 1, &encoding);

	ff_fence_from_handle(ff_arg_bytea(fcinfo, 0, "handle"), &fence);
	ff_call_begin(&call, fcinfo);
	return complete(&call, &fence, result, encoding);
}

PG_FUNCTION_INFO_V1(ff_complete_execution);

Datum
ff_complete_execution(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfFence		fence;
	char	   *encoding;
	bytea	   *result = read_result(fcinfo, 1, &encoding);
	char	   *source = read_source(fcinfo, 7);

	ff_call_begin(&call, fcinfo);
	read_triple(fcinfo, 3, source, &fence);
	return complete(&call, &fence, result, encoding);
}

/* A failure as reported. */
typedef struct Failure
{
	const char *reason;
	const char *class;
	bool		may_be_retried; /* what the class says */
	const char *category;
	bytea	   *detail;
	Jsonb	   *retry_policy;	/* in place of the execution's; NULL: that */
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
	failure->may_be_retried = LAST_RETRYABLE >=
		ff_check_one_of(failure->class, "failure_class", failure_classes, lengthof(failure_classes));
	failure->category = cut(ff_arg_text_or(fcinfo, 3, (char *) failure->class), 256);
	failure->detail = ff_arg_bytea_or_null(fcinfo, 4);
	ff_check_payload(failure->detail, "detail", ff_max_payload_size);
	failure->retry_policy = NULL;
}

/* The wait before the retry, in milliseconds; unset when the failure is for good. */
static FfInt8
retry_after(const Failure *failure, const FfCore *core)
{
	FfRetryPolicy policy;

	if (failure->retry_policy)
		ff_policy_retry_given(failure->retry_policy, &policy);
	else
		ff_policy_retry(core->policy, &policy);
	if (!failure->may_be_retried ||
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

static Datum
fail(FfCall *call, const FfFence *fence, const Failure *failure)
{
	FfCore		core;
	FfAttempt	attempt;
	FfInt8		retry_at;
	FfMove		move = {.now_ms = call->now_ms,.revoked_by = ff_work_ended_by(fence)};

	ff_fence_enter(fence, &core, &attempt);
	if (attempt.outcome == FF_RETRY && !fence->override)
		return retry_scheduled(call, &core, attempt.attempt_index + 1,
							   ff_json_maybe_int8(ff_json_root(attempt.raw_fields), "retry_at_ms"),
							   true);
	if (attempt.outcome == FF_FAILED && !fence->override)
		return failed(call, &core, true);
	ff_fence_check_current(fence, &core, &attempt, call->now_ms);

	retry_at = retry_after(failure, &core);
	note_failure(failure, &core, &attempt);
	ff_work_note_source(fence, &attempt);
	if (!retry_at.isset)
	{
		ff_transition(FF_T12_FAIL, &core, &attempt, &move);
		return failed(call, &core, false);
	}
	retry_at.value = ff_after_ms(call->now_ms, retry_at.value);
	if (retry_at.value > call->now_ms)
		move.eligible_at_ms = retry_at;
	ff_json_int8(ff_attempt_patch(&attempt), "retry_at_ms", retry_at.value);
	ff_transition(FF_T11_RETRY, &core, &attempt, &move);
	return retry_scheduled(call, &core, core.attempt_index, retry_at, false);
}

PG_FUNCTION_INFO_V1(ff_fail);

Datum
ff_fail(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfFence		fence;
	Failure		failure;

	read_failure(fcinfo, &failure);
	ff_fence_from_handle(ff_arg_bytea(fcinfo, 0, "handle"), &fence);
	ff_call_begin(&call, fcinfo);
	return fail(&call, &fence, &failure);
}

PG_FUNCTION_INFO_V1(ff_fail_execution);

Datum
ff_fail_execution(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfFence		fence;
	Failure		failure;
	char	   *source = read_source(fcinfo, 10);

	read_failure(fcinfo, &failure);
	failure.retry_policy = ff_arg_jsonb_or_null(fcinfo, 5, "retry_policy");
	ff_policy_check_retry(failure.retry_policy);
	ff_call_begin(&call, fcinfo);
	read_triple(fcinfo, 6, source, &fence);
	return fail(&call, &fence, &failure);
}
