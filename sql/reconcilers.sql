-- Reconcilers by hand: ff_reconcile, ff_set_reconciler, ff_reconciler_status (chapter 08, section 9).
-- In a database of their own, since they take what is due, whoever made it.
\set VERBOSITY terse
\pset null -
\set home :DBNAME
CREATE DATABASE ff_reconcilers;
\c ff_reconcilers
SET client_min_messages = warning;
CREATE EXTENSION ffengine CASCADE;
RESET client_min_messages;
SET TIME ZONE 'UTC';

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
  $$ SELECT '{fp:7}:00000000-0000-0000-0008-' || lpad(n::text, 12, '0') $$;
CREATE PROCEDURE pg_temp.new(n integer, policy jsonb DEFAULT NULL, delay_until_ms bigint DEFAULT NULL,
    capabilities text[] DEFAULT '{}', namespace text DEFAULT NULL, tags jsonb DEFAULT NULL) LANGUAGE sql AS
  $$ SELECT ff_create_execution('lane ' || n, execution_id => pg_temp.id(n), policy => policy,
              delay_until => ff_from_ms(delay_until_ms), required_capabilities => capabilities,
              namespace => namespace, tags => tags) $$;
CREATE TEMP TABLE ticket (n integer PRIMARY KEY, handle bytea);
-- Each has a lane of its own; a lease runs 10 s.
CREATE PROCEDURE pg_temp.claim(n integer) LANGUAGE sql AS
  $$ INSERT INTO ticket SELECT n, handle FROM ff_claim('lane ' || n, 'w', 'w-' || n, lease_ttl_ms => 10000) $$;
CREATE FUNCTION pg_temp.h(n integer) RETURNS bytea LANGUAGE sql AS
  $$ SELECT handle FROM ticket t WHERE t.n = h.n $$;
CREATE FUNCTION pg_temp.state(n integer) RETURNS text LANGUAGE sql AS
  $$ SELECT concat_ws(' ', public_state, ownership_state, 'index ' || attempt_index)
       FROM ff_exec_core WHERE execution_id = ff_execution_uuid(pg_temp.id(n)) $$;
-- One pass, without what every row has in common.
CREATE FUNCTION pg_temp.pass(name text, max_rows integer DEFAULT NULL, OUT processed bigint, OUT skipped bigint,
    OUT errors bigint, OUT more boolean, OUT next_due_ms bigint) LANGUAGE sql AS
  $$ SELECT processed, skipped, errors, more, ff_to_ms(next_due_at)
       FROM ff_reconcile(pass.name, pass.max_rows) $$;

SET ffengine.test_now_ms = '1000000';

-- All of them, in order; families that this version does not have say so.
SELECT name, processed, skipped, errors, more, next_due_at, details FROM ff_reconcile();
SELECT pg_temp.refused($$SELECT ff_reconcile('nosuch')$$) AS nosuch,
       pg_temp.refused($$SELECT ff_reconcile('flow_projector')$$) AS not_there;
SELECT pg_temp.refused('SELECT ff_reconcile(NULL, 0)') AS zero,
       pg_temp.refused('SELECT ff_reconcile(NULL, 100001)') AS most,
       pg_temp.refused($$SELECT ff_reconcile('lease_expiry', 100000)$$) AS in_range;

-- execution_deadline: T29. Not before its instant, and once.
CALL pg_temp.new(1, '{"timeout_policy": {"execution_deadline_ms": 10000}}');
SET ffengine.test_now_ms = '1009999';
SELECT * FROM pg_temp.pass('execution_deadline');
SET ffengine.test_now_ms = '1010000';
SELECT * FROM pg_temp.pass('execution_deadline');
SELECT pg_temp.state(1);
SELECT * FROM pg_temp.pass('execution_deadline');

