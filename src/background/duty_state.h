/*
 * duty_state.h - what the table ff_reconciler_state says of each reconciler, as
 * far as it was changed, and how its passes went.
 */
#ifndef FF_DUTY_STATE_H
#define FF_DUTY_STATE_H

#include "background/duty.h"
#include "engine/slot.h"

typedef struct FfDutyState
{
	FfDutySettings settings;	/* in force */
	FfReconcilerRun run;		/* as last noted; what only a worker knows is unset */
} FfDutyState;

extern void ff_duty_states(FfDutyState states[FF_RECONCILERS]);

/* Before its settings are read to be changed: until the transaction ends nobody else does that. */
extern void ff_duty_change_begin(FfReconciler reconciler);

/* Store settings, as changed at now. */
extern void ff_duty_change(FfReconciler reconciler, const FfDutySettings *settings, int64 now_ms);

/*
 * Write how the last pass of a run went; its runs, processed and errors are
 * added to the row's. False where another transaction is at that: nobody waits
 * for a statistic.
 */
extern bool ff_duty_note(FfReconciler reconciler, const FfReconcilerRun *run);

/* Add the last pass of a run to what ff_stats shows, where there is shared memory for it. */
extern void ff_duty_count(FfReconciler reconciler, const FfReconcilerRun *run);

#endif							/* FF_DUTY_STATE_H */
