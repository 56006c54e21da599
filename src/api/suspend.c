/*
 * suspend.c - giving up a lease to wait for signals (specification chapter 03,
 * section 4).
 */
#include "base/compat.h"

#include "base/argument.h"
#include "base/call.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/setting.h"
#include "engine/binding.h"
#include "engine/evaluation.h"
#include "engine/fence.h"
#include "engine/policy.h"
#include "engine/replay.h"
#include "engine/suspension.h"
#include "engine/transition.h"
#include "engine/waitpoint.h"

/* A timeout_at this far in the past, in milliseconds, is a mistake; a lesser lag is clock skew. */
#define MAX_TIMEOUT_LAG_MS 600000

/* How long a suspend can be sent again after its timeout, in milliseconds. */
#define REPLAY_MARGIN_MS 60000

static const char *const reason_codes[] = {
	"waiting_for_signal", "waiting_for_approval", "waiting_for_callback",
	"waiting_for_tool_result", "waiting_for_operator_review", "paused_by_policy",
	"paused_by_budget", "step_boundary", "manual_pause"
};

/* The blocking reason of each. */
static const FfBlockingReason blocking_reasons[lengthof(reason_codes)] = {
	FF_WAITING_FOR_SIGNAL, FF_WAITING_FOR_APPROVAL, FF_WAITING_FOR_CALLBACK,
	FF_WAITING_FOR_TOOL_RESULT, FF_WAITING_FOR_OPERATOR_REVIEW, FF_PAUSED_BY_POLICY,
	FF_WAITING_FOR_BUDGET, FF_WAITING_FOR_SIGNAL, FF_PAUSED_BY_OPERATOR
};

static const char *const requesters[] = {
	"worker", "operator", "policy", "system_timeout_policy"
};

static const char *const timeout_behaviors[] = {
	"fail", "cancel", "expire", "auto_resume_with_timeout_signal", "escalate"
};

/* One suspend: what is asked for, what was found, what comes of it. */
typedef struct Suspend
{
	/* the arguments */
	FfWaitTerms *wait;
	Jsonb	   *condition;
	Jsonb	   *resume_policy;
	const char *reason_code;
	FfBlockingReason blocking_reason;
	FfInt8		timeout_at_ms;
	const char *timeout_behavior;
	const char *requested_by;
	const char *continuation_metadata_pointer;
	const pg_uuid_t *suspension_id; /* NULL: minted */
	const char *idempotency_key;	/* NULL: none */
	bool		strict;
	FfHandle	handle;			/* or the triple, as far as it goes */
	bool		by_triple;

	/* the rows */
	FfCore		core;
	FfAttempt	attempt;

	/* the suspension */
	int64		now_ms;
	FfSuspension suspension;
	FfSuspensionTerms terms;
	FfWaitpoint *waitpoints;	/* one per binding */
	FfEvaluation evaluation;
	FfBuffer	buffer;
} Suspend;

/* Check 9. */
static void
check_words(Suspend *s)
{
	s->blocking_reason = blocking_reasons[ff_check_one_of(s->reason_code, "reason_code",
														  reason_codes, lengthof(reason_codes))];
	(void) ff_check_one_of(s->requested_by, "requested_by", requesters, lengthof(requesters));
	if (s->timeout_behavior)
		(void) ff_check_one_of(s->timeout_behavior, "timeout_behavior", timeout_behaviors,
							   lengthof(timeout_behaviors));
	if (s->continuation_metadata_pointer)
		ff_check_length(s->continuation_metadata_pointer, "continuation_metadata_pointer", 0, 4096);
	if (s->idempotency_key)
		ff_check_length(s->idempotency_key, "idempotency_key", 0, 512);
}

