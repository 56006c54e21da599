/*
 * frontier.c - which work a lane has, and where in claim order it begins.
 */
#include "engine/frontier.h"

#include "base/clock.h"
#include "engine/slot.h"

void
ff_frontiers_reset(FfFrontiers *frontiers)
{
	memset(frontiers, 0, sizeof(FfFrontiers));
	for (int i = 0; i < FF_FRONTIER_LANES; i++)
		frontiers->lanes[i].first = -1;
	for (int i = 0; i < FF_FRONTIERS; i++)
	{
		frontiers->frontiers[i].lane = -1;
		frontiers->frontiers[i].next = i + 1 < FF_FRONTIERS ? i + 1 : -1;
	}
}

static FfFrontiers *
enter(FfSlot *slot)
{
	LWLockAcquire(slot->lock, LW_EXCLUSIVE);
	return &slot->frontiers;
}

/* The same where there is shared memory, and the worker vouches for them; else NULL. */
static FfFrontiers *
enter_vouched(FfSlot *slot)
{
	/* read without the lock: a value of just before it is as good */
	if (slot == NULL || slot->frontiers.until_ms <= ff_steady_ms())
		return NULL;
	return enter(slot);
}

static void
leave(FfSlot *slot)
{
	LWLockRelease(slot->lock);
}

static bool
is_used(const FfFrontierLane *lane)
{
	return lane->lane_id[0] != '\0';
}

static FfFrontierLane *
find_lane(FfFrontiers *all, const char *lane_id)
{
	for (int i = 0; i < FF_FRONTIER_LANES; i++)
		if (is_used(&all->lanes[i]) && strcmp(all->lanes[i].lane_id, lane_id) == 0)
			return &all->lanes[i];
	return NULL;
}

static FfFrontierLane *
unused_lane(FfFrontiers *all)
{
	for (int i = 0; i < FF_FRONTIER_LANES; i++)
		if (!is_used(&all->lanes[i]))
			return &all->lanes[i];
	return NULL;
}

static int
count(const FfFrontiers *all, const FfFrontierLane *lane)
{
	int			n = 0;

	for (int i = lane->first; i >= 0; i = all->frontiers[i].next)
		n++;
	return n;
}

static FfFrontier *
find(FfFrontiers *all, const FfFrontierLane *lane, const FfWorkClass *class)
{
	for (int i = lane->first; i >= 0; i = all->frontiers[i].next)
	{
		FfFrontier *frontier = &all->frontiers[i];

		if (frontier->caps_hash == class->caps_hash && frontier->resumable == class->resumable)
			return frontier;
	}
	return NULL;
}

/* Give back the one that this link leads to. */
static void
release(FfFrontiers *all, int *link)
{
	int			number = *link;
	FfFrontier *frontier = &all->frontiers[number];

	*link = frontier->next;
	frontier->lane = -1;
	frontier->next = all->unused;
	all->unused = number;
}

static void
release_lane(FfFrontiers *all, FfFrontierLane *lane)
{
	while (lane->first >= 0)
		release(all, &lane->first);
	lane->lane_id[0] = '\0';
}

/* Those of classes that have no work: one that is not there says the same. */
static void
release_empty(FfFrontiers *all)
{
	for (int i = 0; i < FF_FRONTIER_LANES; i++)
	{
		int		   *link = &all->lanes[i].first;

		while (*link >= 0)
		{
			if (all->frontiers[*link].empty)
				release(all, link);
			else
				link = &all->frontiers[*link].next;
		}
	}
}

/* The least lately used lane but this one; NULL when there is none. */
static FfFrontierLane *
oldest_lane(FfFrontiers *all, const FfFrontierLane *but)
{
	FfFrontierLane *oldest = NULL;

	for (int i = 0; i < FF_FRONTIER_LANES; i++)
	{
		FfFrontierLane *lane = &all->lanes[i];

		if (lane != but && is_used(lane) && (oldest == NULL || lane->used < oldest->used))
			oldest = lane;
	}
	return oldest;
}

