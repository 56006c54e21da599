/*
 * blocking.h - keeping an execution from being claimed for a reason, and
 * letting it go: T30 and T31.
 */
#ifndef FF_BLOCKING_H
#define FF_BLOCKING_H

#include "engine/record.h"

/* The reason that a caller may block for; raises invalid_blocking_reason. */
extern FfBlockingReason ff_blocking_reason_find(const char *name);

/*
 * T30, or T30 again with another detail where it is blocked for this reason
 * already: NULL. Else nothing changes, and the state that forbids it comes
 * back. detail may be NULL; a blocked_on of NULL leaves what there is. Needs
 * the execution's lock.
 */
extern const char *ff_blocking_block(FfCore *core, FfBlockingReason reason, const char *detail,
									 const pg_uuid_t *blocked_on, int64 now_ms);

/* True for an execution that is blocked for a reason that a caller may lift. */
extern bool ff_blocking_is_blocked(const FfCore *core);

/*
 * T31: to wait for its dependencies where some are open, else where SETTLE
 * says. Locks the attempt; needs the execution's lock.
 */
extern void ff_blocking_unblock(FfCore *core, int64 now_ms);

#endif							/* FF_BLOCKING_H */
