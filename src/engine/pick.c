/*
 * pick.c - choosing claimable work of a lane, in claim order.
 *
 * The claim index holds a lane's work by capability class and, inside a class,
 * in claim order. A pick first steps over the classes, one index descent each,
 * and keeps those whose tokens the worker has, the class without tokens in any
 * case; then it goes through these at the same time and locks the row that
 * comes first: a row locked is a row handed out, so none is held from other
 * workers for nothing. So it costs classes times log n, whatever the backlog
 * and however much of it others alone can take.
 *
 * The steps go from the last class to the first and see the last row of each:
 * the entries of rows claimed before, which vacuum has not removed yet, stand
 * at the head of a class, and only the locking scan has to pass them.
 */
#include "engine/pick.h"

#include "base/error.h"
#include "base/table.h"
#include "engine/capability.h"
#include "engine/transition.h"

/* The claimable work of one capability class, fresh or resumable. */
typedef struct Class
{
	bool		resumable;
	int64		caps_hash;
	FfScan	   *scan;			/* NULL: exhausted */
	FfRow		row;			/* the one that the scan is at, not locked */
} Class;

struct FfPick
{
	Datum		lane;			/* text */
	ArrayType  *capabilities;
	int			wanted;
	int64		now_ms;
	Class	   *classes;
	int			nclasses;
	bool		wrote;
};

/* The class of work that requires no tokens: any worker may have it, there is none to look for. */
#define NO_TOKENS INT64CONST(0)

#define FRESH "ff_exec_core_claim_idx"
#define RESUMABLE "ff_exec_core_resumable_idx"
#define CLASS "caps_hash, required_capabilities"
#define CANDIDATE FF_CORE_COLUMNS ", payload, required_capabilities"

static FfTable fresh_classes = FF_TABLE("ff_exec_core", FRESH, CLASS);
static FfTable resumable_classes = FF_TABLE("ff_exec_core", RESUMABLE, CLASS);
static FfTable fresh_rows = FF_TABLE("ff_exec_core", FRESH, CANDIDATE);
static FfTable resumable_rows = FF_TABLE("ff_exec_core", RESUMABLE, CANDIDATE);
static FfTable named_rows = FF_TABLE("ff_exec_core", "ff_exec_core_pkey", CANDIDATE);
static FfTable resumable_later =
FF_TABLE("ff_exec_core", "ff_exec_core_resume_due_idx", FF_CORE_COLUMNS);
static FfTable lanes = FF_TABLE("ff_lane_registry", "ff_lane_registry_pkey", "state");

static FfStatement flow_withholds =
FF_STATEMENT("flow_withholds", "smallint, uuid",
			 "SELECT FROM @extschema@.ff_flow_core f WHERE f.partition_key = $1 AND f.flow_id = $2"
			 " AND f.public_flow_state = 'cancelled'"
			 " AND f.raw_fields ->> 'cancellation_policy' IN ('cancel_pending', 'cancel_all')");

static void
add_class(FfPick *pick, bool resumable, int64 caps_hash)
{
	pick->classes = pick->classes
		? repalloc(pick->classes, (pick->nclasses + 1) * sizeof(Class)) : palloc(sizeof(Class));
	pick->classes[pick->nclasses++] = (Class) {.resumable = resumable,.caps_hash = caps_hash};
}

static bool
last_row(FfTable *table, const FfBound *bounds, int nbounds, FfRow *row)
{
	FfScan	   *scan = ff_scan_begin(table, bounds, nbounds, BackwardScanDirection);
	bool		found = ff_scan_next(scan, row);

	ff_scan_end(scan);
	return found;
}

