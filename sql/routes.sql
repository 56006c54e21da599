-- Routing blocks and the scan of eligible work (chapter 04, section 3.6).
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

CREATE FUNCTION pg_temp.id(n integer) RETURNS text LANGUAGE sql AS
  $$ SELECT '{fp:7}:00000000-0000-0000-0007-' || lpad(n::text, 12, '0') $$;
CREATE FUNCTION pg_temp.vector(n integer) RETURNS text LANGUAGE sql AS $$
  SELECT concat_ws(' ', lifecycle_phase, eligibility_state, coalesce(blocking_reason::text, '-'),
                   attempt_state, public_state)
         || coalesce(', ' || (raw_fields ->> 'blocking_detail'), '')
    FROM ff_exec_core WHERE execution_id = ff_execution_uuid(pg_temp.id(n)) $$;

SET ffengine.test_now_ms = '1000000';

-- The scan: claim order over all capability classes, resumable work among it.
SELECT count(*)
  FROM (VALUES (1, 1, '{}'::text[]), (2, 10, '{gpu}'), (3, 10, '{}'), (4, 5, '{eu,gpu}'), (5, 1, '{gpu}')) v(n, priority, caps),
       ff_create_execution('routes', priority => v.priority, required_capabilities => v.caps,
                           execution_id => pg_temp.id(v.n));
SELECT outcome FROM ff_create_execution('routes', delay_until => ff_from_ms(2000000), execution_id => pg_temp.id(6));
INSERT INTO ff_exec_core (partition_key, execution_id, lane_id, lifecycle_phase, ownership_state, eligibility_state,
                          blocking_reason, attempt_state, public_state, priority, created_at_ms)
VALUES (8, '00000000-0000-0000-0007-000000000007', 'routes', 'runnable', 'unowned', 'eligible_now',
        'waiting_for_worker', 'attempt_interrupted', 'resumable', 10, 999999);
INSERT INTO ff_attempt (partition_key, execution_id, attempt_index, lease_epoch, outcome)
VALUES (8, '00000000-0000-0000-0007-000000000007', 0, 1, 'attempt_interrupted');
SELECT right(execution_id, 1) AS n, priority, created_at, required_capabilities, resumable
  FROM ff_scan_eligible_executions('routes');
SELECT right(execution_id, 1) AS n FROM ff_scan_eligible_executions('routes', partition_key => 8);
-- pages of 2, the last row of each the cursor of the next
SELECT right(execution_id, 1) AS n FROM ff_scan_eligible_executions('routes', max_rows => 2);
SELECT right(execution_id, 1) AS n
  FROM ff_scan_eligible_executions('routes', NULL, 10, ff_from_ms(1000000), pg_temp.id(2), 2);
SELECT right(execution_id, 1) AS n
  FROM ff_scan_eligible_executions('routes', NULL, 5, ff_from_ms(1000000), pg_temp.id(4), 2);
SELECT right(execution_id, 1) AS n
  FROM ff_scan_eligible_executions('routes', NULL, 1, ff_from_ms(1000000), pg_temp.id(5), 2);
SELECT count(*) FROM ff_scan_eligible_executions('routes', max_rows => 0);
SELECT count(*) FROM ff_scan_eligible_executions('routes none');
SELECT pg_temp.refused('SELECT ff_scan_eligible_executions(NULL)') AS no_lane,
       pg_temp.refused('SELECT ff_scan_eligible_executions(''routes'', 256)') AS partition;
SELECT pg_temp.refused('SELECT ff_scan_eligible_executions(''routes'', cursor_priority => 1)') AS cursor,
       pg_temp.refused('SELECT ff_scan_eligible_executions(''routes'', max_rows => -1)') AS max_rows;

-- Block and unblock: out of the claims' way and back; the detail is kept while it lasts.
SELECT * FROM ff_block_route(pg_temp.id(2), reason_detail => 'no gpu today');
SELECT pg_temp.vector(2);
SELECT * FROM ff_block_route(pg_temp.id(2), 'waiting_for_capable_worker', 'still none');
SELECT * FROM ff_block_route(pg_temp.id(2), 'paused_by_operator');
SELECT pg_temp.vector(2);
SELECT right(execution_id, 1) AS n FROM ff_scan_eligible_executions('routes');
SELECT pg_temp.refused(format('SELECT ff_unblock_execution(%L, %L)', pg_temp.id(2), 'waiting_for_budget')) AS refusal;
SELECT * FROM ff_unblock_execution(pg_temp.id(2), 'waiting_for_capable_worker');
SELECT pg_temp.vector(2);
SELECT pg_temp.refused(format('SELECT ff_unblock_execution(%L)', pg_temp.id(2))) AS refusal;

