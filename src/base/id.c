/*
 * id.c - execution ids, UUIDs, lane ids and the partitions they imply.
 */
#include "base/id.h"

#include "mb/pg_wchar.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/hash.h"

#define TAG "{fp:"
#define TAG_LENGTH 4
#define TAG_END "}:"
#define TAG_END_LENGTH 2

#define MAX_TAG_KEY_LENGTH 128

/* The bytes of a UUID between the hyphens of its text. */
static const int uuid_groups[] = {4, 2, 2, 2, 6};

bool
ff_uuid_read(const char *text, size_t length, pg_uuid_t *uuid)
{
	unsigned char *bytes = uuid->data;

	if (length != FF_UUID_SIZE - 1)
		return false;
	for (int i = 0; i < (int) lengthof(uuid_groups); i++)
	{
		if (i > 0 && *text++ != '-')
			return false;
		if (!ff_hex_read(text, 2 * uuid_groups[i], bytes))
			return false;
		text += 2 * uuid_groups[i];
		bytes += uuid_groups[i];
	}
	return true;
}

void
ff_uuid_format(const pg_uuid_t *uuid, char out[FF_UUID_SIZE])
{
	const unsigned char *bytes = uuid->data;

	for (int i = 0; i < (int) lengthof(uuid_groups); i++)
	{
		if (i > 0)
			*out++ = '-';
		ff_hex_write(bytes, uuid_groups[i], out);
		out += 2 * uuid_groups[i];
		bytes += uuid_groups[i];
	}
	*out = '\0';
}

char *
ff_uuid_text(const pg_uuid_t *uuid)
{
	char	   *text = palloc(FF_UUID_SIZE);

	ff_uuid_format(uuid, text);
	return text;
}

/* Random bytes are drawn for several at a time, which costs hardly more than for one. */
#define MINTED_AT_ONCE 16

void
ff_uuid_mint(pg_uuid_t *uuid)
{
	static pg_uuid_t random[MINTED_AT_ONCE];
	static int	left = 0;

	if (left == 0)
	{
		if (!pg_strong_random(random, sizeof(random)))
			ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
							errmsg("could not generate random values")));
		left = MINTED_AT_ONCE;
	}
	*uuid = random[--left];
	uuid->data[6] = (uuid->data[6] & 0x0F) | 0x40;	/* version 4 */
	uuid->data[8] = (uuid->data[8] & 0x3F) | 0x80;	/* variant of RFC 4122 */
}

/* 1-3 digits, no leading zero, at most 255; -1 if it is anything else. */
static int
read_partition(const char *digits, size_t length)
{
	int			partition = 0;

	if (length < 1 || length > 3 || (length > 1 && digits[0] == '0'))
		return -1;
	for (size_t i = 0; i < length; i++)
	{
		if (digits[i] < '0' || digits[i] > '9')
			return -1;
		partition = partition * 10 + (digits[i] - '0');
	}
	return partition < FF_PARTITIONS ? partition : -1;
}

/* Where the first "}:" of a text is, its length if nowhere. */
static size_t
find_tag_end(const char *text, size_t length)
{
	for (size_t i = TAG_LENGTH; i + TAG_END_LENGTH <= length; i++)
		if (memcmp(text + i, TAG_END, TAG_END_LENGTH) == 0)
			return i;
	return length;
}

const char *
ff_execution_id_read(const char *text, size_t length, FfExecutionId *id)
{
	size_t		end;
	int			partition;

	if (length < TAG_LENGTH || memcmp(text, TAG, TAG_LENGTH) != 0)
		return "missing_tag";
	end = find_tag_end(text, length);
	if (end == length)
		return "missing_tag";
	partition = read_partition(text + TAG_LENGTH, end - TAG_LENGTH);
	if (partition < 0)
		return "invalid_partition_index";
	end += TAG_END_LENGTH;
	if (!ff_uuid_read(text + end, length - end, &id->uuid))
		return "invalid_uuid";
	id->partition = (int16) partition;
	return NULL;
}