/* Checks 7 and 8. */
static void
check_deadline(const Suspend *s)
{
	if (!s->timeout_at_ms.isset && ff_condition_has_timeout_only(s->wait->condition))
		ff_raise_rule(FF_INVALID_INPUT, "timeout_only_without_deadline",
					  "the condition waits for a timeout, but there is none",
					  "timeout_at is null");
	if (s->timeout_at_ms.isset && s->timeout_at_ms.value < s->now_ms - MAX_TIMEOUT_LAG_MS)
		ff_raise_rule(FF_INVALID_INPUT, "timeout_at_in_past", "timeout_at is in the past",
					  "timeout_at_ms=" INT64_FORMAT " now_ms=" INT64_FORMAT,
					  s->timeout_at_ms.value, s->now_ms);
}

/* The arguments that both forms have, from number n on; checks 1 to 9. */
static void
read_arguments(FunctionCallInfo fcinfo, int n, Suspend *s)
{
	if (PG_ARGISNULL(n))
		ff_raise_null("resume_condition");
	s->condition = PG_GETARG_JSONB_P(n);
	s->resume_policy = ff_arg_jsonb_or_null(fcinfo, n + 5, "resume_policy");
	s->wait = ff_wait_terms_parse(s->condition, ff_arg_jsonb_or_null(fcinfo, n + 1, "waitpoints"),
							s->resume_policy);
	s->reason_code = ff_arg_text_or(fcinfo, n + 2, "waiting_for_signal");
	s->timeout_at_ms = ff_arg_maybe_instant(fcinfo, n + 3, "timeout_at");
	s->timeout_behavior = ff_arg_text_or(fcinfo, n + 4, NULL);
	s->requested_by = ff_arg_text_or(fcinfo, n + 6, "worker");
	s->continuation_metadata_pointer = ff_arg_text_or(fcinfo, n + 7, NULL);
	s->suspension_id = ff_arg_uuid_or_null(fcinfo, n + 8);
	s->idempotency_key = ff_arg_text_or(fcinfo, n + 9, NULL);
	s->strict = ff_arg_bool_or(fcinfo, n + 10, false);
	check_deadline(s);
	check_words(s);
	if (s->idempotency_key && s->idempotency_key[0] == '\0')
		s->idempotency_key = NULL;
}

/* Step 13; of a triple the attempt is the current one, and its rows say the rest. */
static void
lock_attempt(Suspend *s)
{
	if (s->by_triple)
		s->handle.attempt_index = s->core.attempt_index;
	if (!ff_attempt_lock(&s->attempt, &s->core, s->handle.attempt_index))
		ff_raise(FF_NOT_FOUND,
				 errmsg("attempt %d of execution %s does not exist", s->handle.attempt_index,
						ff_execution_id_text(&s->core.id)));
	if (s->by_triple)
	{
		s->handle.lane_id = s->core.lane_id;
		s->handle.worker_instance_id =
			s->attempt.worker_instance_id ? s->attempt.worker_instance_id : "";
	}
}

/* Checks 14 to 20. */
static void
check_rows(const Suspend *s)
{
	ff_fence_check_lease(&s->handle, &s->core, &s->attempt, FF_LEASE_CONFLICT);
	if (s->by_triple && s->attempt.attempt_id &&
		memcmp(s->attempt.attempt_id, &s->handle.attempt_id, UUID_LEN) != 0)
		ff_fence_refuse(FF_LEASE_CONFLICT, &s->core, &s->attempt,
						"the attempt id is not the current attempt's",
						"Read the execution again; this lease is no longer yours.");
	ff_suspension_check_live(&s->handle, &s->core, &s->attempt, FF_INVALID_LEASE_FOR_SUSPEND,
							 FF_ALREADY_SUSPENDED, s->now_ms);
	ff_suspension_check_new(&s->core, s->suspension_id, &s->wait->bindings);
}

/* Check 21, of one pending waitpoint. */
static void
check_pending(const Suspend *s, const FfWaitpoint *waitpoint)
{
	const char *id = ff_uuid_text(&waitpoint->id);

	if (waitpoint->attempt_index.isset &&
		waitpoint->attempt_index.value != s->handle.attempt_index)
		ff_raise(FF_INVALID_WAITPOINT_FOR_EXECUTION,
				 errmsg("waitpoint %s is of attempt %d", id,
						(int) waitpoint->attempt_index.value));
	if (waitpoint->state != FF_PENDING_WAITPOINT)
		ff_raise(FF_WAITPOINT_NOT_PENDING, errmsg("waitpoint %s is not pending", id));
	if (waitpoint->expires_at_ms.isset && waitpoint->expires_at_ms.value <= s->now_ms)
		ff_waitpoint_refuse_expired(&waitpoint->id);
	if (waitpoint->token[0] == '\0')
		ff_raise(FF_WAITPOINT_NOT_TOKEN_BOUND, errmsg("waitpoint %s has no token", id));
}

