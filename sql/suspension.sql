-- Operator resume and suspension timeouts: chapter 03 sections 6.2 and 6.4.
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

-- The same with a timeout at 1002000 and what happens then.
CREATE FUNCTION pg_temp.timed(n int, behavior text, condition jsonb DEFAULT ff_when('a', 'ready'),
                              keys text[] DEFAULT '{a}', policy jsonb DEFAULT NULL)
RETURNS text LANGUAGE sql AS $$
  SELECT pg_temp.run(n);
  SELECT outcome FROM ff_suspend(pg_temp.handle(n), condition, timeout_at => ff_from_ms(1002000),
    timeout_behavior => behavior, resume_policy => policy,
    waitpoints => (SELECT jsonb_agg(ff_fresh_waitpoint(k, pg_temp.wp(10 * n + o::int - 1)) ORDER BY o)
                     FROM unnest(keys) WITH ORDINALITY u (k, o)))
$$;

SET LOCAL ffengine.test_now_ms = '1001000';
DELETE FROM ff_waitpoint_hmac;
SELECT outcome FROM ff_seed_waitpoint_hmac_secret('kid-1', repeat('ab', 32));

-- Operator resume: the condition is not asked
SELECT pg_temp.suspended(1, ff_count_of(2, '{a,b}'), '{a,b}');
SELECT pg_temp.send(1, 10, 'x');
SELECT outcome, public_state FROM ff_resume_execution(pg_temp.exec(1));
SELECT pg_temp.state(1);
SELECT count(*) AS current FROM ff_suspension_current WHERE execution_id = pg_temp.uuid(1);
SELECT close_reason, closed_at_ms, closer_signal_id, member_map FROM ff_suspension_history WHERE execution_id = pg_temp.uuid(1);
SELECT waitpoint_key, state, close_reason FROM ff_waitpoint_pending WHERE execution_id = pg_temp.uuid(1) ORDER BY 1;
SELECT outcome, dispatched_at_ms IS NOT NULL AS dispatched FROM ff_completion_event WHERE execution_id = pg_temp.uuid(1);
SELECT pg_temp.try('SELECT pg_temp.send(1, 10, ''x'')') AS late;
SELECT claim_kind, attempt_index, lease_epoch FROM ff_claim_resumed_execution(pg_temp.exec(1), 'w', 'wi');
SELECT pg_temp.try('SELECT ff_resume_execution(pg_temp.exec(1))') AS active, pg_temp.try('SELECT ff_resume_execution(pg_temp.exec(99))') AS unknown;
SELECT pg_temp.try('SELECT ff_resume_execution(pg_temp.exec(1), ''whim'')'), pg_temp.try('SELECT ff_resume_execution(pg_temp.exec(1), resume_delay_ms => -1)');
-- the trigger is recorded; the argument's delay comes before the policy's
SELECT pg_temp.suspended(2, ff_operator_only(), policy => ff_resume_policy(resume_delay_ms => 1000)),
       pg_temp.suspended(3, ff_operator_only(), policy => ff_resume_policy(resume_delay_ms => 1000));
SELECT outcome, public_state FROM ff_resume_execution(pg_temp.exec(2), 'auto_resume', 5000);
SELECT outcome, public_state FROM ff_resume_execution(pg_temp.exec(3), trigger_type => 'signal');
SELECT pg_temp.state(2), pg_temp.state(3);
SELECT close_reason FROM ff_suspension_history WHERE execution_id IN (pg_temp.uuid(2), pg_temp.uuid(3)) ORDER BY execution_id;
-- a suspension put in by hand: no waitpoints, no policy, no attempt
SELECT pg_temp.run(4);
UPDATE ff_exec_core SET lifecycle_phase = 'suspended', ownership_state = 'released', attempt_state = 'attempt_interrupted',
  public_state = 'suspended', blocking_reason = 'waiting_for_signal' WHERE execution_id = pg_temp.uuid(4);
SELECT pg_temp.try('SELECT ff_resume_execution(pg_temp.exec(4))') AS no_row;
INSERT INTO ff_suspension_current (partition_key, execution_id, suspension_id, suspended_at_ms, condition)
VALUES (7, pg_temp.uuid(4), pg_temp.sig(4), 100, '{}');
SELECT outcome, public_state FROM ff_resume_execution(pg_temp.exec(4));

-- The five behaviours
SELECT n, behavior, pg_temp.timed(n, behavior, keys => '{a,b,c}', condition => ff_all_of_waitpoints('a', 'b', 'c')), pg_temp.send(n, 10 * n, 'x')
  FROM (VALUES (11, 'fail'), (12, 'cancel'), (13, 'expire'), (14, 'escalate'), (15, 'auto_resume_with_timeout_signal')) v (n, behavior);
SET LOCAL ffengine.test_now_ms = '1001999';
SELECT * FROM ff_expire_suspension(pg_temp.exec(11));
SET LOCAL ffengine.test_now_ms = '1002000';
SELECT n, t.* FROM generate_series(11, 15) n, LATERAL ff_expire_suspension(pg_temp.exec(n)) t;
SELECT n, t.* FROM generate_series(11, 15) n, LATERAL ff_expire_suspension(pg_temp.exec(n)) t;
SELECT n, pg_temp.state(n) FROM generate_series(11, 15) n;
SELECT c.terminal_outcome, c.terminal_at_ms, c.cancelled_by, c.cancellation_reason, c.raw_fields ->> 'last_failure_message' AS message,
       a.outcome, a.failure_reason, a.terminal_at_ms
  FROM ff_exec_core c JOIN ff_attempt a USING (partition_key, execution_id)
 WHERE c.execution_id BETWEEN pg_temp.uuid(11) AND pg_temp.uuid(15) ORDER BY c.execution_id;
