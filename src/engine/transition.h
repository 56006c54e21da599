/*
 * transition.h - the state machine: one constant table, the transition table
 * of the specification (chapter 01, section 6), and the only code that writes
 * a state column.
 *
 * A caller locks the rows, checks, sets in the structs what it wants written
 * besides (result, failure, raw fields), and names the transition. The table
 * says what the state vector and the attempt become and which events follow.
 */
#ifndef FF_TRANSITION_H
#define FF_TRANSITION_H

#include "engine/record.h"

/* The rows of the transition table, by the specification's names. */
typedef enum FfTransition
{
	FF_T02_CLAIM,				/* claim, new attempt */
	FF_T03_CONTINUE,			/* claim, the paused attempt goes on */
	FF_T04_TAKE_OVER,			/* claim after a lost lease */
	FF_T05_GRANT,				/* reserve by a claim grant */
	FF_T07_UNGRANT,				/* the claim grant ran out */
	FF_T08_RENEW,
	FF_T09_PROGRESS,
	FF_T10_COMPLETE,
	FF_T11_RETRY,				/* fail, a retry is left */
	FF_T12_FAIL,				/* fail for good */
	FF_T13_DELAY,
	FF_T14_WAIT_CHILDREN,
	FF_T15_SUSPEND,
	FF_T18_RESUME,				/* by signal, timeout or operator */
	FF_T19_CLAIM_RESUMED,
	FF_T20_FAIL,				/* suspension timeouts, by behaviour */
	FF_T20_EXPIRE,
	FF_T20_CANCEL,
	FF_T20_ESCALATE,
	FF_T21_HOLD,				/* a lapsed lease is held for reclaiming */
	FF_T22_REQUEUE_LAPSED,		/* a lost lease is released: from R, or from X and V */
	FF_T22_REQUEUE_HELD,
	FF_T22_FAIL_LAPSED,			/* the same at the cap */
	FF_T22_FAIL_HELD,
	FF_T23_RECLAIM,
	FF_T23_FAIL,				/* at the cap */
	FF_T25_CANCEL,				/* not owned */
	FF_T26_CANCEL_OWNED,
	FF_T27_TIMEOUT_RETRY,		/* attempt timeout, a retry is left */
	FF_T28_TIMEOUT_END,
	FF_T29_DEADLINE,
	FF_T30_BLOCK,
	FF_T31_UNBLOCK,				/* nothing else holds it */
	FF_T31_UNBLOCK_TO_WAIT,		/* its dependencies do */
	FF_T33_DEPENDENCIES_MET,
	FF_T34_PROMOTE,
	FF_T43_TAKE_BACK,			/* a lost lease, the same attempt */
	FF_TRANSITIONS
} FfTransition;

/* What a transition needs to know that is not in the rows. */
typedef struct FfMove
{
	int64		now_ms;

	/* Where the table says "or later": when the work may be claimed; unset is at once. */
	FfInt8		eligible_at_ms;

	/* Where the table leaves the reason open: S(r), B(e, r). */
	FfBlockingReason reason;

	/* The lease that a claim installs or a renewal prolongs. Ids may be NULL: minted. */
	const char *worker_id;
	const char *worker_instance_id;
	const pg_uuid_t *lease_id;
	const pg_uuid_t *attempt_id;
	int64		lease_ttl_ms;
	FfInt8		attempt_timeout_ms; /* of a new attempt, or what is left of a paused one; unset: none */
	Jsonb	   *attempt_policy; /* noted with the attempt; NULL: nothing */

	/* How long a lost lease is held for reclaiming; 0 is not at all. */
	int64		hold_ms;

	/* Who ends the lease, for the event: worker, operator, reconciler or backend. */
	const char *revoked_by;
} FfMove;

/*
 * Make a transition: change both structs, write both rows, close what an end
 * closes, write the events, and owe the lane a wake-up where work appears.
 * attempt is the current one, NULL where the execution has none or the
 * transition does not touch it; after a claim it is the attempt now running. Needs the execution's lock, and the attempt's.
 * Raises an internal error when the row is not where the transition starts.
 */
extern void ff_transition(FfTransition transition, FfCore *core, FfAttempt *attempt,
						  const FfMove *move);

/*
 * T01: insert a new execution. The struct has everything but the vector; the
 * other columns come with it. False if the execution exists.
 */
typedef struct FfNewExecution
{
	ArrayType  *required_capabilities;	/* text[] */
	ArrayType  *budget_ids;		/* uuid[] */
	const pg_uuid_t *quota_policy_id;
	bytea	   *payload;
	Jsonb	   *raw_fields;
	bool		id_is_minted;	/* for this execution: nobody else has it */
} FfNewExecution;

extern bool ff_transition_create(FfCore *core, const FfNewExecution *columns, int64 now_ms);

#endif							/* FF_TRANSITION_H */
