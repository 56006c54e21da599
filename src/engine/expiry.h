/*
 * expiry.h - what time does to one execution: lost leases, delays, timeouts
 * and deadlines. Each looks again under the execution's lock, so that it is
 * safe at any time and twice, and says what it found.
 */
#ifndef FF_EXPIRY_H
#define FF_EXPIRY_H

#include "engine/record.h"

/* T21, T22. outcome marked_expired, released or already_satisfied; detail says more. */
extern void ff_expiry_lease(const FfExecutionId *id, int64 now_ms,
							const char **outcome, const char **detail);

/* T34. promoted, not_yet_due, not_delayed, not_runnable or not_found; core is set unless not_found. */
extern const char *ff_expiry_promote(const FfExecutionId *id, int64 now_ms, FfCore *core);

/* T27, T28. expired, retry_scheduled, not_due, already_terminal or not_found. */
extern const char *ff_expiry_attempt(const FfExecutionId *id, int64 now_ms, FfCore *core);

/* T29. expired, not_due, already_terminal or not_found. */
extern const char *ff_expiry_deadline(const FfExecutionId *id, int64 now_ms, FfCore *core);

#endif							/* FF_EXPIRY_H */
