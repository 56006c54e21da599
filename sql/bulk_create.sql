-- Ingress of many: ff_create_executions (chapter 04, section 2.2).
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
  $$ SELECT '{fp:7}:00000000-0000-0000-0006-' || lpad(n::text, 12, '0') $$;
CREATE FUNCTION pg_temp.refusal(executions jsonb, defaults jsonb DEFAULT NULL) RETURNS text LANGUAGE sql AS
  $$ SELECT pg_temp.refused(format('SELECT ff_create_executions(%L, %L)', executions, defaults)) $$;

SET ffengine.test_now_ms = '1000000';

-- Rows come back in input order; defaults give what an element lacks, and a null hides them.
SELECT ordinal, outcome, right(execution_id, 2) AS n, public_state
  FROM ff_create_executions(format('[{"execution_id": "%s", "payload": {"n": 1}},
                                     {"execution_id": "%s", "lane_id": "bulk b", "priority": 9001},
                                     {"execution_id": "%s", "priority": null, "delay_until": "1970-01-01 00:20:00+00"}]',
                                   pg_temp.id(3), pg_temp.id(1), pg_temp.id(2))::jsonb,
                            '{"lane_id": "bulk a", "priority": 5, "namespace": "ns", "tags": {"shop.order": "17"},
                              "required_capabilities": ["gpu", "eu", "gpu"], "creator_identity": "Anna"}');
SELECT right(execution_id::text, 1) AS n, lane_id, priority, required_capabilities, eligible_at_ms, raw_fields
  FROM ff_exec_core WHERE execution_id::text LIKE '%-0006-%' ORDER BY 1;
SELECT lane_id, registered_by FROM ff_lane_registry WHERE lane_id LIKE 'bulk%' ORDER BY 1;

-- A payload is any JSON value, stored as its text; or raw bytes.
SELECT count(*)
  FROM ff_create_executions((SELECT jsonb_agg(v.element || jsonb_build_object('execution_id', pg_temp.id(20 + v.n::integer)) ORDER BY v.n)
                               FROM (VALUES (1, '{"payload": {"b": [1, "ä"], "a": null}}'::jsonb), (2, '{"payload": "text"}'),
                                            (3, '{"payload": 1.50}'), (4, '{"payload": null}'),
                                            (5, '{"payload": [], "payload_encoding": "jsonb"}'),
                                            (6, '{"payload_base64": "ew0K"}'), (7, '{"payload_base64": ""}'), (8, '{}')) v(n, element)),
                            '{"lane_id": "bulk payloads"}');
SELECT right(execution_id::text, 1) AS n, payload, convert_from(payload, 'UTF8') AS text, raw_fields ->> 'payload_encoding' AS encoding
  FROM ff_exec_core WHERE lane_id = 'bulk payloads' ORDER BY execution_id;

-- Nothing to do.
SELECT * FROM ff_create_executions('[]');

-- A key or an id that is repeated makes the later a duplicate of the earlier; a key in its window
-- is a duplicate of the execution it stands for.
SELECT * FROM ff_create_executions(format('[{"execution_id": "%s", "idempotency_key": "b"}, {"idempotency_key": "a", "execution_id": "%s"},
    {"idempotency_key": "b"}, {"execution_id": "%1$s", "priority": 3}, {"execution_id": "%1$s", "idempotency_key": "c"}]',
    pg_temp.id(10), pg_temp.id(11))::jsonb, '{"lane_id": "bulk keys", "namespace": "bulk"}');
SELECT ordinal, outcome, right(execution_id, 2) AS n
  FROM ff_create_executions(format('[{"idempotency_key": "a"}, {"idempotency_key": "c", "execution_id": "%s"}, {"idempotency_key": "a"}]',
    pg_temp.id(12))::jsonb, '{"lane_id": "bulk elsewhere", "namespace": "bulk", "dedup_window_ms": 50}');
SELECT idempotency_key, right(execution_id::text, 2) AS n, expires_at_ms - created_at_ms AS window_ms
  FROM ff_execution_dedup WHERE namespace = 'bulk' ORDER BY 1;
-- a lane that only duplicates name stays unknown
SELECT outcome FROM ff_create_executions('[{"idempotency_key": "a", "namespace": "bulk", "lane_id": "bulk nowhere"}]');
SELECT count(*) FROM ff_lane_registry WHERE lane_id = 'bulk nowhere';

