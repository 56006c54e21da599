-- Fills ffengine's queue up to :waiting executions: one made by ff_create_execution, the others are
-- copies of its row.
\set ON_ERROR_STOP on
SELECT split_part(execution_id, '}:', 2) AS model
FROM ff_create_execution(lane_id => 'bench', payload => convert_to(repeat('p', 100), 'UTF8')) \gset
INSERT INTO ff_exec_core (partition_key, execution_id, lane_id, lifecycle_phase, ownership_state, eligibility_state,
	public_state, attempt_state, blocking_reason, priority, created_at_ms, last_mutation_at_ms, payload, raw_fields)
SELECT partition_key, gen_random_uuid(), lane_id, lifecycle_phase, ownership_state, eligibility_state,
	public_state, attempt_state, blocking_reason, priority, ff_server_time_ms(), last_mutation_at_ms, payload, raw_fields
FROM ff_exec_core, generate_series(1, :waiting - (SELECT count(*) FROM ff_exec_core
	WHERE lifecycle_phase = 'runnable' AND eligibility_state = 'eligible_now' AND public_state = 'waiting'))
WHERE execution_id = :'model';
VACUUM (ANALYZE) ff_exec_core, ff_attempt, ff_suspension_current, ff_suspension_history, ff_waitpoint_pending,
	ff_signal, ff_signal_counter, ff_completion_event, ff_lease_event, ff_signal_event;
