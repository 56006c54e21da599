/*
 * resume.c - a suspended execution goes on.
 */
#include "engine/resume.h"

#include "base/clock.h"
#include "engine/transition.h"

/* When the execution may be claimed: the argument beats the policy; unset is at once. */
static FfInt8
eligible_at(const FfSuspension *suspension, const FfResume *resume)
{
	FfInt8		delay = resume->delay_ms;

	if (!delay.isset)
		delay = ff_resume_policy_parse(suspension->resume_policy, "resume_policy").resume_delay_ms;
	if (!delay.isset || delay.value <= 0)
		return ff_none();
	return ff_some(ff_after_ms(resume->now_ms, delay.value));
}

void
ff_resume(FfCore *core, FfSuspension *suspension, const FfResume *resume)
{
	/* the attempt's row stays as it is; the transition asks what interrupted it */
	FfAttempt	paused = {.outcome = FF_ATTEMPT_INTERRUPTED};
	FfMove		move = {
		.now_ms = resume->now_ms,
		.eligible_at_ms = eligible_at(suspension, resume),
		.reason = FF_NO_REASON,
	};

	ff_suspension_close(core, suspension, resume->close_reason, resume->closer_signal_id,
						resume->to_history, resume->now_ms);
	ff_transition(FF_T18_RESUME, core, &paused, &move);
}
