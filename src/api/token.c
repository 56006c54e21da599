/*
 * token.c - SQL functions over the keystore and waitpoint tokens
 * (specification chapter 02, sections 4.1 and 4.2).
 */
#include "engine/token.h"

#include "base/argument.h"
#include "base/bytes.h"
#include "base/call.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/pgcrypto.h"
#include "base/setting.h"
#include "engine/record.h"

#define SEED_DIGITS 64
#define MAX_SECRET_DIGITS 1024
#define MINTED_SECRET_LENGTH 32
#define MAX_GRACE_MS INT64CONST(9007199254740991)

PG_FUNCTION_INFO_V1(ff_hmac_sign);
PG_FUNCTION_INFO_V1(ff_hmac_verify);
PG_FUNCTION_INFO_V1(ff_seed_waitpoint_hmac_secret);
PG_FUNCTION_INFO_V1(ff_rotate_waitpoint_hmac_secret_all);
PG_FUNCTION_INFO_V1(ff_reissue_waitpoint_token);

/* Seeding and rotating exclude each other; signing and verifying go on meanwhile. */
static FfStatement lock_keystore =
FF_STATEMENT("lock_keystore", "",
			 "LOCK TABLE @extschema@.ff_waitpoint_hmac IN SHARE ROW EXCLUSIVE MODE");

static FfStatement read_kid =
FF_STATEMENT("read_kid", "text",
			 "SELECT secret, active FROM @extschema@.ff_waitpoint_hmac WHERE kid = $1");

static FfStatement read_active_kid =
FF_STATEMENT("read_active_kid", "",
			 "SELECT kid FROM @extschema@.ff_waitpoint_hmac WHERE active");

static FfStatement collect_kids =
FF_STATEMENT("collect_kids", "bigint",
			 "DELETE FROM @extschema@.ff_waitpoint_hmac"
			 " WHERE NOT active AND (expires_at_ms IS NULL OR expires_at_ms < $1)");

static FfStatement retire_kid =
FF_STATEMENT("retire_kid", "bigint",
			 "UPDATE @extschema@.ff_waitpoint_hmac SET active = false, expires_at_ms = $1"
			 " WHERE active RETURNING kid");

static FfStatement install_kid =
FF_STATEMENT("install_kid", "text, bytea, bigint",
			 "INSERT INTO @extschema@.ff_waitpoint_hmac (kid, secret, rotated_at_ms)"
			 " VALUES ($1, $2, $3)");

static FfStatement lock_waitpoint_token =
FF_STATEMENT("lock_waitpoint_token", "smallint, uuid, uuid",
			 "SELECT state IN ('pending', 'active'), token"
			 " FROM @extschema@.ff_waitpoint_pending"
			 " WHERE partition_key = $1 AND waitpoint_id = $3 AND execution_id = $2"
			 " FOR NO KEY UPDATE");

static FfStatement store_waitpoint_token =
FF_STATEMENT("store_waitpoint_token", "smallint, uuid, text, text",
			 "UPDATE @extschema@.ff_waitpoint_pending SET token = $3, token_kid = $4"
			 " WHERE partition_key = $1 AND waitpoint_id = $2");

Datum
ff_hmac_sign(PG_FUNCTION_ARGS)
{
	bytea	   *secret = ff_arg_bytea(fcinfo, 0, "secret");
	const char *kid = ff_arg_text(fcinfo, 1, "kid");
	bytea	   *message = ff_arg_bytea(fcinfo, 2, "message");

	ff_check_kid(kid);
	PG_RETURN_TEXT_P(cstring_to_text(ff_token_sign_bytes(secret, kid, VARDATA(message),
														 VARSIZE(message) - VARHDRSZ)));
}

Datum
ff_hmac_verify(PG_FUNCTION_ARGS)
{
	bytea	   *secret = ff_arg_bytea(fcinfo, 0, "secret");
	const char *kid = ff_arg_text(fcinfo, 1, "kid");
	bytea	   *message = ff_arg_bytea(fcinfo, 2, "message");
	const char *token = ff_arg_text(fcinfo, 3, "token");

	PG_RETURN_TEXT_P(cstring_to_text(ff_token_verify_bytes(secret, kid, VARDATA(message),
														   VARSIZE(message) - VARHDRSZ, token)));
}

