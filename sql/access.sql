-- Access sets: what a role may do with none, with each, with all of them.
\set VERBOSITY terse
\set SHOW_CONTEXT never
SET client_min_messages = warning;

CREATE TEMP VIEW member AS
  SELECT d.classid, d.objid
    FROM pg_extension x
    JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = x.oid
                    AND d.deptype = 'e'
   WHERE x.extname = 'ffengine';
CREATE TEMP VIEW member_function AS
  SELECT p.oid, p.proname, p.proname || '(' || oidvectortypes(p.proargtypes) || ')' AS signature
    FROM pg_proc p JOIN member m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
   WHERE p.prorettype <> 'trigger'::regtype;
CREATE TEMP VIEW member_class AS
  SELECT c.oid, c.relname, c.relkind
    FROM pg_class c JOIN member m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid;

-- every function has a set or is the owner's, and not both; every row has its function
SELECT f.signature AS without_set
  FROM member_function f LEFT JOIN ff_access_function a ON a.function_signature = f.signature
 WHERE a.access IS NULL;
SELECT a.*
  FROM ff_access_function a LEFT JOIN member_function f ON a.function_signature = f.signature
 WHERE f.oid IS NULL;
SELECT function_signature FROM ff_access_function
 GROUP BY 1 HAVING bool_or(access = 'owner') AND count(*) > 1;
SELECT function_signature FROM ff_access_function WHERE access = 'owner' ORDER BY 1;
SELECT string_agg(access, ' ' ORDER BY access) AS sets
  FROM ff_access_function WHERE function_signature IN ('ff_crc16(bytea)', 'ff_execution_uuid(text)')
 GROUP BY function_signature;

-- a role for each set, one with none, one with all
CREATE ROLE regress_none;
CREATE ROLE regress_submitter;
CREATE ROLE regress_worker;
CREATE ROLE regress_signaler;
CREATE ROLE regress_operator;
CREATE ROLE regress_reader;
CREATE ROLE regress_all;
SELECT access, g.outcome,
       g.functions = (SELECT count(*) FROM ff_access_function f WHERE f.access = s.access) AS whole
  FROM unnest('{submitter,worker,signaler,operator,reader}'::text[]) AS s (access),
       LATERAL ff_grant_access('regress_' || access, access) g;
SELECT bool_and(outcome = 'granted') AS all_granted
  FROM unnest('{submitter,worker,signaler,operator,reader}'::text[]) AS s (access),
       LATERAL ff_grant_access('regress_all', access);
SELECT role_name, access, granted_at BETWEEN now() - interval '1 hour' AND clock_timestamp() AS recently,
       granted_by = current_user AS by_me
  FROM ff_access WHERE role_name <> 'regress_all' ORDER BY 1, 2;

-- exactly the functions of the set, whatever the role; no table, no sequence, nothing to pass on
CREATE TEMP VIEW test_role AS
  SELECT rolname, substr(rolname, length('regress_') + 1) AS access FROM pg_roles
   WHERE rolname IN ('regress_none', 'regress_submitter', 'regress_worker', 'regress_signaler',
                     'regress_operator', 'regress_reader', 'regress_all');
SELECT r.rolname, f.signature, has_function_privilege(r.rolname, f.oid, 'EXECUTE') AS may
  FROM test_role r CROSS JOIN member_function f
 WHERE has_function_privilege(r.rolname, f.oid, 'EXECUTE') <>
       EXISTS (SELECT FROM ff_access_function a
                WHERE a.function_signature = f.signature
                  AND (a.access = r.access OR r.access = 'all' AND a.access <> 'owner'));
