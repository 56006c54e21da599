/*
 * pick.c - choosing claimable work of a lane, in claim order.
 *
 * The claim index holds a lane's work by capability class and, inside a class,
 * in claim order. A pick goes to the first row behind the frontier (frontier.h)
 * of each class whose tokens the worker may have, and locks the row that comes
 * first: a row locked is a row handed out, so none is held from other workers
 * for nothing. So it costs log n for each class that it could take from,
 * whatever the backlog and however much of it others alone can take. Where the
 * lane's classes are not known it asks the index for them, one descent each.
 */
#include "engine/pick.h"

#include "access/xact.h"

#include "base/error.h"
#include "base/table.h"
#include "engine/capability.h"
#include "engine/requirement.h"
#include "engine/transition.h"
#include "engine/wake.h"
#include "engine/workscan.h"

/* The claimable work of one capability class, fresh or resumable. */
typedef struct Class
{
	FfWorkScan	scan;
	bool		laid_aside;		/* at its row, with the scan ended */
	bool		exhausted;
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

static FfTable named_rows = FF_TABLE("ff_exec_core", "ff_exec_core_pkey", FF_WORK_COLUMNS);
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
	return DatumGetArrayTypeP(ff_row_value(row, FF_WORK_TOKENS).value);
}

/* To the next row that is worth locking, from this one on. */
static void
seek(const FfPick *pick, Class *class, bool found)
{
	while (found && is_overdue(pick, ff_row_maybe_int8(&class->scan.row, FF_CORE_DEADLINE)))
		found = ff_workscan_next(&class->scan);
	class->exhausted = !found;
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
begin_class(const FfPick *pick, Class *class, const FfWorkClass *is, const FfFrontierLook *look)
{
	FfPlace		place = begin_place(look, is);
	FfPlace		first;
	bool		found;

	class->exhausted = true;
	if (ff_place_is_last(&place) || !ff_requirement_may_match(is->caps_hash, pick->capabilities))
		return;
	found = ff_workscan_begin(&class->scan, is, &place);
	if (found)
		first = ff_workscan_place(&class->scan);
	if (!IsolationUsesXactSnapshot() && !TransactionIdIsValid(GetTopTransactionIdIfAny()))
		ff_frontier_advance(look, is, found ? &first : NULL);
	if (found)
	{
		ff_requirement_learn(is->caps_hash, tokens_of(&class->scan.row));
		if (ff_requirement_may_match(is->caps_hash, pick->capabilities))
			seek(pick, class, true);
		else
			ff_workscan_end(&class->scan);
	}
}

static void
add_class(FfPick *pick, const FfWorkClass *is, const FfFrontierLook *look)
{
	Class		class = {.laid_aside = pick->nclasses >= MAX_SCANS};

	begin_class(pick, &class, is, look);
	if (class.exhausted)
		return;
	if (class.laid_aside)
		ff_workscan_end(&class.scan);
	pick->classes = pick->classes
		? repalloc(pick->classes, (pick->nclasses + 1) * sizeof(Class)) : palloc(sizeof(Class));
	pick->classes[pick->nclasses++] = class;
}

static bool
is_known(const FfLaneLook *lane, int64 caps_hash)
{
	for (int i = 0; i < lane->nclasses; i++)
		if (lane->classes[i].caps_hash == caps_hash)
			return true;
	return false;
}

/* Add the classes that are known, and those that this transaction alone knows of. */
static void
add_known_classes(FfPick *pick, FfWorkClass *class, const FfLaneLook *lane)
{
	FfFrontierLook mine = {.number = -1,.passed = FF_LAST_PLACE};
	ListCell   *cell;

	for (int i = 0; i < lane->nclasses; i++)
	{
		class->caps_hash = lane->classes[i].caps_hash;
		add_class(pick, class, &lane->classes[i]);
	}
	foreach(cell, ff_wake_owed_classes(class))
	{
		class->caps_hash = *(int64 *) lfirst(cell);
		if (!is_known(lane, class->caps_hash))
			add_class(pick, class, &mine);
	}
}

/* Add the lane's classes of fresh or resumable work. */
static void
add_classes(FfPick *pick, bool resumable)
{
	FfWorkClass class = {.lane_id = pick->lane_id,.resumable = resumable};
	FfLaneLook	lane = ff_frontier_look_at_lane(pick->lane_id, resumable);

	if (lane.complete)
	{
		add_known_classes(pick, &class, &lane);
		return;
	}
	for (bool found = ff_workscan_class(&class, true); found; found = ff_workscan_class(&class, false))
	{
		FfFrontierLook look = ff_frontier_look(&class);

		add_class(pick, &class, &look);
	}
	ff_frontier_complete(&lane, pick->lane_id, resumable);
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
		add_classes(pick, true);
	}
	add_classes(pick, false);
	return pick;
}

static bool
comes_before(const Class *a, const Class *b)
{
	FfPlace		place = ff_workscan_place(&a->scan);
	FfPlace		other = ff_workscan_place(&b->scan);

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

		if (!class->exhausted && (first == NULL || comes_before(class, first)))
			first = class;
	}
	return first;
}

static void
candidate_of(const FfRow *row, FfCandidate *candidate)
{
	ff_core_read(&candidate->core, row);
	candidate->payload = ff_row_bytea(row, FF_WORK_PAYLOAD);
	candidate->required_capabilities = tokens_of(row);
}

/* What is true of all rows in the index of the class: a row may have changed before it was locked. */
static bool
is_claimable(const Class *class, const FfCore *core)
{
	if (core->eligibility != FF_ELIGIBLE_NOW)
		return false;
	if (class->scan.class.resumable)
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
take_up(const FfPick *pick, Class *class)
{
	FfPlace		place = ff_place_before(ff_workscan_place(&class->scan));

	class->laid_aside = false;
	seek(pick, class, ff_workscan_begin(&class->scan, &class->scan.class, &place));
}

bool
ff_pick_next(FfPick *pick, FfCandidate *candidate)
{
	bool		found = false;
	Class	   *class;

	while (!found && pick->wanted > 0 && (class = first_class(pick)) != NULL)
	{
		if (class->laid_aside)
		{
			take_up(pick, class);
			continue;
		}
		if (ff_workscan_lock(&class->scan))
		{
			candidate_of(&class->scan.row, candidate);
			found = may_be_claimed(pick, class, candidate);
		}
		seek(pick, class, ff_workscan_next(&class->scan));
	}
	if (found && --pick->wanted == 0)
		for (int i = 0; i < pick->nclasses; i++)
			ff_workscan_end(&pick->classes[i].scan);
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
