/*
 * transition.c - the state machine.
 *
 * Reads from top to bottom: the table, the one writer of
 * ff_exec_core, and the routine that puts them together with what lease.c does
 * to the attempt.
 */
#include "engine/transition.h"

#include "base/clock.h"
#include "base/error.h"
#include "engine/grant.h"
#include "engine/lease.h"
#include "engine/outbox.h"
#include "engine/suspension.h"
#include "engine/vector.h"
#include "engine/wake.h"

/* What happens to the attempt, by the names of chapter 01, 5.3. */
typedef enum Step
{
	NONE,
	OPEN,						/* a new attempt under the current index */
	CONT,						/* the paused attempt goes on under a new lease */
	TAKE_OVER,					/* END, then OPEN under the next index */
	RENEW,						/* the lease ends later */
	RELEASE,					/* the lease is given back, the attempt is not over */
	LOSE,						/* the lease is lost, the attempt may be taken over */
	END,						/* the attempt is over */
	CLOSE						/* END if it is open, if there is one at all */
} Step;

typedef enum Extra
{
	BUMP = 0x01,				/* lease_epoch + 1: the old handle is worth nothing */
	NO_WORKER = 0x02,			/* forget who ran it */
	NO_INSTANCE = 0x04,			/* forget which process ran it */
	NEXT_INDEX = 0x08,			/* attempt_index + 1 */
	COUNT_RETRY = 0x10,
	COUNT_RECLAIM = 0x20,
	EVENT_IF_WORKER = 0x40,		/* a lease event only if the attempt had a worker instance */
	EVENT_IF_LEASED = 0x80,		/* a lease event only of a leased execution */
	FORGET_OUTCOME = 0x100		/* of an attempt that is not open: what it says is no longer so */
} Extra;

typedef struct Row
{
	const char *name;
	int			from;			/* set of vectors */
	int			to;				/* 0: the execution's row stays as it is */
	int			later;			/* to this one instead, when the move has eligible_at_ms */
	int			later_reason;
	int			attempt_state;
	Step		step;
	int			outcome;		/* of the attempt that the step releases, loses or ends */
	int			extras;
	const char *lease_event;
	const char *lease_reason;
	const char *completion;
	int			counter;		/* FfCounter; 0 (executions created) is none */
} Row;

#define KEEP (-2)
#define W_M (FF_VECTOR_W | FF_VECTOR_M)
#define CLAIMABLE (W_M | FF_VECTOR_G | FF_VECTOR_D | FF_VECTOR_MD)
#define UNOWNED_RUNNABLE (CLAIMABLE | FF_VECTOR_K | FF_VECTOR_B)
#define HELD (FF_VECTOR_X | FF_VECTOR_V)
#define OWNED (FF_VECTOR_R | HELD)
#define NOT_ENDED (UNOWNED_RUNNABLE | OWNED | FF_VECTOR_S)

/* Where a runnable execution goes when nothing else holds it: D, MD, W or M. */
#define SETTLE 0x2000

