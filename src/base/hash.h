/*
 * hash.h - the two hashes that are part of stored data and wire formats.
 */
#ifndef FF_HASH_H
#define FF_HASH_H

#include "base/compat.h"

/* CRC-16/XMODEM: polynomial 0x1021, initial value 0, no reflection, no final xor. */
extern uint16 ff_hash_crc16(const void *data, size_t length);

/* FNV-1a, 64 bits; begin with FF_FNV64_BASIS and feed the bytes in any number of pieces. */
#define FF_FNV64_BASIS UINT64CONST(0xCBF29CE484222325)
extern uint64 ff_hash_fnv64(uint64 hash, const void *data, size_t length);

#endif							/* FF_HASH_H */
