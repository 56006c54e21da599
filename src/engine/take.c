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

/* What kind of claim the row found makes it. */
typedef struct Kind
{
	const char *name;
	FfTransition transition;
	FfHandleKind handle;
} Kind;

static const Kind fresh = {"fresh", FF_T02_CLAIM, FF_HANDLE_FRESH};
static const Kind retry = {"retry", FF_T02_CLAIM, FF_HANDLE_FRESH};
static const Kind replay = {"replay", FF_T02_CLAIM, FF_HANDLE_FRESH};
static const Kind resumed = {"resumed", FF_T19_CLAIM_RESUMED, FF_HANDLE_RESUMED};
static const Kind continued = {"resumed", FF_T03_CONTINUE, FF_HANDLE_RESUMED};
static const Kind reclaimed = {"reclaimed", FF_T04_TAKE_OVER, FF_HANDLE_RECLAIMED};

void
ff_taker_check(const FfTaker *taker)
{
	ff_check_word(taker->worker_id, "worker_id", 1, 256);
	ff_check_word(taker->worker_instance_id, "worker_instance_id", 1, 256);
	ff_check_range(taker->lease_ttl_ms, "lease_ttl_ms", 1, ff_max_lease_ttl_ms);
}

/* Reads the attempt where the kind depends on it. */
static const Kind *
kind_of_claim(FfCore *core, FfAttempt *attempt)
{
	if (core->attempt_state == FF_PENDING_RETRY)
		return &retry;
	if (core->attempt_state == FF_PENDING_REPLAY)
		return &replay;
	if (core->attempt_state != FF_INTERRUPTED_ATTEMPT ||
		!ff_attempt_lock(attempt, core, core->attempt_index))
		return &fresh;
	switch (attempt->outcome)
	{
		case FF_LEASE_LOST:
			return &reclaimed;
		case FF_ATTEMPT_INTERRUPTED:
			return &resumed;
		case FF_INTERRUPTED:
		case FF_WAITING_CHILDREN:
			return &continued;
		default:
			return &fresh;
	}
}

/* What an attempt may still take: of a paused one what it had left, else the policy's. */
static FfInt8
attempt_timeout(const Kind *kind, const FfCore *core, const FfAttempt *attempt,
				const FfTaker *taker)
{
	FfInt8		left = attempt->timeout_left_ms;

	if (kind->handle != FF_HANDLE_RESUMED)
		return ff_policy_attempt_timeout_ms(core->policy);
	if (taker->attempt_timeout_ms.isset)
		left = taker->attempt_timeout_ms;
	return left.isset && left.value > 0 ? left : ff_none();
}

static bytea *
handle_of(const Kind *kind, const FfCore *core, const FfAttempt *attempt, const FfTaker *taker)
{
	FfHandle	handle = {
		.kind = kind->handle,
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

void
ff_take(FfCandidate *candidate, const FfTaker *taker, FfCall *call)
{
	FfCore	   *core = &candidate->core;
	FfAttempt	attempt = {0};
	const Kind *kind = kind_of_claim(core, &attempt);
	FfMove		move = {
		.now_ms = call->now_ms,
		.worker_id = taker->worker_id,
		.worker_instance_id = taker->worker_instance_id,
		.lease_id = taker->lease_id,
		.lease_ttl_ms = taker->lease_ttl_ms,
		.attempt_timeout_ms = attempt_timeout(kind, core, &attempt, taker),
	};

	ff_transition(kind->transition, core, &attempt, &move);
	ff_call_row(call,
				ff_text(ff_execution_id_text(&core->id)),
				ff_pointer(handle_of(kind, core, &attempt, taker)),
				ff_text(kind->name),
				ff_int4(attempt.attempt_index),
				ff_uuid(attempt.attempt_id),
				ff_uuid(attempt.lease_id),
				ff_int8(attempt.lease_epoch),
				ff_maybe_instant(attempt.lease_expires_at_ms),
				ff_text(core->lane_id),
				ff_uuid(core->flow_id),
				ff_text(ff_core_field(core, "execution_kind")),
				ff_pointer(candidate->payload),
				ff_text(ff_core_field(core, "payload_encoding")),
				ff_pointer(ff_json_get_object(core->raw_fields, "tags")),
				ff_int4(core->priority),
				ff_maybe_instant(attempt.timeout_at_ms),
				ff_maybe_instant(core->deadline_at_ms),
				ff_instant(core->created_at_ms));
}
