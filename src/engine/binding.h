/*
 * binding.h - what a suspension is asked to wait on: the waitpoints to bind and
 * the resume policy. Pure: no database.
 *
 * ff_wait_terms_parse() does rules 1 to 6 of specification chapter 03, 4.2, in their
 * order, over the three documents of ff_suspend; the parts serve alone as well.
 */
#ifndef FF_BINDING_H
#define FF_BINDING_H

#include "base/compat.h"

#include "utils/jsonb.h"
#include "utils/uuid.h"

#include "base/statement.h"
#include "engine/condition.h"

#define FF_MAX_BINDINGS 256

typedef struct FfBinding
{
	bool		fresh;			/* a new waitpoint; else a pending one is taken over */
	pg_uuid_t	waitpoint_id;	/* a fresh one's is minted where none was given */
	char	   *waitpoint_key;	/* a fresh one's is wpk:<id> where none was given; NULL for a
								 * pending one until the caller has read it and sets it */
	bool		id_given;		/* the caller chose a fresh one's id: it may exist already */
} FfBinding;

typedef struct FfBindings
{
	FfBinding  *items;			/* in binding order; the first is the primary */
	int			count;			/* 1 to 256 */
	bool		all_fresh;
} FfBindings;

/* The resume policy, section 4.3. */
typedef struct FfResumePolicy
{
	FfInt8		resume_delay_ms;
	bool		close_waitpoint_on_resume;
	bool		consume_matched_signals;
	bool		retain_signal_buffer_until_closed;
} FfResumePolicy;

typedef struct FfWaitTerms
{
	FfCondition *condition;
	FfBindings	bindings;
	FfResumePolicy policy;
} FfWaitTerms;

/*
 * Rules 1 to 6 over the arguments of ff_suspend; waitpoints and resume_policy
 * may be NULL. Raises invalid_input with the rule's name, invalid_waitpoint_key;
 * of the policy's values unknown_value and negative, last.
 */
extern FfWaitTerms *ff_wait_terms_parse(Jsonb *resume_condition, Jsonb *waitpoints, Jsonb *resume_policy);

/*
 * The bindings alone: rules 1 and 4. NULL gives a fresh waitpoint for each key of
 * the condition, a single one if it names none. Raises invalid_input with
 * json_shape, waitpoints_empty, too_many_waitpoints or duplicate_waitpoint, and
 * invalid_waitpoint_key.
 */
extern FfBindings ff_bindings_parse(Jsonb *waitpoints, const FfCondition *condition);

/*
 * Rule 6 once the keys of all bindings are known (check 21): raises
 * invalid_waitpoint_for_execution for a key of the condition without a binding,
 * a binding that the condition does not name, one key on two bindings.
 */
extern void ff_bindings_check_keys(const FfBindings *bindings, const FfCondition *condition);

/*
 * The policy alone; NULL gives the defaults. Raises invalid_input with json_shape,
 * unknown_value or negative; root begins the path in the message.
 */
extern FfResumePolicy ff_resume_policy_parse(Jsonb *document, const char *root);

#endif							/* FF_BINDING_H */
