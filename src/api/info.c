/*
 * info.c - the clock, the error catalogue, the derived state and the version,
 * as SQL functions (specification chapters 01 and 06).
 */
#include "base/compat.h"

#include "base/call.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/extension.h"
#include "base/result.h"
#include "base/statement.h"
#include "engine/state.h"

/* Three numbers, from META.json through the Makefile. */
#ifndef FF_VERSION
#error "FF_VERSION must be defined"
#endif

PG_FUNCTION_INFO_V1(ff_server_time_ms);
PG_FUNCTION_INFO_V1(ff_to_ms);
PG_FUNCTION_INFO_V1(ff_from_ms);
PG_FUNCTION_INFO_V1(ff_error_catalogue);
PG_FUNCTION_INFO_V1(ff_derive_public_state);
PG_FUNCTION_INFO_V1(ff_version);
PG_FUNCTION_INFO_V1(ff_ping);

static FfStatement installed_version =
FF_STATEMENT("installed_version", "",
			 "SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'ffengine'");

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

Datum
ff_version(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(FF_VERSION));
}

/* An extension's version is major.minor: its patches change no schema. */
static bool
is_of_version(const char *installed)
{
	size_t		length = strlen(installed);

	return strncmp(FF_VERSION, installed, length) == 0 &&
		(FF_VERSION[length] == '.' || FF_VERSION[length] == '\0');
}

Datum
ff_ping(PG_FUNCTION_ARGS)
{
	FfCall		call;
	FfRows		rows;
	const char *installed = "none";

	ff_call_begin_scalar(&call, fcinfo);
	rows = ff_statement_execute(&installed_version, NULL, 0, true);
	if (rows.count > 0)
	{
		FfRow		row = ff_rows_get(&rows, 0);

		installed = ff_row_cstring(&row, 1);
	}
	if (!is_of_version(installed))
		ff_raise(FF_UNAVAILABLE,
				 errmsg("the library of ffengine is of version %s, its schema of version %s",
						FF_VERSION, installed),
				 errhint("Restart the sessions that loaded the older library, or run ALTER EXTENSION ffengine UPDATE."));
	ff_call_end(&call);
	PG_RETURN_BOOL(true);
}
