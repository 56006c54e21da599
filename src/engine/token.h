/*
 * token.h - waitpoint tokens `kid:digest` and the keystore that signs them
 * (specification chapter 02, section 4).
 *
 * No secret, token or digest goes into an error or a log line.
 */
#ifndef FF_TOKEN_H
#define FF_TOKEN_H

#include "base/compat.h"

#include "base/id.h"

/*
 * The token of a waitpoint, signed with the active key; palloc'd, the key's id
 * goes to *kid (which may be NULL). Raises invalid_input/keystore_empty. Runs
 * a statement: between ff_call_begin and ff_call_end, as the next two.
 */
extern char *ff_token_sign(const FfExecutionId *execution, const pg_uuid_t *waitpoint_id, char **kid);

/*
 * Check a token (NULL is refused as missing) for a waitpoint of an execution.
 * Reads the keystore and nothing else. Raises invalid_token with rule
 * missing_token, malformed_token, signature_mismatch or token_expired.
 */
extern void ff_token_verify(const char *token, const FfExecutionId *execution,
							const pg_uuid_t *waitpoint_id, int64 now_ms);

/*
 * Which of some waitpoints the token is genuine for: its index. Raises as
 * ff_token_verify does, signature_mismatch if it is none of them.
 */
extern int	ff_token_find(const char *token, const FfExecutionId *execution,
						  const pg_uuid_t *waitpoint_ids, int nwaitpoints, int64 now_ms);

/* `kid:hex` over kid, a colon and the message; palloc'd. Reads no table. */
extern char *ff_token_sign_bytes(const bytea *secret, const char *kid,
								 const char *message, size_t length);

/* The outcome of ff_hmac_verify: ok, malformed, wrong_kid or signature_mismatch. */
extern const char *ff_token_verify_bytes(const bytea *secret, const char *kid, const char *message,
										 size_t length, const char *token);

/* Raises invalid_kid unless 1-64 bytes of 0x21-0x7E without a colon. */
extern void ff_check_kid(const char *kid);

#endif							/* FF_TOKEN_H */
