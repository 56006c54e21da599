/*
 * pick.h - choosing claimable work of a lane, in claim order.
 */
#ifndef FF_PICK_H
#define FF_PICK_H

#include "engine/record.h"

/* An execution that a claim has locked. */
typedef struct FfCandidate
{
	FfCore		core;
	bytea	   *payload;
	ArrayType  *required_capabilities;	/* text[] */
} FfCandidate;

typedef struct FfPick FfPick;

/*
 * Begin to pick at most `wanted` executions of a lane for a worker with these
 * capabilities (text[], normalized). Promotes resumable work whose delay is
 * over, longest due first, at most `wanted`.
 */
extern FfPick *ff_pick_begin(const char *lane_id, ArrayType *capabilities,
							 bool include_resumable, int wanted, int64 now_ms);

/*
 * The next execution in claim order (priority, age, id; over all partitions),
 * locked; rows locked by others are passed over. False when there is none.
 */
extern bool ff_pick_next(FfPick *pick, FfCandidate *candidate);

/* True when the pick changed rows: promoted some, or took withheld ones out of the way. */
extern bool ff_pick_wrote(const FfPick *pick);

/* Lock a named execution as a candidate; raises not_found. */
extern void ff_pick_named(const FfExecutionId *id, FfCandidate *candidate);

/* True unless the lane is paused or disabled: its work may be claimed. */
extern bool ff_lane_is_open(const char *lane_id);

/* True when the flow of an execution withholds it from claims (chapter 05, section 8). */
extern bool ff_flow_withholds(const FfCore *core);

#endif							/* FF_PICK_H */
