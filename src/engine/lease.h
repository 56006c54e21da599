/*
 * lease.h - what a transition does to the attempt, by the names of the
 * specification (chapter 01, 5.3): each changes the struct and writes the row. All
 * but the last three are for transition.c alone. All need the locks of execution
 * and attempt.
 */
#ifndef FF_LEASE_H
#define FF_LEASE_H

#include "engine/transition.h"

/*
 * OPEN: a new attempt of this type under the execution's index, with the lease
 * that the move describes and the next epoch. An earlier run of that index is
 * overwritten.
 */
extern void ff_lease_open(FfCore *core, FfAttempt *attempt, const char *type,
						  const FfMove *move);

/* CONT: the paused attempt goes on under a new lease and the next epoch. */
extern void ff_lease_continue(FfCore *core, FfAttempt *attempt, const FfMove *move);

/* The live lease ends lease_ttl_ms from now. */
extern void ff_lease_renew(FfAttempt *attempt, const FfMove *move);

/* RELEASE: the lease is given back, the attempt is not over. */
extern void ff_lease_release(FfAttempt *attempt, int outcome, const FfMove *move);

/*
 * LOSE: the lease is lost; held keeps its end and notes since when, for as long
 * as the move's hold_ms says, else nothing of it stays.
 */
extern void ff_lease_lose(FfAttempt *attempt, int outcome, bool held, const FfMove *move);

/* END: the attempt is over. */
extern void ff_lease_end(FfAttempt *attempt, int outcome, const FfMove *move);

/* An outcome that no longer holds, such as retry where the retry is cancelled. */
extern void ff_lease_forget_outcome(FfAttempt *attempt);

/*
 * Write the row as it is, so that a transaction on an older snapshot that ends
 * the attempt meets a serialization failure: for what hangs something on an
 * attempt without changing it.
 */
extern void ff_lease_touch(const FfAttempt *attempt);

/* When the lease_expiry reconciler looks next; unset: not at all. */
extern void ff_lease_look_again(const FfAttempt *attempt, FfInt8 check_at_ms);

/* An attempt that does not run has no timeout. */
extern void ff_lease_forget_timeout(const FfAttempt *attempt);

#endif							/* FF_LEASE_H */
