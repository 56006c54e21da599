/*
 * pick.c - choosing claimable work of a lane, in claim order.
 *
 * The claim index holds a lane's work by capability class and, inside a class,
 * in claim order. A pick steps over the classes, one index descent each, goes to
 * the first row of each behind its frontier, keeps those whose tokens the worker
 * has, and locks the row that comes first: a row locked is a row handed out, so
 * none is held from other workers for nothing. So it costs classes times log n,
 * whatever the backlog and however much of it others alone can take.
 *
 * The entries of rows claimed before, which vacuum has not removed yet, stand
 * before the frontier (frontier.h), where no pick looks.
 */
#include "engine/pick.h"

#include "access/xact.h"

#include "base/error.h"
#include "base/table.h"
#include "engine/capability.h"
#include "engine/transition.h"
#include "engine/wake.h"

/* The parts of a class behind a place, in claim order. */
typedef enum Part
{
	SAME_PRIORITY,				/* younger, or of the same age with a later id */
	LOWER_PRIORITY,
	END
} Part;

/* The claimable work of one capability class, fresh or resumable. */
typedef struct Class
{
	FfWorkClass is;
	FfPlace    *begin;			/* behind this; the first place: everything */
	Part		part;			/* that the scan goes through */
	FfScan	   *scan;			/* NULL: laid aside, or exhausted */
	bool		exhausted;
	FfRow		row;			/* the one that the scan is at, not locked */
} Class;

/* Scans held open at a time: where there are more classes the others are laid aside at their first row. */
#define MAX_SCANS 16

struct FfPick
{
	const char *lane_id;
	Datum		lane;			/* the same as text */
	ArrayType  *capabilities;
	int			wanted;
	int64		now_ms;
	Class	   *classes;
	int			nclasses;
	bool		wrote;
};

/* The class of work that requires no tokens. */
#define NO_TOKENS INT64CONST(0)

#define FRESH "ff_exec_core_claim_idx"
#define RESUMABLE "ff_exec_core_resumable_idx"
#define CANDIDATE FF_CORE_COLUMNS ", payload, required_capabilities"

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

