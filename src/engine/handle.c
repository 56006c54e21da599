/*
 * handle.c - the wire format of the worker's handle.
 *
 * Integers are unsigned little-endian, a string is a u32 length and that many
 * bytes of UTF-8, whatever the encoding of the database:
 *
 *	v2	02 01 <backend> <fields> [kind unless fresh]
 *	v1	01 <fields>
 */
#include "engine/handle.h"

#include "catalog/namespace.h"
#include "mb/pg_wchar.h"

#include "base/bytes.h"
#include "base/error.h"

#define LEADING_V1 0x01
#define LEADING_V2 0x02
#define WIRE_VERSION 0x01
#define BACKEND_V1 1
#define BACKEND_MAX 3

/* The fields as they are in the buffer, before any of them is judged. */
typedef struct RawFields
{
	FfBytes		execution;
	uint32		attempt_index;
	FfBytes		attempt_id;
	FfBytes		lease_id;
	uint64		lease_epoch;
	uint64		lease_ttl_ms;
	FfBytes		lane_id;
	FfBytes		worker_instance_id;
} RawFields;

static const char *const kind_names[] = {
	[FF_HANDLE_NO_KIND] = NULL,
	[FF_HANDLE_FRESH] = "fresh",
	[FF_HANDLE_RESUMED] = "resumed",
	[FF_HANDLE_SUSPENDED] = "suspended",
	[FF_HANDLE_RECLAIMED] = "reclaimed",
};

const char *
ff_handle_kind_name(int kind)
{
	return kind_names[kind];
}

int
ff_handle_kind_find(const char *name)
{
	for (int kind = FF_HANDLE_FRESH; kind <= FF_HANDLE_RECLAIMED; kind++)
		if (strcmp(kind_names[kind], name) == 0)
			return kind;
	return FF_HANDLE_NO_KIND;
}

/* Writing */

static const char *
to_utf8(const char *text)
{
	return pg_server_to_any(text, strlen(text), PG_UTF8);
}

bytea *
ff_handle_encode(const FfHandle *handle)
{
	char		execution[FF_EXECUTION_ID_SIZE];
	char		uuid[FF_UUID_SIZE];
	size_t		execution_length = ff_execution_id_format(&handle->execution, execution);
	const char *lane_id = to_utf8(handle->lane_id);
	const char *worker = to_utf8(handle->worker_instance_id);
	size_t		lane_length = strlen(lane_id);
	size_t		worker_length = strlen(worker);
	bool		has_kind = handle->kind != FF_HANDLE_FRESH;
	size_t		size = 3 * sizeof(uint8) + FF_STRING_SIZE(execution_length) + sizeof(uint32) +
		2 * FF_STRING_SIZE(FF_UUID_SIZE - 1) + 2 * sizeof(uint64) +
		FF_STRING_SIZE(lane_length) + FF_STRING_SIZE(worker_length) + (has_kind ? 1 : 0);
	bytea	   *result = palloc(VARHDRSZ + size);
	FfWriter	writer = {.data = VARDATA(result),.length = size};

	SET_VARSIZE(result, VARHDRSZ + size);
	ff_write_u8(&writer, LEADING_V2);
	ff_write_u8(&writer, WIRE_VERSION);
	ff_write_u8(&writer, (uint8) handle->backend);
	ff_write_string(&writer, execution, execution_length);
	ff_write_u32(&writer, (uint32) handle->attempt_index);
	ff_uuid_format(&handle->attempt_id, uuid);
	ff_write_string(&writer, uuid, FF_UUID_SIZE - 1);
	ff_uuid_format(&handle->lease_id, uuid);
	ff_write_string(&writer, uuid, FF_UUID_SIZE - 1);
	ff_write_u64(&writer, (uint64) handle->lease_epoch);
	ff_write_u64(&writer, (uint64) handle->lease_ttl_ms);
	ff_write_string(&writer, lane_id, lane_length);
	ff_write_string(&writer, worker, worker_length);
	if (has_kind)
		ff_write_u8(&writer, (uint8) handle->kind);
	Assert(writer.offset == writer.length);
	return result;
}

/* Reading */

#define refuse(rule, ...) ff_raise_rule(FF_CORRUPTION, rule, "handle cannot be decoded", __VA_ARGS__)

static void
refuse_if_truncated(const FfReader *reader)
{
	if (reader->needed != 0)
		refuse("handle_truncated", "%zu bytes needed at offset %zu, %zu present",
			   reader->needed, reader->offset, ff_reader_remaining(reader));
}

/* What comes before the fields; gives the backend tag. */
static int
read_leading(FfReader *reader)
{
	uint8		leading = ff_read_u8(reader);
	uint8		version;
	uint8		backend;

	refuse_if_truncated(reader);
	if (leading == LEADING_V1)
		return BACKEND_V1;
	if (leading != LEADING_V2)
		refuse("handle_bad_leading_byte", "0x%02X at offset 0", leading);

	version = ff_read_u8(reader);
	refuse_if_truncated(reader);
	if (version != WIRE_VERSION)
		refuse("handle_bad_wire_version", "0x%02X at offset 1", version);

	backend = ff_read_u8(reader);
	refuse_if_truncated(reader);
	if (backend < 1 || backend > BACKEND_MAX)
		refuse("handle_bad_backend_tag", "0x%02X at offset 2", backend);
	return backend;
}

