-- Working under a lease: renew, complete, fail, and the fence before each (chapter 04, sections 1.2
-- and 4); suspend has the same fence (chapter 03, section 4.2).
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
  $$ SELECT '{fp:7}:00000000-0000-0000-0005-' || lpad(n::text, 12, '0') $$;

-- Create an execution in a lane of its own and claim it; the ticket is kept under its number.
CREATE TEMP TABLE ticket (n integer PRIMARY KEY, handle bytea, lease_id uuid);
CREATE FUNCTION pg_temp.start(n integer, policy jsonb DEFAULT NULL) RETURNS void LANGUAGE sql AS $$
  SELECT ff_create_execution('leases ' || n, policy => policy, execution_id => pg_temp.id(n));
  INSERT INTO ticket SELECT n, handle, lease_id
    FROM ff_claim('leases ' || n, 'w', 'w-' || n, lease_ttl_ms => 10000)
$$;
CREATE FUNCTION pg_temp.h(n integer) RETURNS bytea LANGUAGE sql AS
  $$ SELECT handle FROM ticket t WHERE t.n = h.n $$;
-- What renew, complete, fail and suspend say to a handle; ids that the server minted are not shown.
CREATE FUNCTION pg_temp.try_all(handle bytea) RETURNS TABLE (call text, refusal text) LANGUAGE sql AS $$
  SELECT c, regexp_replace(pg_temp.refused(format('SELECT * FROM ff_%s(%L%s)', c, handle,
                             CASE c WHEN 'fail' THEN ', ' || quote_literal('x')
                                    WHEN 'suspend' THEN ', ff_operator_only()' ELSE '' END)),
                           '[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}', '<minted>')
    FROM unnest('{renew, complete, fail, suspend}'::text[]) c
$$;
-- The events of an execution, its leases' first.
CREATE FUNCTION pg_temp.events(n integer) RETURNS text LANGUAGE sql AS $$
  SELECT string_agg(event, ', ' ORDER BY s, event_id)
    FROM (SELECT 1 AS s, event_id, execution_id,
                 event_type || coalesce('(' || reason || ')', '') AS event
            FROM ff_lease_event
          UNION ALL
          SELECT 2, event_id, execution_id::text, 'C ' || outcome FROM ff_completion_event) e
   WHERE execution_id = ff_execution_uuid(pg_temp.id(n))::text
$$;

SET ffengine.test_now_ms = '1000';

-- Renew: the lease ends at now + ttl, the handle's where none is given, sooner than before too.
SELECT pg_temp.start(1);
SET ffengine.test_now_ms = '5000';
SELECT * FROM ff_renew(pg_temp.h(1));
SELECT * FROM ff_renew(pg_temp.h(1), 60000);
SELECT * FROM ff_renew(handle => pg_temp.h(1), lease_ttl_ms => 1);
SELECT lease_epoch, lease_expires_at_ms, lease_check_at_ms, lease_renewed_at_ms,
       a.lease_id = t.lease_id AS same_lease
  FROM ff_attempt a, ticket t WHERE t.n = 1 AND a.execution_id = ff_execution_uuid(pg_temp.id(1));
SELECT pg_temp.events(1);
-- a lease that ends in this millisecond has lapsed; nobody had to mark it
SET ffengine.test_now_ms = '5001';
SELECT * FROM pg_temp.try_all(pg_temp.h(1));
-- the attempt's own deadline does not move
SET ffengine.test_now_ms = '6000';
SELECT pg_temp.start(2, '{"timeout_policy": {"attempt_timeout_ms": 90000}}');
SET ffengine.test_now_ms = '7000';
SELECT * FROM ff_renew(pg_temp.h(2));
SELECT timeout_at_ms FROM ff_attempt WHERE execution_id = ff_execution_uuid(pg_temp.id(2));

-- Complete: the result is kept; the same call again is answered from what was recorded.
SELECT * FROM ff_complete(pg_temp.h(2), '\x01', 'raw');
SELECT * FROM ff_complete(pg_temp.h(2), '\x02', 'other');
SELECT result, raw_fields ->> 'result_encoding' AS encoding, terminal_at_ms
  FROM ff_exec_core WHERE execution_id = ff_execution_uuid(pg_temp.id(2));