/* clang-format off */
static const Row table[FF_TRANSITIONS] = {
	[FF_T02_CLAIM] = {"T02 claim",
		.from = CLAIMABLE, .to = FF_VECTOR_R, .attempt_state = FF_RUNNING_ATTEMPT,
		.step = OPEN, .lease_event = "acquired"},
	[FF_T03_CONTINUE] = {"T03 continue",
		.from = UNOWNED_RUNNABLE, .to = FF_VECTOR_R, .attempt_state = FF_RUNNING_ATTEMPT,
		.step = CONT, .lease_event = "acquired"},
	[FF_T04_TAKE_OVER] = {"T04 take over",
		.from = CLAIMABLE, .to = FF_VECTOR_R, .attempt_state = FF_RUNNING_ATTEMPT,
		.step = TAKE_OVER, .outcome = FF_INTERRUPTED_RECLAIMED, .extras = NEXT_INDEX | COUNT_RECLAIM,
		.lease_event = "reclaimed", .counter = FF_COUNT_RECLAIMS},
	[FF_T05_GRANT] = {"T05 grant",
		.from = W_M | FF_VECTOR_MD | FF_VECTOR_G, .to = FF_VECTOR_G, .attempt_state = KEEP},
	[FF_T07_UNGRANT] = {"T07 grant returned",
		.from = FF_VECTOR_G, .to = SETTLE, .attempt_state = KEEP,
		.counter = FF_COUNT_GRANTS_EXPIRED},
	[FF_T08_RENEW] = {"T08 renew",
		.from = FF_VECTOR_R, .to = 0, .step = RENEW, .lease_event = "renewed",
		.counter = FF_COUNT_RENEWALS_OK},
	[FF_T09_PROGRESS] = {"T09 progress",
		.from = FF_VECTOR_R, .to = FF_VECTOR_R, .attempt_state = FF_RUNNING_ATTEMPT},
	[FF_T10_COMPLETE] = {"T10 complete",
		.from = FF_VECTOR_R, .to = FF_VECTOR_T, .attempt_state = FF_ATTEMPT_TERMINAL,
		.step = END, .outcome = FF_SUCCESS,
		.lease_event = "revoked", .lease_reason = "completed", .completion = "success"},
	[FF_T11_RETRY] = {"T11 retry",
		.from = FF_VECTOR_R, .to = FF_VECTOR_W,
		.later = FF_VECTOR_D, .later_reason = FF_WAITING_FOR_RETRY_BACKOFF,
		.attempt_state = FF_PENDING_RETRY, .step = END, .outcome = FF_RETRY,
		.extras = NEXT_INDEX | COUNT_RETRY,
		.lease_event = "revoked", .lease_reason = "failed_retry"},
	[FF_T12_FAIL] = {"T12 fail",
		.from = FF_VECTOR_R, .to = FF_VECTOR_T, .attempt_state = FF_ATTEMPT_TERMINAL,
		.step = END, .outcome = FF_FAILED,
		.lease_event = "revoked", .lease_reason = "failed", .completion = "failed"},
	[FF_T13_DELAY] = {"T13 delay",
		.from = FF_VECTOR_R, .to = FF_VECTOR_W,
		.later = FF_VECTOR_D, .later_reason = FF_WAITING_FOR_DELAY,
		.attempt_state = FF_INTERRUPTED_ATTEMPT, .step = RELEASE, .outcome = FF_INTERRUPTED,
		.lease_event = "revoked", .lease_reason = "delayed"},
	[FF_T14_WAIT_CHILDREN] = {"T14 wait for children",
		.from = FF_VECTOR_R, .to = FF_VECTOR_K, .attempt_state = FF_INTERRUPTED_ATTEMPT,
		.step = RELEASE, .outcome = FF_WAITING_CHILDREN,
		.lease_event = "revoked", .lease_reason = "waiting_children"},
	[FF_T15_SUSPEND] = {"T15 suspend",
		.from = FF_VECTOR_R, .to = FF_VECTOR_S, .attempt_state = FF_INTERRUPTED_ATTEMPT,
		.step = RELEASE, .outcome = FF_ATTEMPT_INTERRUPTED, .extras = BUMP | NO_WORKER,
		.lease_event = "revoked", .lease_reason = "suspended",
		.counter = FF_COUNT_SUSPENSIONS},
	[FF_T18_RESUME] = {"T18 resume",
		.from = FF_VECTOR_S, .to = FF_VECTOR_M,
		.later = FF_VECTOR_MD, .later_reason = FF_WAITING_FOR_RESUME_DELAY,
		.attempt_state = FF_INTERRUPTED_ATTEMPT, .completion = "resumable",
		.counter = FF_COUNT_RESUMES},
	[FF_T19_CLAIM_RESUMED] = {"T19 claim resumed",
		.from = UNOWNED_RUNNABLE, .to = FF_VECTOR_R, .attempt_state = FF_RUNNING_ATTEMPT,
		.step = CONT, .lease_event = "acquired"},
	[FF_T20_FAIL] = {"T20 suspension timeout, fail",
		.from = FF_VECTOR_S, .to = FF_VECTOR_T, .attempt_state = FF_ATTEMPT_TERMINAL,
		.step = CLOSE, .outcome = FF_FAILED, .completion = "failed"},
	[FF_T20_EXPIRE] = {"T20 suspension timeout, expire",
		.from = FF_VECTOR_S, .to = FF_VECTOR_T, .attempt_state = FF_ATTEMPT_TERMINAL,
		.step = CLOSE, .outcome = FF_EXPIRED, .completion = "expired"},
	[FF_T20_CANCEL] = {"T20 suspension timeout, cancel",
		.from = FF_VECTOR_S, .to = FF_VECTOR_C, .attempt_state = FF_ATTEMPT_TERMINAL,
		.step = CLOSE, .outcome = FF_OUTCOME_CANCELLED, .completion = "cancelled"},
	[FF_T20_ESCALATE] = {"T20 suspension timeout, escalate",
		.from = FF_VECTOR_S, .to = FF_VECTOR_S, .attempt_state = KEEP},
	[FF_T21_HOLD] = {"T21 hold",
		.from = FF_VECTOR_R, .to = FF_VECTOR_X, .attempt_state = FF_INTERRUPTED_ATTEMPT,
		.step = LOSE, .outcome = FF_LEASE_LOST, .lease_event = "expired"},
	[FF_T22_REQUEUE_LAPSED] = {"T22 requeue, lapsed",
		.from = FF_VECTOR_R, .to = FF_VECTOR_W, .attempt_state = FF_INTERRUPTED_ATTEMPT,
		.step = LOSE, .outcome = FF_LEASE_LOST, .lease_event = "expired"},
	[FF_T22_REQUEUE_HELD] = {"T22 requeue, held",
		.from = HELD, .to = FF_VECTOR_W, .attempt_state = FF_INTERRUPTED_ATTEMPT,
		.step = LOSE, .outcome = FF_LEASE_LOST},
	[FF_T22_FAIL_LAPSED] = {"T22 cap, lapsed",
		.from = FF_VECTOR_R, .to = FF_VECTOR_T, .attempt_state = FF_ATTEMPT_TERMINAL,
		.step = END, .outcome = FF_FAILED, .extras = COUNT_RECLAIM,
		.lease_event = "expired", .completion = "failed"},
	[FF_T22_FAIL_HELD] = {"T22 cap, held",
		.from = HELD, .to = FF_VECTOR_T, .attempt_state = FF_ATTEMPT_TERMINAL,
		.step = END, .outcome = FF_FAILED, .extras = COUNT_RECLAIM, .completion = "failed"},
	[FF_T23_RECLAIM] = {"T23 reclaim",
		.from = OWNED, .to = FF_VECTOR_R, .attempt_state = FF_RUNNING_ATTEMPT,
		.step = TAKE_OVER, .outcome = FF_INTERRUPTED_RECLAIMED, .extras = NEXT_INDEX | COUNT_RECLAIM,
		.lease_event = "reclaimed", .counter = FF_COUNT_RECLAIMS},
	[FF_T23_FAIL] = {"T23 cap",
		.from = OWNED | W_M | FF_VECTOR_G, .to = FF_VECTOR_T,
		.attempt_state = FF_ATTEMPT_TERMINAL, .step = END, .outcome = FF_FAILED,
		.extras = COUNT_RECLAIM,
		.lease_event = "revoked", .lease_reason = "reclaim_cap_exceeded", .completion = "failed"},
	[FF_T25_CANCEL] = {"T25 cancel, not owned",
		.from = UNOWNED_RUNNABLE | FF_VECTOR_S, .to = FF_VECTOR_C,
		.attempt_state = FF_ATTEMPT_TERMINAL, .step = CLOSE, .outcome = FF_OUTCOME_CANCELLED,
		.extras = FORGET_OUTCOME, .completion = "cancelled"},
	[FF_T26_CANCEL_OWNED] = {"T26 cancel, owned",
		.from = OWNED, .to = FF_VECTOR_C, .attempt_state = FF_ATTEMPT_TERMINAL,
		.step = END, .outcome = FF_OUTCOME_CANCELLED, .extras = BUMP | NO_INSTANCE | EVENT_IF_WORKER,
		.lease_event = "revoked", .lease_reason = "cancelled", .completion = "cancelled"},
	[FF_T27_TIMEOUT_RETRY] = {"T27 attempt timeout, retry",
		.from = FF_VECTOR_R, .to = FF_VECTOR_W, .attempt_state = FF_PENDING_RETRY,
		.step = END, .outcome = FF_INTERRUPTED, .extras = NEXT_INDEX | COUNT_RETRY,
		.lease_event = "expired", .lease_reason = "attempt_timeout"},
	[FF_T28_TIMEOUT_END] = {"T28 attempt timeout, end",
		.from = FF_VECTOR_R, .to = FF_VECTOR_T, .attempt_state = FF_ATTEMPT_TERMINAL,
		.step = END, .outcome = FF_EXPIRED,
		.lease_event = "expired", .lease_reason = "attempt_timeout", .completion = "expired"},
	[FF_T29_DEADLINE] = {"T29 deadline",
		.from = NOT_ENDED, .to = FF_VECTOR_T, .attempt_state = FF_ATTEMPT_TERMINAL,
		.step = CLOSE, .outcome = FF_EXPIRED, .extras = BUMP | EVENT_IF_LEASED,
		.lease_event = "expired", .lease_reason = "execution_deadline", .completion = "expired"},
	[FF_T30_BLOCK] = {"T30 block",
		.from = UNOWNED_RUNNABLE, .to = FF_VECTOR_B, .attempt_state = KEEP},
	[FF_T31_UNBLOCK] = {"T31 unblock",
		.from = FF_VECTOR_B, .to = SETTLE, .attempt_state = KEEP},
	[FF_T31_UNBLOCK_TO_WAIT] = {"T31 unblock, dependencies open",
		.from = FF_VECTOR_B, .to = FF_VECTOR_K, .attempt_state = KEEP},
	[FF_T33_DEPENDENCIES_MET] = {"T33 dependencies met",
		.from = FF_VECTOR_K, .to = SETTLE, .attempt_state = KEEP},
	[FF_T34_PROMOTE] = {"T34 promote",
		.from = FF_VECTOR_D | FF_VECTOR_MD, .to = SETTLE, .attempt_state = KEEP},
	[FF_T43_TAKE_BACK] = {"T43 take back",
		.from = OWNED | W_M | FF_VECTOR_G, .to = FF_VECTOR_R, .attempt_state = FF_RUNNING_ATTEMPT,
		.step = CONT, .extras = COUNT_RECLAIM, .lease_event = "reclaimed",
		.counter = FF_COUNT_RECLAIMS},
};
/* clang-format on */

