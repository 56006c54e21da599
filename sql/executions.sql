-- Ingress: ff_create_execution (chapter 04, section 2).
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
  $$ SELECT '{fp:7}:00000000-0000-0000-0003-' || lpad(n::text, 12, '0') $$;

SET ffengine.test_now_ms = '1000000';
SET ffengine.default_max_retries = 3;

-- Nothing but a lane is needed. The partition is the lane's, the id is minted.
SELECT outcome, ff_is_execution_id(execution_id) AS has_id,
       ff_execution_partition(execution_id) = ff_lane_partition('executions') AS in_lane_partition, public_state
  FROM ff_create_execution('executions');

-- What there is to give comes back with the claim.
SELECT * FROM ff_create_execution(lane_id => 'executions given', payload => '\x7b7d',
  payload_encoding => 'json', execution_kind => 'invoice', priority => 10,
  required_capabilities => '{gpu,eu,gpu}', deadline_at => ff_from_ms(2000000),
  tags => '{"shop.order": "17"}', namespace => 'ns', creator_identity => 'Anna Lang',
  execution_id => pg_temp.id(1));
SELECT lane_id, required_capabilities, priority, created_at_ms, deadline_at_ms, eligible_at_ms,
       payload, policy, namespace, raw_fields
  FROM ff_exec_core WHERE execution_id = ff_execution_uuid(pg_temp.id(1)) \gx
SELECT execution_id, lane_id, flow_id, execution_kind, payload, payload_encoding, tags, priority,
       attempt_deadline_at, deadline_at, created_at
  FROM ff_claim('executions given', 'w', 'w-1', '{eu,gpu}') \gx

-- The creator is the role that calls, where none is named.
CREATE ROLE regress_submitting;
SELECT outcome FROM ff_grant_access('regress_submitting', 'submitter');
SET ROLE regress_submitting;
SELECT outcome FROM ff_create_execution('executions', execution_id => '{fp:7}:00000000-0000-0000-0003-000000000002');
-- one who may create may not claim
SELECT * FROM ff_claim('executions', 'w', 'w-1');
RESET ROLE;
SELECT raw_fields ->> 'creator_identity' AS creator
  FROM ff_exec_core WHERE execution_id = ff_execution_uuid(pg_temp.id(2));
SELECT outcome FROM ff_revoke_access('regress_submitting', 'submitter');
DROP ROLE regress_submitting;

-- The policy speaks where an argument is silent; an argument wins.
SELECT execution_id AS id, public_state
  FROM ff_create_execution('executions policy', execution_id => pg_temp.id(3),
         policy => '{"priority": 7, "delay_until": 1500000, "budget_ids":
                      ["00000000-0000-0000-0000-0000000000b1", "00000000-0000-0000-0000-0000000000b2",
                       "00000000-0000-0000-0000-0000000000b1"],
                     "quota_policy_id": "00000000-0000-0000-0000-0000000000c1",
                     "timeout_policy": {"execution_deadline_ms": 60000},
                     "routing_requirements": {"required_capabilities": ["eu", "gpu"]}}',
         required_capabilities => '{gpu,arm}');
SELECT execution_id AS id, public_state
  FROM ff_create_execution('executions policy', execution_id => pg_temp.id(4), priority => 8,
         policy => '{"priority": 7, "delay_until": 1500000,
                     "timeout_policy": {"execution_deadline_ms": 60000}}',
         delay_until => ff_from_ms(1), deadline_at => ff_from_ms(9));
SELECT outcome FROM ff_create_execution('executions policy', execution_id => pg_temp.id(5),
                                        policy => 'null');
SELECT right(execution_id::text, 1) AS n, priority, eligible_at_ms, deadline_at_ms,
       required_capabilities, budget_ids, quota_policy_id, policy IS NOT NULL AS policy
  FROM ff_exec_core WHERE lane_id = 'executions policy' ORDER BY execution_id;

-- NULL for an optional argument is its default.
SELECT outcome, public_state FROM ff_create_execution('executions', NULL, NULL, NULL, NULL, NULL,
  NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, pg_temp.id(6));
