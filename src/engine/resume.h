/*
 * resume.h - a suspended execution goes on (specification chapter 03, 6.1).
 */
#ifndef FF_RESUME_H
#define FF_RESUME_H

#include "engine/suspension.h"

/* How a suspension ends so that the execution goes on. */
typedef struct FfResume
{
	const char *close_reason;
	const pg_uuid_t *closer_signal_id;	/* may be NULL */
	FfInt8		delay_ms;		/* until it may be claimed; unset: the policy's, else none */
	bool		to_history;		/* move the closed row at once */
	int64		now_ms;
} FfResume;

/*
 * Resume (T18), by signal, timeout or operator: close the suspension and its
 * waitpoints and move the execution on. Needs the execution's lock.
 */
extern void ff_resume(FfCore *core, FfSuspension *suspension, const FfResume *resume);

#endif							/* FF_RESUME_H */
