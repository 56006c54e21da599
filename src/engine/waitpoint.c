/*
 * waitpoint.c - waitpoints. The one writer of ff_waitpoint_pending, but for
 * the counters that storing a signal moves and a reissued token.
 */
#include "engine/waitpoint.h"

#include "catalog/pg_type.h"
#include "utils/fmgroids.h"

#include "engine/token.h"
#include "engine/wake.h"

#define WAITPOINT_COLUMNS \
	"w.waitpoint_id, w.waitpoint_key, w.token, w.state, w.attempt_index, w.expires_at_ms"

/*
 * With the execution's id a row is found at once by either of the indexes that
 * begin with the partition; without it a plan made on an empty table may walk a
 * whole partition.
 */
#define ONE_WAITPOINT " WHERE partition_key = $1 AND execution_id = $2 AND waitpoint_id = $3"

static FfStatement lock_waitpoint =
FF_STATEMENT("lock_waitpoint", "smallint, uuid, uuid",
			 "SELECT " WAITPOINT_COLUMNS " FROM @extschema@.ff_waitpoint_pending w" ONE_WAITPOINT
			 " FOR NO KEY UPDATE");

static FfStatement read_waitpoint =
FF_STATEMENT("read_waitpoint", "smallint, uuid, uuid",
			 "SELECT " WAITPOINT_COLUMNS " FROM @extschema@.ff_waitpoint_pending w" ONE_WAITPOINT);

/* Whoever's it is. The order asked for leaves the primary key as the only index to use. */
static FfStatement find_waitpoint =
FF_STATEMENT("find_waitpoint", "smallint, uuid",
			 "SELECT waitpoint_id FROM @extschema@.ff_waitpoint_pending"
			 " WHERE partition_key = $1 AND waitpoint_id >= $2 AND waitpoint_id <= $2"
			 " ORDER BY waitpoint_id");

static FfStatement list_open =
FF_STATEMENT("list_open_waitpoints", "smallint, uuid",
			 "SELECT waitpoint_id FROM @extschema@.ff_waitpoint_pending"
			 " WHERE partition_key = $1 AND execution_id = $2 AND state IN ('pending', 'active')");

static FfStatement count_open =
FF_STATEMENT("count_open_waitpoints", "smallint, uuid",
			 "SELECT count(*) FROM @extschema@.ff_waitpoint_pending"
			 " WHERE partition_key = $1 AND execution_id = $2 AND state IN ('pending', 'active')");

/* An array parameter holds one array of names per row, so each comes as its text. */
static FfStatement insert_waitpoints =
FF_STATEMENT("insert_waitpoints",
			 "smallint, uuid, uuid[], text[], text[], text[], text[], uuid, integer, bigint,"
			 " bigint",
			 "INSERT INTO @extschema@.ff_waitpoint_pending (partition_key, execution_id,"
			 " waitpoint_id, waitpoint_key, token, token_kid, required_signal_names,"
			 " suspension_id, attempt_index, expires_at_ms, created_at_ms, state, activated_at_ms)"
			 " SELECT $1, $2, n.id, n.key, n.token, n.kid, n.names::text[], $8, $9, $10, $11,"
			 "  CASE WHEN $8 IS NULL THEN 'pending' ELSE 'active' END,"
			 "  CASE WHEN $8 IS NOT NULL THEN $11 END"
			 " FROM unnest($3, $4, $5, $6, $7) AS n (id, key, token, kid, names)"
			 " ON CONFLICT (partition_key, waitpoint_id) DO NOTHING");

static FfStatement activate_waitpoint =
FF_STATEMENT("activate_waitpoint", "smallint, uuid, uuid, text[], integer, uuid, bigint, bigint",
			 "UPDATE @extschema@.ff_waitpoint_pending SET state = 'active',"
			 " required_signal_names = $4, matched_signal_count = matched_signal_count + $5,"
			 " suspension_id = $6, expires_at_ms = $7, activated_at_ms = $8" ONE_WAITPOINT);

static FfStatement close_waitpoint =
FF_STATEMENT("close_waitpoint", "smallint, uuid, uuid, text, text, bigint",
			 "UPDATE @extschema@.ff_waitpoint_pending SET state = $4, close_reason = $5,"
			 " closed_at_ms = $6" ONE_WAITPOINT
			 " RETURNING waitpoint_id, signal_count");

static FfStatement close_active =
FF_STATEMENT("close_active_waitpoint", "smallint, uuid, uuid, text, bigint, bigint",
			 "UPDATE @extschema@.ff_waitpoint_pending SET state = 'closed', close_reason = $4,"
			 " closed_at_ms = $5, satisfied_at_ms = COALESCE($6, satisfied_at_ms)" ONE_WAITPOINT
			 " AND state = 'active'");

