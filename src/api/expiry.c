/*
 * expiry.c - hooks: what the reconcilers do for many, for one execution
 * (specification chapter 04, section 6.2).
 */
#include "base/compat.h"

#include "base/argument.h"
#include "base/call.h"
#include "base/error.h"
#include "engine/expiry.h"

static void
read_id(FunctionCallInfo fcinfo, FfExecutionId *id)
{
	ff_execution_id_parse(ff_arg_text(fcinfo, 0, "execution_id"), id);
}

PG_FUNCTION_INFO_V1(ff_mark_lease_expired_if_due);

Datum
ff_mark_lease_expired_if_due(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfExecutionId id;
	FfCore		core;
	const char *outcome = "already_satisfied";
	const char *detail = "execution_not_found";

	read_id(fcinfo, &id);
	ff_call_begin(&call, fcinfo);
	if (ff_core_try(&core, &id))
		(void) ff_expiry_lease(&core, call.now_ms, &outcome, &detail);
	ff_call_row(&call, ff_text(outcome), ff_text(detail));
	return ff_call_end(&call);
}

typedef const char *(*Expiry) (FfCore *core, int64 now_ms);

/* What it says, and the public state that the execution has then, if it is there. */
static Datum
answer(FfCall *call, const FfExecutionId *id, Expiry expire)
{
	FfCore		core;
	const char *outcome;

	if (!ff_core_try(&core, id))
		ff_call_row(call, ff_text("not_found"), ff_null());
	else
	{
		outcome = expire(&core, call->now_ms);
		ff_call_row(call, ff_text(outcome), ff_enum(&ff_public_states, core.public_state));
	}
	return ff_call_end(call);
}

PG_FUNCTION_INFO_V1(ff_promote_delayed);

Datum
ff_promote_delayed(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfExecutionId id;

	read_id(fcinfo, &id);
	ff_call_begin(&call, fcinfo);
	return answer(&call, &id, ff_expiry_promote);
}

PG_FUNCTION_INFO_V1(ff_expire_execution);

Datum
ff_expire_execution(PG_FUNCTION_ARGS)
{
	static const char *const phases[] = {"attempt_timeout", "execution_deadline"};
	FfCall		call;
	FfExecutionId id;
	int			phase;

	read_id(fcinfo, &id);
	phase = ff_check_one_of(ff_arg_text(fcinfo, 1, "phase"), "phase", phases, lengthof(phases));
	ff_call_begin(&call, fcinfo);
	return answer(&call, &id, phase == 0 ? ff_expiry_attempt : ff_expiry_deadline);
}
