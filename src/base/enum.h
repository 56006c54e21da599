/*
 * enum.h - C constants for the labels of the extension's ENUM types.
 *
 * A C enum lists the labels in the order of the type; an FfEnum gives the C
 * constant and the OID that PostgreSQL stores for each other.
 */
#ifndef FF_ENUM_H
#define FF_ENUM_H

#include "base/compat.h"

#include "base/value.h"

#define FF_ENUM_MAX_LABELS 24

typedef struct FfEnum
{
	const char *type_name;
	const char *const *labels;
	int			nlabels;
	/* filled at first use, good for one generation of the extension */
	uint64		generation;
	Oid			oids[FF_ENUM_MAX_LABELS];
} FfEnum;

#define FF_ENUM(type, label_array) \
	{.type_name = (type), .labels = (label_array), .nlabels = lengthof(label_array)}

/* C constant to SQL value; a negative constant is SQL NULL. */
extern NullableDatum ff_enum(FfEnum *type, int value);

/* SQL value to C constant; raises corruption for an OID that is none of its labels. */
extern int	ff_enum_value(FfEnum *type, Datum value);

/* The label of a C constant, "null" for a negative one. */
extern const char *ff_enum_label(const FfEnum *type, int value);

/* The C constant of a label, -1 if it is none. */
extern int	ff_enum_find(const FfEnum *type, const char *label);

#endif							/* FF_ENUM_H */
