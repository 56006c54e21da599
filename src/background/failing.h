/*
 * failing.h - rows that a reconciler could not do: one that fails in three
 * passes running is parked, left out of the next ten.
 */
#ifndef FF_FAILING_H
#define FF_FAILING_H

#include "base/compat.h"

/* The failing rows of one reconciler, in the memory of the process; NULL: none. */
typedef struct FfFailing FfFailing;

/* Note that a row failed in this pass; true the first time: it is to be logged. */
extern bool ff_failing_note(FfFailing **rows, const char *key);

extern bool ff_failing_is_parked(const FfFailing *rows, const char *key);

/* A pass is over: how many rows are parked now. Those that no longer fail are forgotten. */
extern int	ff_failing_settle(FfFailing **rows);

#endif							/* FF_FAILING_H */