/* The outcome that an end gives the execution is the attempt's. */
#define ENDS(row) ((row)->to == FF_VECTOR_T || (row)->to == FF_VECTOR_C)

/* The second form also writes the columns that most transitions leave alone. */
#define CORE_ARGUMENTS \
	"smallint, uuid, ff_lifecycle_phase, ff_ownership_state, ff_eligibility_state," \
	" ff_blocking_reason, ff_public_state, ff_attempt_state, ff_attempt_outcome," \
	" integer, bigint, bigint, bigint, integer, integer, uuid, bigint"
#define CORE_UPDATE \
	"UPDATE @extschema@.ff_exec_core SET lifecycle_phase = $3, ownership_state = $4," \
	" eligibility_state = $5, blocking_reason = $6, public_state = $7," \
	" attempt_state = $8, terminal_outcome = $9, attempt_index = $10," \
	" eligible_at_ms = $11, started_at_ms = $12, terminal_at_ms = $13," \
	" retry_count = $14, lease_reclaim_count = $15, blocked_on = $16," \
	" last_mutation_at_ms = $17"
#define CORE_KEY " WHERE partition_key = $1 AND execution_id = $2"
#define CORE_NARGUMENTS 17

static FfStatement write_core =
FF_STATEMENT("write_core", CORE_ARGUMENTS, CORE_UPDATE CORE_KEY);

