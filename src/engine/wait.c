/*
 * wait.c - waiting for what another session commits.
 */
#include "engine/wait.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

#include "base/clock.h"
#include "engine/slot.h"
#include "engine/wake.h"

/* How long a wait sleeps, in milliseconds: at first and at most. */
#define FIRST_NAP_MS 10
#define FIRST_SOON_MS 5
#define LONGEST_NAP_MS 250
/* The commit of a prepared transaction wakes nobody. */
#define LONGEST_SLEEP_MS 1000

ConditionVariable *
ff_wait_on_outbox(FfOutbox outbox)
{
	FfSlot	   *slot = ff_slot();

	return slot ? &slot->outbox_changed[outbox] : NULL;
}

ConditionVariable *
ff_wait_on_lane(const char *lane_id)
{
	FfSlot	   *slot = ff_slot();

	return slot ? ff_slot_lane_changed(slot, lane_id) : NULL;
}

void
ff_wait_begin(FfWait *wait, ConditionVariable *on, int64 block_ms)
{
	wait->block = block_ms > 0 && !IsolationUsesXactSnapshot();
	wait->on = wait->block && !RecoveryInProgress() ? on : NULL;
	wait->nap_ms = 0;
	wait->waited = false;
	wait->timed_out = false;
	wait->look = NULL;
	if (!wait->block)
		return;
	wait->look = AllocSetContextCreate(CurrentMemoryContext, "ffengine look", ALLOCSET_SMALL_SIZES);
	wait->caller = MemoryContextSwitchTo(wait->look);
	wait->until_ms = ff_steady_ms() + block_ms;
	if (wait->on)
		ConditionVariablePrepareToSleep(wait->on);
}

void
ff_nap(long nap_ms)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 nap_ms, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

/* 5 or 10, then twice as long each time. */
static long
next_nap(FfWait *wait, bool soon)
{
	if (wait->on && !soon)
	{
		wait->nap_ms = 0;
		return LONGEST_SLEEP_MS;
	}
	if (wait->nap_ms == 0)
		wait->nap_ms = soon ? FIRST_SOON_MS : FIRST_NAP_MS;
	else
		wait->nap_ms = Min(wait->nap_ms * 2, LONGEST_NAP_MS);
	return wait->nap_ms;
}

/*
 * A worker that was killed while it waited is to get no work. PostgreSQL finds
 * out by itself only if client_connection_check_interval is set.
 */
static void
check_client(const FfWait *wait)
{
	if (MyProcPort == NULL || !ff_sees_lost_client())
		return;
	if (!pq_check_connection())
	{
		ClientConnectionLost = true;
		InterruptPending = true;
	}
	/* that may have reset the latch, for which a condition variable waits */
	if (wait->on)
		SetLatch(MyLatch);
}

bool
ff_wait_next(FfWait *wait, bool soon)
{
	long		left;
	long		nap_ms;

	if (!wait->block)
		return false;
	left = wait->until_ms - ff_steady_ms();
	if (left <= 0)
	{
		wait->timed_out = true;
		return false;
	}
	wait->waited = true;
	/* not inside Min(), which evaluates its arguments twice */
	nap_ms = next_nap(wait, soon);
	nap_ms = Min(nap_ms, left);
	if (wait->on)
		(void) ConditionVariableTimedSleep(wait->on, nap_ms, PG_WAIT_EXTENSION);
	else
		ff_nap(nap_ms);
	check_client(wait);
	CHECK_FOR_INTERRUPTS();
	MemoryContextReset(wait->look);
	return true;
}

void
ff_wait_end(FfWait *wait)
{
	if (wait->on)
		(void) ConditionVariableCancelSleep();
	if (wait->waited)
		ff_wake_count(wait->timed_out ? FF_COUNT_LONG_POLLS_TIMEOUT : FF_COUNT_LONG_POLLS_EVENTS, 1);
	if (wait->look)
	{
		MemoryContextSwitchTo(wait->caller);
		MemoryContextDelete(wait->look);
	}
}
