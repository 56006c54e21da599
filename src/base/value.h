/*
 * value.h - nullable values on their way into a statement or a result row.
 *
 * NullableDatum is PostgreSQL's own pair; these give it short constructors.
 * Pointers are not copied: they live as long as the caller's memory context.
 */
#ifndef FF_VALUE_H
#define FF_VALUE_H

#include "base/compat.h"

#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"
#include "utils/xid8.h"

static inline NullableDatum
ff_value(Datum value)
{
	return (NullableDatum) {.value = value,.isnull = false};
}

static inline NullableDatum
ff_null(void)
{
	return (NullableDatum) {.value = (Datum) 0,.isnull = true};
}

static inline NullableDatum
ff_bool(bool value)
{
	return ff_value(BoolGetDatum(value));
}

static inline NullableDatum
ff_int2(int16 value)
{
	return ff_value(Int16GetDatum(value));
}

static inline NullableDatum
ff_int4(int32 value)
{
	return ff_value(Int32GetDatum(value));
}

static inline NullableDatum
ff_int8(int64 value)
{
	return ff_value(Int64GetDatum(value));
}

/* A transaction id that never wraps. */
static inline NullableDatum
ff_xid8(uint64 value)
{
	return ff_value(FullTransactionIdGetDatum(FullTransactionIdFromU64(value)));
}

/* Any pass-by-reference value (text, bytea, jsonb, array); NULL is SQL NULL. */
static inline NullableDatum
ff_pointer(const void *value)
{
	return value ? ff_value(PointerGetDatum(value)) : ff_null();
}

/* A C string as text; NULL is SQL NULL. */
static inline NullableDatum
ff_text(const char *value)
{
	return value ? ff_value(CStringGetTextDatum(value)) : ff_null();
}

static inline NullableDatum
ff_uuid(const pg_uuid_t *value)
{
	return ff_pointer(value);
}

#endif							/* FF_VALUE_H */
