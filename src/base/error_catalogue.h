/*
 * error_catalogue.h - the kinds of errors, one line each: C name, SQLSTATE,
 * kind, meaning. The only source; the view ff_error_code shows it.
 *
 * A code is never reused and a new kind goes to the end of its class. A kind
 * marked (r) is reserved: no function raises it.
 */
#ifndef FF_ERROR_CATALOGUE_H
#define FF_ERROR_CATALOGUE_H

/* clang-format off */
#define FF_ERROR_CATALOGUE(KIND) \
	KIND(NOT_FOUND, "ZN001", "not_found", "the thing named does not exist") \
	KIND(INVALID_INPUT, "ZV001", "invalid_input", "an argument is missing, malformed or out of range, or no signing key is installed; the message names it") \
	KIND(CAPABILITY_MISMATCH, "ZV002", "capability_mismatch", "the worker lacks tokens the execution requires; DETAIL lists them sorted") \
	KIND(INVALID_CAPABILITIES, "ZV003", "invalid_capabilities", "a capability list breaks the token rules or bounds") \
	KIND(INVALID_POLICY_JSON, "ZV004", "invalid_policy_json", "a policy has an unknown key, or a wrong type or value at the path named") \
	KIND(PAYLOAD_TOO_LARGE, "ZV005", "payload_too_large", "a payload, result or signal payload exceeds its limit") \
	KIND(SIGNAL_LIMIT_EXCEEDED, "ZV006", "signal_limit_exceeded", "the execution has accepted its maximum of signals") \
	KIND(INVALID_WAITPOINT_KEY, "ZV007", "invalid_waitpoint_key", "the waitpoint key is malformed or does not belong to the waitpoint") \
	KIND(INVALID_TOKEN, "ZV008", "invalid_token", "the waitpoint token is malformed, expired, unknown or does not verify") \
	KIND(WAITPOINT_NOT_TOKEN_BOUND, "ZV009", "waitpoint_not_token_bound", "the pending waitpoint was stored without a token") \
	KIND(RETENTION_LIMIT_EXCEEDED, "ZV010", "retention_limit_exceeded", "a stream frame exceeds the frame limit") \
	KIND(INVALID_LEASE_FOR_SUSPEND, "ZV011", "invalid_lease_for_suspend", "the lease is for another attempt than the one to suspend") \
	KIND(INVALID_DEPENDENCY, "ZV012", "invalid_dependency", "the edge named is not a dependency of this execution") \
	KIND(INVALID_WAITPOINT_FOR_EXECUTION, "ZV013", "invalid_waitpoint_for_execution", "the waitpoint belongs to another execution, attempt or suspension") \
	KIND(INVALID_BLOCKING_REASON, "ZV014", "invalid_blocking_reason", "the reason is not one that a block may use") \
	KIND(INVALID_OFFSET, "ZV015", "invalid_offset", "a stream position or page cursor does not parse") \
	KIND(UNAUTHORIZED, "ZV016", "unauthorized", "the caller's role may not do this") \
	KIND(INVALID_BUDGET_SCOPE, "ZV017", "invalid_budget_scope", "a budget's scope is empty or unknown") \
	KIND(BUDGET_OVERRIDE_NOT_ALLOWED, "ZV018", "budget_override_not_allowed", "overriding a budget needs operator access (r)") \
	KIND(INVALID_QUOTA_SPEC, "ZV019", "invalid_quota_spec", "a quota's window, rate or concurrency is out of range") \
	KIND(INVALID_KID, "ZV020", "invalid_kid", "a key id is empty, too long or contains ':'") \
	KIND(INVALID_SECRET_HEX, "ZV021", "invalid_secret_hex", "a secret is not hex of the required length") \
	KIND(INVALID_GRACE_MS, "ZV022", "invalid_grace_ms", "a grace period is negative or too large") \
	KIND(INVALID_TAG_KEY, "ZV023", "invalid_tag_key", "a tag key does not match the tag pattern") \
	KIND(INVALID_FRAME_TYPE, "ZV024", "invalid_frame_type", "the frame type is not known") \
	KIND(CORRUPTION, "ZV025", "corruption", "stored data or a handle cannot be decoded; repeating the call will not help") \
	KIND(HANDLE_FROM_OTHER_BACKEND, "ZV026", "handle_from_other_backend", "the handle was issued by another system") \
	KIND(USE_CLAIM_RESUMED_EXECUTION, "ZC001", "use_claim_resumed_execution", "it was suspended and is resumable: claim it as resumed") \
	KIND(NOT_A_RESUMED_EXECUTION, "ZC002", "not_a_resumed_execution", "it is not resumable: claim it as ordinary work") \
	KIND(EXECUTION_NOT_LEASEABLE, "ZC003", "execution_not_leaseable", "it is not in a state that a lease can start from") \
	KIND(LEASE_CONFLICT, "ZC004", "lease_conflict", "somebody else holds the lease, or the handle's epoch is not the current one") \
	KIND(INVALID_CLAIM_GRANT, "ZC005", "invalid_claim_grant", "no grant for this worker, or not the one presented") \
	KIND(CLAIM_GRANT_EXPIRED, "ZC006", "claim_grant_expired", "the grant ran out: ask for another") \
	KIND(NO_ELIGIBLE_EXECUTION, "ZC007", "no_eligible_execution", "nothing can be claimed now (r)") \
	KIND(WAITPOINT_NOT_FOUND, "ZC008", "waitpoint_not_found", "the waitpoint is not there yet, or is not open to signals") \
	KIND(STALE_GRAPH_REVISION, "ZC009", "stale_graph_revision", "the flow graph changed: read it again") \
	KIND(EXECUTION_NOT_ACTIVE, "ZC010", "execution_not_active", "nobody runs it; DETAIL has phase, outcome, epoch and attempt id") \
	KIND(EXECUTION_NOT_ELIGIBLE, "ZC011", "execution_not_eligible", "its eligibility does not allow this now") \
	KIND(EXECUTION_NOT_IN_ELIGIBLE_SET, "ZC012", "execution_not_in_eligible_set", "another scheduler took it first") \
	KIND(EXECUTION_NOT_RECLAIMABLE, "ZC013", "execution_not_reclaimable", "its lease is live, or it is not active (r)") \
	KIND(NO_ACTIVE_LEASE, "ZC014", "no_active_lease", "there is no lease to act on") \
	KIND(RATE_LIMIT_EXCEEDED, "ZC015", "rate_limit_exceeded", "the quota window is full; HINT says how long to wait") \
	KIND(CONCURRENCY_LIMIT_EXCEEDED, "ZC016", "concurrency_limit_exceeded", "the quota's concurrent slots are taken") \
	KIND(RETRY_EXHAUSTED, "ZC017", "retry_exhausted", "the engine gave up after its own bounded retries (r)") \
	KIND(DEPENDENCY_ALREADY_EXISTS, "ZX001", "dependency_already_exists", "the edge exists; DETAIL describes it") \
	KIND(CYCLE_DETECTED, "ZX002", "cycle_detected", "the edge would close a cycle") \
	KIND(SELF_REFERENCING_EDGE, "ZX003", "self_referencing_edge", "an execution cannot depend on itself") \
	KIND(EXECUTION_ALREADY_IN_FLOW, "ZX004", "execution_already_in_flow", "it is a member of another flow") \
	KIND(WAITPOINT_ALREADY_EXISTS, "ZX005", "waitpoint_already_exists", "an open waitpoint has this id") \
	KIND(BUDGET_ATTACH_CONFLICT, "ZX006", "budget_attach_conflict", "another budget is attached there") \
	KIND(QUOTA_ATTACH_CONFLICT, "ZX007", "quota_attach_conflict", "another quota policy is attached there") \
	KIND(ROTATION_CONFLICT, "ZX008", "rotation_conflict", "the kid exists with a different secret") \
	KIND(ACTIVE_ATTEMPT_EXISTS, "ZX009", "active_attempt_exists", "an attempt is running where none may") \
	KIND(STALE_LEASE, "ZS001", "stale_lease", "the fence presented is not the current lease's") \
	KIND(LEASE_EXPIRED, "ZS002", "lease_expired", "the lease ran out") \
	KIND(LEASE_REVOKED, "ZS003", "lease_revoked", "an operator took the lease away") \
	KIND(EXECUTION_NOT_SUSPENDED, "ZS004", "execution_not_suspended", "there is no open suspension") \
	KIND(ALREADY_SUSPENDED, "ZS005", "already_suspended", "a suspension is already open") \
	KIND(WAITPOINT_CLOSED, "ZS006", "waitpoint_closed", "the waitpoint no longer takes signals") \
	KIND(TARGET_NOT_SIGNALABLE, "ZS007", "target_not_signalable", "the execution can take no signal in its state") \
	KIND(DUPLICATE_SIGNAL, "ZS008", "duplicate_signal", "this signal id was delivered before") \
	KIND(RESUME_CONDITION_NOT_MET, "ZS009", "resume_condition_not_met", "the condition is not satisfied (r)") \
	KIND(WAITPOINT_NOT_PENDING, "ZS010", "waitpoint_not_pending", "the waitpoint is not waiting to be activated") \
	KIND(PENDING_WAITPOINT_EXPIRED, "ZS011", "pending_waitpoint_expired", "the pending waitpoint aged out") \
	KIND(WAITPOINT_NOT_OPEN, "ZS012", "waitpoint_not_open", "the waitpoint is neither pending nor active (r)") \
	KIND(EXECUTION_NOT_TERMINAL, "ZS013", "execution_not_terminal", "it has not ended") \
	KIND(MAX_REPLAYS_EXHAUSTED, "ZS014", "max_replays_exhausted", "its replay limit is reached") \
	KIND(STREAM_CLOSED, "ZS015", "stream_closed", "the attempt's stream takes no more frames") \
	KIND(STALE_OWNER_CANNOT_APPEND, "ZS016", "stale_owner_cannot_append", "the appender no longer owns the attempt") \
	KIND(GRANT_ALREADY_EXISTS, "ZS017", "grant_already_exists", "a live grant is out") \
	KIND(EXECUTION_NOT_IN_FLOW, "ZS018", "execution_not_in_flow", "it is not a member of this flow") \
	KIND(FLOW_ALREADY_TERMINAL, "ZS019", "flow_already_terminal", "the flow has ended") \
	KIND(DEPS_NOT_SATISFIED, "ZS020", "deps_not_satisfied", "dependencies are open") \
	KIND(NOT_BLOCKED_BY_DEPS, "ZS021", "not_blocked_by_deps", "it does not wait for dependencies") \
	KIND(NOT_RUNNABLE, "ZS022", "not_runnable", "it is not runnable") \
	KIND(TERMINAL, "ZS023", "terminal", "it has ended") \
	KIND(BUDGET_EXCEEDED, "ZS024", "budget_exceeded", "a hard budget limit is reached") \
	KIND(BUDGET_SOFT_EXCEEDED, "ZS025", "budget_soft_exceeded", "a soft budget limit is passed (r)") \
	KIND(ATTEMPT_NOT_STARTED, "ZS026", "attempt_not_started", "the attempt has no start (r)") \
	KIND(ATTEMPT_ALREADY_TERMINAL, "ZS027", "attempt_already_terminal", "the attempt has ended (r)") \
	KIND(REPLAY_NOT_ALLOWED, "ZS028", "replay_not_allowed", "its state or flow forbids a replay") \
	KIND(MAX_RETRIES_EXHAUSTED, "ZS029", "max_retries_exhausted", "retries or take-overs are used up (r)") \
	KIND(ALREADY_SATISFIED, "ZS030", "already_satisfied", "the condition was met before the suspension began") \
	KIND(UNAVAILABLE, "ZU001", "unavailable", "this deployment cannot run the operation: a standby, another library version, no free worker slot") \
	KIND(TIMEOUT, "ZT001", "timeout", "a bounded wait ended without a result")
/* clang-format on */

#endif							/* FF_ERROR_CATALOGUE_H */
