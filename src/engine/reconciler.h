/*
 * reconciler.h - the reconcilers by name, in the order in which they run, and
 * their defaults (specification chapter 01, section 8). What each does is in
 * background/; the engine names them to say when one has something to do.
 */
#ifndef FF_RECONCILER_H
#define FF_RECONCILER_H

#include "base/compat.h"

typedef enum FfReconciler
{
	FF_EXECUTION_DEADLINE,
	FF_ATTEMPT_TIMEOUT,
	FF_LEASE_EXPIRY,
	FF_SUSPENSION_TIMEOUT,
	FF_PENDING_WAITPOINT_EXPIRY,
	FF_DELAYED_PROMOTER,
	FF_CLAIM_GRANT_EXPIRY,
	FF_DEPENDENCY,
	FF_EDGE_CANCEL_DISPATCHER,
	FF_EDGE_CANCEL_RECONCILER,
	FF_CANCEL_BACKLOG_RECONCILER,
	FF_UNBLOCK,
	FF_BUDGET_RESET,
	FF_BUDGET_COUNTERS,
	FF_QUOTA_COUNTERS,
	FF_WORKER_REGISTRY_TTL_SWEEP,
	FF_FLOW_PROJECTOR,
	FF_STREAM_JANITOR,
	FF_RETENTION_TRIMMER,
	FF_OUTBOX_TRIMMER,
	FF_DEDUP_TRIMMER,
	FF_HMAC_KID_GC,
	FF_STATE_CHECK,
	FF_RECONCILERS
} FfReconciler;

typedef struct FfReconcilerDefaults
{
	const char *name;
	int32		interval_ms;
	int32		batch_size;
} FfReconcilerDefaults;

extern const FfReconcilerDefaults ff_reconciler_defaults[FF_RECONCILERS];

/* The reconciler of a name; -1 if there is none. */
extern int	ff_reconciler_find(const char *name);

#endif							/* FF_RECONCILER_H */
