/*
 * fence.h - the fence: whoever works on an execution must hold the lease that
 * its attempt has now (specification chapter 04, 1.2).
 */
#ifndef FF_FENCE_H
#define FF_FENCE_H

#include "base/error.h"
#include "engine/handle.h"
#include "engine/record.h"

/*
 * Step 1: decode a handle and refuse one that can never pass: corruption,
 * handle_from_other_backend, and for kind suspended suspended_kind
 * (lease_conflict everywhere but in ff_suspend).
 */
extern void ff_fence_handle(const bytea *handle, FfHandle *decoded, FfErrorKind suspended_kind);

/* Step 2: lock the execution, then the attempt that the handle names; not_found. */
extern void ff_fence_lock(const FfHandle *handle, FfCore *core, FfAttempt *attempt);

/*
 * Steps 3 and 4: lease_revoked, then mismatch (lease_conflict for a handle,
 * stale_lease for a triple) unless the epoch and, where the row has one, the
 * lease id are the attempt's.
 */
extern void ff_fence_check_lease(const FfHandle *handle, const FfCore *core,
								 const FfAttempt *attempt, FfErrorKind mismatch);

/* Step 6: the handle's attempt is the current one, else other_attempt. */
extern void ff_fence_check_index(const FfHandle *handle, const FfCore *core,
								 const FfAttempt *attempt, FfErrorKind other_attempt);

/* Steps 7 and 8: active, else lease_expired or execution_not_active; live, else lease_expired. */
extern void ff_fence_check_live(const FfCore *core, const FfAttempt *attempt, int64 now_ms);

/*
 * What a caller presents to work on an execution: a handle, a lease triple, or
 * as an operator nothing.
 */
typedef struct FfFence
{
	FfExecutionId execution;
	FfInt8		attempt_index;	/* unset: the current attempt */
	bool		override;		/* nothing to compare: an operator's word */
	int64		lease_epoch;
	const pg_uuid_t *lease_id;	/* compared where the row has one */
	const pg_uuid_t *attempt_id;	/* likewise; NULL for a handle */
	FfErrorKind mismatch;		/* lease_conflict for a handle, stale_lease for a triple */
	int64		lease_ttl_ms;	/* the handle's, 0 for a triple */
	const char *source;			/* on whose authority; NULL for a handle */
} FfFence;

/* By handle; step 1. */
extern void ff_fence_from_handle(const bytea *handle, FfFence *fence);

/*
 * By triple: all three or none of lease_id, lease_epoch and attempt_id. None
 * needs source operator_override and a caller with operator access, which is
 * looked up: invalid_input (fence_required, partial_fence_triple), unauthorized.
 */
extern void ff_fence_from_triple(const FfExecutionId *execution, const pg_uuid_t *lease_id,
								 FfInt8 lease_epoch, const pg_uuid_t *attempt_id,
								 FfInt8 attempt_index, const char *source, FfFence *fence);

/* Steps 2 to 4: lock execution and attempt, compare. */
extern void ff_fence_enter(const FfFence *fence, FfCore *core, FfAttempt *attempt);

/* Steps 6 to 8: the current attempt, active, under a live lease. */
extern void ff_fence_check_current(const FfFence *fence, const FfCore *core,
								   const FfAttempt *attempt, int64 now_ms);

/*
 * Raise a refusal of the fence. DETAIL gives phase, public_state,
 * attempt_index and lease_epoch as found; attempt may be NULL.
 */
extern void ff_fence_refuse(FfErrorKind kind, const FfCore *core, const FfAttempt *attempt,
							const char *what, const char *hint) FF_NORETURN;

#endif							/* FF_FENCE_H */
