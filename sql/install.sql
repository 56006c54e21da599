-- What CREATE EXTENSION leaves in a database. The tests after this one find the extension here.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION ffengine CASCADE;

-- its members, for the checks below
CREATE TEMP VIEW member AS
  SELECT d.classid, d.objid
    FROM pg_extension x
    JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = x.oid
                    AND d.deptype = 'e'
   WHERE x.extname = 'ffengine';
CREATE TEMP VIEW member_function AS
  SELECT p.* FROM pg_proc p JOIN member m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid;
CREATE TEMP VIEW member_class AS
  SELECT c.* FROM pg_class c JOIN member m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid;

-- states are enums, their values in this order
\pset format unaligned
\pset tuples_only on
SELECT t.typname || E'\n  ' || string_agg(e.enumlabel, E'\n  ' ORDER BY e.enumsortorder)
  FROM member m
  JOIN pg_type t ON m.classid = 'pg_type'::regclass AND m.objid = t.oid
  JOIN pg_enum e ON e.enumtypid = t.oid
 GROUP BY t.typname ORDER BY t.typname COLLATE "C";
\pset tuples_only off
\pset format aligned

SELECT count(*) AS tables FROM member_class WHERE relkind = 'r';
SELECT relname FROM member_class WHERE relkind = 'v'
 ORDER BY relname COLLATE "C";
SELECT * FROM ff_partition_config;

-- everything has a comment
SELECT relname FROM member_class
 WHERE relkind IN ('r', 'v') AND coalesce(obj_description(oid, 'pg_class'), '') = '';
SELECT oid::regprocedure FROM member_function
 WHERE coalesce(obj_description(oid, 'pg_proc'), '') = '';

-- nothing is open to everybody
SELECT relname FROM member_class, LATERAL aclexplode(relacl) a WHERE a.grantee = 0;
SELECT relname FROM member_class WHERE relkind IN ('r', 'v', 'S') AND relacl IS NULL;
SELECT oid::regprocedure FROM member_function, LATERAL aclexplode(proacl) a WHERE a.grantee = 0;
SELECT oid::regprocedure FROM member_function WHERE proacl IS NULL;

-- functions run as their owner, with names resolved in pg_catalog alone; a trigger runs no others
SELECT oid::regprocedure AS unsafe
  FROM member_function
 WHERE prorettype <> 'trigger'::regtype
   AND NOT (prosecdef AND 'search_path=pg_catalog, pg_temp' = ANY (proconfig));

-- declared truthfully: who writes is volatile and not parallel safe, constants are immutable
SELECT proname, provolatile, proisstrict, proparallel
  FROM member_function
 WHERE proname IN ('ff_crc16', 'ff_execution_id_new', 'ff_handle_decode', 'ff_hmac_sign',
                   'ff_server_time_ms', 'ff_create_execution', 'ff_claim', 'ff_complete',
                   'ff_suspend', 'ff_deliver_signal', 'ff_observe_signals', 'ff_grant_access')
 ORDER BY proname COLLATE "C";

-- a dump carries the rows of every table and sequence but these
SELECT c.relname, c.relkind
  FROM member_class c
  JOIN pg_extension x ON x.extname = 'ffengine'
 WHERE c.relkind IN ('r', 'S') AND c.oid <> ALL (x.extconfig)
 ORDER BY c.relname COLLATE "C";
SELECT u.oid::regclass, u.condition
  FROM pg_extension x, unnest(x.extconfig, x.extcondition) AS u(oid, condition)
 WHERE x.extname = 'ffengine' AND u.condition <> '';

-- the catalogue of errors
SELECT class, retryable, count(*) AS kinds, min(sqlstate) AS first, max(sqlstate) AS last
  FROM ff_error_code GROUP BY class, retryable ORDER BY min(sqlstate) COLLATE "C";
SELECT count(*), count(DISTINCT sqlstate) AS codes, count(DISTINCT kind) AS kinds,
       bool_and(sqlstate ~ '^Z[NVCXSUT][0-9]{3}$') AS well_formed,
       bool_and(meaning <> '') AS explained
  FROM ff_error_code;
SELECT * FROM ff_error_code WHERE kind IN ('not_found', 'lease_conflict', 'already_satisfied');
DO $$
BEGIN
  PERFORM ff_renew(ff_handle_encode('{fp:0}:00000000-0000-0000-0000-000000000000', 0,
                                    gen_random_uuid(), gen_random_uuid(), 1, kind => 'suspended'));
EXCEPTION WHEN SQLSTATE 'ZC004' THEN
  RAISE WARNING 'caught: %', SQLSTATE;
END
$$;

-- the settings, now that the library is loaded
SELECT name, vartype, current_setting(name) AS value, context
  FROM pg_settings WHERE name LIKE 'ffengine.%' ORDER BY name COLLATE "C";
SELECT name, min_val, max_val, unit
  FROM pg_settings WHERE name LIKE 'ffengine.%' AND min_val IS NOT NULL ORDER BY name COLLATE "C";