/* The classes that a kind of work has between two hashes, each with the tokens of its last row. */
static void
find_classes(FfPick *pick, bool resumable, int64 lowest, int64 highest)
{
	FfBound		bounds[] = {
		{1, BTEqualStrategyNumber, pick->lane},
		{2, BTGreaterEqualStrategyNumber, Int64GetDatum(lowest)},
		{2, BTLessEqualStrategyNumber, Int64GetDatum(highest)},
	};
	FfRow		row;

	while (last_row(resumable ? &resumable_classes : &fresh_classes, bounds, lengthof(bounds), &row))
	{
		int64		caps_hash = ff_row_int8(&row, 1);

		if (ff_capabilities_match(DatumGetArrayTypeP(ff_row_value(&row, 2).value),
								  pick->capabilities))
			add_class(pick, resumable, caps_hash);
		bounds[2] = (FfBound) {2, BTLessStrategyNumber, Int64GetDatum(caps_hash)};
	}
}

/* Make resumed work claimable whose delay is over, the longest due first. */
static void
promote_resumable(FfPick *pick)
{
	FfBound		due[] = {
		{1, BTEqualStrategyNumber, pick->lane},
		{2, BTLessEqualStrategyNumber, Int64GetDatum(pick->now_ms)},
	};
	FfScan	   *scan = ff_scan_begin(&resumable_later, due, lengthof(due), ForwardScanDirection);
	FfMove		move = {.now_ms = pick->now_ms};
	FfRow		row;

	for (int n = 0; n < pick->wanted && ff_scan_next(scan, &row);)
	{
		FfCore		core;

		if (!ff_scan_lock(scan, &row, LockWaitSkip))
			continue;
		ff_core_read(&core, &row);
		if (core.public_state != FF_PUBLIC_RESUMABLE || core.eligibility != FF_NOT_ELIGIBLE_UNTIL_TIME)
			continue;
		ff_transition(FF_T34_PROMOTE, &core, NULL, &move);
		pick->wrote = true;
		n++;
	}
	ff_scan_end(scan);
}

/* Work whose deadline is due is not claimed. */
static bool
is_overdue(const FfPick *pick, FfInt8 deadline_at_ms)
{
	return deadline_at_ms.isset && deadline_at_ms.value <= pick->now_ms;
}

static void
end_class(Class *class)
{
	if (class->scan)
		ff_scan_end(class->scan);
	class->scan = NULL;
}

/* To the next row of a class that is worth locking. */
static void
advance(FfPick *pick, Class *class)
{
	do
	{
		if (!ff_scan_next(class->scan, &class->row))
		{
			end_class(class);
			return;
		}
	} while (is_overdue(pick, ff_row_maybe_int8(&class->row, FF_CORE_DEADLINE)));
}

static void
begin_class(FfPick *pick, Class *class)
{
	FfBound		of_class[] = {
		{1, BTEqualStrategyNumber, pick->lane},
		{2, BTEqualStrategyNumber, Int64GetDatum(class->caps_hash)},
	};

	class->scan = ff_scan_begin(class->resumable ? &resumable_rows : &fresh_rows, of_class,
								lengthof(of_class), ForwardScanDirection);
	advance(pick, class);
}

FfPick *
ff_pick_begin(const char *lane_id, ArrayType *capabilities, bool include_resumable,
			  int wanted, int64 now_ms)
{
	FfPick	   *pick = palloc0(sizeof(FfPick));

	pick->lane = CStringGetTextDatum(lane_id);
	pick->capabilities = capabilities;
	pick->wanted = wanted;
	pick->now_ms = now_ms;
	if (!ff_lane_is_open(lane_id))
		return pick;
	if (include_resumable)
	{
		promote_resumable(pick);
		find_classes(pick, true, PG_INT64_MIN, PG_INT64_MAX);
	}
	find_classes(pick, false, NO_TOKENS + 1, PG_INT64_MAX);
	add_class(pick, false, NO_TOKENS);
	find_classes(pick, false, PG_INT64_MIN, NO_TOKENS - 1);
	for (int i = 0; i < pick->nclasses; i++)
		begin_class(pick, &pick->classes[i]);
	return pick;
}

