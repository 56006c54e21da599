/*
 * grant.c - claim and reclaim grants. The one file that reads and writes
 * ff_claim_grant.
 */
#include "engine/grant.h"

#include "base/argument.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/pgcrypto.h"
#include "base/setting.h"
#include "engine/take.h"
#include "engine/wake.h"

#define CLAIM_PREFIX "pg:claim:"
#define RECLAIM_PREFIX "pg:reclaim:"
#define SECRET_SIZE 32

/* An execution has one grant at a time: what it had before has run out, or is void. */
static FfStatement replace_grant =
FF_STATEMENT("replace_grant",
			 "smallint, bytea, uuid, text, text, text, text, text, text[], text, text,"
			 " bigint, bigint, bigint",
			 "WITH dropped AS (DELETE FROM @extschema@.ff_claim_grant"
			 "  WHERE partition_key = $1 AND execution_id = $3 RETURNING expires_at_ms)"
			 " INSERT INTO @extschema@.ff_claim_grant (partition_key, grant_id, execution_id, kind,"
			 " worker_id, worker_instance_id, lane_id, capability_hash, worker_capabilities,"
			 " route_snapshot_json, admission_summary, grant_ttl_ms, issued_at_ms, expires_at_ms)"
			 " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, pg_catalog.to_jsonb($9), $10, $11, $12,"
			 " $13, $14)"
			 " RETURNING (SELECT count(*) FROM dropped d WHERE d.expires_at_ms <= $13)");

#define GRANT_COLUMNS \
	"g.grant_id, g.kind, g.worker_id, g.worker_instance_id, g.expires_at_ms," \
	" g.partition_key, g.execution_id"

/* Of several rows, put in by hand, the one that lasts longest counts. */
static FfStatement find_grant =
FF_STATEMENT("find_grant", "smallint, uuid, text",
			 "SELECT " GRANT_COLUMNS " FROM @extschema@.ff_claim_grant g"
			 " WHERE g.partition_key = $1 AND g.execution_id = $2"
			 " AND ($3 IS NULL OR g.kind = $3)"
			 " ORDER BY g.expires_at_ms DESC LIMIT 1");

/* A key doesn't tell its partition: one descent of the primary key for each. */
static FfStatement look_for_grant =
FF_STATEMENT("look_for_grant", "bytea",
			 "SELECT " GRANT_COLUMNS " FROM @extschema@.ff_claim_grant g"
			 " WHERE g.partition_key = ANY (ARRAY(SELECT p::smallint"
			 "  FROM pg_catalog.generate_series(0, 255) AS p))"
			 " AND g.grant_id = $1");

static FfStatement drop_grants =
FF_STATEMENT("drop_grants", "smallint, uuid",
			 "DELETE FROM @extschema@.ff_claim_grant"
			 " WHERE partition_key = $1 AND execution_id = $2"
			 " RETURNING expires_at_ms");

static FfStatement drop_expired =
FF_STATEMENT("drop_expired_grant", "smallint, bytea, uuid, bigint",
			 "DELETE FROM @extschema@.ff_claim_grant"
			 " WHERE partition_key = $1 AND grant_id = $2 AND execution_id = $3"
			 " AND expires_at_ms <= $4");

void
ff_grant_check(const FfGrantTerms *terms)
{
	ff_check_word(terms->worker_id, "worker_id", 1, 256);
	ff_check_word(terms->worker_instance_id, "worker_instance_id", 1, 256);
	ff_check_range(terms->ttl_ms, "grant_ttl_ms", 1, ff_max_grant_ttl_ms);
}

static char *
mint_key(const char *prefix)
{
	uint8		secret[SECRET_SIZE];
	char		hex[2 * SECRET_SIZE + 1] = "";

	if (!pg_strong_random(secret, SECRET_SIZE))
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
						errmsg("could not generate random values")));
	ff_hex_write(secret, SECRET_SIZE, hex);
	return psprintf("%s%s", prefix, hex);
}

static bytea *
id_of_key(const char *key)
{
	return ff_digest_sha256((bytea *) cstring_to_text(key));
}

char *
ff_grant_issue(FfCore *core, const char *kind, const FfGrantTerms *terms, int64 now_ms,
			   int64 *expires_at_ms)
{
	char	   *key = mint_key(strcmp(kind, FF_GRANT_CLAIM) == 0 ? CLAIM_PREFIX : RECLAIM_PREFIX);
	FfRow		row;

	*expires_at_ms = ff_after_ms(now_ms, terms->ttl_ms);
	ff_statement_row(&replace_grant, &row,
					 ff_int2(core->id.partition), ff_pointer(id_of_key(key)),
					 ff_uuid(&core->id.uuid), ff_text(kind), ff_text(terms->worker_id),
					 ff_text(terms->worker_instance_id), ff_text(core->lane_id),
					 ff_text(terms->capability_hash), ff_pointer(terms->capabilities),
					 ff_text(terms->route_snapshot_json), ff_text(terms->admission_summary),
					 ff_int8(terms->ttl_ms), ff_int8(now_ms), ff_int8(*expires_at_ms));
	core->dependents |= FF_HAS_GRANT;
	ff_wake_count(FF_COUNT_GRANTS_ISSUED, 1);
	ff_wake_count(FF_COUNT_GRANTS_EXPIRED, ff_row_int8(&row, 1));
	ff_wake_due(FF_CLAIM_GRANT_EXPIRY, *expires_at_ms);
	return key;
}

