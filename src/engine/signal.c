/*
 * signal.c - delivering a signal to a waitpoint. The one writer of ff_signal's
 * rows, ff_signal_counter and ff_signal_dedup.
 */
#include "engine/resume.h"
#include "engine/signal.h"

#include "base/clock.h"
#include "base/setting.h"
#include "engine/evaluation.h"
#include "engine/outbox.h"
#include "engine/policy.h"
#include "engine/waitpoint.h"

#define SATISFIED "resume_condition_satisfied"
#define APPENDED "appended_to_waitpoint"
#define BUFFERED "buffered_for_pending_waitpoint"

/*
 * Everything a delivery looks at besides the execution, whose lock makes all of
 * it stand still.
 */
static FfStatement lock_target =
FF_STATEMENT("lock_signal_target", "smallint, uuid, uuid, text, bigint",
			 "SELECT w.waitpoint_key, w.state, w.expires_at_ms,"
			 " w.trimmed_through_seq, c.accepted, d.signal_id, " FF_SUSPENSION_COLUMNS
			 " FROM @extschema@.ff_waitpoint_pending w"
			 " LEFT JOIN @extschema@.ff_signal_counter c"
			 "  ON c.partition_key = $1 AND c.execution_id = $2"
			 " LEFT JOIN @extschema@.ff_signal_dedup d"
			 "  ON d.partition_key = $1 AND d.waitpoint_id = $3 AND d.idempotency_key = $4"
			 "  AND d.expires_at_ms > $5"
			 " LEFT JOIN @extschema@.ff_suspension_current s"
			 "  ON s.partition_key = $1 AND s.execution_id = $2"
			 "  AND " FF_SUSPENSION_IS_OPEN("s") " AND w.state = 'active'"
			 " WHERE w.partition_key = $1 AND w.execution_id = $2 AND w.waitpoint_id = $3"
			 " FOR NO KEY UPDATE OF w");

/* The order asked for leaves ff_signal_id_idx as the only index to use. */
static FfStatement find_signal =
FF_STATEMENT("find_signal", "smallint, uuid",
			 "SELECT waitpoint_id, effect, match_result FROM @extschema@.ff_signal"
			 " WHERE partition_key = $1 AND signal_id >= $2 AND signal_id <= $2"
			 " ORDER BY signal_id");

/* The signal, its place in the execution's order, and the waitpoint's counters. */
static FfStatement store_signal =
FF_STATEMENT("store_signal",
			 "smallint, uuid, uuid, bigint, uuid, uuid, text, text, text, text, text, text, text,"
			 " bytea, text, bigint, bigint, text, text, integer, bigint",
			 "WITH counter AS (INSERT INTO @extschema@.ff_signal_counter AS c"
			 "  (partition_key, execution_id, accepted) VALUES ($1, $2, $4)"
			 "  ON CONFLICT (partition_key, execution_id) DO UPDATE SET accepted = $4),"
			 " waitpoint AS (UPDATE @extschema@.ff_waitpoint_pending"
			 "  SET signal_count = signal_count + 1,"
			 "  matched_signal_count = matched_signal_count + $20,"
			 "  last_signal_at_ms = $17, trimmed_through_seq = $21"
			 "  WHERE partition_key = $1 AND execution_id = $2 AND waitpoint_id = $3)"
			 " INSERT INTO @extschema@.ff_signal (partition_key, execution_id, waitpoint_id, seq,"
			 " signal_id, suspension_id, signal_name, signal_category, source_type,"
			 " source_identity, correlation_id, idempotency_key, target_scope, payload,"
			 " payload_encoding, created_at_ms, accepted_at_ms, effect, match_result)"
			 " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,"
			 " $18, $19)"
			 " ON CONFLICT (partition_key, signal_id) DO NOTHING");

static FfStatement store_key =
FF_STATEMENT("store_signal_key", "smallint, uuid, text, uuid, bigint",
			 "INSERT INTO @extschema@.ff_signal_dedup"
			 " (partition_key, waitpoint_id, idempotency_key, signal_id, expires_at_ms)"
			 " VALUES ($1, $2, $3, $4, $5)"
			 " ON CONFLICT (partition_key, waitpoint_id, idempotency_key)"
			 " DO UPDATE SET signal_id = $4, expires_at_ms = $5");

/*
 * By ctid, which leaves the tuples found as the only way in: with a key in its
 * place a plan made on an empty table reads all signals of the execution. The
 * execution's lock keeps the tuples where they are.
 */
static FfStatement trim_signals =
FF_STATEMENT("trim_signals", "smallint, uuid, bigint, bigint",
			 "DELETE FROM @extschema@.ff_signal WHERE ctid = ANY (ARRAY("
			 "  SELECT s.ctid FROM @extschema@.ff_signal s"
			 "  WHERE s.partition_key = $1 AND s.waitpoint_id = $2 AND s.seq > $3 AND s.seq <= $4"
			 "  AND s.match_result NOT IN ('counted', 'not_evaluated')"
			 "  AND s.source_type <> 'engine'"
			 "  ORDER BY s.waitpoint_id, s.seq))");

