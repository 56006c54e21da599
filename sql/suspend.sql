-- Suspending and waitpoints: chapter 03 sections 3 and 4.
\pset null '<null>'
\set VERBOSITY terse
BEGIN;

-- Executions, waitpoints and suspensions of this file by number.
CREATE FUNCTION pg_temp.exec(n int) RETURNS text LANGUAGE sql AS $$
  SELECT format('{fp:7}:00000000-0000-4000-8000-%s', lpad(n::text, 12, '0'))
$$;
CREATE FUNCTION pg_temp.uuid(n int) RETURNS uuid LANGUAGE sql AS $$
  SELECT ff_execution_uuid(pg_temp.exec(n))
$$;
CREATE FUNCTION pg_temp.wp(n int) RETURNS uuid LANGUAGE sql AS $$
  SELECT format('00000000-0000-4000-8001-%s', lpad(n::text, 12, '0'))::uuid
$$;
CREATE FUNCTION pg_temp.susp(n int) RETURNS uuid LANGUAGE sql AS $$
  SELECT format('00000000-0000-4000-8002-%s', lpad(n::text, 12, '0'))::uuid
$$;

-- Its handle: attempt 0, epoch 1, of worker wi1.
CREATE FUNCTION pg_temp.handle(n int, epoch bigint DEFAULT 1, kind text DEFAULT 'fresh')
RETURNS bytea LANGUAGE sql AS $$
  SELECT ff_handle_encode(pg_temp.exec(n), 0, '00000000-0000-4000-8003-000000000001',
                          '00000000-0000-4000-8003-000000000002', epoch, 30000, 'default', 'wi1', kind)
$$;

-- A running execution, as after a claim at 1000000; the attempt row has no ids yet.
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