void
ff_execution_id_parse(const char *text, FfExecutionId *id)
{
	size_t		length = strlen(text);
	size_t		shown;
	const char *rule = ff_execution_id_read(text, length, id);

	if (rule == NULL)
		return;
	/* no more than the longest id has: what was put there by mistake may be a token */
	shown = pg_mbcliplen(text, length, FF_EXECUTION_ID_SIZE - 1);
	ff_raise_rule(FF_INVALID_INPUT, rule,
				  psprintf("invalid execution id \"%s%s\"", pnstrdup(text, shown),
						   shown < length ? "..." : ""),
				  "an execution id is {fp:N}:U, N from 0 to 255 without leading zeros, "
				  "U a UUID of 36 characters");
}

int
ff_execution_id_format(const FfExecutionId *id, char out[FF_EXECUTION_ID_SIZE])
{
	char	   *at = out + TAG_LENGTH;
	int			partition = id->partition;

	/* by hand, since views format an id for every row */
	memcpy(out, TAG, TAG_LENGTH);
	if (partition >= 100)
		*at++ = '0' + partition / 100;
	if (partition >= 10)
		*at++ = '0' + partition / 10 % 10;
	*at++ = '0' + partition % 10;
	memcpy(at, TAG_END, TAG_END_LENGTH);
	at += TAG_END_LENGTH;
	ff_uuid_format(&id->uuid, at);
	return (int) (at - out) + FF_UUID_SIZE - 1;
}

char *
ff_execution_id_text(const FfExecutionId *id)
{
	char	   *text = palloc(FF_EXECUTION_ID_SIZE);

	ff_execution_id_format(id, text);
	return text;
}

void
ff_check_lane(const char *lane_id)
{
	size_t		length = strlen(lane_id);

	if (length == 0)
		ff_raise_rule(FF_INVALID_INPUT, "lane_empty", "lane_id is empty",
					  "a lane id has 1 to %d bytes", FF_LANE_LENGTH);
	if (length > FF_LANE_LENGTH)
		ff_raise_rule(FF_INVALID_INPUT, "lane_too_long", "lane_id is too long",
					  "%zu bytes, at most %d", length, FF_LANE_LENGTH);
	for (size_t i = 0; i < length; i++)
		if (lane_id[i] < 0x20 || lane_id[i] > 0x7E)
			ff_raise_rule(FF_INVALID_INPUT, "lane_non_printable",
						  "lane_id holds a byte that is not printable ASCII",
						  "byte 0x%02X at index %zu", (unsigned char) lane_id[i], i);
}

static bool
is_tag_key_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

bool
ff_tag_key_is_valid(const char *key)
{
	const char *c = key;

	if (*c < 'a' || *c > 'z' || strlen(key) > MAX_TAG_KEY_LENGTH)
		return false;
	while (is_tag_key_char(*c))
		c++;
	if (*c++ != '.' || !is_tag_key_char(*c))
		return false;
	while (is_tag_key_char(*c) || *c == '.')
		c++;
	return *c == '\0';
}

int16
ff_partition_of_uuid(const pg_uuid_t *uuid)
{
	return ff_hash_crc16(uuid->data, UUID_LEN) % FF_PARTITIONS;
}

int16
ff_partition_of_lane(const char *lane_id)
{
	return ff_hash_crc16(lane_id, strlen(lane_id)) % FF_PARTITIONS;
}

int16
ff_partition_of_worker(const char *worker_instance_id)
{
	return ff_hash_fnv64(FF_FNV64_BASIS, worker_instance_id, strlen(worker_instance_id)) %
		FF_PARTITIONS;
}

int16
ff_check_partition(int32 partition)
{
	if (partition < 0 || partition >= FF_PARTITIONS)
		ff_raise_rule(FF_INVALID_INPUT, "invalid_partition_index",
					  psprintf("partition_key %d is out of range", partition),
					  "a partition is 0 to %d", FF_PARTITIONS - 1);
	return (int16) partition;
}