SELECT priority, required_capabilities, policy, namespace, raw_fields - 'creator_identity' AS raw_fields
  FROM ff_exec_core WHERE execution_id = ff_execution_uuid(pg_temp.id(6));
SELECT pg_temp.refused('SELECT ff_create_execution(NULL)');

-- A delay makes it delayed; the first look at it is the state it has.
SELECT * FROM ff_create_execution('executions', delay_until => ff_from_ms(1000001),
                                  execution_id => pg_temp.id(7));
-- An id that exists: its duplicate, whatever the other arguments say, and nothing is written.
SELECT * FROM ff_create_execution('executions elsewhere', execution_id => pg_temp.id(7));
SELECT * FROM ff_create_execution('executions', execution_id => upper(pg_temp.id(7)));
SELECT * FROM ff_create_execution('executions', execution_id => replace(upper(pg_temp.id(7)), 'FP', 'fp'));
SELECT count(*) AS lanes FROM ff_lane_registry WHERE lane_id = 'executions elsewhere';

-- Idempotency keys: one execution a namespace, key and window.
SELECT * FROM ff_create_execution('executions', idempotency_key => 'order-17', dedup_window_ms => 1000,
                                  execution_id => pg_temp.id(10));
SELECT * FROM ff_create_execution('executions elsewhere', payload => 'other', priority => 3,
                                  idempotency_key => 'order-17', execution_id => pg_temp.id(11));
SELECT * FROM ff_create_execution('executions', idempotency_key => 'order-17', namespace => 'ns',
                                  execution_id => pg_temp.id(12));
SELECT * FROM ff_create_execution('executions', idempotency_key => '', execution_id => pg_temp.id(13));
SELECT * FROM ff_create_execution('executions', idempotency_key => '', execution_id => pg_temp.id(14));
-- the last millisecond of the window, and the one after: the new one takes the key over
SET ffengine.test_now_ms = '1000999';
SELECT * FROM ff_create_execution('executions', idempotency_key => 'order-17', execution_id => pg_temp.id(15));
SET ffengine.test_now_ms = '1001000';
SELECT * FROM ff_create_execution('executions', idempotency_key => 'order-17', execution_id => pg_temp.id(15));
SELECT * FROM ff_create_execution('executions', idempotency_key => 'order-17', execution_id => pg_temp.id(16));
SELECT namespace, idempotency_key, right(execution_id::text, 2) AS n, created_at_ms, expires_at_ms
  FROM ff_execution_dedup WHERE idempotency_key = 'order-17' ORDER BY namespace;
-- that execution has been trimmed: the key is free
DELETE FROM ff_exec_core WHERE execution_id = ff_execution_uuid(pg_temp.id(15));
SELECT * FROM ff_create_execution('executions', idempotency_key => 'order-17', execution_id => pg_temp.id(17));
-- its state is the present one
SELECT * FROM ff_create_execution('executions key', idempotency_key => 'k', execution_id => pg_temp.id(18),
                                  policy => '{"dedup_window_ms": 5}');
SELECT claim_kind FROM ff_claim('executions key', 'w', 'w-1');
SELECT * FROM ff_create_execution('executions key', idempotency_key => 'k', policy => '{"dedup_window_ms": 5}');
-- the window is the policy's without an argument, the setting's without both
SET ffengine.execution_dedup_window = '10s';
SELECT outcome FROM ff_create_execution('executions', idempotency_key => 'k2', execution_id => pg_temp.id(19));
RESET ffengine.execution_dedup_window;
SELECT idempotency_key, expires_at_ms - created_at_ms AS window_ms
  FROM ff_execution_dedup WHERE idempotency_key IN ('k', 'k2') ORDER BY 1;
-- a key is not left behind where the id turns out to be taken
SELECT outcome FROM ff_create_execution('executions', idempotency_key => 'k3', execution_id => pg_temp.id(19));
SELECT count(*) AS keys FROM ff_execution_dedup WHERE idempotency_key = 'k3';