-- What a statement is refused with, kind: DETAIL; 'ok' if it is not.
CREATE FUNCTION pg_temp.try(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  state  text;
  detail text;
BEGIN
  EXECUTE statement;
  RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, detail = PG_EXCEPTION_DETAIL;
  RETURN coalesce((SELECT c.kind FROM ff_error_catalogue() c WHERE c.sqlstate = state),
                  state || ' ' || SQLERRM)
         || coalesce(': ' || nullif(detail, ''), '');
END $$;

-- A bad ff_suspend of execution 1: condition, then further arguments in named notation.
CREATE FUNCTION pg_temp.refused(condition jsonb, more text DEFAULT '') RETURNS text LANGUAGE sql AS $$
  SELECT pg_temp.try(format('SELECT ff_suspend(pg_temp.handle(1), %L %s)', condition, more))
$$;

CREATE FUNCTION pg_temp.state(n int) RETURNS text LANGUAGE sql AS $$
  SELECT concat_ws(' ', c.lifecycle_phase, c.ownership_state, c.eligibility_state,
                   coalesce(c.blocking_reason::text, '-'), c.attempt_state, c.public_state,
                   'epoch', a.lease_epoch, coalesce(a.outcome::text, '-'))
    FROM ff_exec_core c JOIN ff_attempt a USING (partition_key, execution_id, attempt_index)
   WHERE c.partition_key = 7 AND c.execution_id = pg_temp.uuid(n)
$$;

-- A pending waitpoint of an execution, key k.
CREATE FUNCTION pg_temp.pending(n int, waitpoint int, ms bigint DEFAULT 60000) RETURNS text LANGUAGE sql AS $$
  SELECT 'made ' || waitpoint_key FROM ff_create_waitpoint(pg_temp.handle(n), 'k', ms, pg_temp.wp(waitpoint))
$$;

-- A delivery with the waitpoint's own token: outcome/effect/match_result.
CREATE FUNCTION pg_temp.send(n int, waitpoint int, name text, source text DEFAULT 's')
RETURNS text LANGUAGE sql AS $$
  SELECT concat_ws('/', outcome, effect, match_result)
    FROM ff_deliver_signal(pg_temp.exec(n), pg_temp.wp(waitpoint),
           (SELECT token FROM ff_waitpoint_pending WHERE waitpoint_id = pg_temp.wp(waitpoint)),
           name, source_identity => source)
$$;

SET LOCAL ffengine.test_now_ms = '1001000';

-- without a signing key nothing can be waited for
DELETE FROM ff_waitpoint_hmac;
SELECT count(pg_temp.run(n)) FROM generate_series(1, 20) n;
SELECT pg_temp.refused(ff_when('a'));
SELECT pg_temp.try('SELECT ff_create_waitpoint(pg_temp.handle(1), ''a'')');
SELECT outcome FROM ff_seed_waitpoint_hmac_secret('kid-suspend-1', repeat('ab', 32));

-- One waitpoint, one signal: the lease is given up, the token is minted
SELECT outcome, suspension_id = pg_temp.susp(2) AS same_id, waitpoint_id = pg_temp.wp(2) AS same_waitpoint,
       waitpoint_key, additional_waitpoints, replayed,
       waitpoint_token = ff_hmac_sign(decode(repeat('ab', 32), 'hex'), 'kid-suspend-1',
         convert_to(pg_temp.exec(2) || ':' || waitpoint_id, 'UTF8')) AS genuine
  FROM ff_suspend(handle => pg_temp.handle(2), resume_condition => ff_when('wpk:single', 'ready'),
                  waitpoints => jsonb_build_array(ff_fresh_waitpoint('wpk:single', pg_temp.wp(2))),
                  suspension_id => pg_temp.susp(2));
SELECT pg_temp.state(2);
SELECT worker_id, worker_instance_id, lease_expires_at_ms, lease_check_at_ms, suspended_at_ms
  FROM ff_attempt WHERE execution_id = pg_temp.uuid(2);
SELECT event_type, reason, revoked_by, lease_epoch, worker_instance_id
  FROM ff_lease_event WHERE execution_id = pg_temp.uuid(2)::text;
SELECT count(*) AS completions FROM ff_completion_event WHERE execution_id = pg_temp.uuid(2);
SELECT state, waitpoint_key, token_kid, required_signal_names, created_at_ms, activated_at_ms,
       expires_at_ms, suspension_id = pg_temp.susp(2) AS its_suspension, attempt_index
  FROM ff_waitpoint_pending WHERE waitpoint_id = pg_temp.wp(2);
SELECT reason_code, requested_by, timeout_behavior, timeout_at_ms, condition, satisfied_set,
       member_map, attempt_index, lease_epoch, closed_at_ms
  FROM ff_suspension_current WHERE execution_id = pg_temp.uuid(2);

-- the old handle is worth nothing, the suspended one tells what happened
SELECT pg_temp.try('SELECT ff_suspend(pg_temp.handle(2), ff_when(''a''))');
SELECT pg_temp.try('SELECT ff_renew(pg_temp.handle(2))');
SELECT pg_temp.try('SELECT ff_suspend(pg_temp.handle(2, 1, ''suspended''), ff_when(''a''))');
SELECT pg_temp.try('SELECT ff_renew(pg_temp.handle(2, 1, ''suspended''))');
SELECT pg_temp.try('SELECT ff_suspend(pg_temp.handle(2, 2), ff_when(''a''))');

-- The suspended handle has the fence of the lease that was given up
SELECT kind, lease_epoch, attempt_index, lane_id, worker_instance_id
  FROM ff_suspend(pg_temp.handle(3), ff_operator_only()) s, LATERAL ff_handle_decode(s.handle);
SELECT waitpoint_key = 'wpk:' || waitpoint_id AS minted_key, required_signal_names
  FROM ff_waitpoint_pending WHERE execution_id = pg_temp.uuid(3);

-- No bindings: a fresh waitpoint for each key; the first is the primary one
SELECT waitpoint_key, jsonb_array_length(additional_waitpoints) AS more,
       additional_waitpoints -> 0 ->> 'waitpoint_key' AS second,
       additional_waitpoints -> 0 ->> 'waitpoint_token' LIKE 'kid-suspend-1:%' AS has_token
  FROM ff_suspend(pg_temp.handle(4), ff_all_of_waitpoints('a', 'b'));
SELECT w.waitpoint_key, w.required_signal_names, w.waitpoint_id = s.waitpoint_ids[1] AS is_first
  FROM ff_waitpoint_pending w JOIN ff_suspension_current s USING (partition_key, execution_id)
 WHERE w.execution_id = pg_temp.uuid(4) ORDER BY 1;
SELECT outcome FROM ff_suspend(pg_temp.handle(5),
  ff_all_of(ff_when('a', 'sig-a'), ff_when('b', 'sig-b'), ff_when('a', 'sig-a')));
SELECT waitpoint_key, required_signal_names FROM ff_waitpoint_pending
 WHERE execution_id = pg_temp.uuid(5) ORDER BY 1;

-- By triple: the epoch decides, ids only where the row has them
SELECT outcome, waitpoint_key, kind, lane_id, worker_instance_id, d.lease_epoch
  FROM ff_suspend_by_triple(pg_temp.exec(6), gen_random_uuid(), 1, gen_random_uuid(),
         ff_when('wpk:triple', 'ready')) s, LATERAL ff_handle_decode(s.handle) d;
SELECT pg_temp.try(format('SELECT ff_suspend_by_triple(%L, %L, 1, %L, ff_when(''a''))',
                          pg_temp.exec(6), gen_random_uuid(), gen_random_uuid()));
UPDATE ff_attempt SET lease_id = pg_temp.wp(70), attempt_id = pg_temp.wp(71)
 WHERE execution_id = pg_temp.uuid(7);
SELECT lease, attempt, pg_temp.try(format('SELECT ff_suspend_by_triple(%L, %L, 1, %L, ff_when(''a''))',
                          pg_temp.exec(7), pg_temp.wp(lease), pg_temp.wp(attempt)))
  FROM (VALUES (70, 72), (72, 71), (70, 71)) AS v (lease, attempt);
SELECT pg_temp.try(format('SELECT ff_suspend_by_triple(%L, %L, 1, NULL, ff_when(''a''))',
                          pg_temp.exec(7), pg_temp.wp(1)));
SELECT pg_temp.try(format('SELECT ff_suspend_by_triple(%L, %L, 1, %L, ff_when(''a''))',
                          pg_temp.exec(99), pg_temp.wp(1), pg_temp.wp(1)));

-- The blocking reason follows from the reason code
CREATE FUNCTION pg_temp.blocked(reason text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  found text;
BEGIN
  PERFORM ff_suspend(pg_temp.handle(8), ff_operator_only(), reason_code => reason);
  SELECT blocking_reason INTO found FROM ff_exec_core WHERE execution_id = pg_temp.uuid(8);
  RAISE EXCEPTION USING ERRCODE = 'P0001', MESSAGE = found;
EXCEPTION WHEN SQLSTATE 'P0001' THEN
  RETURN SQLERRM;
END $$;
SELECT reason, pg_temp.blocked(reason)
  FROM unnest(ARRAY['waiting_for_signal', 'waiting_for_approval', 'waiting_for_callback',
                    'waiting_for_tool_result', 'waiting_for_operator_review', 'paused_by_policy',
                    'paused_by_budget', 'step_boundary', 'manual_pause']) reason;

-- Arguments: each rule by one bad call
CREATE TEMP TABLE bad (what text, condition jsonb, more text);
INSERT INTO bad VALUES
  ('unknown form', '{"Any":{}}', ''),
  ('unknown key', '{"Single":{"waitpoint_key":"a","matcher":{"Name":"x"}}}', ''),
  ('n is no integer', '{"Composite":{"kind":"Count","n":1.5,"count_kind":"DistinctSignals","waitpoints":["a"]}}', ''),
  ('binding shape', ff_when('a'), ', waitpoints => ''[{"Old":{}}]'''),
  ('policy shape', ff_when('a'), ', resume_policy => ''{"delay":1}'''),
  ('policy value', ff_when('a'), ', resume_policy => ''{"resume_target":"Elsewhere"}'''),
  ('policy delay', ff_when('a'), ', resume_policy => ff_resume_policy(resume_delay_ms => -1)'),
  ('size', ff_any_of_waitpoints(VARIADIC ARRAY(SELECT repeat('k', 250) || n FROM generate_series(1, 260) n)), ''),
  ('depth', ff_all_of(ff_all_of(ff_all_of(ff_all_of(ff_all_of(ff_when('a')))))), ''),
  ('no members', ff_all_of(VARIADIC '{}'), ''),
  ('n = 0', ff_count_of(0, '{a}'), ''),
  ('no waitpoints', ff_count_of(1, '{}'), ''),
  ('same twice', ff_count_of(1, '{a,a}'), ''),
  ('3 of 2', ff_count_of(3, '{a,b}'), ''),
  ('empty name', ff_when('a', ''), ''),
  ('empty key', ff_when(''), ''),
  ('long key', ff_when(repeat('k', 257)), ''),
  ('[]', ff_when('a'), ', waitpoints => ''[]'''),
  ('257 bindings', ff_operator_only(), ', waitpoints => (SELECT jsonb_agg(ff_fresh_waitpoint()) FROM generate_series(1, 257))'),
  ('id twice', ff_when('a'), ', waitpoints => jsonb_build_array(ff_use_pending(pg_temp.wp(1)), ff_use_pending(pg_temp.wp(1)))'),
  ('key twice', ff_when('a'), ', waitpoints => jsonb_build_array(ff_fresh_waitpoint(''a''), ff_fresh_waitpoint(''a''))'),
  ('other key', ff_when('a'), ', waitpoints => jsonb_build_array(ff_fresh_waitpoint(''b''))'),
  ('key unbound', ff_all_of_waitpoints('a', 'b'), ', waitpoints => jsonb_build_array(ff_fresh_waitpoint(''a''))'),
  ('key extra', ff_when('a'), ', waitpoints => jsonb_build_array(ff_fresh_waitpoint(''a''), ff_fresh_waitpoint(''b''))'),
  ('no deadline', ff_all_of(ff_when('a'), ff_timeout_only()), ''),
  ('an hour ago', ff_when('a'), ', timeout_at => ff_from_ms(0)'),
  ('reason', ff_when('a'), ', reason_code => ''bored'''),
  ('requester', ff_when('a'), ', requested_by => ''me'''),
  ('behavior', ff_when('a'), ', timeout_behavior => ''explode'''),
  ('pointer', ff_when('a'), ', continuation_metadata_pointer => repeat(''p'', 4097)'),
  ('key length', ff_when('a'), ', idempotency_key => repeat(''k'', 513)'),
  ('infinity', ff_when('a'), ', timeout_at => ''infinity''');
SELECT what, pg_temp.refused(condition, more) FROM bad;
SELECT pg_temp.try('SELECT ff_suspend(NULL, ff_when(''a''))'),
       pg_temp.try('SELECT ff_suspend(pg_temp.handle(1), NULL)');
-- nothing changed after any of them
SELECT pg_temp.state(1), (SELECT count(*) FROM ff_waitpoint_pending WHERE execution_id = pg_temp.uuid(1));
-- at the bounds
SELECT pg_temp.try('SELECT ff_suspend(pg_temp.handle(9), ff_all_of(ff_all_of(ff_all_of(ff_all_of(ff_when(''a''))))))'),
       pg_temp.try('SELECT ff_suspend(pg_temp.handle(10), ff_count_of(3, ''{a,b}'', ''signals''))');

-- Five minutes ago is clock skew: due at once
SET LOCAL ffengine.test_now_ms = '1000000000';
UPDATE ff_attempt SET lease_expires_at_ms = 1000030000 WHERE execution_id IN (pg_temp.uuid(1), pg_temp.uuid(11));
SELECT pg_temp.refused(ff_when('a'), ', timeout_at => ff_from_ms(1000000000 - 3600000)');
SELECT pg_temp.try('SELECT ff_suspend(pg_temp.handle(11), ff_when(''a''), timeout_at => ff_from_ms(1000000000 - 300000))');
SELECT outcome, behavior_applied, public_state FROM ff_expire_suspension(pg_temp.exec(11));
SET LOCAL ffengine.test_now_ms = '1001000';

-- The rows: who may suspend
CREATE FUNCTION pg_temp.refused_when(change text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  said text;
BEGIN
  EXECUTE change;
  said := pg_temp.try('SELECT ff_suspend(pg_temp.handle(1), ff_when(''a''), suspension_id => pg_temp.susp(1))');
  RAISE EXCEPTION USING ERRCODE = 'P0001', MESSAGE = said;
EXCEPTION WHEN SQLSTATE 'P0001' THEN
  RETURN SQLERRM;
END $$;
SELECT change, pg_temp.refused_when(
         replace(replace(change, 'CORE', 'UPDATE ff_exec_core SET'), 'ATT', 'UPDATE ff_attempt SET')
         || ' WHERE execution_id = pg_temp.uuid(1)')
  FROM unnest(ARRAY[
    'DELETE FROM ff_exec_core', 'DELETE FROM ff_attempt', 'CORE ownership_state = ''lease_revoked''',
    'ATT lease_epoch = 2', 'ATT lease_id = pg_temp.wp(1)', 'CORE attempt_index = 1',
    'CORE lifecycle_phase = ''suspended''', 'CORE lifecycle_phase = ''terminal''',
    'ATT lease_expires_at_ms = NULL', 'ATT lease_expires_at_ms = 1001000',
    'INSERT INTO ff_suspension_current (partition_key, execution_id, suspension_id, suspended_at_ms, condition)
     SELECT 7, execution_id, pg_temp.susp(9), 1, ''{}'' FROM ff_attempt',
    'INSERT INTO ff_suspension_current (partition_key, execution_id, suspension_id, suspended_at_ms, condition, closed_at_ms)
     SELECT 7, execution_id, pg_temp.susp(1), 1, ''{}'', 2 FROM ff_attempt',
    'INSERT INTO ff_suspension_history (partition_key, execution_id, suspension_id, suspended_at_ms, condition, closed_at_ms, close_reason)
     SELECT 7, execution_id, pg_temp.susp(1), 1, ''{}'', 2, ''resumed'' FROM ff_attempt']) change;
SELECT pg_temp.refused(ff_when('a'), ', waitpoints => jsonb_build_array(ff_fresh_waitpoint(''a'', pg_temp.wp(2)))');

-- Waitpoints before the suspension
SELECT waitpoint_id = pg_temp.wp(30) AS given, waitpoint_key, waitpoint_token LIKE 'kid-suspend-1:%' AS signed, expires_at
  FROM ff_create_waitpoint(pg_temp.handle(1), 'callback', 60000, pg_temp.wp(30));
SELECT state, attempt_index, suspension_id, required_signal_names, created_at_ms, expires_at_ms, activated_at_ms
  FROM ff_waitpoint_pending WHERE waitpoint_id = pg_temp.wp(30);
SELECT pg_temp.state(1);
SELECT pg_temp.try(format('SELECT ff_create_waitpoint(pg_temp.handle(%s), %L, %L, %L)', n, key, expires, id))
  FROM (VALUES (1, '', 1, NULL), (1, repeat('k', 257), 1, NULL), (1, 'a', 0, NULL),
               (1, 'a', 1, pg_temp.wp(30)), (2, 'a', 1, NULL), (99, 'a', 1, NULL),
               (1, 'far', 9223372036854775807, pg_temp.wp(31))) v (n, key, expires, id);
SELECT pg_temp.try('SELECT ff_create_waitpoint(pg_temp.handle(2, 2), ''a'')');
SELECT pg_temp.try('SELECT ff_create_waitpoint(pg_temp.handle(1, 1, ''suspended''), ''a'')');
SELECT expires_at_ms FROM ff_waitpoint_pending WHERE waitpoint_id = pg_temp.wp(31);
SELECT count(*) FROM generate_series(1, 998) n, LATERAL ff_create_waitpoint(pg_temp.handle(12), 'w' || n);
SELECT pg_temp.try('SELECT ff_suspend(pg_temp.handle(12), ff_all_of_waitpoints(''a'', ''b'', ''c''))');
SELECT count(*) FROM generate_series(1, 2) n, LATERAL ff_create_waitpoint(pg_temp.handle(12), 'w' || n);
SELECT pg_temp.try('SELECT ff_create_waitpoint(pg_temp.handle(12), ''one more'')');

-- closing one: what it buffered comes to nothing
SELECT pg_temp.pending(1, 32, 60000);
SELECT pg_temp.send(1, 32, 'early');
SELECT outcome FROM ff_close_waitpoint(pg_temp.exec(1), pg_temp.wp(32), 'changed my mind');
SELECT outcome FROM ff_close_waitpoint(pg_temp.exec(1), pg_temp.wp(32));
SELECT state, closed_at_ms, close_reason, signal_count FROM ff_waitpoint_pending WHERE waitpoint_id = pg_temp.wp(32);
SELECT effect, match_result FROM ff_signal WHERE waitpoint_id = pg_temp.wp(32);
SELECT pg_temp.try(format('SELECT ff_close_waitpoint(%L, %L)', pg_temp.exec(n), pg_temp.wp(w)))
  FROM (VALUES (99, 32), (1, 99), (2, 32)) v (n, w);
SELECT pg_temp.try('SELECT ff_close_waitpoint(pg_temp.exec(1), pg_temp.wp(32), repeat(''r'', 1025))');

-- Taking over pending waitpoints: the errors of check 21
SELECT pg_temp.pending(13, 33, 1000);
CREATE FUNCTION pg_temp.bind(n int, waitpoints int[]) RETURNS text LANGUAGE sql AS $$
  SELECT pg_temp.try(format('SELECT ff_suspend(pg_temp.handle(%s), ff_when(''k''), waitpoints => %L)', n,
    (SELECT jsonb_agg(ff_use_pending(pg_temp.wp(w))) FROM unnest(waitpoints) w)))
$$;
SELECT pg_temp.bind(13, '{99}') AS unknown, pg_temp.bind(13, '{30}') AS other_execution,
       pg_temp.bind(1, '{32}') AS closed, pg_temp.bind(1, '{30}') AS other_key;
SET LOCAL ffengine.test_now_ms = '1002000';
SELECT pg_temp.bind(13, '{33}') AS too_late;
SET LOCAL ffengine.test_now_ms = '1001999';
UPDATE ff_waitpoint_pending SET attempt_index = 1 WHERE waitpoint_id = pg_temp.wp(33);
SELECT pg_temp.bind(13, '{33}') AS other_attempt;
UPDATE ff_waitpoint_pending SET attempt_index = 0, token = '' WHERE waitpoint_id = pg_temp.wp(33);
SELECT pg_temp.bind(13, '{33}') AS without_token;
SELECT pg_temp.state(13);

-- A buffered signal that matches: nothing to wait for, the lease stays good
SELECT pg_temp.pending(14, 34, 60000);
SELECT pg_temp.send(14, 34, 'other'), pg_temp.send(14, 34, 'ready'), pg_temp.send(14, 34, 'ready');
SELECT pg_temp.try('SELECT ff_suspend(pg_temp.handle(14), ff_when(''k'', ''ready''), strict => true,
                     waitpoints => jsonb_build_array(ff_use_pending(pg_temp.wp(34))))') AS strict;
SELECT state FROM ff_waitpoint_pending WHERE waitpoint_id = pg_temp.wp(34);
SELECT outcome, waitpoint_key, handle, replayed
  FROM ff_suspend(pg_temp.handle(14), ff_when('k', 'ready'), suspension_id => pg_temp.susp(14),
                  waitpoints => jsonb_build_array(ff_use_pending(pg_temp.wp(34))));
SELECT pg_temp.state(14), (SELECT lease_epoch FROM ff_renew(pg_temp.handle(14)));
SELECT state, close_reason, satisfied_at_ms, signal_count, matched_signal_count
  FROM ff_waitpoint_pending WHERE waitpoint_id = pg_temp.wp(34);
SELECT seq, signal_name, effect, match_result, suspension_id = pg_temp.susp(14) AS its
  FROM ff_signal WHERE waitpoint_id = pg_temp.wp(34) ORDER BY seq;
SELECT h.close_reason, h.satisfied_set, s.seq AS closer FROM ff_suspension_history h
  JOIN ff_signal s ON s.signal_id = h.closer_signal_id WHERE h.execution_id = pg_temp.uuid(14);
SELECT count(*) AS current FROM ff_suspension_current WHERE execution_id = pg_temp.uuid(14);
SELECT count(*) AS events FROM ff_lease_event
 WHERE execution_id = pg_temp.uuid(14)::text AND event_type <> 'renewed';
SELECT signal_name, counted FROM ff_observe_signals(pg_temp.handle(14));
SELECT pg_temp.refused(ff_when('k'), ', waitpoints => jsonb_build_array(ff_use_pending(pg_temp.wp(34)))') AS foreign_,
       pg_temp.bind(14, '{34}') AS used_up;

-- Two of three are there before, in their order; the third resumes
SELECT pg_temp.pending(15, 35, 60000);
SELECT pg_temp.send(15, 35, 'a'), pg_temp.send(15, 35, 'b');
SELECT outcome FROM ff_suspend(pg_temp.handle(15), ff_all_of(ff_count_of(3, '{k}', 'signals'), ff_when('fresh')),
  waitpoints => jsonb_build_array(ff_fresh_waitpoint('fresh', pg_temp.wp(36)), ff_use_pending(pg_temp.wp(35))));
SELECT satisfied_set, member_map FROM ff_suspension_current WHERE execution_id = pg_temp.uuid(15);
SELECT waitpoint_key, state, matched_signal_count FROM ff_waitpoint_pending WHERE execution_id = pg_temp.uuid(15) ORDER BY 1;
SELECT pg_temp.send(15, 36, 'c'), pg_temp.send(15, 35, 'd');
SELECT seq, signal_name, effect FROM ff_signal WHERE execution_id = pg_temp.uuid(15) ORDER BY seq;
SELECT pg_temp.state(15);

-- Sent again under the same key: the first row, whatever else it says
CREATE TEMP TABLE answer AS
  SELECT 1 AS call, * FROM ff_suspend(pg_temp.handle(16), ff_when('k', 'ready'), idempotency_key => 'replay-key-1',
    suspension_id => pg_temp.susp(16), timeout_at => ff_from_ms(1011999));
INSERT INTO answer
  SELECT 2, * FROM ff_suspend(pg_temp.handle(16), ff_when('other'), idempotency_key => 'replay-key-1',
    suspension_id => pg_temp.susp(17));
SELECT call, outcome, suspension_id, waitpoint_key, replayed, handle = (SELECT handle FROM answer WHERE call = 1) AS same_handle,
       waitpoint_token = (SELECT waitpoint_token FROM answer WHERE call = 1) AS same_token,
       waitpoint_id = (SELECT waitpoint_id FROM answer WHERE call = 1) AS same_waitpoint
  FROM answer ORDER BY call;
SELECT (outcome_json - 'handle') - 'waitpoint_ids' AS kept, outcome_json::text LIKE '%kid-suspend%' AS has_token,
       expires_at_ms - created_at_ms AS for_ms
  FROM ff_suspend_dedup WHERE execution_id = pg_temp.uuid(16);
SELECT outcome, replayed FROM ff_suspend(pg_temp.handle(17), ff_when('k'), idempotency_key => 'replay-key-1');
SELECT expires_at_ms - created_at_ms AS for_ms FROM ff_suspend_dedup WHERE execution_id = pg_temp.uuid(17);
-- it holds after the execution was resumed
SELECT outcome, public_state FROM ff_resume_execution(pg_temp.exec(16));
SELECT outcome, replayed FROM ff_suspend(pg_temp.handle(16), ff_when('k'), idempotency_key => 'replay-key-1');
SELECT pg_temp.state(16);
-- over
SET LOCAL ffengine.test_now_ms = '1071998';
SELECT pg_temp.try('SELECT ff_suspend(pg_temp.handle(16), ff_when(''k''), idempotency_key => ''replay-key-1'')');
SET LOCAL ffengine.test_now_ms = '1071999';
SELECT pg_temp.try('SELECT ff_suspend(pg_temp.handle(16), ff_when(''k''), idempotency_key => ''replay-key-1'')');

-- The execution policy's timeout; a second suspension moves the first to the history
SET LOCAL ffengine.test_now_ms = '1001000';
SELECT pg_temp.run(21, '{"suspension_policy":{"default_timeout_ms":5000,"timeout_behavior":"expire"}}');
UPDATE ff_attempt SET timeout_at_ms = 1061000 WHERE execution_id = pg_temp.uuid(21);
SELECT outcome FROM ff_suspend(pg_temp.handle(21), ff_when('a'), suspension_id => pg_temp.susp(21));
SELECT timeout_at_ms, timeout_behavior FROM ff_suspension_current WHERE execution_id = pg_temp.uuid(21);
SELECT expires_at_ms FROM ff_waitpoint_pending WHERE execution_id = pg_temp.uuid(21);
SELECT timeout_at_ms, timeout_left_ms FROM ff_attempt WHERE execution_id = pg_temp.uuid(21);
SELECT outcome FROM ff_deliver_approval_signal(pg_temp.exec(21),
  (SELECT waitpoint_id FROM ff_waitpoint_pending WHERE execution_id = pg_temp.uuid(21)), 'approved', '1');
SET LOCAL ffengine.test_now_ms = '4601000';
SELECT claim_kind, lease_epoch, attempt_deadline_at, handle AS h
  FROM ff_claim_resumed_execution(pg_temp.exec(21), 'w2', 'wi2') \gset
SELECT :'claim_kind' AS claim_kind, :lease_epoch AS lease_epoch, :'attempt_deadline_at' AS attempt_deadline_at;
SELECT outcome FROM ff_suspend(:'h', ff_when('b'), suspension_id => pg_temp.susp(22), timeout_at => ff_from_ms(4700000),
                               timeout_behavior => 'cancel', continuation_metadata_pointer => 'step-2');
SELECT suspension_id, close_reason, timeout_at_ms, closed_at_ms FROM ff_suspension_history WHERE execution_id = pg_temp.uuid(21);
SELECT suspension_id, timeout_at_ms, timeout_behavior, lease_epoch, continuation_metadata_pointer, closed_at_ms
  FROM ff_suspension_current WHERE execution_id = pg_temp.uuid(21);

-- Ending an execution closes its waitpoints: those bound and those not
SET LOCAL ffengine.test_now_ms = '1001000';
SELECT pg_temp.pending(18, 38, 60000);
SELECT pg_temp.send(18, 38, 'x');
SELECT outcome FROM ff_complete(pg_temp.handle(18));
SELECT state, close_reason FROM ff_waitpoint_pending WHERE waitpoint_id = pg_temp.wp(38);
SELECT effect FROM ff_signal WHERE waitpoint_id = pg_temp.wp(38);
SELECT pg_temp.try('SELECT pg_temp.send(18, 38, ''x'')');
ROLLBACK;
