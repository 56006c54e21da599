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

/* execution_deadline */

#define DEADLINES \
	"ff_exec_core WHERE deadline_at_ms IS NOT NULL" \
	" AND lifecycle_phase NOT IN ('terminal', 'cancelled')"

static FfStatement due_deadlines =
FF_DUE_ROWS("due_deadlines", EXECUTION_KEY, DEADLINES, "deadline_at_ms");
static FfStatement next_deadline = FF_DUE_NEXT("next_deadline", DEADLINES, "deadline_at_ms");

static bool
apply_deadline(const char *key, int64 now_ms)
{
	FfCore		core;

	return ff_duty_lock(key, &core, NULL) &&
		strcmp(ff_expiry_deadline(&core, now_ms), "expired") == 0;
}

const FfDuty ff_duty_execution_deadline = {
	.select = &due_deadlines,
	.apply = apply_deadline,
	.executions = true,
	.next = &next_deadline,
};

/* attempt_timeout */

#define TIMEOUTS "ff_attempt WHERE timeout_at_ms IS NOT NULL"

static FfStatement due_timeouts =
FF_DUE_ROWS("due_timeouts", ATTEMPT_KEY, TIMEOUTS, "timeout_at_ms");
static FfStatement next_timeout = FF_DUE_NEXT("next_timeout", TIMEOUTS, "timeout_at_ms");

static bool
apply_timeout(const char *key, int64 now_ms)
{
	FfCore		core;
	const char *attempt_index;

	return ff_duty_lock(key, &core, &attempt_index) &&
		ff_expiry_look_at_timeout(&core, atoi(attempt_index), now_ms);
}

const FfDuty ff_duty_attempt_timeout = {
	.select = &due_timeouts,
	.apply = apply_timeout,
	.executions = true,
	.next = &next_timeout,
};

/* lease_expiry */

#define LEASES "ff_attempt WHERE lease_check_at_ms IS NOT NULL"

static FfStatement due_leases =
FF_DUE_ROWS("due_leases", ATTEMPT_KEY, LEASES, "lease_check_at_ms");
static FfStatement next_lease = FF_DUE_NEXT("next_lease", LEASES, "lease_check_at_ms");

static bool
apply_lease(const char *key, int64 now_ms)
{
	FfCore		core;
	const char *attempt_index;

	return ff_duty_lock(key, &core, &attempt_index) &&
		ff_expiry_look_at_lease(&core, atoi(attempt_index), now_ms);
}

const FfDuty ff_duty_lease_expiry = {
	.select = &due_leases,
	.apply = apply_lease,
	.executions = true,
	.next = &next_lease,
};

/* suspension_timeout */

#define SUSPENSIONS \
	"ff_suspension_current WHERE timeout_at_ms IS NOT NULL AND closed_at_ms IS NULL"

static FfStatement due_suspensions =
FF_DUE_ROWS("due_suspensions", EXECUTION_KEY, SUSPENSIONS, "timeout_at_ms");
static FfStatement next_suspension = FF_DUE_NEXT("next_suspension", SUSPENSIONS, "timeout_at_ms");

static bool
apply_suspension(const char *key, int64 now_ms)
{
	FfCore		core;

	return ff_duty_lock(key, &core, NULL) &&
		strcmp(ff_timeout_apply(&core, now_ms).outcome, "expired") == 0;
}

const FfDuty ff_duty_suspension_timeout = {
	.select = &due_suspensions,
	.apply = apply_suspension,
	.executions = true,
	.next = &next_suspension,
};

/* pending_waitpoint_expiry */

#define WAITPOINTS "ff_waitpoint_pending WHERE state = 'pending' AND expires_at_ms IS NOT NULL"

static FfStatement due_waitpoints =
FF_DUE_ROWS("due_waitpoints", "partition_key, execution_id, waitpoint_id::text", WAITPOINTS,
			"expires_at_ms");
static FfStatement next_waitpoint = FF_DUE_NEXT("next_waitpoint", WAITPOINTS, "expires_at_ms");

static bool
apply_waitpoint(const char *key, int64 now_ms)
{
	FfCore		core;
	pg_uuid_t	id;
	const char *rest;

	return ff_duty_lock(key, &core, &rest) && ff_uuid_read(rest, strlen(rest), &id) &&
		ff_expiry_waitpoint(&core, &id, now_ms);
}

const FfDuty ff_duty_pending_waitpoint_expiry = {
	.select = &due_waitpoints,
	.apply = apply_waitpoint,
	.executions = true,
	.next = &next_waitpoint,
};

/* delayed_promoter */

#define DELAYS \
	"ff_exec_core WHERE lifecycle_phase = 'runnable'" \
	" AND eligibility_state = 'not_eligible_until_time'"

static FfStatement due_delays =
FF_DUE_ROWS("due_delays", EXECUTION_KEY, DELAYS, "eligible_at_ms");
static FfStatement next_delay = FF_DUE_NEXT("next_delay", DELAYS, "eligible_at_ms");

static bool
apply_delay(const char *key, int64 now_ms)
{
	FfCore		core;

	return ff_duty_lock(key, &core, NULL) &&
		strcmp(ff_expiry_promote(&core, now_ms), "promoted") == 0;
}

const FfDuty ff_duty_delayed_promoter = {
	.select = &due_delays,
	.apply = apply_delay,
	.executions = true,
	.next = &next_delay,
};

/* claim_grant_expiry */

#define GRANTS "ff_claim_grant WHERE true"

static FfStatement due_grants =
FF_DUE_ROWS("due_grants", "partition_key, execution_id, encode(grant_id, 'hex')", GRANTS,
			"expires_at_ms");
static FfStatement next_grant = FF_DUE_NEXT("next_grant", GRANTS, "expires_at_ms");

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
apply_grant(const char *key, int64 now_ms)
{
	FfCore		core;
	const char *grant_id;

	return ff_duty_lock(key, &core, &grant_id) &&
		ff_expiry_grant(&core, read_grant_id(grant_id), now_ms);
}

const FfDuty ff_duty_claim_grant_expiry = {
	.select = &due_grants,
	.apply = apply_grant,
	.executions = true,
	.next = &next_grant,
};
