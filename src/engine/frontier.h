/*
 * frontier.h - which work a lane has, and where in claim order it begins.
 *
 * Index entries of work that was claimed stay at the head of the claim order
 * until vacuum removes them, which an old snapshot keeps it from. So that a
 * claim need not step over them, nor ask the index for the classes of work that
 * the lane has, shared memory holds both, for the lanes that claims went to
 * lately: the classes, and for each a place up to which nothing is to be had.
 *
 * Claims move a frontier forward, to just before the first row that a fresh
 * snapshot shows, and note the classes that they find where not all are known.
 * Whoever makes work claimable notes its class and moves its frontier back,
 * after the commit; a forward move that was looked up before such a commit does
 * not pass the new work, since the last moves back are kept. What nobody tells
 * of, the commit of a prepared transaction or a row put in by hand, is found by
 * the background worker's sweep, which looks for other classes and before the
 * frontiers every one to five seconds. After each it vouches for what is held here
 * until some time after the next; when that has passed, as without a worker or
 * shared memory, claims ask the index and begin at the head. So nothing stays
 * hidden, whatever the worker is kept by.
 */
#ifndef FF_FRONTIER_H
#define FF_FRONTIER_H

#include "base/compat.h"

#include "base/id.h"
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
#define FF_FRONTIERS 256		/* of one database; those without work make way, then other lanes */
#define FF_FRONTIER_LANES 128	/* of one database; the least lately used one makes way */

typedef struct FfFrontier
{
	int			next;			/* of the same lane, or of those unused; -1: the last */
	int			lane;			/* its number; -1: unused */
	bool		resumable;
	int64		caps_hash;
	int64		back_moves;		/* ever, over all frontiers that this one has been */
	FfPlace		passed;			/* nothing is to be had up to here */
	bool		empty;			/* nor behind it */
	FfPlace		moved_back[FF_FRONTIER_MOVES];	/* by back_moves modulo their number */
} FfFrontier;

typedef struct FfFrontierLane
{
	char		lane_id[FF_LANE_LENGTH + 1];	/* empty: unused */
	int			first;			/* of its frontiers; -1: it has none */
	bool		complete[2];	/* all its classes are known, fresh and resumable */
	int64		gaps;			/* raised where the frontiers may no longer be of all classes looked at */
	int64		used;			/* by a count of uses */
} FfFrontierLane;

/* What one database has of them. */
typedef struct FfFrontiers
{
	FfFrontierLane lanes[FF_FRONTIER_LANES];
	FfFrontier	frontiers[FF_FRONTIERS];
	int			unused;			/* the first one; -1: there is none */
	int64		uses;
	int64		until_ms;		/* swept until then, of the steady clock; 0: not */
} FfFrontiers;

extern void ff_frontiers_reset(FfFrontiers *frontiers);

/* A look at the frontier of a class, to be taken before the snapshot of what follows. */
typedef struct FfFrontierLook
{
	int64		caps_hash;
	bool		resumable;
	int			number;			/* -1: there is none */
	int64		back_moves;
	FfPlace		passed;			/* begin behind this */
	bool		empty;			/* there is nothing behind it */
} FfFrontierLook;

/* A look at those of all classes of a lane that are known. */
typedef struct FfLaneLook
{
	bool		complete[2];	/* no other class has work, fresh and resumable */
	int			number;			/* of the lane; -1: it is not kept */
	int64		gaps;
	int			nclasses;
	FfFrontierLook *classes;	/* palloc'd */
} FfLaneLook;

extern FfLaneLook ff_frontier_look_at_lane(const char *lane_id);

/*
 * After this look ff_frontier_look found a frontier for every class that the
 * index has for fresh, or for resumable, work: from now on no other need be asked
 * for. Not for a transaction that has written: its index may be rolled back.
 */
extern void ff_frontier_complete(const FfLaneLook *look, const char *lane_id, bool resumable);

/* Notes the class where it is not known yet. */
extern FfFrontierLook ff_frontier_look(const FfWorkClass *class);

/*
 * The first live row, by a snapshot younger than the look, is at this place, or
 * there is none. Not for a transaction that has written: what it has taken may be
 * had again.
 */
extern void ff_frontier_advance(const FfFrontierLook *look, const FfWorkClass *class,
								const FfPlace *first_live);
extern void ff_frontier_note_empty(const FfFrontierLook *look, const FfWorkClass *class);

/* Work became claimable at this place: after the commit, by one who holds the slot's lock. */
extern void ff_frontier_move_back(FfFrontiers *frontiers, const FfWorkClass *class,
								  const FfPlace *place);

/* The rest is for the worker, which has a slot. */

/*
 * The number of the first lane from this number on, with a copy of its id and,
 * unless that is NULL, a look at it, which is no use of the lane; -1: there is none.
 */
extern int	ff_frontier_lane(int number, char lane_id[FF_LANE_LENGTH + 1], FfLaneLook *look);

/* All lanes were swept, and will be again before this instant of the steady clock; 0: they will not. */
extern void ff_frontier_vouch(int64 until_ms);

#endif							/* FF_FRONTIER_H */
