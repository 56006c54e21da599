/*
 * subtransaction.h - doing something that may be refused, and going on.
 */
#ifndef FF_SUBTRANSACTION_H
#define FF_SUBTRANSACTION_H

#include "base/compat.h"

typedef void (*FfWork) (void *arg);

/*
 * Run work in a subtransaction. NULL if it went well; else what it did is
 * undone and the refusal given back, allocated in the caller's memory context.
 * An error that is not one of the engine's own goes on up.
 */
extern ErrorData *ff_subtransaction_run(FfWork work, void *arg);

/*
 * The same for any error, where work is on rows that may be broken: only a
 * cancelled query and the end of the session or server (class 57) go on up.
 */
extern ErrorData *ff_subtransaction_try(FfWork work, void *arg);

#endif							/* FF_SUBTRANSACTION_H */
