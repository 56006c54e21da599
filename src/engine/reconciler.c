/*
 * reconciler.c - the reconcilers by name.
 */
#include "engine/reconciler.h"

/* clang-format off */
const FfReconcilerDefaults ff_reconciler_defaults[FF_RECONCILERS] = {
	[FF_EXECUTION_DEADLINE] = {"execution_deadline", 5000, 500},
	[FF_ATTEMPT_TIMEOUT] = {"attempt_timeout", 2000, 500},
	[FF_LEASE_EXPIRY] = {"lease_expiry", 1500, 500},
	[FF_SUSPENSION_TIMEOUT] = {"suspension_timeout", 2000, 500},
	[FF_PENDING_WAITPOINT_EXPIRY] = {"pending_waitpoint_expiry", 5000, 500},
	[FF_DELAYED_PROMOTER] = {"delayed_promoter", 750, 500},
	[FF_CLAIM_GRANT_EXPIRY] = {"claim_grant_expiry", 1000, 500},
	[FF_DEPENDENCY] = {"dependency", 15000, 1000},
	[FF_EDGE_CANCEL_DISPATCHER] = {"edge_cancel_dispatcher", 1000, 50},
	[FF_EDGE_CANCEL_RECONCILER] = {"edge_cancel_reconciler", 10000, 50},
	[FF_CANCEL_BACKLOG_RECONCILER] = {"cancel_backlog", 15000, 50},
	[FF_UNBLOCK] = {"unblock", 1000, 1000},
	[FF_BUDGET_RESET] = {"budget_reset", 1000, 20},
	[FF_BUDGET_COUNTERS] = {"budget_counters", 30000, 1000},
	[FF_QUOTA_COUNTERS] = {"quota_counters", 30000, 1000},
	[FF_WORKER_REGISTRY_TTL_SWEEP] = {"worker_registry_ttl_sweep", 30000, 500},
	[FF_FLOW_PROJECTOR] = {"flow_projector", 15000, 200},
	[FF_STREAM_JANITOR] = {"stream_janitor", 30000, 100},
	[FF_RETENTION_TRIMMER] = {"retention_trimmer", 60000, 100},
	[FF_OUTBOX_TRIMMER] = {"outbox_trimmer", 60000, 5000},
	[FF_DEDUP_TRIMMER] = {"dedup_trimmer", 60000, 5000},
	[FF_HMAC_KID_GC] = {"hmac_kid_gc", 60000, 100},
	[FF_STATE_CHECK] = {"state_check", 45000, 500},
};
/* clang-format on */

int
ff_reconciler_find(const char *name)
{
	for (int i = 0; i < FF_RECONCILERS; i++)
		if (strcmp(ff_reconciler_defaults[i].name, name) == 0)
			return i;
	return -1;
}
