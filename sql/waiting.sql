-- What workers and operators read of suspensions: chapter 03 section 7.
\pset null '<null>'
\set VERBOSITY terse
BEGIN;

-- Executions, waitpoints and signals of this file by number.
CREATE FUNCTION pg_temp.exec(n int) RETURNS text LANGUAGE sql AS $$
  SELECT format('{fp:7}:00000000-0000-4000-8000-%s', lpad(n::text, 12, '0'))
$$;
CREATE FUNCTION pg_temp.uuid(n int) RETURNS uuid LANGUAGE sql AS $$
  SELECT ff_execution_uuid(pg_temp.exec(n))
$$;
CREATE FUNCTION pg_temp.wp(n int) RETURNS uuid LANGUAGE sql AS $$
  SELECT format('00000000-0000-4000-8001-%s', lpad(n::text, 12, '0'))::uuid
$$;
CREATE FUNCTION pg_temp.sig(n int) RETURNS uuid LANGUAGE sql STRICT AS $$
  SELECT format('00000000-0000-4000-8002-%s', lpad(n::text, 12, '0'))::uuid
$$;
CREATE FUNCTION pg_temp.handle(n int, epoch bigint DEFAULT 1, kind text DEFAULT 'fresh')
RETURNS bytea LANGUAGE sql AS $$
  SELECT ff_handle_encode(pg_temp.exec(n), 0, '00000000-0000-4000-8003-000000000001',
                          '00000000-0000-4000-8003-000000000002', epoch, 30000, 'default', 'wi1', kind)
$$;

