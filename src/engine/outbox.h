/*
 * outbox.h - writing events: one row in the transaction of the change it tells
 * of. A trigger on each outbox stamps the row's position and wakes listeners.
 */
#ifndef FF_OUTBOX_H
#define FF_OUTBOX_H

#include "engine/record.h"

/* The outboxes; the numbers are those of event cursors. */
typedef enum FfOutbox
{
	FF_OUTBOX_COMPLETION = 1,
	FF_OUTBOX_LEASE_HISTORY,
	FF_OUTBOX_SIGNAL_DELIVERY,
	FF_OUTBOX_OPERATOR_EVENTS,
	FF_OUTBOX_INSTANCE_TAGS,
	FF_OUTBOX_WORKER_REGISTRY
} FfOutbox;

#define FF_OUTBOXES 6

typedef struct FfOutboxNames
{
	const char *stream;			/* as functions call it */
	const char *channel;		/* for LISTEN */
} FfOutboxNames;

/* By number; the first is unused. */
extern const FfOutboxNames ff_outbox_names[FF_OUTBOXES + 1];

/* The outbox of a stream name; 0 if there is none. */
extern int	ff_outbox_find(const char *stream);

/* The same for an argument: invalid_input/unknown_value if there is none. */
extern FfOutbox ff_outbox_check(const char *stream);

/*
 * The execution's columns of an event (id, namespace, instance tag) come from
 * core; now_ms is when it happened.
 */

/* type: acquired, renewed, expired, reclaimed or revoked. reason, revoked_by, worker may be NULL. */
extern void ff_outbox_lease(const FfCore *core, const FfAttempt *attempt, const char *type,
							const char *reason, const char *revoked_by,
							const char *worker_instance_id, int64 now_ms);

/* outcome: one of the five ends, or resumable, which is born dispatched. */
extern void ff_outbox_completion(const FfCore *core, const char *outcome, int64 now_ms);

/* effect: satisfied, appended, ignored, buffered, deduped, timed_out or escalated. */
extern void ff_outbox_signal(const FfCore *core, const pg_uuid_t *signal_id,
							 const pg_uuid_t *waitpoint_id, const char *source_identity,
							 const char *effect, int64 now_ms);

/* type: attached or cleared; only for the tag that ffengine.instance_tag_key names. */
extern void ff_outbox_instance_tag(const FfCore *core, const char *type, const char *tag,
								   int64 now_ms);

/* kind: registered, heartbeat, marked_dead or ttl_swept; reason may be NULL. No execution is concerned. */
extern void ff_outbox_worker(const char *namespace, const char *worker_instance_id,
							 const char *kind, const char *reason, int64 now_ms);

#endif							/* FF_OUTBOX_H */
