-- Puts :ahead executions that the worker of ffengine_claims.sql cannot take ahead of all others: of
-- higher priority, and each needs one of 10 tokens that it lacks.
\set ON_ERROR_STOP on
INSERT INTO ff_exec_core (partition_key, execution_id, lane_id, required_capabilities, lifecycle_phase,
	ownership_state, eligibility_state, public_state, attempt_state, blocking_reason, priority, created_at_ms,
	last_mutation_at_ms, payload, raw_fields)
SELECT partition_key, gen_random_uuid(), lane_id, ARRAY['gpu-' || n % 10], lifecycle_phase,
	ownership_state, eligibility_state, public_state, attempt_state, blocking_reason, 100, created_at_ms,
	last_mutation_at_ms, payload, raw_fields
FROM (SELECT * FROM ff_exec_core WHERE lane_id = 'bench' AND public_state = 'waiting' LIMIT 1) model,
	generate_series(1, :ahead) n;
VACUUM (ANALYZE) ff_exec_core;