static FfStatement write_core_whole =
FF_STATEMENT("write_core_whole", CORE_ARGUMENTS ", bytea, text[], jsonb, text, text, bigint",
			 CORE_UPDATE ", result = COALESCE($18, result),"
			 " raw_fields = (raw_fields - COALESCE($19, '{}')) || COALESCE($20, '{}'),"
			 " cancellation_reason = COALESCE(cancellation_reason, $21),"
			 " cancelled_by = COALESCE(cancelled_by, $22), deadline_at_ms = $23" CORE_KEY);

static FfStatement insert_core =
FF_STATEMENT("insert_core",
			 "smallint, uuid, uuid, text, text[], ff_lifecycle_phase, ff_ownership_state,"
			 " ff_eligibility_state, ff_blocking_reason, ff_public_state, ff_attempt_state,"
			 " bigint, bigint, integer, bigint, bytea, jsonb, uuid[], uuid, jsonb",
			 "INSERT INTO @extschema@.ff_exec_core (partition_key, execution_id, flow_id, lane_id,"
			 " required_capabilities, lifecycle_phase, ownership_state, eligibility_state,"
			 " blocking_reason, public_state, attempt_state, eligible_at_ms, deadline_at_ms,"
			 " priority, created_at_ms, last_mutation_at_ms, payload, policy, budget_ids,"
			 " quota_policy_id, raw_fields, attempt_index)"
			 " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $15,"
			 " $16, $17, $18, $19, $20, 0)"
			 " ON CONFLICT (partition_key, execution_id) DO NOTHING");

