/*
 * pause.c - pausing one's attempt: delay, wait for children (specification
 * chapter 04, section 4.5).
 */
#include "base/compat.h"

#include "base/argument.h"
#include "base/call.h"
#include "base/clock.h"
#include "base/error.h"
#include "engine/dependency.h"
#include "engine/fence.h"
#include "engine/transition.h"

PG_FUNCTION_INFO_V1(ff_delay);

Datum
ff_delay(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfFence		fence;
	FfCore		core;
	FfAttempt	attempt;
	FfInt8		until = ff_arg_maybe_instant(fcinfo, 1, "delay_until");
	FfMove		move = {.revoked_by = "worker"};
	bool		replayed;

	if (!until.isset)
		ff_raise_null("delay_until");
	ff_fence_from_handle(ff_arg_bytea(fcinfo, 0, "handle"), &fence);

	ff_call_begin(&call, fcinfo);
	move.now_ms = call.now_ms;
	ff_fence_enter(&fence, &core, &attempt);
	replayed = attempt.outcome == FF_INTERRUPTED &&
		attempt.attempt_index == core.attempt_index && core.eligible_at_ms.isset &&
		core.eligible_at_ms.value == until.value;
	if (!replayed)
	{
		ff_fence_check_current(&fence, &core, &attempt, call.now_ms);
		if (until.value > call.now_ms)
			move.eligible_at_ms = until;
		ff_transition(FF_T13_DELAY, &core, &attempt, &move);
	}
	ff_call_row(&call, ff_text("delayed"), ff_text(ff_execution_id_text(&core.id)),
				ff_enum(&ff_public_states, core.public_state), ff_maybe_instant(core.eligible_at_ms),
				ff_bool(replayed));
	return ff_call_end(&call);
}

PG_FUNCTION_INFO_V1(ff_wait_children);

Datum
ff_wait_children(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfFence		fence;
	FfCore		core;
	FfAttempt	attempt;
	FfMove		move = {.revoked_by = "worker"};
	bool		replayed;

	ff_fence_from_handle(ff_arg_bytea(fcinfo, 0, "handle"), &fence);
	ff_call_begin(&call, fcinfo);
	move.now_ms = call.now_ms;
	ff_fence_enter(&fence, &core, &attempt);
	replayed = attempt.outcome == FF_WAITING_CHILDREN;
	if (!replayed)
	{
		ff_fence_check_current(&fence, &core, &attempt, call.now_ms);
		ff_transition(FF_T14_WAIT_CHILDREN, &core, &attempt, &move);
		if (ff_dependencies_are_met(&core))
			ff_transition(FF_T33_DEPENDENCIES_MET, &core, &attempt, &move);
	}
	ff_call_row(&call, ff_text("waiting"), ff_text(ff_execution_id_text(&core.id)),
				ff_enum(&ff_public_states, core.public_state), ff_bool(replayed));
	return ff_call_end(&call);
}
