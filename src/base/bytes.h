/*
 * bytes.h - reading and writing little-endian wire formats within bounds, and hex.
 */
#ifndef FF_BYTES_H
#define FF_BYTES_H

#include "base/compat.h"

/* A run of bytes inside somebody else's buffer; not zero-terminated. */
typedef struct FfBytes
{
	const char *data;
	size_t		length;
} FfBytes;

/*
 * A reader over a buffer. The first read that would pass the end sets `needed`,
 * and from then on every read gives 0 or an empty run: read a whole record,
 * then look at `needed` once.
 */
typedef struct FfReader
{
	const char *data;
	size_t		length;
	size_t		offset;			/* of the next read, or of the one that failed */
	size_t		needed;			/* bytes that read wanted; 0 while all is well */
} FfReader;

extern uint8 ff_read_u8(FfReader *reader);
extern uint32 ff_read_u32(FfReader *reader);
extern uint64 ff_read_u64(FfReader *reader);
extern FfBytes ff_read_string(FfReader *reader);	/* u32 length, then the bytes */

/* Bytes that were not read yet. */
static inline size_t
ff_reader_remaining(const FfReader *reader)
{
	return reader->length - reader->offset;
}

/* A writer into a buffer that the caller made large enough; passing its end is a bug and raises. */
typedef struct FfWriter
{
	char	   *data;
	size_t		length;
	size_t		offset;			/* of the next write */
} FfWriter;

extern void ff_write_u8(FfWriter *writer, uint8 value);
extern void ff_write_u32(FfWriter *writer, uint32 value);
extern void ff_write_u64(FfWriter *writer, uint64 value);
extern void ff_write_string(FfWriter *writer, const char *data, size_t length);

/* What ff_write_string takes for so many bytes. */
#define FF_STRING_SIZE(length) (sizeof(uint32) + (length))

/* Read an even number of hex digits of either case into half as many bytes; false if it is not hex. */
extern bool ff_hex_read(const char *hex, size_t digits, uint8 *out);

/* Write bytes as twice as many lower-case hex digits, without a zero byte behind them. */
extern void ff_hex_write(const uint8 *bytes, size_t length, char *out);

#endif							/* FF_BYTES_H */
