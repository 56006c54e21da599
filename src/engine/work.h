/*
 * work.h - what a worker does under its lease, by itself or for many at once.
 */
#ifndef FF_WORK_H
#define FF_WORK_H

#include "engine/fence.h"

/* T10 behind the fence; true if it was done before. core is the execution after it. */
extern bool ff_work_complete(const FfFence *fence, bytea *result, const char *encoding,
							 int64 now_ms, FfCore *core);

/* T08 behind the fence; attempt is the one renewed. */
extern void ff_work_renew(const FfFence *fence, int64 lease_ttl_ms, int64 now_ms,
						  FfAttempt *attempt);

/* By whom a lease ends, for its event: worker or operator. */
extern const char *ff_work_ended_by(const FfFence *fence);

/* Note on whose authority an attempt ends, where that is told (a triple, or none). */
extern void ff_work_note_source(const FfFence *fence, FfAttempt *attempt);

#endif							/* FF_WORK_H */