/*
 * The bytes of a secret given in hex; NULL for NULL, which asks for one minted
 * here. Raises invalid_secret_hex, which does not show it.
 */
static bytea *
read_secret(const char *hex, size_t min_digits, size_t max_digits)
{
	size_t		digits;
	bytea	   *secret;

	if (hex == NULL)
		return NULL;
	digits = strlen(hex);
	if (digits < min_digits || digits > max_digits || digits % 2 != 0)
		ff_raise_rule(FF_INVALID_SECRET_HEX, "secret_length", "secret is not hex of the required length",
					  "%zu digits, allowed are %zu to %zu, an even number", digits, min_digits,
					  max_digits);
	secret = palloc(VARHDRSZ + digits / 2);
	SET_VARSIZE(secret, VARHDRSZ + digits / 2);
	if (!ff_hex_read(hex, digits, (uint8 *) VARDATA(secret)))
		ff_raise_rule(FF_INVALID_SECRET_HEX, "secret_not_hex", "secret is not hex of the required length",
					  "a character is not a hex digit");
	return secret;
}

/* A row of the keystore by its kid; false if there is none. */
static bool
find_kid(const char *kid, const bytea *secret, bool *same_secret, bool *active)
{
	const bytea *stored;
	FfRow		row;

	if (!ff_statement_row(&read_kid, &row, ff_text(kid)))
		return false;
	stored = ff_row_bytea(&row, 1);
	*same_secret = secret && VARSIZE_ANY_EXHDR(stored) == VARSIZE_ANY_EXHDR(secret) &&
		memcmp(VARDATA_ANY(stored), VARDATA_ANY(secret), VARSIZE_ANY_EXHDR(secret)) == 0;
	*active = ff_row_bool(&row, 2);
	return true;
}

static void
install(const char *kid, const bytea *secret, int64 now_ms)
{
	if (secret == NULL)
		secret = ff_random_secret(MINTED_SECRET_LENGTH);
	ff_statement_run(&install_kid, ff_text(kid), ff_pointer(secret), ff_int8(now_ms));
}

Datum
ff_seed_waitpoint_hmac_secret(PG_FUNCTION_ARGS)
{
	const char *kid = ff_arg_text(fcinfo, 0, "kid");
	const bytea *secret;
	bool		same_secret,
				active;
	FfRow		row;
	FfCall		call;

	ff_check_kid(kid);
	secret = read_secret(ff_arg_text_or(fcinfo, 1, NULL), SEED_DIGITS, SEED_DIGITS);

	ff_call_begin(&call, fcinfo);
	ff_statement_execute(&lock_keystore, NULL, 0, false);
	if (find_kid(kid, secret, &same_secret, &active))
	{
		ff_call_row(&call, ff_text("already_seeded"), ff_text(kid),
					secret ? ff_bool(same_secret) : ff_null());
		return ff_call_end(&call);
	}
	if (ff_statement_fetch(&read_active_kid, &row, NULL, 0))
		ff_raise(FF_INVALID_INPUT,
				 errmsg("kid %s cannot be seeded: another kid is active", kid),
				 errdetail("different_kid_active: %s", ff_row_cstring(&row, 1)),
				 errhint("Rotate to it with ff_rotate_waitpoint_hmac_secret_all."));
	install(kid, secret, call.now_ms);
	ff_call_row(&call, ff_text("seeded"), ff_text(kid), ff_null());
	return ff_call_end(&call);
}

static int64
read_grace(FunctionCallInfo fcinfo, int n)
{
	int64		grace_ms = ff_arg_int8_or(fcinfo, n, ff_hmac_grace_s * INT64CONST(1000));

	if (grace_ms < 0 || grace_ms > MAX_GRACE_MS)
		ff_raise_rule(FF_INVALID_GRACE_MS, "out_of_range", "grace_ms is out of range",
					  INT64_FORMAT ", allowed are 0 to " INT64_FORMAT, grace_ms, MAX_GRACE_MS);
	return grace_ms;
}

