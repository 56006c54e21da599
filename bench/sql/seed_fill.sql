-- Fills the seed's queue up to :waiting executions.
\set ON_ERROR_STOP on
INSERT INTO ff_exec_core (partition_key, execution_id, lane_id, lifecycle_phase, ownership_state,
	eligibility_state, public_state, attempt_state, created_at_ms, payload, raw_fields)
SELECT 0, gen_random_uuid(), 'bench', 'runnable', 'unowned', 'eligible_now', 'waiting', 'pending_first_attempt',
	(extract(epoch FROM clock_timestamp()) * 1000)::bigint, convert_to(repeat('p', 100), 'UTF8'),
	'{"namespace": "default", "execution_kind": "task", "creator_identity": "bench", "tags": {}}'
FROM generate_series(1, :waiting - (SELECT count(*) FROM ff_exec_core
	WHERE lifecycle_phase = 'runnable' AND eligibility_state = 'eligible_now' AND public_state = 'waiting'));
VACUUM (ANALYZE) ff_exec_core, ff_attempt, ff_suspension_current, ff_waitpoint_pending,
	ff_completion_event, ff_lease_event, ff_signal_event;
