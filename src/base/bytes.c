/*
 * bytes.c - reading and writing little-endian wire formats within bounds, and hex.
 *
 * Byte by byte, so that neither the machine's byte order nor the alignment of
 * the buffer matters.
 */
#include "base/bytes.h"

/* The next `length` bytes, NULL past the end. Lengths are compared, never added up: no overflow. */
static const char *
take(FfReader *reader, size_t length)
{
	const char *at = reader->data + reader->offset;

	if (reader->needed != 0)
		return NULL;
	if (length > ff_reader_remaining(reader))
	{
		reader->needed = length;
		return NULL;
	}
	reader->offset += length;
	return at;
}

static uint64
read_number(FfReader *reader, size_t size)
{
	const char *at = take(reader, size);
	uint64		value = 0;

	if (at)
		for (size_t i = size; i-- > 0;)
			value = value << 8 | (uint8) at[i];
	return value;
}

uint8
ff_read_u8(FfReader *reader)
{
	return (uint8) read_number(reader, sizeof(uint8));
}

uint32
ff_read_u32(FfReader *reader)
{
	return (uint32) read_number(reader, sizeof(uint32));
}

uint64
ff_read_u64(FfReader *reader)
{
	return read_number(reader, sizeof(uint64));
}

FfBytes
ff_read_string(FfReader *reader)
{
	uint32		length = ff_read_u32(reader);
	const char *at = take(reader, length);

	return at ? (FfBytes) {.data = at,.length = length} : (FfBytes) {.data = "",.length = 0};
}

/* Room for the next `length` bytes. */
static char *
room(FfWriter *writer, size_t length)
{
	char	   *at = writer->data + writer->offset;

	if (length > writer->length - writer->offset)
		elog(ERROR, "%zu bytes do not fit at offset %zu of %zu", length, writer->offset,
			 writer->length);
	writer->offset += length;
	return at;
}

static void
write_number(FfWriter *writer, uint64 value, size_t size)
{
	char	   *at = room(writer, size);

	for (size_t i = 0; i < size; i++)
		at[i] = (char) (value >> (8 * i) & 0xFF);
}

void
ff_write_u8(FfWriter *writer, uint8 value)
{
	write_number(writer, value, sizeof(value));
}

void
ff_write_u32(FfWriter *writer, uint32 value)
{
	write_number(writer, value, sizeof(value));
}

void
ff_write_u64(FfWriter *writer, uint64 value)
{
	write_number(writer, value, sizeof(value));
}

void
ff_write_string(FfWriter *writer, const char *data, size_t length)
{
	ff_write_u32(writer, (uint32) length);
	memcpy(room(writer, length), data, length);
}

/* The value of a hex digit, -1 if it is none. */
static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool
ff_hex_read(const char *hex, size_t digits, uint8 *out)
{
	if (digits % 2 != 0)
		return false;
	for (size_t i = 0; i < digits; i += 2)
	{
		int			high = hex_value(hex[i]);
		int			low = hex_value(hex[i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i / 2] = (uint8) (high << 4 | low);
	}
	return true;
}

void
ff_hex_write(const uint8 *bytes, size_t length, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < length; i++)
	{
		*out++ = digits[bytes[i] >> 4];
		*out++ = digits[bytes[i] & 0x0F];
	}
}