/* Whether the row needs the second form of its writer. */
static bool
core_has_details(const FfCore *core)
{
	return core->result || core->raw_patch || core->raw_removed ||
		core->cancellation_reason || core->cancelled_by || core->deadline_changed;
}

/* What the row now waits for by the clock. */
static void
tell_due(const FfCore *core, bool deadline_changed)
{
	if (core->eligibility == FF_NOT_ELIGIBLE_UNTIL_TIME && core->eligible_at_ms.isset)
		ff_wake_due(FF_DELAYED_PROMOTER, core->eligible_at_ms.value);
	if (deadline_changed && core->deadline_at_ms.isset)
		ff_wake_due(FF_EXECUTION_DEADLINE, core->deadline_at_ms.value);
}

static void
store_core(FfCore *core, int64 now_ms)
{
	bool		whole = core_has_details(core);
	NullableDatum values[] = {
		ff_int2(core->id.partition), ff_uuid(&core->id.uuid),
		ff_enum(&ff_phases, core->phase), ff_enum(&ff_ownerships, core->ownership),
		ff_enum(&ff_eligibilities, core->eligibility),
		ff_enum(&ff_blocking_reasons, core->blocking_reason),
		ff_enum(&ff_public_states, core->public_state),
		ff_enum(&ff_attempt_states, core->attempt_state),
		ff_enum(&ff_outcomes, core->terminal_outcome), ff_int4(core->attempt_index),
		ff_maybe_int8(core->eligible_at_ms), ff_maybe_int8(core->started_at_ms),
		ff_maybe_int8(core->terminal_at_ms), ff_int4(core->retry_count),
		ff_int4(core->lease_reclaim_count), ff_uuid(core->blocked_on), ff_int8(now_ms),
		ff_pointer(core->result), ff_pointer(core->raw_removed),
		whole ? ff_json_patch(core->raw_patch) : ff_null(),
		ff_text(core->cancellation_reason), ff_text(core->cancelled_by),
		ff_maybe_int8(core->deadline_at_ms),
	};

	ff_statement_execute(whole ? &write_core_whole : &write_core, values,
						 whole ? (int) lengthof(values) : CORE_NARGUMENTS, false);
	tell_due(core, core->deadline_changed);
}

static const char *
type_of_new_attempt(int attempt_state, Step step)
{
	if (step == TAKE_OVER)
		return "reclaim";
	return attempt_state == FF_PENDING_RETRY ? "retry" :
		attempt_state == FF_PENDING_REPLAY ? "replay" : "initial";
}

/* An attempt of an execution that ends while nobody runs it. */
static void
close_attempt(const Row *row, FfAttempt *attempt, const FfMove *move)
{
	if (ff_outcome_is_open(attempt->outcome))
	{
		if (row->extras & BUMP)
			attempt->lease_epoch++;
		ff_lease_end(attempt, row->outcome, move);
	}
	else if (row->extras & FORGET_OUTCOME)
		ff_lease_forget_outcome(attempt);
}

