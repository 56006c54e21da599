/*
 * requirement.h - which tokens a capability class requires, as far as this
 * session has seen: a claim need not look at the rows of a class to know that
 * its worker cannot have them.
 *
 * Classes go by a hash. Should two sets of tokens have the same one, the row that
 * is first decides for those behind it; so what was seen counts for some seconds
 * only, and rows are looked at again.
 */
#ifndef FF_REQUIREMENT_H
#define FF_REQUIREMENT_H

#include "base/compat.h"

#include "utils/array.h"

/* The class was just seen to require these (text[]). Keeps a copy. */
extern void ff_requirement_learn(int64 caps_hash, ArrayType *tokens);

/* What was seen (text[]), or NULL; stays until the next call here. */
extern ArrayType *ff_requirement_of(int64 caps_hash);

#endif							/* FF_REQUIREMENT_H */
