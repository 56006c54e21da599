/*
 * duty_table.h - what a reconciler consists of: for the files that define one
 * and for duty.c, which has them all in a table.
 */
#ifndef FF_DUTY_TABLE_H
#define FF_DUTY_TABLE_H

#include "background/duty.h"
#include "engine/record.h"

/* Do one row: false if it was locked elsewhere or no longer due. */
typedef bool (*FfDutyApply) (const char *key, int64 now_ms);

typedef struct FfDuty
{
	/*
	 * Row by row. The statement gives the keys: now, limit, how many to pass over
	 * and from when on are its arguments; its columns are those of
	 * ff_duty_execution_key, or the key as one text. Or choose gives them.
	 */
	FfStatement *select;
	List	   *(*choose) (const FfBatch *batch);
	FfDutyApply apply;
	bool		executions;		/* keys are made by ff_duty_execution_key */

	/* As a whole. */
	void		(*sweep) (FfBatch *batch);

	FfStatement *next;			/* of what is due from an instant on; NULL: its interval alone says when */
	bool		unhurried;		/* nobody waits for it: next is for people to see */
	Jsonb	   *(*details) (const FfBatch *batch);
} FfDuty;

/*
 * A statement of due rows, and one of the least due instant, both one descent
 * of the index over `at` whatever the table's size.
 */
#define FF_DUE_ROWS(statement_name, key, from, at) \
	FF_STATEMENT(statement_name, "bigint, bigint, bigint, bigint", \
				 "SELECT " key " FROM @extschema@." from " AND " at " BETWEEN $4 AND $1" \
				 " ORDER BY " at " LIMIT $2 OFFSET $3")
#define FF_DUE_NEXT(statement_name, from, at) \
	FF_STATEMENT(statement_name, "bigint", \
				 "SELECT " at " FROM @extschema@." from " AND " at " >= $1" \
				 " ORDER BY " at " LIMIT 1")

/*
 * The key of a row of partition_key, execution_id and, where one execution has
 * several, a text; and back: the text, NULL if there is none.
 */
extern char *ff_duty_execution_key(const FfRow *row);
extern const char *ff_duty_key_execution(const char *key, FfExecutionId *id);

/* Lock the execution of a key without waiting; rest (may be NULL) gets the text after its id. */
extern bool ff_duty_lock(const char *key, FfCore *core, const char **rest);

/* What time does to executions (duty_time.c). */
extern const FfDuty ff_duty_execution_deadline;
extern const FfDuty ff_duty_attempt_timeout;
extern const FfDuty ff_duty_lease_expiry;
extern const FfDuty ff_duty_suspension_timeout;
extern const FfDuty ff_duty_pending_waitpoint_expiry;
extern const FfDuty ff_duty_delayed_promoter;
extern const FfDuty ff_duty_claim_grant_expiry;

/* Blocked work (duty_unblock.c). */
extern const FfDuty ff_duty_unblock;

/* Rows that belong to no execution, and those that only remember (duty_trim.c). */
extern const FfDuty ff_duty_worker_registry_ttl_sweep;
extern const FfDuty ff_duty_dedup_trimmer;
extern const FfDuty ff_duty_hmac_kid_gc;
extern const FfDuty ff_duty_outbox_trimmer;

/* The invariants (duty_check.c). */
extern const FfDuty ff_duty_state_check;

#endif							/* FF_DUTY_TABLE_H */
