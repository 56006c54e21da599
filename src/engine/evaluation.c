/*
 * evaluation.c - moving a suspension's condition on by signals.
 */
#include "engine/evaluation.h"

#include "catalog/pg_type.h"

/* A signal that waited for its suspension. */
typedef struct FfBufferedSignal
{
	pg_uuid_t	id;
	pg_uuid_t	waitpoint_id;
	int64		seq;
	FfSignalFacts facts;
	FfMatchResult match;
} FfBufferedSignal;

static FfStatement insert_satisfier =
FF_STATEMENT("insert_satisfier", "smallint, uuid, uuid, text, text, uuid",
			 "INSERT INTO @extschema@.ff_signal_satisfier"
			 " (partition_key, execution_id, suspension_id, node_path, token, signal_id)"
			 " VALUES ($1, $2, $3, $4, $5, $6)"
			 " ON CONFLICT (partition_key, execution_id, suspension_id, node_path, token)"
			 " DO NOTHING");

static FfStatement delete_satisfiers =
FF_STATEMENT("delete_satisfiers", "smallint, uuid, uuid",
			 "DELETE FROM @extschema@.ff_signal_satisfier"
			 " WHERE partition_key = $1 AND execution_id = $2 AND suspension_id = $3");

static FfStatement read_buffered =
FF_STATEMENT("read_buffered_signals", "smallint, uuid, uuid[]",
			 "SELECT g.signal_id, g.waitpoint_id, g.seq, g.signal_name, g.source_type,"
			 " g.source_identity FROM " FF_SIGNALS_OF_WAITPOINTS
			 " WHERE g.consumed_at_ms IS NULL AND g.source_type <> 'engine'");

static FfStatement store_buffered =
FF_STATEMENT("store_buffered_signals", "smallint, uuid, bigint[], uuid, text, text",
			 "UPDATE @extschema@.ff_signal SET suspension_id = $4, match_result = $5, effect = $6"
			 " WHERE partition_key = $1 AND execution_id = $2 AND seq = ANY ($3)");

static FfStatement consume_signals =
FF_STATEMENT("consume_signals", "smallint, uuid, uuid[], boolean, boolean, bigint",
			 "UPDATE @extschema@.ff_signal SET consumed_at_ms = $6"
			 " WHERE ctid = ANY (ARRAY("
			 "  SELECT g.ctid FROM " FF_SIGNALS_OF_WAITPOINTS
			 "  WHERE g.consumed_at_ms IS NULL"
			 "  AND CASE WHEN g.match_result = 'counted' THEN $4 ELSE $5 END))");

FfEvaluation
ff_evaluation_begin(const FfCore *core, const pg_uuid_t *suspension_id,
					const FfCondition *condition, Jsonb *satisfied_set, Jsonb *member_map)
{
	return (FfEvaluation) {
		.core = core,
		.suspension_id = suspension_id,
		.state = ff_condition_load(condition, satisfied_set, member_map)
	};
}

/* One offer, for the callback. */
typedef struct Offer
{
	const FfEvaluation *evaluation;
	const pg_uuid_t *signal_id;
} Offer;

static bool
is_new_value(const char *node_path, const char *token, void *arg)
{
	const Offer *offer = arg;

	return ff_statement_run(&insert_satisfier, ff_int2(offer->evaluation->core->id.partition),
							ff_uuid(&offer->evaluation->core->id.uuid),
							ff_uuid(offer->evaluation->suspension_id), ff_text(node_path),
							ff_text(token), ff_uuid(offer->signal_id)).count > 0;
}

FfOffer
ff_evaluation_offer(FfEvaluation *evaluation, const FfSignalFacts *facts,
					const pg_uuid_t *signal_id)
{
	Offer		offer = {.evaluation = evaluation,.signal_id = signal_id};

	return ff_condition_offer(evaluation->state, facts, is_new_value, &offer);
}

void
ff_evaluation_forget(const FfEvaluation *evaluation)
{
	ff_statement_run(&delete_satisfiers, ff_int2(evaluation->core->id.partition),
					 ff_uuid(&evaluation->core->id.uuid), ff_uuid(evaluation->suspension_id));
}

static const char *
key_of(const FfWaitpoint *waitpoints, int nwaitpoints, const pg_uuid_t *id)
{
	for (int i = 0; i < nwaitpoints; i++)
		if (memcmp(&waitpoints[i].id, id, UUID_LEN) == 0)
			return waitpoints[i].key;
	elog(ERROR, "a signal was read for waitpoint %s", ff_uuid_text(id));
}

static int
compare_seq(const void *a, const void *b)
{
	int64		x = ((const FfBufferedSignal *) a)->seq;
	int64		y = ((const FfBufferedSignal *) b)->seq;

	return x < y ? -1 : x > y;
}

