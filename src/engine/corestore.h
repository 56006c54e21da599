/*
 * corestore.h - the one writer of ff_exec_core. Only transition.c calls these.
 */
#ifndef FF_CORESTORE_H
#define FF_CORESTORE_H

#include "engine/transition.h"

/* Write the row as the struct has it, and tell whom it now waits for. Needs its lock. */
extern void ff_core_store(FfCore *core, int64 now_ms);

/* Insert the row; false if the execution exists. */
extern bool ff_core_insert(const FfCore *core, const FfNewExecution *columns, int64 now_ms);

#endif							/* FF_CORESTORE_H */
