/*
 * work.c - what a worker does under its lease.
 */
#include "engine/work.h"

#include "miscadmin.h"

#include "engine/transition.h"

const char *
ff_work_ended_by(const FfFence *fence)
{
	return fence->override ? "operator" : "worker";
}

void
ff_work_note_source(const FfFence *fence, FfAttempt *attempt)
{
	FfJsonObject *by;

	if (fence->source == NULL)
		return;
	by = ff_json_begin();
	ff_json_text(by, "source", fence->source);
	ff_json_text(by, "role", GetUserNameFromId(GetOuterUserId(), false));
	ff_json_jsonb(ff_attempt_patch(attempt), "ended_by", ff_json_end(by));
}

void
ff_work_renew(const FfFence *fence, int64 lease_ttl_ms, int64 now_ms, FfAttempt *attempt)
{
	FfCore		core;
	FfMove		move = {.now_ms = now_ms,.lease_ttl_ms = lease_ttl_ms};

	ff_fence_enter(fence, &core, attempt);
	ff_fence_check_current(fence, &core, attempt, now_ms);
	ff_transition(FF_T08_RENEW, &core, attempt, &move);
}

bool
ff_work_complete(const FfFence *fence, bytea *result, const char *encoding, int64 now_ms,
				 FfCore *core)
{
	FfAttempt	attempt;
	FfMove		move = {.now_ms = now_ms,.revoked_by = ff_work_ended_by(fence)};

	ff_fence_enter(fence, core, &attempt);
	if (attempt.outcome == FF_SUCCESS && !fence->override)
		return true;
	ff_fence_check_current(fence, core, &attempt, now_ms);

	core->result = result;
	if (encoding)
		ff_json_text(ff_core_patch(core), "result_encoding", encoding);
	ff_work_note_source(fence, &attempt);
	ff_transition(FF_T10_COMPLETE, core, &attempt, &move);
	return false;
}
