/*
 * pick.c - choosing claimable work of a lane, in claim order.
 *
 * The claim index holds a lane's work by capability class and, inside a class,
 * in claim order. A pick first steps over the classes, one index descent each,
 * and keeps those whose tokens the worker has; then it merges them, locking
 * rows from the class whose next row comes first, up to where another class's
 * comes: a row locked is a row handed out, so none is held from other workers
 * for nothing. So it costs classes times log n, whatever the backlog and
 * however much of it others alone can take.
 *
 * The steps go from the last class to the first and see the last row of each:
 * the entries of rows claimed before, which vacuum has not removed yet, stand
 * at the head of a class, and only the locking scan has to pass them.
 */
#include "engine/pick.h"

#include "base/error.h"
#include "engine/capability.h"
#include "engine/transition.h"

/* A place in claim order. */
typedef struct Place
{
	int32		priority;
	int64		created_at_ms;
	pg_uuid_t	execution_id;
} Place;

/* Before and behind every row in claim order. */
static const Place first_place = {.priority = PG_INT32_MAX,.created_at_ms = PG_INT64_MIN};
static const Place last_place = {
	.priority = PG_INT32_MIN,.created_at_ms = PG_INT64_MAX,
	.execution_id.data = {[0 ... UUID_LEN - 1] = 0xFF}
};

/* The claimable work of one capability class, fresh or resumable. */
typedef struct Class
{
	bool		resumable;
	int64		caps_hash;
	bool		exhausted;
	Place		next;			/* the next row is there or later */
	Place		passed;			/* nothing is to be had up to here */
	FfRows		rows;			/* locked, not all handed out yet */
	uint64		handed;
} Class;

struct FfPick
{
	const char *lane_id;
	ArrayType  *capabilities;
	int			wanted;
	int64		now_ms;
	Class	   *classes;
	int			nclasses;
	bool		wrote;
};

#define FRESH \
	" c.lane_id = $1 AND c.lifecycle_phase = 'runnable' AND c.ownership_state = 'unowned'" \
	" AND c.eligibility_state = 'eligible_now' AND c.public_state <> 'resumable'"
#define RESUMABLE \
	" c.lane_id = $1 AND c.public_state = 'resumable' AND c.eligibility_state = 'eligible_now'"
#define RESUMABLE_LATER \
	" c.lane_id = $1 AND c.public_state = 'resumable'" \
	" AND c.eligibility_state = 'not_eligible_until_time' AND c.eligible_at_ms <= $2"
#define OPEN_LANE \
	" NOT EXISTS (SELECT FROM @extschema@.ff_lane_registry l" \
	"  WHERE l.lane_id = $1 AND l.state IN ('paused', 'disabled'))"

#define CLASS_TAIL \
	"SELECT c.caps_hash, c.required_capabilities FROM @extschema@.ff_exec_core c WHERE"
#define LAST_IN_INDEX \
	" ORDER BY c.caps_hash DESC, c.priority, c.created_at_ms DESC, c.execution_id DESC LIMIT 1"

/* The classes that a kind of work has in the lane, each with the tokens of its last row. */
#define CLASSES(name, kind) \
	name " AS ((" CLASS_TAIL kind LAST_IN_INDEX ")" \
	" UNION ALL SELECT n.* FROM " name " f CROSS JOIN LATERAL (" CLASS_TAIL kind \
	"  AND c.caps_hash < f.caps_hash" LAST_IN_INDEX ") n)"

/* Columns: kind (0 fresh, 1 resumable, 2 resumable but to be promoted first), hash, tokens. */
static FfStatement survey =
FF_STATEMENT("survey", "text, bigint, boolean",
			 "WITH RECURSIVE " CLASSES("fresh", FRESH) ", " CLASSES("resumable", RESUMABLE)
			 " SELECT 0, f.* FROM fresh f WHERE" OPEN_LANE
			 " UNION ALL"
			 " SELECT 1, r.* FROM resumable r WHERE $3 AND" OPEN_LANE
			 " UNION ALL"
			 " SELECT 2, NULL, NULL WHERE $3 AND" OPEN_LANE
			 "  AND EXISTS (SELECT FROM @extschema@.ff_exec_core c WHERE" RESUMABLE_LATER ")");

