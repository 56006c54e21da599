/*
 * trim.h - removing old events (specification chapter 08, section 6.2).
 *
 * Events go in the order of positions, as far as they are old enough, are no
 * completion that still has to be dispatched, and were acknowledged by every
 * subscription to the outbox, or are so old that nobody is waited for. Before
 * that each subscription is moved over the events that it does not want.
 */
#ifndef FF_TRIM_H
#define FF_TRIM_H

#include "base/compat.h"

#include "engine/outbox.h"

/*
 * Trim one outbox as far as that goes: events recorded before an instant (Unix
 * ms), at most max_rows. force: acknowledged or not. Waits for another session
 * that trims it. Returns how many events were deleted.
 */
extern int64 ff_trim(FfOutbox outbox, int64 before_ms, int64 max_rows, bool force, int64 now_ms);

/* What one batch did. */
typedef struct FfTrimBatch
{
	int64		processed;		/* subscriptions moved and events deleted */
	int64		skipped;		/* outboxes that another session trims */
	bool		more;			/* it stopped at max_rows */
} FfTrimBatch;

/*
 * One batch over all outboxes by the settings outbox_retention_ms and
 * outbox_max_retention_ms: at most max_rows events deleted, and of each
 * subscription some times as many looked at. Waits for nobody; with nothing to
 * do it writes nothing and takes no transaction id.
 */
extern void ff_trim_batch(int64 max_rows, int64 now_ms, FfTrimBatch *batch);

/*
 * When the oldest event comes of age that nothing else holds, by outbox_state
 * and the settings; FF_NEVER_DUE (slot.h) if none does. A few index probes. It
 * is for people to see: a trimmer that woke up for each event by itself would
 * seldom have more than one to delete, so its interval is what to run it by.
 */
extern int64 ff_trim_next_due_ms(void);

#endif							/* FF_TRIM_H */
