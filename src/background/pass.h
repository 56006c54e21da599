/*
 * pass.h - one pass of one reconciler in the caller's transaction, in which a
 * row that raises does not keep the others from being done.
 */
#ifndef FF_PASS_H
#define FF_PASS_H

#include "background/duty.h"

typedef struct FfPass
{
	FfBatch		batch;			/* now and limit; what came of it */
	const char *namespace;		/* executions of this one alone; NULL: of any */
	const char *instance_tag;	/* the same */
	int			sqlstate;		/* of the last error; 0: none */
} FfPass;

/*
 * Run a pass of one that exists. An error of a row, undone by itself, is counted
 * and warned of with its SQLSTATE and the row's key; one that another try may
 * not meet (40001, 40P01, 55P03) counts as skipped. Class 57 goes on up.
 */
extern void ff_pass_run(FfReconciler reconciler, FfPass *pass);

#endif							/* FF_PASS_H */
