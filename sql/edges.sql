-- Edges of suspensions and signals: rows in a state that nobody should have made, ids used twice,
-- callers that mean harm.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS ffengine CASCADE;
RESET client_min_messages;
SET ffengine.test_now_ms = '1000000';
BEGIN;
DELETE FROM ff_waitpoint_hmac;
SELECT outcome FROM ff_seed_waitpoint_hmac_secret('edge', repeat('ab', 32));

CREATE FUNCTION pg_temp.exec(n integer) RETURNS text LANGUAGE sql AS
  $$ SELECT ff_execution_id(9, ('00000000-0000-0000-0051-' || lpad(n::text, 12, '0'))::uuid) $$;
CREATE FUNCTION pg_temp.work(n integer) RETURNS bytea LANGUAGE plpgsql AS $$
BEGIN
  PERFORM ff_create_execution('edges ' || n, execution_id => pg_temp.exec(n));
  RETURN (SELECT handle FROM ff_claim('edges ' || n, 'w', 'w-1'));
END $$;

-- a suspension whose attempt row is gone ends at its timeout all the same
SELECT outcome FROM ff_suspend(pg_temp.work(1), ff_when('k'), timeout_at => ff_from_ms(1000500));
DELETE FROM ff_attempt WHERE execution_id = ff_execution_uuid(pg_temp.exec(1));
SET LOCAL ffengine.test_now_ms = '1000500';
SELECT outcome, behavior_applied, public_state FROM ff_expire_suspension(pg_temp.exec(1));

-- one suspension id for two executions: each counts its own signals
SET LOCAL ffengine.test_now_ms = '1000000';
CREATE TEMP TABLE gate AS
  SELECT n, s.waitpoint_id AS id, s.waitpoint_token AS token
    FROM (VALUES (2), (3)) AS e (n),
         LATERAL ff_suspend(pg_temp.work(n), ff_count_of(2, '{k}', 'sources'),
                            suspension_id => '00000000-0000-0000-0000-00000000aaaa') s;
SELECT n, effect, match_result
  FROM gate, LATERAL ff_deliver_signal(pg_temp.exec(n), id, token, 'x', source_identity => 'alice')
 ORDER BY n;
SELECT outcome FROM ff_resume_execution(pg_temp.exec(3));
SELECT effect, match_result
  FROM gate, LATERAL ff_deliver_signal(pg_temp.exec(n), id, token, 'x', source_identity => 'alice')
 WHERE n = 2;

-- a retry is another attempt: the pending waitpoints of the failed one are closed
SELECT pg_temp.work(4) AS handle \gset
SELECT waitpoint_key FROM ff_create_waitpoint(:'handle', 'callback');
SELECT outcome, next_attempt_index FROM ff_fail(:'handle', 'oops');
SELECT state, close_reason FROM ff_waitpoint_pending
 WHERE execution_id = ff_execution_uuid(pg_temp.exec(4));

-- a token with a key id longer than any is refused before anything is computed
SAVEPOINT s;
SELECT ff_deliver_signal(pg_temp.exec(2), NULL, repeat('k', 1000000) || ':' || repeat('0', 64), 'x',
                         target_scope => 'execution');
ROLLBACK TO s;

-- the engine's own timeout signal is not trimmed away by a sender
SELECT n, s.waitpoint_id AS id, s.waitpoint_token AS token
  FROM (VALUES (5)) AS e (n),
       LATERAL ff_suspend(pg_temp.work(n), ff_when('k', 'go'), timeout_at => ff_from_ms(1000500),
                          timeout_behavior => 'escalate') s \gset
SET LOCAL ffengine.test_now_ms = '1000500';
SELECT outcome FROM ff_expire_suspension(pg_temp.exec(5));
SELECT effect FROM generate_series(1, 3) i,
  LATERAL ff_deliver_signal(pg_temp.exec(5), :'id', :'token', 'noise' || i, signal_maxlen => 1);
SELECT seq, signal_name, source_type FROM ff_list_signals(pg_temp.exec(5)) ORDER BY seq;
ROLLBACK;
