/*
 * hash.c - the two hashes that are part of stored data and wire formats.
 */
#include "base/hash.h"

#define CRC16_POLYNOMIAL 0x1021
#define FNV64_PRIME UINT64CONST(0x100000001B3)

/* Bit by bit: what is hashed are ids of at most some dozen bytes. */
uint16
ff_hash_crc16(const void *data, size_t length)
{
	const uint8 *bytes = data;
	uint16		crc = 0;

	for (size_t i = 0; i < length; i++)
	{
		crc ^= (uint16) (bytes[i] << 8);
		for (int bit = 0; bit < 8; bit++)
			crc = (uint16) ((crc << 1) ^ (crc & 0x8000 ? CRC16_POLYNOMIAL : 0));
	}
	return crc;
}

uint64
ff_hash_fnv64(uint64 hash, const void *data, size_t length)
{
	const uint8 *bytes = data;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ bytes[i]) * FNV64_PRIME;
	return hash;
}