/* What the row asks of the attempt, written at once. */
static void
step_attempt(const Row *row, FfCore *core, FfAttempt *attempt, const FfMove *move)
{
	const char *type = type_of_new_attempt(core->attempt_state, row->step);

	if (row->step == CLOSE)
	{
		close_attempt(row, attempt, move);
		return;
	}
	if (row->extras & BUMP)
		attempt->lease_epoch++;
	if (row->extras & NO_WORKER)
		attempt->worker_id = NULL;
	if (row->extras & (NO_WORKER | NO_INSTANCE))
		attempt->worker_instance_id = NULL;
	if (row->step == RELEASE)
		ff_lease_release(attempt, row->outcome, move);
	if (row->step == LOSE)
		ff_lease_lose(attempt, row->outcome, row->to == FF_VECTOR_X, move);
	if (row->step == END || row->step == TAKE_OVER)
		ff_lease_end(attempt, row->outcome, move);
	if (row->step == RENEW)
		ff_lease_renew(attempt, move);
	if (row->extras & NEXT_INDEX)
	{
		ff_suspension_supersede(core, move->now_ms);
		core->attempt_index++;
	}
	if (row->step == OPEN || row->step == TAKE_OVER)
		ff_lease_open(core, attempt, type, move);
	if (row->step == CONT)
		ff_lease_continue(core, attempt, move);
}

/* FINISH (chapter 01, 5.3), as far as it is columns of the execution. */
static void
finish_core(FfCore *core, int outcome, int64 now_ms)
{
	core->terminal_outcome = outcome;
	core->terminal_at_ms = ff_some(now_ms);
	core->eligible_at_ms = ff_none();
}

/* FINISH, as far as it is other tables. */
static void
finish_dependents(FfCore *core, const char *completion, int64 now_ms)
{
	ff_grant_drop(core);
	ff_suspension_finish(core, strcmp(completion, "expired") == 0 ? "expired" : "cancelled",
						 now_ms);
}

/* The attempt_state of the row; none where an end finds that there never was an attempt. */
static int
next_attempt_state(const Row *row, const FfCore *core, const FfAttempt *attempt)
{
	if (row->attempt_state == KEEP)
		return core->attempt_state;
	if (ENDS(row) && attempt == NULL && core->attempt_index == 0)
		return FF_NO_ATTEMPT;
	return row->attempt_state;
}

/* The execution's columns after the transition, in the struct. */
static void
move_core(const Row *row, FfCore *core, const FfAttempt *attempt, const FfMove *move)
{
	bool		later = row->later != 0 && move->eligible_at_ms.isset;
	int			outcome = ff_vector_attempt_outcome(core, attempt);

	core->attempt_state = next_attempt_state(row, core, attempt);
	if (row->extras & COUNT_RETRY)
		core->retry_count++;
	if (row->extras & COUNT_RECLAIM)
		core->lease_reclaim_count = Max(core->lease_reclaim_count, 0) + 1;
	if (row->to == SETTLE)
		ff_vector_settle(core, attempt, move->now_ms);
	else
	{
		ff_vector_set(core, later ? row->later : row->to,
				   later ? row->later_reason : (int) move->reason);
		if (row->to != FF_VECTOR_B && row->to != FF_VECTOR_K)
			core->eligible_at_ms = later ? move->eligible_at_ms : ff_none();
	}
	if (row->to == FF_VECTOR_R && !core->started_at_ms.isset)
		core->started_at_ms = ff_some(move->now_ms);
	if (ENDS(row))
		finish_core(core, row->outcome, move->now_ms);
	core->public_state = ff_public_state(core->phase, core->eligibility, core->attempt_state,
										 core->terminal_outcome, outcome);
}

