/*
 * duty_check.c - the reconciler that watches the invariants: the checks of
 * ff_check_consistency, a few executions a pass, by id and round again.
 *
 * Where it is, and what it has warned of, is this backend's own memory. A
 * backend begins at random, so that many short sessions see all of it too.
 */
#include "background/duty_table.h"

#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "base/error.h"
#include "base/id.h"

#define MAX_KNOWN 10000

static FfStatement next_ids =
FF_STATEMENT("next_ids", "smallint, uuid, smallint, uuid, bigint",
			 "SELECT partition_key, execution_id FROM @extschema@.ff_exec_core"
			 " WHERE (partition_key, execution_id) > ($1, $2)"
			 " AND (partition_key, execution_id) <= ($3, $4)"
			 " ORDER BY partition_key, execution_id LIMIT $5");

static FfStatement violations =
FF_STATEMENT("violations", "smallint, uuid, smallint, uuid",
			 "SELECT partition_key, execution_id, invariant, detail"
			 " FROM @extschema@.ff_violations($1, $2, $3, $4)");

/* A violation that was warned of; invariant is filled up with zero bytes. */
typedef struct Violation
{
	FfExecutionId execution;
	char		invariant[NAMEDATALEN];
} Violation;

typedef struct Known
{
	Violation	violation;
	uint64		pass;			/* that saw it last */
} Known;

/* Executions after the one up to the other. */
typedef struct Window
{
	FfExecutionId after;
	FfExecutionId last;
} Window;

static HTAB *known = NULL;
static uint64 pass = 0;
static FfExecutionId position;	/* the last execution looked at */

static void
begin(void)
{
	HASHCTL		control = {
		.keysize = sizeof(Violation),
		.entrysize = sizeof(Known),
		.hcxt = TopMemoryContext,
	};

	known = hash_create("ffengine violations", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	ff_uuid_mint(&position.uuid);
	position.partition = position.uuid.data[0];
}

static int
compare(const FfExecutionId *a, const FfExecutionId *b)
{
	if (a->partition != b->partition)
		return a->partition - b->partition;
	return memcmp(&a->uuid, &b->uuid, sizeof(pg_uuid_t));
}

static void
warn_once(const FfRow *row)
{
	Violation	violation;
	Known	   *entry;
	char	   *invariant = ff_row_cstring(row, 3);
	bool		found;

	memset(&violation, 0, sizeof(violation));
	violation.execution.partition = ff_row_int2(row, 1);
	violation.execution.uuid = *ff_row_uuid(row, 2);
	strlcpy(violation.invariant, invariant, sizeof(violation.invariant));
	if (hash_get_num_entries(known) >= MAX_KNOWN &&
		hash_search(known, &violation, HASH_FIND, NULL) == NULL)
		return;
	entry = hash_search(known, &violation, HASH_ENTER, &found);
	entry->pass = pass;
	if (!found)
		ereport(WARNING,
				(errcode(ff_error_sqlstate(FF_CORRUPTION)),
				 errmsg("execution %s breaks the invariant %s",
						ff_execution_id_text(&violation.execution), invariant),
				 errdetail("%s", ff_row_cstring(row, 4))));
}

/* What was warned of there and holds again would be news. */
static void
forget_mended(const Window *window)
{
	HASH_SEQ_STATUS status;
	Known	   *entry;

	hash_seq_init(&status, known);
	while ((entry = hash_seq_search(&status)) != NULL)
		if (entry->pass != pass &&
			compare(&entry->violation.execution, &window->after) > 0 &&
			compare(&entry->violation.execution, &window->last) <= 0)
			(void) hash_search(known, &entry->violation, HASH_REMOVE, NULL);
}

/* Check up to limit executions of a window; how many there were. */
static int64
look(Window window, int64 limit)
{
	FfRows		rows = ff_statement_run(&next_ids, ff_int2(window.after.partition),
										ff_uuid(&window.after.uuid),
										ff_int2(window.last.partition),
										ff_uuid(&window.last.uuid), ff_int8(limit));
	int64		count = (int64) rows.count;

	if (count == limit)
	{
		FfRow		row = ff_rows_get(&rows, count - 1);

		window.last.partition = ff_row_int2(&row, 1);
		window.last.uuid = *ff_row_uuid(&row, 2);
	}
	rows = ff_statement_run(&violations, ff_int2(window.after.partition),
							ff_uuid(&window.after.uuid), ff_int2(window.last.partition),
							ff_uuid(&window.last.uuid));
	for (uint64 i = 0; i < rows.count; i++)
	{
		FfRow		row = ff_rows_get(&rows, i);

		warn_once(&row);
	}
	forget_mended(&window);
	position = window.last;
	return count;
}

static void
check_states(FfBatch *batch)
{
	Window		ahead;
	Window		behind;
	int64		left;

	if (known == NULL)
		begin();
	pass++;
	ahead.after = behind.last = position;
	behind.after.partition = -1;
	memset(&behind.after.uuid, 0, sizeof(pg_uuid_t));
	ahead.last.partition = FF_PARTITIONS;
	memset(&ahead.last.uuid, 0xFF, sizeof(pg_uuid_t));

	left = batch->limit - look(ahead, batch->limit);
	if (left > 0)
		(void) look(behind, left);
}

const FfDuty ff_duty_state_check = {
	.sweep = check_states,
};
