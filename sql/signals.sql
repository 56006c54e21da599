-- Delivering signals: chapter 03 section 5.
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

-- Single: the wrong name is kept, the right one resumes
SELECT pg_temp.suspended(1, ff_when('a', 'ready'));
SELECT pg_temp.send(1, 10, 'other'), pg_temp.state(1);
SELECT pg_temp.send(1, 10, 'ready'), pg_temp.state(1);
SELECT outcome, dispatched_at_ms, attempt_index FROM ff_completion_event WHERE execution_id = pg_temp.uuid(1);
SELECT effect FROM ff_signal_event WHERE execution_id = pg_temp.uuid(1)::text ORDER BY event_id;
SELECT close_reason, closed_at_ms, satisfied_at_ms, timeout_at_ms, satisfied_set, g.signal_name AS closer
  FROM ff_suspension_current s JOIN ff_signal g ON g.signal_id = s.closer_signal_id
 WHERE s.execution_id = pg_temp.uuid(1);
SELECT state, close_reason, closed_at_ms, satisfied_at_ms, signal_count, matched_signal_count, last_signal_at_ms
  FROM ff_waitpoint_pending WHERE waitpoint_id = pg_temp.wp(10);
SELECT outcome FROM ff_attempt WHERE execution_id = pg_temp.uuid(1);
SELECT pg_temp.try('SELECT pg_temp.send(1, 10, ''ready'')') AS too_late;

-- Count of distinct sources: the same one counts once
SELECT pg_temp.suspended(2, ff_count_of(2, '{a}', 'sources'));
SELECT pg_temp.send(2, 20, 'x', 'src1') UNION ALL SELECT pg_temp.send(2, 20, 'x', 'src1');
SELECT satisfied_set, member_map FROM ff_suspension_current WHERE execution_id = pg_temp.uuid(2);
SELECT node_path, token FROM ff_signal_satisfier
  JOIN ff_suspension_current s USING (partition_key, suspension_id) WHERE s.execution_id = pg_temp.uuid(2);
SELECT pg_temp.send(2, 20, 'x', 'src2');
SELECT count(*) AS satisfiers_left FROM ff_signal_satisfier
  JOIN ff_suspension_current s USING (partition_key, suspension_id) WHERE s.execution_id = pg_temp.uuid(2);

-- All of two waitpoints, each with its own token, in both orders
SELECT pg_temp.suspended(3, ff_all_of_waitpoints('a', 'b'), '{a,b}'), pg_temp.suspended(4, ff_all_of_waitpoints('a', 'b'), '{a,b}');
SELECT pg_temp.send(3, 30, 'x'), pg_temp.send(3, 31, 'x');
SELECT pg_temp.send(4, 41, 'x'), pg_temp.send(4, 40, 'x');
-- all of two names on one waitpoint; a signal that nothing waits for
SELECT pg_temp.suspended(5, ff_all_of(ff_when('a', 'one'), ff_when('a', 'two')));
SELECT n, pg_temp.send(5, 50, n) FROM unnest(ARRAY['one', 'one', 'three', 'two']) n;
SELECT pg_temp.suspended(6, ff_operator_only(), '{any}');
SELECT pg_temp.send(6, 60, 'x');
SELECT effect FROM ff_signal_event WHERE execution_id IN (pg_temp.uuid(5)::text, pg_temp.uuid(6)::text) ORDER BY event_id;

-- At every step the incremental evaluation agrees with the reference
CREATE FUNCTION pg_temp.random_condition(depth int) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  keys  text[] := (SELECT array_agg(k ORDER BY random()) FROM unnest(ARRAY['a', 'b', 'c']) k);
  names text[] := ARRAY['x', 'y', NULL];
BEGIN
  IF depth < 3 AND random() < 0.5 THEN
    RETURN ff_all_of(VARIADIC ARRAY(SELECT pg_temp.random_condition(depth + 1)
                                      FROM generate_series(1, 1 + (random() * 2)::int)));
  ELSIF random() < 0.4 THEN
    RETURN ff_when(keys[1], names[1 + (random() * 2)::int]);
  END IF;
  RETURN ff_count_of(1 + (random() * 2)::int, keys,
                     (ARRAY['waitpoints', 'signals', 'sources'])[1 + (random() * 2)::int],
                     names[1 + (random() * 2)::int]);
