/*
 * retry.h - when a failure is retried, and how long to wait before. Pure.
 */
#ifndef FF_RETRY_H
#define FF_RETRY_H

#include "base/compat.h"

#include "utils/array.h"

typedef struct FfRetryPolicy
{
	int64		max_retries;
	bool		fixed;			/* every delay is initial_delay_ms */
	int64		initial_delay_ms;
	int64		max_delay_ms;
	double		multiplier;
	bool		jitter;
	ArrayType  *categories;		/* text[] of those retried; NULL or empty: all */
} FfRetryPolicy;

/* The longest a single backoff may be. */
#define FF_MAX_BACKOFF_MS (INT64CONST(365) * 86400000)

/* True when a failure of this category, after so many retries, is tried again. */
extern bool ff_retry_applies(const FfRetryPolicy *policy, int32 retries, const char *category);

/* Milliseconds to wait before retry number n, from 0. Never overflows. */
extern int64 ff_retry_backoff_ms(const FfRetryPolicy *policy, int32 n);

#endif							/* FF_RETRY_H */