static FfStatement reopen_active =
FF_STATEMENT("reopen_active_waitpoint", "smallint, uuid, uuid",
			 "UPDATE @extschema@.ff_waitpoint_pending SET state = 'pending', suspension_id = NULL,"
			 " activated_at_ms = NULL, expires_at_ms = NULL, required_signal_names = '{}'"
			 ONE_WAITPOINT " AND state = 'active'");

static FfStatement keep_active =
FF_STATEMENT("keep_active_waitpoint", "smallint, uuid, uuid",
			 "UPDATE @extschema@.ff_waitpoint_pending SET expires_at_ms = NULL" ONE_WAITPOINT
			 " AND state = 'active'");

static FfStatement close_all =
FF_STATEMENT("close_all_waitpoints", "smallint, uuid, text, bigint",
			 "UPDATE @extschema@.ff_waitpoint_pending SET state = 'closed', close_reason = $3,"
			 " closed_at_ms = $4"
			 " WHERE partition_key = $1 AND execution_id = $2 AND state IN ('pending', 'active')"
			 " RETURNING waitpoint_id, signal_count");

static FfStatement give_up_signals =
FF_STATEMENT("give_up_buffered_signals", "smallint, uuid, uuid[]",
			 "UPDATE @extschema@.ff_signal SET effect = 'no_op_waitpoint_never_activated'"
			 " WHERE ctid = ANY (ARRAY("
			 "  SELECT g.ctid FROM " FF_SIGNALS_OF_WAITPOINTS
			 "  WHERE g.effect = 'buffered_for_pending_waitpoint'))");

static const char *const state_words[] = {
	[FF_PENDING_WAITPOINT] = "pending",
	[FF_ACTIVE_WAITPOINT] = "active",
	[FF_CLOSED_WAITPOINT] = "closed",
	[FF_EXPIRED_WAITPOINT] = "expired",
};

FfWaitpointState
ff_waitpoint_state(const char *word)
{
	for (int i = 0; i < (int) lengthof(state_words); i++)
		if (strcmp(state_words[i], word) == 0)
			return (FfWaitpointState) i;
	elog(ERROR, "no waitpoint state \"%s\"", word);
}

ArrayType *
ff_uuid_array(const pg_uuid_t *ids, int nids)
{
	Datum	   *datums = palloc(nids * sizeof(Datum));

	for (int i = 0; i < nids; i++)
		datums[i] = UUIDPGetDatum(&ids[i]);
	return construct_array(datums, nids, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR);
}

pg_uuid_t *
ff_uuid_array_ids(ArrayType *array, int *nids)
{
	Datum	   *datums;
	bool	   *nulls;
	int			ndatums;
	pg_uuid_t  *ids;

	deconstruct_array(array, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR, &datums, &nulls, &ndatums);
	ids = palloc((ndatums + 1) * sizeof(pg_uuid_t));
	*nids = 0;
	for (int i = 0; i < ndatums; i++)
		if (!nulls[i])
			ids[(*nids)++] = *DatumGetUUIDP(datums[i]);
	return ids;
}

#define KEY(core, waitpoint_id) \
	ff_int2((core)->id.partition), ff_uuid(&(core)->id.uuid), ff_uuid(waitpoint_id)

static void
read_row(const FfRow *row, FfWaitpoint *waitpoint)
{
	waitpoint->id = *ff_row_uuid(row, 1);
	waitpoint->key = ff_row_cstring(row, 2);
	waitpoint->token = ff_row_cstring(row, 3);
	waitpoint->token_kid = NULL;
	waitpoint->state = ff_waitpoint_state(ff_row_cstring(row, 4));
	waitpoint->attempt_index = ff_row_value(row, 5).isnull ? ff_none()
		: ff_some(ff_row_int4(row, 5));
	waitpoint->expires_at_ms = ff_row_maybe_int8(row, 6);
}

static bool
waitpoint_exists(const FfCore *core, const pg_uuid_t *id)
{
	FfRow		row;

	return ff_statement_row(&find_waitpoint, &row, ff_int2(core->id.partition), ff_uuid(id));
}

void
ff_waitpoint_refuse_missing(const FfCore *core, const pg_uuid_t *id, FfErrorKind not_found_kind,
							FfErrorKind foreign_kind)
{
	if (waitpoint_exists(core, id))
		ff_raise(foreign_kind, errmsg("waitpoint %s is not one of execution %s",
									  ff_uuid_text(id), ff_execution_id_text(&core->id)));
	ff_raise(not_found_kind, errmsg("waitpoint %s of execution %s does not exist",
									ff_uuid_text(id), ff_execution_id_text(&core->id)));
}

