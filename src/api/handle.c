/*
 * handle.c - SQL functions that write and read handles (specification chapter
 * 02, section 3.3).
 */
#include "engine/handle.h"

#include "base/argument.h"
#include "base/error.h"
#include "base/result.h"

/* ff_handle_encode and ff_handle_decode are the C functions beneath. */
PG_FUNCTION_INFO_V1(ff_sql_handle_encode);
PG_FUNCTION_INFO_V1(ff_sql_handle_decode);

static int
kind_argument(const char *name)
{
	int			kind = ff_handle_kind_find(name);

	if (kind == FF_HANDLE_NO_KIND)
		ff_raise_rule(FF_INVALID_INPUT, "bad_kind", "kind is not a kind of handle",
					  "known are fresh, resumed, suspended, reclaimed");
	return kind;
}

static int
backend_argument(int32 backend)
{
	if (backend < 1 || backend > 3)
		ff_raise_rule(FF_INVALID_INPUT, "bad_backend", "backend is not a known tag",
					  "%d, allowed are 1 to 3", backend);
	return backend;
}

Datum
ff_sql_handle_encode(PG_FUNCTION_ARGS)
{
	const char *execution_id = ff_arg_text(fcinfo, 0, "execution_id");
	FfInt8		attempt_index = ff_arg_maybe_int4(fcinfo, 1);
	const pg_uuid_t *attempt_id = ff_arg_uuid(fcinfo, 2, "attempt_id");
	const pg_uuid_t *lease_id = ff_arg_uuid(fcinfo, 3, "lease_id");
	FfInt8		lease_epoch = ff_arg_maybe_int8(fcinfo, 4);
	FfHandle	handle = {
		.attempt_index = (int32) attempt_index.value,
		.attempt_id = *attempt_id,
		.lease_id = *lease_id,
		.lease_epoch = lease_epoch.value,
		.lease_ttl_ms = ff_arg_int8_or(fcinfo, 5, 0),
		.lane_id = ff_arg_text_or(fcinfo, 6, ""),
		.worker_instance_id = ff_arg_text_or(fcinfo, 7, "")
	};

	if (!attempt_index.isset)
		ff_raise_null("attempt_index");
	if (!lease_epoch.isset)
		ff_raise_null("lease_epoch");
	ff_execution_id_parse(execution_id, &handle.execution);
	handle.kind = kind_argument(ff_arg_text_or(fcinfo, 8, "fresh"));
	handle.backend = backend_argument(ff_arg_int4_or(fcinfo, 9, FF_HANDLE_BACKEND));
	ff_check_not_negative(handle.attempt_index, "attempt_index");
	ff_check_not_negative(handle.lease_epoch, "lease_epoch");
	ff_check_not_negative(handle.lease_ttl_ms, "lease_ttl_ms");

	PG_RETURN_BYTEA_P(ff_handle_encode(&handle));
}

Datum
ff_sql_handle_decode(PG_FUNCTION_ARGS)
{
	const bytea *bytes = ff_arg_bytea(fcinfo, 0, "handle");
	FfResult   *result = ff_result_begin(fcinfo);
	FfHandle	handle;

	ff_handle_decode(bytes, &handle);
	ff_result_add(result,
				  ff_text(ff_handle_kind_name(handle.kind)),
				  ff_int4(handle.backend),
				  ff_text(ff_execution_id_text(&handle.execution)),
				  ff_int4(handle.attempt_index),
				  ff_uuid(&handle.attempt_id),
				  ff_uuid(&handle.lease_id),
				  ff_int8(handle.lease_epoch),
				  ff_int8(handle.lease_ttl_ms),
				  ff_text(handle.lane_id),
				  ff_text(handle.worker_instance_id));
	return ff_result_end(result);
}