SELECT r.rolname, c.relname
  FROM test_role r CROSS JOIN member_class c
 WHERE c.relkind = 'r'
   AND (has_table_privilege(r.rolname, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
        OR has_any_column_privilege(r.rolname, c.oid, 'SELECT, INSERT, UPDATE'));
SELECT r.rolname, c.relname
  FROM test_role r CROSS JOIN member_class c
 WHERE c.relkind = 'S' AND has_sequence_privilege(r.rolname, c.oid, 'USAGE, SELECT, UPDATE');
SELECT r.rolname,
       bool_and(has_table_privilege(r.rolname, c.oid, 'SELECT')) FILTER (WHERE c.relname = 'ff_error_code') AS error_code,
       count(*) FILTER (WHERE c.relname <> 'ff_error_code' AND has_table_privilege(r.rolname, c.oid, 'SELECT')) > 0 AS any_view,
       bool_and(has_table_privilege(r.rolname, c.oid, 'SELECT')) AS every_view,
       bool_or(has_table_privilege(r.rolname, c.oid, 'INSERT, UPDATE, DELETE')) AS writes
  FROM test_role r CROSS JOIN member_class c
 WHERE c.relkind = 'v' GROUP BY r.rolname ORDER BY r.rolname COLLATE "C";
SELECT p.proname FROM pg_proc p JOIN member_function f USING (oid), LATERAL aclexplode(p.proacl) a
 WHERE a.is_grantable AND a.grantee <> p.proowner;

-- with none: nothing at all
\set VERBOSITY sqlstate
SET ROLE regress_none;
SELECT ff_crc16('x');
SELECT * FROM ff_claim('access', 'w', 'w-1');
SELECT * FROM ff_error_code;
SELECT * FROM ff_executions;
SELECT * FROM ff_exec_core;
SELECT nextval('ff_lease_event_event_id_seq');
SELECT * FROM ff_grant_access('regress_none', 'operator');
RESET ROLE;

-- operator: steers, does not work and does not look
\set VERBOSITY terse
SET ROLE regress_operator;
SELECT outcome FROM ff_rotate_waitpoint_hmac_secret_all('access-kid');
\set VERBOSITY sqlstate
SELECT * FROM ff_claim('access', 'w', 'w-1');
SELECT * FROM ff_create_execution('access');
SELECT * FROM ff_executions;
SELECT secret FROM ff_waitpoint_hmac;
SELECT * FROM ff_grant_access('regress_none', 'operator');
SELECT * FROM ff_revoke_access('regress_worker', 'worker');
RESET ROLE;

-- submitter: creates, does not claim
SET ROLE regress_submitter;
SELECT outcome, public_state FROM ff_create_execution('access', execution_id =>
         ff_execution_id_new('access', '00000000-0000-0000-0000-00000000acc1'));
SELECT * FROM ff_claim('access', 'w', 'w-1');
SELECT * FROM ff_executions;
SELECT * FROM ff_exec_core;
RESET ROLE;
SELECT raw_fields ->> 'creator_identity' AS creator FROM ff_exec_core
 WHERE execution_id = '00000000-0000-0000-0000-00000000acc1';

-- worker: claims and completes, does not create and does not look
SET ROLE regress_worker;
SELECT claim_kind, handle FROM ff_claim('access', 'w', 'w-1') \gset
\echo :claim_kind
SELECT outcome, public_state FROM ff_complete(:'handle');
SELECT * FROM ff_create_execution('access');
SELECT * FROM ff_exec_core;
SELECT * FROM ff_executions;
SELECT count(*) > 0 AS readable FROM ff_error_code;
SELECT * FROM ff_rotate_waitpoint_hmac_secret_all('access-kid2');
RESET ROLE;

-- signaler: delivers and nothing else; without a token everything answers alike
SET ROLE regress_signaler;
SELECT * FROM ff_deliver_signal(ff_execution_id(0, gen_random_uuid()), gen_random_uuid(), 'no-token', 'approved');
SELECT ff_lane_partition('access');
SELECT * FROM ff_claim('access', 'w', 'w-1');
SELECT * FROM ff_executions;
RESET ROLE;

-- reader: looks through views
SET ROLE regress_reader;
SELECT lane_id, public_state, terminal_outcome FROM ff_executions WHERE lane_id = 'access';
SELECT attempt_index, state, outcome FROM ff_attempts WHERE lane_id = 'access';
SELECT count(*) FROM ff_suspensions WHERE lane_id = 'access';
SELECT lane_id, state, live FROM ff_lanes WHERE lane_id = 'access';
SELECT count(*) FROM ff_access WHERE role_name = 'regress_reader';
SELECT kid, is_current FROM ff_list_waitpoint_hmac_kids() WHERE kid = 'access-kid';
SELECT * FROM ff_exec_core;
SELECT * FROM ff_claim('access', 'w', 'w-1');
SELECT * FROM ff_reissue_waitpoint_token(ff_execution_id(0, gen_random_uuid()), gen_random_uuid());
RESET ROLE;

-- with all five sets: neither the keystore, nor a signature, nor access to give
SET ROLE regress_all;
SELECT secret FROM ff_waitpoint_hmac;
SELECT count(*) FROM ff_waitpoint_hmac;
COPY ff_waitpoint_hmac TO STDOUT;
SELECT ff_hmac_sign('s', 'k', 'msg');
SELECT ff_hmac_verify('s', 'k', 'msg', 'k:00');
SELECT * FROM ff_grant_access('regress_none', 'reader');
SELECT * FROM ff_revoke_access('regress_all', 'reader');
SELECT token FROM ff_waitpoint_pending;
RESET ROLE;

-- no view shows what it must not
SELECT c.relname, a.attname
  FROM member_class c JOIN pg_attribute a ON a.attrelid = c.oid
 WHERE c.relkind = 'v' AND a.attname IN ('payload', 'result', 'policy', 'token', 'secret');

-- again: repaired, also where a privilege had been taken by hand
\set VERBOSITY terse
REVOKE EXECUTE ON FUNCTION ff_renew FROM regress_worker;
SELECT has_function_privilege('regress_worker', 'ff_renew(bytea, bigint)', 'EXECUTE');
SELECT outcome FROM ff_grant_access('regress_worker', 'worker');
SELECT has_function_privilege('regress_worker', 'ff_renew(bytea, bigint)', 'EXECUTE');

-- a second set goes without taking from the first, but for the views
SELECT outcome FROM ff_grant_access('regress_worker', 'reader');
SELECT outcome, functions FROM ff_revoke_access('regress_worker', 'signaler');
SELECT outcome, functions = (SELECT count(*) FROM (
         SELECT function_signature FROM ff_access_function WHERE access = 'reader'
         EXCEPT SELECT function_signature FROM ff_access_function WHERE access = 'worker') only_reader)
       AS only_the_readers
  FROM ff_revoke_access('regress_worker', 'reader');
SELECT bool_and(has_function_privilege('regress_worker', function_signature, 'EXECUTE')) AS works_on
  FROM ff_access_function WHERE access = 'worker';
SELECT has_table_privilege('regress_worker', 'ff_executions', 'SELECT') AS views,
       has_table_privilege('regress_worker', 'ff_error_code', 'SELECT') AS error_code;
SELECT outcome FROM ff_revoke_access('regress_worker', 'reader');

-- the last set takes the rest along
SELECT outcome, functions = (SELECT count(*) FROM ff_access_function WHERE access = 'worker') AS whole
  FROM ff_revoke_access('regress_worker', 'worker');
SELECT count(*) FROM member_function f
 WHERE has_function_privilege('regress_worker', f.oid, 'EXECUTE');
SELECT has_table_privilege('regress_worker', 'ff_error_code', 'SELECT') AS error_code;
SELECT count(*) FROM ff_access WHERE role_name = 'regress_worker';

-- what a group has, its members have
CREATE ROLE regress_member IN ROLE regress_submitter;
SET ROLE regress_member;
SELECT ff_lane_partition('default');
RESET ROLE;

-- refused; a name is never SQL
\set VERBOSITY default
SELECT * FROM ff_grant_access('nobody_here', 'worker');
SELECT * FROM ff_revoke_access('nobody_here', 'worker');
SELECT * FROM ff_grant_access('regress_none', 'admin');
SELECT * FROM ff_grant_access('regress_none', 'owner');
SELECT * FROM ff_grant_access('public', 'worker');
SELECT * FROM ff_grant_access(NULL, 'worker');
SELECT * FROM ff_grant_access('regress_none', NULL);
SELECT * FROM ff_grant_access('regress_none; DROP TABLE ff_exec_core', 'worker');
CREATE ROLE "regress ""a"", regress_none; --";
SELECT outcome FROM ff_grant_access('regress "a", regress_none; --', 'signaler');
SELECT has_function_privilege('regress_none', 'ff_crc16(bytea)', 'EXECUTE');
SELECT outcome FROM ff_revoke_access('regress "a", regress_none; --', 'signaler');
DROP ROLE "regress ""a"", regress_none; --";
CREATE ROLE "REGRESS_none";
SELECT outcome FROM ff_grant_access('REGRESS_none', 'signaler');
SELECT has_function_privilege('regress_none', 'ff_crc16(bytea)', 'EXECUTE');
SELECT outcome FROM ff_revoke_access('REGRESS_none', 'signaler');
DROP ROLE "REGRESS_none";

-- rolled back, nothing is left
BEGIN;
SELECT outcome FROM ff_grant_access('regress_none', 'worker');
ROLLBACK;
SELECT count(*) FROM ff_access WHERE role_name = 'regress_none';

-- every function a forger could be called through looks into pg_catalog and the extension alone
\set VERBOSITY terse
CREATE SCHEMA regress_forged;
CREATE TABLE regress_forged.ff_exec_core (LIKE ff_exec_core INCLUDING ALL);
CREATE TABLE regress_forged.ff_lane_registry (lane_id text);
CREATE FUNCTION regress_forged.forged(text, text) RETURNS boolean LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'a forged operator ran as %', current_user; END $$;
CREATE OPERATOR regress_forged.= (LEFTARG = text, RIGHTARG = text, FUNCTION = regress_forged.forged);
GRANT USAGE ON SCHEMA regress_forged TO regress_submitter;
GRANT ALL ON ALL TABLES IN SCHEMA regress_forged TO regress_submitter;
SET ROLE regress_submitter;
CREATE TEMP TABLE ff_exec_core (execution_id uuid);
CREATE TEMP TABLE ff_execution_dedup (execution_id uuid);
SET search_path = pg_temp, regress_forged, pg_catalog, public;
SELECT outcome FROM ff_create_execution('access', idempotency_key => 'forged');
SELECT outcome FROM ff_create_execution('access', idempotency_key => 'forged');
SELECT count(*) FROM pg_temp.ff_exec_core;
SELECT count(*) FROM regress_forged.ff_exec_core;
RESET search_path;
RESET ROLE;
SELECT count(*) FROM public.ff_exec_core WHERE raw_fields ->> 'idempotency_key' = 'forged';

-- leave no role behind
DROP TABLE pg_temp.ff_exec_core, pg_temp.ff_execution_dedup;
DROP SCHEMA regress_forged CASCADE;
SELECT role_name, access, outcome
  FROM ff_access, LATERAL ff_revoke_access(role_name, access)
 WHERE role_name LIKE 'regress\_%' AND role_name <> 'regress_all'
 ORDER BY role_name, access;
SELECT bool_and(outcome = 'revoked') AS all_revoked
  FROM (SELECT access FROM ff_access WHERE role_name = 'regress_all' OFFSET 0) s,
       LATERAL ff_revoke_access('regress_all', access);
DELETE FROM ff_exec_core WHERE lane_id = 'access';
DELETE FROM ff_attempt WHERE execution_id = '00000000-0000-0000-0000-00000000acc1';
DELETE FROM ff_lease_event WHERE execution_id = '00000000-0000-0000-0000-00000000acc1';
DELETE FROM ff_completion_event WHERE execution_id = '00000000-0000-0000-0000-00000000acc1';
DELETE FROM ff_execution_dedup WHERE idempotency_key = 'forged';
DELETE FROM ff_lane_registry WHERE lane_id = 'access';
DELETE FROM ff_waitpoint_hmac WHERE kid = 'access-kid';
DROP ROLE regress_member, regress_none, regress_submitter, regress_worker, regress_signaler,
          regress_operator, regress_reader, regress_all;
