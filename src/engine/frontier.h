/*
 * frontier.h - where the live work of a lane begins, in claim order.
 *
 * Index entries of work that was claimed stay at the head of the claim order
 * until vacuum removes them, which an old snapshot keeps it from. So that a
 * claim need not step over them, shared memory holds, for each capability class
 * of a lane, a place up to which nothing is to be had.
 *
 * Claims move it forward, to just before the first row that a fresh snapshot
 * shows. Whoever makes earlier work claimable moves it back, after the commit;
 * a forward move that was looked up before such a commit does not pass the new
 * work, since the last moves back are kept. What nobody tells of, the commit of
 * a prepared transaction or a row put in by hand, is found by the background
 * worker's sweep, which looks at what lies before the frontier every second or
 * so. After each it vouches for the frontiers until some time after the next;
 * when that has passed, as without a worker or shared memory, claims begin at
 * the head. So nothing stays hidden, whatever the worker is kept by.
 */
#ifndef FF_FRONTIER_H
#define FF_FRONTIER_H

#include "base/compat.h"

#include "engine/place.h"

/* One capability class of a lane; resumable work has an order of its own. */
typedef struct FfWorkClass
{
	const char *lane_id;
	int64		caps_hash;
	bool		resumable;
} FfWorkClass;

/* Moves back that are kept, for forward moves on their way. */
#define FF_FRONTIER_MOVES 16
#define FF_FRONTIERS 128		/* of one database; the least lately used one makes way */

typedef struct FfFrontier
{
	char		lane_id[65];	/* empty: unused */
	bool		resumable;
	int64		caps_hash;
	int64		used;			/* by a count of uses */
	int64		back_moves;		/* ever, over all frontiers that this one has been */
	FfPlace		passed;			/* nothing is to be had up to here */
	FfPlace		moved_back[FF_FRONTIER_MOVES];	/* by back_moves modulo their number */
} FfFrontier;

/* A look at the frontier of a class, to be taken before the snapshot of what follows. */
typedef struct FfFrontierLook
{
	int			number;			/* -1: there is none */
	int64		back_moves;
	FfPlace		passed;			/* begin behind this */
} FfFrontierLook;

extern FfFrontierLook ff_frontier_look(const FfWorkClass *class);

/*
 * The first live row, by a snapshot younger than the look, is at this place:
 * nothing is to be had before it. Not for a transaction that has written: what
 * it has taken may be had again.
 */
extern void ff_frontier_advance(const FfFrontierLook *look, const FfWorkClass *class,
								const FfPlace *first_live);

/* Work became claimable at this place: after the commit. */
extern void ff_frontier_move_back(const FfWorkClass *class, const FfPlace *place);

/*
 * For the sweep: the frontier of this number, and a look at it, which points
 * into the copy for its class; false where there is none.
 */
extern bool ff_frontier_get(int number, FfFrontier *copy, FfFrontierLook *look,
							FfWorkClass *class);

/* All frontiers were swept, and will be again before this instant of the steady clock. */
extern void ff_frontier_vouch(int64 until_ms);

#endif							/* FF_FRONTIER_H */
