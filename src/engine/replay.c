/*
 * replay.c - suspends that may be sent again. The one writer of
 * ff_suspend_dedup.
 */
#include "engine/replay.h"

static FfStatement find_outcome =
FF_STATEMENT("find_suspend_outcome", "smallint, uuid, text, bigint",
			 "SELECT outcome_json ->> 'outcome', (outcome_json ->> 'suspension_id')::uuid,"
			 " ARRAY (SELECT id::uuid"
			 "  FROM jsonb_array_elements_text(outcome_json -> 'waitpoint_ids') AS w (id)),"
			 " decode(outcome_json ->> 'handle', 'hex')"
			 " FROM @extschema@.ff_suspend_dedup"
			 " WHERE partition_key = $1 AND execution_id = $2 AND idempotency_key = $3"
			 " AND expires_at_ms > $4");

static FfStatement store_outcome =
FF_STATEMENT("store_suspend_outcome",
			 "smallint, uuid, text, text, uuid, uuid[], bytea, bigint, bigint",
			 "INSERT INTO @extschema@.ff_suspend_dedup AS d (partition_key, execution_id,"
			 " idempotency_key, outcome_json, expires_at_ms, created_at_ms)"
			 " VALUES ($1, $2, $3, jsonb_build_object('outcome', $4, 'suspension_id', $5,"
			 "  'waitpoint_ids', $6, 'handle', encode($7, 'hex')), $8, $9)"
			 " ON CONFLICT (partition_key, execution_id, idempotency_key)"
			 " DO UPDATE SET outcome_json = excluded.outcome_json,"
			 "  expires_at_ms = excluded.expires_at_ms, created_at_ms = excluded.created_at_ms");

bool
ff_replay_find(const FfCore *core, const char *idempotency_key, int64 now_ms,
			   FfSuspendOutcome *outcome)
{
	pg_uuid_t  *ids;
	FfRow		row;

	if (!ff_statement_row(&find_outcome, &row, ff_int2(core->id.partition),
						  ff_uuid(&core->id.uuid), ff_text(idempotency_key), ff_int8(now_ms)))
		return false;
	ids = ff_uuid_array_ids(DatumGetArrayTypeP(ff_row_value(&row, 3).value),
							&outcome->nwaitpoints);
	outcome->outcome = ff_row_cstring(&row, 1);
	outcome->suspension_id = *ff_row_uuid(&row, 2);
	outcome->waitpoints = palloc0((outcome->nwaitpoints + 1) * sizeof(FfWaitpoint));
	outcome->handle = ff_row_bytea(&row, 4);
	outcome->replayed = true;

	/* once retention took the waitpoints, there is nothing to answer with */
	for (int i = 0; i < outcome->nwaitpoints; i++)
		if (!ff_waitpoint_read(core, &ids[i], &outcome->waitpoints[i]))
			return false;
	return outcome->nwaitpoints > 0;
}

void
ff_replay_store(const FfCore *core, const char *idempotency_key, const FfSuspendOutcome *outcome,
				int64 expires_at_ms, int64 now_ms)
{
	pg_uuid_t  *ids = palloc(outcome->nwaitpoints * sizeof(pg_uuid_t));

	for (int i = 0; i < outcome->nwaitpoints; i++)
		ids[i] = outcome->waitpoints[i].id;
	ff_statement_run(&store_outcome, ff_int2(core->id.partition), ff_uuid(&core->id.uuid),
					 ff_text(idempotency_key), ff_text(outcome->outcome),
					 ff_uuid(&outcome->suspension_id),
					 ff_pointer(ff_uuid_array(ids, outcome->nwaitpoints)),
					 ff_pointer(outcome->handle), ff_int8(expires_at_ms), ff_int8(now_ms));
}