#define IN_ORDER " ORDER BY c.priority DESC, c.created_at_ms, c.execution_id LIMIT"

/*
 * Rows of a class, by index ranges that begin and end where the answer does: a
 * tier is the rows of one priority. Work whose deadline is due is not claimed.
 */
#define OF_CLASS \
	" AND c.caps_hash = $2 AND (c.deadline_at_ms IS NULL OR c.deadline_at_ms > $3)"
#define IN_TIER_BEHIND " AND c.priority = $4 AND (c.created_at_ms, c.execution_id) > ($5, $6)"
#define BELOW_TIER " AND c.priority < $4"

#define HEAD_OF(kind, range) \
	"(SELECT c.priority, c.created_at_ms, c.execution_id FROM @extschema@.ff_exec_core c" \
	" WHERE" kind OF_CLASS range IN_ORDER " 1)"
#define CLASS_HEAD(kind) \
	HEAD_OF(kind, IN_TIER_BEHIND) " UNION ALL " HEAD_OF(kind, BELOW_TIER) " LIMIT 1"
#define HEAD_ARGUMENTS "text, bigint, bigint, integer, bigint, uuid"

static FfStatement head_of_fresh =
FF_STATEMENT("head_of_fresh", HEAD_ARGUMENTS, CLASS_HEAD(FRESH));

static FfStatement head_of_resumable =
FF_STATEMENT("head_of_resumable", HEAD_ARGUMENTS, CLASS_HEAD(RESUMABLE));

#define LOCK(kind, range, n) \
	"SELECT " FF_CORE_COLUMNS ", c.payload, c.required_capabilities" \
	" FROM @extschema@.ff_exec_core c WHERE" kind OF_CLASS range \
	IN_ORDER " $" n " FOR NO KEY UPDATE SKIP LOCKED"
#define LOCK_IN_TIER(kind) \
	LOCK(kind, IN_TIER_BEHIND " AND (c.created_at_ms, c.execution_id) < ($7, $8)", "9")
#define LOCK_TIERS(kind) LOCK(kind, BELOW_TIER " AND c.priority > $5", "6")
#define TIER_ARGUMENTS HEAD_ARGUMENTS ", bigint, uuid, bigint"
#define TIERS_ARGUMENTS "text, bigint, bigint, bigint, bigint, bigint"

static FfStatement lock_fresh_in_tier =
FF_STATEMENT("lock_fresh_in_tier", TIER_ARGUMENTS, LOCK_IN_TIER(FRESH));

static FfStatement lock_resumable_in_tier =
FF_STATEMENT("lock_resumable_in_tier", TIER_ARGUMENTS, LOCK_IN_TIER(RESUMABLE));

static FfStatement lock_fresh =
FF_STATEMENT("lock_fresh", TIERS_ARGUMENTS, LOCK_TIERS(FRESH));

static FfStatement lock_resumable =
FF_STATEMENT("lock_resumable", TIERS_ARGUMENTS, LOCK_TIERS(RESUMABLE));

static FfStatement lock_resumable_later =
FF_STATEMENT("lock_resumable_later", "text, bigint, bigint",
			 "SELECT " FF_CORE_COLUMNS " FROM @extschema@.ff_exec_core c WHERE" RESUMABLE_LATER
			 " ORDER BY c.eligible_at_ms LIMIT $3 FOR NO KEY UPDATE SKIP LOCKED");

static FfStatement lock_named =
FF_STATEMENT("lock_named", "smallint, uuid",
			 "SELECT " FF_CORE_COLUMNS ", c.payload, c.required_capabilities"
			 " FROM @extschema@.ff_exec_core c WHERE c.partition_key = $1 AND c.execution_id = $2"
			 " FOR NO KEY UPDATE");

static FfStatement lane_is_open =
FF_STATEMENT("lane_is_open", "text", "SELECT WHERE" OPEN_LANE);

static FfStatement flow_withholds =
FF_STATEMENT("flow_withholds", "smallint, uuid",
			 "SELECT FROM @extschema@.ff_flow_core f WHERE f.partition_key = $1 AND f.flow_id = $2"
			 " AND f.public_flow_state = 'cancelled'"
			 " AND f.raw_fields ->> 'cancellation_policy' IN ('cancel_pending', 'cancel_all')");

