/*
 * enum.c - C constants for the labels of the extension's ENUM types.
 */
#include "base/enum.h"

#include "catalog/pg_enum.h"
#include "utils/syscache.h"

#include "base/error.h"
#include "base/extension.h"

static void
load(FfEnum *type)
{
	Oid			type_oid;

	if (type->generation == ff_extension_generation)
		return;
	Assert(type->nlabels <= FF_ENUM_MAX_LABELS);
	type_oid = ff_extension_type(type->type_name);
	for (int i = 0; i < type->nlabels; i++)
	{
		type->oids[i] = GetSysCacheOid2(ENUMTYPOIDNAME, Anum_pg_enum_oid,
										ObjectIdGetDatum(type_oid),
										CStringGetDatum(type->labels[i]));
		if (!OidIsValid(type->oids[i]))
			ff_raise(FF_UNAVAILABLE,
					 errmsg("type %s has no label \"%s\"", type->type_name, type->labels[i]));
	}
	type->generation = ff_extension_generation;
}

NullableDatum
ff_enum(FfEnum *type, int value)
{
	if (value < 0)
		return ff_null();
	load(type);
	return ff_value(ObjectIdGetDatum(type->oids[value]));
}

int
ff_enum_value(FfEnum *type, Datum value)
{
	Oid			oid = DatumGetObjectId(value);

	load(type);
	for (int i = 0; i < type->nlabels; i++)
		if (type->oids[i] == oid)
			return i;
	ff_raise(FF_CORRUPTION,
			 errmsg("value %u is not a label of type %s", oid, type->type_name));
}

const char *
ff_enum_label(const FfEnum *type, int value)
{
	return value < 0 ? "null" : type->labels[value];
}

int
ff_enum_find(const FfEnum *type, const char *label)
{
	for (int i = 0; i < type->nlabels; i++)
		if (strcmp(type->labels[i], label) == 0)
			return i;
	return -1;
}
