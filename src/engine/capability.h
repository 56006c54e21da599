/*
 * capability.h - sets of capability tokens: what an execution requires of its
 * worker (specification chapter 04, 1.4). Pure, looks at no table.
 *
 * `side` is "required" or "worker" and begins the DETAIL of invalid_capabilities.
 */
#ifndef FF_CAPABILITY_H
#define FF_CAPABILITY_H

#include "base/compat.h"

#include "utils/array.h"
#include "utils/jsonb.h"

/* A text[] as it is stored: checked, sorted bytewise, distinct. NULL gives the empty set. */
extern ArrayType *ff_capabilities_normalize(ArrayType *tokens, const char *side);

/* The union of two text[] (either may be NULL), checked as one set, as it is stored. */
extern ArrayType *ff_capabilities_merge(ArrayType *tokens, ArrayType *others, const char *side);

/* The same from a jsonb array of strings; also raises not_array and non_string_token. NULL gives the empty set. */
extern ArrayType *ff_capabilities_from_jsonb(Jsonb *tokens, const char *side);

/*
 * A worker's tokens, read once for many matches. Sets that were written by hand
 * are taken as they are: any order, repeated, null and empty tokens.
 */
typedef struct FfTokens FfTokens;
extern const FfTokens *ff_capabilities_read(ArrayType *tokens);

/* True when every required token is among the worker's. */
extern bool ff_capabilities_match(ArrayType *required, const FfTokens *worker);

/* The tokens of a stored set joined by commas; palloc'd. */
extern char *ff_capabilities_csv(ArrayType *tokens);

/* The required tokens that the worker lacks, sorted, joined by commas; empty if none. palloc'd. */
extern char *ff_capabilities_missing(ArrayType *required, ArrayType *worker);

/* The capability class of a set, as the generated column caps_hash has it; 0 for the empty set. */
extern int64 ff_capabilities_hash(ArrayType *tokens);

#endif							/* FF_CAPABILITY_H */