void
ff_waitpoint_lock(const FfCore *core, const pg_uuid_t *id, FfWaitpoint *waitpoint)
{
	FfRow		row;

	if (!ff_statement_row(&lock_waitpoint, &row, KEY(core, id)))
		ff_waitpoint_refuse_missing(core, id, FF_WAITPOINT_NOT_FOUND,
									FF_INVALID_WAITPOINT_FOR_EXECUTION);
	read_row(&row, waitpoint);
}

static int
compare_ids(const void *a, const void *b)
{
	return memcmp(*(const pg_uuid_t *const *) a, *(const pg_uuid_t *const *) b, UUID_LEN);
}

void
ff_waitpoint_lock_many(const FfCore *core, const pg_uuid_t *ids, int nids, FfWaitpoint *waitpoints)
{
	const pg_uuid_t **ascending = palloc((nids + 1) * sizeof(pg_uuid_t *));

	for (int i = 0; i < nids; i++)
		ascending[i] = &ids[i];
	if (nids > 1)
		qsort(ascending, nids, sizeof(pg_uuid_t *), compare_ids);
	for (int i = 0; i < nids; i++)
		ff_waitpoint_lock(core, ascending[i], &waitpoints[ascending[i] - ids]);
}

bool
ff_waitpoint_read(const FfCore *core, const pg_uuid_t *id, FfWaitpoint *waitpoint)
{
	FfRow		row;

	if (!ff_statement_row(&read_waitpoint, &row, KEY(core, id)))
		return false;
	read_row(&row, waitpoint);
	return true;
}

int
ff_waitpoint_list_open(const FfExecutionId *execution, pg_uuid_t **ids)
{
	FfRows		found = ff_statement_run(&list_open, ff_int2(execution->partition),
										 ff_uuid(&execution->uuid));

	*ids = palloc((found.count + 1) * sizeof(pg_uuid_t));
	for (uint64 i = 0; i < found.count; i++)
	{
		FfRow		row = ff_rows_get(&found, i);

		(*ids)[i] = *ff_row_uuid(&row, 1);
	}
	return (int) found.count;
}

static void
refuse_existing(const pg_uuid_t *id)
{
	ff_raise(FF_WAITPOINT_ALREADY_EXISTS,
			 errmsg("waitpoint %s exists already", ff_uuid_text(id)),
			 errhint("Waitpoint ids are never used again; leave the id out to have one made."));
}

void
ff_waitpoint_refuse_expired(const pg_uuid_t *id)
{
	ff_raise(FF_PENDING_WAITPOINT_EXPIRED,
			 errmsg("waitpoint %s was pending for too long", ff_uuid_text(id)));
}

void
ff_waitpoint_check_room(const FfCore *core, int more)
{
	int64		open;
	FfRow		row;

	if ((core->dependents & FF_HAS_WAITPOINT) == 0)
		return;
	ff_statement_row(&count_open, &row, ff_int2(core->id.partition), ff_uuid(&core->id.uuid));
	open = ff_row_int8(&row, 1);
	if (open + more > FF_MAX_OPEN_WAITPOINTS)
		ff_raise_rule(FF_INVALID_INPUT, "too_many_open_waitpoints",
					  psprintf("execution %s has too many open waitpoints",
							   ff_execution_id_text(&core->id)),
					  "%d with the new ones, at most %d", (int) open + more,
					  FF_MAX_OPEN_WAITPOINTS);
}

void
ff_waitpoint_check_unused(const FfCore *core, const pg_uuid_t *id)
{
	if (waitpoint_exists(core, id))
		refuse_existing(id);
}

void
ff_waitpoint_sign(const FfCore *core, FfWaitpoint *waitpoint)
{
	char	   *kid;

	waitpoint->token = ff_token_sign(&core->id, &waitpoint->id, &kid);
	waitpoint->token_kid = kid;
}

/* An array as the text that casts back to it. */
static Datum
array_text(ArrayType *array)
{
	return CStringGetTextDatum(OidOutputFunctionCall(F_ARRAY_OUT, PointerGetDatum(array)));
}

static ArrayType *
text_array(Datum *texts, int ntexts)
{
	return construct_array(texts, ntexts, TEXTOID, -1, false, TYPALIGN_INT);
}