-- attempt_timeout: T27 while retries are left, T28 after.
CALL pg_temp.new(2, '{"timeout_policy": {"attempt_timeout_ms": 5000}, "retry_policy": {"max_retries": 1}}');
CALL pg_temp.claim(2);
SET ffengine.test_now_ms = '1014999';
SELECT * FROM pg_temp.pass('attempt_timeout');
SET ffengine.test_now_ms = '1015000';
SELECT * FROM pg_temp.pass('attempt_timeout');
SELECT pg_temp.state(2);
SELECT claim_kind FROM ff_claim('lane 2', 'w', 'w-2', lease_ttl_ms => 10000);
SET ffengine.test_now_ms = '1020000';
SELECT * FROM pg_temp.pass('attempt_timeout');
SELECT pg_temp.state(2);
SELECT * FROM pg_temp.pass('attempt_timeout');
-- the lease ended with its attempt, and so did what was to look at it
SELECT * FROM pg_temp.pass('lease_expiry');

-- lease_expiry: T22. A lease found renewed is looked at again at its end, no sooner.
CALL pg_temp.new(3);
CALL pg_temp.claim(3);
SET ffengine.test_now_ms = '1025000';
SELECT lease_expires_at FROM ff_renew(pg_temp.h(3));
SET ffengine.test_now_ms = '1030000';
SELECT * FROM pg_temp.pass('lease_expiry');
SELECT lease_expires_at_ms, lease_check_at_ms, lease_epoch FROM ff_attempt WHERE execution_id = ff_execution_uuid(pg_temp.id(3));
SELECT * FROM pg_temp.pass('lease_expiry');
SET ffengine.test_now_ms = '1034999';
SELECT * FROM pg_temp.pass('lease_expiry');
SET ffengine.test_now_ms = '1035000';
SELECT * FROM pg_temp.pass('lease_expiry');
SELECT pg_temp.state(3);
SELECT event_type, occurred_at_ms FROM ff_lease_event WHERE execution_id = ff_execution_uuid(pg_temp.id(3))::text ORDER BY event_id;
SELECT * FROM pg_temp.pass('lease_expiry');
-- with a hold: T21, then T22 when nobody reclaimed it, a reclaim grant and the hold being over
CALL pg_temp.new(4, '{"reclaim_hold_ms": 20000}');
CALL pg_temp.claim(4);
SET ffengine.test_now_ms = '1045000';
SELECT * FROM pg_temp.pass('lease_expiry');
SELECT pg_temp.state(4);
SELECT outcome FROM ff_issue_reclaim_grant(pg_temp.id(4), 'w', 'w-5', grant_ttl_ms => 30000);
SET ffengine.test_now_ms = '1065000';
SELECT * FROM pg_temp.pass('lease_expiry');
SELECT lease_check_at_ms FROM ff_attempt WHERE execution_id = ff_execution_uuid(pg_temp.id(4));
SET ffengine.test_now_ms = '1075000';
-- the grant goes by its own reconciler; the execution is held, so it stays where it is
SELECT * FROM pg_temp.pass('claim_grant_expiry');
SELECT pg_temp.state(4);
SELECT * FROM pg_temp.pass('lease_expiry');
SELECT pg_temp.state(4);

-- rows put in by hand are looked at once, also of attempts that are not the current ones
INSERT INTO ff_attempt (partition_key, execution_id, attempt_index, timeout_at_ms)
VALUES (7, ff_execution_uuid(pg_temp.id(1)), 9, 1);
SELECT * FROM pg_temp.pass('lease_expiry');
SELECT * FROM pg_temp.pass('attempt_timeout');
SELECT lease_check_at_ms, timeout_at_ms FROM ff_attempt WHERE attempt_index = 9;
SELECT * FROM pg_temp.pass('lease_expiry');
SELECT * FROM pg_temp.pass('attempt_timeout');
DELETE FROM ff_attempt WHERE attempt_index = 9;

-- suspension_timeout: T20, here with the default behaviour, fail
SELECT outcome FROM ff_seed_waitpoint_hmac_secret('k1', repeat('ab', 32));
CALL pg_temp.new(5);
CALL pg_temp.claim(5);
SELECT outcome FROM ff_suspend(pg_temp.h(5), ff_when('approval'), timeout_at => ff_from_ms(1085000));
SET ffengine.test_now_ms = '1084999';
SELECT * FROM pg_temp.pass('suspension_timeout');
SET ffengine.test_now_ms = '1085000';
SELECT * FROM pg_temp.pass('suspension_timeout');
SELECT pg_temp.state(5);
SELECT * FROM pg_temp.pass('suspension_timeout');

