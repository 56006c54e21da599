/*
 * token.c - waitpoint tokens and the keystore that signs them.
 *
 * What is signed is kid ":" execution id ":" waitpoint id, all of it ASCII, so
 * the bytes are the same in every database encoding.
 */
#include "engine/token.h"

#include "miscadmin.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/pgcrypto.h"
#include "base/statement.h"

#define MAX_KID_LENGTH 64
#define DIGEST_DIGITS (2 * FF_SHA256_SIZE)

static FfStatement read_active_key =
FF_STATEMENT("read_active_key", "",
			 "SELECT kid, secret FROM @extschema@.ff_waitpoint_hmac WHERE active");

static FfStatement read_key =
FF_STATEMENT("read_key", "text",
			 "SELECT secret, active, expires_at_ms FROM @extschema@.ff_waitpoint_hmac WHERE kid = $1");

/* A token that a caller presented, taken apart. */
typedef struct Presented
{
	const char *kid;
	uint8		digest[FF_SHA256_SIZE];
} Presented;

/* A row of the keystore. */
typedef struct Key
{
	const bytea *secret;		/* never NULL: a dummy where the kid is unknown */
	bool		is_known;
	bool		is_active;
	FfInt8		expires_at_ms;
} Key;

void
ff_check_kid(const char *kid)
{
	size_t		length = strlen(kid);

	if (length < 1 || length > MAX_KID_LENGTH)
		ff_raise_rule(FF_INVALID_KID, "kid_length", "kid is empty or too long",
					  "%zu bytes, allowed are 1 to %d", length, MAX_KID_LENGTH);
	for (size_t i = 0; i < length; i++)
		if (kid[i] < 0x21 || kid[i] > 0x7E || kid[i] == ':')
			ff_raise_rule(FF_INVALID_KID, "kid_character",
						  "kid holds a colon, white space or a byte that is not printable ASCII",
						  "byte 0x%02X at index %zu", (unsigned char) kid[i], i);
}

/* HMAC-SHA256 over kid, a colon and the message. */
static void
sign(const bytea *secret, const char *kid, const char *message, size_t length,
	 uint8 digest[FF_SHA256_SIZE])
{
	size_t		kid_length = strlen(kid);
	bytea	   *input = palloc(VARHDRSZ + kid_length + 1 + length);
	char	   *at = VARDATA(input);

	SET_VARSIZE(input, VARHDRSZ + kid_length + 1 + length);
	memcpy(at, kid, kid_length);
	at[kid_length] = ':';
	memcpy(at + kid_length + 1, message, length);
	ff_hmac_sha256(secret, input, digest);
	pfree(input);
}

static void
sign_waitpoint(const bytea *secret, const char *kid, const FfExecutionId *execution,
			   const pg_uuid_t *waitpoint_id, uint8 digest[FF_SHA256_SIZE])
{
	char		message[FF_EXECUTION_ID_SIZE + FF_UUID_SIZE];
	int			length = ff_execution_id_format(execution, message);

	message[length++] = ':';
	ff_uuid_format(waitpoint_id, message + length);
	sign(secret, kid, message, length + FF_UUID_SIZE - 1, digest);
}

static char *
token_text(const char *kid, const uint8 digest[FF_SHA256_SIZE])
{
	size_t		kid_length = strlen(kid);
	char	   *token = palloc(kid_length + 1 + DIGEST_DIGITS + 1);

	memcpy(token, kid, kid_length);
	token[kid_length] = ':';
	ff_hex_write(digest, FF_SHA256_SIZE, token + kid_length + 1);
	token[kid_length + 1 + DIGEST_DIGITS] = '\0';
	return token;
}

/* Looks at all bytes whatever they are, so that the time taken tells nothing. */
static bool
same_digest(const uint8 *a, const uint8 *b)
{
	uint8		difference = 0;

	for (int i = 0; i < FF_SHA256_SIZE; i++)
		difference |= a[i] ^ b[i];
	return difference == 0;
}

char *
ff_token_sign(const FfExecutionId *execution, const pg_uuid_t *waitpoint_id, char **kid)
{
	uint8		digest[FF_SHA256_SIZE];
	char	   *active_kid;
	FfRow		row;

	if (!ff_statement_fetch(&read_active_key, &row, NULL, 0))
		ff_raise(FF_INVALID_INPUT, errmsg("no signing key is installed"),
				 errdetail("keystore_empty: the keystore has no active key"),
				 errhint("Seed a key with ff_seed_waitpoint_hmac_secret."));
	active_kid = ff_row_cstring(&row, 1);
	sign_waitpoint(ff_row_bytea(&row, 2), active_kid, execution, waitpoint_id, digest);
	if (kid)
		*kid = active_kid;
	return token_text(active_kid, digest);
}

