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
 * Raise a refusal of the fence. DETAIL gives phase, public_state,
 * attempt_index and lease_epoch as found; attempt may be NULL.
 */
extern void ff_fence_refuse(FfErrorKind kind, const FfCore *core, const FfAttempt *attempt,
							const char *what, const char *hint) pg_attribute_noreturn();

#endif							/* FF_FENCE_H */
