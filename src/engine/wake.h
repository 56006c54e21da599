/*
 * wake.h - waking listeners: what a transaction owes them when it commits.
 *
 * A NOTIFY is a wake-up, never the truth: it goes out at most once per channel
 * and lane of a transaction, and not at all when that rolls back. What a rolled
 * back savepoint owed is told all the same: early, not wrong.
 */
#ifndef FF_WAKE_H
#define FF_WAKE_H

#include "base/compat.h"

/* Owe a channel the news of an event; of several the greatest id is told. */
extern void ff_wake_channel(const char *channel, int64 event_id);

/* Owe the listeners of ff_work the news that a lane has claimable work. */
extern void ff_wake_lane(const char *lane_id);

/* Registers for the end of transactions; called once, from _PG_init. */
extern void ff_wake_init(void);

#endif							/* FF_WAKE_H */
