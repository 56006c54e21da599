/*
 * duty.h - what each reconciler does, and one batch of it.
 *
 * A reconciler either works row by row: `select` (or `choose`) gives the keys of
 * what is due, in an order that stays, and `apply` locks what one key names (SKIP LOCKED),
 * looks again under the lock and applies the effect; or as a whole, by `sweep`.
 * `next` gives the least instant at which something is due.
 */
#ifndef FF_DUTY_H
#define FF_DUTY_H

#include "base/compat.h"

#include "nodes/pg_list.h"

#include "base/statement.h"
#include "engine/reconciler.h"

typedef struct FfBatch
{
	int64		now_ms;
	int32		limit;			/* rows to take */
	int64		passed_over;	/* rows at the head to step over: locked elsewhere, or they raised */
	int64		from_ms;		/* nothing is due before this, as far as is known */

	/* what came of it */
	int64		processed;		/* rows changed */
	int64		skipped;		/* locked elsewhere, or no longer due */
	int64		errors;
	bool		more;			/* it stopped at the limit */
	Jsonb	   *details;		/* the owner's own counters; NULL: none */
} FfBatch;

/* False for the reconcilers of families that are not built yet. */
extern bool ff_duty_exists(FfReconciler reconciler);

/* True when it works row by row: the next two are for those. */
extern bool ff_duty_has_rows(FfReconciler reconciler);

/* True when its keys begin with the id of an execution. */
extern bool ff_duty_has_executions(FfReconciler reconciler);

/* The keys of what is due, as C strings; they live until SPI is disconnected. */
extern List *ff_duty_select(FfReconciler reconciler, const FfBatch *batch);

/* Do one; false if it was locked elsewhere or no longer due. */
extern bool ff_duty_apply(FfReconciler reconciler, const char *key, int64 now_ms);

/* Run one that works as a whole. */
extern void ff_duty_sweep(FfReconciler reconciler, FfBatch *batch);

/* The owner's own counters of a batch that is done; NULL: it has none. */
extern Jsonb *ff_duty_details(FfReconciler reconciler, const FfBatch *batch);

/* True where the interval alone says when it runs, since nobody waits for what is due. */
extern bool ff_duty_is_unhurried(FfReconciler reconciler);

/* Of from_ms: look for all there is. */
#define FF_DUE_EVER PG_INT64_MIN

/* The least instant from this one on at which something is due; unset: nothing is. */
extern FfInt8 ff_duty_next(FfReconciler reconciler, int64 from_ms);

/* What is in force of one reconciler: its row of ff_reconciler_state, else the defaults. */
typedef struct FfDutySettings
{
	bool		enabled;
	int64		interval_ms;
	int32		batch_size;
} FfDutySettings;

extern void ff_duty_settings(FfDutySettings settings[FF_RECONCILERS]);

#endif							/* FF_DUTY_H */