static void
refuse(const char *rule, const char *detail)
{
	ff_raise_rule(FF_INVALID_TOKEN, rule, "waitpoint token is not valid", "%s", detail);
}

static void
take_apart(const char *token, Presented *presented)
{
	const char *colon;

	if (token == NULL || *token == '\0')
		refuse("missing_token", "no token was given");
	colon = strchr(token, ':');
	if (colon == NULL || colon == token || colon - token > MAX_KID_LENGTH ||
		strlen(colon + 1) != DIGEST_DIGITS ||
		!ff_hex_read(colon + 1, DIGEST_DIGITS, presented->digest))
		refuse("malformed_token", "a token is a key id, a colon and 64 hex digits");
	presented->kid = pnstrdup(token, colon - token);
}

/* The key of a token; an unknown kid gets a dummy, to cost as much as a known one. */
static void
find_key(const char *kid, Key *key)
{
	FfRow		row;

	memset(key, 0, sizeof(Key));
	key->is_known = ff_statement_row(&read_key, &row, ff_text(kid));
	if (key->is_known)
	{
		key->secret = ff_row_bytea(&row, 1);
		key->is_active = ff_row_bool(&row, 2);
		key->expires_at_ms = ff_row_maybe_int8(&row, 3);
	}
	else
	{
		bytea	   *dummy = palloc0(VARHDRSZ + FF_SHA256_SIZE);

		SET_VARSIZE(dummy, VARHDRSZ + FF_SHA256_SIZE);
		key->secret = dummy;
	}
}

static bool
is_genuine(const Presented *presented, const Key *key, const FfExecutionId *execution,
		   const pg_uuid_t *waitpoint_id)
{
	uint8		digest[FF_SHA256_SIZE];
	bool		same;

	sign_waitpoint(key->secret, presented->kid, execution, waitpoint_id, digest);
	same = same_digest(digest, presented->digest);
	return same && key->is_known;
}

int
ff_token_find(const char *token, const FfExecutionId *execution, const pg_uuid_t *waitpoint_ids,
			  int nwaitpoints, int64 now_ms)
{
	Presented	presented;
	Key			key;
	int			found = 0;

	take_apart(token, &presented);
	find_key(presented.kid, &key);
	while (found < nwaitpoints && !is_genuine(&presented, &key, execution, &waitpoint_ids[found]))
	{
		CHECK_FOR_INTERRUPTS();
		found++;
	}
	if (found == nwaitpoints)
		refuse("signature_mismatch", "the token is not genuine for this execution and waitpoint");
	if (!key.is_active && (!key.expires_at_ms.isset || key.expires_at_ms.value < now_ms))
		refuse("token_expired", "the key that signed it was retired and its grace is over");
	return found;
}

void
ff_token_verify(const char *token, const FfExecutionId *execution, const pg_uuid_t *waitpoint_id,
				int64 now_ms)
{
	ff_token_find(token, execution, waitpoint_id, 1, now_ms);
}

char *
ff_token_sign_bytes(const bytea *secret, const char *kid, const char *message, size_t length)
{
	uint8		digest[FF_SHA256_SIZE];

	sign(secret, kid, message, length, digest);
	return token_text(kid, digest);
}

const char *
ff_token_verify_bytes(const bytea *secret, const char *kid, const char *message, size_t length,
					  const char *token)
{
	const char *colon = strchr(token, ':');
	uint8		expected[FF_SHA256_SIZE];
	uint8	   *digest;
	size_t		digits;

	if (colon == NULL)
		return "malformed";
	if (strlen(kid) != (size_t) (colon - token) || memcmp(kid, token, colon - token) != 0)
		return "wrong_kid";
	digits = strlen(colon + 1);
	digest = palloc(digits / 2 + 1);
	if (!ff_hex_read(colon + 1, digits, digest))
		return "malformed";
	sign(secret, kid, message, length, expected);
	if (digits != DIGEST_DIGITS || !same_digest(digest, expected))
		return "signature_mismatch";
	return "ok";
}