SELECT name, enumvals FROM pg_settings WHERE name LIKE 'ffengine.%' AND vartype = 'enum';
SELECT name FROM pg_settings
 WHERE name LIKE 'ffengine.%' AND coalesce(short_desc, '') = '';

-- a value out of range is refused by SET itself, whole units are taken
SET ffengine.test_now_ms = '-1';
SET ffengine.test_now_ms = 'abc';
SET ffengine.test_now_ms = '253402300800000';
SET ffengine.test_now_ms = '12 ';
SET ffengine.test_now_ms = '';
SET ffengine.test_now_ms = '253402300799999';
SELECT ff_server_time_ms();
SET ffengine.test_now_ms = '1000000';
SELECT ff_server_time_ms();
RESET ffengine.test_now_ms;
SELECT abs(ff_server_time_ms() - ff_to_ms(clock_timestamp())) < 60000 AS real_clock;
SET ffengine.default_lease_ttl = '0';
SET ffengine.default_lease_ttl = '2min';
SHOW ffengine.default_lease_ttl;
RESET ffengine.default_lease_ttl;
SET ffengine.max_payload_size = '1TB';
SET ffengine.instance_tag_key = 'Not A Key';
SET ffengine.instance_tag_key = '';
RESET ffengine.instance_tag_key;
SET ffengine.notify_mode = 'sometimes';
SET ffengine.notify_delay = '20ms';
SET ffengine.max_databases = 3;

-- a client role cannot lift its own limits
CREATE ROLE regress_client;
SET ROLE regress_client;
SET ffengine.max_payload_size = '512MB';
SET ffengine.test_now_ms = '1';
SET ffengine.notify_mode = 'off';
RESET ROLE;
DROP ROLE regress_client;

-- a row with the required columns alone is complete
BEGIN;
INSERT INTO ff_exec_core (partition_key, execution_id, lane_id, lifecycle_phase, ownership_state,
                          eligibility_state, public_state, attempt_state, created_at_ms)
VALUES (1, '00000000-0000-0000-0000-000000000001', 'l', 'runnable', 'unowned', 'eligible_now',
        'waiting', 'pending_first_attempt', 1);
INSERT INTO ff_attempt (partition_key, execution_id, attempt_index)
VALUES (1, '00000000-0000-0000-0000-000000000001', 0);
INSERT INTO ff_claim_grant (partition_key, grant_id, execution_id, kind, worker_id,
                            worker_instance_id, grant_ttl_ms, issued_at_ms, expires_at_ms)
VALUES (1, '\x01', '00000000-0000-0000-0000-000000000001', 'claim', 'w', 'w-1', 1, 1, 2);
INSERT INTO ff_flow_core (partition_key, flow_id, public_flow_state, created_at_ms)
VALUES (1, '00000000-0000-0000-0000-000000000002', 'open', 1);
INSERT INTO ff_edge (partition_key, flow_id, edge_id, upstream_eid, downstream_eid, policy)
VALUES (1, '00000000-0000-0000-0000-000000000002', '00000000-0000-0000-0000-000000000003',
        '00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000004', '{}');
INSERT INTO ff_edge_group (partition_key, flow_id, downstream_eid, policy)
VALUES (1, '00000000-0000-0000-0000-000000000002', '00000000-0000-0000-0000-000000000004', '{}');
INSERT INTO ff_completion_event (partition_key, execution_id, outcome, occurred_at_ms)
VALUES (1, '00000000-0000-0000-0000-000000000001', 'success', 1);
INSERT INTO ff_lease_event (partition_key, execution_id, event_type, occurred_at_ms)
VALUES (1, 'e', 'acquired', 1);
INSERT INTO ff_signal_event (partition_key, execution_id, signal_id, delivered_at_ms)
VALUES (1, 'e', 's', 1);
INSERT INTO ff_operator_event (partition_key, execution_id, event_type, occurred_at_ms)
VALUES (1, 'e', 'priority_changed', 1);
SELECT namespace, caps_hash, retry_count, budget_ids, required_capabilities, raw_fields
  FROM ff_exec_core;
SELECT lease_epoch, lease_check_at_ms, attempt_type, raw_fields FROM ff_attempt;
SELECT edge_state, policy_version FROM ff_edge;
SELECT group_state, staged_count, total_count FROM ff_edge_group;
SELECT xact_id = pg_current_xact_id() AS stamped, committed_at_ms IS NOT NULL AS recorded
  FROM ff_completion_event;
SELECT execution_id, public_state, worker_id, tags FROM ff_executions;
ROLLBACK;

-- the derived state is there for every vector, possible or not
SELECT count(*) AS vectors, count(ff_derive_public_state(l, e, a, t, o)) AS derived,
       count(DISTINCT ff_derive_public_state(l, e, a, t, o)) AS states
  FROM unnest(enum_range(NULL::ff_lifecycle_phase)) l,
       unnest(enum_range(NULL::ff_eligibility_state)) e,
       unnest(enum_range(NULL::ff_attempt_state)) a,
       unnest(array_append(enum_range(NULL::ff_attempt_outcome), NULL)) t,
       unnest(array_append(enum_range(NULL::ff_attempt_outcome), NULL)) o;
