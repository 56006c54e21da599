/*
 * clock.h - the engine's clock: Unix milliseconds, and what they are as
 * timestamptz.
 */
#ifndef FF_CLOCK_H
#define FF_CLOCK_H

#include "base/compat.h"

#include "base/statement.h"

/* The last instant the engine knows: the end of the year 9999. */
#define FF_MAX_INSTANT_MS INT64CONST(253402300799999)

/* Now, or what ffengine.test_now_ms says. An operation reads it once. */
extern int64 ff_now_ms(void);

/* The real clock, whatever the tests set: to tell people when something was. */
extern int64 ff_real_ms(void);

/*
 * Milliseconds of a clock that nobody sets, from a beginning that all processes
 * share: for intervals and delays of the background processes, for waits, and
 * for what shared memory holds for a time.
 */
extern int64 ff_steady_ms(void);
extern int64 ff_steady_us(void);

/* now + duration, but at most FF_MAX_INSTANT_MS; both in milliseconds, duration >= 0. */
extern int64 ff_after_ms(int64 now_ms, int64 duration_ms);

/* timestamptz to milliseconds, toward the past; invalid_input outside 1970..9999. */
extern int64 ff_instant_to_ms(TimestampTz at, const char *argument);

/* The same from the text of a timestamptz; invalid_input also where it is none. */
extern int64 ff_instant_parse(const char *text, const char *argument);

/* Raises invalid_input for milliseconds outside 0..FF_MAX_INSTANT_MS. */
extern void ff_check_instant(int64 ms, const char *argument);

/* Milliseconds as a timestamptz value; an unset one is SQL NULL. */
extern NullableDatum ff_instant(int64 ms);
extern NullableDatum ff_maybe_instant(FfInt8 ms);

#endif							/* FF_CLOCK_H */
