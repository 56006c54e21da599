/*
 * admin.c - opening sets of functions to roles (specification chapter 06, section 9).
 *
 * ff_access_function says which function is in which set, ff_access_grant which
 * role holds which set. Both functions are closed to PUBLIC and in no set, and
 * run as the extension's owner: so do their GRANT and REVOKE, the one SQL text
 * that is not a constant, of nothing but identifiers quoted by PostgreSQL.
 */
#include "base/compat.h"

#include "miscadmin.h"
#include "utils/acl.h"

#include "base/argument.h"
#include "base/call.h"
#include "base/error.h"
#include "base/extension.h"
#include "base/statement.h"

#define READER "reader"

static const char *const access_sets[] = {"submitter", "worker", "signaler", "operator", READER};

/* What a call is about. */
typedef struct Access
{
	char	   *role_name;
	char	   *set;
	const char *role;			/* role_name quoted as an identifier */
} Access;

/*
 * Two sessions must not write the ACL of one function at the same time:
 * PostgreSQL fails the second with "tuple concurrently updated".
 */
static FfStatement lock_access =
FF_STATEMENT("lock_access", "",
			 "LOCK TABLE @extschema@.ff_access_grant IN SHARE ROW EXCLUSIVE MODE");

static FfStatement record_grant =
FF_STATEMENT("record_grant", "text, text, bigint, text",
			 "INSERT INTO @extschema@.ff_access_grant (role_name, access, granted_at_ms, granted_by)"
			 " VALUES ($1, $2, $3, $4) ON CONFLICT (role_name, access) DO NOTHING");

static FfStatement remove_grant =
FF_STATEMENT("remove_grant", "text, text",
			 "DELETE FROM @extschema@.ff_access_grant WHERE role_name = $1 AND access = $2");

static FfStatement find_grant =
FF_STATEMENT("find_grant", "text",
			 "SELECT FROM @extschema@.ff_access_grant WHERE role_name = $1 LIMIT 1");

/*
 * The functions of set $1 that exist in schema $2, as text for a GRANT, and how
 * many; without those of another set that role $3 (NULL: nobody) holds.
 */
static FfStatement read_set =
FF_STATEMENT("read_set", "text, bigint, text",
			 "SELECT pg_catalog.string_agg(p.oid::pg_catalog.regprocedure::text, ', '),"
			 " pg_catalog.count(*)::integer"
			 " FROM @extschema@.ff_access_function f"
			 " JOIN pg_catalog.pg_namespace n ON n.oid = $2::pg_catalog.oid"
			 " JOIN pg_catalog.pg_proc p ON p.pronamespace = n.oid"
			 " AND f.function_signature = p.proname::text || '(' || pg_catalog.replace("
			 "pg_catalog.oidvectortypes(p.proargtypes), pg_catalog.quote_ident(n.nspname::text) || '.', '')"
			 " || ')'"
			 " WHERE f.access = $1 AND NOT EXISTS ("
			 "SELECT FROM @extschema@.ff_access_grant g"
			 " JOIN @extschema@.ff_access_function other ON other.access = g.access"
			 " WHERE g.role_name = $3 AND other.function_signature = f.function_signature)");

/* ff_error_code or, $1, the other views of the extension, as text for a GRANT. */
static FfStatement read_views =
FF_STATEMENT("read_views", "boolean",
			 "SELECT pg_catalog.string_agg(c.oid::pg_catalog.regclass::text, ', ')"
			 " FROM pg_catalog.pg_extension x"
			 " JOIN pg_catalog.pg_depend d ON d.deptype = 'e'"
			 " AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.refobjid = x.oid"
			 " JOIN pg_catalog.pg_class c"
			 " ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid"
			 " WHERE x.extname = 'ffengine' AND c.relkind = 'v'"
			 " AND (c.relname = 'ff_error_code') <> $1");

