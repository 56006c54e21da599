/*
 * subscription.h - durable subscriptions: a filter on an outbox, and how far a
 * consumer has acknowledged (specification chapter 08, section 6).
 */
#ifndef FF_SUBSCRIPTION_H
#define FF_SUBSCRIPTION_H

#include "base/compat.h"

#include "engine/event.h"

typedef struct FfSubscription
{
	const char *name;
	FfOutbox	outbox;
	Jsonb	   *filter;
	FfPosition	position;		/* acknowledged; of another era: FF_POSITION_EARLIEST */
	bool		other_era;		/* from before a restore or upgrade: starts anew, loses nothing */
	int64		created_at_ms;
	FfInt8		acked_at_ms;
} FfSubscription;

/* Raises invalid_input unless the document is a filter; needs no database. */
extern void ff_subscription_check_filter(Jsonb *filter);

/* What a checked filter asks for. */
extern FfEventFilter ff_subscription_filter(Jsonb *filter);

/* Add one at a position; false if the name is taken. */
extern bool ff_subscription_add(const FfSubscription *subscription);

/* Find one by name, locked if so wished; raises not_found. */
extern void ff_subscription_find(const char *name, FfSubscription *subscription);
extern void ff_subscription_lock(const char *name, FfSubscription *subscription);

/* Remove one; false if there is none. */
extern bool ff_subscription_remove(const char *name);

/* All of one outbox, or with 0 of all, by name: an array in the current memory context. */
extern FfSubscription *ff_subscription_list(int outbox, int *count);

/* Acknowledge: move a locked one to a position. */
extern void ff_subscription_ack(const FfSubscription *subscription, FfPosition position, int64 now_ms);

/*
 * Move one over events that it does not want, if it still stands where it was
 * found and nobody has locked it: false otherwise. Not an acknowledgement.
 */
extern bool ff_subscription_skip(const FfSubscription *subscription, FfPosition position);

/* Were events removed that it had not acknowledged? */
extern bool ff_subscription_is_overtaken(const FfSubscription *subscription, FfPosition trimmed);

/*
 * Where a subscription is to stand that starts from the oldest event kept: it
 * has a place of its own, so that later trimming is noticed.
 */
extern FfPosition ff_subscription_start(FfOutbox outbox, FfPosition position);

#endif							/* FF_SUBSCRIPTION_H */