static int
compare_places(const Place *a, const Place *b)
{
	if (a->priority != b->priority)
		return a->priority > b->priority ? -1 : 1;
	if (a->created_at_ms != b->created_at_ms)
		return a->created_at_ms < b->created_at_ms ? -1 : 1;
	return memcmp(&a->execution_id, &b->execution_id, sizeof(pg_uuid_t));
}

static Place
place_of(const FfCore *core)
{
	return (Place) {
		.priority = core->priority,.created_at_ms = core->created_at_ms,
			.execution_id = core->id.uuid
	};
}

static void
add_class(FfPick *pick, const FfRow *row)
{
	Class	   *class = &pick->classes[pick->nclasses];
	NullableDatum tokens = ff_row_value(row, 3);

	if (!ff_capabilities_match(DatumGetArrayTypeP(tokens.value), pick->capabilities))
		return;
	memset(class, 0, sizeof(Class));
	class->resumable = ff_row_int4(row, 1) == 1;
	class->caps_hash = ff_row_int8(row, 2);
	class->passed = first_place;
	pick->nclasses++;
}

/* Where several classes are to be merged: which row comes next in this one. */
static void
find_head(FfPick *pick, Class *class)
{
	FfRow		row;

	if (!ff_statement_row(class->resumable ? &head_of_resumable : &head_of_fresh, &row,
						  ff_text(pick->lane_id), ff_int8(class->caps_hash),
						  ff_int8(pick->now_ms), ff_int4(class->passed.priority),
						  ff_int8(class->passed.created_at_ms),
						  ff_uuid(&class->passed.execution_id)))
	{
		class->exhausted = true;
		return;
	}
	class->next.priority = ff_row_int4(&row, 1);
	class->next.created_at_ms = ff_row_int8(&row, 2);
	class->next.execution_id = *ff_row_uuid(&row, 3);
}

/* Look at the lane's classes; true if resumable work is to be promoted first. */
static bool
look(FfPick *pick, bool include_resumable)
{
	FfRows		rows = ff_statement_run(&survey, ff_text(pick->lane_id), ff_int8(pick->now_ms),
										ff_bool(include_resumable));
	bool		promote = false;

	pick->nclasses = 0;
	pick->classes = palloc((rows.count + 1) * sizeof(Class));
	for (uint64 i = 0; i < rows.count; i++)
	{
		FfRow		row = ff_rows_get(&rows, i);

		if (ff_row_int4(&row, 1) == 2)
			promote = true;
		else
			add_class(pick, &row);
	}
	return promote;
}

static void
promote_resumable(FfPick *pick)
{
	FfRows		rows = ff_statement_run(&lock_resumable_later, ff_text(pick->lane_id),
										ff_int8(pick->now_ms), ff_int8(pick->wanted));
	FfMove		move = {.now_ms = pick->now_ms};

	for (uint64 i = 0; i < rows.count; i++)
	{
		FfRow		row = ff_rows_get(&rows, i);
		FfCore		core;

		ff_core_read(&core, &row);
		ff_transition(FF_T34_PROMOTE, &core, NULL, &move);
		pick->wrote = true;
	}
}

FfPick *
ff_pick_begin(const char *lane_id, ArrayType *capabilities, bool include_resumable,
			  int wanted, int64 now_ms)
{
	FfPick	   *pick = palloc0(sizeof(FfPick));

	pick->lane_id = lane_id;
	pick->capabilities = capabilities;
	pick->wanted = wanted;
	pick->now_ms = now_ms;
	if (look(pick, include_resumable))
	{
		promote_resumable(pick);
		look(pick, include_resumable);
	}
	for (int i = 0; i < pick->nclasses && pick->nclasses > 1; i++)
		find_head(pick, &pick->classes[i]);
	return pick;
}

/*
 * The class whose next row comes first, and the place up to which none of
 * another class comes before its rows; NULL when all are exhausted.
 */
