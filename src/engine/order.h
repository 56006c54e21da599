/*
 * order.h - an execution to be created: what the caller asks for, checked and
 * made into columns (specification chapter 04, section 2). Looks at no table.
 */
#ifndef FF_ORDER_H
#define FF_ORDER_H

#include "base/error.h"
#include "engine/transition.h"

/* What the caller says, as read; NULL and unset are as if not given. */
typedef struct FfRequest
{
	char	   *lane_id;
	bytea	   *payload;
	char	   *payload_encoding;
	char	   *execution_kind;
	FfInt8		priority;
	ArrayType  *required_capabilities;	/* text[] */
	Jsonb	   *policy;
	const char *policy_root;	/* begins the path of what is wrong in it */
	FfInt8		delay_until_ms;
	FfInt8		deadline_at_ms;
	char	   *idempotency_key;
	FfInt8		dedup_window_ms;
	Jsonb	   *tags;
	char	   *namespace;
	char	   *creator_identity;
	const pg_uuid_t *flow_id;
	char	   *execution_id;
} FfRequest;

typedef struct FfOrder
{
	int			position;		/* from 0, in the caller's order */
	FfCore		core;			/* everything but the vector */
	FfNewExecution columns;
	const char *namespace;
	const char *idempotency_key;	/* NULL: none */
	int64		dedup_window_ms;
	const char *instance_tag;	/* NULL: none */

	/* The answer, filled by ff_ingress_create. */
	bool		created;		/* false: a duplicate, nothing was written */
	FfExecutionId execution;	/* the one created, or the one that was there */
	int			public_state;

	/* While it is worked on. */
	bool		answered;
	const struct FfOrder *same_as;	/* the earlier order with this key; NULL: none */
} FfOrder;

/*
 * Checks 1 to 3 of section 2.1, in their order. Raises invalid_input,
 * payload_too_large, invalid_tag_key, invalid_policy_json, invalid_capabilities.
 */
extern void ff_order_read(const FfRequest *request, int64 now_ms, FfOrder *order);

#endif							/* FF_ORDER_H */
