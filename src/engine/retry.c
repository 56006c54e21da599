/*
 * retry.c - when a failure is retried, and how long to wait before.
 */
#include "engine/retry.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "base/error.h"
#include "base/value.h"

static bool
category_is_listed(ArrayType *categories, const char *category)
{
	Datum	   *values;
	bool	   *nulls;
	int			n;

	deconstruct_array(categories, TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &n);
	for (int i = 0; i < n; i++)
		if (!nulls[i] && strcmp(TextDatumGetCString(values[i]), category) == 0)
			return true;
	return n == 0;
}

bool
ff_retry_applies(const FfRetryPolicy *policy, int32 retries, const char *category)
{
	if (retries >= policy->max_retries)
		return false;
	return policy->categories == NULL || category_is_listed(policy->categories, category);
}

/* Uniform over low..high, both included. */
static int64
draw(int64 low, int64 high)
{
	uint64		bits;

	if (!pg_strong_random(&bits, sizeof(bits)))
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
						errmsg("could not generate random values")));
	return low + (int64) (bits % (uint64) (high - low + 1));
}

int64
ff_retry_backoff_ms(const FfRetryPolicy *policy, int32 n)
{
	double		delay = policy->initial_delay_ms;
	int64		ms;

	/* pow() may give infinity, which the comparison takes as it should */
	if (!policy->fixed && policy->initial_delay_ms > 0)
		delay = Min(delay * pow(policy->multiplier, n), (double) policy->max_delay_ms);
	ms = (int64) floor(Min(delay, (double) FF_MAX_BACKOFF_MS));
	return policy->jitter ? draw(ms / 2, ms) : ms;
}