static void
read_fields(FfReader *reader, RawFields *raw)
{
	raw->execution = ff_read_string(reader);
	raw->attempt_index = ff_read_u32(reader);
	raw->attempt_id = ff_read_string(reader);
	raw->lease_id = ff_read_string(reader);
	raw->lease_epoch = ff_read_u64(reader);
	raw->lease_ttl_ms = ff_read_u64(reader);
	raw->lane_id = ff_read_string(reader);
	raw->worker_instance_id = ff_read_string(reader);
	refuse_if_truncated(reader);
}

static void
check_utf8(FfBytes bytes, const char *field)
{
	/* pg_verify_mbstr takes an int, a zero byte does not pass it */
	if (!pg_verify_mbstr(PG_UTF8, bytes.data, (int) bytes.length, true))
		refuse("handle_invalid_utf8", "%s", field);
}

/*
 * UTF-8 as text of the database, zero-terminated. A character that the
 * database's encoding does not have is refused like invalid UTF-8.
 */
static const char *
from_utf8(FfBytes bytes, const char *field)
{
	int			encoding = GetDatabaseEncoding();
	size_t		size = bytes.length * MAX_CONVERSION_GROWTH + 1;
	char	   *text;
	Oid			conversion;

	if (bytes.length == 0)
		return "";
	if (encoding == PG_UTF8 || encoding == PG_SQL_ASCII)
		return pnstrdup(bytes.data, bytes.length);
	conversion = FindDefaultConversionProc(PG_UTF8, encoding);
	if (!OidIsValid(conversion))
		refuse("handle_invalid_utf8", "%s: there is no conversion to the database's encoding", field);
	text = palloc(size);
	if (pg_do_encoding_conversion_buf(conversion, PG_UTF8, encoding,
									  (unsigned char *) bytes.data, (int) bytes.length,
									  (unsigned char *) text, (int) size, true) != (int) bytes.length)
		refuse("handle_invalid_utf8", "%s: a character has no equivalent in the database's encoding",
			   field);
	return text;
}

static void
read_uuid(FfBytes bytes, const char *field, pg_uuid_t *uuid)
{
	if (!ff_uuid_read(bytes.data, bytes.length, uuid))
		refuse("handle_bad_field", "%s is not a UUID", field);
}

static int64
read_int8(uint64 value, const char *field)
{
	if (value > (uint64) PG_INT64_MAX)
		refuse("handle_bad_field", "%s is too large", field);
	return (int64) value;
}

static void
judge_fields(const RawFields *raw, FfHandle *handle)
{
	const char *rule;

	check_utf8(raw->execution, "execution id");
	check_utf8(raw->attempt_id, "attempt id");
	check_utf8(raw->lease_id, "lease id");
	check_utf8(raw->lane_id, "lane id");
	check_utf8(raw->worker_instance_id, "worker instance id");

	rule = ff_execution_id_read(raw->execution.data, raw->execution.length, &handle->execution);
	if (rule)
		refuse("handle_bad_field", "execution id: %s", rule);
	read_uuid(raw->attempt_id, "attempt id", &handle->attempt_id);
	read_uuid(raw->lease_id, "lease id", &handle->lease_id);
	if (raw->attempt_index > PG_INT32_MAX)
		refuse("handle_bad_field", "attempt index is too large");
	handle->attempt_index = (int32) raw->attempt_index;
	handle->lease_epoch = read_int8(raw->lease_epoch, "lease epoch");
	handle->lease_ttl_ms = read_int8(raw->lease_ttl_ms, "lease ttl");
	handle->lane_id = from_utf8(raw->lane_id, "lane id");
	handle->worker_instance_id = from_utf8(raw->worker_instance_id, "worker instance id");
}

/* The optional byte behind the fields; nothing else may follow them. */
static int
read_kind(FfReader *reader, bool is_v1)
{
	size_t		end = reader->offset;
	uint8		kind;

	if (ff_reader_remaining(reader) == 0)
		return is_v1 ? FF_HANDLE_NO_KIND : FF_HANDLE_FRESH;
	if (ff_reader_remaining(reader) > 1 || is_v1)
		refuse("handle_trailing_bytes", "the fields end at %zu, the handle has %zu bytes",
			   end, reader->length);
	kind = ff_read_u8(reader);
	if (kind < FF_HANDLE_RESUMED || kind > FF_HANDLE_RECLAIMED)
		refuse("handle_bad_kind", "0x%02X at offset %zu", kind, end);
	return kind;
}

void
ff_handle_decode(const bytea *bytes, FfHandle *handle)
{
	FfReader	reader = {.data = VARDATA_ANY(bytes),.length = VARSIZE_ANY_EXHDR(bytes)};
	RawFields	raw;

	handle->backend = read_leading(&reader);
	read_fields(&reader, &raw);
	judge_fields(&raw, handle);
	handle->kind = read_kind(&reader, reader.data[0] == LEADING_V1);
}

void
ff_handle_read(const bytea *bytes, FfHandle *handle)
{
	ff_handle_decode(bytes, handle);
	if (handle->backend != FF_HANDLE_BACKEND)
		ff_raise(FF_HANDLE_FROM_OTHER_BACKEND,
				 errmsg("handle was issued by another system"),
				 errdetail("expected=%d actual=%d", FF_HANDLE_BACKEND, handle->backend));
}