static Class *
first_class(FfPick *pick, Place *limit)
{
	Class	   *first = NULL;

	*limit = last_place;
	for (int i = 0; i < pick->nclasses; i++)
	{
		Class	   *class = &pick->classes[i];

		if (class->exhausted)
			continue;
		if (first == NULL || compare_places(&class->next, &first->next) < 0)
		{
			if (first)
				*limit = first->next;
			first = class;
		}
		else if (compare_places(&class->next, limit) < 0)
			*limit = class->next;
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

/* Lock rows of one tier of a class, between two places, as many as are wanted. */
static bool
lock_in_tier(FfPick *pick, Class *class, int32 priority, const Place *behind, const Place *before)
{
	class->rows = ff_statement_run(class->resumable ? &lock_resumable_in_tier
								   : &lock_fresh_in_tier,
								   ff_text(pick->lane_id), ff_int8(class->caps_hash),
								   ff_int8(pick->now_ms), ff_int4(priority),
								   ff_int8(behind->created_at_ms), ff_uuid(&behind->execution_id),
								   ff_int8(before->created_at_ms), ff_uuid(&before->execution_id),
								   ff_int8(pick->wanted));
	class->handed = 0;
	return class->rows.count > 0;
}

/* The same for the tiers between two priorities, neither included. */
static bool
lock_tiers(FfPick *pick, Class *class, int64 below, int64 above)
{
	class->rows = ff_statement_run(class->resumable ? &lock_resumable : &lock_fresh,
								   ff_text(pick->lane_id), ff_int8(class->caps_hash),
								   ff_int8(pick->now_ms), ff_int8(below), ff_int8(above),
								   ff_int8(pick->wanted));
	class->handed = 0;
	return class->rows.count > 0;
}

/*
 * Lock the next rows of a class up to the limit: what is left of the tier that
 * rows were last taken from, then the tiers between, then the limit's own.
 */
static bool
lock_more(FfPick *pick, Class *class, const Place *limit)
{
	const Place *passed = &class->passed;
	bool		begun = compare_places(passed, &first_place) != 0;
	int64		above = pick->nclasses == 1 ? PG_INT64_MIN : limit->priority;
	bool		same_tier = begun && passed->priority <= above;

	if (begun && lock_in_tier(pick, class, passed->priority, passed,
							  same_tier ? limit : &last_place))
		return true;
	if (same_tier)
		return false;
	if ((pick->nclasses == 1 || class->next.priority > above) &&
		lock_tiers(pick, class, begun ? passed->priority : PG_INT64_MAX, above))
		return true;
	return pick->nclasses > 1 && compare_places(limit, &last_place) != 0 &&
		lock_in_tier(pick, class, limit->priority, &first_place, limit);
}

/* Nothing more is to be had of a class up to the limit: go on behind it. */
static void
pass_limit(FfPick *pick, Class *class, const Place *limit)
{
	class->passed = *limit;
	if (pick->nclasses == 1 || compare_places(limit, &last_place) == 0)
		class->exhausted = true;
	else
		find_head(pick, class);
}

/* Whether this locked row may be handed out; a withheld one is taken out of the way. */
static bool
may_be_claimed(FfPick *pick, FfCandidate *candidate)
{
	FfMove		move = {.now_ms = pick->now_ms,.reason = FF_PAUSED_BY_FLOW_CANCEL};

	if (!ff_capabilities_match(candidate->required_capabilities, pick->capabilities))
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
	Class	   *class;
	Place		limit;

	while (pick->wanted > 0 && (class = first_class(pick, &limit)) != NULL)
	{
		FfRow		row;

		if (class->handed == class->rows.count)
		{
			if (!lock_more(pick, class, &limit))
				pass_limit(pick, class, &limit);
			continue;
		}
		row = ff_rows_get(&class->rows, class->handed++);
		candidate_of(&row, candidate);
		class->passed = class->next = place_of(&candidate->core);
		if (may_be_claimed(pick, candidate))
		{
			pick->wanted--;
			return true;
		}
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

	if (!ff_statement_row(&lock_named, &row, ff_int2(id->partition), ff_uuid(&id->uuid)))
		ff_raise(FF_NOT_FOUND,
				 errmsg("execution %s does not exist", ff_execution_id_text(id)));
	candidate_of(&row, candidate);
}

bool
ff_lane_is_open(const char *lane_id)
{
	FfRow		row;

	return ff_statement_row(&lane_is_open, &row, ff_text(lane_id));
}

bool
ff_flow_withholds(const FfCore *core)
{
	FfRow		row;

	return core->flow_id &&
		ff_statement_row(&flow_withholds, &row, ff_int2(core->id.partition),
						 ff_uuid(core->flow_id));
}