static void
read_grant(FfGrant *grant, const FfRow *row)
{
	grant->id = ff_row_bytea(row, 1);
	grant->kind = ff_row_cstring(row, 2);
	grant->worker_id = ff_row_cstring(row, 3);
	grant->worker_instance_id = ff_row_cstring(row, 4);
	grant->expires_at_ms = ff_row_int8(row, 5);
	grant->execution.partition = ff_row_int2(row, 6);
	grant->execution.uuid = *ff_row_uuid(row, 7);
}

bool
ff_grant_find(const FfCore *core, const char *kind, FfGrant *grant)
{
	FfRow		row;

	if ((core->dependents & FF_HAS_GRANT) == 0 ||
		!ff_statement_row(&find_grant, &row, ff_int2(core->id.partition),
						  ff_uuid(&core->id.uuid), ff_text(kind)))
		return false;
	read_grant(grant, &row);
	return true;
}

bool
ff_grant_is_live(const FfGrant *grant, int64 now_ms)
{
	return grant->expires_at_ms > now_ms;
}

bool
ff_grant_is_out(const FfCore *core, int64 now_ms)
{
	FfGrant		grant;

	return ff_grant_find(core, FF_GRANT_ANY, &grant) && ff_grant_is_live(&grant, now_ms);
}

bool
ff_grant_has_key(const FfGrant *grant, const char *key)
{
	bytea	   *id = id_of_key(key);

	return VARSIZE_ANY_EXHDR(grant->id) == VARSIZE_ANY_EXHDR(id) &&
		memcmp(VARDATA_ANY(grant->id), VARDATA_ANY(id), VARSIZE_ANY_EXHDR(id)) == 0;
}

bool
ff_grant_is_for(const FfGrant *grant, const char *worker_id)
{
	return strcmp(grant->worker_id, worker_id) == 0;
}

void
ff_grant_require(const FfCore *core, const FfGrant *grant, const char *worker_id,
				 const char *key, int64 now_ms)
{
	if (grant == NULL)
		ff_take_refuse(FF_INVALID_CLAIM_GRANT, core, "is not granted to anybody");
	if (!ff_grant_is_for(grant, worker_id))
		ff_take_refuse(FF_INVALID_CLAIM_GRANT, core, "is granted to another worker");
	if (key && !ff_grant_has_key(grant, key))
		ff_take_refuse(FF_INVALID_CLAIM_GRANT, core, "is not granted by that key");
	if (!ff_grant_is_live(grant, now_ms))
		ff_take_refuse(FF_CLAIM_GRANT_EXPIRED, core, "had a grant that ran out");
}

/* Delete the execution's grants; their ends come back. */
static FfRows
drop_grants_of(FfCore *core)
{
	FfRows		rows = {0};

	if (core->dependents & FF_HAS_GRANT)
		rows = ff_statement_run(&drop_grants, ff_int2(core->id.partition),
								ff_uuid(&core->id.uuid));
	core->dependents &= ~FF_HAS_GRANT;
	return rows;
}

void
ff_grant_drop(FfCore *core)
{
	(void) drop_grants_of(core);
}

void
ff_grant_redeem(FfCore *core, int64 now_ms)
{
	FfRows		rows = drop_grants_of(core);

	for (uint64 i = 0; i < rows.count; i++)
	{
		FfRow		row = ff_rows_get(&rows, i);

		ff_wake_count(ff_row_int8(&row, 1) > now_ms ? FF_COUNT_GRANTS_REDEEMED
					  : FF_COUNT_GRANTS_EXPIRED, 1);
	}
}

bool
ff_grant_drop_expired(FfCore *core, const bytea *grant_id, int64 now_ms)
{
	return ff_statement_run(&drop_expired, ff_int2(core->id.partition), ff_pointer(grant_id),
							ff_uuid(&core->id.uuid), ff_int8(now_ms)).count > 0;
}

static bool
is_secret_after(const char *key, const char *prefix)
{
	uint8		secret[SECRET_SIZE];
	size_t		length = strlen(prefix);

	return strncmp(key, prefix, length) == 0 && strlen(key) == length + 2 * SECRET_SIZE &&
		ff_hex_read(key + length, 2 * SECRET_SIZE, secret);
}

bool
ff_grant_key_is_valid(const char *key)
{
	return is_secret_after(key, CLAIM_PREFIX) || is_secret_after(key, RECLAIM_PREFIX);
}

bool
ff_grant_look(const char *key, FfGrant *grant)
{
	NullableDatum id = ff_pointer(id_of_key(key));
	FfRows		rows = ff_statement_execute(&look_for_grant, &id, 1, true);
	FfRow		row;

	if (rows.count == 0)
		return false;
	row = ff_rows_get(&rows, 0);
	read_grant(grant, &row);
	return true;
}