-- Every reason and where it leads.
CREATE FUNCTION pg_temp.blocked(n integer, reason text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  vector text;
BEGIN
  PERFORM ff_block_route(pg_temp.id(n), reason);
  vector := pg_temp.vector(n);
  PERFORM ff_unblock_execution(pg_temp.id(n), reason);
  RETURN vector || ' -> ' || pg_temp.vector(n);
END $$;
SELECT pg_temp.blocked(3, r)
  FROM unnest('{waiting_for_budget, waiting_for_quota, waiting_for_capable_worker, waiting_for_locality_match,
                paused_by_policy, paused_by_operator}'::text[]) r;
SELECT r AS reason, pg_temp.refused(format('SELECT ff_block_route(%L, %L)', pg_temp.id(3), r)) AS refusal
  FROM unnest('{lunch, paused_by_flow_cancel, waiting_for_worker}'::text[]) r;
SELECT pg_temp.refused(format('SELECT ff_block_route(%L, reason_detail => %L)', pg_temp.id(3), repeat('x', 1025))) AS detail,
       pg_temp.refused(format('SELECT ff_block_route(%L)', pg_temp.id(99))) AS unknown;
SELECT pg_temp.refused(format('SELECT ff_unblock_execution(%L)', pg_temp.id(99))) AS unknown,
       pg_temp.refused('SELECT ff_block_route(NULL)') AS nothing;

-- What is not eligible is left alone: delayed, running, ended.
SELECT outcome, detail FROM ff_block_route(pg_temp.id(6));
SELECT handle FROM ff_claim('routes', 'w', 'w-1', include_resumable => false) \gset
SELECT outcome, detail FROM ff_block_route(pg_temp.id(3));
SELECT outcome FROM ff_complete(:'handle');
SELECT outcome, detail FROM ff_block_route(pg_temp.id(3));
SELECT pg_temp.vector(3);

-- Resumable work is resumable again.
SELECT outcome FROM ff_block_route('{fp:8}:00000000-0000-0000-0007-000000000007', 'waiting_for_locality_match');
SELECT pg_temp.vector(7);
SELECT outcome, public_state FROM ff_unblock_execution('{fp:8}:00000000-0000-0000-0007-000000000007');
SELECT pg_temp.vector(7);

-- A delay that is not over: back to it. (Only a flow blocks delayed work.)
UPDATE ff_exec_core SET eligibility_state = 'blocked_by_operator', blocking_reason = 'paused_by_operator', public_state = 'waiting'
 WHERE execution_id = ff_execution_uuid(pg_temp.id(6));
SELECT outcome, public_state FROM ff_unblock_execution(pg_temp.id(6));
SELECT pg_temp.vector(6), (SELECT eligible_at_ms FROM ff_exec_core WHERE execution_id = ff_execution_uuid(pg_temp.id(6)));
-- What a cancelled flow withholds stays withheld.
UPDATE ff_exec_core SET eligibility_state = 'blocked_by_operator', blocking_reason = 'paused_by_flow_cancel', public_state = 'waiting'
 WHERE execution_id = ff_execution_uuid(pg_temp.id(6));
SELECT pg_temp.refused(format('SELECT ff_unblock_execution(%L)', pg_temp.id(6))) AS refusal;

-- Dependencies that are open hold it, once they are met nothing does.
INSERT INTO ff_flow_core (partition_key, flow_id, public_flow_state, created_at_ms)
VALUES (ff_flow_partition('11111111-1111-4111-8111-111111111171'), '11111111-1111-4111-8111-111111111171', 'open', 1);
SELECT execution_id AS member
  FROM ff_create_execution('routes', flow_id => '11111111-1111-4111-8111-111111111171',
         execution_id => ff_execution_id_for_flow('11111111-1111-4111-8111-111111111171', '00000000-0000-0000-0007-000000000008')) \gset
SELECT outcome FROM ff_block_route(:'member');
INSERT INTO ff_edge (partition_key, flow_id, edge_id, upstream_eid, downstream_eid, policy)
VALUES (ff_execution_partition(:'member'), '11111111-1111-4111-8111-111111111171', '00000000-0000-0000-0007-0000000000e1',
        '00000000-0000-0000-0007-0000000000e2', ff_execution_uuid(:'member'), '{}');
SELECT outcome, public_state FROM ff_unblock_execution(:'member');
SELECT pg_temp.vector(8);
UPDATE ff_exec_core SET eligibility_state = 'blocked_by_operator', blocking_reason = 'paused_by_operator', public_state = 'waiting'
 WHERE execution_id = ff_execution_uuid(:'member');
INSERT INTO ff_edge_group (partition_key, flow_id, downstream_eid, policy, group_state)
VALUES (ff_execution_partition(:'member'), '11111111-1111-4111-8111-111111111171', ff_execution_uuid(:'member'), '{}', 'satisfied');
SELECT outcome, public_state FROM ff_unblock_execution(:'member');

-- Sound all the while.
SELECT * FROM ff_check_consistency() WHERE execution_id LIKE '%-0007-%';
