/*
 * schedule.h - when the background worker runs which reconciler, and one pass of
 * it: batches, each in a transaction of its own.
 */
#ifndef FF_SCHEDULE_H
#define FF_SCHEDULE_H

#include "base/compat.h"

#include "background/duty.h"
#include "engine/slot.h"

/* Begin: nothing has run, everything is to be looked at once. */
extern void ff_schedule_init(FfSlot *slot);

/* Read the switches, intervals and batch sizes anew. */
extern void ff_schedule_read_settings(void);

/* An instant at which there will be something to do, in milliseconds of the engine's clock. */
extern void ff_schedule_note_due(FfReconciler reconciler, int64 due_at_ms);

/* When the reconciler is to run next, in milliseconds of the steady clock; FF_NEVER_DUE if it is off. */
extern int64 ff_schedule_next_ms(FfReconciler reconciler);

/* Run a pass; between batches calls between(). Stops early when the worker is asked to leave. */
extern void ff_schedule_run(FfReconciler reconciler, void (*between) (void));

/* Write to ff_reconciler_state what was done since the last time; all: passes that did nothing too. */
extern void ff_schedule_save(bool all);

#endif							/* FF_SCHEDULE_H */