/* Make some room, if there is none; a lane that has its share already drives out no other. */
static bool
make_room(FfFrontiers *all, const FfFrontierLane *lane)
{
	FfFrontierLane *other;

	if (all->unused < 0)
		release_empty(all);
	if (all->unused < 0 && count(all, lane) >= FF_FRONTIERS / 2)
		return false;
	while (all->unused < 0 && (other = oldest_lane(all, lane)) != NULL)
		release_lane(all, other);
	return all->unused >= 0;
}

/* The frontier of a class that has none yet; NULL where there is no room. */
static FfFrontier *
begin(FfFrontiers *all, FfFrontierLane *lane, const FfWorkClass *class)
{
	FfFrontier *frontier;
	int			number;

	if (!make_room(all, lane))
	{
		lane->complete[class->resumable] = false;
		lane->gaps++;
		return NULL;
	}
	number = all->unused;
	frontier = &all->frontiers[number];
	all->unused = frontier->next;
	frontier->next = lane->first;
	lane->first = number;
	frontier->lane = lane - all->lanes;
	frontier->caps_hash = class->caps_hash;
	frontier->resumable = class->resumable;
	frontier->passed = FF_FIRST_PLACE;
	frontier->empty = false;
	/* looks at what it was are void */
	frontier->back_moves += FF_FRONTIER_MOVES + 1;
	return frontier;
}

/* An unused lane, or the least lately used one, becomes this one. */
static FfFrontierLane *
begin_lane(FfFrontiers *all, const char *lane_id)
{
	FfFrontierLane *lane = unused_lane(all);

	if (lane == NULL)
	{
		lane = oldest_lane(all, NULL);
		release_lane(all, lane);
	}
	strlcpy(lane->lane_id, lane_id, sizeof(lane->lane_id));
	lane->first = -1;
	lane->complete[false] = lane->complete[true] = false;
	lane->gaps++;
	return lane;
}

static FfFrontierLane *
use_lane(FfFrontiers *all, const char *lane_id)
{
	FfFrontierLane *lane = find_lane(all, lane_id);

	if (lane == NULL)
		lane = begin_lane(all, lane_id);
	lane->used = ++all->uses;
	return lane;
}

static FfFrontierLook
look_at(const FfFrontiers *all, const FfFrontier *frontier)
{
	return (FfFrontierLook) {
		.caps_hash = frontier->caps_hash,.resumable = frontier->resumable,
			.number = frontier - all->frontiers,.back_moves = frontier->back_moves,
			.passed = frontier->passed,.empty = frontier->empty
	};
}

static FfLaneLook
look_at_lane(const FfFrontiers *all, const FfFrontierLane *lane)
{
	FfLaneLook	look = {.number = lane - all->lanes,.gaps = lane->gaps};

	memcpy(look.complete, lane->complete, sizeof(look.complete));
	look.classes = palloc(count(all, lane) * sizeof(FfFrontierLook));
	for (int i = lane->first; i >= 0; i = all->frontiers[i].next)
		look.classes[look.nclasses++] = look_at(all, &all->frontiers[i]);
	return look;
}

FfLaneLook
ff_frontier_look_at_lane(const char *lane_id)
{
	FfLaneLook	look = {.number = -1};
	FfSlot	   *slot = ff_slot();
	FfFrontiers *all = enter_vouched(slot);

	if (all == NULL)
		return look;
	look = look_at_lane(all, use_lane(all, lane_id));
	leave(slot);
	return look;
}

void
ff_frontier_complete(const FfLaneLook *look, const char *lane_id, bool resumable)
{
	FfSlot	   *slot = ff_slot();
	FfFrontierLane *lane;

	if (look->number < 0)
		return;
	lane = &enter(slot)->lanes[look->number];
	if (lane->gaps == look->gaps && strcmp(lane->lane_id, lane_id) == 0)
		lane->complete[resumable] = true;
	leave(slot);
}