/* Check 21: take over the pending waitpoints; after it every binding's key is known. */
static void
bind_pending(Suspend *s)
{
	FfBindings *bindings = &s->wait->bindings;
	pg_uuid_t  *ids = palloc(bindings->count * sizeof(pg_uuid_t));
	FfWaitpoint *found = palloc0(bindings->count * sizeof(FfWaitpoint));
	int			n = 0;

	for (int i = 0; i < bindings->count; i++)
		if (!bindings->items[i].fresh)
			ids[n++] = bindings->items[i].waitpoint_id;
	ff_waitpoint_lock_many(&s->core, ids, n, found);
	for (int i = 0; i < bindings->count; i++)
		if (!bindings->items[i].fresh)
		{
			check_pending(s, found);
			s->waitpoints[i] = *found;
			bindings->items[i].waitpoint_key = (char *) found++->key;
		}
	ff_bindings_check_keys(bindings, s->wait->condition);
}

/* Checks 21 and 22: the waitpoints of all bindings, with their tokens. */
static void
bind_waitpoints(Suspend *s)
{
	const FfBindings *bindings = &s->wait->bindings;
	pg_uuid_t  *ids = palloc(bindings->count * sizeof(pg_uuid_t));

	s->waitpoints = palloc0(bindings->count * sizeof(FfWaitpoint));
	if (!bindings->all_fresh)
		bind_pending(s);
	for (int i = 0; i < bindings->count; i++)
	{
		FfWaitpoint *waitpoint = &s->waitpoints[i];

		if (bindings->items[i].fresh)
		{
			waitpoint->id = bindings->items[i].waitpoint_id;
			waitpoint->key = bindings->items[i].waitpoint_key;
			ff_waitpoint_sign(&s->core, waitpoint);
		}
		ids[i] = waitpoint->id;
	}
	s->suspension.waitpoint_ids = ff_uuid_array(ids, bindings->count);
}

/* What the row of the suspension will hold; the timeout may be the execution policy's. */
static void
set_terms(Suspend *s)
{
	Jsonb	   *policy = s->core.policy;
	FfInt8		default_timeout = ff_policy_suspension_timeout_ms(policy);

	if (s->suspension_id)
		s->suspension.id = *s->suspension_id;
	else
		ff_uuid_mint(&s->suspension.id);
	s->suspension.condition = s->condition;
	s->suspension.resume_policy = s->resume_policy;
	s->suspension.timeout_at_ms = s->timeout_at_ms;
	if (!s->timeout_at_ms.isset && default_timeout.isset)
		s->suspension.timeout_at_ms = ff_some(ff_after_ms(s->now_ms,
														  Max(0, default_timeout.value)));
	s->suspension.timeout_behavior = s->timeout_behavior;
	if (s->suspension.timeout_behavior == NULL)
		s->suspension.timeout_behavior = ff_policy_suspension_behavior(policy);
	if (s->suspension.timeout_behavior == NULL)
		s->suspension.timeout_behavior = "fail";
	s->terms = (FfSuspensionTerms) {
		.reason_code = s->reason_code,
		.requested_by = s->requested_by,
		.continuation_metadata_pointer = s->continuation_metadata_pointer,
		.attempt_index = s->attempt.attempt_index,
		.lease_epoch = s->attempt.lease_epoch,
		.now_ms = s->now_ms,
	};
}

