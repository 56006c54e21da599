/*
 * fence.c - the fence.
 */
#include "engine/fence.h"

#define READ_IT_AGAIN "Read the execution again; this lease is no longer yours."

void
ff_fence_handle(const bytea *handle, FfHandle *decoded, FfErrorKind suspended_kind)
{
	ff_handle_read(handle, decoded);
	if (decoded->kind == FF_HANDLE_SUSPENDED)
		ff_raise(suspended_kind,
				 errmsg("the handle of execution %s is one of a suspended attempt",
						ff_execution_id_text(&decoded->execution)),
				 errhint("Claim the execution again once it is resumable."));
}

void
ff_fence_lock(const FfHandle *handle, FfCore *core, FfAttempt *attempt)
{
	ff_core_lock(core, &handle->execution);
	if (!ff_attempt_lock(attempt, core, handle->attempt_index))
		ff_raise(FF_NOT_FOUND,
				 errmsg("attempt %d of execution %s does not exist", handle->attempt_index,
						ff_execution_id_text(&core->id)));
}

/* What execution_not_active tells besides: enough to see whose work ended it. */
static char *
how_it_stands(const FfAttempt *attempt)
{
	return psprintf(", outcome %s, attempt_id %s",
					attempt->outcome == FF_NO_OUTCOME ? "none"
					: ff_enum_label(&ff_outcomes, attempt->outcome),
					attempt->attempt_id ? ff_uuid_text(attempt->attempt_id) : "none");
}

void
ff_fence_refuse(FfErrorKind kind, const FfCore *core, const FfAttempt *attempt,
				const char *what, const char *hint)
{
	const char *more = kind == FF_EXECUTION_NOT_ACTIVE && attempt ? how_it_stands(attempt) : "";

	ff_raise(kind,
			 errmsg("execution %s: %s", ff_execution_id_text(&core->id), what),
			 errdetail("phase %s, public_state %s, attempt_index %d, lease_epoch " INT64_FORMAT "%s",
					   ff_enum_label(&ff_phases, core->phase),
					   ff_enum_label(&ff_public_states, core->public_state),
					   core->attempt_index, attempt ? attempt->lease_epoch : 0, more),
			 errhint("%s", hint));
}

void
ff_fence_check_lease(const FfHandle *handle, const FfCore *core, const FfAttempt *attempt,
					 FfErrorKind mismatch)
{
	if (core->ownership == FF_OWNERSHIP_REVOKED)
		ff_fence_refuse(FF_LEASE_REVOKED, core, attempt, "the lease was revoked",
						"Stop the work; an operator took the lease away.");
	if (attempt->lease_epoch != handle->lease_epoch)
		ff_fence_refuse(mismatch, core, attempt,
						psprintf("the lease of epoch " INT64_FORMAT " is not the current one",
								 handle->lease_epoch),
						READ_IT_AGAIN);
	if (attempt->lease_id &&
		memcmp(attempt->lease_id, &handle->lease_id, sizeof(pg_uuid_t)) != 0)
		ff_fence_refuse(mismatch, core, attempt, "the lease is not the current one",
						READ_IT_AGAIN);
}

void
ff_fence_check_index(const FfHandle *handle, const FfCore *core, const FfAttempt *attempt,
					 FfErrorKind other_attempt)
{
	if (handle->attempt_index != core->attempt_index)
		ff_fence_refuse(other_attempt, core, attempt,
						psprintf("attempt %d is not the current one", handle->attempt_index),
						READ_IT_AGAIN);
}

void
ff_fence_check_live(const FfCore *core, const FfAttempt *attempt, int64 now_ms)
{
	if (core->phase != FF_ACTIVE)
	{
		if (attempt->outcome == FF_LEASE_LOST)
			ff_fence_refuse(FF_LEASE_EXPIRED, core, attempt, "the lease ran out",
							"Stop the work, or win it back with ff_claim_from_reclaim.");
		ff_fence_refuse(FF_EXECUTION_NOT_ACTIVE, core, attempt, "nobody runs it",
						"Read the execution again; it has ended or waits.");
	}
	if (!ff_lease_is_live(core, attempt, now_ms))
		ff_fence_refuse(FF_LEASE_EXPIRED, core, attempt, "the lease ran out",
						"Stop the work, or win it back with ff_claim_from_reclaim.");
}