static FfStatement read_counter =
FF_STATEMENT("read_signal_counter", "smallint, uuid, uuid",
			 "SELECT c.accepted, w.trimmed_through_seq FROM @extschema@.ff_waitpoint_pending w"
			 " LEFT JOIN @extschema@.ff_signal_counter c"
			 "  ON c.partition_key = $1 AND c.execution_id = $2"
			 " WHERE w.partition_key = $1 AND w.execution_id = $2 AND w.waitpoint_id = $3");

/* Where the signal goes. */
typedef struct Target
{
	FfWaitpoint waitpoint;		/* id, key, state, expires_at_ms */
	int64		trimmed_through_seq;
	int64		accepted;		/* signals of the execution so far */
	const pg_uuid_t *duplicate_of;	/* who used the idempotency key; NULL: nobody */
	bool		has_suspension; /* open, of an active waitpoint */
	FfSuspension suspension;
} Target;

/* How it is stored. */
typedef struct Fate
{
	int64		seq;
	const pg_uuid_t *suspension_id; /* NULL: buffered */
	const char *effect;
	FfMatchResult match;
	int64		trimmed_through_seq;
} Fate;

static void
read_target(const FfCore *core, const FfSignal *signal, FfErrorKind not_found_kind,
			FfErrorKind foreign_kind, int64 now_ms, Target *target)
{
	bool		has_key = signal->idempotency_key && signal->dedup_ttl_ms > 0;
	FfRow		row;

	if (!ff_statement_row(&lock_target, &row, ff_int2(core->id.partition),
						  ff_uuid(&core->id.uuid), ff_uuid(&signal->waitpoint_id),
						  ff_text(has_key ? signal->idempotency_key : NULL), ff_int8(now_ms)))
		ff_waitpoint_refuse_missing(core, &signal->waitpoint_id, not_found_kind, foreign_kind);
	target->waitpoint = (FfWaitpoint) {
		.id = signal->waitpoint_id,
		.key = ff_row_cstring(&row, 1),
		.state = ff_waitpoint_state(ff_row_cstring(&row, 2)),
		.expires_at_ms = ff_row_maybe_int8(&row, 3),
	};
	target->trimmed_through_seq = ff_row_int8(&row, 4);
	target->accepted = ff_row_int8(&row, 5);
	target->duplicate_of = ff_row_uuid(&row, 6);
	target->has_suspension = ff_suspension_read(&target->suspension, &row, 7);
}

/* A signal that is stored; false if it is not, or was trimmed. */
static bool
find_stored(const FfCore *core, const pg_uuid_t *signal_id, pg_uuid_t *waitpoint_id,
			FfDelivery *delivery)
{
	FfRow		row;

	*delivery = (FfDelivery) {.outcome = "duplicate",.signal_id = *signal_id};
	if (!ff_statement_row(&find_signal, &row, ff_int2(core->id.partition), ff_uuid(signal_id)))
		return false;
	*waitpoint_id = *ff_row_uuid(&row, 1);
	delivery->effect = ff_row_cstring(&row, 2);
	delivery->match_result = ff_row_cstring(&row, 3);
	return true;
}

static void
refuse_used_id(const FfSignal *signal)
{
	ff_raise(FF_DUPLICATE_SIGNAL,
			 errmsg("signal %s was delivered to another waitpoint", ff_uuid_text(&signal->id)),
			 errhint("Signal ids are never used again; leave the id out to have one made."));
}

/* Check 4: whether this very delivery was accepted before. */
static bool
is_duplicate(const FfCore *core, const FfSignal *signal, const Target *target,
			 FfDelivery *delivery)
{
	pg_uuid_t	waitpoint_id;

	if (signal->id_given && find_stored(core, &signal->id, &waitpoint_id, delivery))
	{
		if (memcmp(&waitpoint_id, &signal->waitpoint_id, UUID_LEN) != 0)
			refuse_used_id(signal);
		return true;
	}
	if (target->duplicate_of == NULL)
		return false;
	(void) find_stored(core, target->duplicate_of, &waitpoint_id, delivery);
	return true;
}