-- pending_waitpoint_expiry: T41
CALL pg_temp.new(6);
CALL pg_temp.claim(6);
SELECT waitpoint_key FROM ff_create_waitpoint(pg_temp.h(6), 'later', expires_in_ms => 2000, waitpoint_id => '00000000-0000-0000-0000-00000000000a');
SET ffengine.test_now_ms = '1086999';
SELECT * FROM pg_temp.pass('pending_waitpoint_expiry');
SET ffengine.test_now_ms = '1087000';
SELECT * FROM pg_temp.pass('pending_waitpoint_expiry');
SELECT state, close_reason, closed_at_ms FROM ff_waitpoint_pending WHERE waitpoint_key = 'later';
SELECT * FROM pg_temp.pass('pending_waitpoint_expiry');

-- delayed_promoter: T34
SELECT outcome FROM ff_complete(pg_temp.h(6));
CALL pg_temp.new(7, delay_until_ms => 1097000);
SELECT * FROM pg_temp.pass('delayed_promoter');
SET ffengine.test_now_ms = '1097000';
SELECT * FROM pg_temp.pass('delayed_promoter');
SELECT pg_temp.state(7);
SELECT * FROM pg_temp.pass('delayed_promoter');

-- claim_grant_expiry: T07
SELECT expires_at FROM ff_issue_claim_grant(pg_temp.id(7), 'w', 'w-7', grant_ttl_ms => 3000);
SELECT eligibility_state FROM ff_exec_core WHERE execution_id = ff_execution_uuid(pg_temp.id(7));
SELECT * FROM pg_temp.pass('claim_grant_expiry');
SET ffengine.test_now_ms = '1100000';
SELECT * FROM pg_temp.pass('claim_grant_expiry');
SELECT eligibility_state, (SELECT count(*) FROM ff_claim_grant) AS grants FROM ff_exec_core WHERE execution_id = ff_execution_uuid(pg_temp.id(7));
SELECT * FROM pg_temp.pass('claim_grant_expiry');

-- unblock: a route is free once one live worker of the namespace has it all by itself
CALL pg_temp.new(8, capabilities => '{gpu,eu}');
CALL pg_temp.new(9, capabilities => '{gpu,eu}', namespace => 'tenant');
SELECT b.outcome FROM generate_series(8, 9) n, ff_block_route(pg_temp.id(n)) b;
SELECT outcome FROM ff_register_worker('w', 'half', '{lane 8}', '{gpu}', 60000);
SELECT outcome FROM ff_register_worker('w', 'other-half', '{lane 8}', '{eu}', 60000);
SELECT outcome FROM ff_register_worker('w', 'elsewhere', '{other}', '{gpu,eu}', 60000);
SELECT processed, skipped, next_due_at, details FROM ff_reconcile('unblock');
SELECT outcome FROM ff_register_worker('w', 'whole', '{other,lane 8,lane 9}', '{eu,gpu,tpu}', 20000);
SELECT processed, skipped, next_due_at, details FROM ff_reconcile('unblock');
SELECT pg_temp.state(8), eligibility_state AS other_namespace FROM ff_exec_core WHERE execution_id = ff_execution_uuid(pg_temp.id(9));
SELECT processed FROM ff_reconcile('unblock');
-- paused by an operator is another matter, a lapsed registration is none
SELECT outcome FROM ff_block_route(pg_temp.id(8), 'paused_by_operator');
SELECT outcome FROM ff_register_worker('w', 'tenants', '{lane 9}', '{gpu,eu}', 10000, 'tenant');
SET ffengine.test_now_ms = '1110000';
SELECT processed FROM ff_reconcile('unblock');
SELECT outcome FROM ff_register_worker('w', 'tenants', '{lane 9}', '{gpu,eu}', 10000, 'tenant');
SELECT processed FROM ff_reconcile('unblock');