SELECT pg_temp.events(2);
SELECT * FROM pg_temp.try_all(pg_temp.h(2)) WHERE call <> 'complete';
-- a result is not needed
SELECT pg_temp.start(3);
SELECT outcome FROM ff_complete(pg_temp.h(3));
SELECT result, raw_fields ? 'result_encoding' AS encoded
  FROM ff_exec_core WHERE execution_id = ff_execution_uuid(pg_temp.id(3));

-- Fail: again the same outcome and delay_until, and counted once.
SELECT pg_temp.start(4);
SELECT outcome, next_attempt_index, delay_until, public_state, replayed
  FROM ff_fail(pg_temp.h(4), 'no answer', 'timeout', 'net', '\xff');
SET ffengine.test_now_ms = '7500';
SELECT outcome, next_attempt_index, delay_until, public_state, replayed
  FROM ff_fail(pg_temp.h(4), 'another', 'permanent');
SELECT c.retry_count, c.raw_fields ->> 'last_failure_message' AS message,
       c.raw_fields ->> 'last_failure_category' AS category,
       a.failure_reason, a.failure_category, a.failure_detail, a.raw_fields
  FROM ff_exec_core c JOIN ff_attempt a USING (execution_id)
 WHERE execution_id = ff_execution_uuid(pg_temp.id(4));
SELECT pg_temp.events(4);
-- complete after fail is never a success
SELECT * FROM pg_temp.try_all(pg_temp.h(4)) WHERE call <> 'fail';
SELECT pg_temp.start(5);
SELECT outcome, next_attempt_index, delay_until, public_state, replayed
  FROM ff_fail(pg_temp.h(5), 'no', 'permanent');
SELECT outcome, next_attempt_index, delay_until, public_state, replayed
  FROM ff_fail(pg_temp.h(5), 'no');
SELECT pg_temp.events(5);

-- The fence, in its order. First a handle that is none, another system's, a suspended attempt's.
SELECT * FROM pg_temp.try_all('\x00');
SELECT * FROM pg_temp.try_all(set_byte(pg_temp.h(5), 2, 1));
SELECT * FROM pg_temp.try_all(pg_temp.h(5) || '\x03'::bytea);
SELECT * FROM pg_temp.try_all(NULL);
-- no such execution, no such attempt
SELECT * FROM pg_temp.try_all(ff_handle_encode('{fp:9}:00000000-0000-0000-0005-000000000001', 0,
                                               gen_random_uuid(), gen_random_uuid(), 1, 1000));
SELECT * FROM pg_temp.try_all(ff_handle_encode(pg_temp.id(1), 1,
                                               gen_random_uuid(), gen_random_uuid(), 1, 1000));
-- the lease was revoked: said first, whatever else is wrong
SELECT pg_temp.start(6);
UPDATE ff_exec_core SET ownership_state = 'lease_revoked'
 WHERE execution_id = ff_execution_uuid(pg_temp.id(6));
UPDATE ff_attempt SET lease_epoch = 2, lease_expires_at_ms = NULL
 WHERE execution_id = ff_execution_uuid(pg_temp.id(6));
SELECT * FROM pg_temp.try_all(pg_temp.h(6));
-- the epoch has moved
SELECT pg_temp.start(7);
UPDATE ff_attempt SET lease_epoch = 2 WHERE execution_id = ff_execution_uuid(pg_temp.id(7));
SELECT * FROM pg_temp.try_all(pg_temp.h(7));
-- the same epoch under another lease id; a row without one is compared by its epoch alone
UPDATE ff_attempt SET lease_epoch = 1, lease_id = gen_random_uuid()
 WHERE execution_id = ff_execution_uuid(pg_temp.id(7));
