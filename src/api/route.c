/*
 * route.c - routing blocks (specification chapter 04, section 3.6).
 */
#include "base/compat.h"

#include "base/argument.h"
#include "base/call.h"
#include "base/error.h"
#include "engine/blocking.h"

#define MAX_DETAIL 1024

PG_FUNCTION_INFO_V1(ff_block_route);

Datum
ff_block_route(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfExecutionId id;
	FfCore		core;
	FfBlockingReason reason;
	const char *rejected_by;
	char	   *detail = ff_arg_text_or(fcinfo, 2, NULL);

	ff_execution_id_parse(ff_arg_text(fcinfo, 0, "execution_id"), &id);
	if (detail)
		ff_check_length(detail, "reason_detail", 0, MAX_DETAIL);
	reason = ff_blocking_reason_find(ff_arg_text_or(fcinfo, 1, "waiting_for_capable_worker"));

	ff_call_begin(&call, fcinfo);
	ff_core_lock(&core, &id);
	rejected_by = ff_blocking_block(&core, reason, detail, NULL, call.now_ms);
	ff_call_row(&call, ff_text(rejected_by ? "rejected" : "blocked"),
				ff_text(ff_execution_id_text(&id)), ff_text(rejected_by ? rejected_by : detail));
	return ff_call_end(&call);
}

PG_FUNCTION_INFO_V1(ff_unblock_execution);

Datum
ff_unblock_execution(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfExecutionId id;
	FfCore		core;
	char	   *expected = ff_arg_text_or(fcinfo, 1, NULL);
	const char *reason;

	ff_execution_id_parse(ff_arg_text(fcinfo, 0, "execution_id"), &id);
	ff_call_begin(&call, fcinfo);
	ff_core_lock(&core, &id);
	reason = ff_enum_label(&ff_blocking_reasons, core.blocking_reason);
	if (!ff_blocking_is_blocked(&core) || (expected && strcmp(expected, reason) != 0))
		ff_raise(FF_EXECUTION_NOT_ELIGIBLE,
				 errmsg("execution %s is not blocked for %s", ff_execution_id_text(&id),
						expected ? "the expected reason" : "a reason that can be lifted"),
				 errdetail("lifecycle_phase %s, eligibility_state %s, blocking_reason %s",
						   ff_enum_label(&ff_phases, core.phase),
						   ff_enum_label(&ff_eligibilities, core.eligibility), reason));
	ff_blocking_unblock(&core, call.now_ms);
	ff_call_row(&call, ff_text("unblocked"), ff_text(ff_execution_id_text(&id)),
				ff_enum(&ff_public_states, core.public_state));
	return ff_call_end(&call);
}
