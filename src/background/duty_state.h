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

/* A pass that is done. */
typedef struct FfDutyPass
{
	int64		now_ms;
	double		duration_ms;
	int64		processed;
	int64		errors;
	int			sqlstate;		/* of the last error; 0: none */
} FfDutyPass;

/* Add it to the row; not where another transaction is at that: nobody waits for a statistic. */
extern void ff_duty_note(FfReconciler reconciler, const FfDutyPass *pass);

#endif							/* FF_DUTY_STATE_H */