/* Claim order: priority, age, id. */
static bool
comes_before(const FfRow *a, const FfRow *b)
{
	int32		priority = ff_row_int4(a, FF_CORE_PRIORITY);
	int32		other_priority = ff_row_int4(b, FF_CORE_PRIORITY);
	int64		created = ff_row_int8(a, FF_CORE_CREATED);
	int64		other_created = ff_row_int8(b, FF_CORE_CREATED);

	if (priority != other_priority)
		return priority > other_priority;
	if (created != other_created)
		return created < other_created;
	return memcmp(ff_row_uuid(a, FF_CORE_ID), ff_row_uuid(b, FF_CORE_ID), sizeof(pg_uuid_t)) < 0;
}

/* The class whose next row comes first; NULL when all are exhausted. */
static Class *
first_class(FfPick *pick)
{
	Class	   *first = NULL;

	for (int i = 0; i < pick->nclasses; i++)
	{
		Class	   *class = &pick->classes[i];

		if (class->scan && (first == NULL || comes_before(&class->row, &first->row)))
			first = class;
	}
	return first;
}

static void
candidate_of(const FfRow *row, FfCandidate *candidate)
{
	ff_core_read(&candidate->core, row);
	candidate->payload = ff_row_bytea(row, FF_CORE_NCOLUMNS + 1);
	candidate->required_capabilities =
		DatumGetArrayTypeP(ff_row_value(row, FF_CORE_NCOLUMNS + 2).value);
}

/* What is true of all rows in the index of the class: a row may have changed before it was locked. */
static bool
is_claimable(const Class *class, const FfCore *core)
{
	if (core->eligibility != FF_ELIGIBLE_NOW)
		return false;
	if (class->resumable)
		return core->public_state == FF_PUBLIC_RESUMABLE;
	return core->phase == FF_RUNNABLE && core->ownership == FF_UNOWNED &&
		core->public_state != FF_PUBLIC_RESUMABLE;
}

/* Whether this locked row may be handed out; a withheld one is taken out of the way. */
static bool
may_be_claimed(FfPick *pick, const Class *class, FfCandidate *candidate)
{
	FfMove		move = {.now_ms = pick->now_ms,.reason = FF_PAUSED_BY_FLOW_CANCEL};

	if (!is_claimable(class, &candidate->core) ||
		is_overdue(pick, candidate->core.deadline_at_ms) ||
		!ff_capabilities_match(candidate->required_capabilities, pick->capabilities))
		return false;
	if (!ff_flow_withholds(&candidate->core))
		return true;
	ff_transition(FF_T30_BLOCK, &candidate->core, NULL, &move);
	pick->wrote = true;
	return false;
}

bool
ff_pick_next(FfPick *pick, FfCandidate *candidate)
{
	bool		found = false;
	Class	   *class;

	while (!found && (class = first_class(pick)) != NULL)
	{
		if (ff_scan_lock(class->scan, &class->row, LockWaitSkip))
		{
			candidate_of(&class->row, candidate);
			found = may_be_claimed(pick, class, candidate);
		}
		advance(pick, class);
	}
	if (found && --pick->wanted == 0)
		for (int i = 0; i < pick->nclasses; i++)
			end_class(&pick->classes[i]);
	return found;
}

bool
ff_pick_wrote(const FfPick *pick)
{
	return pick->wrote;
}

void
ff_pick_named(const FfExecutionId *id, FfCandidate *candidate)
{
	FfRow		row;

	if (!ff_table_lock(&named_rows, &row, ff_int2(id->partition), ff_uuid(&id->uuid)))
		ff_raise(FF_NOT_FOUND,
				 errmsg("execution %s does not exist", ff_execution_id_text(id)));
	candidate_of(&row, candidate);
}

bool
ff_lane_is_open(const char *lane_id)
{
	FfRow		row;
	int			state;

	if (!ff_table_read(&lanes, &row, ff_text(lane_id)))
		return true;
	state = ff_row_enum(&row, 1, &ff_lane_states);
	return state != FF_LANE_PAUSED && state != FF_LANE_DISABLED;
}

bool
ff_flow_withholds(const FfCore *core)
{
	FfRow		row;

	return core->flow_id &&
		ff_statement_row(&flow_withholds, &row, ff_int2(core->id.partition),
						 ff_uuid(core->flow_id));
}
