-- Retries: how often, how long to wait, and which failures (chapter 04, section 4.4).
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
  $$ SELECT '{fp:7}:00000000-0000-0000-0026-' || lpad(n::text, 12, '0') $$;

-- The backoffs of an execution that fails until nothing is left, in milliseconds.
CREATE FUNCTION pg_temp.backoffs(n integer, policy jsonb, class text DEFAULT 'transient',
                                 category text DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  f     record;
  start bigint := current_setting('ffengine.test_now_ms');
  list  text;
BEGIN
  PERFORM ff_create_execution('retries', policy => policy, execution_id => pg_temp.id(n));
  FOR i IN 1..20 LOOP
    SELECT f1.* INTO f FROM ff_claim('retries', 'w', 'w-1') c, ff_fail(c.handle, 'x', class, category) f1;
    list := concat_ws(' ', list, coalesce((ff_to_ms(f.delay_until) - start)::text, f.outcome));
    EXIT WHEN f.delay_until IS NULL;
    -- what the promoter does when the time has come
    UPDATE ff_exec_core SET eligibility_state = 'eligible_now', blocking_reason = 'waiting_for_worker',
           public_state = 'waiting', eligible_at_ms = NULL
     WHERE execution_id = ff_execution_uuid(pg_temp.id(n));
  END LOOP;
  RETURN list;
END $$;

SET ffengine.test_now_ms = '1000000';

-- Without a policy: three retries, from 1 s, doubling.
SELECT pg_temp.backoffs(1, NULL) AS none, pg_temp.backoffs(2, '{}') AS empty,
       pg_temp.backoffs(3, '{"retry_policy": {}}') AS empty_too;
SET ffengine.default_max_retries = 1;
SET ffengine.default_backoff_initial = '200ms';
SELECT pg_temp.backoffs(4, NULL) AS by_settings,
       pg_temp.backoffs(5, '{"retry_policy": {"max_retries": 2}}') AS by_both;
SET ffengine.default_backoff_multiplier = 10;
SET ffengine.default_backoff_max = '3s';
SELECT pg_temp.backoffs(6, '{"retry_policy": {"max_retries": 4}}');
RESET ffengine.default_max_retries;
RESET ffengine.default_backoff_initial;
RESET ffengine.default_backoff_multiplier;
RESET ffengine.default_backoff_max;

-- Exponential: capped, rounded down to a millisecond. Fixed. None at all.
SELECT pg_temp.backoffs(10, '{"retry_policy": {"max_retries": 6, "backoff":
  {"type": "exponential", "initial_delay_ms": 100, "multiplier": 2, "max_delay_ms": 1000}}}');
SELECT pg_temp.backoffs(11, '{"retry_policy": {"max_retries": 5, "backoff":
  {"type": "exponential", "initial_delay_ms": 3, "multiplier": 1.5, "max_delay_ms": 1000}}}');
SELECT pg_temp.backoffs(12, '{"retry_policy": {"max_retries": 3, "backoff":
  {"type": "exponential", "initial_delay_ms": 500, "max_delay_ms": 100}}}') AS cap_below_initial;
SELECT pg_temp.backoffs(13, '{"retry_policy": {"max_retries": 3, "backoff":
  {"type": "fixed", "delay_ms": 250}}}') AS fixed;
SELECT pg_temp.backoffs(14, '{"retry_policy": {"max_retries": 2, "backoff":
  {"type": "fixed", "delay_ms": 0}}}') AS at_once;
SELECT pg_temp.backoffs(15, '{"retry_policy": {"max_retries": 0}}') AS never;

-- No overflow for any number of retries; the calendar's end is the last instant.
INSERT INTO ff_exec_core (partition_key, execution_id, lane_id, lifecycle_phase, ownership_state,
  eligibility_state, public_state, attempt_state, created_at_ms, retry_count, attempt_index, policy)
VALUES (7, ff_execution_uuid(pg_temp.id(20)), 'retries many', 'runnable', 'unowned', 'eligible_now',
        'waiting', 'pending_retry_attempt', 1, 1000000, 1000000,
        '{"retry_policy": {"max_retries": 2000000, "backoff": {"type": "exponential",
            "initial_delay_ms": 100, "multiplier": 2, "max_delay_ms": 31536000000}}}');
SELECT outcome, next_attempt_index, ff_to_ms(delay_until) - 1000000 AS backoff
  FROM ff_claim('retries many', 'w', 'w-1') c, ff_fail(c.handle, 'x');
SELECT outcome FROM ff_create_execution('retries last day', execution_id => pg_temp.id(21),
  policy => '{"retry_policy": {"backoff": {"type": "fixed", "delay_ms": 31536000000}}}');
SET ffengine.test_now_ms = '253402300700000';
SELECT outcome, delay_until FROM ff_claim('retries last day', 'w', 'w-1') c, ff_fail(c.handle, 'x');
SET ffengine.test_now_ms = '1000000';

-- Jitter: between half the delay and all of it.
SELECT count(*) AS drawn, min(d) >= 500 AND max(d) <= 1000 AS within, count(DISTINCT d) > 20 AS varied
  FROM (SELECT split_part(pg_temp.backoffs(n, '{"retry_policy": {"max_retries": 1, "backoff":
                 {"type": "exponential", "initial_delay_ms": 1000, "jitter": true}}}'), ' ', 1)::int AS d
          FROM generate_series(100, 199) n) x;

-- Classes: three may be retried, two never.
SELECT class, pg_temp.backoffs(200 + n::int, '{"retry_policy": {"max_retries": 1}}', class)
  FROM unnest('{transient, infra_crash, timeout, permanent, cancelled}'::text[])
       WITH ORDINALITY u(class, n);

-- Categories: with a list only those are retried; the category is the class where none is given.
SELECT class, category, pg_temp.backoffs(210 + n, '{"retry_policy": {"max_retries": 1,
                                         "retryable_categories": ["net", "timeout"]}}', class, category)
  FROM (VALUES (1, 'transient', 'net'), (2, 'transient', 'disk'), (3, 'transient', NULL),
               (4, 'timeout', NULL), (5, 'permanent', 'net')) v(n, class, category);
SELECT pg_temp.backoffs(220, '{"retry_policy": {"max_retries": 1, "retryable_categories": []}}') AS no_list;

-- A retry is a new attempt with a time of its own; retries and lost leases are counted apart.
SELECT outcome FROM ff_create_execution('retries time', execution_id => pg_temp.id(230),
  policy => '{"timeout_policy": {"attempt_timeout_ms": 5000},
              "retry_policy": {"backoff": {"type": "fixed", "delay_ms": 0}}}');
SELECT outcome FROM ff_claim('retries time', 'w', 'w-1') c, ff_fail(c.handle, 'x');
SET ffengine.test_now_ms = '1002000';
SELECT claim_kind, attempt_index, attempt_deadline_at FROM ff_claim('retries time', 'w', 'w-1');
SELECT attempt_index, attempt_type, timeout_at_ms, outcome FROM ff_attempt
 WHERE execution_id = ff_execution_uuid(pg_temp.id(230)) ORDER BY attempt_index;
SELECT retry_count, lease_reclaim_count
  FROM ff_exec_core WHERE execution_id = ff_execution_uuid(pg_temp.id(230));
