/*
 * lease.c - what a transition does to the attempt: its lease begins, goes on
 * and ends. The one writer of ff_attempt.
 */
#include "engine/lease.h"

#include "base/clock.h"
#include "engine/wake.h"

/* The second form also writes the columns that most steps leave alone. */
#define ATTEMPT_ARGUMENTS \
	"smallint, uuid, integer, text, text, uuid, uuid, bigint, bigint, bigint, bigint," \
	" bigint, bigint, bigint, bigint, bigint, ff_attempt_outcome, bigint, bigint, text"
#define ATTEMPT_UPDATE \
	"UPDATE @extschema@.ff_attempt SET worker_id = $4, worker_instance_id = $5," \
	" attempt_id = $6, lease_id = $7, lease_epoch = $8, lease_expires_at_ms = $9," \
	" lease_check_at_ms = $10, lease_acquired_at_ms = $11, lease_renewed_at_ms = $12," \
	" lease_lost_at_ms = $13, started_at_ms = $14, terminal_at_ms = $15," \
	" suspended_at_ms = $16, outcome = $17, timeout_at_ms = $18, timeout_left_ms = $19," \
	" attempt_type = COALESCE($20, attempt_type)"
#define ATTEMPT_KEY " WHERE partition_key = $1 AND execution_id = $2 AND attempt_index = $3"
#define ATTEMPT_NARGUMENTS 20

static FfStatement write_attempt =
FF_STATEMENT("write_attempt", ATTEMPT_ARGUMENTS, ATTEMPT_UPDATE ATTEMPT_KEY);

static FfStatement write_attempt_whole =
FF_STATEMENT("write_attempt_whole", ATTEMPT_ARGUMENTS ", text, text, bytea, jsonb, jsonb",
			 ATTEMPT_UPDATE ", failure_reason = $21, failure_category = $22,"
			 " failure_detail = CASE WHEN $20 IS NULL THEN COALESCE($23, failure_detail) END,"
			 " raw_fields = raw_fields || COALESCE($24, '{}'),"
			 " policy = CASE WHEN $20 IS NULL THEN COALESCE($25, policy) ELSE $25 END" ATTEMPT_KEY);

static FfStatement touch_attempt =
FF_STATEMENT("touch_attempt", "smallint, uuid, integer",
			 "UPDATE @extschema@.ff_attempt SET attempt_index = attempt_index" ATTEMPT_KEY);

static FfStatement look_again =
FF_STATEMENT("look_again", "smallint, uuid, integer, bigint",
			 "UPDATE @extschema@.ff_attempt SET lease_check_at_ms = $4" ATTEMPT_KEY
			 " AND lease_check_at_ms IS DISTINCT FROM $4");

static FfStatement forget_timeout =
FF_STATEMENT("forget_timeout", "smallint, uuid, integer",
			 "UPDATE @extschema@.ff_attempt SET timeout_at_ms = NULL" ATTEMPT_KEY);

static FfStatement insert_attempt =
FF_STATEMENT("insert_attempt",
			 "smallint, uuid, integer, text, text, uuid, uuid, bigint, bigint, text, bigint, jsonb",
			 "INSERT INTO @extschema@.ff_attempt (partition_key, execution_id, attempt_index,"
			 " worker_id, worker_instance_id, attempt_id, lease_id, lease_epoch,"
			 " lease_acquired_at_ms, lease_renewed_at_ms, started_at_ms,"
			 " lease_expires_at_ms, lease_check_at_ms, attempt_type, timeout_at_ms, policy)"
			 " SELECT $1, $2, $3, $4, $5, $6, $7,"
			 "  1 + COALESCE((SELECT max(a.lease_epoch) FROM @extschema@.ff_attempt a"
			 "   WHERE a.partition_key = $1 AND a.execution_id = $2), 0),"
			 "  $8, $8, $8, $9, $9, $10, $11, $12"
			 " WHERE NOT EXISTS (SELECT FROM @extschema@.ff_attempt a"
			 "  WHERE a.partition_key = $1 AND a.execution_id = $2 AND a.attempt_index = $3)"
			 " RETURNING lease_epoch");