-- One bad element refuses the whole call, and is named.
SELECT pg_temp.refusal('[{"lane_id": "bulk bad"}, {"lane_id": ""}, {"lane_id": "bulk bad"}]') AS refusal;
SELECT count(*) FROM ff_exec_core WHERE lane_id = 'bulk bad';
SELECT n, pg_temp.refusal(jsonb_build_array('{}'::jsonb, element), '{"lane_id": "bulk bad"}') AS refusal
  FROM (VALUES (1, '{"priority": "9"}'::jsonb), (2, '{"lane": "x"}'), (3, '[]'), (4, '{"lane_id": null}'),
               (5, '{"policy": {"retry_policy": {"max_retries": "3"}}}'), (6, '{"policy": 1}'),
               (7, '{"tags": {"no_dot": "1"}}'), (8, '{"tags": []}'), (9, '{"required_capabilities": ["a b"]}'),
               (10, '{"required_capabilities": "gpu"}'), (11, '{"execution_id": "x"}'), (12, '{"flow_id": "x"}'),
               (13, '{"flow_id": "11111111-1111-4111-8111-111111111119"}'), (14, '{"delay_until": "soon"}'),
               (15, '{"deadline_at": "infinity"}'), (16, '{"payload": 1, "payload_base64": ""}'),
               (17, '{"payload_base64": "a"}'), (18, '{"dedup_window_ms": 0}'), (19, '{"namespace": "a b"}')) v(n, element)
 ORDER BY n;
SELECT pg_temp.refusal('[{"lane_id": "bulk bad"}]', '{"lanes": 1}') AS defaults,
       pg_temp.refusal('{}') AS not_an_array, pg_temp.refusal(NULL) AS nothing;
SELECT pg_temp.refusal((SELECT jsonb_agg('{}'::jsonb) FROM generate_series(1, 10001)), '{"lane_id": "x"}') AS too_many;
SET ffengine.max_payload_size = '1kB';
SELECT pg_temp.refusal(jsonb_build_array(jsonb_build_object('payload', repeat('x', 1023))), '{"lane_id": "bulk bad"}') AS payload;
RESET ffengine.max_payload_size;
-- elements are not bound by the limit of other jsonb arguments, their policies and tags are
SELECT count(*) FROM ff_create_executions((SELECT jsonb_agg(jsonb_build_object('payload', repeat('x', 1000)))
                                             FROM generate_series(1, 300)), '{"lane_id": "bulk large"}');
SELECT pg_temp.refusal(jsonb_build_array(jsonb_build_object('policy', repeat('x', 300000))), '{"lane_id": "bulk bad"}') AS policy;

-- Lanes: each is looked up once, the first element of one that takes nothing is named.
INSERT INTO ff_lane_registry (lane_id, registered_at_ms, registered_by, state) VALUES
  ('bulk draining', 1, 'test', 'draining'), ('bulk paused', 1, 'test', 'paused');
SELECT outcome FROM ff_create_executions('[{"lane_id": "bulk paused"}]');
SELECT pg_temp.refusal('[{"lane_id": "bulk paused"}, {"lane_id": "bulk draining"}, {"lane_id": "bulk draining"}]') AS refusal;

-- Flows: members are counted once, duplicates are not.
INSERT INTO ff_flow_core (partition_key, flow_id, public_flow_state, created_at_ms)
SELECT ff_flow_partition(f), f, s, 1
  FROM (VALUES ('11111111-1111-4111-8111-111111111161'::uuid, 'open'),
               ('11111111-1111-4111-8111-111111111162', 'open'),
               ('11111111-1111-4111-8111-111111111163', 'cancelled')) f(f, s);
SELECT ordinal, outcome
  FROM ff_create_executions('[{"flow_id": "11111111-1111-4111-8111-111111111162"}, {"idempotency_key": "f"},
                              {}, {"flow_id": null}, {"idempotency_key": "f"}]',
                            '{"lane_id": "bulk flows", "flow_id": "11111111-1111-4111-8111-111111111161"}');
SELECT right(flow_id::text, 1) AS flow, graph_revision, raw_fields FROM ff_flow_core
 WHERE flow_id::text LIKE '%11116_' ORDER BY 1;
SELECT pg_temp.refusal('[{}, {"flow_id": "11111111-1111-4111-8111-111111111163"}]', '{"lane_id": "bulk bad"}') AS refusal;
SET ffengine.max_flow_members = 4;
SELECT pg_temp.refusal('[{}, {}, {}]', '{"lane_id": "bulk bad", "flow_id": "11111111-1111-4111-8111-111111111161"}') AS refusal;
RESET ffengine.max_flow_members;

-- Many go through the same index as one: claimed by priority.
SELECT count(*) FROM ff_create_executions((SELECT jsonb_agg(jsonb_build_object('priority', n)) FROM generate_series(1, 1000) n),
                                          '{"lane_id": "bulk many"}');
SELECT array_agg(priority) FROM ff_claim('bulk many', 'w', 'w-1', max_claims => 3);
-- and a role with submitter may
CREATE ROLE regress_bulk;
SELECT outcome FROM ff_grant_access('regress_bulk', 'submitter');
SET ROLE regress_bulk;
SELECT count(*) FROM ff_create_executions('[{"lane_id": "bulk role"}]');
RESET ROLE;
SELECT raw_fields ->> 'creator_identity' AS creator FROM ff_exec_core WHERE lane_id = 'bulk role';
SELECT outcome FROM ff_revoke_access('regress_bulk', 'submitter');
DROP ROLE regress_bulk;