-- A running execution, as after a claim at 1000000.
CREATE FUNCTION pg_temp.run(n int, policy jsonb DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
  INSERT INTO ff_exec_core (partition_key, execution_id, lane_id, attempt_index, lifecycle_phase,
      ownership_state, eligibility_state, public_state, attempt_state, created_at_ms, policy)
  VALUES (7, pg_temp.uuid(n), 'default', 0, 'active', 'leased', 'not_applicable', 'running',
          'running_attempt', 1000000, policy);
  INSERT INTO ff_attempt (partition_key, execution_id, attempt_index, worker_id,
      worker_instance_id, lease_epoch, lease_expires_at_ms, started_at_ms)
  VALUES (7, pg_temp.uuid(n), 0, 'w1', 'wi1', 1, 1030000, 1000000)
  RETURNING pg_temp.exec(n);
$$;

-- It suspends on fresh waitpoints: key a is waitpoint 10n, b is 10n + 1, and so on.
CREATE FUNCTION pg_temp.suspended(n int, condition jsonb, keys text[] DEFAULT '{a}',
                                  policy jsonb DEFAULT NULL, execution_policy jsonb DEFAULT NULL)
RETURNS text LANGUAGE sql AS $$
  SELECT pg_temp.run(n, execution_policy);
  SELECT outcome FROM ff_suspend(pg_temp.handle(n), condition, resume_policy => policy,
    waitpoints => (SELECT jsonb_agg(ff_fresh_waitpoint(k, pg_temp.wp(10 * n + o::int - 1)) ORDER BY o)
                     FROM unnest(keys) WITH ORDINALITY u (k, o)))
$$;

CREATE FUNCTION pg_temp.token(waitpoint int) RETURNS text LANGUAGE sql AS $$
  SELECT token FROM ff_waitpoint_pending WHERE waitpoint_id = pg_temp.wp(waitpoint)
$$;

-- A delivery with the waitpoint's own token: outcome/effect/match_result.
CREATE FUNCTION pg_temp.send(n int, waitpoint int, name text, source text DEFAULT 's',
                             key text DEFAULT NULL, id int DEFAULT NULL, ttl bigint DEFAULT NULL,
                             max bigint DEFAULT NULL, maxlen bigint DEFAULT 1000)
RETURNS text LANGUAGE sql AS $$
  SELECT concat_ws('/', outcome, effect, match_result)
    FROM ff_deliver_signal(pg_temp.exec(n), pg_temp.wp(waitpoint), pg_temp.token(waitpoint), name,
           source_identity => source, idempotency_key => key, signal_id => pg_temp.sig(id),
           dedup_ttl_ms => ttl, max_signals_per_execution => max, signal_maxlen => maxlen)
$$;

CREATE FUNCTION pg_temp.try(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  state  text;
  detail text;
  said   text;
BEGIN
  EXECUTE statement INTO said;
  RETURN said;
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, detail = PG_EXCEPTION_DETAIL;
  RETURN coalesce((SELECT c.kind FROM ff_error_catalogue() c WHERE c.sqlstate = state),
                  state || ' ' || SQLERRM)
         || coalesce(': ' || nullif(detail, ''), '');
END $$;

CREATE FUNCTION pg_temp.state(n int) RETURNS text LANGUAGE sql AS $$
  SELECT concat_ws(' ', lifecycle_phase, ownership_state, eligibility_state, blocking_reason,
                   attempt_state, public_state, eligible_at_ms)
    FROM ff_exec_core WHERE execution_id = pg_temp.uuid(n)
$$;

SET LOCAL ffengine.test_now_ms = '1001000';
DELETE FROM ff_waitpoint_hmac;
SELECT outcome FROM ff_seed_waitpoint_hmac_secret('kid-1', repeat('ab', 32));

-- The signals of an episode: by the suspended handle, by the resumed one, by no other
SELECT pg_temp.suspended(1, ff_when('a', 'ready'));
SELECT pg_temp.send(1, 10, n) FROM unnest(ARRAY['a', 'b', 'ready']) n;
SELECT seq, signal_name, waitpoint_key, effect, match_result, counted FROM ff_observe_signals(pg_temp.handle(1, 1, 'suspended'));
SELECT signal_name, accepted_at, created_at, payload_encoding, signal_category, source_type, source_identity
  FROM ff_observe_signals(pg_temp.handle(1, 1, 'suspended'), only_counted => true);
SELECT seq FROM ff_observe_signals(pg_temp.handle(1, 1, 'suspended'), cursor_seq => 1, max_rows => 1);
SELECT count(*) FROM ff_observe_signals(pg_temp.handle(1, 1, 'suspended'), max_rows => 0);
SELECT claim_kind, lease_epoch FROM ff_claim_resumed_execution(pg_temp.exec(1), 'w', 'wi');
SELECT count(*) FROM ff_observe_signals(pg_temp.handle(1, 3, 'resumed'));
SELECT reason, suspended_at, closed_at, close_reason, waitpoint_ids FROM ff_describe_resume(pg_temp.handle(1, 3, 'resumed'));
SELECT pg_temp.run(2);
SELECT count(*) FROM ff_observe_signals(pg_temp.handle(2)), ff_describe_resume(pg_temp.handle(2));
SELECT pg_temp.try('SELECT ff_observe_signals(NULL)'), pg_temp.try('SELECT ff_observe_signals(''\x02'')'),
       pg_temp.try('SELECT ff_observe_signals(pg_temp.handle(1), max_rows => -1)'),
       pg_temp.try('SELECT ff_describe_resume(ff_handle_encode(pg_temp.exec(1), 0, pg_temp.wp(1), pg_temp.wp(1), 1, backend => 1))');
-- a second episode of the same attempt: each handle shows its own
SELECT s.outcome FROM ff_attempt a, LATERAL ff_suspend_by_triple(pg_temp.exec(1), a.lease_id, a.lease_epoch, a.attempt_id, ff_when('b'),
         jsonb_build_array(ff_fresh_waitpoint('b', pg_temp.wp(19))), continuation_metadata_pointer => 'step-2') s
 WHERE a.execution_id = pg_temp.uuid(1);
SELECT pg_temp.send(1, 19, 'second');
SELECT count(*) FROM ff_claim_resumed_execution(pg_temp.exec(1), 'w', 'wi');
SELECT h, string_agg(g.signal_name, ' ' ORDER BY g.seq), max(d.continuation_metadata_pointer) AS pointer
  FROM (VALUES ('first', pg_temp.handle(1, 1, 'suspended')), ('second', pg_temp.handle(1, 3, 'suspended')),
               ('resumed once', pg_temp.handle(1, 3, 'resumed')), ('resumed twice', pg_temp.handle(1, 5, 'resumed'))) v (h, handle),
       LATERAL ff_observe_signals(handle) g, LATERAL ff_describe_resume(handle) d GROUP BY h ORDER BY h;

-- All signals of an execution, without payloads
SELECT outcome FROM ff_suspend(pg_temp.handle(2), ff_all_of_waitpoints('a', 'b'),
  jsonb_build_array(ff_fresh_waitpoint('a', pg_temp.wp(20)), ff_fresh_waitpoint('b', pg_temp.wp(21))));
SELECT pg_temp.send(2, 20, 'one'), pg_temp.send(2, 20, 'two');
SELECT outcome FROM ff_deliver_signal(pg_temp.exec(2), pg_temp.wp(20), pg_temp.token(20), 'three', '\x0102');
SELECT seq, signal_name, waitpoint_key, payload_bytes, payload_encoding, match_result, counted FROM ff_list_signals(pg_temp.exec(2));
SELECT seq FROM ff_list_signals(pg_temp.exec(2), pg_temp.wp(20), cursor_seq => 1, max_rows => 1);
SELECT count(*) FROM ff_list_signals(pg_temp.exec(2), pg_temp.wp(21));
SELECT count(*) FROM ff_list_signals(pg_temp.exec(99));
SELECT pg_temp.try('SELECT ff_list_signals(pg_temp.exec(2), max_rows => -1)'), pg_temp.try('SELECT ff_list_signals(''x'')');

-- How far a suspension is
SELECT reason, requested_by, timeout_at, timeout_behavior, resume_condition, resume_policy, satisfied_nodes, counts,
       array_length(waitpoint_ids, 1) AS waitpoints, last_signal_at, escalated_at FROM ff_describe_suspension(pg_temp.exec(2));
SELECT count(*) FROM (VALUES (1), (99)) v (n), LATERAL ff_describe_suspension(pg_temp.exec(n));

-- Open waitpoints: a fingerprint, never the token
SELECT pg_temp.suspended(3, ff_all_of(ff_when('a', 'x'), ff_when('b', 'y'), ff_when('c')), '{a,b,c}');
SELECT pg_temp.send(3, 30, 'x');
SELECT right(waitpoint_id::text, 2) AS id, waitpoint_key, state, required_signal_names, created_at, activated_at, expires_at,
       execution_id = pg_temp.exec(3) AS its, token_kid, signal_count, last_signal_at
  FROM ff_list_pending_waitpoints(pg_temp.exec(3));
SELECT bool_and(token_fingerprint ~ '^[0-9a-f]{16}$' AND pg_temp.token(30 + n::int) LIKE 'kid-1:' || token_fingerprint || '%') AS fingerprints,
       bool_or(l::text LIKE '%' || substr(pg_temp.token(30 + n::int), 30, 20) || '%') AS leaks
  FROM (SELECT l, token_fingerprint, row_number() OVER (ORDER BY waitpoint_id) - 1 AS n FROM ff_list_pending_waitpoints(pg_temp.exec(3)) l) x;
SELECT waitpoint_key FROM ff_list_pending_waitpoints(pg_temp.exec(3), max_rows => 2);
SELECT waitpoint_key FROM ff_list_pending_waitpoints(pg_temp.exec(3), pg_temp.wp(31), max_rows => 2);
SELECT count(*) FROM ff_list_pending_waitpoints(pg_temp.exec(1));
SELECT pg_temp.try('SELECT ff_list_pending_waitpoints(pg_temp.exec(99))'), pg_temp.try('SELECT ff_list_pending_waitpoints(pg_temp.exec(3), max_rows => -1)');

-- A token read back is the one that was given
SELECT waitpoint_token = pg_temp.token(30) AS same, token_kid, length(token_fingerprint),
       ff_hmac_verify(decode(repeat('ab', 32), 'hex'), 'kid-1', convert_to(pg_temp.exec(3) || ':' || pg_temp.wp(30), 'UTF8'), waitpoint_token)
  FROM ff_read_waitpoint_token(pg_temp.exec(3), pg_temp.wp(30));
SELECT count(*) FROM (VALUES (3, 99), (1, 10), (2, 30)) v (n, w), LATERAL ff_read_waitpoint_token(pg_temp.exec(n), pg_temp.wp(w));

-- Open suspensions, longest waiting first; a reason of NULL reads empty
DELETE FROM ff_suspension_current;
INSERT INTO ff_suspension_current (partition_key, execution_id, suspension_id, suspended_at_ms, condition, reason_code, timeout_at_ms)
VALUES (7, pg_temp.uuid(41), pg_temp.sig(41), 200, '{}', 'timer', 500), (9, pg_temp.uuid(42), pg_temp.sig(42), 100, '{}', 'signal', NULL),
       (7, pg_temp.uuid(43), pg_temp.sig(43), 300, '{}', NULL, NULL), (8, pg_temp.uuid(44), pg_temp.sig(44), 200, '{}', 'timer', NULL);
SELECT execution_id, suspended_at, reason, timeout_at, timeout_behavior, requested_by FROM ff_list_suspended();
SELECT execution_id, suspended_at FROM ff_list_suspended(max_rows => 2) OFFSET 1 \gset
SELECT execution_id FROM ff_list_suspended(NULL, :'suspended_at', :'execution_id', 2);
SELECT execution_id FROM ff_list_suspended(7);
SELECT execution_id FROM ff_list_suspended(7, :'suspended_at', :'execution_id');
SELECT count(*) FROM ff_list_suspended(max_rows => 0);
SELECT pg_temp.try('SELECT ff_list_suspended(max_rows => -1)'), pg_temp.try('SELECT ff_list_suspended(256)'),
       pg_temp.try('SELECT ff_list_suspended(cursor_execution_id => pg_temp.exec(1))');
ROLLBACK;