END $$;
-- NULL, or where the two differ
CREATE FUNCTION pg_temp.differs(n int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  condition jsonb := ff_all_of(ff_count_of(1, '{a,b,c}'), pg_temp.random_condition(2));
  signals   jsonb := '[]';
  key       int;
  name      text;
  source    text;
  expected  boolean;
  said      text;
BEGIN
  PERFORM pg_temp.suspended(n, condition, '{a,b,c}');
  FOR i IN 1..15 LOOP
    key := (random() * 2)::int;
    name := (ARRAY['x', 'y', 'z'])[1 + (random() * 2)::int];
    source := (random() * 2)::int::text;
    said := pg_temp.send(n, 10 * n + key, name, source, id => 100 * n + i);
    signals := signals || jsonb_build_object('waitpoint_key', chr(97 + key), 'signal_name', name,
                 'signal_id', pg_temp.sig(100 * n + i), 'source_type', 'external_api', 'source_identity', source);
    expected := ff_evaluate_resume_condition(condition, signals);
    IF expected <> (said LIKE '%/resume_condition_satisfied/%') THEN
      RETURN format('%s after %s: %s', condition, signals, said);
    END IF;
    EXIT WHEN expected;
  END LOOP;
  RETURN NULL;
END $$;
SELECT setseed(0.25);
SELECT count(*) AS episodes, count(d) AS differ, min(d) AS first
  FROM generate_series(1001, 1120) n, LATERAL pg_temp.differs(n) d;
SELECT public_state, count(*) > 0 AS some FROM ff_exec_core
 WHERE partition_key = 7 AND execution_id > pg_temp.uuid(1000) GROUP BY 1 ORDER BY 1;

-- Sent again: by key, by id
SELECT pg_temp.suspended(7, ff_all_of(ff_when('a', 'ready'), ff_when('b', 'ready')), '{a,b}');
SELECT pg_temp.send(7, 70, 'x', key => 'k', id => 71);
SELECT outcome, signal_id = pg_temp.sig(71) AS first_id, effect, match_result
  FROM ff_deliver_signal(pg_temp.exec(7), pg_temp.wp(70), pg_temp.token(70), 'ready', idempotency_key => 'k');
SELECT pg_temp.send(7, 71, 'x', key => 'k') AS other_waitpoint;
SELECT pg_temp.send(7, 70, 'y', id => 71) AS same_id, pg_temp.send(7, 70, 'y', key => '') AS empty_key,
       pg_temp.send(7, 70, 'y', key => 'k', ttl => 0) AS no_ttl;
SELECT pg_temp.try('SELECT pg_temp.send(7, 71, ''y'', id => 71)') AS elsewhere;
SELECT count(*) AS accepted, max(seq) AS last FROM ff_signal WHERE execution_id = pg_temp.uuid(7);
SELECT effect, signal_id = pg_temp.sig(71)::text AS first_id FROM ff_signal_event
 WHERE execution_id = pg_temp.uuid(7)::text ORDER BY event_id;
SELECT idempotency_key, expires_at_ms - 1001000 AS for_ms FROM ff_signal_dedup WHERE waitpoint_id = pg_temp.wp(70);
SELECT pg_temp.send(7, 70, 'z', key => 'brief', ttl => 1000), pg_temp.send(7, 70, 'z', key => 'brief', ttl => 1000);
SET LOCAL ffengine.test_now_ms = '1002000';
SELECT pg_temp.send(7, 70, 'z', key => 'brief', ttl => 1000) AS window_over;
-- the retry of the very signal that resumed it
SELECT pg_temp.send(7, 70, 'ready'), pg_temp.send(7, 71, 'ready', key => 'last'),
       pg_temp.send(7, 71, 'ready', key => 'last');

-- The token comes first: without a genuine one every target answers alike
SELECT pg_temp.suspended(8, ff_when('a', 'ready'));
CREATE FUNCTION pg_temp.with_token(n int, waitpoint int, token text) RETURNS text LANGUAGE sql AS $$
  SELECT pg_temp.try(format('SELECT outcome FROM ff_deliver_signal(%L, %L, %L, ''no'')',
                            pg_temp.exec(n), pg_temp.wp(waitpoint), token))
$$;
CREATE FUNCTION pg_temp.signed(n int, waitpoint int) RETURNS text LANGUAGE sql AS $$
  SELECT ff_hmac_sign(decode(repeat('ab', 32), 'hex'), 'kid-1',
                      convert_to(pg_temp.exec(n) || ':' || pg_temp.wp(waitpoint), 'UTF8'))
$$;
SELECT pg_temp.with_token(8, 80, NULL) AS none, pg_temp.with_token(8, 80, '') AS empty,
       pg_temp.with_token(8, 80, 'kid-1') AS malformed;
SELECT pg_temp.with_token(8, 80, 'kid-1:' || repeat('0', 64)) AS forged;
SELECT pg_temp.with_token(8, 80, pg_temp.token(10)) AS of_another;
SELECT pg_temp.with_token(8, 81, pg_temp.token(80)) AS unknown_waitpoint;
SELECT pg_temp.with_token(9, 80, pg_temp.token(80)) AS unknown_execution;
-- with one, the truth
SELECT pg_temp.with_token(8, 81, pg_temp.signed(8, 81)) AS unknown_waitpoint,
       pg_temp.with_token(9, 80, pg_temp.signed(9, 80)) AS unknown_execution,
       pg_temp.with_token(8, 10, pg_temp.signed(8, 10)) AS other_execution,
       pg_temp.with_token(1, 10, pg_temp.token(10)) AS closed;
-- an execution in place of a waitpoint: the token says which
SELECT pg_temp.suspended(9, ff_all_of_waitpoints('a', 'b'), '{a,b}');
CREATE FUNCTION pg_temp.anywhere(n int, token text, scope text DEFAULT 'execution') RETURNS text LANGUAGE sql AS $$
  SELECT pg_temp.try(format('SELECT outcome FROM ff_deliver_signal(%L, NULL, %L, ''x'', target_scope => %L)',
                            pg_temp.exec(n), token, scope))
$$;
SELECT pg_temp.anywhere(9, pg_temp.token(91));
SELECT waitpoint_id = pg_temp.wp(91) AS the_second, target_scope FROM ff_signal WHERE execution_id = pg_temp.uuid(9);
SELECT pg_temp.anywhere(9, pg_temp.token(91), 'waitpoint');
SELECT pg_temp.anywhere(9, pg_temp.token(10)) AS not_of_it;
SELECT pg_temp.anywhere(99, pg_temp.token(10)) AS unknown_execution;

-- Arguments
CREATE TEMP TABLE bad (more text);
INSERT INTO bad VALUES ($$NULL$$), ($$''$$), ($$'__x'$$), ($$repeat('n', 257)$$), ($$'x', payload_encoding => ''$$),
  ($$'x', signal_category => repeat('c', 65)$$), ($$'x', source_type => 'engine'$$), ($$'x', source_type => ''$$),
  ($$'x', source_identity => repeat('i', 513)$$), ($$'x', correlation_id => repeat('c', 513)$$),
  ($$'x', idempotency_key => repeat('k', 513)$$), ($$'x', dedup_ttl_ms => -1$$), ($$'x', resume_delay_ms => -1$$),
  ($$'x', max_signals_per_execution => -1$$), ($$'x', signal_maxlen => -1$$), ($$'x', target_scope => 'world'$$),
  ($$'x', created_at => 'infinity'$$), ($$'x', payload => convert_to(repeat('p', 65537), 'UTF8')$$);
SELECT more, pg_temp.try('SELECT outcome FROM ff_deliver_signal(pg_temp.exec(8), pg_temp.wp(80), pg_temp.token(80), ' || more || ')')
  FROM bad;
SELECT pg_temp.try($$SELECT ff_deliver_signal('x', pg_temp.wp(80), pg_temp.token(80), 'x')$$);
SELECT outcome FROM ff_deliver_signal(pg_temp.exec(8), pg_temp.wp(80), pg_temp.token(80), 'big', convert_to(repeat('p', 65536), 'UTF8'),
  payload_encoding => 'raw', signal_category => 'c', source_type => 't', source_identity => 'i', correlation_id => 'corr',
  created_at => ff_from_ms(5));
SELECT length(payload), payload_encoding, signal_category, source_type, source_identity, correlation_id, created_at_ms,
       accepted_at_ms, target_scope FROM ff_signal WHERE waitpoint_id = pg_temp.wp(80);
SELECT signal_name, payload FROM ff_observe_signals(pg_temp.handle(7, 1, 'suspended')) WHERE signal_name = 'x';

-- Limits: the third is one too many, the retry of the second is not
SELECT pg_temp.suspended(10, ff_when('a', 'ready'));
SELECT pg_temp.send(10, 100, 'x', max => 2), pg_temp.send(10, 100, 'x', key => 'k', max => 2);
SELECT pg_temp.try('SELECT pg_temp.send(10, 100, ''x'', max => 2)'), pg_temp.send(10, 100, 'x', key => 'k', max => 2),
       pg_temp.send(10, 100, 'x', max => 0) AS no_limit;
SELECT pg_temp.suspended(11, ff_when('a', 'ready'), execution_policy => '{"max_signals_per_execution":1}');
SELECT pg_temp.send(11, 110, 'x');
SELECT pg_temp.try('SELECT pg_temp.send(11, 110, ''x'')');
SET LOCAL ffengine.default_max_signals = 3;
SELECT pg_temp.try('SELECT pg_temp.send(10, 100, ''x'')');
SET LOCAL ffengine.default_max_signals = 10000;

-- Trimming: 10 places are kept of those that did not count; what counted stays
SELECT pg_temp.suspended(12, ff_count_of(5, '{a}', 'signals', 'yes'));
SELECT count(*) FROM generate_series(1, 3) n, LATERAL pg_temp.send(12, 120, 'yes', maxlen => 10, key => 'y' || n);
SELECT count(DISTINCT r) FROM generate_series(1, 50) n, LATERAL pg_temp.send(12, 120, 'no' || n, maxlen => 10, key => n::text) r;
SELECT match_result, count(*), min(seq), max(seq) FROM ff_signal WHERE waitpoint_id = pg_temp.wp(120) GROUP BY 1 ORDER BY 1;
SELECT signal_count, matched_signal_count, trimmed_through_seq FROM ff_waitpoint_pending WHERE waitpoint_id = pg_temp.wp(120);
SELECT outcome, effect FROM ff_deliver_signal(pg_temp.exec(12), pg_temp.wp(120), pg_temp.token(120), 'no1', idempotency_key => '1');

-- State: pending, pending too long, active but not suspended, closed, ended
SELECT pg_temp.run(13);
SELECT waitpoint_key FROM ff_create_waitpoint(pg_temp.handle(13), 'k', 1000, pg_temp.wp(130));
SELECT pg_temp.send(13, 130, 'early');
SELECT suspension_id, effect, match_result FROM ff_signal WHERE waitpoint_id = pg_temp.wp(130);
SELECT effect FROM ff_signal_event WHERE execution_id = pg_temp.uuid(13)::text;
SET LOCAL ffengine.test_now_ms = '1003000';
SELECT pg_temp.try('SELECT pg_temp.send(13, 130, ''late'')');
UPDATE ff_waitpoint_pending SET state = 'active' WHERE waitpoint_id = pg_temp.wp(130);
SELECT pg_temp.try('SELECT pg_temp.send(13, 130, ''x'')');
UPDATE ff_waitpoint_pending SET state = 'expired' WHERE waitpoint_id = pg_temp.wp(130);
SELECT pg_temp.try('SELECT pg_temp.send(13, 130, ''x'')');
UPDATE ff_exec_core SET lifecycle_phase = 'cancelled', public_state = 'cancelled' WHERE execution_id = pg_temp.uuid(13);
SELECT pg_temp.try('SELECT pg_temp.send(13, 130, ''x'')');

-- A delay of the resume: the signal's comes before the policy's
SELECT pg_temp.suspended(14, ff_when('a'), policy => ff_resume_policy(resume_delay_ms => 5000));
SELECT pg_temp.send(14, 140, 'x'), pg_temp.state(14);
SELECT pg_temp.suspended(15, ff_when('a'), policy => ff_resume_policy(resume_delay_ms => 5000));
SELECT effect FROM ff_deliver_signal(pg_temp.exec(15), pg_temp.wp(150), pg_temp.token(150), 'x', resume_delay_ms => 2000);
SELECT pg_temp.state(15);
SELECT pg_temp.try('SELECT ff_claim_resumed_execution(pg_temp.exec(15), ''w'', ''wi'')');
SET LOCAL ffengine.test_now_ms = '1005000';
SELECT claim_kind, attempt_index, lease_epoch FROM ff_claim_resumed_execution(pg_temp.exec(15), 'w', 'wi');
SELECT pg_temp.suspended(16, ff_when('a'), policy => ff_resume_policy(resume_delay_ms => 5000));
SELECT effect FROM ff_deliver_signal(pg_temp.exec(16), pg_temp.wp(160), pg_temp.token(160), 'x', resume_delay_ms => 0);
SELECT pg_temp.state(16);

-- Waitpoints that go back to pending, and which of their signals count again
CREATE FUNCTION pg_temp.back_to_pending(n int, policy jsonb) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_temp.suspended(n, ff_when('a', 'go'), policy => policy);
  PERFORM pg_temp.send(n, 10 * n, 'other');
  PERFORM pg_temp.send(n, 10 * n, 'go');
  RETURN (SELECT concat_ws(' ', state, suspension_id, activated_at_ms, expires_at_ms, required_signal_names::text)
            FROM ff_waitpoint_pending WHERE waitpoint_id = pg_temp.wp(10 * n));
END $$;
-- the attempt goes on, a signal comes in between, and it suspends on the same waitpoint
CREATE FUNCTION pg_temp.bind_again(n int) RETURNS text LANGUAGE sql AS $$
  SELECT ff_claim_resumed_execution(pg_temp.exec(n), 'w1', 'wi1');
  SELECT pg_temp.send(n, 10 * n, 'between');
  SELECT s.outcome
    FROM ff_attempt a, LATERAL ff_suspend_by_triple(pg_temp.exec(n), a.lease_id, a.lease_epoch, a.attempt_id,
           ff_count_of(9, '{a}', 'signals'), jsonb_build_array(ff_use_pending(pg_temp.wp(10 * n)))) s
   WHERE a.execution_id = pg_temp.uuid(n);
$$;
CREATE FUNCTION pg_temp.counted(n int) RETURNS text LANGUAGE sql AS $$
  SELECT string_agg(g.signal_name, ' ' ORDER BY g.seq)
    FROM ff_signal g JOIN ff_suspension_current s USING (partition_key, suspension_id)
   WHERE s.execution_id = pg_temp.uuid(n) AND g.match_result = 'counted'
$$;
SELECT consume, retain, pg_temp.back_to_pending(n, ff_resume_policy(close_waitpoint_on_resume => false,
         consume_matched_signals => consume, retain_signal_buffer_until_closed => retain)),
       pg_temp.bind_again(n), pg_temp.counted(n)
  FROM (VALUES (17, true, false), (18, false, false), (19, true, true), (20, false, true)) v (n, consume, retain);
-- consumed ones stay readable for their episode
SELECT signal_name, counted FROM ff_observe_signals(pg_temp.handle(17, 1, 'suspended'));

-- Approvals need no token: the caller's right stands in
SELECT pg_temp.suspended(21, ff_when('a', 'approved'));
DELETE FROM ff_waitpoint_hmac;
CREATE FUNCTION pg_temp.approve(n int, waitpoint int, name text, suffix text, more text DEFAULT '') RETURNS text LANGUAGE sql AS $$
  SELECT pg_temp.try(format('SELECT concat_ws(''/'', outcome, effect, match_result)
    FROM ff_deliver_approval_signal(pg_temp.exec(%s), pg_temp.wp(%s), %L, %L %s)', n, waitpoint, name, suffix, more))
$$;
SELECT pg_temp.approve(21, 219, 'approved', '1') AS unknown_waitpoint, pg_temp.approve(99, 210, 'approved', '1') AS unknown_execution,
       pg_temp.approve(21, 10, 'approved', '1') AS other_execution;
SELECT pg_temp.approve(21, 210, 'approved', '1', $$, lane_id => 'elsewhere'$$) AS wrong_lane;
SELECT pg_temp.approve(21, 210, 'approved', '') AS no_suffix, pg_temp.approve(21, 210, '__x', '1') AS reserved;
SELECT pg_temp.approve(21, 210, 'rejected', '1') AS rejected, pg_temp.approve(21, 210, 'rejected', '1') AS again;
SELECT pg_temp.approve(21, 210, 'approved', '1', $$, lane_id => 'default', source_identity => 'alice', payload => '\x01'$$) AS approved,
       pg_temp.approve(21, 210, 'approved', '1') AS again, pg_temp.approve(21, 210, 'approved', '2') AS late;
SELECT signal_name, signal_category, source_type, source_identity, target_scope, idempotency_key, payload
  FROM ff_signal WHERE waitpoint_id = pg_temp.wp(210) ORDER BY seq;
SELECT pg_temp.state(21);

-- Nothing holds a list of signals: the row does not grow with them
SELECT outcome FROM ff_seed_waitpoint_hmac_secret('kid-1', repeat('ab', 32));
SELECT pg_temp.suspended(22, ff_count_of(1000, '{a}', 'signals'));
CREATE FUNCTION pg_temp.size(n int) RETURNS bigint LANGUAGE sql AS $$
  SELECT pg_column_size(s.*) FROM ff_suspension_current s WHERE execution_id = pg_temp.uuid(n)
$$;
SELECT count(DISTINCT r) FROM generate_series(1, 100) n, LATERAL pg_temp.send(22, 220, 'x' || n) r;
SELECT pg_temp.size(22) AS before \gset
SELECT count(DISTINCT r) FROM generate_series(1, 899) n, LATERAL pg_temp.send(22, 220, 'x' || n) r;
SELECT pg_temp.size(22) - :before < 16 AS a_few_bytes, pg_temp.send(22, 220, 'x') AS last;
ROLLBACK;
