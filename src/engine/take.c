/*
 * take.c - a claim of a locked execution.
 */
#include "engine/take.h"

#include "base/argument.h"
#include "base/clock.h"
#include "base/setting.h"
#include "engine/handle.h"
#include "engine/policy.h"
#include "engine/transition.h"

/* What each kind of claim is called and does. */
typedef struct Kind
{
	const char *name;
	FfTransition transition;
	FfHandleKind handle;
} Kind;

static const Kind kinds[] = {
	[FF_TAKE_FRESH] = {"fresh", FF_T02_CLAIM, FF_HANDLE_FRESH},
	[FF_TAKE_RETRY] = {"retry", FF_T02_CLAIM, FF_HANDLE_FRESH},
	[FF_TAKE_REPLAY] = {"replay", FF_T02_CLAIM, FF_HANDLE_FRESH},
	[FF_TAKE_RESUMED] = {"resumed", FF_T19_CLAIM_RESUMED, FF_HANDLE_RESUMED},
	[FF_TAKE_CONTINUED] = {"resumed", FF_T03_CONTINUE, FF_HANDLE_RESUMED},
	[FF_TAKE_REQUEUED] = {"reclaimed", FF_T04_TAKE_OVER, FF_HANDLE_RECLAIMED},
	[FF_TAKE_RECLAIMED] = {"reclaimed", FF_T23_RECLAIM, FF_HANDLE_RECLAIMED},
	[FF_TAKE_BACK] = {"resumed", FF_T43_TAKE_BACK, FF_HANDLE_RESUMED},
};

void
ff_taker_check(const FfTaker *taker)
{
	ff_check_word(taker->worker_id, "worker_id", 1, 256);
	ff_check_word(taker->worker_instance_id, "worker_instance_id", 1, 256);
	ff_check_range(taker->lease_ttl_ms, "lease_ttl_ms", 1, ff_max_lease_ttl_ms);
}

/* Reads the attempt where the kind depends on it. */
static FfTakeKind
kind_of_claim(FfCore *core, FfAttempt *attempt)
{
	if (core->attempt_state == FF_PENDING_RETRY)
		return FF_TAKE_RETRY;
	if (core->attempt_state == FF_PENDING_REPLAY)
		return FF_TAKE_REPLAY;
	if (core->attempt_state != FF_INTERRUPTED_ATTEMPT ||
		!ff_attempt_lock(attempt, core, core->attempt_index))
		return FF_TAKE_FRESH;
	switch (attempt->outcome)
	{
		case FF_LEASE_LOST:
			return FF_TAKE_REQUEUED;
		case FF_ATTEMPT_INTERRUPTED:
			return FF_TAKE_RESUMED;
		case FF_INTERRUPTED:
		case FF_WAITING_CHILDREN:
			return FF_TAKE_CONTINUED;
		default:
			return FF_TAKE_FRESH;
	}
}

void
ff_take_find(FfCore *core, FfTake *take)
{
	memset(&take->attempt, 0, sizeof(FfAttempt));
	take->kind = kind_of_claim(core, &take->attempt);
}

bool
ff_take_is_paused(const FfTake *take)
{
	return take->kind == FF_TAKE_RESUMED || take->kind == FF_TAKE_CONTINUED;
}

int32
ff_take_attempt_index(const FfCore *core, const FfTake *take)
{
	return core->attempt_index + (kinds[take->kind].handle == FF_HANDLE_RECLAIMED);
}

/* What the attempt may still take: of one that goes on what it had left, else the policy's. */
static FfInt8
attempt_timeout(const FfCore *core, const FfTake *take, const FfTaker *taker)
{
	FfInt8		timeout = kinds[take->kind].handle == FF_HANDLE_RESUMED
		? take->attempt.timeout_left_ms : ff_policy_attempt_timeout_ms(core->policy);

	if (taker->attempt_timeout_ms.isset)
		timeout = taker->attempt_timeout_ms;
	return timeout.isset && timeout.value > 0 ? timeout : ff_none();
}