void
ff_waitpoint_insert(const FfCore *core, const FfWaitpoint *waitpoints, int nwaitpoints,
					ArrayType *const *required_signal_names, const FfWaitpointTerms *terms)
{
	pg_uuid_t  *ids = palloc(nwaitpoints * sizeof(pg_uuid_t));
	Datum	   *keys = palloc(nwaitpoints * sizeof(Datum));
	Datum	   *tokens = palloc(nwaitpoints * sizeof(Datum));
	Datum	   *kids = palloc(nwaitpoints * sizeof(Datum));
	Datum	   *names = palloc(nwaitpoints * sizeof(Datum));

	for (int i = 0; i < nwaitpoints; i++)
	{
		ids[i] = waitpoints[i].id;
		keys[i] = CStringGetTextDatum(waitpoints[i].key);
		tokens[i] = CStringGetTextDatum(waitpoints[i].token);
		kids[i] = CStringGetTextDatum(waitpoints[i].token_kid);
		names[i] = array_text(required_signal_names[i]);
	}
	/* a row that is not inserted met the same id, given to another execution at this moment */
	if (ff_statement_run(&insert_waitpoints, ff_int2(core->id.partition), ff_uuid(&core->id.uuid),
						 ff_pointer(ff_uuid_array(ids, nwaitpoints)),
						 ff_pointer(text_array(keys, nwaitpoints)),
						 ff_pointer(text_array(tokens, nwaitpoints)),
						 ff_pointer(text_array(kids, nwaitpoints)),
						 ff_pointer(text_array(names, nwaitpoints)),
						 ff_uuid(terms->suspension_id), ff_int4(terms->attempt_index),
						 ff_maybe_int8(terms->expires_at_ms),
						 ff_int8(terms->now_ms)).count < (uint64) nwaitpoints)
		ff_raise(FF_WAITPOINT_ALREADY_EXISTS,
				 errmsg("a waitpoint id given for execution %s was taken meanwhile",
						ff_execution_id_text(&core->id)));
	if (terms->suspension_id == NULL && terms->expires_at_ms.isset)
		ff_wake_due(FF_PENDING_WAITPOINT_EXPIRY, terms->expires_at_ms.value);
}

void
ff_waitpoint_activate(const FfCore *core, const FfWaitpoint *waitpoint,
					  ArrayType *required_signal_names, int counted,
					  const FfWaitpointTerms *terms)
{
	ff_statement_run(&activate_waitpoint, KEY(core, &waitpoint->id),
					 ff_pointer(required_signal_names), ff_int4(counted),
					 ff_uuid(terms->suspension_id), ff_maybe_int8(terms->expires_at_ms),
					 ff_int8(terms->now_ms));
}

/* The signals of closed waitpoints that were never looked at come to nothing. */
static void
give_up(const FfCore *core, const FfRows *closed)
{
	pg_uuid_t  *ids = palloc((closed->count + 1) * sizeof(pg_uuid_t));
	int			nids = 0;

	for (uint64 i = 0; i < closed->count; i++)
	{
		FfRow		row = ff_rows_get(closed, i);

		if (ff_row_int4(&row, 2) > 0)
			ids[nids++] = *ff_row_uuid(&row, 1);
	}
	if (nids > 0)
		ff_statement_run(&give_up_signals, ff_int2(core->id.partition), ff_uuid(&core->id.uuid),
						 ff_pointer(ff_uuid_array(ids, nids)));
}

void
ff_waitpoint_close(const FfCore *core, const pg_uuid_t *id, FfWaitpointState state,
				   const char *close_reason, int64 now_ms)
{
	FfRows		closed = ff_statement_run(&close_waitpoint, KEY(core, id),
										  ff_text(state_words[state]), ff_text(close_reason),
										  ff_int8(now_ms));

	give_up(core, &closed);
}

/* The ids of a suspension's waitpoints; it may have none. */
static pg_uuid_t *
ids_of(ArrayType *array, int *nids)
{
	*nids = 0;
	return array ? ff_uuid_array_ids(array, nids) : NULL;
}

void
ff_waitpoint_close_active(const FfCore *core, ArrayType *ids, const char *close_reason,
						  bool satisfied, int64 now_ms)
{
	int			nids;
	pg_uuid_t  *each = ids_of(ids, &nids);

	for (int i = 0; i < nids; i++)
		ff_statement_run(&close_active, KEY(core, &each[i]), ff_text(close_reason),
						 ff_int8(now_ms), satisfied ? ff_int8(now_ms) : ff_null());
}

void
ff_waitpoint_reopen(const FfCore *core, ArrayType *ids)
{
	int			nids;
	pg_uuid_t  *each = ids_of(ids, &nids);

	for (int i = 0; i < nids; i++)
		ff_statement_run(&reopen_active, KEY(core, &each[i]));
}

void
ff_waitpoint_keep(const FfCore *core, ArrayType *ids)
{
	int			nids;
	pg_uuid_t  *each = ids_of(ids, &nids);

	for (int i = 0; i < nids; i++)
		ff_statement_run(&keep_active, KEY(core, &each[i]));
}

void
ff_waitpoint_close_all(const FfCore *core, const char *close_reason, int64 now_ms)
{
	FfRows		closed = ff_statement_run(&close_all, ff_int2(core->id.partition),
										  ff_uuid(&core->id.uuid), ff_text(close_reason),
										  ff_int8(now_ms));

	give_up(core, &closed);
}
