-- claim, suspend, signal, claim_resumed, complete as the seed's client sends them: 42 round trips in
-- 5 transactions. Behaviour: seed_cycle.sql for claim and complete; suspend_core, deliver_signal and
-- claim_resumed_execution of the seed's suspend_ops for the rest (one fresh waitpoint, no idempotency
-- key, no timeout). Suspend and signal are SERIALIZABLE there, each tried again on its own when that
-- fails; pgbench can only run the whole script again. With `tuned` 1 they are READ COMMITTED instead,
-- where nothing fails, for the same round trips.
-- In the seed's favour, besides seed_cycle.sql: tokens are signed and verified, and the condition is
-- evaluated, at no cost, for pgbench sends a constant in their place.
\set part 0

-- claim
BEGIN;
SELECT execution_id, attempt_index, required_capabilities FROM ff_exec_core
WHERE partition_key = :part AND lane_id = 'bench' AND lifecycle_phase = 'runnable'
	AND eligibility_state = 'eligible_now' AND public_state = 'waiting'
ORDER BY priority DESC, created_at_ms LIMIT 1 FOR UPDATE SKIP LOCKED \gset
INSERT INTO ff_attempt AS a (partition_key, execution_id, attempt_index, worker_id, worker_instance_id,
	lease_epoch, lease_expires_at_ms, started_at_ms)
VALUES (:part, :execution_id, :attempt_index, 'w', 'w-1', 1, :expires, :now)
ON CONFLICT (partition_key, execution_id, attempt_index) DO UPDATE
SET worker_id = excluded.worker_id, worker_instance_id = excluded.worker_instance_id,
	lease_epoch = a.lease_epoch + 1, lease_expires_at_ms = excluded.lease_expires_at_ms,
	started_at_ms = excluded.started_at_ms, outcome = NULL;
SELECT lease_epoch FROM ff_attempt
WHERE partition_key = :part AND execution_id = :execution_id AND attempt_index = :attempt_index \gset
UPDATE ff_exec_core
SET lifecycle_phase = 'active', ownership_state = 'leased', eligibility_state = 'not_applicable',
	attempt_state = 'running_attempt', started_at_ms = coalesce(started_at_ms, :now)
WHERE partition_key = :part AND execution_id = :execution_id;
INSERT INTO ff_lease_event (execution_id, event_type, occurred_at_ms, partition_key, namespace, instance_tag)
SELECT :execution_id, 'acquired', :now, partition_key, raw_fields->>'namespace', raw_fields->'tags'->>'instance'
FROM ff_exec_core WHERE partition_key = :part AND execution_id = :execution_id::uuid;
COMMIT;

-- suspend
BEGIN;
\if :tuned
SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
\else
SET TRANSACTION ISOLATION LEVEL SERIALIZABLE;
\endif
SELECT lease_epoch FROM ff_attempt
WHERE partition_key = :part AND execution_id = :execution_id AND attempt_index = :attempt_index FOR UPDATE \gset
SELECT kid, secret FROM ff_waitpoint_hmac WHERE active ORDER BY rotated_at_ms DESC LIMIT 1 \gset
INSERT INTO ff_waitpoint_pending AS w (partition_key, waitpoint_id, execution_id, token_kid, token,
	created_at_ms, expires_at_ms, waitpoint_key)
VALUES (:part, gen_random_uuid(), :execution_id, :kid,
	'bench-1.abababababababababababababababababababababababababababababababab', :now, NULL, 'approval')
ON CONFLICT (partition_key, waitpoint_id) DO UPDATE
SET token_kid = excluded.token_kid, token = excluded.token, waitpoint_key = excluded.waitpoint_key
RETURNING waitpoint_id \gset
INSERT INTO ff_suspension_current (partition_key, execution_id, suspension_id, suspended_at_ms, timeout_at_ms,
	reason_code, condition, satisfied_set, member_map, timeout_behavior)
VALUES (:part, :execution_id, gen_random_uuid(), :now, NULL, 'waiting_for_signal',
	'{"Single": {"waitpoint_key": "approval", "matcher": {"ByName": "ready"}}}', '[]', '{}', 'fail')
ON CONFLICT (partition_key, execution_id) DO UPDATE
SET suspension_id = excluded.suspension_id, suspended_at_ms = excluded.suspended_at_ms,
	timeout_at_ms = excluded.timeout_at_ms, reason_code = excluded.reason_code, condition = excluded.condition,
	satisfied_set = '[]', member_map = '{}', timeout_behavior = excluded.timeout_behavior;
UPDATE ff_exec_core
SET lifecycle_phase = 'suspended', ownership_state = 'released', eligibility_state = 'not_applicable',
	public_state = 'suspended', attempt_state = 'attempt_interrupted'
WHERE partition_key = :part AND execution_id = :execution_id;
UPDATE ff_attempt
SET worker_id = NULL, worker_instance_id = NULL, lease_expires_at_ms = NULL, lease_epoch = lease_epoch + 1,
	outcome = 'attempt_interrupted'