-- worker_registry_ttl_sweep: who gave a sign is looked at again when that runs out
SELECT outcome FROM ff_heartbeat_worker('whole');
SET ffengine.test_now_ms = '1120000';
SELECT * FROM pg_temp.pass('worker_registry_ttl_sweep');
SELECT worker_instance_id, namespace, ttl_check_at_ms FROM ff_worker_registry ORDER BY 1;
SELECT event_kind, namespace, worker_instance_id, reason FROM ff_worker_registry_event WHERE event_kind = 'ttl_swept' ORDER BY event_id;
SET ffengine.test_now_ms = '1130000';
SELECT * FROM pg_temp.pass('worker_registry_ttl_sweep');
SELECT * FROM pg_temp.pass('worker_registry_ttl_sweep');

-- dedup_trimmer: of three tables, the oldest of each first, as many as asked for in all
INSERT INTO ff_execution_dedup SELECT 'ns', 'key ' || n, 7, gen_random_uuid(), 1, 1130000 + n FROM generate_series(0, 4) n;
INSERT INTO ff_suspend_dedup SELECT 7, gen_random_uuid(), 'key', '{}', 1, 1130000;
INSERT INTO ff_signal_dedup SELECT 7, gen_random_uuid(), 'key', gen_random_uuid(), 1130001;
SELECT * FROM pg_temp.pass('dedup_trimmer');
SET ffengine.test_now_ms = '1130003';
SELECT * FROM pg_temp.pass('dedup_trimmer', 2);
SELECT * FROM pg_temp.pass('dedup_trimmer', 2);
SELECT * FROM pg_temp.pass('dedup_trimmer', 2);
SELECT idempotency_key FROM ff_execution_dedup;

-- outbox_trimmer: events past their retention that no subscription still wants; completions only once dispatched
SELECT outcome FROM ff_create_subscription('keeper', 'lease_history', start_at => 'earliest');
SELECT * FROM pg_temp.pass('outbox_trimmer');
SET ffengine.outbox_retention_ms = '1s';
SET ffengine.test_now_ms = '1140000';
SELECT count(*) FROM ff_signal_event;
SELECT * FROM pg_temp.pass('outbox_trimmer', 2);
SELECT processed > 0 AS "all others", more FROM ff_reconcile('outbox_trimmer');
SELECT (SELECT count(*) FROM ff_signal_event) AS signals, (SELECT count(*) > 0 FROM ff_lease_event) AS leases,
       (SELECT count(*) > 0 FROM ff_completion_event WHERE dispatched_at_ms IS NULL) AS completions;
SELECT ff_drop_subscription('keeper');
SELECT processed > 0 AS "leases too" FROM ff_reconcile('outbox_trimmer');
SELECT count(*) FROM ff_lease_event;
SELECT * FROM pg_temp.pass('outbox_trimmer');
RESET ffengine.outbox_retention_ms;
SET ffengine.test_now_ms = '1130003';

-- hmac_kid_gc: a day past its grace, but never while an open waitpoint has a token of it
CALL pg_temp.new(10);
CALL pg_temp.claim(10);
SELECT outcome FROM ff_suspend(pg_temp.h(10), ff_when('approval'));
SELECT outcome FROM ff_rotate_waitpoint_hmac_secret_all('k2', repeat('cd', 32), 10000);
SELECT outcome FROM ff_rotate_waitpoint_hmac_secret_all('k3', repeat('ef', 32), 20000);
SELECT * FROM pg_temp.pass('hmac_kid_gc');
SET ffengine.test_now_ms = '87540002';
SELECT * FROM pg_temp.pass('hmac_kid_gc');
SET ffengine.test_now_ms = '87550003';
SELECT * FROM pg_temp.pass('hmac_kid_gc');
SELECT string_agg(kid, ' ' ORDER BY kid) FROM ff_waitpoint_hmac;
SELECT outcome FROM ff_waitpoint_pending w, ff_close_waitpoint(pg_temp.id(10), w.waitpoint_id) WHERE w.state = 'active';
SELECT * FROM pg_temp.pass('hmac_kid_gc');
SELECT string_agg(kid, ' ' ORDER BY kid) FROM ff_waitpoint_hmac;

