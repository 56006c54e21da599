/*
 * requirement.c - which tokens a capability class requires.
 */
#include "engine/requirement.h"

#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "base/clock.h"
#include "engine/capability.h"

#define MOST 1024				/* then all are forgotten */
#define KEPT_MS 5000

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

	if (find(caps_hash))
		return;
	if (known == NULL || hash_get_num_entries(known) >= MOST)
		forget_all();
	copy = MemoryContextAlloc(memory, VARSIZE_ANY(tokens));
	memcpy(copy, tokens, VARSIZE_ANY(tokens));
	requirement = hash_search(known, &caps_hash, HASH_ENTER, NULL);
	requirement->until_ms = ff_steady_ms() + KEPT_MS;
	requirement->tokens = copy;
}

bool
ff_requirement_may_match(int64 caps_hash, ArrayType *worker)
{
	const Requirement *requirement = find(caps_hash);

	return requirement == NULL || ff_capabilities_match(requirement->tokens, worker);
}
