/*
 * wait.h - waiting for what another session commits: a lane's work, an
 * outbox's events, a stream's frames.
 *
 *	FfWait	wait;
 *
 *	ff_wait_begin(&wait, ff_wait_on_outbox(FF_OUTBOX_COMPLETION), block_ms);
 *	while (!look(&soon) && ff_wait_next(&wait, soon))
 *		;
 *	ff_wait_end(&wait);
 *
 * Begun before the first look, so that what commits between the look and the
 * sleep is not missed. Each look is to use a new snapshot. A look that changed
 * rows must not be followed by a wait: it would sleep with their locks. What a
 * look palloc'd is gone after it, for every commit may be a look; rows of a
 * statement stay until ff_rows_free.
 *
 * Preloaded, the backend sleeps until a commit wakes it, at most a second; it
 * looks again after 5, 10, ... 250 ms where the look said `soon`: something is
 * there that cannot be read yet. Otherwise, and on a standby, it looks again
 * after 10, 20, ... 250 ms. Cancellation and shutdown end the wait, and so does the
 * loss of the client, before a look.
 */
#ifndef FF_WAIT_H
#define FF_WAIT_H

#include "base/compat.h"

#include "storage/condition_variable.h"

#include "engine/outbox.h"

typedef struct FfWait
{
	ConditionVariable *on;		/* NULL: polling */
	int64		until_ms;		/* steady clock */
	long		nap_ms;
	bool		block;			/* false: only one look */
	bool		waited;			/* it slept */
	bool		timed_out;		/* and its time was over before a look found something */
	MemoryContext look;			/* what one look allocates; NULL where there is only one */
	MemoryContext caller;
} FfWait;

/* What to wait on; NULL without shared memory: ff_wait_begin then polls. */
extern ConditionVariable *ff_wait_on_outbox(FfOutbox outbox);
extern ConditionVariable *ff_wait_on_lane(const char *lane_id);

/*
 * block_ms 0 never waits; nor does a transaction whose snapshot can never
 * change (REPEATABLE READ, SERIALIZABLE).
 */
extern void ff_wait_begin(FfWait *wait, ConditionVariable *on, int64 block_ms);

/* Sleep; false when the time is over: no further look. */
extern bool ff_wait_next(FfWait *wait, bool soon);

/* Counts a call that waited, by whether its time was over before something came. */
extern void ff_wait_end(FfWait *wait);

/* Sleep so many milliseconds, or until the latch is set; open to cancellation. */
extern void ff_nap(long nap_ms);

#endif							/* FF_WAIT_H */
