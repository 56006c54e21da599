/*
 * statement.c - SQL statements as named static objects. The only file that
 * calls SPI.
 */
#include "base/statement.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "optimizer/planner.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/xid8.h"

#include "base/error.h"
#include "base/extension.h"

#define MAX_ARGUMENTS 48
#define SCHEMA_MARK "@extschema@"

/* Marks our statements on their way to the planner; PostgreSQL's own options are the low bits. */
#define BY_INDEX (1 << 30)

/* Parameter types by the name a statement's signature uses. */
static const struct
{
	const char *name;
	Oid			oid;
}			builtin_types[] = {
	{"boolean", BOOLOID},
	{"smallint", INT2OID},
	{"integer", INT4OID},
	{"bigint", INT8OID},
	{"text", TEXTOID},
	{"uuid", UUIDOID},
	{"bytea", BYTEAOID},
	{"jsonb", JSONBOID},
	{"text[]", TEXTARRAYOID},
	{"uuid[]", UUIDARRAYOID},
	{"bigint[]", INT8ARRAYOID},
	{"xid8", XID8OID},
	{"timestamptz", TIMESTAMPTZOID},
};

static planner_hook_type next_planner = NULL;

static PlannedStmt *
plan_further(Query *query, const char *text, int options, ParamListInfo parameters)
{
	return next_planner ? next_planner(query, text, options, parameters)
		: standard_planner(query, text, options, parameters);
}

static void
switch_off(const char *setting)
{
	(void) set_config_option(setting, "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
							 true, 0, false);
}

/*
 * A plan of ours is kept from when a table was empty to when it is large. To
 * have the functions' definitions set this would cost every call of them.
 */
static PlannedStmt *
plan_by_index(Query *query, const char *text, int options, ParamListInfo parameters)
{
	PlannedStmt *plan;
	int			nest;

	if ((options & BY_INDEX) == 0)
		return plan_further(query, text, options, parameters);
	nest = NewGUCNestLevel();
	switch_off("enable_seqscan");
	switch_off("enable_bitmapscan");
	switch_off("enable_sort");
	/* what these make a plan cost is no reason to compile it */
	switch_off("jit");
	plan = plan_further(query, text, options & ~BY_INDEX, parameters);
	AtEOXact_GUC(true, nest);
	return plan;
}

void
ff_statement_init(void)
{
	next_planner = planner_hook;
	planner_hook = plan_by_index;
}

static Oid
argument_type(const FfStatement *statement, const char *name)
{
	for (int i = 0; i < (int) lengthof(builtin_types); i++)
		if (strcmp(builtin_types[i].name, name) == 0)
			return builtin_types[i].oid;
	if (strncmp(name, "ff_", 3) == 0)
		return ff_extension_type(name);
	elog(ERROR, "statement %s: unknown argument type \"%s\"", statement->name, name);
}

static int
argument_types(const FfStatement *statement, Oid *types)
{
	char	   *list;
	char	   *rest = NULL;
	int			n = 0;

	if (statement->types)
	{
		memcpy(types, statement->types, statement->nargs * sizeof(Oid));
		return statement->nargs;
	}
	list = pstrdup(statement->arguments);
	for (char *name = strtok_r(list, ", ", &rest); name; name = strtok_r(NULL, ", ", &rest))
	{
		if (n == MAX_ARGUMENTS)
			elog(ERROR, "statement %s has too many arguments", statement->name);
		types[n++] = argument_type(statement, name);
	}
	return n;
}

static char *
text_in_schema(const char *sql)
{
	StringInfoData text;
	const char *mark;

	initStringInfo(&text);
	while ((mark = strstr(sql, SCHEMA_MARK)) != NULL)
	{
		appendBinaryStringInfo(&text, sql, mark - sql);
		appendStringInfoString(&text, ff_extension_schema_name());
		sql = mark + strlen(SCHEMA_MARK);
	}
	appendStringInfoString(&text, sql);
	return text.data;
}

static void
prepare(FfStatement *statement)
{
	Oid			types[MAX_ARGUMENTS];
	SPIPlanPtr	plan;
	int			nargs = argument_types(statement, types);

	if (statement->plan)
	{
		SPI_freeplan(statement->plan);
		statement->plan = NULL;
	}
	plan = SPI_prepare_cursor(text_in_schema(statement->sql), nargs, types,
							  CURSOR_OPT_GENERIC_PLAN | BY_INDEX);
	if (plan == NULL)
		elog(ERROR, "could not prepare statement %s: %s", statement->name,
			 SPI_result_code_string(SPI_result));
	if (SPI_keepplan(plan) != 0)
		elog(ERROR, "could not keep the plan of statement %s", statement->name);
	statement->plan = plan;
	statement->nargs = nargs;
	statement->generation = ff_extension_generation;
}

