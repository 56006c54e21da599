/*
 * cancel.c - a worker cancels its own execution (specification chapter 04,
 * section 4.6).
 */
#include "base/compat.h"

#include "base/argument.h"
#include "base/call.h"
#include "base/error.h"
#include "engine/fence.h"
#include "engine/transition.h"
#include "engine/vector.h"

/*
 * Whoever holds the attempt's last lease may cancel, live or not; an execution
 * that was never claimed has nothing to fence.
 */
static void
check_holder(const FfHandle *handle, const FfCore *core, const FfAttempt *attempt)
{
	if (attempt == NULL && core->phase == FF_ACTIVE)
		ff_raise(FF_NOT_FOUND, errmsg("attempt %d of execution %s does not exist",
									  core->attempt_index, ff_execution_id_text(&core->id)));
	if (attempt == NULL && core->attempt_index == 0)
		return;
	if (attempt == NULL)
		ff_fence_refuse(FF_LEASE_CONFLICT, core, NULL, "the attempt is over",
						"Read the execution again; this lease is no longer yours.");
	ff_fence_check_lease(handle, core, attempt, FF_LEASE_CONFLICT);
	ff_fence_check_index(handle, core, attempt, FF_LEASE_CONFLICT);
}

static Datum
cancelled(FfCall *call, const FfCore *core, bool replayed)
{
	ff_call_row(call, ff_text("cancelled"), ff_text(ff_execution_id_text(&core->id)),
				ff_enum(&ff_public_states, core->public_state), ff_bool(replayed));
	return ff_call_end(call);
}

PG_FUNCTION_INFO_V1(ff_cancel);

Datum
ff_cancel(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfHandle	handle;
	FfCore		core;
	FfAttempt	row;
	FfAttempt  *attempt;
	char	   *reason = ff_arg_text_or(fcinfo, 1, "");
	FfMove		move = {.revoked_by = "worker"};

	ff_check_length(reason, "reason", 0, 1024);
	ff_fence_handle(ff_arg_bytea(fcinfo, 0, "handle"), &handle, FF_LEASE_CONFLICT);

	ff_call_begin(&call, fcinfo);
	move.now_ms = call.now_ms;
	ff_core_lock(&core, &handle.execution);
	if (core.public_state == FF_PUBLIC_CANCELLED)
		return cancelled(&call, &core, true);
	attempt = ff_attempt_lock(&row, &core, core.attempt_index) ? &row : NULL;
	if (ff_core_has_ended(&core))
		ff_fence_refuse(FF_EXECUTION_NOT_ACTIVE, &core, attempt, "it has ended",
						"There is nothing left to cancel.");
	check_holder(&handle, &core, attempt);

	core.cancellation_reason = reason;
	core.cancelled_by = "lease_holder";
	ff_transition(core.phase == FF_ACTIVE ? FF_T26_CANCEL_OWNED : FF_T25_CANCEL, &core, attempt,
				  &move);
	return cancelled(&call, &core, false);
}
