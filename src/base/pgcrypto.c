/*
 * pgcrypto.c - the functions of extension pgcrypto that the engine calls.
 *
 * Each is looked up at its first use and again after any change of pg_proc,
 * which ALTER EXTENSION pgcrypto SET SCHEMA and a DROP with a CREATE EXTENSION
 * both are.
 */
#include "base/pgcrypto.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "base/error.h"

#define MAX_ARGUMENTS 3

typedef struct CryptoFunction
{
	const char *name;
	int			nargs;
	Oid			arguments[MAX_ARGUMENTS];
	uint64		generation;		/* the catalogs that `call` was looked up in; 0: never */
	FmgrInfo	call;
} CryptoFunction;

static CryptoFunction hmac = {.name = "hmac",.nargs = 3,.arguments = {BYTEAOID, BYTEAOID, TEXTOID}};
static CryptoFunction digest = {.name = "digest",.nargs = 2,.arguments = {BYTEAOID, TEXTOID}};
static CryptoFunction gen_random_bytes = {.name = "gen_random_bytes",.nargs = 1,.arguments = {INT4OID}};

/* Counts changes of pg_proc; 0 until the callback is registered. */
static uint64 generation = 0;

static void
functions_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	generation++;
}

/* The schema that pgcrypto is installed in; InvalidOid if it is not. */
static Oid
pgcrypto_schema(void)
{
	Relation	extensions = table_open(ExtensionRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	Oid			schema = InvalidOid;

	ScanKeyInit(&key, Anum_pg_extension_extname, BTEqualStrategyNumber, F_NAMEEQ,
				CStringGetDatum("pgcrypto"));
	scan = systable_beginscan(extensions, ExtensionNameIndexId, true, NULL, 1, &key);
	tuple = systable_getnext(scan);
	if (HeapTupleIsValid(tuple))
		schema = ((Form_pg_extension) GETSTRUCT(tuple))->extnamespace;
	systable_endscan(scan);
	table_close(extensions, AccessShareLock);
	return schema;
}

static void
look_up(CryptoFunction *function)
{
	oidvector  *signature = buildoidvector(function->arguments, function->nargs);
	uint64		before = generation;
	Oid			schema = pgcrypto_schema();
	Oid			oid = InvalidOid;

	if (OidIsValid(schema))
		oid = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid,
							  CStringGetDatum(function->name), PointerGetDatum(signature),
							  ObjectIdGetDatum(schema));
	if (!OidIsValid(oid))
		ff_raise(FF_UNAVAILABLE,
				 errmsg("function %s of extension pgcrypto is not there", function->name),
				 errhint("Install extension pgcrypto again."));

	function->generation = 0;	/* in case what follows fails halfway */
	fmgr_info_cxt(oid, &function->call, TopMemoryContext);
	/* a change that came in during the look-up is looked at next time */
	function->generation = before;
	pfree(signature);
}

/* The function, ready to be called. */
static FmgrInfo *
ready(CryptoFunction *function)
{
	if (generation == 0)
	{
		CacheRegisterSyscacheCallback(PROCOID, functions_changed, (Datum) 0);
		generation = 1;
	}
	if (function->generation != generation)
		look_up(function);
	return &function->call;
}

static Datum
sha256_name(void)
{
	return CStringGetTextDatum("sha256");
}

void
ff_hmac_sha256(const bytea *key, const bytea *message, uint8 out[FF_SHA256_SIZE])
{
	bytea	   *result = DatumGetByteaPP(FunctionCall3(ready(&hmac), PointerGetDatum(message),
													   PointerGetDatum(key), sha256_name()));

	if (VARSIZE_ANY_EXHDR(result) != FF_SHA256_SIZE)
		elog(ERROR, "hmac of pgcrypto gave %d bytes", (int) VARSIZE_ANY_EXHDR(result));
	memcpy(out, VARDATA_ANY(result), FF_SHA256_SIZE);
	pfree(result);
}

bytea *
ff_digest_sha256(const bytea *message)
{
	return DatumGetByteaP(FunctionCall2(ready(&digest), PointerGetDatum(message), sha256_name()));
}

bytea *
ff_random_secret(int length)
{
	return DatumGetByteaP(FunctionCall1(ready(&gen_random_bytes), Int32GetDatum(length)));
}
