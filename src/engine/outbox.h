/*
 * outbox.h - writing events: one row in the transaction of the change it tells
 * of. A trigger on each outbox stamps the row's position and wakes listeners.
 */
#ifndef FF_OUTBOX_H
#define FF_OUTBOX_H

#include "engine/record.h"

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
