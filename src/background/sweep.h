/*
 * sweep.h - making sure that no frontier hides work (frontier.h): what became
 * claimable and moved none back, such as the rows of a prepared transaction.
 */
#ifndef FF_SWEEP_H
#define FF_SWEEP_H

#include "base/compat.h"

/* When the next sweep is due, in milliseconds of the steady clock. */
extern int64 ff_sweep_next_ms(void);

/* Look before each frontier, and vouch for them. Runs a transaction of its own. */
extern void ff_sweep_run(void);

#endif							/* FF_SWEEP_H */