/* Check 5: the execution and the waitpoint can take a signal. */
static void
check_state(const FfCore *core, const Target *target, int64 now_ms)
{
	const FfWaitpoint *waitpoint = &target->waitpoint;

	if (ff_core_has_ended(core))
		ff_raise(FF_TARGET_NOT_SIGNALABLE,
				 errmsg("execution %s has ended", ff_execution_id_text(&core->id)),
				 errdetail("public_state %s",
						   ff_enum_label(&ff_public_states, core->public_state)));
	if (!ff_waitpoint_is_open(waitpoint))
		ff_raise(FF_WAITPOINT_CLOSED,
				 errmsg("waitpoint %s is closed", ff_uuid_text(&waitpoint->id)));
	if (waitpoint->state == FF_PENDING_WAITPOINT && waitpoint->expires_at_ms.isset &&
		waitpoint->expires_at_ms.value <= now_ms)
		ff_waitpoint_refuse_expired(&waitpoint->id);
	if (waitpoint->state == FF_ACTIVE_WAITPOINT &&
		(core->phase != FF_SUSPENDED || !target->has_suspension))
		ff_raise(FF_TARGET_NOT_SIGNALABLE,
				 errmsg("execution %s is not suspended", ff_execution_id_text(&core->id)),
				 errdetail("public_state %s",
						   ff_enum_label(&ff_public_states, core->public_state)));
}

/* Check 6: the execution may accept one more. */
static void
check_limit(const FfCore *core, const FfSignal *signal, int64 accepted)
{
	FfInt8		limit = signal->max_signals;

	if (!limit.isset)
		limit = ff_policy_max_signals(core->policy);
	if (!limit.isset)
		limit = ff_some(ff_default_max_signals);
	if (limit.value > 0 && accepted >= limit.value)
		ff_raise(FF_SIGNAL_LIMIT_EXCEEDED,
				 errmsg("execution %s has accepted its maximum of signals",
						ff_execution_id_text(&core->id)),
				 errdetail(INT64_FORMAT " accepted, at most " INT64_FORMAT, accepted,
						   limit.value));
}

static void
store(const FfCore *core, const FfSignal *signal, const Fate *fate, int64 now_ms)
{
	FfInt8		created_at_ms = signal->created_at_ms;

	if (!created_at_ms.isset)
		created_at_ms = ff_some(now_ms);
	if (ff_statement_run(&store_signal, ff_int2(core->id.partition), ff_uuid(&core->id.uuid),
						 ff_uuid(&signal->waitpoint_id), ff_int8(fate->seq), ff_uuid(&signal->id),
						 ff_uuid(fate->suspension_id), ff_text(signal->name),
						 ff_text(signal->category), ff_text(signal->source_type),
						 ff_text(signal->source_identity), ff_text(signal->correlation_id),
						 ff_text(signal->idempotency_key), ff_text(signal->target_scope),
						 ff_pointer(signal->payload), ff_text(signal->payload_encoding),
						 ff_maybe_int8(created_at_ms), ff_int8(now_ms), ff_text(fate->effect),
						 ff_text(ff_match_result_word(fate->match)),
						 ff_int4(fate->match == FF_MATCH_COUNTED ? 1 : 0),
						 ff_int8(fate->trimmed_through_seq)).count == 0)
		refuse_used_id(signal); /* by another execution, at this moment */
	if (signal->idempotency_key && signal->dedup_ttl_ms > 0)
		ff_statement_run(&store_key, ff_int2(core->id.partition), ff_uuid(&signal->waitpoint_id),
						 ff_text(signal->idempotency_key), ff_uuid(&signal->id),
						 ff_int8(ff_after_ms(now_ms, signal->dedup_ttl_ms)));
}

/* Offer it to the suspension's condition; what is stored of that goes into the struct. */
static FfOffer
evaluate(const FfCore *core, const FfSignal *signal, Target *target)
{
	FfSuspension *suspension = &target->suspension;
	FfCondition *condition = ff_condition_parse(suspension->condition, "condition");
	FfEvaluation evaluation = ff_evaluation_begin(core, &suspension->id, condition,
												  suspension->satisfied_set,
												  suspension->member_map);
	FfSignalFacts facts = {
		.waitpoint_key = target->waitpoint.key,
		.signal_name = signal->name,
		.source_type = signal->source_type,
		.source_identity = signal->source_identity,
	};
	FfOffer		offer = ff_evaluation_offer(&evaluation, &facts, &signal->id);

	if (offer.match == FF_MATCH_COUNTED)
	{
		suspension->satisfied_set = ff_condition_satisfied_set(evaluation.state);
		suspension->member_map = ff_condition_member_map(evaluation.state);
	}
	return offer;
}

/*
 * Rows that did not count are kept for the newest maxlen places only. Each
 * place is looked at once: those up to trimmed_through_seq have been.
 */
static int64
trim(const FfCore *core, const FfSignal *signal, const Target *target, int64 seq)
{
	int64		through = seq - signal->maxlen;

	if (signal->maxlen == 0 || through <= target->trimmed_through_seq)
		return target->trimmed_through_seq;
	ff_statement_run(&trim_signals, ff_int2(core->id.partition), ff_uuid(&signal->waitpoint_id),
					 ff_int8(target->trimmed_through_seq), ff_int8(through));
	return through;
}

