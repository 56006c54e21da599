/*
 * evaluation.h - moving a suspension's condition on by signals, and the signals
 * that a waitpoint buffered before its suspension began.
 */
#ifndef FF_EVALUATION_H
#define FF_EVALUATION_H

#include "base/compat.h"

#include "utils/array.h"

#include "engine/binding.h"
#include "engine/condition.h"
#include "engine/record.h"
#include "engine/waitpoint.h"

/* The condition of one suspension with its progress. */
typedef struct FfEvaluation
{
	const FfCore *core;
	const pg_uuid_t *suspension_id;
	FfConditionState *state;
} FfEvaluation;

/* Progress documents are NULL at an episode's beginning. */
extern FfEvaluation ff_evaluation_begin(const FfCore *core, const pg_uuid_t *suspension_id,
										const FfCondition *condition,
										Jsonb *satisfied_set, Jsonb *member_map);

/*
 * Offer a signal; writes what a Count has counted to ff_signal_satisfier.
 * facts->signal_id is not looked at.
 */
extern FfOffer ff_evaluation_offer(FfEvaluation *evaluation, const FfSignalFacts *facts,
								   const pg_uuid_t *signal_id);

/* Forget what was counted. */
extern void ff_evaluation_forget(const FfEvaluation *evaluation);

/*
 * The signals that were buffered for waitpoints now to be activated, and how
 * they fared. Signals that were consumed, and the engine's own, are not among them.
 */
typedef struct FfBuffer
{
	struct FfBufferedSignal *signals;	/* by seq */
	int			nsignals;
	const pg_uuid_t *closer;	/* the signal that satisfied the condition; NULL: none did */
} FfBuffer;

/* Read them and offer them all. */
extern FfBuffer ff_buffer_evaluate(FfEvaluation *evaluation, const FfWaitpoint *waitpoints,
								   int nwaitpoints);

/* How many signals of a waitpoint advanced the condition. */
extern int	ff_buffer_counted(const FfBuffer *buffer, const pg_uuid_t *waitpoint_id);

/* Write suspension_id, match_result and effect of each. */
extern void ff_buffer_store(const FfBuffer *buffer, const FfEvaluation *evaluation);

/*
 * Of waitpoints that go back to pending (uuid[], NULL: none): mark those signals
 * consumed that the policy does not leave to count again.
 */
extern void ff_buffer_consume(const FfCore *core, ArrayType *waitpoint_ids,
							  const FfResumePolicy *policy, int64 now_ms);

#endif							/* FF_EVALUATION_H */
