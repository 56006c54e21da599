/*
 * clock.c - the engine's clock.
 */
#include "base/clock.h"

#include "portability/instr_time.h"
#include "utils/datetime.h"

#include "base/error.h"
#include "base/setting.h"

#define EPOCH_SHIFT_US ((POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY)

int64
ff_real_ms(void)
{
	return (GetCurrentTimestamp() + EPOCH_SHIFT_US) / 1000;
}

int64
ff_steady_us(void)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	return (int64) INSTR_TIME_GET_MICROSEC(now);
}

int64
ff_steady_ms(void)
{
	return ff_steady_us() / 1000;
}

int64
ff_now_ms(void)
{
	return ff_test_now_ms != 0 ? ff_test_now_ms : ff_real_ms();
}

int64
ff_after_ms(int64 now_ms, int64 duration_ms)
{
	return duration_ms > FF_MAX_INSTANT_MS - now_ms ? FF_MAX_INSTANT_MS : now_ms + duration_ms;
}

void
ff_check_instant(int64 ms, const char *argument)
{
	if (ms < 0 || ms > FF_MAX_INSTANT_MS)
		ff_raise_rule(FF_INVALID_INPUT, "out_of_range",
					  psprintf("%s is out of range", argument),
					  "an instant lies between 1970-01-01 and 9999-12-31 UTC");
}

int64
ff_instant_to_ms(TimestampTz at, const char *argument)
{
	int64		us;
	int64		ms;

	if (TIMESTAMP_NOT_FINITE(at))
		ff_raise_rule(FF_INVALID_INPUT, "out_of_range",
					  psprintf("%s must be finite", argument), "an instant is needed");
	us = at + EPOCH_SHIFT_US;
	ms = us / 1000 - (us % 1000 < 0 ? 1 : 0);
	ff_check_instant(ms, argument);
	return ms;
}

/* What timestamptz_in() does, which would raise errors that are not the engine's. */
int64
ff_instant_parse(const char *text, const char *argument)
{
	char		buffer[MAXDATELEN + MAXDATEFIELDS];
	char	   *fields[MAXDATEFIELDS];
	int			types[MAXDATEFIELDS];
	int			nfields;
	int			type;
	int			zone;
	struct pg_tm tm;
	fsec_t		fraction;
	TimestampTz at = DT_NOEND;

	if (ParseDateTime(text, buffer, sizeof(buffer), fields, types, MAXDATEFIELDS, &nfields) != 0 ||
		DecodeDateTime(fields, types, nfields, &type, &tm, &fraction, &zone
					   FF_NO_DATETIME_DETAILS) != 0 ||
		(type == DTK_DATE && tm2timestamp(&tm, fraction, &zone, &at) != 0))
		ff_raise_rule(FF_INVALID_INPUT, "not_an_instant",
					  psprintf("%s is not a timestamp", argument),
					  "a date and time with a time zone is needed");
	if (type == DTK_EPOCH)
		at = SetEpochTimestamp();
	return ff_instant_to_ms(at, argument);
}

NullableDatum
ff_instant(int64 ms)
{
	return ff_value(TimestampTzGetDatum(ms * 1000 - EPOCH_SHIFT_US));
}

NullableDatum
ff_maybe_instant(FfInt8 ms)
{
	return ms.isset ? ff_instant(ms.value) : ff_null();
}
