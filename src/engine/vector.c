/*
 * vector.c - the legal state vectors: which columns each of them is.
 */
#include "engine/vector.h"

/* Chapter 01, 5.1; attempt_state and public_state follow from the transition. */
typedef struct Vector
{
	FfVector	name;
	int			phase;
	int			ownership;
	int			eligibility;
	int			blocking_reason;
} Vector;

#define BY_MOVE (-2)			/* the reason and its eligibility come with the move */

/* clang-format off */
static const Vector vectors[] = {
	/* name          phase              ownership             eligibility                 blocking_reason */
	{FF_VECTOR_W,  FF_RUNNABLE,       FF_UNOWNED,           FF_ELIGIBLE_NOW,            FF_WAITING_FOR_WORKER},
	{FF_VECTOR_M,  FF_RUNNABLE,       FF_UNOWNED,           FF_ELIGIBLE_NOW,            FF_WAITING_FOR_WORKER},
	{FF_VECTOR_G,  FF_RUNNABLE,       FF_UNOWNED,           FF_PENDING_CLAIM,           FF_WAITING_FOR_WORKER},
	{FF_VECTOR_D,  FF_RUNNABLE,       FF_UNOWNED,           FF_NOT_ELIGIBLE_UNTIL_TIME, BY_MOVE},
	{FF_VECTOR_MD, FF_RUNNABLE,       FF_UNOWNED,           FF_NOT_ELIGIBLE_UNTIL_TIME, FF_WAITING_FOR_RESUME_DELAY},
	{FF_VECTOR_K,  FF_RUNNABLE,       FF_UNOWNED,           FF_BLOCKED_BY_DEPENDENCIES, FF_WAITING_FOR_CHILDREN},
	{FF_VECTOR_B,  FF_RUNNABLE,       FF_UNOWNED,           BY_MOVE,                    BY_MOVE},
	{FF_VECTOR_R,  FF_ACTIVE,         FF_LEASED,            FF_NOT_APPLICABLE,          FF_NO_REASON},
	{FF_VECTOR_X,  FF_ACTIVE,         FF_OWNERSHIP_EXPIRED, FF_NOT_APPLICABLE,          FF_WAITING_FOR_WORKER},
	{FF_VECTOR_V,  FF_ACTIVE,         FF_OWNERSHIP_REVOKED, FF_NOT_APPLICABLE,          FF_WAITING_FOR_WORKER},
	{FF_VECTOR_S,  FF_SUSPENDED,      FF_RELEASED,          FF_NOT_APPLICABLE,          BY_MOVE},
	{FF_VECTOR_T,  FF_TERMINAL_PHASE, FF_UNOWNED,           FF_NOT_APPLICABLE,          FF_NO_REASON},
	{FF_VECTOR_C,  FF_CANCELLED,      FF_UNOWNED,           FF_NOT_APPLICABLE,          FF_NO_REASON},
};
/* clang-format on */

int
ff_vector_of(const FfCore *core)
{
	switch (core->phase)
	{
		case FF_ACTIVE:
			return core->ownership == FF_OWNERSHIP_EXPIRED ? FF_VECTOR_X :
				core->ownership == FF_OWNERSHIP_REVOKED ? FF_VECTOR_V : FF_VECTOR_R;
		case FF_SUSPENDED:
			return FF_VECTOR_S;
		case FF_TERMINAL_PHASE:
			return FF_VECTOR_T;
		case FF_CANCELLED:
			return FF_VECTOR_C;
		case FF_RUNNABLE:
			break;
		default:
			return 0;
	}
	switch (core->eligibility)
	{
		case FF_ELIGIBLE_NOW:
			return core->public_state == FF_PUBLIC_RESUMABLE ? FF_VECTOR_M : FF_VECTOR_W;
		case FF_PENDING_CLAIM:
			return FF_VECTOR_G;
		case FF_NOT_ELIGIBLE_UNTIL_TIME:
			return core->public_state == FF_PUBLIC_RESUMABLE ? FF_VECTOR_MD : FF_VECTOR_D;
		case FF_BLOCKED_BY_DEPENDENCIES:
			return FF_VECTOR_K;
		case FF_NOT_APPLICABLE:
			return 0;
		default:
			return FF_VECTOR_B;
	}
}

static const Vector *
vector(int name)
{
	for (int i = 0; i < (int) lengthof(vectors); i++)
		if ((int) vectors[i].name == name)
			return &vectors[i];
	elog(ERROR, "no state vector 0x%x", name);
}

/* The eligibility that a block for a reason gives (chapter 01, 5.1, B). */
static int
blocked_eligibility(int reason)
{
	switch (reason)
	{
		case FF_WAITING_FOR_BUDGET:
			return FF_BLOCKED_BY_BUDGET;
		case FF_WAITING_FOR_QUOTA:
			return FF_BLOCKED_BY_QUOTA;
		case FF_WAITING_FOR_CAPABLE_WORKER:
		case FF_WAITING_FOR_LOCALITY_MATCH:
			return FF_BLOCKED_BY_ROUTE;
		case FF_PAUSED_BY_POLICY:
			return FF_BLOCKED_BY_LANE_STATE;
		default:
			return FF_BLOCKED_BY_OPERATOR;
	}
}

/* Put the four columns of a vector into the struct. */
void
ff_vector_set(FfCore *core, int name, int reason)
{
	const Vector *v = vector(name);

	core->phase = v->phase;
	core->ownership = v->ownership;
	core->blocking_reason = v->blocking_reason == BY_MOVE ? reason : v->blocking_reason;
	core->eligibility = v->eligibility == BY_MOVE ? blocked_eligibility(reason) : v->eligibility;
}

/* The outcome that public_state follows from; a resumable row has told it before. */
int
ff_vector_attempt_outcome(const FfCore *core, const FfAttempt *attempt)
{
	if (attempt)
		return attempt->outcome;
	return core->public_state == FF_PUBLIC_RESUMABLE ? FF_ATTEMPT_INTERRUPTED : FF_NO_OUTCOME;
}

/* SETTLE (chapter 01, 5.3): into the struct, eligible_at_ms included. */
void
ff_vector_settle(FfCore *core, const FfAttempt *attempt, int64 now_ms)
{
	bool		resumed = core->attempt_state == FF_INTERRUPTED_ATTEMPT &&
		ff_vector_attempt_outcome(core, attempt) == FF_ATTEMPT_INTERRUPTED;

	if (core->eligible_at_ms.isset && core->eligible_at_ms.value > now_ms)
	{
		ff_vector_set(core, resumed ? FF_VECTOR_MD : FF_VECTOR_D,
				   core->attempt_state == FF_PENDING_RETRY ? FF_WAITING_FOR_RETRY_BACKOFF
				   : FF_WAITING_FOR_DELAY);
		return;
	}
	core->eligible_at_ms = ff_none();
	ff_vector_set(core, resumed ? FF_VECTOR_M : FF_VECTOR_W, FF_NO_REASON);
}