/* Effect, step 2: the condition as the buffered signals leave it. */
static void
evaluate_buffered(Suspend *s)
{
	const FfBindings *bindings = &s->wait->bindings;

	s->evaluation = ff_evaluation_begin(&s->core, &s->suspension.id, s->wait->condition,
										NULL, NULL);
	if (!bindings->all_fresh)
		s->buffer = ff_buffer_evaluate(&s->evaluation, s->waitpoints, bindings->count);
	s->suspension.satisfied_set = ff_condition_satisfied_set(s->evaluation.state);
	s->suspension.member_map = ff_condition_member_map(s->evaluation.state);
}

/* Effect, step 1: all waitpoints become active; and what came of their signals. */
static void
store_waitpoints(Suspend *s)
{
	const FfBindings *bindings = &s->wait->bindings;
	FfWaitpoint *fresh = palloc(bindings->count * sizeof(FfWaitpoint));
	ArrayType **names = palloc(bindings->count * sizeof(ArrayType *));
	int			nfresh = 0;
	FfWaitpointTerms terms = {
		.suspension_id = &s->suspension.id,
		.attempt_index = s->attempt.attempt_index,
		.expires_at_ms = s->suspension.timeout_at_ms,
		.now_ms = s->now_ms,
	};

	for (int i = 0; i < bindings->count; i++)
	{
		FfWaitpoint *waitpoint = &s->waitpoints[i];
		ArrayType  *required = ff_condition_required_names(s->wait->condition, waitpoint->key);

		if (bindings->items[i].fresh)
		{
			fresh[nfresh] = *waitpoint;
			names[nfresh++] = required;
		}
		else
			ff_waitpoint_activate(&s->core, waitpoint, required,
								  ff_buffer_counted(&s->buffer, &waitpoint->id), &terms);
	}
	if (nfresh > 0)
		ff_waitpoint_insert(&s->core, fresh, nfresh, names, &terms);
	ff_buffer_store(&s->buffer, &s->evaluation);
}

/* The suspended handle has the fence that the lease had, so it can never pass one again. */
static bytea *
suspended_handle(const Suspend *s)
{
	FfHandle	handle = s->handle;

	handle.kind = FF_HANDLE_SUSPENDED;
	handle.backend = FF_HANDLE_BACKEND;
	return ff_handle_encode(&handle);
}

/* Effect, step 3: there is nothing to wait for. The execution stays as it is. */
static void
note_satisfied(Suspend *s, FfSuspendOutcome *outcome)
{
	if (s->strict)
		ff_raise(FF_ALREADY_SATISFIED,
				 errmsg("execution %s: the condition is met by signals that came before",
						ff_execution_id_text(&s->core.id)));
	ff_suspension_insert_satisfied(&s->core, &s->suspension, &s->terms, s->buffer.closer);
	store_waitpoints(s);
	ff_suspension_release_waitpoints(&s->core, &s->suspension, "already_satisfied", s->now_ms);
	ff_evaluation_forget(&s->evaluation);
	outcome->outcome = "already_satisfied";
}

/* Effect, step 4: the lease is given up. */
static void
enter_suspension(Suspend *s, FfSuspendOutcome *outcome)
{
	FfMove		move = {
		.now_ms = s->now_ms,
		.reason = s->blocking_reason,
		.revoked_by = "worker",
	};

	ff_suspension_insert(&s->core, &s->suspension, &s->terms);
	store_waitpoints(s);
	ff_transition(FF_T15_SUSPEND, &s->core, &s->attempt, &move);
	outcome->outcome = "suspended";
	outcome->handle = suspended_handle(s);
}

/* Until a little after the timeout, within bounds. */
static void
keep_for_replay(const Suspend *s, const FfSuspendOutcome *outcome)
{
	int64		window_ms = (int64) ff_suspend_dedup_max_s * 1000;

	if (s->suspension.timeout_at_ms.isset)
		window_ms = Min(window_ms, REPLAY_MARGIN_MS +
						Max(0, s->suspension.timeout_at_ms.value - s->now_ms));
	ff_replay_store(&s->core, s->idempotency_key, outcome, ff_after_ms(s->now_ms, window_ms),
					s->now_ms);
}