/* What the event calls it. */
static const char *
event_effect(const Fate *fate)
{
	if (strcmp(fate->effect, SATISFIED) == 0)
		return "satisfied";
	switch (fate->match)
	{
		case FF_MATCH_NOT_EVALUATED:
			return "buffered";
		case FF_MATCH_COUNTED:
		case FF_MATCH_ALREADY_COUNTED:
			return "appended";
		default:
			return "ignored";
	}
}

/* A signal that met the condition resumes the execution; one that counted is noted. */
static void
move_suspension(FfCore *core, const FfSignal *signal, Target *target, const FfOffer *offer,
				int64 now_ms)
{
	if (offer->satisfied)
	{
		FfResume	resume = {
			.close_reason = "resumed",
			.closer_signal_id = &signal->id,
			.delay_ms = signal->resume_delay_ms,
			.now_ms = now_ms,
		};

		ff_resume(core, &target->suspension, &resume);
	}
	else if (offer->match == FF_MATCH_COUNTED)
		ff_suspension_store_progress(core, &target->suspension);
}

static void
accept(FfCore *core, const FfSignal *signal, Target *target, int64 now_ms, FfDelivery *delivery)
{
	bool		active = target->waitpoint.state == FF_ACTIVE_WAITPOINT;
	FfOffer		offer = {.match = FF_MATCH_NOT_EVALUATED};
	Fate		fate = {
		.seq = target->accepted + 1,
		.effect = BUFFERED,
		.trimmed_through_seq = target->trimmed_through_seq,
	};

	if (active)
	{
		offer = evaluate(core, signal, target);
		fate.suspension_id = &target->suspension.id;
		fate.effect = offer.satisfied ? SATISFIED : APPENDED;
		fate.trimmed_through_seq = trim(core, signal, target, fate.seq);
	}
	fate.match = offer.match;
	store(core, signal, &fate, now_ms);
	if (active)
		move_suspension(core, signal, target, &offer, now_ms);
	ff_outbox_signal(core, &signal->id, &signal->waitpoint_id, signal->source_identity,
					 event_effect(&fate), now_ms);
	*delivery = (FfDelivery) {
		.outcome = "accepted",
		.signal_id = signal->id,
		.effect = fate.effect,
		.match_result = ff_match_result_word(fate.match),
	};
}

void
ff_signal_deliver(FfCore *core, const FfSignal *signal, FfErrorKind not_found_kind,
				  FfErrorKind foreign_kind, int64 now_ms, FfDelivery *delivery)
{
	Target		target;

	read_target(core, signal, not_found_kind, foreign_kind, now_ms, &target);
	if (is_duplicate(core, signal, &target, delivery))
	{
		ff_outbox_signal(core, &delivery->signal_id, &signal->waitpoint_id,
						 signal->source_identity, "deduped", now_ms);
		return;
	}
	check_state(core, &target, now_ms);
	check_limit(core, signal, target.accepted);
	accept(core, signal, &target, now_ms, delivery);
}

/* The suspension's first waitpoint; NULL without one. */
static const pg_uuid_t *
first_waitpoint(const FfSuspension *suspension)
{
	pg_uuid_t  *ids;
	int			nids = 0;

	if (suspension->waitpoint_ids == NULL)
		return NULL;
	ids = ff_uuid_array_ids(suspension->waitpoint_ids, &nids);
	return nids ? &ids[0] : NULL;
}

pg_uuid_t *
ff_signal_record_timeout(const FfCore *core, const FfSuspension *suspension, const char *effect,
						 FfMatchResult match, const char *event_effect, int64 now_ms)
{
	const pg_uuid_t *waitpoint_id = first_waitpoint(suspension);
	FfSignal	signal = {
		.name = "timeout",
		.category = "timeout",
		.source_type = "engine",
		.source_identity = "suspension_timeout",
		.target_scope = "waitpoint",
		.payload_encoding = "json",
	};
	Fate		fate = {.suspension_id = &suspension->id,.effect = effect,.match = match};
	FfRow		row;

	if (waitpoint_id == NULL ||
		!ff_statement_row(&read_counter, &row, ff_int2(core->id.partition),
						  ff_uuid(&core->id.uuid), ff_uuid(waitpoint_id)))
		return NULL;
	ff_uuid_mint(&signal.id);
	signal.waitpoint_id = *waitpoint_id;
	fate.seq = ff_row_int8(&row, 1) + 1;
	fate.trimmed_through_seq = ff_row_int8(&row, 2);
	store(core, &signal, &fate, now_ms);
	ff_outbox_signal(core, &signal.id, waitpoint_id, signal.source_identity, event_effect, now_ms);
	return memcpy(palloc(sizeof(pg_uuid_t)), &signal.id, sizeof(pg_uuid_t));
}