/* The part of a policy that the taker overrides, in the policy's own shape; NULL: none. */
static Jsonb *
attempt_policy(const FfTaker *taker)
{
	FfJsonObject *timeouts;
	FfJsonObject *policy;

	if (!taker->overrides_policy || !taker->attempt_timeout_ms.isset)
		return NULL;
	timeouts = ff_json_begin();
	ff_json_int8(timeouts, "attempt_timeout_ms", taker->attempt_timeout_ms.value);
	policy = ff_json_begin();
	ff_json_jsonb(policy, "timeout_policy", ff_json_end(timeouts));
	return ff_json_end(policy);
}

static bytea *
handle_of(FfHandleKind kind, const FfCore *core, const FfAttempt *attempt, const FfTaker *taker)
{
	FfHandle	handle = {
		.kind = kind,
		.backend = FF_HANDLE_BACKEND,
		.execution = core->id,
		.attempt_index = attempt->attempt_index,
		.attempt_id = *attempt->attempt_id,
		.lease_id = *attempt->lease_id,
		.lease_epoch = attempt->lease_epoch,
		.lease_ttl_ms = taker->lease_ttl_ms,
		.lane_id = core->lane_id,
		.worker_instance_id = taker->worker_instance_id,
	};

	return ff_handle_encode(&handle);
}

bytea *
ff_take_make(FfCore *core, FfTake *take, const FfTaker *taker, int64 now_ms)
{
	const Kind *kind = &kinds[take->kind];
	FfMove		move = {
		.now_ms = now_ms,
		.worker_id = taker->worker_id,
		.worker_instance_id = taker->worker_instance_id,
		.lease_id = taker->lease_id,
		.attempt_id = taker->attempt_id,
		.lease_ttl_ms = taker->lease_ttl_ms,
		.attempt_timeout_ms = attempt_timeout(core, take, taker),
		.attempt_policy = attempt_policy(taker),
	};

	ff_transition(kind->transition, core, &take->attempt, &move);
	return handle_of(kind->handle, core, &take->attempt, taker);
}

void
ff_take_row(FfCandidate *candidate, FfTake *take, const FfTaker *taker, FfCall *call)
{
	FfCore	   *core = &candidate->core;
	bytea	   *handle = ff_take_make(core, take, taker, call->now_ms);
	const FfAttempt *attempt = &take->attempt;

	ff_call_row(call,
				ff_text(ff_execution_id_text(&core->id)),
				ff_pointer(handle),
				ff_text(kinds[take->kind].name),
				ff_int4(attempt->attempt_index),
				ff_uuid(attempt->attempt_id),
				ff_uuid(attempt->lease_id),
				ff_int8(attempt->lease_epoch),
				ff_maybe_instant(attempt->lease_expires_at_ms),
				ff_text(core->lane_id),
				ff_uuid(core->flow_id),
				ff_text(ff_core_field(core, "execution_kind")),
				ff_pointer(candidate->payload),
				ff_text(ff_core_field(core, "payload_encoding")),
				ff_pointer(ff_json_get_object(core->raw_fields, "tags")),
				ff_int4(core->priority),
				ff_maybe_instant(attempt->timeout_at_ms),
				ff_maybe_instant(core->deadline_at_ms),
				ff_instant(core->created_at_ms));
}

void
ff_take(FfCandidate *candidate, const FfTaker *taker, FfCall *call)
{
	FfTake		take;

	ff_take_find(&candidate->core, &take);
	ff_take_row(candidate, &take, taker, call);
}

void
ff_take_refuse(FfErrorKind kind, const FfCore *core, const char *what)
{
	ff_raise(kind, errmsg("execution %s %s", ff_execution_id_text(&core->id), what),
			 errdetail("phase %s, ownership %s, eligibility %s, public_state %s, attempt_index %d",
					   ff_enum_label(&ff_phases, core->phase),
					   ff_enum_label(&ff_ownerships, core->ownership),
					   ff_enum_label(&ff_eligibilities, core->eligibility),
					   ff_enum_label(&ff_public_states, core->public_state),
					   core->attempt_index));
}

void
ff_take_check_flow(const FfCore *core)
{
	if (ff_flow_withholds(core))
		ff_take_refuse(FF_EXECUTION_NOT_ELIGIBLE, core, "is withheld by its cancelled flow");
}
