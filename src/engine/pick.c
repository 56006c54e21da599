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
typedef struct Source
{
	FfWorkScan	scan;
	bool		laid_aside;		/* at its row, with the scan ended */
	bool		exhausted;
} Source;

/* Scans held open at a time: where there are more classes the others are laid aside at their first row. */
#define MAX_SCANS 16

struct FfPick
{
	const char *lane_id;
	const FfTokens *worker;
	int			wanted;
	int64		now_ms;
	Source	   *sources;
	int			nsources;
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
		FF_BOUND(1, BTEqualStrategyNumber, CStringGetTextDatum(pick->lane_id)),
		FF_BOUND(2, BTLessEqualStrategyNumber, Int64GetDatum(pick->now_ms)),
	};
	FfScan	   *scan = ff_scan_begin(&resumable_later, due, lengthof(due));
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
seek(const FfPick *pick, Source *source, bool has_row)
{
	while (has_row && is_overdue(pick, ff_row_maybe_int8(&source->scan.row, FF_CORE_DEADLINE)))
		has_row = ff_workscan_next(&source->scan);
	source->exhausted = !has_row;
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

/* Where the first row is, if there is one, nobody needs to look before. */
static void
note_first(const Source *source, bool found, const FfFrontierLook *look, const FfWorkClass *class)
{
	FfPlace		first;

	if (!found)
	{
		ff_frontier_note_empty(look, class);
		return;
	}
	first = ff_workscan_place(&source->scan);
	ff_frontier_advance(look, class, &first);
}

/*
 * What a transaction has taken or put in by hand may be rolled back, and a
 * snapshot that it keeps is old: what it sees is for itself.
 */
static bool
sees_for_all(void)
{
	return !IsolationUsesXactSnapshot() && !TransactionIdIsValid(GetTopTransactionIdIfAny());
}

/* To the first row of the class that is worth locking. */
static void
begin_source(const FfPick *pick, Source *source, const FfWorkClass *class, const FfFrontierLook *look)
{
	FfPlace		place = begin_place(look, class);
	ArrayType  *required = ff_requirement_of(class->caps_hash);
	bool		found;

	source->exhausted = true;
	if (required && !ff_capabilities_match(required, pick->worker))
		return;
	found = ff_workscan_begin(&source->scan, class, &place);
	if (sees_for_all())
		note_first(source, found, look, class);
	if (!found)
		return;
	required = tokens_of(&source->scan.row);
	ff_requirement_learn(class->caps_hash, required);
	if (ff_capabilities_match(required, pick->worker))
		seek(pick, source, true);
	else
		ff_workscan_end(&source->scan);
}

static void
add_class(FfPick *pick, const FfWorkClass *class, const FfFrontierLook *look)
{
	Source		source = {.laid_aside = pick->nsources >= MAX_SCANS};

	begin_source(pick, &source, class, look);
	if (source.exhausted)
		return;
	if (source.laid_aside)
		ff_workscan_end(&source.scan);
	pick->sources = pick->sources
		? repalloc(pick->sources, (pick->nsources + 1) * sizeof(Source)) : palloc(sizeof(Source));
	pick->sources[pick->nsources++] = source;
}

/* Add the known classes of fresh or resumable work. */
static void
add_known_classes(FfPick *pick, const FfLaneLook *lane, bool resumable)
{
	FfWorkClass class = {.lane_id = pick->lane_id,.resumable = resumable};

	for (int i = 0; i < lane->nclasses; i++)
	{
		const FfFrontierLook *look = &lane->classes[i];

		if (look->resumable != resumable || look->empty)
			continue;
		class.caps_hash = look->caps_hash;
		add_class(pick, &class, look);
	}
}

/* Ask the index for them. */
static void
search_classes(FfPick *pick, const FfLaneLook *lane, bool resumable)
{
	FfWorkClass class = {.lane_id = pick->lane_id,.resumable = resumable};
	bool		complete = sees_for_all();

	for (bool found = ff_workscan_class(&class, true); found; found = ff_workscan_class(&class, false))
	{
		FfFrontierLook look = ff_frontier_look(&class);

		add_class(pick, &class, &look);
		complete &= look.number >= 0;
	}
	if (complete)
		ff_frontier_complete(lane, pick->lane_id, resumable);
}

static void
add_classes(FfPick *pick, const FfLaneLook *lane, bool resumable)
{
	if (lane->complete[resumable] && sees_for_all())
		add_known_classes(pick, lane, resumable);
	else
		search_classes(pick, lane, resumable);
}

FfPick *
ff_pick_begin(const char *lane_id, ArrayType *capabilities, bool include_resumable,
			  int wanted, int64 now_ms)
{
	FfPick	   *pick = palloc0(sizeof(FfPick));
	FfLaneLook	lane;

	pick->lane_id = lane_id;
	pick->worker = ff_capabilities_read(capabilities);
	pick->wanted = wanted;
	pick->now_ms = now_ms;
	if (!ff_lane_is_open(lane_id))
		return pick;
	lane = ff_frontier_look_at_lane(lane_id);
	if (include_resumable)
	{
		promote_resumable(pick);
		add_classes(pick, &lane, true);
	}
	add_classes(pick, &lane, false);
	return pick;
}

static bool
comes_before(const Source *a, const Source *b)
{
	FfPlace		place = ff_workscan_place(&a->scan);
	FfPlace		other = ff_workscan_place(&b->scan);

	return ff_place_compare(&place, &other) < 0;
}

/* The source whose next row comes first; NULL when all are exhausted. */
static Source *
first_source(FfPick *pick)
{
	Source	   *first = NULL;

	for (int i = 0; i < pick->nsources; i++)
	{
		Source	   *source = &pick->sources[i];

		if (!source->exhausted && (first == NULL || comes_before(source, first)))
			first = source;
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
is_claimable(const Source *source, const FfCore *core)
{
	if (core->eligibility != FF_ELIGIBLE_NOW)
		return false;
	if (source->scan.class.resumable)
		return core->public_state == FF_PUBLIC_RESUMABLE;
	return core->phase == FF_RUNNABLE && core->ownership == FF_UNOWNED &&
		core->public_state != FF_PUBLIC_RESUMABLE;
}

/* Whether this locked row may be handed out; a withheld one is taken out of the way. */
static bool
may_be_claimed(FfPick *pick, const Source *source, FfCandidate *candidate)
{
	FfMove		move = {.now_ms = pick->now_ms,.reason = FF_PAUSED_BY_FLOW_CANCEL};

	if (!is_claimable(source, &candidate->core) ||
		is_overdue(pick, candidate->core.deadline_at_ms) ||
		!ff_capabilities_match(candidate->required_capabilities, pick->worker))
		return false;
	if (!ff_flow_withholds(&candidate->core))
		return true;
	ff_transition(FF_T30_BLOCK, &candidate->core, NULL, &move);
	pick->wrote = true;
	return false;
}

/* Go on with a source that was laid aside; its row may be another one by now. */
static void
take_up(const FfPick *pick, Source *source)
{
	FfPlace		place = ff_place_before(ff_workscan_place(&source->scan));

	source->laid_aside = false;
	seek(pick, source, ff_workscan_begin(&source->scan, &source->scan.class, &place));
}

/* Lock the row that the source is at; false if it is not to be handed out. */
static bool
take_row(FfPick *pick, Source *source, FfCandidate *candidate)
{
	if (!ff_workscan_lock(&source->scan))
		return false;
	candidate_of(&source->scan.row, candidate);
	return may_be_claimed(pick, source, candidate);
}

static void
end_scans(FfPick *pick)
{
	for (int i = 0; i < pick->nsources; i++)
		ff_workscan_end(&pick->sources[i].scan);
}

bool
ff_pick_next(FfPick *pick, FfCandidate *candidate)
{
	Source	   *source;

	while (pick->wanted > 0 && (source = first_source(pick)) != NULL)
	{
		bool		found;

		if (source->laid_aside)
		{
			take_up(pick, source);
			continue;
		}
		found = take_row(pick, source, candidate);
		/* what comes after the last one is not looked at */
		if (found && --pick->wanted == 0)
			end_scans(pick);
		else
			seek(pick, source, ff_workscan_next(&source->scan));
		if (found)
			return true;
	}
	return false;
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
