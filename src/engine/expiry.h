/*
 * expiry.h - what time does to one execution: lost leases, delays, timeouts,
 * deadlines, grants and waitpoints that nobody used. Each needs the execution's
 * lock and looks again under it, so that it is safe at any time and twice.
 */
#ifndef FF_EXPIRY_H
#define FF_EXPIRY_H

#include "engine/record.h"

/*
 * T21, T22. True with outcome marked_expired or released, false with
 * already_satisfied; detail says more.
 */
extern bool ff_expiry_lease(FfCore *core, int64 now_ms, const char **outcome,
							const char **detail);

/*
 * The same for an attempt whose lease_check_at_ms is due: false where its lease
 * is not lost, or it is not the current one; when to look next is then noted.
 */
extern bool ff_expiry_look_at_lease(FfCore *core, int32 attempt_index, int64 now_ms);

/* T34. promoted, not_yet_due, not_delayed or not_runnable. */
extern const char *ff_expiry_promote(FfCore *core, int64 now_ms);

/* T27, T28, also of an attempt whose lease has lapsed. expired, retry_scheduled, not_due or already_terminal. */
extern const char *ff_expiry_attempt(FfCore *core, int64 now_ms);

/*
 * T27, T28 of an attempt whose timeout_at_ms is due; false if it is not, or if
 * the attempt does not run: it then has no timeout any more.
 */
extern bool ff_expiry_look_at_timeout(FfCore *core, int32 attempt_index, int64 now_ms);

/* T29. expired, not_due or already_terminal. */
extern const char *ff_expiry_deadline(FfCore *core, int64 now_ms);

/* T41 of a waitpoint that nobody bound in time; false if it is not pending or not due. */
extern bool ff_expiry_waitpoint(const FfCore *core, const pg_uuid_t *waitpoint_id, int64 now_ms);

/* Delete a grant that ran out, and T07 if it reserved the execution; false if it has not. */
extern bool ff_expiry_grant(FfCore *core, const bytea *grant_id, int64 now_ms);

#endif							/* FF_EXPIRY_H */