FfFrontierLook
ff_frontier_look(const FfWorkClass *class)
{
	FfSlot	   *slot = ff_slot();
	FfFrontiers *all = enter_vouched(slot);
	FfFrontierLook look = {
		.caps_hash = class->caps_hash,.resumable = class->resumable,
		.number = -1,.passed = FF_FIRST_PLACE
	};
	FfFrontierLane *lane;
	FfFrontier *frontier;

	if (all == NULL)
		return look;
	lane = use_lane(all, class->lane_id);
	frontier = find(all, lane, class);
	if (frontier == NULL)
		frontier = begin(all, lane, class);
	if (frontier)
		look = look_at(all, frontier);
	leave(slot);
	return look;
}

/* Locks them; the frontier that was looked at, or NULL where that is another one by now. */
static FfFrontier *
enter_again(FfSlot *slot, const FfFrontierLook *look, const FfWorkClass *class)
{
	FfFrontiers *all = enter(slot);
	FfFrontier *frontier = &all->frontiers[look->number];
	bool		same = frontier->lane >= 0 && frontier->caps_hash == class->caps_hash &&
		frontier->resumable == class->resumable &&
		strcmp(all->lanes[frontier->lane].lane_id, class->lane_id) == 0;

	return same ? frontier : NULL;
}

/* Forward to this place, but not past what became claimable since the look. */
static void
advance(FfFrontier *frontier, const FfFrontierLook *look, FfPlace to)
{
	if (frontier->back_moves - look->back_moves > FF_FRONTIER_MOVES)
		return;
	for (int64 i = look->back_moves; i < frontier->back_moves; i++)
	{
		const FfPlace *moved = &frontier->moved_back[i % FF_FRONTIER_MOVES];

		if (ff_place_compare(moved, &to) < 0)
			to = *moved;
	}
	if (ff_place_compare(&to, &frontier->passed) > 0)
		frontier->passed = to;
}

void
ff_frontier_advance(const FfFrontierLook *look, const FfWorkClass *class,
					const FfPlace *first_live)
{
	FfPlace		to = ff_place_before(*first_live);
	FfSlot	   *slot = ff_slot();
	FfFrontier *frontier;

	if (look->number < 0 || ff_place_compare(&to, &look->passed) <= 0)
		return;
	frontier = enter_again(slot, look, class);
	if (frontier)
		advance(frontier, look, to);
	leave(slot);
}

void
ff_frontier_note_empty(const FfFrontierLook *look, const FfWorkClass *class)
{
	FfSlot	   *slot = ff_slot();
	FfFrontier *frontier;

	if (look->number < 0)
		return;
	frontier = enter_again(slot, look, class);
	if (frontier)
		frontier->empty |= frontier->back_moves == look->back_moves;
	leave(slot);
}

void
ff_frontier_move_back(FfFrontiers *all, const FfWorkClass *class, const FfPlace *place)
{
	FfPlace		to = ff_place_before(*place);
	FfFrontierLane *lane = find_lane(all, class->lane_id);
	FfFrontier *frontier = lane ? find(all, lane, class) : NULL;

	if (frontier)
	{
		frontier->moved_back[frontier->back_moves++ % FF_FRONTIER_MOVES] = to;
		if (ff_place_compare(&to, &frontier->passed) < 0)
			frontier->passed = to;
		frontier->empty = false;
	}
	else if (lane)
		(void) begin(all, lane, class);
}

int
ff_frontier_lane(int number, char lane_id[FF_LANE_LENGTH + 1], FfLaneLook *look)
{
	FfSlot	   *slot = ff_slot();
	FfFrontiers *all = enter(slot);

	while (number < FF_FRONTIER_LANES && !is_used(&all->lanes[number]))
		number++;
	if (number < FF_FRONTIER_LANES)
	{
		strlcpy(lane_id, all->lanes[number].lane_id, FF_LANE_LENGTH + 1);
		if (look)
			*look = look_at_lane(all, &all->lanes[number]);
	}
	leave(slot);
	return number < FF_FRONTIER_LANES ? number : -1;
}

void
ff_frontier_vouch(int64 until_ms)
{
	FfSlot	   *slot = ff_slot();

	enter(slot)->until_ms = until_ms;
	leave(slot);
}
