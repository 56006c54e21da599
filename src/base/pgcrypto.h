/*
 * pgcrypto.h - the functions of extension pgcrypto that the engine calls.
 *
 * They are found in the schema where pgcrypto lives, by exact signature, and
 * called through the function manager. All raise unavailable without it.
 */
#ifndef FF_PGCRYPTO_H
#define FF_PGCRYPTO_H

#include "base/compat.h"

#define FF_SHA256_SIZE 32

/* HMAC-SHA256 of some bytes: 32 bytes into `out`. Any key length, 0 too. */
extern void ff_hmac_sha256(const bytea *key, const bytea *message, uint8 out[FF_SHA256_SIZE]);

/* SHA-256 of some bytes: a bytea of 32 bytes, palloc'd. */
extern bytea *ff_digest_sha256(const bytea *message);

/* Random bytes fit for a secret, 1 to 1024 of them; palloc'd. */
extern bytea *ff_random_secret(int length);

#endif							/* FF_PGCRYPTO_H */