static void
push_text(JsonbParseState **stack, const char *key, const char *value)
{
	JsonbValue	name = {.type = jbvString,.val.string = {strlen(key), (char *) key}};
	JsonbValue	text = {.type = jbvString,.val.string = {strlen(value), (char *) value}};

	(void) pushJsonbValue(stack, WJB_KEY, &name);
	(void) pushJsonbValue(stack, WJB_VALUE, &text);
}

/* The waitpoints after the first. */
static Jsonb *
additional_waitpoints(const FfSuspendOutcome *outcome)
{
	JsonbParseState *stack = NULL;

	(void) pushJsonbValue(&stack, WJB_BEGIN_ARRAY, NULL);
	for (int i = 1; i < outcome->nwaitpoints; i++)
	{
		const FfWaitpoint *waitpoint = &outcome->waitpoints[i];

		(void) pushJsonbValue(&stack, WJB_BEGIN_OBJECT, NULL);
		push_text(&stack, "waitpoint_id", ff_uuid_text(&waitpoint->id));
		push_text(&stack, "waitpoint_key", waitpoint->key);
		push_text(&stack, "waitpoint_token", waitpoint->token);
		(void) pushJsonbValue(&stack, WJB_END_OBJECT, NULL);
	}
	return JsonbValueToJsonb(pushJsonbValue(&stack, WJB_END_ARRAY, NULL));
}

static Datum
finish(FfCall *call, const FfSuspendOutcome *outcome)
{
	const FfWaitpoint *first = &outcome->waitpoints[0];

	ff_call_row(call, ff_text(outcome->outcome), ff_uuid(&outcome->suspension_id),
				ff_uuid(&first->id), ff_text(first->key), ff_text(first->token),
				ff_pointer(additional_waitpoints(outcome)), ff_pointer(outcome->handle),
				ff_bool(outcome->replayed));
	return ff_call_end(call);
}

static Datum
suspend(FfCall *call, Suspend *s)
{
	FfSuspendOutcome outcome = {0};

	ff_core_lock(&s->core, &s->handle.execution);
	if (s->idempotency_key &&
		ff_replay_find(&s->core, s->idempotency_key, s->now_ms, &outcome))
		return finish(call, &outcome);
	lock_attempt(s);
	check_rows(s);
	bind_waitpoints(s);
	set_terms(s);
	evaluate_buffered(s);

	outcome = (FfSuspendOutcome) {
		.suspension_id = s->suspension.id,
		.waitpoints = s->waitpoints,
		.nwaitpoints = s->wait->bindings.count,
	};
	if (ff_condition_is_satisfied(s->evaluation.state))
		note_satisfied(s, &outcome);
	else
		enter_suspension(s, &outcome);
	if (s->idempotency_key)
		keep_for_replay(s, &outcome);
	return finish(call, &outcome);
}

PG_FUNCTION_INFO_V1(ff_suspend);

Datum
ff_suspend(PG_FUNCTION_ARGS)
{
	FfCall		call;
	Suspend		s = {0};
	bytea	   *handle = ff_arg_bytea(fcinfo, 0, "handle");

	ff_call_begin(&call, fcinfo);
	s.now_ms = call.now_ms;
	read_arguments(fcinfo, 1, &s);
	ff_fence_handle(handle, &s.handle, FF_ALREADY_SUSPENDED);
	return suspend(&call, &s);
}

PG_FUNCTION_INFO_V1(ff_suspend_by_triple);

Datum
ff_suspend_by_triple(PG_FUNCTION_ARGS)
{
	FfCall		call;
	Suspend		s = {.by_triple = true};

	ff_execution_id_parse(ff_arg_text(fcinfo, 0, "execution_id"), &s.handle.execution);
	s.handle.lease_id = *ff_arg_uuid(fcinfo, 1, "lease_id");
	if (PG_ARGISNULL(2))
		ff_raise_null("lease_epoch");
	s.handle.lease_epoch = PG_GETARG_INT64(2);
	s.handle.attempt_id = *ff_arg_uuid(fcinfo, 3, "attempt_id");

	ff_call_begin(&call, fcinfo);
	s.now_ms = call.now_ms;
	read_arguments(fcinfo, 4, &s);
	return suspend(&call, &s);
}
