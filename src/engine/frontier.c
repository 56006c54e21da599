/*
 * frontier.c - where the live work of a lane begins, in claim order.
 */
#include "engine/frontier.h"

#include "base/clock.h"
#include "engine/slot.h"

static bool
is_of(const FfFrontier *frontier, const FfWorkClass *class)
{
	return frontier->caps_hash == class->caps_hash && frontier->resumable == class->resumable &&
		strcmp(frontier->lane_id, class->lane_id) == 0;
}

static FfFrontier *
find(FfSlot *slot, const FfWorkClass *class)
{
	for (int i = 0; i < FF_FRONTIERS; i++)
		if (is_of(&slot->frontiers[i], class))
			return &slot->frontiers[i];
	return NULL;
}

/* The least lately used frontier becomes that of another class. */
static FfFrontier *
begin(FfSlot *slot, const FfWorkClass *class)
{
	FfFrontier *frontier = &slot->frontiers[0];

	for (int i = 1; i < FF_FRONTIERS; i++)
		if (slot->frontiers[i].used < frontier->used)
			frontier = &slot->frontiers[i];
	strlcpy(frontier->lane_id, class->lane_id, sizeof(frontier->lane_id));
	frontier->caps_hash = class->caps_hash;
	frontier->resumable = class->resumable;
	frontier->passed = FF_FIRST_PLACE;
	/* looks at what it was are void */
	frontier->back_moves += FF_FRONTIER_MOVES + 1;
	return frontier;
}

FfFrontierLook
ff_frontier_look(const FfWorkClass *class)
{
	FfFrontierLook look = {.number = -1,.passed = FF_FIRST_PLACE};
	FfSlot	   *slot = ff_slot();
	FfFrontier *frontier;

	/* read without the lock: a value of just before it is as good */
	if (slot == NULL || slot->frontiers_until_ms <= ff_steady_ms())
		return look;
	LWLockAcquire(slot->lock, LW_EXCLUSIVE);
	frontier = find(slot, class);
	if (frontier == NULL)
		frontier = begin(slot, class);
	frontier->used = ++slot->frontier_uses;
	look.number = frontier - slot->frontiers;
	look.back_moves = frontier->back_moves;
	look.passed = frontier->passed;
	LWLockRelease(slot->lock);
	return look;
}

void
ff_frontier_advance(const FfFrontierLook *look, const FfWorkClass *class,
					const FfPlace *first_live)
{
	FfSlot	   *slot = ff_slot();
	FfFrontier *frontier;
	FfPlace		to = ff_place_before(*first_live);

	if (slot == NULL || look->number < 0)
		return;
	frontier = &slot->frontiers[look->number];
	LWLockAcquire(slot->lock, LW_EXCLUSIVE);
	if (is_of(frontier, class) && frontier->back_moves - look->back_moves <= FF_FRONTIER_MOVES)
	{
		/* not past what became claimable since the look */
		for (int64 i = look->back_moves; i < frontier->back_moves; i++)
		{
			const FfPlace *moved = &frontier->moved_back[i % FF_FRONTIER_MOVES];

			if (ff_place_compare(moved, &to) < 0)
				to = *moved;
		}
		if (ff_place_compare(&to, &frontier->passed) > 0)
			frontier->passed = to;
	}
	LWLockRelease(slot->lock);
}

void
ff_frontier_move_back(const FfWorkClass *class, const FfPlace *place)
{
	FfSlot	   *slot = ff_slot();
	FfFrontier *frontier;
	FfPlace		to = ff_place_before(*place);

	if (slot == NULL)
		return;
	LWLockAcquire(slot->lock, LW_EXCLUSIVE);
	frontier = find(slot, class);
	if (frontier)
	{
		frontier->moved_back[frontier->back_moves++ % FF_FRONTIER_MOVES] = to;
		if (ff_place_compare(&to, &frontier->passed) < 0)
			frontier->passed = to;
	}
	LWLockRelease(slot->lock);
}

bool
ff_frontier_get(int number, FfFrontier *copy, FfFrontierLook *look, FfWorkClass *class)
{
	FfSlot	   *slot = ff_slot();

	LWLockAcquire(slot->lock, LW_SHARED);
	*copy = slot->frontiers[number];
	LWLockRelease(slot->lock);
	*look = (FfFrontierLook) {
		.number = number,.back_moves = copy->back_moves,.passed = copy->passed
	};
	*class = (FfWorkClass) {
		.lane_id = copy->lane_id,.caps_hash = copy->caps_hash,.resumable = copy->resumable
	};
	return copy->lane_id[0] != '\0';
}

void
ff_frontier_vouch(int64 until_ms)
{
	FfSlot	   *slot = ff_slot();

	LWLockAcquire(slot->lock, LW_EXCLUSIVE);
	slot->frontiers_until_ms = until_ms;
	LWLockRelease(slot->lock);
}
