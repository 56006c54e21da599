/*
 * suspension.c - what operators do to an open suspension: resume it, apply its
 * timeout (specification chapter 03, sections 6.2 and 6.4).
 */
#include "base/compat.h"

#include "base/argument.h"
#include "base/call.h"
#include "base/error.h"
#include "engine/resume.h"
#include "engine/suspension.h"
#include "engine/timeout.h"

static const char *const triggers[] = {"operator", "signal", "auto_resume"};

/* The close_reason of each. */
static const char *const close_reasons[lengthof(triggers)] = {
	"operator_resume", "resumed", "auto_resume"
};

PG_FUNCTION_INFO_V1(ff_resume_execution);

Datum
ff_resume_execution(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfExecutionId id;
	FfCore		core;
	FfSuspension suspension;
	int			trigger = ff_check_one_of(ff_arg_text_or(fcinfo, 1, "operator"), "trigger_type",
										  triggers, lengthof(triggers));
	FfResume	resume = {
		.close_reason = close_reasons[trigger],
		.delay_ms = ff_arg_maybe_int8(fcinfo, 2),
		.to_history = true,
	};

	ff_execution_id_parse(ff_arg_text(fcinfo, 0, "execution_id"), &id);
	ff_check_not_negative(resume.delay_ms.value, "resume_delay_ms");

	ff_call_begin(&call, fcinfo);
	resume.now_ms = call.now_ms;
	ff_core_lock(&core, &id);
	if (core.phase != FF_SUSPENDED || !ff_suspension_lock(&core, &suspension))
		ff_raise(FF_EXECUTION_NOT_SUSPENDED,
				 errmsg("execution %s is not suspended", ff_execution_id_text(&id)),
				 errdetail("public_state %s",
						   ff_enum_label(&ff_public_states, core.public_state)));
	ff_resume(&core, &suspension, &resume);
	ff_call_row(&call, ff_text("resumed"), ff_enum(&ff_public_states, core.public_state));
	return ff_call_end(&call);
}

PG_FUNCTION_INFO_V1(ff_expire_suspension);

Datum
ff_expire_suspension(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfExecutionId id;
	FfCore		core;
	FfTimeout	timeout;

	ff_execution_id_parse(ff_arg_text(fcinfo, 0, "execution_id"), &id);

	ff_call_begin(&call, fcinfo);
	ff_core_lock(&core, &id);
	timeout = ff_timeout_apply(&core, call.now_ms);
	ff_call_row(&call, ff_text(timeout.outcome), ff_text(timeout.behavior),
				ff_enum(&ff_public_states, core.public_state));
	return ff_call_end(&call);
}