-- state_check: a warning for what is new, and again when it was mended meanwhile
SELECT processed, skipped, errors, more, next_due_at FROM ff_reconcile('state_check');
UPDATE ff_exec_core SET public_state = 'waiting' WHERE execution_id = ff_execution_uuid(pg_temp.id(1));
SELECT processed, skipped, errors, more, next_due_at FROM ff_reconcile('state_check');
SELECT processed FROM ff_reconcile('state_check');
SELECT public_state FROM ff_exec_core WHERE execution_id = ff_execution_uuid(pg_temp.id(1));
UPDATE ff_exec_core SET public_state = 'expired' WHERE execution_id = ff_execution_uuid(pg_temp.id(1));
SELECT processed FROM ff_reconcile('state_check');
UPDATE ff_exec_core SET public_state = 'waiting' WHERE execution_id = ff_execution_uuid(pg_temp.id(1));
-- one at a time it goes round: ten executions in ten passes
DO $$ BEGIN FOR i IN 1..10 LOOP PERFORM ff_reconcile('state_check', 1); END LOOP; END $$;
UPDATE ff_exec_core SET public_state = 'expired' WHERE execution_id = ff_execution_uuid(pg_temp.id(1));
SELECT * FROM ff_check_consistency();

-- As many as asked for, the oldest first.
SET ffengine.test_now_ms = '100000000';
DO $do$ BEGIN
  FOR n IN 11..15 LOOP CALL pg_temp.new(n, delay_until_ms => 100000000 + n); END LOOP;
END $do$;
SET ffengine.test_now_ms = '100000100';
SELECT * FROM pg_temp.pass('delayed_promoter', 2);
SELECT string_agg(right(execution_id::text, 2), ' ' ORDER BY 1) FROM ff_exec_core WHERE public_state = 'delayed';
SELECT * FROM pg_temp.pass('delayed_promoter', 2);
SELECT * FROM pg_temp.pass('delayed_promoter', 2);

-- Of one namespace, or one instance tag; others are passed over.
DO $do$ BEGIN
  FOR n IN 16..20 LOOP CALL pg_temp.new(n, delay_until_ms => 100000100 + n, namespace => CASE n % 2 WHEN 0 THEN 'even' ELSE 'odd' END, tags => CASE n WHEN 19 THEN '{"cairn.instance_id": "i-19"}'::jsonb END); END LOOP;
END $do$;
SET ffengine.test_now_ms = '100000200';
SELECT processed, skipped, more FROM ff_reconcile('delayed_promoter', namespace => 'none');
SELECT processed, skipped, more FROM ff_reconcile('delayed_promoter', instance_tag => 'i-19', namespace => 'odd', max_rows => 1);
SELECT processed, skipped, more FROM ff_reconcile('delayed_promoter', namespace => 'even');
SELECT string_agg(right(execution_id::text, 2), ' ' ORDER BY 1) FROM ff_exec_core WHERE public_state = 'delayed';
SELECT processed, skipped, more FROM ff_reconcile('delayed_promoter');

-- One of ten due rows raises: it is undone alone and told, by its id and without what it holds.
DO $do$ BEGIN
  FOR n IN 21..30 LOOP CALL pg_temp.new(n, delay_until_ms => 100000200 + n); END LOOP;
END $do$;
SET ffengine.test_now_ms = '100000300';
ALTER TABLE ff_exec_core ADD CONSTRAINT not_24
  CHECK (execution_id <> '00000000-0000-0000-0008-000000000024' OR public_state = 'delayed');
SELECT * FROM pg_temp.pass('delayed_promoter');
SELECT pg_temp.state(24);
-- a head of such rows does not hide what stands behind
CALL pg_temp.new(31, delay_until_ms => 100000500);
SET ffengine.test_now_ms = '100000500';
SELECT * FROM pg_temp.pass('delayed_promoter', 1);
SELECT last_run_at, last_good_at, last_processed, last_errors, runs, processed, errors, last_sqlstate, last_error_at, parked_rows,
       backoff_until, next_run_at, ff_to_ms(next_due_at) AS next_due_ms
  FROM ff_reconciler_status() WHERE name = 'delayed_promoter' \gx
