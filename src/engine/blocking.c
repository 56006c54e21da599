/*
 * blocking.c - keeping an execution from being claimed for a reason, and
 * letting it go.
 */
#include "engine/blocking.h"

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"

#include "base/error.h"
#include "engine/dependency.h"
#include "engine/transition.h"
#include "engine/vector.h"

/* paused_by_flow_cancel is not among them: the flow's cancellation alone gives and takes it. */
static const FfBlockingReason reasons[] = {
	FF_WAITING_FOR_BUDGET, FF_WAITING_FOR_QUOTA, FF_WAITING_FOR_CAPABLE_WORKER,
	FF_WAITING_FOR_LOCALITY_MATCH, FF_PAUSED_BY_OPERATOR, FF_PAUSED_BY_POLICY
};

static bool
may_be_given(int reason)
{
	for (int i = 0; i < (int) lengthof(reasons); i++)
		if ((int) reasons[i] == reason)
			return true;
	return false;
}

FfBlockingReason
ff_blocking_reason_find(const char *name)
{
	int			reason = ff_enum_find(&ff_blocking_reasons, name);

	if (!may_be_given(reason))
		ff_raise(FF_INVALID_BLOCKING_REASON,
				 errmsg("\"%s\" is not a reason to block an execution",
						pnstrdup(name, pg_mbcliplen(name, strlen(name), 64))),
				 errhint("Known are waiting_for_capable_worker, waiting_for_locality_match, "
						 "waiting_for_budget, waiting_for_quota, paused_by_operator and "
						 "paused_by_policy."));
	return reason;
}

/* What stands in the way of a block, as far as one word says it. */
static const char *
state_word(const FfCore *core, int vector)
{
	if (vector == FF_VECTOR_B)
		return ff_enum_label(&ff_blocking_reasons, core->blocking_reason);
	if (core->phase == FF_RUNNABLE)
		return ff_enum_label(&ff_eligibilities, core->eligibility);
	return ff_enum_label(&ff_phases, core->phase);
}

static ArrayType *
detail_key(void)
{
	Datum		key = CStringGetTextDatum("blocking_detail");

	return construct_array(&key, 1, TEXTOID, -1, false, TYPALIGN_INT);
}

const char *
ff_blocking_block(FfCore *core, FfBlockingReason reason, const char *detail,
				  const pg_uuid_t *blocked_on, int64 now_ms)
{
	FfMove		move = {.now_ms = now_ms,.reason = reason};
	int			vector = ff_vector_of(core);
	bool		again = vector == FF_VECTOR_B && core->blocking_reason == (int) reason;

	if (vector != FF_VECTOR_W && vector != FF_VECTOR_M && !again)
		return state_word(core, vector);
	if (detail)
		ff_json_text(ff_core_patch(core), "blocking_detail", detail);
	else
		core->raw_removed = detail_key();
	if (blocked_on)
		core->blocked_on = blocked_on;
	ff_transition(FF_T30_BLOCK, core, NULL, &move);
	return NULL;
}

bool
ff_blocking_is_blocked(const FfCore *core)
{
	return ff_vector_of(core) == FF_VECTOR_B && may_be_given(core->blocking_reason);
}

void
ff_blocking_unblock(FfCore *core, int64 now_ms)
{
	FfMove		move = {.now_ms = now_ms};
	FfAttempt	attempt;
	bool		attempted = ff_attempt_lock(&attempt, core, core->attempt_index);

	core->raw_removed = detail_key();
	core->blocked_on = NULL;
	ff_transition(ff_dependencies_are_met(core) ? FF_T31_UNBLOCK : FF_T31_UNBLOCK_TO_WAIT,
				  core, attempted ? &attempt : NULL, &move);
}
