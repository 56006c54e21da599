/*
 * notifier.h - sending the notifications that commits left to the background
 * worker: one per channel and lane, however many commits asked for it.
 */
#ifndef FF_NOTIFIER_H
#define FF_NOTIFIER_H

#include "base/compat.h"

#include "engine/slot.h"

/*
 * Take over what commits have left in the slot, unless a notification went out
 * less than ffengine.notify_delay ago and it is not to be done at once. Then
 * send, in a transaction of its own. A failure to send is logged once and tried
 * again.
 */
extern void ff_notifier_run(FfSlot *slot, bool at_once);

/* From when on notifications may go out again, in milliseconds of the steady clock. */
extern int64 ff_notifier_gate_ms(void);

/* When it has something to do, in milliseconds of the steady clock; FF_NEVER_DUE: not until a wake-up. */
extern int64 ff_notifier_next_ms(void);

#endif							/* FF_NOTIFIER_H */
