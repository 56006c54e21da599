-- ff_check_consistency: the invariants of chapter 01, section 7.1; ff_version, ff_ping.
\set VERBOSITY terse
\pset null -
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS ffengine CASCADE;
RESET client_min_messages;

-- What a statement is refused with, as "kind: message / DETAIL"; 'accepted' if it is not.
CREATE FUNCTION pg_temp.refused(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  state   text;
  message text;
  detail  text;
BEGIN
  EXECUTE statement;
  RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
                          detail = PG_EXCEPTION_DETAIL;
  RETURN coalesce((SELECT c.kind FROM ff_error_code c WHERE c.sqlstate = state), state)
         || ': ' || message || CASE WHEN detail <> '' THEN ' / ' || detail ELSE '' END;
END $$;

SET ffengine.test_now_ms = '1000000';
SELECT ff_version() ~ '^\d+\.\d+\.\d+$' AS version, ff_ping();
BEGIN;
UPDATE pg_extension SET extversion = '0.1' WHERE extname = 'ffengine';
SELECT left(pg_temp.refused('SELECT ff_ping()'), 11) AS ping;
ROLLBACK;

-- Rows put in by hand, number n, as "phase ownership eligibility reason attempt_state public_state".
CREATE FUNCTION pg_temp.put(n integer, vector text, terminal_outcome ff_attempt_outcome DEFAULT NULL,
                            eligible_at_ms bigint DEFAULT NULL, attempts ff_attempt_outcome[] DEFAULT NULL)
RETURNS void LANGUAGE sql AS $$
  INSERT INTO ff_exec_core (partition_key, execution_id, lane_id, created_at_ms, lifecycle_phase, ownership_state,
                            eligibility_state, blocking_reason, attempt_state, public_state, terminal_outcome,
                            terminal_at_ms, eligible_at_ms, attempt_index)
  SELECT 9, ('00000000-0000-0000-0009-' || lpad(n::text, 12, '0'))::uuid, 'consistency', 1,
         v[1]::ff_lifecycle_phase, v[2]::ff_ownership_state, v[3]::ff_eligibility_state,
         nullif(v[4], '-')::ff_blocking_reason, v[5]::ff_attempt_state, v[6]::ff_public_state, terminal_outcome,
         CASE WHEN terminal_outcome IS NOT NULL THEN 1000 END, eligible_at_ms, coalesce(cardinality(attempts), 1) - 1
    FROM regexp_split_to_array(vector, ' +') v;
  INSERT INTO ff_attempt (partition_key, execution_id, attempt_index, lease_epoch, outcome, lease_expires_at_ms, lease_check_at_ms)
  SELECT 9, ('00000000-0000-0000-0009-' || lpad(n::text, 12, '0'))::uuid, i - 1, i, o,
         CASE WHEN vector ~ '^active +lease' AND vector !~ 'revoked' AND i = cardinality(attempts) THEN 5000 END,
         CASE WHEN vector ~ '^active' AND i = cardinality(attempts) THEN 5000 END
    FROM unnest(attempts) WITH ORDINALITY a(o, i);
$$;
CREATE TEMP VIEW violation AS
  SELECT invariant, right(execution_id, 2) AS n, detail FROM ff_check_consistency(100000) WHERE execution_id LIKE '%-0009-%';

-- Every legal vector: nothing to say, once what belongs to it is there too.
SELECT count(*) AS vectors FROM (VALUES
  ( 1, 'runnable unowned eligible_now waiting_for_worker pending_first_attempt waiting', NULL::ff_attempt_outcome, NULL::bigint, NULL::ff_attempt_outcome[]),
  ( 2, 'runnable unowned eligible_now waiting_for_worker pending_retry_attempt waiting', NULL, NULL, NULL),
  ( 3, 'runnable unowned eligible_now waiting_for_worker pending_replay_attempt waiting', NULL, NULL, '{NULL}'),
  ( 4, 'runnable unowned eligible_now waiting_for_worker attempt_interrupted waiting', NULL, NULL, '{lease_expired_reclaimable}'),
  ( 5, 'runnable unowned eligible_now waiting_for_worker attempt_interrupted resumable', NULL, NULL, '{attempt_interrupted}'),
  ( 6, 'runnable unowned pending_claim waiting_for_worker pending_first_attempt waiting', NULL, NULL, NULL),
  ( 7, 'runnable unowned pending_claim waiting_for_worker attempt_interrupted resumable', NULL, NULL, '{attempt_interrupted}'),
  ( 8, 'runnable unowned not_eligible_until_time waiting_for_delay pending_first_attempt delayed', NULL, 5, NULL),
  ( 9, 'runnable unowned not_eligible_until_time waiting_for_delay attempt_interrupted delayed', NULL, 5, '{interrupted}'),
  (10, 'runnable unowned not_eligible_until_time waiting_for_retry_backoff pending_retry_attempt delayed', NULL, 5, NULL),
  (11, 'runnable unowned not_eligible_until_time waiting_for_resume_delay attempt_interrupted resumable', NULL, 5, '{attempt_interrupted}'),
  (12, 'runnable unowned blocked_by_dependencies waiting_for_children pending_first_attempt waiting_children', NULL, NULL, NULL),
  (13, 'runnable unowned blocked_by_dependencies waiting_for_children attempt_interrupted waiting_children', NULL, NULL, '{waiting_children}'),
  (14, 'runnable unowned blocked_by_budget waiting_for_budget pending_first_attempt rate_limited', NULL, NULL, NULL),
  (15, 'runnable unowned blocked_by_quota waiting_for_quota pending_first_attempt rate_limited', NULL, NULL, NULL),
  (16, 'runnable unowned blocked_by_route waiting_for_capable_worker pending_first_attempt waiting', NULL, NULL, NULL),
  (17, 'runnable unowned blocked_by_route waiting_for_locality_match attempt_interrupted waiting', NULL, NULL, '{attempt_interrupted}'),
  (18, 'runnable unowned blocked_by_lane_state paused_by_policy pending_first_attempt waiting', NULL, NULL, NULL),
  (19, 'runnable unowned blocked_by_operator paused_by_operator pending_first_attempt waiting', NULL, NULL, NULL),
  (20, 'runnable unowned blocked_by_operator paused_by_flow_cancel pending_first_attempt waiting', NULL, NULL, NULL),
  (21, 'active leased not_applicable - running_attempt running', NULL, NULL, '{retry, NULL}'),
  (22, 'active lease_expired_reclaimable not_applicable waiting_for_worker attempt_interrupted running', NULL, NULL, '{lease_expired_reclaimable}'),
  (23, 'active lease_revoked not_applicable waiting_for_worker attempt_interrupted running', NULL, NULL, '{lease_expired_reclaimable}'),
  (24, 'suspended released not_applicable waiting_for_signal attempt_interrupted suspended', NULL, NULL, '{attempt_interrupted}'),
  (25, 'suspended released not_applicable waiting_for_approval attempt_interrupted suspended', NULL, NULL, '{attempt_interrupted}'),
  (26, 'suspended released not_applicable waiting_for_callback attempt_interrupted suspended', NULL, NULL, '{attempt_interrupted}'),
  (27, 'suspended released not_applicable waiting_for_tool_result attempt_interrupted suspended', NULL, NULL, '{attempt_interrupted}'),
  (28, 'suspended released not_applicable waiting_for_operator_review attempt_interrupted suspended', NULL, NULL, '{attempt_interrupted}'),
  (29, 'suspended released not_applicable paused_by_policy attempt_interrupted suspended', NULL, NULL, '{attempt_interrupted}'),
  (30, 'suspended released not_applicable waiting_for_budget attempt_interrupted suspended', NULL, NULL, '{attempt_interrupted}'),
  (31, 'suspended released not_applicable paused_by_operator attempt_interrupted suspended', NULL, NULL, '{attempt_interrupted}'),
  (32, 'terminal unowned not_applicable - attempt_terminal completed', 'success', NULL, '{success}'),
  (33, 'terminal unowned not_applicable - attempt_terminal failed', 'failed', NULL, '{failed}'),
  (34, 'terminal unowned not_applicable - none expired', 'expired', NULL, NULL),
  (35, 'terminal unowned not_applicable - none skipped', 'skipped', NULL, NULL),
  (36, 'cancelled unowned not_applicable - attempt_terminal cancelled', 'cancelled', NULL, '{cancelled}'),
  (37, 'cancelled unowned not_applicable - none cancelled', 'cancelled', NULL, NULL)) v(n, vector, terminal_outcome, eligible_at_ms, attempts),
  LATERAL pg_temp.put(v.n, v.vector, v.terminal_outcome, v.eligible_at_ms, v.attempts);
SELECT invariant, count(*) FROM violation GROUP BY 1 ORDER BY 1;
INSERT INTO ff_suspension_current (partition_key, execution_id, suspension_id, suspended_at_ms, condition)
SELECT partition_key, execution_id, execution_id, 1, '{}' FROM ff_exec_core
 WHERE lane_id = 'consistency' AND lifecycle_phase = 'suspended';
INSERT INTO ff_claim_grant (partition_key, grant_id, execution_id, kind, worker_id, worker_instance_id, grant_ttl_ms, issued_at_ms, expires_at_ms)
SELECT partition_key, uuid_send(execution_id), execution_id, 'claim', 'w', 'w', 1, 1, 1 FROM ff_exec_core
 WHERE lane_id = 'consistency' AND eligibility_state = 'pending_claim';
SELECT * FROM violation;

-- One thing broken at a time is one row.
CREATE FUNCTION pg_temp.broken(change text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  found text;
BEGIN
  EXECUTE change;
  SELECT string_agg(n || ' ' || invariant || ': ' || detail, E'\n') INTO found FROM violation;
  RAISE SQLSTATE 'UNDO0';
EXCEPTION WHEN SQLSTATE 'UNDO0' THEN
  RETURN found;
END $$;
CREATE FUNCTION pg_temp.core(n integer, assignments text) RETURNS text LANGUAGE sql AS $$
  SELECT pg_temp.broken(format('UPDATE ff_exec_core SET %s WHERE execution_id = %L', assignments,
                               '00000000-0000-0000-0009-' || lpad(n::text, 12, '0'))) $$;
CREATE FUNCTION pg_temp.attempt(n integer, assignments text) RETURNS text LANGUAGE sql AS $$
  SELECT pg_temp.broken(format('UPDATE ff_attempt SET %s WHERE execution_id = %L', assignments,
                               '00000000-0000-0000-0009-' || lpad(n::text, 12, '0'))) $$;
\pset format unaligned
\pset tuples_only on
-- vector
SELECT pg_temp.core(21, $$eligibility_state = 'eligible_now'$$);
SELECT pg_temp.core(1, $$eligibility_state = 'not_applicable'$$);
SELECT pg_temp.core(1, $$blocking_reason = NULL$$);
SELECT pg_temp.core(1, $$attempt_state = 'none'$$);
SELECT pg_temp.core(1, $$lifecycle_phase = 'submitted'$$);
SELECT pg_temp.core(8, $$blocking_reason = 'waiting_for_resume_delay'$$);
SELECT pg_temp.core(14, $$blocking_reason = 'waiting_for_quota'$$);
SELECT pg_temp.core(24, $$blocking_reason = 'waiting_for_children'$$);
SELECT pg_temp.core(32, $$attempt_state = 'none'$$);
-- public_state
SELECT pg_temp.core(32, $$public_state = 'waiting'$$);
SELECT pg_temp.core(5, $$public_state = 'waiting'$$);
-- ended
SELECT pg_temp.core(32, $$terminal_at_ms = NULL$$);
SELECT pg_temp.core(1, $$terminal_at_ms = 1$$);
SELECT pg_temp.core(33, $$terminal_outcome = NULL$$);
-- leased
SELECT pg_temp.attempt(21, $$lease_expires_at_ms = NULL$$);
SELECT pg_temp.attempt(4, $$lease_expires_at_ms = 5$$);
SELECT pg_temp.attempt(21, $$lease_expires_at_ms = 5000$$);
-- lease_check
SELECT pg_temp.attempt(21, $$lease_check_at_ms = 5001$$);
SELECT pg_temp.attempt(21, $$lease_check_at_ms = NULL$$);
-- eligible_at
SELECT pg_temp.core(8, $$eligible_at_ms = NULL$$);
-- suspended
SELECT pg_temp.broken($$UPDATE ff_suspension_current SET closed_at_ms = 2 WHERE execution_id = '00000000-0000-0000-0009-000000000024'$$);
SELECT pg_temp.broken($$INSERT INTO ff_suspension_current (partition_key, execution_id, suspension_id, suspended_at_ms, condition)
  VALUES (9, '00000000-0000-0000-0009-000000000001', '00000000-0000-0000-0009-000000000001', 1, '{}')$$);
-- grant
SELECT pg_temp.broken($$UPDATE ff_claim_grant SET kind = 'reclaim' WHERE execution_id = '00000000-0000-0000-0009-000000000006'$$);
-- attempt
SELECT pg_temp.broken($$DELETE FROM ff_attempt WHERE execution_id = '00000000-0000-0000-0009-000000000009'$$);
SELECT pg_temp.broken($$DELETE FROM ff_attempt WHERE execution_id = '00000000-0000-0000-0009-000000000032'$$);
SELECT pg_temp.broken($$INSERT INTO ff_attempt (partition_key, execution_id, attempt_index) VALUES (9, '00000000-0000-0000-0009-000000000001', 1)$$);
-- epoch
SELECT pg_temp.attempt(21, $$lease_epoch = 7$$);
-- retired_waitpoint
SELECT pg_temp.broken($$INSERT INTO ff_waitpoint_pending (partition_key, waitpoint_id, execution_id, token_kid, token, created_at_ms, state)
  VALUES (9, '00000000-0000-0000-0009-0000000000a1', '00000000-0000-0000-0009-000000000032', 'k', 't', 1, 'active'),
         (9, '00000000-0000-0000-0009-0000000000a2', '00000000-0000-0000-0009-000000000032', 'k', 't', 1, 'closed')$$);
-- edge_group: counted only where total_count is set
SELECT pg_temp.broken($$INSERT INTO ff_edge_group (partition_key, flow_id, downstream_eid, policy, success_count, total_count)
  VALUES (9, '00000000-0000-0000-0009-0000000000f1', '00000000-0000-0000-0009-000000000001', '{}', 1, 1),
         (9, '00000000-0000-0000-0009-0000000000f2', '00000000-0000-0000-0009-000000000002', '{}', 1, NULL)$$);
SELECT coalesce(pg_temp.broken($$INSERT INTO ff_edge_group (partition_key, flow_id, downstream_eid, policy, success_count, fail_count, skip_count, staged_count, total_count)
  VALUES (9, '00000000-0000-0000-0009-0000000000f1', '00000000-0000-0000-0009-000000000001', '{}', 1, 1, 1, 1, 4);
  INSERT INTO ff_edge (partition_key, flow_id, edge_id, upstream_eid, downstream_eid, policy, edge_state)
  SELECT 9, '00000000-0000-0000-0009-0000000000f1', md5(s)::uuid, md5(s)::uuid, '00000000-0000-0000-0009-000000000001', '{}', split_part(s, ' ', 1)
    FROM unnest('{satisfied, impossible 1, impossible 2, pending, applied}'::text[]) s$$), 'sound');
\pset tuples_only off
\pset format aligned

-- Ordered by execution and invariant, and not more than asked for.
BEGIN;
UPDATE ff_exec_core SET public_state = 'skipped', terminal_at_ms = 1 WHERE execution_id IN ('00000000-0000-0000-0009-000000000001', '00000000-0000-0000-0009-000000000002');
SELECT * FROM violation;
SELECT count(*) FROM ff_check_consistency(1);
ROLLBACK;
SELECT pg_temp.refused('SELECT ff_check_consistency(0)') AS none, pg_temp.refused('SELECT ff_check_consistency(100000)') AS most,
       pg_temp.refused('SELECT ff_check_consistency(100001)') AS more, pg_temp.refused('SELECT ff_check_consistency(NULL)') AS nothing;
DELETE FROM ff_exec_core WHERE execution_id::text LIKE '%-0009-%';
DELETE FROM ff_attempt WHERE execution_id::text LIKE '%-0009-%';
DELETE FROM ff_suspension_current WHERE execution_id::text LIKE '%-0009-%';
DELETE FROM ff_claim_grant WHERE execution_id::text LIKE '%-0009-%';
