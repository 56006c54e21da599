/*
 * timeout.h - the end of a suspension's time (T20; specification chapter 03,
 * 6.4), for the operator's function and the reconciler alike.
 */
#ifndef FF_TIMEOUT_H
#define FF_TIMEOUT_H

#include "engine/record.h"

typedef struct FfTimeout
{
	const char *outcome;		/* expired, not_due or not_suspended */
	const char *behavior;		/* what was applied; NULL unless expired */
} FfTimeout;

/* Apply the timeout of a locked execution's open suspension, if it is due. */
extern FfTimeout ff_timeout_apply(FfCore *core, int64 now_ms);

#endif							/* FF_TIMEOUT_H */
