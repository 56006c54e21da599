/*
 * failing.c - rows that a reconciler could not do.
 */
#include "background/failing.h"

#include "utils/memutils.h"

#define FAILURES_TO_PARK 3
#define PASSES_PARKED 10

struct FfFailing
{
	FfFailing  *next;
	int			failures;		/* passes running */
	int			parked;			/* passes that it is still left out of */
	bool		failed;			/* in this pass */
	char		key[FLEXIBLE_ARRAY_MEMBER];
};

static FfFailing *
find(const FfFailing *rows, const char *key)
{
	for (; rows; rows = rows->next)
		if (strcmp(rows->key, key) == 0)
			return unconstify(FfFailing *, rows);
	return NULL;
}

bool
ff_failing_note(FfFailing **rows, const char *key)
{
	FfFailing  *row = find(*rows, key);

	if (row == NULL)
	{
		row = MemoryContextAllocZero(TopMemoryContext,
									 offsetof(FfFailing, key) + strlen(key) + 1);
		strcpy(row->key, key);
		row->next = *rows;
		*rows = row;
	}
	row->failures++;
	row->failed = true;
	if (row->failures >= FAILURES_TO_PARK)
		row->parked = PASSES_PARKED + 1;	/* this one is one of them */
	return row->failures == 1;
}

bool
ff_failing_is_parked(const FfFailing *rows, const char *key)
{
	const FfFailing *row = find(rows, key);

	return row && row->parked > 0;
}

int
ff_failing_settle(FfFailing **rows)
{
	int			parked = 0;

	while (*rows)
	{
		FfFailing  *row = *rows;

		if (row->parked == 0 && !row->failed)
		{
			*rows = row->next;
			pfree(row);
			continue;
		}
		row->failed = false;
		if (row->parked > 0)
			row->parked--;
		parked += row->parked > 0;
		rows = &row->next;
	}
	return parked;
}
