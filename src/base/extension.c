/*
 * extension.c - which installed copy of the extension this backend talks to.
 *
 * Plans, enum OIDs and row types are cached for speed. They outlive neither a
 * DROP EXTENSION with a CREATE EXTENSION in the same session nor an ALTER
 * SCHEMA ... RENAME: both send an invalidation, and the next call compares.
 */
#include "base/extension.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "base/error.h"

/* A type that every installation has; its OID tells one from the next. */
#define LANDMARK_TYPE "ff_public_state"

uint64		ff_extension_generation = 0;

static Oid	schema_oid = InvalidOid;
static char *schema_name = NULL;
static Oid	landmark_oid = InvalidOid;
static bool stale = true;

static void
catalog_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	stale = true;
}

void
ff_extension_init(void)
{
	CacheRegisterSyscacheCallback(NAMESPACEOID, catalog_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(TYPEOID, catalog_changed, (Datum) 0);
}

static Oid
type_in(Oid schema, const char *name)
{
	return GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid,
						   CStringGetDatum(name), ObjectIdGetDatum(schema));
}

void
ff_extension_enter(FunctionCallInfo fcinfo)
{
	ff_extension_enter_schema(get_func_namespace(fcinfo->flinfo->fn_oid));
}

void
ff_extension_enter_schema(Oid schema)
{
	char	   *name;
	Oid			landmark;

	if (!stale && schema == schema_oid)
		return;

	/* look-ups below may process invalidations: those must not be lost */
	stale = false;
	name = get_namespace_name(schema);
	landmark = type_in(schema, LANDMARK_TYPE);
	if (name == NULL || !OidIsValid(landmark))
	{
		stale = true;
		ff_raise(FF_UNAVAILABLE,
				 errmsg("the types of extension ffengine are not in the schema of its functions"));
	}

	if (schema != schema_oid || landmark != landmark_oid ||
		strcmp(schema_name, quote_identifier(name)) != 0)
	{
		char	   *copy = MemoryContextStrdup(TopMemoryContext, quote_identifier(name));

		if (schema_name)
			pfree(schema_name);
		schema_name = copy;
		schema_oid = schema;
		landmark_oid = landmark;
		ff_extension_generation++;
	}
}

Oid
ff_extension_schema(void)
{
	return schema_oid;
}

const char *
ff_extension_schema_name(void)
{
	return schema_name;
}

Oid
ff_extension_type(const char *name)
{
	Oid			type = type_in(schema_oid, name);

	if (!OidIsValid(type))
		ff_raise(FF_UNAVAILABLE, errmsg("type %s of extension ffengine does not exist", name));
	return type;
}
