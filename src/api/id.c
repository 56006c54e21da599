/*
 * id.c - SQL functions over ids, partitions and capability classes
 * (specification chapter 02, section 2, and chapter 01, section 1).
 */
#include "base/id.h"

#include "utils/builtins.h"

#include "base/argument.h"
#include "base/hash.h"
#include "engine/capability.h"

PG_FUNCTION_INFO_V1(ff_execution_id_new);
PG_FUNCTION_INFO_V1(ff_execution_id_for_flow);
PG_FUNCTION_INFO_V1(ff_execution_id);
PG_FUNCTION_INFO_V1(ff_execution_partition);
PG_FUNCTION_INFO_V1(ff_execution_uuid);
PG_FUNCTION_INFO_V1(ff_is_execution_id);
PG_FUNCTION_INFO_V1(ff_flow_partition);
PG_FUNCTION_INFO_V1(ff_lane_partition);
PG_FUNCTION_INFO_V1(ff_budget_partition);
PG_FUNCTION_INFO_V1(ff_quota_partition);
PG_FUNCTION_INFO_V1(ff_worker_partition);
PG_FUNCTION_INFO_V1(ff_crc16);
PG_FUNCTION_INFO_V1(ff_caps_hash);

static Datum
id_datum(const FfExecutionId *id)
{
	char		text[FF_EXECUTION_ID_SIZE];
	int			length = ff_execution_id_format(id, text);

	return PointerGetDatum(cstring_to_text_with_len(text, length));
}

/* An id in a partition, with the UUID of argument 1 or a new one. */
static Datum
new_id(FunctionCallInfo fcinfo, int16 partition)
{
	const pg_uuid_t *given = ff_arg_uuid_or_null(fcinfo, 1);
	FfExecutionId id = {.partition = partition};

	if (given)
		id.uuid = *given;
	else
		ff_uuid_mint(&id.uuid);
	return id_datum(&id);
}

static void
parse_argument(FunctionCallInfo fcinfo, FfExecutionId *id)
{
	ff_execution_id_parse(text_to_cstring(PG_GETARG_TEXT_PP(0)), id);
}

Datum
ff_execution_id_new(PG_FUNCTION_ARGS)
{
	const char *lane_id = ff_arg_text(fcinfo, 0, "lane_id");

	ff_check_lane(lane_id);
	return new_id(fcinfo, ff_partition_of_lane(lane_id));
}

Datum
ff_execution_id_for_flow(PG_FUNCTION_ARGS)
{
	return new_id(fcinfo, ff_partition_of_uuid(ff_arg_uuid(fcinfo, 0, "flow_id")));
}

Datum
ff_execution_id(PG_FUNCTION_ARGS)
{
	FfExecutionId id = {
		.partition = ff_check_partition(PG_GETARG_INT32(0)),
		.uuid = *PG_GETARG_UUID_P(1)
	};

	return id_datum(&id);
}

Datum
ff_execution_partition(PG_FUNCTION_ARGS)
{
	FfExecutionId id;

	parse_argument(fcinfo, &id);
	PG_RETURN_INT16(id.partition);
}

Datum
ff_execution_uuid(PG_FUNCTION_ARGS)
{
	FfExecutionId id;
	pg_uuid_t  *uuid = palloc(sizeof(pg_uuid_t));

	parse_argument(fcinfo, &id);
	*uuid = id.uuid;
	PG_RETURN_UUID_P(uuid);
}

Datum
ff_is_execution_id(PG_FUNCTION_ARGS)
{
	text	   *value = PG_GETARG_TEXT_PP(0);
	FfExecutionId id;

	PG_RETURN_BOOL(ff_execution_id_read(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value), &id) == NULL);
}

Datum
ff_flow_partition(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT16(ff_partition_of_uuid(PG_GETARG_UUID_P(0)));
}

Datum
ff_lane_partition(PG_FUNCTION_ARGS)
{
	const char *lane_id = text_to_cstring(PG_GETARG_TEXT_PP(0));

	ff_check_lane(lane_id);
	PG_RETURN_INT16(ff_partition_of_lane(lane_id));
}

Datum
ff_budget_partition(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT16(ff_partition_of_uuid(PG_GETARG_UUID_P(0)));
}

Datum
ff_quota_partition(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT16(ff_partition_of_uuid(PG_GETARG_UUID_P(0)));
}

Datum
ff_worker_partition(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT16(ff_partition_of_worker(text_to_cstring(PG_GETARG_TEXT_PP(0))));
}

Datum
ff_crc16(PG_FUNCTION_ARGS)
{
	bytea	   *data = PG_GETARG_BYTEA_PP(0);

	PG_RETURN_INT32(ff_hash_crc16(VARDATA_ANY(data), VARSIZE_ANY_EXHDR(data)));
}

Datum
ff_caps_hash(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(ff_capabilities_hash(PG_GETARG_ARRAYTYPE_P(0)));
}