/* attempt_type NULL leaves it as it is. */
static void
store_attempt(FfAttempt *attempt, const char *attempt_type)
{
	bool		whole = attempt->failure_reason || attempt->failure_category ||
		attempt->failure_detail || attempt->raw_patch || attempt->policy || attempt_type;
	NullableDatum values[] = {
		ff_int2(attempt->execution.partition), ff_uuid(&attempt->execution.uuid),
		ff_int4(attempt->attempt_index), ff_text(attempt->worker_id),
		ff_text(attempt->worker_instance_id), ff_uuid(attempt->attempt_id),
		ff_uuid(attempt->lease_id), ff_int8(attempt->lease_epoch),
		ff_maybe_int8(attempt->lease_expires_at_ms), ff_maybe_int8(attempt->lease_check_at_ms),
		ff_maybe_int8(attempt->lease_acquired_at_ms),
		ff_maybe_int8(attempt->lease_renewed_at_ms), ff_maybe_int8(attempt->lease_lost_at_ms),
		ff_maybe_int8(attempt->started_at_ms), ff_maybe_int8(attempt->terminal_at_ms),
		ff_maybe_int8(attempt->suspended_at_ms), ff_enum(&ff_outcomes, attempt->outcome),
		ff_maybe_int8(attempt->timeout_at_ms), ff_maybe_int8(attempt->timeout_left_ms),
		ff_text(attempt_type), ff_text(attempt->failure_reason),
		ff_text(attempt->failure_category), ff_pointer(attempt->failure_detail),
		whole ? ff_json_patch(attempt->raw_patch) : ff_null(), ff_pointer(attempt->policy),
	};

	ff_statement_execute(whole ? &write_attempt_whole : &write_attempt, values,
						 whole ? (int) lengthof(values) : ATTEMPT_NARGUMENTS, false);
}

static const pg_uuid_t *
given_or_minted(const pg_uuid_t *given)
{
	pg_uuid_t  *minted;

	if (given)
		return given;
	minted = palloc(sizeof(pg_uuid_t));
	ff_uuid_mint(minted);
	return minted;
}

static void
tell_check(const FfAttempt *attempt)
{
	ff_wake_due(FF_LEASE_EXPIRY, attempt->lease_check_at_ms.value);
}

/* A lease begins now: who holds it and until when. */
static void
install_lease(FfAttempt *attempt, const FfMove *move)
{
	attempt->worker_id = move->worker_id;
	attempt->worker_instance_id = move->worker_instance_id;
	attempt->lease_id = given_or_minted(move->lease_id);
	attempt->lease_acquired_at_ms = ff_some(move->now_ms);
	attempt->lease_renewed_at_ms = ff_some(move->now_ms);
	attempt->lease_expires_at_ms = ff_some(ff_after_ms(move->now_ms, move->lease_ttl_ms));
	attempt->lease_check_at_ms = attempt->lease_expires_at_ms;
	attempt->lease_lost_at_ms = ff_none();
	attempt->suspended_at_ms = ff_none();
	attempt->outcome = FF_NO_OUTCOME;
	attempt->policy = move->attempt_policy;
	attempt->timeout_left_ms = ff_none();
	attempt->timeout_at_ms = move->attempt_timeout_ms.isset
		? ff_some(ff_after_ms(move->now_ms, move->attempt_timeout_ms.value)) : ff_none();
	tell_check(attempt);
	if (attempt->timeout_at_ms.isset)
		ff_wake_due(FF_ATTEMPT_TIMEOUT, attempt->timeout_at_ms.value);
}

void
ff_lease_open(FfCore *core, FfAttempt *attempt, const char *type, const FfMove *move)
{
	FfRow		row;

	memset(attempt, 0, sizeof(FfAttempt));
	attempt->execution = core->id;
	attempt->attempt_index = core->attempt_index;
	attempt->attempt_id = given_or_minted(move->attempt_id);
	attempt->started_at_ms = ff_some(move->now_ms);
	install_lease(attempt, move);
	if (ff_statement_row(&insert_attempt, &row,
						 ff_int2(core->id.partition), ff_uuid(&core->id.uuid),
						 ff_int4(attempt->attempt_index), ff_text(attempt->worker_id),
						 ff_text(attempt->worker_instance_id), ff_uuid(attempt->attempt_id),
						 ff_uuid(attempt->lease_id), ff_int8(move->now_ms),
						 ff_maybe_int8(attempt->lease_expires_at_ms), ff_text(type),
						 ff_maybe_int8(attempt->timeout_at_ms), ff_pointer(attempt->policy)))
		attempt->lease_epoch = ff_row_int8(&row, 1);
	else
	{
		/* an earlier run has this index (a replay, or a row put in by hand): overwrite it */
		attempt->lease_epoch = 1 + ff_attempt_top_epoch(core);
		store_attempt(attempt, type);
	}
}