static void
warn_if_short(const bytea *secret)
{
	if (secret && VARSIZE_ANY_EXHDR(secret) < MINTED_SECRET_LENGTH)
		ereport(WARNING,
				(errmsg("the secret is short"),
				 errdetail("It has %d bytes; HMAC-SHA256 is at full strength with %d or more.",
						   (int) VARSIZE_ANY_EXHDR(secret), MINTED_SECRET_LENGTH)));
}

Datum
ff_rotate_waitpoint_hmac_secret_all(PG_FUNCTION_ARGS)
{
	const char *new_kid = ff_arg_text(fcinfo, 0, "new_kid");
	const char *previous_kid = NULL;
	const bytea *secret;
	int64		grace_ms;
	uint64		collected;
	bool		same_secret,
				active;
	FfRow		row;
	FfCall		call;

	ff_check_kid(new_kid);
	secret = read_secret(ff_arg_text_or(fcinfo, 1, NULL), 2, MAX_SECRET_DIGITS);
	grace_ms = read_grace(fcinfo, 2);
	warn_if_short(secret);

	ff_call_begin(&call, fcinfo);
	ff_statement_execute(&lock_keystore, NULL, 0, false);
	if (find_kid(new_kid, secret, &same_secret, &active))
	{
		if (!(secret ? same_secret : active))
			ff_raise(FF_ROTATION_CONFLICT,
					 errmsg("kid %s exists with a different secret", new_kid),
					 errhint("A kid is not used twice: rotate to a new one."));
		ff_call_row(&call, ff_int4(0), ff_text("noop"), ff_null(), ff_text(new_kid), ff_int4(0));
		return ff_call_end(&call);
	}

	collected = ff_statement_run(&collect_kids, ff_int8(call.now_ms)).count;
	if (ff_statement_row(&retire_kid, &row, ff_int8(ff_after_ms(call.now_ms, grace_ms))))
		previous_kid = ff_row_cstring(&row, 1);
	install(new_kid, secret, call.now_ms);
	ff_call_row(&call, ff_int4(0), ff_text("rotated"), ff_text(previous_kid), ff_text(new_kid),
				ff_int4((int32) collected));
	return ff_call_end(&call);
}

Datum
ff_reissue_waitpoint_token(PG_FUNCTION_ARGS)
{
	const char *execution_id = ff_arg_text(fcinfo, 0, "execution_id");
	const pg_uuid_t *waitpoint_id = ff_arg_uuid(fcinfo, 1, "waitpoint_id");
	char	   *token;
	char	   *kid;
	FfExecutionId execution;
	FfCore		core;
	FfRow		row;
	FfCall		call;

	ff_execution_id_parse(execution_id, &execution);

	ff_call_begin(&call, fcinfo);
	ff_core_lock(&core, &execution);
	if (!ff_statement_row(&lock_waitpoint_token, &row, ff_int2(execution.partition),
						  ff_uuid(&execution.uuid), ff_uuid(waitpoint_id)))
		ff_raise(FF_NOT_FOUND, errmsg("waitpoint %s of execution %s does not exist",
									  ff_uuid_text(waitpoint_id), ff_execution_id_text(&execution)));
	if (!ff_row_bool(&row, 1))
		ff_raise(FF_WAITPOINT_CLOSED,
				 errmsg("waitpoint %s is closed", ff_uuid_text(waitpoint_id)));

	token = ff_token_sign(&execution, waitpoint_id, &kid);
	if (strcmp(token, ff_row_cstring(&row, 2)) != 0)
		ff_statement_run(&store_waitpoint_token, ff_int2(execution.partition),
						 ff_uuid(waitpoint_id), ff_text(token), ff_text(kid));
	ff_call_row(&call, ff_text(token), ff_text(kid));
	return ff_call_end(&call);
}
