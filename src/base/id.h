/*
 * id.h - execution ids, UUIDs, lane ids and the partitions they imply
 * (specification chapter 02, sections 1 and 2).
 */
#ifndef FF_ID_H
#define FF_ID_H

#include "base/compat.h"

#include "utils/uuid.h"

/* Partitions of every kind of thing; fixed, since ids carry theirs. */
#define FF_PARTITIONS 256

/* An execution: its partition is part of the id and is never computed from the uuid. */
typedef struct FfExecutionId
{
	int16		partition;
	pg_uuid_t	uuid;
} FfExecutionId;

#define FF_LANE_LENGTH 64		/* the longest lane id, in bytes */

/* Buffer sizes with the zero byte: a UUID's text, and "{fp:255}:" before one. */
#define FF_UUID_SIZE 37
#define FF_EXECUTION_ID_SIZE (9 + FF_UUID_SIZE)

/*
 * Read the text form {fp:N}:<uuid>. Raises invalid_input with rule missing_tag,
 * invalid_partition_index or invalid_uuid.
 */
extern void ff_execution_id_parse(const char *text, FfExecutionId *id);

/* The same over a run of bytes; the name of the rule it breaks, NULL if none. */
extern const char *ff_execution_id_read(const char *text, size_t length, FfExecutionId *id);

/* The text form, lower case: palloc'd, or into a buffer, giving its length. */
extern char *ff_execution_id_text(const FfExecutionId *id);
extern int	ff_execution_id_format(const FfExecutionId *id, char out[FF_EXECUTION_ID_SIZE]);

/* A random (version 4) UUID from the server's strong random source. */
extern void ff_uuid_mint(pg_uuid_t *uuid);

/* 36 lower-case characters, hyphenated; the second form is palloc'd. */
extern void ff_uuid_format(const pg_uuid_t *uuid, char out[FF_UUID_SIZE]);
extern char *ff_uuid_text(const pg_uuid_t *uuid);

/* Read 8-4-4-4-12 hex digits of either case and nothing else; false if it is something else. */
extern bool ff_uuid_read(const char *text, size_t length, pg_uuid_t *uuid);

/* Raises invalid_input with rule lane_empty, lane_too_long or lane_non_printable. */
extern void ff_check_lane(const char *lane_id);

/* True for a tag key: ^[a-z][a-z0-9_]*\.[a-z0-9_][a-z0-9_.]*$, at most 128 bytes. */
extern bool ff_tag_key_is_valid(const char *key);

/* Partitions: of a flow, budget or quota policy; of an execution outside a flow; of a worker instance. */
extern int16 ff_partition_of_uuid(const pg_uuid_t *uuid);
extern int16 ff_partition_of_lane(const char *lane_id);
extern int16 ff_partition_of_worker(const char *worker_instance_id);

/* Raises invalid_input/invalid_partition_index outside 0..255. */
extern int16 ff_check_partition(int32 partition);

#endif							/* FF_ID_H */