ALTER TABLE ff_exec_core DROP CONSTRAINT not_24;
SELECT * FROM pg_temp.pass('delayed_promoter');

-- A pass that finds nothing writes nothing, but once a minute.
SET ffengine.test_now_ms = '100100000';
SELECT processed FROM ff_reconcile('delayed_promoter');
SET ffengine.test_now_ms = '100159999';
SELECT processed FROM ff_reconcile('delayed_promoter');
SELECT ff_to_ms(last_run_at) AS last_run_ms, runs FROM ff_reconciler_status() WHERE name = 'delayed_promoter';
SET ffengine.test_now_ms = '100160000';
SELECT processed FROM ff_reconcile('delayed_promoter');
SELECT ff_to_ms(last_run_at) AS last_run_ms, runs FROM ff_reconciler_status() WHERE name = 'delayed_promoter';

-- Switches: what is off runs by name only.
SELECT * FROM ff_set_reconciler('lease_expiry', enabled => false);
SELECT * FROM ff_set_reconciler('lease_expiry', enabled => false);
SELECT count(*), count(*) FILTER (WHERE name = 'lease_expiry') AS of_it FROM ff_reconcile();
SELECT name, processed FROM ff_reconcile('lease_expiry');
SELECT * FROM ff_set_reconciler('lease_expiry', interval_ms => 20, batch_size => 10000);
SELECT * FROM ff_set_reconciler('lease_expiry', true, 0, 0);
SELECT * FROM ff_set_reconciler('flow_projector', interval_ms => 3600000);
SELECT pg_temp.refused($$SELECT ff_set_reconciler('lease_expiry', interval_ms => 5)$$) AS interval,
       pg_temp.refused($$SELECT ff_set_reconciler('lease_expiry', interval_ms => 3600001)$$) AS longer,
       pg_temp.refused($$SELECT ff_set_reconciler('lease_expiry', batch_size => -1)$$) AS batch,
       pg_temp.refused($$SELECT ff_set_reconciler('lease_expiry', batch_size => 10001)$$) AS larger;
SELECT pg_temp.refused($$SELECT ff_set_reconciler('nosuch')$$) AS nosuch,
       pg_temp.refused($$SELECT ff_set_reconciler(NULL)$$) AS nothing;
SELECT name, enabled, interval_ms, batch_size FROM ff_reconciler_status();
-- a batch of its own size
SELECT * FROM ff_set_reconciler('delayed_promoter', batch_size => 3);
DO $do$ BEGIN
  FOR n IN 40..43 LOOP CALL pg_temp.new(n, delay_until_ms => 100160001); END LOOP;
END $do$;
SET ffengine.test_now_ms = '100160001';
SELECT * FROM pg_temp.pass('delayed_promoter');
SELECT * FROM pg_temp.pass('delayed_promoter');

-- A cancelled query is no error of a row: it goes on up.
CALL pg_temp.new(44, delay_until_ms => 100160002);
SET ffengine.test_now_ms = '100160002';
CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(100); RETURN NEW; END $$;
CREATE TRIGGER linger BEFORE UPDATE ON ff_exec_core FOR EACH ROW EXECUTE FUNCTION linger();
SET statement_timeout = '50ms';
SELECT * FROM pg_temp.pass('delayed_promoter');
RESET statement_timeout;
DROP TRIGGER linger ON ff_exec_core;
SELECT * FROM pg_temp.pass('delayed_promoter');

-- Rolled back it leaves nothing, not even numbers.
CALL pg_temp.new(45, delay_until_ms => 100160003);
SET ffengine.test_now_ms = '100160003';
BEGIN;
SELECT name, processed FROM ff_reconcile() WHERE processed > 0;
SELECT last_processed FROM ff_reconciler_status() WHERE name = 'delayed_promoter';
ROLLBACK;
SELECT ff_to_ms(last_run_at) AS last_run_ms FROM ff_reconciler_status() WHERE name = 'delayed_promoter';
SELECT name, processed FROM ff_reconcile() WHERE processed > 0;

SELECT * FROM ff_check_consistency();
\c :home
DROP DATABASE ff_reconcilers;
