/*
 * counter.h - what ff_stats counts (specification chapter 08, section 10):
 * events of committed work, added up in the transaction (wake.h) and published
 * in the database's slot when it has committed.
 */
#ifndef FF_COUNTER_H
#define FF_COUNTER_H

#include "base/compat.h"

typedef enum FfCounter
{
	FF_COUNT_EXECUTIONS_CREATED,
	FF_COUNT_SUSPENSIONS,
	FF_COUNT_RESUMES,
	FF_COUNT_RECLAIMS,
	FF_COUNT_CLAIMS_CLAIMED,
	FF_COUNT_CLAIMS_EMPTY,
	FF_COUNT_RENEWALS_OK,
	FF_COUNT_RENEWALS_REFUSED,
	FF_COUNT_ATTEMPT_SUCCESS,	/* in the order of FfOutcome */
	FF_COUNT_ATTEMPT_FAILED,
	FF_COUNT_ATTEMPT_RETRY,
	FF_COUNT_ATTEMPT_CANCELLED,
	FF_COUNT_ATTEMPT_EXPIRED,
	FF_COUNT_ATTEMPT_SKIPPED,
	FF_COUNT_SIGNAL_SATISFIED,
	FF_COUNT_SIGNAL_APPENDED,
	FF_COUNT_SIGNAL_IGNORED,
	FF_COUNT_SIGNAL_BUFFERED,
	FF_COUNT_SIGNAL_DEDUPED,
	FF_COUNT_SIGNAL_TIMED_OUT,
	FF_COUNT_SIGNAL_ESCALATED,
	FF_COUNT_EVENTS_COMPLETION, /* by outbox, in the order of FfOutbox */
	FF_COUNT_EVENTS_LEASE_HISTORY,
	FF_COUNT_EVENTS_SIGNAL_DELIVERY,
	FF_COUNT_EVENTS_OPERATOR_EVENTS,
	FF_COUNT_EVENTS_INSTANCE_TAGS,
	FF_COUNT_EVENTS_WORKER_REGISTRY,
	FF_COUNT_GRANTS_ISSUED,
	FF_COUNT_GRANTS_REDEEMED,
	FF_COUNT_GRANTS_EXPIRED,
	FF_COUNT_NOTIFY_COMPLETION, /* by outbox too */
	FF_COUNT_NOTIFY_LEASE_EVENT,
	FF_COUNT_NOTIFY_SIGNAL_EVENT,
	FF_COUNT_NOTIFY_OPERATOR_EVENT,
	FF_COUNT_NOTIFY_INSTANCE_TAG,
	FF_COUNT_NOTIFY_WORKER_EVENT,
	FF_COUNT_NOTIFY_WORK,
	FF_COUNT_LONG_POLLS_EVENTS,
	FF_COUNT_LONG_POLLS_TIMEOUT,
	FF_COUNTERS
} FfCounter;

/* How a counter is shown. */
typedef struct FfCounterNames
{
	const char *name;
	const char *label;			/* NULL: it has none */
	const char *value;			/* of the label */
	const char *help;
} FfCounterNames;

extern const FfCounterNames ff_counter_names[FF_COUNTERS];

/* The counter of a signal's effect, by the word that its event has. */
extern FfCounter ff_counter_of_signal(const char *effect);

#endif							/* FF_COUNTER_H */