-- Lanes: draining and disabled ones take nothing new, paused ones do.
INSERT INTO ff_lane_registry (lane_id, registered_at_ms, registered_by, state) VALUES
  ('executions paused', 1, 'test', 'paused'), ('executions draining', 1, 'test', 'draining'),
  ('executions disabled', 1, 'test', 'disabled');
SELECT l, pg_temp.refused(format('SELECT ff_create_execution(%L)', 'executions ' || l)) AS refusal
  FROM unnest('{paused, draining, disabled}'::text[]) l;
SELECT registered_by FROM ff_lane_registry WHERE lane_id = 'executions paused';

-- Flows: a member has the flow's partition, and raises its revision.
INSERT INTO ff_flow_core (partition_key, flow_id, public_flow_state, created_at_ms)
SELECT ff_flow_partition(f), f, s, 1
  FROM (VALUES ('11111111-1111-4111-8111-111111111111'::uuid, 'open'),
               ('11111111-1111-4111-8111-111111111112', 'completed'),
               ('11111111-1111-4111-8111-111111111113', 'failed'),
               ('11111111-1111-4111-8111-111111111114', 'cancelled'),
               ('11111111-1111-4111-8111-111111111115', 'reviewing')) f(f, s);
INSERT INTO ff_flow_summary (partition_key, flow_id, public_flow_state, last_summary_update_at, settled)
VALUES (191, '11111111-1111-4111-8111-111111111111', 'completed', 1, true);
SELECT outcome, ff_execution_partition(execution_id) AS partition, public_state
  FROM ff_create_execution('executions', flow_id => '11111111-1111-4111-8111-111111111111');
SELECT outcome FROM ff_create_execution('executions', flow_id => '11111111-1111-4111-8111-111111111111',
  execution_id => '{fp:191}:00000000-0000-0000-0003-000000000020');
SELECT outcome FROM ff_create_execution('executions', flow_id => '11111111-1111-4111-8111-111111111111',
  execution_id => '{fp:191}:00000000-0000-0000-0003-000000000020');
SELECT f.graph_revision, f.raw_fields, s.settled
  FROM ff_flow_core f JOIN ff_flow_summary s USING (partition_key, flow_id);
SELECT right(f, 1) AS flow, pg_temp.refused(format(
         'SELECT ff_create_execution(%L, flow_id => %L)', 'executions', f)) AS refusal
  FROM unnest('{11111111-1111-4111-8111-111111111112, 11111111-1111-4111-8111-111111111113,
                11111111-1111-4111-8111-111111111114, 11111111-1111-4111-8111-111111111115,
                11111111-1111-4111-8111-111111111119}'::text[]) f;
SELECT pg_temp.refused($$SELECT ff_create_execution('executions', flow_id => '11111111-1111-4111-8111-111111111111',
  execution_id => '{fp:7}:00000000-0000-0000-0003-000000000021')$$);

-- A past deadline is accepted; the execution expires, no claim gets it.
SELECT * FROM ff_create_execution('executions late', deadline_at => ff_from_ms(0), execution_id => pg_temp.id(22));
SELECT count(*) FROM ff_claim('executions late', 'w', 'w-1');

-- Creating writes no event but the instance tag's.
SELECT outcome FROM ff_create_execution('executions', tags => '{"cairn.instance_id": "i-7"}', execution_id => pg_temp.id(23));
SELECT outcome FROM ff_create_execution('executions', tags => '{"cairn.instance_id": "i-8"}', execution_id => pg_temp.id(23));
SELECT event_type, tag FROM ff_instance_tag_event WHERE execution_id = '00000000-0000-0000-0003-000000000023';
SELECT (SELECT count(*) FROM ff_completion_event WHERE execution_id::text LIKE '%-0003-%') AS completions,
       (SELECT count(*) FROM ff_operator_event WHERE execution_id LIKE '%-0003-%') AS operator_events;

-- Rolled back, it was never there.
BEGIN;
SELECT outcome FROM ff_create_execution('executions', idempotency_key => 'k4', execution_id => pg_temp.id(24));
ROLLBACK;
SELECT outcome FROM ff_create_execution('executions', idempotency_key => 'k4', execution_id => pg_temp.id(24));
