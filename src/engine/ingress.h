/*
 * ingress.h - creating executions, one or many.
 */
#ifndef FF_INGRESS_H
#define FF_INGRESS_H

#include "engine/order.h"

/*
 * Checks 4 to 7 of section 2.1 and T01 for every order, and its answer. Each
 * lane and flow is looked up once; rows that others may want too are taken in
 * one order whatever the caller's: flows by id, idempotency keys by bytes,
 * executions by id, new lanes by bytes. place (NULL: none) is told which order
 * an error is about. Raises not_runnable, not_found, flow_already_terminal and
 * invalid_input.
 */
extern void ff_ingress_create(FfOrder *orders, int norders, int64 now_ms, FfErrorPlace *place);

#endif							/* FF_INGRESS_H */