static Access
read_arguments(FunctionCallInfo fcinfo)
{
	Access		access = {
		.role_name = ff_arg_text(fcinfo, 0, "role_name"),
		.set = ff_arg_text(fcinfo, 1, "access"),
	};

	ff_check_one_of(access.set, "kind of access", access_sets, lengthof(access_sets));
	if (strcmp(access.role_name, "public") == 0)
		ff_raise_rule(FF_INVALID_INPUT, "public_role", "access cannot be given to everybody",
					  "\"%s\" is not the name of one role", access.role_name);
	if (!OidIsValid(get_role_oid(access.role_name, true)))
		ff_raise(FF_NOT_FOUND, errmsg("role \"%s\" does not exist", access.role_name));
	access.role = quote_identifier(access.role_name);
	return access;
}

/* GRANT privilege ON objects TO role, or REVOKE ... FROM role; nothing without objects. */
static void
change_privilege(bool grant, const char *privilege, const char *objects, const Access *access)
{
	if (objects)
		ff_statement_run_text(psprintf("%s %s ON %s %s %s", grant ? "GRANT" : "REVOKE", privilege,
									   objects, grant ? "TO" : "FROM", access->role));
}

static void
change_schema(bool grant, const Access *access)
{
	change_privilege(grant, "USAGE", psprintf("SCHEMA %s", ff_extension_schema_name()), access);
}

/* EXECUTE on the set, for a revoke but what another set of the role has; how many functions. */
static int
change_functions(bool grant, const Access *access)
{
	FfRow		row;
	char	   *functions;

	ff_statement_row(&read_set, &row, ff_text(access->set), ff_int8(ff_extension_schema()),
					 ff_text(grant ? NULL : access->role_name));
	functions = ff_row_cstring(&row, 1);
	if (functions)
		change_privilege(grant, "EXECUTE", psprintf("FUNCTION %s", functions), access);
	return ff_row_int4(&row, 2);
}

/* SELECT on ff_error_code, which every set has, or on the views that are the reader's. */
static void
change_views(bool grant, bool readers, const Access *access)
{
	FfRow		row;

	ff_statement_row(&read_views, &row, ff_bool(readers));
	change_privilege(grant, "SELECT", ff_row_cstring(&row, 1), access);
}

PG_FUNCTION_INFO_V1(ff_grant_access);

Datum
ff_grant_access(PG_FUNCTION_ARGS)
{
	FfCall		call;
	Access		access = read_arguments(fcinfo);
	bool		recorded;
	int			functions;

	ff_call_begin(&call, fcinfo);
	ff_statement_run(&lock_access);
	recorded = ff_statement_run(&record_grant, ff_text(access.role_name), ff_text(access.set),
								ff_int8(call.now_ms),
								ff_text(GetUserNameFromId(GetOuterUserId(), false))).count > 0;

	change_schema(true, &access);
	functions = change_functions(true, &access);
	change_views(true, false, &access);
	if (strcmp(access.set, READER) == 0)
		change_views(true, true, &access);

	ff_call_row(&call, ff_text(recorded ? "granted" : "already_granted"), ff_int4(functions));
	return ff_call_end(&call);
}

/* Close what the set opened and no other set of the role keeps open; how many functions. */
static int
close_set(const Access *access)
{
	int			functions = change_functions(false, access);

	if (strcmp(access->set, READER) == 0)
		change_views(false, true, access);
	if (ff_statement_run(&find_grant, ff_text(access->role_name)).count == 0)
	{
		change_views(false, false, access);
		change_schema(false, access);
	}
	return functions;
}

PG_FUNCTION_INFO_V1(ff_revoke_access);

Datum
ff_revoke_access(PG_FUNCTION_ARGS)
{
	FfCall		call;
	Access		access = read_arguments(fcinfo);

	ff_call_begin(&call, fcinfo);
	ff_statement_run(&lock_access);
	if (ff_statement_run(&remove_grant, ff_text(access.role_name), ff_text(access.set)).count == 0)
		ff_call_row(&call, ff_text("not_granted"), ff_int4(0));
	else
		ff_call_row(&call, ff_text("revoked"), ff_int4(close_set(&access)));
	return ff_call_end(&call);
}
