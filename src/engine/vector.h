/*
 * vector.h - the legal state vectors (specification chapter 01, 5.1): which
 * columns each of them is. Only transition.c changes a row with them.
 */
#ifndef FF_VECTOR_H
#define FF_VECTOR_H

#include "engine/record.h"

/* The legal vectors by their names in the specification, as bits of a set. */
typedef enum FfVector
{
	FF_VECTOR_W = 0x0001,		/* waiting for a worker */
	FF_VECTOR_M = 0x0002,		/* resumable */
	FF_VECTOR_G = 0x0004,		/* reserved by a claim grant */
	FF_VECTOR_D = 0x0008,		/* delayed */
	FF_VECTOR_MD = 0x0010,		/* resumable when its delay is over */
	FF_VECTOR_K = 0x0020,		/* waiting for dependencies */
	FF_VECTOR_B = 0x0040,		/* blocked for another reason */
	FF_VECTOR_R = 0x0080,		/* running */
	FF_VECTOR_X = 0x0100,		/* its lease lapsed, held for reclaiming */
	FF_VECTOR_V = 0x0200,		/* its lease was revoked, held for reclaiming */
	FF_VECTOR_S = 0x0400,		/* suspended */
	FF_VECTOR_T = 0x0800,		/* ended */
	FF_VECTOR_C = 0x1000		/* cancelled */
} FfVector;

/* The vector that a row is in, by its columns; 0 if it is in none. */
extern int	ff_vector_of(const FfCore *core);

/*
 * Put phase, ownership, eligibility and blocking reason of a vector into the
 * struct; reason counts where the vector leaves it open: D(r), S(r), B(e, r).
 */
extern void ff_vector_set(FfCore *core, int vector, int reason);

/*
 * SETTLE (chapter 01, 5.3): where a runnable execution goes when nothing else
 * holds it, D, MD, W or M, eligible_at_ms included.
 */
extern void ff_vector_settle(FfCore *core, const FfAttempt *attempt, int64 now_ms);

/*
 * The outcome of the current attempt that the public state follows from. Where
 * the attempt (NULL) was not read, a resumable row has told it.
 */
extern int	ff_vector_attempt_outcome(const FfCore *core, const FfAttempt *attempt);

#endif							/* FF_VECTOR_H */
