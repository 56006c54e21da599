/*
 * grant.h - claim and reclaim grants: one execution reserved for one worker
 * until the grant runs out (specification chapter 04, 3.3 and 5).
 *
 * Who holds the text of a grant, its key, may present it; stored is the key's
 * SHA-256 alone. Everything here but ff_grant_look needs the execution's lock.
 */
#ifndef FF_GRANT_H
#define FF_GRANT_H

#include "engine/record.h"

/* The kinds, as stored. */
#define FF_GRANT_CLAIM "claim"
#define FF_GRANT_RECLAIM "reclaim"
#define FF_GRANT_ANY NULL

/* For whom a grant is, for how long, and what is kept with it for audit. */
typedef struct FfGrantTerms
{
	const char *worker_id;
	const char *worker_instance_id;
	ArrayType  *capabilities;	/* text[], normalized */
	int64		ttl_ms;
	const char *capability_hash;	/* these three may be NULL */
	const char *route_snapshot_json;
	const char *admission_summary;
} FfGrantTerms;

/* A row of ff_claim_grant. */
typedef struct FfGrant
{
	bytea	   *id;
	const char *kind;
	const char *worker_id;
	const char *worker_instance_id;
	int64		expires_at_ms;
	FfExecutionId execution;
} FfGrant;

/* Raise invalid_input for a worker_id, worker_instance_id or grant_ttl_ms out of bounds. */
extern void ff_grant_check(const FfGrantTerms *terms);

/*
 * Make a grant of a kind in place of what grants the execution has; its key,
 * palloc'd, the only copy there is. expires_at_ms is when it runs out.
 */
extern char *ff_grant_issue(FfCore *core, const char *kind, const FfGrantTerms *terms,
							int64 now_ms, int64 *expires_at_ms);

/* The execution's grant of a kind, live or run out; false if there is none. */
extern bool ff_grant_find(const FfCore *core, const char *kind, FfGrant *grant);

extern bool ff_grant_is_live(const FfGrant *grant, int64 now_ms);

/* True when the execution has a live grant, of either kind, and nobody may have another. */
extern bool ff_grant_is_out(const FfCore *core, int64 now_ms);

/* Whether it is the grant of this key; whether it is for this worker. */
extern bool ff_grant_has_key(const FfGrant *grant, const char *key);
extern bool ff_grant_is_for(const FfGrant *grant, const char *worker_id);

/*
 * Raise invalid_claim_grant unless the grant (NULL: there is none) is this
 * worker's and, where a key is given, of that key; claim_grant_expired if it
 * has run out.
 */
extern void ff_grant_require(const FfCore *core, const FfGrant *grant, const char *worker_id,
							 const char *key, int64 now_ms);

/* Delete the execution's grants, which are void. */
extern void ff_grant_drop(FfCore *core);

/*
 * The same where the execution is claimed past them, and count them: a live
 * one is redeemed, others have run out.
 */
extern void ff_grant_redeem(FfCore *core, int64 now_ms);
/* Delete one grant of the execution, if it ran out; false if it has not, or is not there. */
extern bool ff_grant_drop_expired(FfCore *core, const bytea *grant_id, int64 now_ms);

/* True for a text that has the form of a key. */
extern bool ff_grant_key_is_valid(const char *key);

/* The grant of a key, on the caller's own snapshot and without a lock; false if there is none. */
extern bool ff_grant_look(const char *key, FfGrant *grant);

#endif							/* FF_GRANT_H */
