/*
 * requirement.c - which tokens a capability class requires.
 */
#include "engine/requirement.h"

#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "base/clock.h"

#define MOST 1024				/* then all are forgotten */
#define KEPT_MS 5000
/* As large as a set gets that was checked; one put in by hand may be larger. */
#define LARGEST 8192

typedef struct Requirement
{
	int64		caps_hash;
	int64		until_ms;		/* steady clock */
	ArrayType  *tokens;
} Requirement;

static MemoryContext memory = NULL;
static HTAB *known = NULL;

static void
forget_all(void)
{
	HASHCTL		control = {.keysize = sizeof(int64),.entrysize = sizeof(Requirement)};

	known = NULL;
	if (memory)
		MemoryContextReset(memory);
	else
		memory = AllocSetContextCreate(CacheMemoryContext, "ffengine requirements",
									   ALLOCSET_SMALL_SIZES);
	control.hcxt = memory;
	known = hash_create("ffengine requirements", 64, &control,
						HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static void
forget(Requirement *requirement)
{
	pfree(requirement->tokens);
	(void) hash_search(known, &requirement->caps_hash, HASH_REMOVE, NULL);
}

static Requirement *
find(int64 caps_hash)
{
	Requirement *requirement = known ? hash_search(known, &caps_hash, HASH_FIND, NULL) : NULL;

	if (requirement == NULL || requirement->until_ms > ff_steady_ms())
		return requirement;
	forget(requirement);
	return NULL;
}

void
ff_requirement_learn(int64 caps_hash, ArrayType *tokens)
{
	Requirement *requirement;
	ArrayType  *copy;

	if (find(caps_hash) || VARSIZE_ANY(tokens) > LARGEST)
		return;
	if (known == NULL || hash_get_num_entries(known) >= MOST)
		forget_all();
	copy = MemoryContextAlloc(memory, VARSIZE_ANY(tokens));
	memcpy(copy, tokens, VARSIZE_ANY(tokens));
	requirement = hash_search(known, &caps_hash, HASH_ENTER, NULL);
	requirement->until_ms = ff_steady_ms() + KEPT_MS;
	requirement->tokens = copy;
}

ArrayType *
ff_requirement_of(int64 caps_hash)
{
	const Requirement *requirement = find(caps_hash);

	return requirement ? requirement->tokens : NULL;
}
