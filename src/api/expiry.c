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
	const char *outcome;
	const char *detail;

	read_id(fcinfo, &id);
	ff_call_begin(&call, fcinfo);
	ff_expiry_lease(&id, call.now_ms, &outcome, &detail);
	ff_call_row(&call, ff_text(outcome), ff_text(detail));
	return ff_call_end(&call);
}

/* An outcome and the public state that the execution has now, if it is there. */
static Datum
answer(FfCall *call, const char *outcome, const FfCore *core)
{
	bool		found = strcmp(outcome, "not_found") != 0;

	ff_call_row(call, ff_text(outcome),
				found ? ff_enum(&ff_public_states, core->public_state) : ff_null());
	return ff_call_end(call);
}

PG_FUNCTION_INFO_V1(ff_promote_delayed);

Datum
ff_promote_delayed(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfExecutionId id;
	FfCore		core;

	read_id(fcinfo, &id);
	ff_call_begin(&call, fcinfo);
	return answer(&call, ff_expiry_promote(&id, call.now_ms, &core), &core);
}

PG_FUNCTION_INFO_V1(ff_expire_execution);

Datum
ff_expire_execution(PG_FUNCTION_ARGS)
{
	static const char *const phases[] = {"attempt_timeout", "execution_deadline"};
	FfCall		call;
	FfExecutionId id;
	FfCore		core;
	const char *outcome;
	int			phase;

	read_id(fcinfo, &id);
	phase = ff_check_one_of(ff_arg_text(fcinfo, 1, "phase"), "phase", phases, lengthof(phases));
	ff_call_begin(&call, fcinfo);
	outcome = phase == 0 ? ff_expiry_attempt(&id, call.now_ms, &core)
		: ff_expiry_deadline(&id, call.now_ms, &core);
	return answer(&call, outcome, &core);
}
