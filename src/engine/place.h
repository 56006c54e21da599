/*
 * place.h - a place in claim order: priority (higher first), age, id.
 */
#ifndef FF_PLACE_H
#define FF_PLACE_H

#include "base/compat.h"

#include "utils/uuid.h"

typedef struct FfPlace
{
	int32		priority;
	int64		created_at_ms;
	pg_uuid_t	execution_id;
} FfPlace;

/* Before every row in claim order. */
#define FF_FIRST_PLACE ((FfPlace) {.priority = PG_INT32_MAX, .created_at_ms = PG_INT64_MIN})

/* Negative, zero or positive, as a comes before, at or behind b. */
static inline int
ff_place_compare(const FfPlace *a, const FfPlace *b)
{
	if (a->priority != b->priority)
		return a->priority > b->priority ? -1 : 1;
	if (a->created_at_ms != b->created_at_ms)
		return a->created_at_ms < b->created_at_ms ? -1 : 1;
	return memcmp(&a->execution_id, &b->execution_id, sizeof(pg_uuid_t));
}

static inline bool
ff_place_is_first(const FfPlace *place)
{
	return ff_place_compare(place, &FF_FIRST_PLACE) == 0;
}

/* The last place before this one. */
static inline FfPlace
ff_place_before(FfPlace place)
{
	for (int i = UUID_LEN - 1; i >= 0; i--)
		if (place.execution_id.data[i]-- != 0)
			return place;
	/* the id was the first one there is; by now it is the last */
	if (place.created_at_ms-- == PG_INT64_MIN)
		return FF_FIRST_PLACE;
	return place;
}

#endif							/* FF_PLACE_H */
