/*
 * signal.h - delivering a signal to a waitpoint: store it, move the condition
 * on, resume the execution when it is met (specification chapter 03, section 5).
 */
#ifndef FF_SIGNAL_H
#define FF_SIGNAL_H

#include "base/error.h"
#include "engine/condition.h"
#include "engine/record.h"
#include "engine/suspension.h"

/* A signal as its sender gives it. */
typedef struct FfSignal
{
	pg_uuid_t	id;
	bool		id_given;		/* else minted: it cannot have been stored before */
	pg_uuid_t	waitpoint_id;
	const char *name;
	const char *category;
	const char *source_type;
	const char *source_identity;
	const char *correlation_id; /* may be NULL */
	const char *idempotency_key;	/* NULL: none */
	const char *target_scope;
	bytea	   *payload;		/* may be NULL */
	const char *payload_encoding;
	FfInt8		created_at_ms;	/* unset: now */
	int64		dedup_ttl_ms;	/* how long the idempotency key holds; 0: not at all */
	FfInt8		resume_delay_ms;	/* unset: the resume policy's */
	FfInt8		max_signals;	/* unset: the execution policy's, else the setting; 0: no limit */
	int64		maxlen;			/* signals kept that did not count; 0: all */
} FfSignal;

/* What a delivery returns; effect and match_result are NULL for a duplicate that was trimmed. */
typedef struct FfDelivery
{
	const char *outcome;		/* accepted or duplicate */
	pg_uuid_t	signal_id;
	const char *effect;
	const char *match_result;
} FfDelivery;

/*
 * Deliver to a locked execution: checks 3 (the waitpoint) to 6 of section 5.1
 * in their order, then the effect. not_found_kind and foreign_kind are raised
 * for a waitpoint that is not there, or is another execution's.
 */
extern void ff_signal_deliver(FfCore *core, const FfSignal *signal, FfErrorKind not_found_kind,
							  FfErrorKind foreign_kind, int64 now_ms, FfDelivery *delivery);

/*
 * The engine's own signal that a suspension's time is over, on its first
 * waitpoint: no checks, no limit. Stores it and writes its event; gives its id,
 * NULL where the suspension has no waitpoint.
 */
extern pg_uuid_t *ff_signal_record_timeout(const FfCore *core, const FfSuspension *suspension,
										   const char *effect, FfMatchResult match,
										   const char *event_effect, int64 now_ms);

#endif							/* FF_SIGNAL_H */