/* In the order in which they came. */
static FfBuffer
read_buffer(const FfCore *core, const FfWaitpoint *waitpoints, int nwaitpoints)
{
	pg_uuid_t  *ids = palloc((nwaitpoints + 1) * sizeof(pg_uuid_t));
	FfBuffer	buffer = {0};
	FfRows		rows;

	for (int i = 0; i < nwaitpoints; i++)
		ids[i] = waitpoints[i].id;
	rows = ff_statement_run(&read_buffered, ff_int2(core->id.partition), ff_uuid(&core->id.uuid),
							ff_pointer(ff_uuid_array(ids, nwaitpoints)));
	buffer.nsignals = (int) rows.count;
	buffer.signals = palloc_extended((rows.count + 1) * sizeof(FfBufferedSignal), MCXT_ALLOC_HUGE);
	for (int i = 0; i < buffer.nsignals; i++)
	{
		FfRow		row = ff_rows_get(&rows, i);
		FfBufferedSignal *signal = &buffer.signals[i];

		signal->id = *ff_row_uuid(&row, 1);
		signal->waitpoint_id = *ff_row_uuid(&row, 2);
		signal->seq = ff_row_int8(&row, 3);
		signal->facts = (FfSignalFacts) {
			.waitpoint_key = key_of(waitpoints, nwaitpoints, &signal->waitpoint_id),
			.signal_name = ff_row_cstring(&row, 4),
			.source_type = ff_row_cstring(&row, 5),
			.source_identity = ff_row_cstring(&row, 6),
		};
	}
	if (buffer.nsignals > 1)
		qsort(buffer.signals, buffer.nsignals, sizeof(FfBufferedSignal), compare_seq);
	return buffer;
}

FfBuffer
ff_buffer_evaluate(FfEvaluation *evaluation, const FfWaitpoint *waitpoints, int nwaitpoints)
{
	FfBuffer	buffer = read_buffer(evaluation->core, waitpoints, nwaitpoints);

	for (int i = 0; i < buffer.nsignals; i++)
	{
		FfBufferedSignal *signal = &buffer.signals[i];
		FfOffer		offer = ff_evaluation_offer(evaluation, &signal->facts, &signal->id);

		signal->match = offer.match;
		if (offer.became_satisfied)
			buffer.closer = &signal->id;
	}
	return buffer;
}

int
ff_buffer_counted(const FfBuffer *buffer, const pg_uuid_t *waitpoint_id)
{
	int			counted = 0;

	for (int i = 0; i < buffer->nsignals; i++)
		if (buffer->signals[i].match == FF_MATCH_COUNTED &&
			memcmp(&buffer->signals[i].waitpoint_id, waitpoint_id, UUID_LEN) == 0)
			counted++;
	return counted;
}

static void
store_some(const FfEvaluation *evaluation, Datum *seqs, int nseqs, FfMatchResult match,
		   const char *effect)
{
	const FfExecutionId *id = &evaluation->core->id;

	if (nseqs > 0)
		ff_statement_run(&store_buffered, ff_int2(id->partition), ff_uuid(&id->uuid),
						 ff_pointer(construct_array(seqs, nseqs, INT8OID, sizeof(int64),
													FLOAT8PASSBYVAL, TYPALIGN_DOUBLE)),
						 ff_uuid(evaluation->suspension_id),
						 ff_text(ff_match_result_word(match)), ff_text(effect));
}

/* One statement per match result, and one for the closer. */
void
ff_buffer_store(const FfBuffer *buffer, const FfEvaluation *evaluation)
{
	Datum	   *seqs = palloc_extended((buffer->nsignals + 1) * sizeof(Datum), MCXT_ALLOC_HUGE);
	int			nseqs;

	for (int match = FF_MATCH_COUNTED; match < FF_MATCH_NOT_EVALUATED; match++)
	{
		nseqs = 0;
		for (int i = 0; i < buffer->nsignals; i++)
			if ((int) buffer->signals[i].match == match && &buffer->signals[i].id != buffer->closer)
				seqs[nseqs++] = Int64GetDatum(buffer->signals[i].seq);
		store_some(evaluation, seqs, nseqs, (FfMatchResult) match, "appended_to_waitpoint");
	}
	nseqs = 0;
	for (int i = 0; i < buffer->nsignals; i++)
		if (&buffer->signals[i].id == buffer->closer)
			seqs[nseqs++] = Int64GetDatum(buffer->signals[i].seq);
	store_some(evaluation, seqs, nseqs, FF_MATCH_COUNTED, "resume_condition_satisfied");
}

void
ff_buffer_consume(const FfCore *core, ArrayType *waitpoint_ids, const FfResumePolicy *policy,
				  int64 now_ms)
{
	bool		matched = policy->consume_matched_signals;
	bool		others = !policy->retain_signal_buffer_until_closed;

	if (waitpoint_ids && (matched || others))
		ff_statement_run(&consume_signals, ff_int2(core->id.partition), ff_uuid(&core->id.uuid),
						 ff_pointer(waitpoint_ids), ff_bool(matched), ff_bool(others),
						 ff_int8(now_ms));
}