void
ff_lease_continue(FfCore *core, FfAttempt *attempt, const FfMove *move)
{
	attempt->attempt_id = given_or_minted(attempt->attempt_id);
	attempt->lease_epoch = 1 + ff_attempt_top_epoch(core);
	if (!attempt->started_at_ms.isset)
		attempt->started_at_ms = ff_some(move->now_ms);
	install_lease(attempt, move);
	store_attempt(attempt, NULL);
}

/* A renewal touches no index while the lease ends later than it did (heap-only update). */
void
ff_lease_renew(FfAttempt *attempt, const FfMove *move)
{
	attempt->lease_expires_at_ms = ff_some(ff_after_ms(move->now_ms, move->lease_ttl_ms));
	attempt->lease_renewed_at_ms = ff_some(move->now_ms);
	if (attempt->lease_check_at_ms.isset &&
		attempt->lease_expires_at_ms.value < attempt->lease_check_at_ms.value)
	{
		attempt->lease_check_at_ms = attempt->lease_expires_at_ms;
		tell_check(attempt);
	}
	store_attempt(attempt, NULL);
}

void
ff_lease_release(FfAttempt *attempt, int outcome, const FfMove *move)
{
	attempt->outcome = outcome;
	attempt->lease_expires_at_ms = ff_none();
	attempt->lease_check_at_ms = ff_none();
	attempt->suspended_at_ms = ff_some(move->now_ms);
	attempt->timeout_left_ms = attempt->timeout_at_ms.isset
		? ff_some(Max(1, attempt->timeout_at_ms.value - move->now_ms)) : ff_none();
	attempt->timeout_at_ms = ff_none();
	store_attempt(attempt, NULL);
}

void
ff_lease_end(FfAttempt *attempt, int outcome, const FfMove *move)
{
	attempt->outcome = outcome;
	attempt->terminal_at_ms = ff_some(move->now_ms);
	attempt->lease_expires_at_ms = ff_none();
	attempt->lease_check_at_ms = ff_none();
	attempt->lease_lost_at_ms = ff_none();
	attempt->timeout_at_ms = ff_none();
	attempt->timeout_left_ms = ff_none();
	store_attempt(attempt, NULL);
	/* an attempt that goes on as another one is no end to count */
	if (outcome <= FF_SKIPPED)
		ff_wake_count(FF_COUNT_ATTEMPT_SUCCESS + outcome, 1);
}

void
ff_lease_lose(FfAttempt *attempt, int outcome, bool held, const FfMove *move)
{
	attempt->outcome = outcome;
	attempt->timeout_at_ms = ff_none();
	attempt->timeout_left_ms = ff_none();
	if (held)
	{
		attempt->lease_lost_at_ms = ff_some(move->now_ms);
		attempt->lease_check_at_ms = ff_some(ff_after_ms(move->now_ms, move->hold_ms));
		tell_check(attempt);
	}
	else
	{
		attempt->lease_lost_at_ms = ff_none();
		attempt->lease_check_at_ms = ff_none();
		attempt->lease_expires_at_ms = ff_none();
	}
	store_attempt(attempt, NULL);
}

void
ff_lease_forget_outcome(FfAttempt *attempt)
{
	attempt->outcome = FF_NO_OUTCOME;
	store_attempt(attempt, NULL);
}

#define ATTEMPT_VALUES(attempt) \
	ff_int2((attempt)->execution.partition), ff_uuid(&(attempt)->execution.uuid), \
	ff_int4((attempt)->attempt_index)

void
ff_lease_touch(const FfAttempt *attempt)
{
	ff_statement_run(&touch_attempt, ATTEMPT_VALUES(attempt));
}

void
ff_lease_look_again(const FfAttempt *attempt, FfInt8 check_at_ms)
{
	ff_statement_run(&look_again, ATTEMPT_VALUES(attempt), ff_maybe_int8(check_at_ms));
}

void
ff_lease_forget_timeout(const FfAttempt *attempt)
{
	ff_statement_run(&forget_timeout, ATTEMPT_VALUES(attempt));
}
