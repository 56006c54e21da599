/*
 * timeout.c - the end of a suspension's time.
 */
#include "engine/timeout.h"

#include "engine/signal.h"
#include "engine/resume.h"
#include "engine/suspension.h"
#include "engine/transition.h"

#define SUSPENSION_TIMEOUT "suspension_timeout"

/* What each behaviour makes of the execution, and of the engine's timeout signal. */
typedef struct Behavior
{
	const char *name;
	FfTransition transition;
	const char *close_reason;	/* NULL: it stays open */
	const char *effect;
	FfMatchResult match;
	const char *event_effect;
} Behavior;

/* clang-format off */
static const Behavior behaviors[] = {
	{"fail", FF_T20_FAIL, "timed_out_fail",
		"suspension_timed_out", FF_MATCH_NOT_IN_CONDITION, "timed_out"},
	{"cancel", FF_T20_CANCEL, "timed_out_cancel",
		"suspension_timed_out", FF_MATCH_NOT_IN_CONDITION, "timed_out"},
	{"expire", FF_T20_EXPIRE, "timed_out_expire",
		"suspension_timed_out", FF_MATCH_NOT_IN_CONDITION, "timed_out"},
	{"escalate", FF_T20_ESCALATE, NULL,
		"suspension_escalated", FF_MATCH_NOT_IN_CONDITION, "escalated"},
	{"auto_resume_with_timeout_signal", FF_T18_RESUME, "timed_out_auto_resume",
		"resume_condition_satisfied", FF_MATCH_COUNTED, "satisfied"},
};
/* clang-format on */

/* No behaviour counts as fail. */
static const Behavior *
behavior_of(const FfSuspension *suspension)
{
	for (int i = 0; suspension->timeout_behavior && i < (int) lengthof(behaviors); i++)
		if (strcmp(behaviors[i].name, suspension->timeout_behavior) == 0)
			return &behaviors[i];
	return &behaviors[0];
}

static void
resume(FfCore *core, FfSuspension *suspension, const Behavior *behavior,
	   const pg_uuid_t *signal_id, int64 now_ms)
{
	FfResume	how = {
		.close_reason = behavior->close_reason,
		.closer_signal_id = signal_id,
		.now_ms = now_ms,
	};

	ff_resume(core, suspension, &how);
}

static void
escalate(FfCore *core, const FfSuspension *suspension, int64 now_ms)
{
	FfMove		move = {.now_ms = now_ms,.reason = FF_WAITING_FOR_OPERATOR_REVIEW};

	ff_suspension_escalate(core, suspension, now_ms);
	ff_transition(FF_T20_ESCALATE, core, NULL, &move);
}

static void
end(FfCore *core, FfAttempt *attempt, const Behavior *behavior, int64 now_ms)
{
	FfMove		move = {.now_ms = now_ms,.reason = FF_NO_REASON};

	/* a row put in by hand may have no attempt */
	if (attempt)
		attempt->failure_reason = SUSPENSION_TIMEOUT;
	ff_json_text(ff_core_patch(core), "last_failure_message", SUSPENSION_TIMEOUT);
	if (behavior->transition == FF_T20_CANCEL)
		core->cancelled_by = core->cancellation_reason = SUSPENSION_TIMEOUT;
	ff_suspension_finish(core, behavior->close_reason, now_ms);
	ff_transition(behavior->transition, core, attempt, &move);
}

FfTimeout
ff_timeout_apply(FfCore *core, int64 now_ms)
{
	FfAttempt	attempt;
	FfSuspension suspension;
	const Behavior *behavior;
	pg_uuid_t  *signal_id;
	bool		has_attempt;

	if (core->phase != FF_SUSPENDED)
		return (FfTimeout) {.outcome = "not_suspended"};
	has_attempt = ff_attempt_lock(&attempt, core, core->attempt_index);
	if (!ff_suspension_lock(core, &suspension))
		return (FfTimeout) {.outcome = "not_suspended"};
	if (!suspension.timeout_at_ms.isset || suspension.timeout_at_ms.value > now_ms)
		return (FfTimeout) {.outcome = "not_due"};

	behavior = behavior_of(&suspension);
	signal_id = ff_signal_record_timeout(core, &suspension, behavior->effect, behavior->match,
										 behavior->event_effect, now_ms);
	ff_suspension_note_timeout(core, &suspension, signal_id, now_ms);
	if (behavior->transition == FF_T18_RESUME)
		resume(core, &suspension, behavior, signal_id, now_ms);
	else if (behavior->transition == FF_T20_ESCALATE)
		escalate(core, &suspension, now_ms);
	else
		end(core, has_attempt ? &attempt : NULL, behavior, now_ms);
	return (FfTimeout) {.outcome = "expired",.behavior = behavior->name};
}