SELECT outcome, dispatched_at_ms FROM ff_completion_event
 WHERE execution_id BETWEEN pg_temp.uuid(11) AND pg_temp.uuid(15) ORDER BY execution_id;
SELECT signal_name, signal_category, source_type, source_identity, effect, match_result, waitpoint_id = pg_temp.wp(10 * n) AS on_first, seq
  FROM ff_signal JOIN generate_series(11, 15) n ON execution_id = pg_temp.uuid(n) WHERE source_type = 'engine' ORDER BY n;
SELECT effect FROM ff_signal_event WHERE execution_id BETWEEN pg_temp.uuid(11)::text AND pg_temp.uuid(15)::text
   AND effect <> 'appended' ORDER BY execution_id;
SELECT close_reason, timeout_at_ms, closed_at_ms, satisfied_set, member_map - '__timeout__' AS counts,
       member_map -> '__timeout__' -> 0 ->> 'signal_name' AS timeout, (member_map -> '__timeout__' -> 0 ->> 'at_ms') AS at_ms
  FROM ff_suspension_history WHERE execution_id BETWEEN pg_temp.uuid(11) AND pg_temp.uuid(15) ORDER BY execution_id;
SELECT reason_code, condition, timeout_at_ms, timeout_behavior, satisfied_set, member_map ? '__timeout__' AS noted, escalated_at_ms,
       closed_at_ms, close_reason, closer_signal_id::text = member_map -> '__timeout__' -> 0 ->> 'signal_id' AS closer_is_timeout
  FROM ff_suspension_current WHERE execution_id BETWEEN pg_temp.uuid(11) AND pg_temp.uuid(15) ORDER BY execution_id;
SELECT n, state, close_reason, expires_at_ms, count(*) FROM ff_waitpoint_pending JOIN generate_series(11, 15) n ON execution_id = pg_temp.uuid(n)
 GROUP BY 1, 2, 3, 4 ORDER BY 1;
SELECT pg_temp.try('SELECT ff_expire_suspension(pg_temp.exec(99))');

-- escalated: signals are recorded, the operator alone resumes
SELECT pg_temp.send(14, 141, 'x'), pg_temp.send(14, 142, 'x'), pg_temp.state(14);
SELECT outcome, public_state FROM ff_resume_execution(pg_temp.exec(14));
-- resumed by the timeout: the worker sees why
SELECT claim_kind, lease_epoch FROM ff_claim_resumed_execution(pg_temp.exec(15), 'w', 'wi');
SELECT signal_name, source_type, effect, counted FROM ff_observe_signals(pg_temp.handle(15, 3, 'resumed'));
SELECT close_reason, closer_signal_id IS NOT NULL AS has_closer FROM ff_describe_resume(pg_temp.handle(15, 3, 'resumed'));

-- An engine's timeout signal never counts in a later suspension
SELECT pg_temp.timed(16, 'auto_resume_with_timeout_signal', policy => ff_resume_policy(resume_delay_ms => 500,
         close_waitpoint_on_resume => false, consume_matched_signals => false, retain_signal_buffer_until_closed => true));
SELECT outcome, behavior_applied, public_state FROM ff_expire_suspension(pg_temp.exec(16));
SELECT pg_temp.state(16), state FROM ff_waitpoint_pending WHERE waitpoint_id = pg_temp.wp(160);
SET LOCAL ffengine.test_now_ms = '1003000';
SELECT count(*) FROM ff_claim_resumed_execution(pg_temp.exec(16), 'w', 'wi');
SELECT s.outcome FROM ff_attempt a, LATERAL ff_suspend_by_triple(pg_temp.exec(16), a.lease_id, a.lease_epoch, a.attempt_id, ff_when('a'),
         jsonb_build_array(ff_use_pending(pg_temp.wp(160)))) s WHERE a.execution_id = pg_temp.uuid(16);

-- No behaviour counts as fail; no timeout is never due; no waitpoint, no signal
INSERT INTO ff_suspension_current (partition_key, execution_id, suspension_id, suspended_at_ms, condition, timeout_at_ms)
SELECT 7, pg_temp.uuid(n), pg_temp.sig(n), 100, '{}', t FROM (VALUES (17, 200), (18, NULL)) v (n, t);
SELECT pg_temp.run(n) FROM generate_series(17, 18) n;
UPDATE ff_exec_core SET lifecycle_phase = 'suspended', ownership_state = 'released', attempt_state = 'attempt_interrupted',
  public_state = 'suspended', blocking_reason = 'waiting_for_signal' WHERE execution_id IN (pg_temp.uuid(17), pg_temp.uuid(18));
SELECT n, t.* FROM generate_series(17, 18) n, LATERAL ff_expire_suspension(pg_temp.exec(n)) t;
SELECT count(*) AS signals FROM ff_signal WHERE execution_id = pg_temp.uuid(17);
SELECT member_map -> '__timeout__' -> 0 ->> 'signal_name' AS noted, close_reason FROM ff_suspension_history WHERE execution_id = pg_temp.uuid(17);
ROLLBACK;
