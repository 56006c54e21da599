/*
 * subtransaction.c - doing something that may be refused, and going on.
 */
#include "base/subtransaction.h"

#include "access/xact.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#include "base/error.h"

typedef bool (*Judgement) (int sqlstate);

/* The error that work ended in, undone, if it is of those that the judgement takes. */
static ErrorData *
run(FfWork work, void *arg, Judgement takes)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile refusal = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		work(arg);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		refusal = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;

	if (refusal && !takes(refusal->sqlerrcode))
		ReThrowError(refusal);
	return refusal;
}

/* Neither a cancelled query nor the end of the session or server. */
static bool
is_no_intervention(int sqlstate)
{
	return ERRCODE_TO_CATEGORY(sqlstate) != ERRCODE_OPERATOR_INTERVENTION;
}

ErrorData *
ff_subtransaction_run(FfWork work, void *arg)
{
	return run(work, arg, ff_error_is_own);
}

ErrorData *
ff_subtransaction_try(FfWork work, void *arg)
{
	return run(work, arg, is_no_intervention);
}