WHERE partition_key = :part AND execution_id = :execution_id AND attempt_index = :attempt_index;
INSERT INTO ff_lease_event (execution_id, event_type, occurred_at_ms, partition_key, namespace, instance_tag)
SELECT :execution_id, 'revoked', :now, partition_key, raw_fields->>'namespace', raw_fields->'tags'->>'instance'
FROM ff_exec_core WHERE partition_key = :part AND execution_id = :execution_id::uuid;
COMMIT;

-- deliver_signal
BEGIN;
\if :tuned
SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
\else
SET TRANSACTION ISOLATION LEVEL SERIALIZABLE;
\endif
SELECT token_kid, token, waitpoint_key, execution_id FROM ff_waitpoint_pending
WHERE partition_key = :part AND waitpoint_id = :waitpoint_id FOR UPDATE \gset
SELECT secret FROM ff_waitpoint_hmac WHERE kid = :token_kid \gset
SELECT condition, member_map FROM ff_suspension_current
WHERE partition_key = :part AND execution_id = :execution_id FOR UPDATE \gset
UPDATE ff_suspension_current
SET member_map = '{"approval": [{"signal_id": "8a4f2a44-6f0e-4c1c-9f0a-3d1f6f1f6a10", "signal_name": "ready", "signal_category": "custom", "source_type": "external_api", "source_identity": "bench", "correlation_id": "", "accepted_at": 1700000000000, "payload_hex": null}]}'
WHERE partition_key = :part AND execution_id = :execution_id;
UPDATE ff_exec_core
SET public_state = 'resumable', lifecycle_phase = 'runnable', eligibility_state = 'eligible_now'
WHERE partition_key = :part AND execution_id = :execution_id;
DELETE FROM ff_waitpoint_pending WHERE partition_key = :part AND execution_id = :execution_id;
INSERT INTO ff_completion_event (partition_key, execution_id, outcome, occurred_at_ms)
VALUES (:part, :execution_id, 'resumable', :now);
INSERT INTO ff_signal_event (execution_id, signal_id, waitpoint_id, source_identity, delivered_at_ms,
	partition_key, namespace, instance_tag)
SELECT :execution_id, '8a4f2a44-6f0e-4c1c-9f0a-3d1f6f1f6a10', :waitpoint_id, 'bench', :now, partition_key,
	raw_fields->>'namespace', raw_fields->'tags'->>'instance'
FROM ff_exec_core WHERE partition_key = :part AND execution_id = :execution_id::uuid;
COMMIT;

-- claim_resumed
BEGIN;
SELECT public_state, attempt_index FROM ff_exec_core
WHERE partition_key = :part AND execution_id = :execution_id FOR UPDATE \gset
UPDATE ff_attempt
SET worker_id = 'w', worker_instance_id = 'w-1', lease_epoch = lease_epoch + 1, lease_expires_at_ms = :expires,
	started_at_ms = :now, outcome = NULL
WHERE partition_key = :part AND execution_id = :execution_id AND attempt_index = :attempt_index;
UPDATE ff_exec_core
SET lifecycle_phase = 'active', ownership_state = 'leased', eligibility_state = 'not_applicable',
	public_state = 'running', attempt_state = 'running_attempt'
WHERE partition_key = :part AND execution_id = :execution_id;
SELECT lease_epoch FROM ff_attempt
WHERE partition_key = :part AND execution_id = :execution_id AND attempt_index = :attempt_index \gset
INSERT INTO ff_lease_event (execution_id, lease_id, event_type, occurred_at_ms, partition_key, namespace, instance_tag)
SELECT :execution_id, '2c1d7f1e-3b5a-4b8e-8f56-0a8e6a1c9b77', 'acquired', :now, partition_key,
	raw_fields->>'namespace', raw_fields->'tags'->>'instance'
FROM ff_exec_core WHERE partition_key = :part AND execution_id = :execution_id::uuid;
COMMIT;

-- complete
BEGIN;
SELECT lease_epoch FROM ff_attempt
WHERE partition_key = :part AND execution_id = :execution_id AND attempt_index = :attempt_index FOR UPDATE \gset
UPDATE ff_attempt SET outcome = 'success', terminal_at_ms = :now, lease_expires_at_ms = NULL
WHERE partition_key = :part AND execution_id = :execution_id AND attempt_index = :attempt_index;
UPDATE ff_exec_core
SET lifecycle_phase = 'terminal', ownership_state = 'unowned', eligibility_state = 'not_applicable',
	attempt_state = 'attempt_terminal', terminal_at_ms = :now, result = 'done'
WHERE partition_key = :part AND execution_id = :execution_id;
INSERT INTO ff_completion_event (partition_key, execution_id, flow_id, outcome, occurred_at_ms)
SELECT partition_key, execution_id, flow_id, 'success', :now
FROM ff_exec_core WHERE partition_key = :part AND execution_id = :execution_id;
INSERT INTO ff_lease_event (execution_id, event_type, occurred_at_ms, partition_key, namespace, instance_tag)
SELECT :execution_id, 'revoked', :now, partition_key, raw_fields->>'namespace', raw_fields->'tags'->>'instance'
FROM ff_exec_core WHERE partition_key = :part AND execution_id = :execution_id::uuid;
COMMIT;