/* Make resumed work claimable whose delay is over, the longest due first. */
static void
promote_resumable(FfPick *pick)
{
	FfBound		due[] = {
		FF_BOUND(1, BTEqualStrategyNumber, pick->lane),
		FF_BOUND(2, BTLessEqualStrategyNumber, Int64GetDatum(pick->now_ms)),
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

static ArrayType *
tokens_of(const FfRow *row)
{
	return DatumGetArrayTypeP(ff_row_value(row, FF_CORE_NCOLUMNS + 2).value);
}

static FfPlace
place_of(const FfRow *row)
{
	return (FfPlace) {
		.priority = ff_row_int4(row, FF_CORE_PRIORITY),
			.created_at_ms = ff_row_int8(row, FF_CORE_CREATED),
			.execution_id = *ff_row_uuid(row, FF_CORE_ID)
	};
}

static void
end_scan(Class *class)
{
	if (class->scan)
		ff_scan_end(class->scan);
	class->scan = NULL;
}

/* Begin to go through the class's current part. */
static void
begin_part(const FfPick *pick, Class *class)
{
	FfBound		bounds[] = {
		FF_BOUND(1, BTEqualStrategyNumber, pick->lane),
		FF_BOUND(2, BTEqualStrategyNumber, Int64GetDatum(class->is.caps_hash)),
		FF_BOUND(3, BTEqualStrategyNumber, Int32GetDatum(class->begin->priority)),
		FF_BOUND_WITH_NEXT(4, BTGreaterStrategyNumber, Int64GetDatum(class->begin->created_at_ms)),
		FF_BOUND(5, BTGreaterStrategyNumber, UUIDPGetDatum(&class->begin->execution_id)),
	};
	int			nbounds = lengthof(bounds);

	if (class->part == LOWER_PRIORITY)
	{
		bounds[2].strategy = BTLessStrategyNumber;
		nbounds = class->begin->priority == PG_INT32_MAX ? 2 : 3;
	}
	class->scan = ff_scan_begin(class->is.resumable ? &resumable_rows : &fresh_rows, bounds,
								nbounds, ForwardScanDirection);
}

/* To the next row of the class; false when there is none. */
static bool
step(const FfPick *pick, Class *class)
{
	while (class->scan)
	{
		if (ff_scan_next(class->scan, &class->row))
			return true;
		end_scan(class);
		if (++class->part != END)
			begin_part(pick, class);
	}
	class->exhausted = true;
	return false;
}

/* To the next row that is worth locking. */
static void
advance(FfPick *pick, Class *class)
{
	while (step(pick, class) &&
		   is_overdue(pick, ff_row_maybe_int8(&class->row, FF_CORE_DEADLINE)))
		;
}

/* To the first row behind a place; false when there is none. */
static bool
begin_behind(const FfPick *pick, Class *class, const FfPlace *place)
{
	class->begin = palloc(sizeof(FfPlace));
	*class->begin = *place;
	class->part = place->priority == PG_INT32_MAX ? LOWER_PRIORITY : SAME_PRIORITY;
	begin_part(pick, class);
	return step(pick, class);
}

/* Behind the frontier, or where this transaction has itself made earlier work claimable. */
static FfPlace
begin_place(const FfFrontierLook *look, const FfWorkClass *class)
{
	FfPlace		mine;

	if (!ff_wake_owes_work(class, &mine))
		return look->passed;
	mine = ff_place_before(mine);
	return ff_place_compare(&mine, &look->passed) < 0 ? mine : look->passed;
}

/*
 * To the first row of the class that is worth locking. What a transaction has
 * taken may be had again, so that it must not move the frontier past it.
 */
static void
begin_class(FfPick *pick, Class *class)
{
	FfFrontierLook look = ff_frontier_look(&class->is);
	FfPlace		place = begin_place(&look, &class->is);
	FfPlace		first;

	if (!begin_behind(pick, class, &place))
		return;
	first = place_of(&class->row);
	if (!IsolationUsesXactSnapshot() && !TransactionIdIsValid(GetTopTransactionIdIfAny()))
		ff_frontier_advance(&look, &class->is, &first);
	if (!ff_capabilities_match(tokens_of(&class->row), pick->capabilities))
	{
		end_scan(class);
		class->exhausted = true;
	}
	else if (is_overdue(pick, ff_row_maybe_int8(&class->row, FF_CORE_DEADLINE)))
		advance(pick, class);
}

static void
add_class(FfPick *pick, bool resumable, int64 caps_hash)
{
	Class		class = {
		.is = {.lane_id = pick->lane_id,.caps_hash = caps_hash,.resumable = resumable}
	};

	begin_class(pick, &class);
	if (class.exhausted)
		return;
	if (pick->nclasses >= MAX_SCANS)
		end_scan(&class);
	pick->classes = pick->classes
		? repalloc(pick->classes, (pick->nclasses + 1) * sizeof(Class)) : palloc(sizeof(Class));
	pick->classes[pick->nclasses++] = class;
}

/*
 * Add the classes that a kind of work has in the lane between two hashes. The
 * index is asked for them, dead entries and all, since to look for a live row
 * in each could take long.
 */
static void
add_classes(FfPick *pick, bool resumable, int64 lowest, int64 highest)
{
	FfBound		bounds[] = {
		FF_BOUND(1, BTEqualStrategyNumber, pick->lane),
		FF_BOUND(2, BTGreaterEqualStrategyNumber, Int64GetDatum(lowest)),
		FF_BOUND(2, BTLessEqualStrategyNumber, Int64GetDatum(highest)),
	};
	bool		found;

	do
	{
		FfScan	   *scan = ff_scan_begin(resumable ? &resumable_rows : &fresh_rows, bounds,
										 lengthof(bounds), ForwardScanDirection);

		found = ff_scan_next_key(scan, 2, &bounds[1].value);
		ff_scan_end(scan);
		bounds[1].strategy = BTGreaterStrategyNumber;
		if (found)
			add_class(pick, resumable, DatumGetInt64(bounds[1].value));
	} while (found);
}

FfPick *
ff_pick_begin(const char *lane_id, ArrayType *capabilities, bool include_resumable,
			  int wanted, int64 now_ms)
{
	FfPick	   *pick = palloc0(sizeof(FfPick));

	pick->lane_id = lane_id;
	pick->lane = CStringGetTextDatum(lane_id);
	pick->capabilities = capabilities;
	pick->wanted = wanted;
	pick->now_ms = now_ms;
	if (!ff_lane_is_open(lane_id))
		return pick;
	if (include_resumable)
	{
		promote_resumable(pick);
		add_classes(pick, true, PG_INT64_MIN, PG_INT64_MAX);
	}
	/* most work needs no tokens: its class is not asked for */
	add_classes(pick, false, PG_INT64_MIN, NO_TOKENS - 1);
	add_class(pick, false, NO_TOKENS);
	add_classes(pick, false, NO_TOKENS + 1, PG_INT64_MAX);
	return pick;
}

static bool
comes_before(const FfRow *a, const FfRow *b)
{
	FfPlace		place = place_of(a);
	FfPlace		other = place_of(b);

	return ff_place_compare(&place, &other) < 0;
}

/* The class whose next row comes first; NULL when all are exhausted. */
static Class *
first_class(FfPick *pick)
{
	Class	   *first = NULL;

	for (int i = 0; i < pick->nclasses; i++)
	{
		Class	   *class = &pick->classes[i];

		if (!class->exhausted && (first == NULL || comes_before(&class->row, &first->row)))
			first = class;
	}
	return first;
}

static void
candidate_of(const FfRow *row, FfCandidate *candidate)
{
	ff_core_read(&candidate->core, row);
	candidate->payload = ff_row_bytea(row, FF_CORE_NCOLUMNS + 1);
	candidate->required_capabilities = tokens_of(row);
}

/* What is true of all rows in the index of the class: a row may have changed before it was locked. */
static bool
is_claimable(const Class *class, const FfCore *core)
{
	if (core->eligibility != FF_ELIGIBLE_NOW)
		return false;
	if (class->is.resumable)
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

/* Go on with a class that was laid aside; its row may be another one by now. */
static void
take_up(FfPick *pick, Class *class)
{
	FfPlace		place = ff_place_before(place_of(&class->row));

	if (begin_behind(pick, class, &place) &&
		is_overdue(pick, ff_row_maybe_int8(&class->row, FF_CORE_DEADLINE)))
		advance(pick, class);
}

bool
ff_pick_next(FfPick *pick, FfCandidate *candidate)
{
	bool		found = false;
	Class	   *class;

	while (!found && pick->wanted > 0 && (class = first_class(pick)) != NULL)
	{
		if (class->scan == NULL)
		{
			take_up(pick, class);
			continue;
		}
		if (ff_scan_lock(class->scan, &class->row, LockWaitSkip))
		{
			candidate_of(&class->row, candidate);
			found = may_be_claimed(pick, class, candidate);
		}
		advance(pick, class);
	}
	if (found && --pick->wanted == 0)
		for (int i = 0; i < pick->nclasses; i++)
			end_scan(&pick->classes[i]);
	return found;
}

bool
ff_pick_wrote(const FfPick *pick)
{
	return pick->wrote;
}

bool
ff_pick_first(const FfWorkClass *work_class, FfPlace *place)
{
	FfPick		pick = {.lane = CStringGetTextDatum(work_class->lane_id)};
	Class		class = {.is = *work_class};
	FfPlace		head = FF_FIRST_PLACE;

	if (!begin_behind(&pick, &class, &head))
		return false;
	*place = place_of(&class.row);
	end_scan(&class);
	return true;
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
