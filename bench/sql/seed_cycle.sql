-- claim + complete as the seed's client sends them: 14 round trips in 2 transactions.
-- Behaviour: claim, fence check and complete of its attempt module and its outbox helpers, as version
-- 0.11 orders them; its tests name the outcome: claim -> active, epoch 1, an attempt row with a lease;
-- complete -> terminal, one completion event. The SQL is written anew from that.
-- In the seed's favour: the partition is known (its claim asks all 256 in turn, a transaction each), ids,
-- clock and capability match cost nothing, an event finds its namespace with one lookup, and the payload,
-- which it reads by a further call, is not read.
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
