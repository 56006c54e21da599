/*
 * dependency.h - what an execution waits for in its flow.
 */
#ifndef FF_DEPENDENCY_H
#define FF_DEPENDENCY_H

#include "engine/record.h"

/*
 * True when nothing in its flow holds the execution: it is in none, no inbound
 * edge has been applied, or its group is satisfied. Needs the execution's lock.
 */
extern bool ff_dependencies_are_met(const FfCore *core);

#endif							/* FF_DEPENDENCY_H */