FfRows
ff_statement_execute(FfStatement *statement, const NullableDatum *values, int nvalues,
					 bool read_only)
{
	Datum		datums[MAX_ARGUMENTS];
	char		nulls[MAX_ARGUMENTS];
	MemoryContext caller = CurrentMemoryContext;
	int			code;

	if (statement->generation != ff_extension_generation)
		prepare(statement);
	if (nvalues != statement->nargs)
		elog(ERROR, "statement %s takes %d arguments, got %d", statement->name,
			 statement->nargs, nvalues);

	for (int i = 0; i < nvalues; i++)
	{
		datums[i] = values[i].value;
		nulls[i] = values[i].isnull ? 'n' : ' ';
	}
	code = SPI_execute_plan(statement->plan, datums, nulls, read_only, 0);
	MemoryContextSwitchTo(caller);	/* SPI goes to a context of its own, and stays there */
	if (code < 0)
		elog(ERROR, "could not run statement %s: %s", statement->name,
			 SPI_result_code_string(code));
	return (FfRows) {.table = SPI_tuptable,.count = SPI_processed};
}

bool
ff_statement_fetch(FfStatement *statement, FfRow *row, const NullableDatum *values, int nvalues)
{
	FfRows		rows = ff_statement_execute(statement, values, nvalues, false);

	if (rows.count == 0)
	{
		ff_rows_free(&rows);	/* even an empty one is some kilobytes */
		return false;
	}
	Assert(rows.count == 1);
	*row = ff_rows_get(&rows, 0);
	return true;
}

void
ff_statement_run_text(const char *sql)
{
	int			code = SPI_execute(sql, false, 0);

	if (code < 0)
		elog(ERROR, "could not run a statement: %s", SPI_result_code_string(code));
}

FfRow
ff_rows_get(const FfRows *rows, uint64 i)
{
	TupleDesc	desc = rows->table->tupdesc;
	FfRow		row;

	row.values = palloc(desc->natts * sizeof(Datum));
	row.nulls = palloc(desc->natts * sizeof(bool));
	heap_deform_tuple(rows->table->vals[i], desc, row.values, row.nulls);
	ItemPointerSetInvalid(&row.tid);
	return row;
}

void
ff_rows_free(FfRows *rows)
{
	SPI_freetuptable(rows->table);
	rows->table = NULL;
	rows->count = 0;
}

NullableDatum
ff_row_value(const FfRow *row, int column)
{
	return (NullableDatum) {.value = row->values[column - 1],.isnull = row->nulls[column - 1]};
}

bool
ff_row_bool(const FfRow *row, int column)
{
	NullableDatum v = ff_row_value(row, column);

	return v.isnull ? false : DatumGetBool(v.value);
}

int16
ff_row_int2(const FfRow *row, int column)
{
	NullableDatum v = ff_row_value(row, column);

	return v.isnull ? 0 : DatumGetInt16(v.value);
}

int32
ff_row_int4(const FfRow *row, int column)
{
	NullableDatum v = ff_row_value(row, column);

	return v.isnull ? 0 : DatumGetInt32(v.value);
}

int64
ff_row_int8(const FfRow *row, int column)
{
	return ff_row_maybe_int8(row, column).value;
}

FfInt8
ff_row_maybe_int8(const FfRow *row, int column)
{
	NullableDatum v = ff_row_value(row, column);

	return v.isnull ? ff_none() : ff_some(DatumGetInt64(v.value));
}

uint64
ff_row_xid8(const FfRow *row, int column)
{
	NullableDatum v = ff_row_value(row, column);

	return v.isnull ? 0 : U64FromFullTransactionId(DatumGetFullTransactionId(v.value));
}

int
ff_row_enum(const FfRow *row, int column, FfEnum *type)
{
	NullableDatum v = ff_row_value(row, column);

	return v.isnull ? -1 : ff_enum_value(type, v.value);
}

char *
ff_row_cstring(const FfRow *row, int column)
{
	NullableDatum v = ff_row_value(row, column);

	return v.isnull ? NULL : TextDatumGetCString(v.value);
}

const pg_uuid_t *
ff_row_uuid(const FfRow *row, int column)
{
	NullableDatum v = ff_row_value(row, column);

	return v.isnull ? NULL : DatumGetUUIDP(v.value);
}

Jsonb *
ff_row_jsonb(const FfRow *row, int column)
{
	NullableDatum v = ff_row_value(row, column);

	return v.isnull ? NULL : DatumGetJsonbP(v.value);
}

bytea *
ff_row_bytea(const FfRow *row, int column)
{
	NullableDatum v = ff_row_value(row, column);

	return v.isnull ? NULL : DatumGetByteaP(v.value);
}

void
ff_statement_connect(void)
{
	if (SPI_connect() != SPI_OK_CONNECT)
		elog(ERROR, "could not connect to SPI");
}

void
ff_statement_disconnect(void)
{
	if (SPI_finish() != SPI_OK_FINISH)
		elog(ERROR, "could not disconnect from SPI");
}
