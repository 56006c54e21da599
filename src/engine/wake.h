/*
 * wake.h - what a transaction owes when it has committed: news for listeners
 * and for sessions that wait, instants for the background worker, counts.
 *
 * It is noted as the operation goes along, dropped with a transaction or
 * savepoint that rolls back, and settled after the commit is visible. None of
 * it is the truth: a wake-up may be late, early, doubled or missing.
 *
 * How listeners are notified is ffengine.notify_mode: by the database's
 * background worker after the commit, or, in mode transactional or without a
 * worker, by the committing transaction itself.
 */
#ifndef FF_WAKE_H
#define FF_WAKE_H

#include "base/compat.h"

#include "engine/counter.h"
#include "engine/frontier.h"
#include "engine/outbox.h"
#include "engine/reconciler.h"

/* Owe the readers of an outbox the news of an event; of several the greatest id is told. */
extern void ff_wake_outbox(FfOutbox outbox, int64 event_id);

/* Owe ff_work and waiting claims the news that a lane is open. */
extern void ff_wake_lane(const char *lane_id);

/* The same of claimable work at this place, and a move back of the class's frontier. */
extern void ff_wake_work(const FfWorkClass *class, const FfPlace *place);

/*
 * True where this transaction owes work of a class, the first of it at this
 * place: the frontier does not know of it yet.
 */
extern bool ff_wake_owes_work(const FfWorkClass *class, FfPlace *first);

/* A reconciler will have something to do at this instant. */
extern void ff_wake_due(FfReconciler reconciler, int64 due_at_ms);

/* A reconciler's switch, interval or batch size changed. */
extern void ff_wake_settings(void);

/* The background worker of this database is to be started. */
extern void ff_wake_start_worker(void);

/* Count something that happened, if the transaction commits. */
extern void ff_wake_count(FfCounter counter, int64 n);

/* Queue a NOTIFY of an outbox's channel, or of ff_work, in this transaction. */
extern void ff_wake_notify_outbox(FfOutbox outbox, int64 event_id);
extern void ff_wake_notify_lane(const char *lane_id);	/* "": several lanes */

/* Registers for the end of transactions; called once, from _PG_init. */
extern void ff_wake_init(void);

#endif							/* FF_WAKE_H */
