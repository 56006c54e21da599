/*
 * fence.c - the fence.
 */
#include "engine/fence.h"

#include "miscadmin.h"

#include "base/extension.h"

#define OVERRIDE "operator_override"

/*
 * Whether role $1 may call both a function that operators alone have and the
 * workers' own, in schema $2: the privileges themselves are asked, since a
 * recorded grant may be one of a role that had the name before.
 */
static FfStatement has_operator_access =
FF_STATEMENT("has_operator_access", "bigint, bigint",
			 "SELECT pg_catalog.bool_and(pg_catalog.has_function_privilege("
			 "  $1::pg_catalog.oid, p.oid, 'EXECUTE'))"
			 " FROM pg_catalog.pg_proc p WHERE p.pronamespace = $2::pg_catalog.oid"
			 " AND p.proname IN ('ff_block_route', 'ff_complete_execution')");

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

static void
lock_attempt(FfAttempt *attempt, FfCore *core, int32 index)
{
	if (!ff_attempt_lock(attempt, core, index))
		ff_raise(FF_NOT_FOUND,
				 errmsg("attempt %d of execution %s does not exist", index,
						ff_execution_id_text(&core->id)));
}

void
ff_fence_lock(const FfHandle *handle, FfCore *core, FfAttempt *attempt)
{
	ff_core_lock(core, &handle->execution);
	lock_attempt(attempt, core, handle->attempt_index);
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

static void
check_not_revoked(const FfCore *core, const FfAttempt *attempt)
{
	if (core->ownership == FF_OWNERSHIP_REVOKED)
		ff_fence_refuse(FF_LEASE_REVOKED, core, attempt, "the lease was revoked",
						"Stop the work; an operator took the lease away.");
}

/* Whether a stored id, if there is one, is another than the one presented. */
static bool
differ(const pg_uuid_t *stored, const pg_uuid_t *presented)
{
	return stored && memcmp(stored, presented, sizeof(pg_uuid_t)) != 0;
}

/* The lease presented is the attempt's: the epoch and, where the row has one, the id. */
static void
compare_lease(const FfCore *core, const FfAttempt *attempt, int64 lease_epoch,
			  const pg_uuid_t *lease_id, FfErrorKind mismatch)
{
	if (attempt->lease_epoch != lease_epoch)
		ff_fence_refuse(mismatch, core, attempt,
						psprintf("the lease of epoch " INT64_FORMAT " is not the current one",
								 lease_epoch),
						READ_IT_AGAIN);
	if (differ(attempt->lease_id, lease_id))
		ff_fence_refuse(mismatch, core, attempt, "the lease is not the current one",
						READ_IT_AGAIN);
}

void
ff_fence_check_lease(const FfHandle *handle, const FfCore *core, const FfAttempt *attempt,
					 FfErrorKind mismatch)
{
	check_not_revoked(core, attempt);
	compare_lease(core, attempt, handle->lease_epoch, &handle->lease_id, mismatch);
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

void
ff_fence_from_handle(const bytea *bytes, FfFence *fence)
{
	FfHandle   *handle = palloc(sizeof(FfHandle));

	ff_fence_handle(bytes, handle, FF_LEASE_CONFLICT);
	memset(fence, 0, sizeof(FfFence));
	fence->execution = handle->execution;
	fence->attempt_index = ff_some(handle->attempt_index);
	fence->lease_epoch = handle->lease_epoch;
	fence->lease_id = &handle->lease_id;
	fence->lease_ttl_ms = handle->lease_ttl_ms;
	fence->mismatch = FF_LEASE_CONFLICT;
}

static void
check_override(const char *source)
{
	FfRow		row;

	if (strcmp(source, OVERRIDE) != 0)
		ff_raise(FF_INVALID_INPUT,
				 errmsg("fence_required: lease_id, lease_epoch and attempt_id are needed"),
				 errdetail("fence_required: source is \"%s\"", source));

	/* what an index expression or a view makes a maintenance command call is nobody's word */
	if (InSecurityRestrictedOperation() ||
		!ff_statement_row(&has_operator_access, &row, ff_int8(GetOuterUserId()),
						  ff_int8(ff_extension_schema())) ||
		!ff_row_bool(&row, 1))
		ff_raise(FF_UNAUTHORIZED,
				 errmsg("role \"%s\" may not override a lease",
						GetUserNameFromId(GetOuterUserId(), false)),
				 errhint("It needs operator access, see ff_grant_access."));
}

void
ff_fence_from_triple(const FfExecutionId *execution, const pg_uuid_t *lease_id,
					 FfInt8 lease_epoch, const pg_uuid_t *attempt_id, FfInt8 attempt_index,
					 const char *source, FfFence *fence)
{
	int			given = (lease_id != NULL) + lease_epoch.isset + (attempt_id != NULL);

	if (given != 0 && given != 3)
		ff_raise(FF_INVALID_INPUT,
				 errmsg("partial_fence_triple: lease_id, lease_epoch and attempt_id belong together"),
				 errdetail("partial_fence_triple: %d of 3 were given", given));
	memset(fence, 0, sizeof(FfFence));
	fence->execution = *execution;
	fence->attempt_index = attempt_index;
	fence->override = given == 0;
	fence->lease_epoch = lease_epoch.value;
	fence->lease_id = lease_id;
	fence->attempt_id = attempt_id;
	fence->mismatch = FF_STALE_LEASE;
	fence->source = source;
	if (fence->override)
		check_override(source);
}

void
ff_fence_enter(const FfFence *fence, FfCore *core, FfAttempt *attempt)
{
	int32		index;

	ff_core_lock(core, &fence->execution);
	index = fence->attempt_index.isset && !fence->override
		? (int32) fence->attempt_index.value : core->attempt_index;
	lock_attempt(attempt, core, index);
	check_not_revoked(core, attempt);
	if (fence->override)
		return;
	compare_lease(core, attempt, fence->lease_epoch, fence->lease_id, fence->mismatch);
	if (fence->attempt_id && differ(attempt->attempt_id, fence->attempt_id))
		ff_fence_refuse(fence->mismatch, core, attempt, "the attempt is not the current one",
						READ_IT_AGAIN);
}

void
ff_fence_check_current(const FfFence *fence, const FfCore *core, const FfAttempt *attempt,
					   int64 now_ms)
{
	if (attempt->attempt_index != core->attempt_index)
		ff_fence_refuse(fence->mismatch, core, attempt,
						psprintf("attempt %d is not the current one", attempt->attempt_index),
						READ_IT_AGAIN);
	ff_fence_check_live(core, attempt, now_ms);
}
