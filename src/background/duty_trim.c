/*
 * duty_trim.c - the reconcilers of rows that belong to no execution: worker
 * registrations, remembered idempotency keys, retired signing keys, events.
 */
#include "background/duty_table.h"

#include "engine/outbox.h"
#include "engine/trim.h"

/* worker_registry_ttl_sweep. Namespace and instance are words, so blanks may part them. */

#define REGISTRATIONS "ff_worker_registry WHERE true"
#define INSTANCE " WHERE partition_key = $1 AND namespace = $2 AND worker_instance_id = $3"

static FfStatement due_registrations =
FF_DUE_ROWS("due_registrations", "partition_key || ' ' || namespace || ' ' || worker_instance_id",
			REGISTRATIONS, "ttl_check_at_ms");
static FfStatement next_registration =
FF_DUE_NEXT("next_registration", REGISTRATIONS, "ttl_check_at_ms");

static FfStatement lock_registration =
FF_STATEMENT("lock_registration", "smallint, text, text",
			 "SELECT last_heartbeat_ms + liveness_ttl_ms FROM @extschema@.ff_worker_registry"
			 INSTANCE " FOR UPDATE SKIP LOCKED");

static FfStatement look_again =
FF_STATEMENT("look_at_registration_again", "smallint, text, text, bigint",
			 "UPDATE @extschema@.ff_worker_registry SET ttl_check_at_ms = $4" INSTANCE);

static FfStatement sweep_registration =
FF_STATEMENT("sweep_registration", "smallint, text, text",
			 "DELETE FROM @extschema@.ff_worker_registry" INSTANCE);

static bool
apply_registration(const char *key, int64 now_ms)
{
	char	   *rest = NULL;
	char	   *copy = pstrdup(key);
	int16		partition = (int16) atoi(strtok_r(copy, " ", &rest));
	const char *namespace = strtok_r(NULL, " ", &rest);
	const char *instance = rest;
	FfRow		row;
	int64		until_ms;

	if (namespace == NULL ||
		!ff_statement_row(&lock_registration, &row, ff_int2(partition), ff_text(namespace),
						  ff_text(instance)))
		return false;
	until_ms = ff_row_int8(&row, 1);
	if (until_ms > now_ms)
	{
		ff_statement_run(&look_again, ff_int2(partition), ff_text(namespace), ff_text(instance),
						 ff_int8(until_ms));
		return false;
	}
	ff_statement_run(&sweep_registration, ff_int2(partition), ff_text(namespace),
					 ff_text(instance));
	ff_outbox_worker(namespace, instance, "ttl_swept", NULL, now_ms);
	return true;
}

const FfDuty ff_duty_worker_registry_ttl_sweep = {
	.select = &due_registrations,
	.apply = apply_registration,
	.next = &next_registration,
};

/* dedup_trimmer: nobody asks for such a row any more, so many go at once. */

#define TRIM(table) \
	FF_STATEMENT("trim_" table, "bigint, bigint", \
				 "DELETE FROM @extschema@." table " WHERE ctid = ANY (ARRAY(" \
				 "SELECT d.ctid FROM @extschema@." table " d WHERE d.expires_at_ms <= $1" \
				 " ORDER BY d.expires_at_ms LIMIT $2 FOR UPDATE SKIP LOCKED))")
#define OLDEST(table) \
	"(SELECT d.expires_at_ms FROM @extschema@." table " d ORDER BY d.expires_at_ms LIMIT 1)"

static FfStatement trim_keys[] = {
	TRIM("ff_execution_dedup"),
	TRIM("ff_suspend_dedup"),
	TRIM("ff_signal_dedup"),
};

static FfStatement next_key =
FF_STATEMENT("next_dedup", "bigint",
			 "SELECT LEAST(" OLDEST("ff_execution_dedup") ", " OLDEST("ff_suspend_dedup") ", "
			 OLDEST("ff_signal_dedup") ")");

static void
trim_dedup(FfBatch *batch)
{
	for (int i = 0; i < (int) lengthof(trim_keys) && batch->processed < batch->limit; i++)
		batch->processed += ff_statement_run(&trim_keys[i], ff_int8(batch->now_ms),
											 ff_int8(batch->limit - batch->processed)).count;
	batch->more = batch->processed >= batch->limit;
}

const FfDuty ff_duty_dedup_trimmer = {
	.sweep = trim_dedup,
	.next = &next_key,
	.unhurried = true,
};

/*
 * hmac_kid_gc. There are few keys, found by their names. One that is kept for an
 * open waitpoint is not what the next look waits for.
 */

#define GRACE "86400000"
#define RETIRED "ff_waitpoint_hmac k WHERE NOT k.active AND k.expires_at_ms + " GRACE

static FfStatement due_kids =
FF_STATEMENT("due_kids", "bigint, bigint, bigint, bigint",
			 "SELECT k.kid FROM @extschema@." RETIRED " <= $1"
			 " ORDER BY k.kid LIMIT $2 OFFSET $3");

static FfStatement next_kid =
FF_STATEMENT("next_kid", "bigint",
			 "SELECT min(k.expires_at_ms) + " GRACE " FROM @extschema@." RETIRED
			 " > @extschema@.ff_server_time_ms() AND k.kid >= ''");

static FfStatement drop_kid =
FF_STATEMENT("drop_kid", "text, bigint",
			 "DELETE FROM @extschema@.ff_waitpoint_hmac WHERE kid IN ("
			 "SELECT k.kid FROM @extschema@." RETIRED " <= $2 AND k.kid = $1"
			 " AND NOT EXISTS (SELECT FROM @extschema@.ff_waitpoint_pending w"
			 "  WHERE w.token_kid = k.kid AND w.state IN ('pending', 'active'))"
			 " FOR UPDATE SKIP LOCKED)");

static bool
apply_kid(const char *kid, int64 now_ms)
{
	return ff_statement_run(&drop_kid, ff_text(kid), ff_int8(now_ms)).count > 0;
}

const FfDuty ff_duty_hmac_kid_gc = {
	.select = &due_kids,
	.apply = apply_kid,
	.next = &next_kid,
};

/* outbox_trimmer: by its interval, since events come of age all the time. */

static void
trim_outboxes(FfBatch *batch)
{
	FfTrimBatch trimmed;

	ff_trim_batch(batch->limit, batch->now_ms, &trimmed);
	batch->processed = trimmed.processed;
	batch->skipped = trimmed.skipped;
	batch->more = trimmed.more;
}

const FfDuty ff_duty_outbox_trimmer = {
	.sweep = trim_outboxes,
};
