/*
 * info.c - the clock, the error catalogue and the derived state, as SQL
 * functions (specification chapter 01).
 */
#include "base/compat.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/extension.h"
#include "base/result.h"
#include "engine/state.h"

PG_FUNCTION_INFO_V1(ff_server_time_ms);
PG_FUNCTION_INFO_V1(ff_to_ms);
PG_FUNCTION_INFO_V1(ff_from_ms);
PG_FUNCTION_INFO_V1(ff_error_catalogue);
PG_FUNCTION_INFO_V1(ff_derive_public_state);

Datum
ff_server_time_ms(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(ff_now_ms());
}

Datum
ff_to_ms(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(ff_instant_to_ms(PG_GETARG_TIMESTAMPTZ(0), "at"));
}

Datum
ff_from_ms(PG_FUNCTION_ARGS)
{
	int64		ms = PG_GETARG_INT64(0);

	ff_check_instant(ms, "ms");
	return ff_instant(ms).value;
}

Datum
ff_error_catalogue(PG_FUNCTION_ARGS)
{
	FfResult   *result = ff_result_begin(fcinfo);

	for (int kind = 0; kind < FF_ERROR_KINDS; kind++)
	{
		FfErrorDescription is;

		ff_error_describe(kind, &is);
		ff_result_add(result, ff_text(is.sqlstate), ff_text(is.class), ff_text(is.kind),
					  ff_bool(is.retryable), ff_text(is.meaning));
	}
	return ff_result_end(result);
}

static int
argument(FunctionCallInfo fcinfo, int n, FfEnum *type)
{
	return PG_ARGISNULL(n) ? -1 : ff_enum_value(type, PG_GETARG_DATUM(n));
}

Datum
ff_derive_public_state(PG_FUNCTION_ARGS)
{
	FfPublicState state;

	ff_extension_enter(fcinfo);
	state = ff_public_state(argument(fcinfo, 0, &ff_phases),
							argument(fcinfo, 1, &ff_eligibilities),
							argument(fcinfo, 2, &ff_attempt_states),
							argument(fcinfo, 3, &ff_outcomes),
							argument(fcinfo, 4, &ff_outcomes));
	return ff_enum(&ff_public_states, state).value;
}
