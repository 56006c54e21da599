/*
 * duty_time.c - the reconcilers of what time does to executions. What becomes
 * of one is in engine/expiry.c and engine/timeout.c.
 */
#include "background/duty_table.h"

#include "base/bytes.h"
#include "engine/expiry.h"
#include "engine/timeout.h"

#define EXECUTION_KEY "partition_key, execution_id, NULL::text"
#define ATTEMPT_KEY "partition_key, execution_id, attempt_index::text"

/* The reconciler of rows that are due by a column; what it does with one is apply_NAME. */
#define DUTY(name, key, from, at) \
	static FfStatement due_##name = FF_DUE_ROWS("due_" #name, key, from, at); \
	static FfStatement next_##name = FF_DUE_NEXT("next_" #name, from, at); \
	static bool apply_##name(const char *, int64); \
	const FfDuty ff_duty_##name = { \
		.select = &due_##name, \
		.apply = apply_##name, \
		.executions = true, \
		.next = &next_##name, \
	}

DUTY(execution_deadline, EXECUTION_KEY,
	 "ff_exec_core WHERE deadline_at_ms IS NOT NULL"
	 " AND lifecycle_phase NOT IN ('terminal', 'cancelled')", "deadline_at_ms");

static bool
apply_execution_deadline(const char *key, int64 now_ms)
{
	FfCore		core;

	return ff_duty_lock(key, &core, NULL) &&
		strcmp(ff_expiry_deadline(&core, now_ms), "expired") == 0;
}

DUTY(attempt_timeout, ATTEMPT_KEY,
	 "ff_attempt WHERE timeout_at_ms IS NOT NULL", "timeout_at_ms");

static bool
apply_attempt_timeout(const char *key, int64 now_ms)
{
	FfCore		core;
	const char *attempt_index;

	return ff_duty_lock(key, &core, &attempt_index) &&
		ff_expiry_look_at_timeout(&core, atoi(attempt_index), now_ms);
}

DUTY(lease_expiry, ATTEMPT_KEY,
	 "ff_attempt WHERE lease_check_at_ms IS NOT NULL", "lease_check_at_ms");

static bool
apply_lease_expiry(const char *key, int64 now_ms)
{
	FfCore		core;
	const char *attempt_index;

	return ff_duty_lock(key, &core, &attempt_index) &&
		ff_expiry_look_at_lease(&core, atoi(attempt_index), now_ms);
}

DUTY(suspension_timeout, EXECUTION_KEY,
	 "ff_suspension_current WHERE timeout_at_ms IS NOT NULL AND closed_at_ms IS NULL", "timeout_at_ms");

static bool
apply_suspension_timeout(const char *key, int64 now_ms)
{
	FfCore		core;

	return ff_duty_lock(key, &core, NULL) &&
		strcmp(ff_timeout_apply(&core, now_ms).outcome, "expired") == 0;
}

DUTY(pending_waitpoint_expiry, "partition_key, execution_id, waitpoint_id::text",
	 "ff_waitpoint_pending WHERE state = 'pending' AND expires_at_ms IS NOT NULL", "expires_at_ms");

static bool
apply_pending_waitpoint_expiry(const char *key, int64 now_ms)
{
	FfCore		core;
	pg_uuid_t	id;
	const char *rest;

	return ff_duty_lock(key, &core, &rest) && ff_uuid_read(rest, strlen(rest), &id) &&
		ff_expiry_waitpoint(&core, &id, now_ms);
}

DUTY(delayed_promoter, EXECUTION_KEY,
	 "ff_exec_core WHERE lifecycle_phase = 'runnable'"
	 " AND eligibility_state = 'not_eligible_until_time'", "eligible_at_ms");

static bool
apply_delayed_promoter(const char *key, int64 now_ms)
{
	FfCore		core;

	return ff_duty_lock(key, &core, NULL) &&
		strcmp(ff_expiry_promote(&core, now_ms), "promoted") == 0;
}

DUTY(claim_grant_expiry, "partition_key, execution_id, encode(grant_id, 'hex')",
	 "ff_claim_grant WHERE true", "expires_at_ms");

/* The id, which was read from hex digits of the same length. */
static bytea *
read_grant_id(const char *hex)
{
	size_t		length = strlen(hex) / 2;
	bytea	   *id = palloc(VARHDRSZ + length);

	SET_VARSIZE(id, VARHDRSZ + length);
	(void) ff_hex_read(hex, 2 * length, (uint8 *) VARDATA(id));
	return id;
}

static bool
apply_claim_grant_expiry(const char *key, int64 now_ms)
{
	FfCore		core;
	const char *grant_id;

	return ff_duty_lock(key, &core, &grant_id) &&
		ff_expiry_grant(&core, read_grant_id(grant_id), now_ms);
}
