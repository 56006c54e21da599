/*
 * outbox.c - writing events.
 */
#include "engine/outbox.h"

#include "base/argument.h"
#include "base/setting.h"
#include "engine/wake.h"

/* clang-format off */
const FfOutboxNames ff_outbox_names[FF_OUTBOXES + 1] = {
	[FF_OUTBOX_COMPLETION] = {"completion", "ff_completion"},
	[FF_OUTBOX_LEASE_HISTORY] = {"lease_history", "ff_lease_event"},
	[FF_OUTBOX_SIGNAL_DELIVERY] = {"signal_delivery", "ff_signal_event"},
	[FF_OUTBOX_OPERATOR_EVENTS] = {"operator_events", "ff_operator_event"},
	[FF_OUTBOX_INSTANCE_TAGS] = {"instance_tags", "ff_instance_tag"},
	[FF_OUTBOX_WORKER_REGISTRY] = {"worker_registry", "ff_worker_event"},
};
/* clang-format on */

int
ff_outbox_find(const char *stream)
{
	for (int i = 1; i <= FF_OUTBOXES; i++)
		if (strcmp(ff_outbox_names[i].stream, stream) == 0)
			return i;
	return 0;
}

FfOutbox
ff_outbox_check(const char *stream)
{
	const char *names[FF_OUTBOXES];

	for (int i = 0; i < FF_OUTBOXES; i++)
		names[i] = ff_outbox_names[i + 1].stream;
	return ff_check_one_of(stream, "stream", names, FF_OUTBOXES) + 1;
}

static FfStatement insert_lease_event =
FF_STATEMENT("insert_lease_event",
			 "smallint, text, text, text, text, text, text, bigint, integer, text, bigint, text",
			 "INSERT INTO @extschema@.ff_lease_event (partition_key, execution_id, namespace,"
			 " instance_tag, event_type, reason, revoked_by, lease_epoch, attempt_index,"
			 " worker_instance_id, occurred_at_ms, lease_id)"
			 " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)");

static FfStatement insert_completion_event =
FF_STATEMENT("insert_completion_event",
			 "smallint, uuid, text, text, uuid, text, integer, bigint, bigint",
			 "INSERT INTO @extschema@.ff_completion_event (partition_key, execution_id, namespace,"
			 " instance_tag, flow_id, outcome, attempt_index, occurred_at_ms, dispatched_at_ms)"
			 " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)");

static FfStatement insert_signal_event =
FF_STATEMENT("insert_signal_event",
			 "smallint, text, text, text, text, text, text, text, bigint",
			 "INSERT INTO @extschema@.ff_signal_event (partition_key, execution_id, namespace,"
			 " instance_tag, signal_id, waitpoint_id, source_identity, effect, delivered_at_ms)"
			 " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)");

static FfStatement insert_instance_tag_event =
FF_STATEMENT("insert_instance_tag_event",
			 "smallint, text, text, text, text, text, bigint",
			 "INSERT INTO @extschema@.ff_instance_tag_event (partition_key, execution_id, namespace,"
			 " instance_tag, event_type, tag, occurred_at_ms)"
			 " VALUES ($1, $2, $3, $4, $5, $6, $7)");

static FfStatement insert_worker_event =
FF_STATEMENT("insert_worker_event", "smallint, text, text, text, bigint, text",
			 "INSERT INTO @extschema@.ff_worker_registry_event (partition_key, namespace,"
			 " worker_instance_id, event_kind, event_at_ms, reason)"
			 " VALUES ($1, $2, $3, $4, $5, $6)");

static const char *
uuid_text(const pg_uuid_t *uuid)
{
	return uuid ? ff_uuid_text(uuid) : NULL;
}

static const char *
instance_tag(const FfCore *core)
{
	if (ff_instance_tag_key == NULL || ff_instance_tag_key[0] == '\0')
		return NULL;
	return ff_core_tag(core, ff_instance_tag_key);
}

void
ff_outbox_lease(const FfCore *core, const FfAttempt *attempt, const char *type,
				const char *reason, const char *revoked_by, const char *worker_instance_id,
				int64 now_ms)
{
	ff_statement_run(&insert_lease_event,
					 ff_int2(core->id.partition), ff_text(uuid_text(&core->id.uuid)),
					 ff_text(ff_core_namespace(core)), ff_text(instance_tag(core)),
					 ff_text(type), ff_text(reason), ff_text(revoked_by),
					 ff_int8(attempt->lease_epoch), ff_int4(attempt->attempt_index),
					 ff_text(worker_instance_id), ff_int8(now_ms),
					 ff_text(uuid_text(attempt->lease_id)));
}

void
ff_outbox_completion(const FfCore *core, const char *outcome, int64 now_ms)
{
	bool		resumable = strcmp(outcome, "resumable") == 0;

	ff_statement_run(&insert_completion_event,
					 ff_int2(core->id.partition), ff_uuid(&core->id.uuid),
					 ff_text(ff_core_namespace(core)), ff_text(instance_tag(core)),
					 ff_uuid(core->flow_id), ff_text(outcome), ff_int4(core->attempt_index),
					 ff_int8(now_ms), resumable ? ff_int8(now_ms) : ff_null());
}

void
ff_outbox_signal(const FfCore *core, const pg_uuid_t *signal_id, const pg_uuid_t *waitpoint_id,
				 const char *source_identity, const char *effect, int64 now_ms)
{
	ff_statement_run(&insert_signal_event,
					 ff_int2(core->id.partition), ff_text(uuid_text(&core->id.uuid)),
					 ff_text(ff_core_namespace(core)), ff_text(instance_tag(core)),
					 ff_text(uuid_text(signal_id)), ff_text(uuid_text(waitpoint_id)),
					 ff_text(source_identity), ff_text(effect), ff_int8(now_ms));
	ff_wake_count(ff_counter_of_signal(effect), 1);
}

void
ff_outbox_instance_tag(const FfCore *core, const char *type, const char *tag, int64 now_ms)
{
	ff_statement_run(&insert_instance_tag_event,
					 ff_int2(core->id.partition), ff_text(uuid_text(&core->id.uuid)),
					 ff_text(ff_core_namespace(core)), ff_text(instance_tag(core)),
					 ff_text(type), ff_text(tag), ff_int8(now_ms));
}

void
ff_outbox_worker(const char *namespace, const char *worker_instance_id, const char *kind,
				 const char *reason, int64 now_ms)
{
	ff_statement_run(&insert_worker_event,
					 ff_int2(ff_partition_of_worker(worker_instance_id)), ff_text(namespace),
					 ff_text(worker_instance_id), ff_text(kind), ff_int8(now_ms),
					 ff_text(reason));
}