SELECT * FROM pg_temp.try_all(pg_temp.h(7));
UPDATE ff_attempt SET lease_id = NULL WHERE execution_id = ff_execution_uuid(pg_temp.id(7));
SELECT outcome FROM ff_complete(pg_temp.h(7));
-- a worker that lost its lease, before the work was taken over and after
SELECT pg_temp.start(8);
UPDATE ff_exec_core SET lifecycle_phase = 'runnable', ownership_state = 'unowned',
       eligibility_state = 'eligible_now', blocking_reason = 'waiting_for_worker',
       attempt_state = 'attempt_interrupted', public_state = 'waiting'
 WHERE execution_id = ff_execution_uuid(pg_temp.id(8));
UPDATE ff_attempt SET outcome = 'lease_expired_reclaimable', lease_expires_at_ms = NULL
 WHERE execution_id = ff_execution_uuid(pg_temp.id(8));
SELECT * FROM pg_temp.try_all(pg_temp.h(8));
SELECT claim_kind, attempt_index, lease_epoch FROM ff_claim('leases 8', 'w', 'w-9');
SELECT * FROM pg_temp.try_all(pg_temp.h(8));
-- the lease is held for reclaiming (X)
SELECT pg_temp.start(9);
UPDATE ff_exec_core SET ownership_state = 'lease_expired_reclaimable'
 WHERE execution_id = ff_execution_uuid(pg_temp.id(9));
UPDATE ff_attempt SET outcome = 'lease_expired_reclaimable'
 WHERE execution_id = ff_execution_uuid(pg_temp.id(9));
SELECT * FROM pg_temp.try_all(pg_temp.h(9));
-- ended under the worker's hands, its epoch left as it was: DETAIL tells how and which attempt
SELECT pg_temp.start(10);
UPDATE ff_exec_core SET lifecycle_phase = 'cancelled', ownership_state = 'unowned',
       attempt_state = 'attempt_terminal', public_state = 'cancelled', terminal_outcome = 'cancelled'
 WHERE execution_id = ff_execution_uuid(pg_temp.id(10));
UPDATE ff_attempt SET outcome = 'cancelled', attempt_id = '00000000-0000-0000-0000-00000000000a'
 WHERE execution_id = ff_execution_uuid(pg_temp.id(10));
SELECT * FROM pg_temp.try_all(pg_temp.h(10));
-- suspended: the handle given up, and the suspended one (the keystore is put back by the rollback)
SELECT pg_temp.start(12);
BEGIN;
DELETE FROM ff_waitpoint_hmac;
SELECT outcome FROM ff_seed_waitpoint_hmac_secret('leases', repeat('5a', 32));
SELECT outcome, handle AS h FROM ff_suspend(pg_temp.h(12), ff_operator_only()) \gset
SELECT * FROM pg_temp.try_all(pg_temp.h(12));
SELECT * FROM pg_temp.try_all(:'h');
ROLLBACK;
-- the hint says what to do
\set VERBOSITY default
\set SHOW_CONTEXT never
SELECT * FROM ff_renew(pg_temp.h(10));
SELECT * FROM ff_renew(pg_temp.h(8));
SELECT * FROM ff_renew(pg_temp.h(9));
SELECT * FROM ff_renew(pg_temp.h(6));
\set VERBOSITY terse

-- No refusal changed anything.
SELECT right(execution_id::text, 2) AS n, lifecycle_phase, attempt_index, retry_count,
       last_mutation_at_ms, pg_temp.events(right(execution_id::text, 2)::int) AS events
  FROM ff_exec_core WHERE lane_id LIKE 'leases %' ORDER BY execution_id;

-- Arguments are looked at before the handle.
SELECT a, pg_temp.refused(format('SELECT * FROM ff_%s', a)) AS refusal
  FROM unnest(ARRAY['renew($$x$$, 0)', 'renew($$x$$, 86400001)',
                    'complete($$x$$, result_encoding => $$$$)',
                    'fail($$x$$, NULL)', 'fail($$x$$, $$y$$, $$fatal$$)']) a;

-- A stale worker inside one transaction with the new one: the fence sees the transaction's own state.
SELECT pg_temp.start(11);
BEGIN;
SELECT outcome FROM ff_complete(pg_temp.h(11));
SELECT replayed FROM ff_complete(pg_temp.h(11));
ROLLBACK;
SELECT * FROM ff_renew(pg_temp.h(11));
