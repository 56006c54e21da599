/*
 * condition.h - resume conditions: parse, validate, evaluate. Pure: no database.
 *
 * A suspension waits for a condition over signals (specification chapter 03,
 * section 2). Its progress is kept beside it as two small documents and moved
 * on by one signal at a time (section 5.3):
 *
 *	condition = ff_condition_parse(stored_condition, "condition");
 *	state = ff_condition_load(condition, satisfied_set, member_map);
 *	offer = ff_condition_offer(state, &signal, insert_satisfier, &where);
 *	if (offer.match == FF_MATCH_COUNTED)
 *		... store ff_condition_satisfied_set(state), ff_condition_member_map(state) ...
 *	if (offer.satisfied)
 *		... resume ...
 *
 * Everything is allocated in the memory context that is current at the call.
 */
#ifndef FF_CONDITION_H
#define FF_CONDITION_H

#include "base/compat.h"

#include "utils/jsonb.h"

#define FF_MAX_WAITPOINT_KEY 256	/* bytes */
#define FF_MAX_CONDITION_DEPTH 4
#define FF_MAX_CONDITION_TEXT 65536 /* bytes */

typedef struct FfCondition FfCondition;
typedef struct FfConditionState FfConditionState;

/*
 * Rule 1 of chapter 03, 4.2: raises invalid_input/json_shape unless the document
 * is a condition in form. root begins the path in the message.
 */
extern void ff_condition_check_shape(Jsonb *document, const char *root);

/*
 * The tree of a condition. Raises what rules 1, 2 and 3 say, in that order:
 * invalid_input with the rule's name, or invalid_waitpoint_key. Linear in the
 * size of the document, which may be as large as it likes.
 */
extern FfCondition *ff_condition_parse(Jsonb *document, const char *root);

/* Raises invalid_waitpoint_key unless a key has 1 to 256 bytes; where may be NULL. */
extern void ff_check_waitpoint_key(const char *key, const char *where);

/* The waitpoint keys it names, distinct, in order of first mention. */
extern int	ff_condition_key_count(const FfCondition *condition);
extern const char *ff_condition_key(const FfCondition *condition, int i);

/* The number of a key in that order, -1 where the condition does not name it. */
extern int	ff_condition_find_key(const FfCondition *condition, const char *key);

/* The key of a condition that is one Single; NULL of any other. */
extern const char *ff_condition_single_key(const FfCondition *condition);

/* Whether a TimeoutOnly stands anywhere in it. */
extern bool ff_condition_has_timeout_only(const FfCondition *condition);

/*
 * required_signal_names of a waitpoint (section 4.4) as text[]: the distinct
 * names that nodes of this key ask for, in tree order, then the labels
 * __operator_only__ and __timeout_only__ where such a node stands anywhere.
 * Never NULL; empty = any signal.
 */
extern struct ArrayType *ff_condition_required_names(const FfCondition *condition, const char *key);

/* What the conditions look at in a signal; no field may be NULL unless said. */
typedef struct FfSignalFacts
{
	const char *waitpoint_key;
	const char *signal_name;
	const char *source_type;
	const char *source_identity;
	const char *signal_id;		/* as text; only the reference reads it, else NULL is fine */
} FfSignalFacts;

/*
 * The reference: the meaning of a condition over all signals of an episode,
 * worked out from nothing each time. For ff_evaluate_resume_condition and tests.
 */
extern bool ff_condition_evaluate(const FfCondition *condition,
								  const FfSignalFacts *signals, int nsignals);

typedef enum FfMatchResult
{
	FF_MATCH_COUNTED,			/* it advanced the condition */
	FF_MATCH_ALREADY_COUNTED,	/* a node accepts it but gained nothing */
	FF_MATCH_NAME_MISMATCH,		/* nodes of its waitpoint exist, none accepts its name */
	FF_MATCH_NOT_IN_CONDITION,	/* no node names its waitpoint */
	FF_MATCH_NOT_EVALUATED		/* buffered; never the result of an offer */
} FfMatchResult;

/* The word of ff_signal.match_result. */
extern const char *ff_match_result_word(FfMatchResult match);

typedef struct FfOffer
{
	FfMatchResult match;
	bool		satisfied;		/* the condition is true now */
	bool		became_satisfied;	/* and was not before this signal */
} FfOffer;

/*
 * Whether a Count node sees a value for the first time: the caller inserts the
 * ff_signal_satisfier row (suspension, node_path, token) and says whether it was
 * new. Asked only where it matters: by waitpoint or source, with n above 1.
 */
typedef bool (*FfIsNewValue) (const char *node_path, const char *token, void *arg);

/* Progress as stored; NULL documents are an episode's beginning. */
extern FfConditionState *ff_condition_load(const FfCondition *condition,
										   Jsonb *satisfied_set, Jsonb *member_map);

/* Offer one signal. The state changed if and only if the result is counted. */
extern FfOffer ff_condition_offer(FfConditionState *state, const FfSignalFacts *signal,
								  FfIsNewValue is_new, void *arg);

extern bool ff_condition_is_satisfied(const FfConditionState *state);

/* The documents to store: paths that are true, in tree order; path -> count so far. */
extern Jsonb *ff_condition_satisfied_set(const FfConditionState *state);
extern Jsonb *ff_condition_member_map(const FfConditionState *state);

#endif							/* FF_CONDITION_H */