/* The event of a lease that ends tells of the attempt as it was, others of what it is. */
static void
tell_lease(const Row *row, const FfCore *core, bool was_leased, const FfAttempt *before,
		   const FfAttempt *after, const FfMove *move)
{
	bool		begins = row->step == OPEN || row->step == CONT || row->step == TAKE_OVER ||
		row->step == RENEW;
	const FfAttempt *told = begins ? after : before;
	bool		revoked = strcmp(row->lease_event, "revoked") == 0;

	if ((row->extras & EVENT_IF_WORKER) && told->worker_instance_id == NULL)
		return;
	if ((row->extras & EVENT_IF_LEASED) && !was_leased)
		return;
	ff_outbox_lease(core, told, row->lease_event, row->lease_reason,
					revoked ? move->revoked_by : NULL, told->worker_instance_id, move->now_ms);
}

void
ff_transition(FfTransition transition, FfCore *core, FfAttempt *attempt, const FfMove *move)
{
	const Row  *row = &table[transition];
	bool		was_leased = core->ownership == FF_LEASED;
	FfAttempt	before;

	if ((ff_vector_of(core) & row->from) == 0)
		elog(ERROR, "execution %s cannot make transition %s from vector 0x%x",
			 ff_execution_id_text(&core->id), row->name, ff_vector_of(core));
	if (row->step != NONE && row->step != CLOSE && attempt == NULL)
		elog(ERROR, "transition %s needs an attempt", row->name);

	if (row->step != NONE && attempt)
	{
		before = *attempt;
		step_attempt(row, core, attempt, move);
	}
	if (row->to != 0)
	{
		move_core(row, core, attempt, move);
		store_core(core, move->now_ms);
	}
	/* a grant goes with the state that it was given for */
	if (row->to == FF_VECTOR_B || (row->to == FF_VECTOR_W && (row->from & ~OWNED) == 0))
		ff_grant_drop(core);
	if (ENDS(row))
		finish_dependents(core, row->completion, move->now_ms);

	if (row->lease_event && attempt)
		tell_lease(row, core, was_leased, &before, attempt, move);
	if (row->completion)
		ff_outbox_completion(core, row->completion, move->now_ms);
	if (row->counter != 0)
		ff_wake_count(row->counter, 1);
	if (core->phase == FF_RUNNABLE && core->eligibility == FF_ELIGIBLE_NOW)
		ff_wake_lane(core->lane_id);
}

bool
ff_transition_create(FfCore *core, const FfNewExecution *columns, int64 now_ms)
{
	bool		later = core->eligible_at_ms.isset && core->eligible_at_ms.value > now_ms;

	if (!later)
		core->eligible_at_ms = ff_none();
	ff_vector_set(core, later ? FF_VECTOR_D : FF_VECTOR_W, FF_WAITING_FOR_DELAY);
	core->attempt_state = FF_PENDING_FIRST;
	core->public_state = ff_public_state(core->phase, core->eligibility, core->attempt_state,
										 FF_NO_OUTCOME, FF_NO_OUTCOME);
	core->created_at_ms = now_ms;
	core->raw_fields = columns->raw_fields;

	if (ff_statement_run(&insert_core,
						 ff_int2(core->id.partition), ff_uuid(&core->id.uuid),
						 ff_uuid(core->flow_id), ff_text(core->lane_id),
						 ff_pointer(columns->required_capabilities),
						 ff_enum(&ff_phases, core->phase),
						 ff_enum(&ff_ownerships, core->ownership),
						 ff_enum(&ff_eligibilities, core->eligibility),
						 ff_enum(&ff_blocking_reasons, core->blocking_reason),
						 ff_enum(&ff_public_states, core->public_state),
						 ff_enum(&ff_attempt_states, core->attempt_state),
						 ff_maybe_int8(core->eligible_at_ms),
						 ff_maybe_int8(core->deadline_at_ms), ff_int4(core->priority),
						 ff_int8(now_ms), ff_pointer(columns->payload),
						 ff_pointer(core->policy), ff_pointer(columns->budget_ids),
						 ff_uuid(columns->quota_policy_id),
						 ff_pointer(columns->raw_fields)).count == 0)
		return false;
	ff_wake_count(FF_COUNT_EXECUTIONS_CREATED, 1);
	tell_due(core, true);
	if (!later)
		ff_wake_lane(core->lane_id);
	return true;
}
