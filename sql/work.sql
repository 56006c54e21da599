-- What a worker does with its lease beyond renewing, completing and failing (sql/leases), and what
-- time does to it: chapter 04, sections 4.2 to 4.7, 6.2 and 10; the transitions T09, T13, T14 with T33,
-- T21, T22 and T25 to T29 of chapter 01, section 6, with all that they write and every event.
\set VERBOSITY terse
\pset null -
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS ffengine CASCADE;
RESET client_min_messages;

CREATE FUNCTION pg_temp.id(n integer) RETURNS text LANGUAGE sql AS
  $$ SELECT '{fp:7}:00000000-0000-0000-0041-' || lpad(n::text, 12, '0') $$;
CREATE FUNCTION pg_temp.eid(n integer) RETURNS uuid LANGUAGE sql AS
  $$ SELECT ff_execution_uuid(pg_temp.id(n)) $$;

-- Everything about an execution: the vector, other columns that are set, the attempts, the events.
CREATE FUNCTION pg_temp.show(n integer) RETURNS SETOF text LANGUAGE sql AS $$
  SELECT concat_ws(' ', lifecycle_phase, ownership_state, eligibility_state,
                   coalesce(blocking_reason::text, '-'), attempt_state, '=>', public_state)
    FROM ff_exec_core WHERE execution_id = pg_temp.eid(n)
  UNION ALL
  SELECT 'core ' || jsonb_strip_nulls(to_jsonb(c) - '{partition_key, execution_id, flow_id, lane_id,
           required_capabilities, lifecycle_phase, ownership_state, eligibility_state, blocking_reason,
           attempt_state, public_state, priority, created_at_ms, budget_ids, namespace, caps_hash,
           policy, raw_fields}'::text[]
         || jsonb_build_object('raw_fields', nullif(raw_fields - '{namespace, execution_kind,
           creator_identity, tags}'::text[], '{}')))::text
    FROM ff_exec_core c WHERE execution_id = pg_temp.eid(n)
  UNION ALL
  (SELECT 'A[' || attempt_index || '] ' || replace((jsonb_strip_nulls(to_jsonb(a) - '{partition_key,
           execution_id, attempt_index, worker_id, attempt_id, lease_id}'::text[]
         || jsonb_build_object('raw_fields', nullif(raw_fields, '{}'))))::text,
           to_jsonb(session_user)::text, '"<me>"')
     FROM ff_attempt a WHERE execution_id = pg_temp.eid(n) ORDER BY attempt_index)
  UNION ALL
  SELECT 'events ' || coalesce(string_agg(event, ', ' ORDER BY stream, event_id), 'none')
    FROM (SELECT 1 AS stream, event_id, execution_id,
                 'L ' || event_type || coalesce('(' || reason || ')', '') AS event
            FROM ff_lease_event
          UNION ALL
          SELECT 2, event_id, execution_id::text, 'C ' || outcome FROM ff_completion_event
          UNION ALL
          SELECT 3, event_id, execution_id, 'Sg ' || effect FROM ff_signal_event
          UNION ALL
          SELECT 4, event_id, execution_id, 'O ' || event_type FROM ff_operator_event) e
   WHERE execution_id = pg_temp.eid(n)::text
$$;

-- What a statement is refused with, as "kind: message"; 'accepted' if it is not. Ids that the server
-- minted are not shown.
CREATE FUNCTION pg_temp.refused(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  state   text;
  message text;
BEGIN
  EXECUTE statement;
  RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT;
  RETURN coalesce((SELECT c.kind FROM ff_error_code c WHERE c.sqlstate = state), state) || ': ' || message;
END $$;

-- Create an execution in a lane of its own; claim what the lane has. The tickets are kept by number;
-- `ticket` is the newest, claims say which kind of work it was.
CREATE TEMP TABLE ticket (n integer, epoch bigint, claim_kind text, attempt_index integer, handle bytea,
                          lease_id uuid, attempt_id uuid, PRIMARY KEY (n, epoch));
CREATE FUNCTION pg_temp.claim(n integer, ttl bigint DEFAULT 10000) RETURNS text LANGUAGE sql AS $$
  INSERT INTO ticket SELECT n, lease_epoch, claim_kind, attempt_index, handle, lease_id, attempt_id
    FROM ff_claim('work ' || n, 'w', 'w-' || n, lease_ttl_ms => ttl)
  RETURNING concat_ws(' ', claim_kind, 'index', attempt_index, 'epoch', epoch)
$$;
CREATE FUNCTION pg_temp.start(n integer, policy jsonb DEFAULT NULL, deadline bigint DEFAULT NULL,
                              ttl bigint DEFAULT 10000) RETURNS text LANGUAGE sql AS $$
  SELECT ff_create_execution('work ' || n, policy => policy, deadline_at => ff_from_ms(deadline),
                             execution_id => pg_temp.id(n));
  SELECT pg_temp.claim(n, ttl)
$$;
-- the handle of the newest lease, or of an earlier one
CREATE FUNCTION pg_temp.h(n integer, epoch bigint DEFAULT NULL) RETURNS bytea LANGUAGE sql AS $$
  SELECT handle FROM ticket t WHERE t.n = h.n AND (h.epoch IS NULL OR t.epoch = h.epoch)
   ORDER BY t.epoch DESC LIMIT 1
$$;
-- what the calls of section 4 say to a handle, the same answers put together
CREATE FUNCTION pg_temp.try_all(handle bytea) RETURNS SETOF text LANGUAGE sql AS $$
  SELECT string_agg(c, ', ' ORDER BY o) || ': ' || split_part(refusal, ':', 1)
    FROM (SELECT c, o, pg_temp.refused(format('SELECT ff_%s(%L%s)', c, handle,
                   CASE c WHEN 'fail' THEN ', ''x''' WHEN 'delay' THEN ', ''2030-01-01''' ELSE '' END)) AS refusal
            FROM unnest('{renew, progress, complete, fail, delay, wait_children, cancel}'::text[])
                 WITH ORDINALITY u(c, o)) x
   GROUP BY split_part(refusal, ':', 1) ORDER BY min(o)
$$;
CREATE FUNCTION pg_temp.now(ms bigint) RETURNS void LANGUAGE sql AS
  $$ SELECT set_config('ffengine.test_now_ms', ms::text, false) $$;

\pset format unaligned
\pset tuples_only on
SET ffengine.test_now_ms = '10000';

-- By hand: a row with the columns alone that have no default is claimed, worked on, completed.
INSERT INTO ff_exec_core (partition_key, execution_id, lane_id, attempt_index, lifecycle_phase, ownership_state,
                          eligibility_state, public_state, attempt_state, created_at_ms)
VALUES (0, pg_temp.eid(1), 'work 1', 0, 'runnable', 'unowned', 'eligible_now', 'waiting',
        'pending_first_attempt', 1);
SELECT pg_temp.claim(1);
SELECT ff_progress(pg_temp.h(1), 25, 'a quarter');
SET ffengine.test_now_ms = '11000';
SELECT ff_progress(pg_temp.h(1), 75);
SELECT pg_temp.show(1);
SELECT outcome FROM ff_complete(pg_temp.h(1));
SELECT pg_temp.show(1);

-- T09 progress: overwrites, may go backwards; NULL keeps what was said. No event, no longer lease.
SELECT pg_temp.start(2);
SELECT ff_progress(pg_temp.h(2), 80, '半分 ' || repeat('x', 4089));
SET ffengine.test_now_ms = '12000';
SELECT ff_progress(pg_temp.h(2), 40);
SELECT ff_progress(pg_temp.h(2), message => 'so far');
SELECT pg_temp.show(2);
SELECT ff_progress(pg_temp.h(2));
SELECT ff_progress(pg_temp.h(2), 0, '');
SELECT ff_progress(pg_temp.h(2), 100);
SELECT raw_fields - '{namespace, execution_kind, creator_identity, tags}'::text[]
  FROM ff_exec_core WHERE execution_id = pg_temp.eid(2);
SELECT pg_temp.refused(format('SELECT ff_progress(%L, %s)', pg_temp.h(2), a))
  FROM unnest(ARRAY['101', '-1', '50, repeat($$x$$, 4097)']) a;
UPDATE ff_attempt SET lease_epoch = 2 WHERE execution_id = pg_temp.eid(2);
SELECT pg_temp.try_all(pg_temp.h(2));
UPDATE ff_attempt SET lease_epoch = 1 WHERE execution_id = pg_temp.eid(2);
SELECT pg_temp.now(21000);
SELECT pg_temp.refused(format('SELECT ff_progress(%L, 50)', pg_temp.h(2)));

-- A lease renewed ten times lapses at its last end; one renewed to a nearer end lapses then.
SELECT pg_temp.now(20000);
SELECT pg_temp.start(3);
DO $$
BEGIN
  FOR i IN 1..10 LOOP
    PERFORM pg_temp.now(20000 + i * 1000);
    PERFORM ff_renew(pg_temp.h(3));
  END LOOP;
END $$;
SELECT lease_expires_at_ms, lease_check_at_ms FROM ff_attempt WHERE execution_id = pg_temp.eid(3);
SELECT pg_temp.now(39999);
SELECT * FROM ff_mark_lease_expired_if_due(pg_temp.id(3));
SELECT ff_renew(pg_temp.h(3), 500);
SELECT lease_expires_at_ms, lease_check_at_ms FROM ff_attempt WHERE execution_id = pg_temp.eid(3);
SELECT pg_temp.now(40498);
SELECT count(*) FROM ff_list_expired_leases() WHERE execution_id = pg_temp.id(3);
SELECT pg_temp.now(40499);
SELECT lease_expires_at FROM ff_list_expired_leases() WHERE execution_id = pg_temp.id(3);
SELECT * FROM ff_mark_lease_expired_if_due(pg_temp.id(3));

-- T13 delay: the lease is given back, the attempt is not over and its time stands still.
SELECT pg_temp.now(50000);
SELECT pg_temp.start(10, '{"timeout_policy": {"attempt_timeout_ms": 10000}}', ttl => 60000);
SELECT pg_temp.now(54000);
SELECT outcome, public_state, eligible_at, replayed FROM ff_delay(pg_temp.h(10), ff_from_ms(64000));
SELECT pg_temp.show(10);
-- the same call again, another instant, other calls; the last owner may still cancel (below)
SELECT outcome, public_state, eligible_at, replayed FROM ff_delay(pg_temp.h(10), ff_from_ms(64000));
BEGIN;
SELECT pg_temp.try_all(pg_temp.h(10));
ROLLBACK;
-- T34 and T03: not before it is due; it goes on as the same attempt with 6 s left
SELECT pg_temp.now(63999);
SELECT * FROM ff_promote_delayed(pg_temp.id(10));
SELECT count(*) FROM ff_claim('work 10', 'w', 'w-1');
SELECT pg_temp.now(64000);
SELECT * FROM ff_promote_delayed(pg_temp.id(10));
SELECT pg_temp.show(10);
SELECT * FROM ff_promote_delayed(pg_temp.id(10));
SELECT pg_temp.now(70000);
SELECT pg_temp.claim(10);
SELECT count(DISTINCT attempt_id) AS attempts, count(DISTINCT lease_id) AS leases FROM ticket WHERE n = 10;
SELECT pg_temp.show(10);
SELECT pg_temp.try_all(pg_temp.h(10, 1));
-- an instant that is over makes it claimable at once; it is no replay
SELECT outcome, public_state, eligible_at, replayed FROM ff_delay(pg_temp.h(10), ff_from_ms(70000));
SELECT pg_temp.show(10);
SELECT pg_temp.refused(format('SELECT ff_delay(%L, ff_from_ms(70000))', pg_temp.h(10)));
SELECT pg_temp.claim(10);
SELECT outcome FROM ff_complete(pg_temp.h(10));
SELECT * FROM ff_promote_delayed(pg_temp.id(10));
SELECT * FROM ff_promote_delayed(pg_temp.id(999999));
SELECT pg_temp.refused(format('SELECT ff_delay(%L, %L)', pg_temp.h(10), a)) FROM unnest('{NULL, infinity}'::text[]) a;
-- a row by hand that is delayed until no instant is due
SELECT outcome FROM ff_create_execution('work 11', execution_id => pg_temp.id(11), delay_until => ff_from_ms(90000));
UPDATE ff_exec_core SET eligible_at_ms = NULL WHERE execution_id = pg_temp.eid(11);
SELECT * FROM ff_promote_delayed(pg_temp.id(11));
-- a retry that waited is a retry when promoted, attempt 1
SELECT pg_temp.start(12);
SELECT outcome, next_attempt_index, delay_until FROM ff_fail(pg_temp.h(12), 'x');
SELECT pg_temp.now(71000);
SELECT * FROM ff_promote_delayed(pg_temp.id(12));
SELECT pg_temp.claim(12);

-- T14 wait for children. Members of a flow, one with an edge that is open.
SELECT pg_temp.now(80000);
INSERT INTO ff_flow_core (partition_key, flow_id, public_flow_state, created_at_ms)
SELECT ff_flow_partition(f), f, 'open', 1 FROM (VALUES ('00000000-0000-0000-0041-0000000000ff'::uuid)) v(f);
CREATE FUNCTION pg_temp.start_member(n integer) RETURNS text LANGUAGE sql AS $$
  SELECT ff_create_execution('work ' || n, flow_id => '00000000-0000-0000-0041-0000000000ff',
    execution_id => replace(pg_temp.id(n), '{fp:7}',
                            '{fp:' || ff_flow_partition('00000000-0000-0000-0041-0000000000ff') || '}'));
  SELECT pg_temp.claim(n);
$$;
CREATE FUNCTION pg_temp.edge(downstream integer, state text) RETURNS void LANGUAGE sql AS $$
  INSERT INTO ff_edge (partition_key, flow_id, edge_id, upstream_eid, downstream_eid, policy, edge_state)
  SELECT ff_flow_partition(f), f, pg_temp.eid(1000 + downstream), pg_temp.eid(1000), pg_temp.eid(downstream), '{}', state
    FROM (VALUES ('00000000-0000-0000-0041-0000000000ff'::uuid)) v(f);
$$;
SELECT pg_temp.start_member(20);
SELECT pg_temp.edge(20, 'applied');
SELECT outcome, public_state, replayed FROM ff_wait_children(pg_temp.h(20));
SELECT pg_temp.show(20);
SELECT outcome, public_state, replayed FROM ff_wait_children(pg_temp.h(20));
BEGIN;
SELECT pg_temp.try_all(pg_temp.h(20));
ROLLBACK;
SELECT count(*) FROM ff_claim('work 20', 'w', 'w-1');
-- T14 with T33: no edge at all, one that is only staged, a group that is satisfied, and no flow
SELECT pg_temp.start_member(21);
SELECT outcome, public_state, replayed FROM ff_wait_children(pg_temp.h(21));
SELECT pg_temp.show(21);
SELECT outcome, public_state, replayed FROM ff_wait_children(pg_temp.h(21));
SELECT pg_temp.claim(21);
SELECT pg_temp.try_all(pg_temp.h(21, 1));
SELECT pg_temp.start_member(22);
SELECT pg_temp.edge(22, 'pending');
SELECT outcome, public_state FROM ff_wait_children(pg_temp.h(22));
SELECT pg_temp.start_member(23);
SELECT pg_temp.edge(23, 'satisfied');
INSERT INTO ff_edge_group (partition_key, flow_id, downstream_eid, policy, k_target, success_count, group_state)
SELECT partition_key, flow_id, downstream_eid, '{"kind": "all_of"}', 1, 1, 'satisfied'
  FROM ff_edge WHERE downstream_eid = pg_temp.eid(23);
SELECT outcome, public_state FROM ff_wait_children(pg_temp.h(23));
SELECT pg_temp.start(24);
SELECT outcome, public_state FROM ff_wait_children(pg_temp.h(24));
SELECT pg_temp.claim(24);
SELECT outcome FROM ff_complete(pg_temp.h(24));

-- Whoever lost its lease is refused: before the work is taken over, and after T04.
SELECT pg_temp.now(90000);
SELECT pg_temp.start(30, ttl => 1000);
SELECT pg_temp.now(91000);
SELECT * FROM ff_mark_lease_expired_if_due(pg_temp.id(30));
BEGIN;
SELECT pg_temp.try_all(pg_temp.h(30));
ROLLBACK;
SELECT pg_temp.claim(30);
SELECT pg_temp.try_all(pg_temp.h(30, 1));
-- after T23, whose handle is the caller's own
SELECT pg_temp.start(31, ttl => 1000);
SELECT pg_temp.now(92000);
SELECT grant_key AS key FROM ff_issue_reclaim_grant(pg_temp.id(31), 'w2', 'w2-1') \gset
SELECT outcome, attempt_index, lease_epoch, reclaim_count, lease_id, attempt_id, handle AS h
  FROM ff_reclaim_execution(pg_temp.id(31), 'w2', 'w2-1', grant_key => :'key', lease_ttl_ms => 5000,
    lease_id => '00000000-0000-0000-0041-00000000000a', attempt_id => '00000000-0000-0000-0041-00000000000b') \gset
SELECT :'outcome', :attempt_index, :lease_epoch, :reclaim_count, :'lease_id', :'attempt_id';
SELECT kind, attempt_index, lease_id, attempt_id FROM ff_handle_decode(:'h');
SELECT pg_temp.try_all(pg_temp.h(31));
SELECT pg_temp.show(31);
-- T43: the same attempt under another lease; not while the lease is live
SELECT pg_temp.start(32);
SELECT count(*) FROM ff_claim_from_reclaim(pg_temp.id(32), 'w2', 'w2-1');
UPDATE ff_attempt SET lease_expires_at_ms = 0, lease_check_at_ms = 0 WHERE execution_id = pg_temp.eid(32);
SELECT claim_kind, attempt_index, lease_epoch, handle AS h FROM ff_claim_from_reclaim(pg_temp.id(32), 'w2', 'w2-1') \gset
SELECT :'claim_kind', :attempt_index, :lease_epoch;
SELECT lease_epoch FROM ff_renew(:'h');
SELECT pg_temp.try_all(pg_temp.h(32));
SELECT pg_temp.show(32);

-- T26 cancel, under a live lease: the epoch moves, the process is forgotten.
SELECT pg_temp.now(100000);
SELECT pg_temp.start(40);
SELECT outcome, public_state, replayed FROM ff_cancel(pg_temp.h(40), 'not wanted');
SELECT pg_temp.show(40);
SELECT outcome, public_state, replayed FROM ff_cancel(pg_temp.h(40), 'again');
SELECT cancellation_reason FROM ff_exec_core WHERE execution_id = pg_temp.eid(40);
-- under one that lapsed, while nobody has it (R); while it is held (X)
SELECT pg_temp.start(41, ttl => 1);
SELECT pg_temp.start(42, '{"reclaim_hold_ms": 5000}', ttl => 1);
SELECT pg_temp.now(101000);
SELECT outcome, public_state FROM ff_cancel(pg_temp.h(41));
SELECT pg_temp.show(41);
SELECT * FROM ff_mark_lease_expired_if_due(pg_temp.id(42));
SELECT outcome, public_state FROM ff_cancel(pg_temp.h(42));
SELECT pg_temp.show(42);
-- an attempt whose process is not known: no lease event
SELECT pg_temp.start(43);
UPDATE ff_attempt SET worker_instance_id = NULL WHERE execution_id = pg_temp.eid(43);
SELECT outcome FROM ff_cancel(pg_temp.h(43));
SELECT pg_temp.show(43);
-- T25, not owned: lost (W), delayed (D), waiting for children (K)
SELECT pg_temp.start(44, ttl => 1);
SELECT pg_temp.start(45);
SELECT pg_temp.now(102000);
SELECT * FROM ff_mark_lease_expired_if_due(pg_temp.id(44));
SELECT outcome, public_state FROM ff_cancel(pg_temp.h(44));
SELECT pg_temp.show(44);
SELECT outcome FROM ff_delay(pg_temp.h(45), ff_from_ms(999000));
SELECT outcome, public_state FROM ff_cancel(pg_temp.h(45), 'enough');
SELECT pg_temp.show(45);
SELECT outcome, public_state FROM ff_cancel(pg_temp.h(20));
SELECT pg_temp.show(20);
-- an execution that was never claimed has no fence; nor an attempt afterwards
SELECT outcome FROM ff_create_execution('work 46', execution_id => pg_temp.id(46));
SELECT outcome, public_state, replayed FROM ff_cancel(ff_handle_encode(pg_temp.id(46), 0, gen_random_uuid(), gen_random_uuid(), 7, 1000));
SELECT pg_temp.show(46);
-- an attempt that is not open any more, by hand: what it says is forgotten
SELECT pg_temp.start(47);
UPDATE ff_exec_core SET lifecycle_phase = 'runnable', ownership_state = 'unowned', eligibility_state = 'eligible_now',
       blocking_reason = 'waiting_for_worker', attempt_state = 'pending_retry_attempt', public_state = 'waiting'
 WHERE execution_id = pg_temp.eid(47);
UPDATE ff_attempt SET outcome = 'retry', lease_expires_at_ms = NULL, lease_check_at_ms = NULL
 WHERE execution_id = pg_temp.eid(47);
SELECT outcome FROM ff_cancel(pg_temp.h(47));
SELECT pg_temp.show(47);
-- ended otherwise, unknown, fenced: by another epoch, another index, a lease that was revoked
SELECT pg_temp.refused(format('SELECT ff_cancel(%L)', pg_temp.h(24)));
SELECT pg_temp.refused(format('SELECT ff_cancel(%L)', ff_handle_encode(pg_temp.id(999999), 0, gen_random_uuid(), gen_random_uuid(), 1, 1000)));
SELECT pg_temp.start(48, '{"retry_policy": {"backoff": {"type": "fixed", "delay_ms": 0}}}');
SELECT outcome FROM ff_fail(pg_temp.h(48), 'x');
SELECT pg_temp.refused(format('SELECT ff_cancel(%L)', pg_temp.h(48)));
SELECT pg_temp.claim(48);
SELECT pg_temp.refused(format('SELECT ff_cancel(%L)', pg_temp.h(48, 1)));
UPDATE ff_exec_core SET ownership_state = 'lease_revoked' WHERE execution_id = pg_temp.eid(48);
SELECT pg_temp.refused(format('SELECT ff_cancel(%L)', pg_temp.h(48)));
UPDATE ff_exec_core SET ownership_state = 'leased' WHERE execution_id = pg_temp.eid(48);
SELECT pg_temp.refused(format('SELECT ff_cancel(%L, repeat($$x$$, 1025))', pg_temp.h(48)));

-- Many at once: refused items do not fail the others; results stay with their handles.
SELECT pg_temp.now(110000);
SELECT pg_temp.start(n) FROM generate_series(50, 56) n;
UPDATE ff_attempt SET lease_epoch = 9 WHERE execution_id = pg_temp.eid(51);
SELECT position, right(execution_id, 2), outcome, sqlstate, message
  FROM ff_complete_many(ARRAY[pg_temp.h(52), pg_temp.h(51), pg_temp.h(50)], ARRAY['two', 'one', NULL]::bytea[]);
SELECT right(execution_id::text, 2), public_state, convert_from(result, 'UTF8') FROM ff_exec_core
 WHERE execution_id IN (pg_temp.eid(50), pg_temp.eid(51), pg_temp.eid(52)) ORDER BY 1;
SELECT pg_temp.show(50);
-- a handle twice: completed once, the second is its replay; what is none; one of a suspended attempt
SELECT position, right(execution_id, 2), outcome, sqlstate, message
  FROM ff_complete_many(ARRAY[pg_temp.h(53), '\x00', pg_temp.h(53), NULL, pg_temp.h(54) || '\x03'::bytea],
                        ARRAY['first', 'x', 'second', 'x', 'x']::bytea[]);
SELECT convert_from(result, 'UTF8') FROM ff_exec_core WHERE execution_id = pg_temp.eid(53);
SELECT pg_temp.show(53);
-- one live, one lapsed, one garbage
SELECT ff_renew(pg_temp.h(55), 1);
SELECT pg_temp.now(111000);
SELECT position, right(execution_id, 2), outcome, sqlstate FROM ff_renew_many(ARRAY[pg_temp.h(54), pg_temp.h(55), '\xbad0']);
SELECT pg_temp.show(54);
SELECT count(*) FROM ff_complete_many('{}');
SELECT count(*) FROM ff_complete_many('{}', '{}');
SELECT count(*) FROM ff_renew_many('{}');
SELECT left(pg_temp.refused(format('SELECT ff_%s', a)), 70)
  FROM unnest(ARRAY['complete_many(NULL)', 'renew_many(NULL)', 'complete_many(ARRAY[$$x$$]::bytea[], $${}$$)',
                    'complete_many($${}$$, ARRAY[$$x$$]::bytea[])', 'complete_many(ARRAY[[$$x$$]]::bytea[])',
                    'renew_many(array_fill($$x$$::bytea, ARRAY[1001]))']) a;
SELECT count(*), outcome, sqlstate FROM ff_renew_many(array_fill('x'::bytea, ARRAY[1000])) GROUP BY 2, 3;
SET ffengine.max_payload_size = '1kB';
SELECT position, outcome, sqlstate FROM ff_complete_many(ARRAY[pg_temp.h(54), pg_temp.h(56)],
                                                         ARRAY[repeat('x', 1025), 'y']::bytea[]);
RESET ffengine.max_payload_size;

-- Triples in place of a handle, and an operator without either.
SELECT pg_temp.now(120000);
SELECT pg_temp.start(60);
CREATE FUNCTION pg_temp.triple(n integer) RETURNS text LANGUAGE sql AS $$
  SELECT format('lease_id => %L, lease_epoch => %s, attempt_id => %L', t.lease_id, t.epoch, t.attempt_id)
    FROM ticket t WHERE t.n = triple.n ORDER BY epoch DESC LIMIT 1 $$;
-- what the three forms say to these arguments
CREATE FUNCTION pg_temp.try_triple(n integer, fence text) RETURNS SETOF text LANGUAGE sql AS $$
  SELECT string_agg(c, ', ' ORDER BY o) || ' -- ' || replace(refusal, pg_temp.id(n), '#' || n)
    FROM (SELECT c, o, pg_temp.refused(format('SELECT ff_%s(%L%s, %s)', c, pg_temp.id(n), more, fence)) AS refusal
            FROM (VALUES (1, 'renew_lease', ', 1000'), (2, 'complete_execution', ''), (3, 'fail_execution', ', ''x''')) v(o, c, more)) x
   GROUP BY refusal ORDER BY min(o)
$$;
SELECT pg_temp.try_triple(60, 'lease_id => NULL, lease_epoch => NULL, attempt_id => NULL');
SELECT pg_temp.try_triple(60, format('lease_id => %L, lease_epoch => NULL, attempt_id => NULL', gen_random_uuid()));
SELECT pg_temp.try_triple(60, 'lease_id => NULL, lease_epoch => 1, attempt_id => NULL');
SELECT pg_temp.try_triple(60, replace(pg_temp.triple(60), 'epoch => 1', 'epoch => 2'));
SELECT pg_temp.try_triple(60, format('lease_id => %L, lease_epoch => 1, attempt_id => %L', gen_random_uuid(), attempt_id)) FROM ticket WHERE n = 60;
SELECT pg_temp.try_triple(60, format('lease_id => %L, lease_epoch => 1, attempt_id => %L', lease_id, gen_random_uuid())) FROM ticket WHERE n = 60;
SELECT pg_temp.try_triple(60, pg_temp.triple(60) || ', attempt_index => 1');
-- each id is compared only where the row has one
UPDATE ff_attempt SET lease_id = NULL, attempt_id = NULL WHERE execution_id = pg_temp.eid(60);
SELECT * FROM ff_renew_lease(pg_temp.id(60), 5000, gen_random_uuid(), 1, gen_random_uuid(), 0);
SELECT pg_temp.now(125000);
SELECT pg_temp.try_triple(60, pg_temp.triple(60));
SELECT pg_temp.start(61);
SELECT lease_id, attempt_id FROM ticket WHERE n = 61 \gset
SELECT outcome, public_state, replayed FROM ff_complete_execution(pg_temp.id(61), 'done', 'raw', :'lease_id', 1, :'attempt_id', source => 'flow_cascade');
SELECT outcome, public_state, replayed FROM ff_complete_execution(pg_temp.id(61), 'other', 'x', :'lease_id', 1, :'attempt_id');
SELECT pg_temp.show(61);
SELECT pg_temp.try_triple(61, pg_temp.triple(61));
-- fail, with a retry policy for this call
SELECT pg_temp.start(62);
SELECT outcome, public_state, next_attempt_index, delay_until, replayed FROM ticket t,
  LATERAL ff_fail_execution(pg_temp.id(62), 'x', retry_policy => '{"max_retries":3,"backoff":{"type":"fixed","delay_ms":500}}',
                            lease_id => t.lease_id, lease_epoch => 1, attempt_id => t.attempt_id) WHERE t.n = 62;
-- the attempt is named now that another index is the current one
SELECT outcome, next_attempt_index, delay_until, replayed FROM ticket t,
  LATERAL ff_fail_execution(pg_temp.id(62), 'y', lease_id => t.lease_id, lease_epoch => 1, attempt_id => t.attempt_id,
                            attempt_index => 0) WHERE t.n = 62;
SELECT pg_temp.show(62);
SELECT pg_temp.start(63);
SELECT outcome, public_state, next_attempt_index, delay_until, replayed FROM ticket t,
  LATERAL ff_fail_execution(pg_temp.id(63), 'x', retry_policy => '{"max_retries":0}',
                            lease_id => t.lease_id, lease_epoch => 1, attempt_id => t.attempt_id) WHERE t.n = 63;
SELECT pg_temp.show(63);
SELECT pg_temp.refused(format('SELECT ff_fail_execution(%L, $$x$$, retry_policy => %L)', pg_temp.id(63), p))
  FROM unnest(ARRAY['{"max_retries":"3"}', '{"often":1}', '[]']) p;
-- override: a running attempt under a live lease, by who has operator access
SELECT pg_temp.start(64);
SELECT pg_temp.start(65);
SELECT pg_temp.start(66, ttl => 1000);
CREATE ROLE regress_ff_work_worker;
CREATE ROLE regress_ff_work_operator;
SELECT outcome FROM ff_grant_access('regress_ff_work_worker', 'worker');
SELECT outcome FROM unnest('{worker, operator}'::text[]) a, LATERAL ff_grant_access('regress_ff_work_operator', a);
SET ROLE regress_ff_work_worker;
SELECT outcome FROM ff_complete_execution('{fp:7}:00000000-0000-0000-0041-000000000064', source => 'operator_override');
SELECT outcome FROM ff_fail_execution('{fp:7}:00000000-0000-0000-0041-000000000065', 'x', source => 'operator_override');
SET ROLE regress_ff_work_operator;
SELECT outcome, public_state, replayed
  FROM ff_complete_execution('{fp:7}:00000000-0000-0000-0041-000000000064', 'by hand', source => 'operator_override');
SELECT outcome, public_state
  FROM ff_fail_execution('{fp:7}:00000000-0000-0000-0041-000000000065', 'x', 'permanent', source => 'operator_override');
RESET ROLE;
SELECT outcome FROM unnest('{worker, operator}'::text[]) a, LATERAL ff_revoke_access('regress_ff_work_operator', a);
SELECT outcome FROM ff_revoke_access('regress_ff_work_worker', 'worker');
DROP ROLE regress_ff_work_worker, regress_ff_work_operator;
SELECT pg_temp.show(64);
SELECT pg_temp.show(65);
-- it replays nothing, a lapsed lease is lapsed, a fence that is given is checked
SELECT pg_temp.now(126000);
SELECT pg_temp.refused(format('SELECT ff_complete_execution(%L, source => $$operator_override$$)', pg_temp.id(n)))
  FROM unnest('{64, 65, 66, 999999}'::int[]) n;
SELECT pg_temp.refused(format('SELECT ff_complete_execution(%L, %s, source => $$operator_override$$)', pg_temp.id(12),
                              replace(pg_temp.triple(12), 'epoch => 2', 'epoch => 1')));
SELECT pg_temp.refused(format('SELECT ff_complete_execution(%L, %s, source => %L)', pg_temp.id(12), pg_temp.triple(12), s))
  FROM unnest(ARRAY['', repeat('x', 65)]) s;

-- T22 from R: no hold. The work is in the queue again, and T04 is the next claim.
SELECT pg_temp.now(130000);
SELECT pg_temp.start(70, ttl => 1000);
SELECT * FROM ff_mark_lease_expired_if_due(pg_temp.id(70));
SELECT pg_temp.now(131000);
SELECT * FROM ff_mark_lease_expired_if_due(pg_temp.id(70));
SELECT pg_temp.show(70);
SELECT * FROM ff_mark_lease_expired_if_due(pg_temp.id(70));
SELECT pg_temp.claim(70);
SELECT pg_temp.show(70);
SELECT * FROM ff_mark_lease_expired_if_due(pg_temp.id(999999));
SELECT * FROM ff_mark_lease_expired_if_due(pg_temp.id(64));
-- T21: a hold, of the policy; a reclaim grant keeps it, then the hold does, then T22 from X
SELECT pg_temp.start(71, '{"reclaim_hold_ms": 10000}', ttl => 1000);
SELECT pg_temp.now(132000);
SELECT * FROM ff_mark_lease_expired_if_due(pg_temp.id(71));
SELECT pg_temp.show(71);
BEGIN;
SELECT pg_temp.try_all(pg_temp.h(71));
ROLLBACK;
SELECT count(*) FROM ff_claim('work 71', 'w', 'w-1');
SELECT count(*) FROM ff_list_expired_leases() WHERE execution_id = pg_temp.id(71);
SELECT outcome, expires_at FROM ff_issue_reclaim_grant(pg_temp.id(71), 'w', 'w-1', grant_ttl_ms => 12000);
SELECT pg_temp.now(142000);
SELECT * FROM ff_mark_lease_expired_if_due(pg_temp.id(71));
DELETE FROM ff_claim_grant WHERE execution_id = pg_temp.eid(71);
SELECT pg_temp.now(141999);
SELECT * FROM ff_mark_lease_expired_if_due(pg_temp.id(71));
SELECT pg_temp.now(142000);
SELECT * FROM ff_mark_lease_expired_if_due(pg_temp.id(71));
SELECT pg_temp.show(71);
SELECT pg_temp.claim(71);
-- a hold of the setting, where the policy says nothing; a policy of 0 wins over it
SET ffengine.reclaim_hold = '10s';
SELECT pg_temp.start(72, ttl => 1000);
SELECT pg_temp.start(73, '{"reclaim_hold_ms": 0}', ttl => 1000);
SELECT pg_temp.now(143000);
SELECT * FROM ff_mark_lease_expired_if_due(pg_temp.id(72));
SELECT * FROM ff_mark_lease_expired_if_due(pg_temp.id(73));
RESET ffengine.reclaim_hold;
-- T22 from V (T24 by hand): its hold, then released; the cap is not for what an operator took away
SELECT pg_temp.start(74, '{"reclaim_hold_ms": 5000, "max_reclaim_count": 0}');
UPDATE ff_exec_core SET ownership_state = 'lease_revoked', blocking_reason = 'waiting_for_worker',
       attempt_state = 'attempt_interrupted' WHERE execution_id = pg_temp.eid(74);
UPDATE ff_attempt SET outcome = 'lease_expired_reclaimable', failure_reason = 'lease_revoked', lease_expires_at_ms = NULL,
       lease_epoch = 2, lease_lost_at_ms = 143000, lease_check_at_ms = 148000, worker_instance_id = NULL
 WHERE execution_id = pg_temp.eid(74);
SELECT * FROM ff_mark_lease_expired_if_due(pg_temp.id(74));
SELECT pg_temp.now(148000);
SELECT * FROM ff_mark_lease_expired_if_due(pg_temp.id(74));
SELECT pg_temp.show(74);
-- the cap, from R and from X: the next take-over would be one too many
SELECT pg_temp.start(75, '{"max_reclaim_count": 0}', ttl => 1000);
SELECT pg_temp.start(76, '{"max_reclaim_count": 5, "reclaim_hold_ms": 1000}', ttl => 1000);
SELECT pg_temp.start(77, '{"max_reclaim_count": 1}', ttl => 1000);
UPDATE ff_exec_core SET lease_reclaim_count = 5 WHERE execution_id = pg_temp.eid(76);
UPDATE ff_exec_core SET lease_reclaim_count = -1 WHERE execution_id = pg_temp.eid(77);
SELECT pg_temp.now(149000);
SELECT n, d.* FROM generate_series(75, 77) n, LATERAL ff_mark_lease_expired_if_due(pg_temp.id(n)) d;
SELECT pg_temp.show(75);
SELECT pg_temp.claim(77);
SELECT lease_reclaim_count FROM ff_exec_core WHERE execution_id = pg_temp.eid(77);
SELECT pg_temp.now(150000);
SELECT * FROM ff_mark_lease_expired_if_due(pg_temp.id(76));
SELECT pg_temp.show(76);

-- T27 attempt timeout, a retry left: eligible at once, the running was the wait.
SELECT pg_temp.now(160000);
SELECT pg_temp.start(80, '{"timeout_policy": {"attempt_timeout_ms": 3000}, "retry_policy": {"max_retries": 1}}');
SELECT pg_temp.now(162999);
SELECT * FROM ff_expire_execution(pg_temp.id(80), 'attempt_timeout');
SELECT pg_temp.now(163000);
SELECT * FROM ff_expire_execution(pg_temp.id(80), 'attempt_timeout');
SELECT pg_temp.show(80);
SELECT * FROM ff_expire_execution(pg_temp.id(80), 'attempt_timeout');
SELECT pg_temp.try_all(pg_temp.h(80));
-- T28: none left
SELECT pg_temp.claim(80);
SELECT pg_temp.now(166000);
SELECT * FROM ff_expire_execution(pg_temp.id(80), 'attempt_timeout');
SELECT pg_temp.show(80);
SELECT * FROM ff_expire_execution(pg_temp.id(80), 'attempt_timeout');
SELECT * FROM ff_expire_execution(pg_temp.id(80), 'execution_deadline');
-- the hook takes a lapsed lease for a timeout, though the attempt has none
SELECT pg_temp.start(81, '{"retry_policy": {"max_retries": 3}}', ttl => 1000);
SELECT pg_temp.start(82, '{"retry_policy": {"max_retries": 0}}', ttl => 1000);
SELECT * FROM ff_expire_execution(pg_temp.id(81), 'attempt_timeout');
SELECT pg_temp.now(167000);
SELECT * FROM ff_expire_execution(pg_temp.id(81), 'attempt_timeout');
SELECT pg_temp.show(81);
SELECT * FROM ff_expire_execution(pg_temp.id(82), 'attempt_timeout');
SELECT pg_temp.show(82);
-- what nobody runs has no attempt that could time out
SELECT outcome FROM ff_create_execution('work 83', execution_id => pg_temp.id(83));
SELECT * FROM ff_expire_execution(pg_temp.id(83), 'attempt_timeout');
SELECT * FROM ff_expire_execution(pg_temp.id(999999), 'attempt_timeout');
SELECT * FROM ff_expire_execution(pg_temp.id(999999), 'execution_deadline');
SELECT pg_temp.refused(format('SELECT ff_expire_execution(%L, %L)', pg_temp.id(83), p)) FROM unnest('{lease, NULL}'::text[]) p;

-- T29 the execution's deadline, in every phase: never claimed (W), delayed (D), running (R), held (X),
-- paused (D with an attempt), waiting for children (K), blocked (B), reserved (G), to be retried.
SELECT pg_temp.now(170000);
SELECT outcome FROM unnest('{90, 91}'::int[]) n, LATERAL ff_create_execution('work ' || n, execution_id => pg_temp.id(n),
  deadline_at => ff_from_ms(180000), delay_until => CASE n WHEN 91 THEN ff_from_ms(200000) END);
SELECT pg_temp.start(n, CASE n WHEN 93 THEN '{"reclaim_hold_ms": 60000}'::jsonb END, 180000, ttl => CASE n WHEN 93 THEN 1000 ELSE 60000 END)
  FROM generate_series(92, 96) n;
SELECT pg_temp.now(171000);
SELECT * FROM ff_mark_lease_expired_if_due(pg_temp.id(93));
SELECT outcome FROM ff_delay(pg_temp.h(94), ff_from_ms(200000));
SELECT outcome FROM ff_wait_children(pg_temp.h(95));
SELECT outcome FROM ff_block_route(pg_temp.id(95), 'paused_by_operator');
SELECT outcome FROM ff_fail(pg_temp.h(96), 'x');
SELECT pg_temp.start_member(97);
SELECT pg_temp.edge(97, 'applied');
SELECT outcome FROM ff_wait_children(pg_temp.h(97));
UPDATE ff_exec_core SET deadline_at_ms = 180000 WHERE execution_id = pg_temp.eid(97);
SELECT outcome FROM ff_create_execution('work 98', execution_id => pg_temp.id(98), deadline_at => ff_from_ms(180000));
SELECT count(grant_key) FROM ff_claim_for_worker('work 98', 'w', 'w-1', grant_ttl_ms => 60000);
-- held, it has no lease that could lapse
SELECT * FROM ff_expire_execution(pg_temp.id(93), 'attempt_timeout');
SELECT pg_temp.now(179999);
SELECT * FROM ff_expire_execution(pg_temp.id(92), 'execution_deadline');
SELECT pg_temp.now(180000);
SELECT n, x.* FROM generate_series(90, 98) n,
  LATERAL ff_expire_execution(ff_execution_id((SELECT partition_key FROM ff_exec_core WHERE execution_id = pg_temp.eid(n)), pg_temp.eid(n)),
                              'execution_deadline') x;
SELECT s FROM generate_series(90, 98) n, LATERAL (SELECT '-- ' || n UNION ALL SELECT pg_temp.show(n)) x(s);
SELECT count(*) AS grants FROM ff_claim_grant WHERE execution_id = pg_temp.eid(98);
SELECT pg_temp.try_all(pg_temp.h(92));
-- suspended (S): its suspension and waitpoint are closed with it. The keystore is put back.
BEGIN;
DELETE FROM ff_waitpoint_hmac;
SELECT outcome FROM ff_seed_waitpoint_hmac_secret('work', repeat('5a', 32));
SELECT pg_temp.start(99, NULL, 190000);
SELECT outcome FROM ff_suspend(pg_temp.h(99), ff_when('go'));
SELECT pg_temp.now(190000);
SELECT * FROM ff_expire_execution(pg_temp.id(99), 'execution_deadline');
SELECT pg_temp.show(99);
SELECT count(*) FROM ff_suspension_current WHERE execution_id = pg_temp.eid(99);
SELECT close_reason, closed_at_ms FROM ff_suspension_history WHERE execution_id = pg_temp.eid(99);
SELECT state, close_reason, closed_at_ms FROM ff_waitpoint_pending WHERE execution_id = pg_temp.eid(99);
-- T25 from S: whoever suspended may not cancel with the handle it gave up, nor with the suspended one
SELECT pg_temp.start(100);
SELECT handle AS h FROM ff_suspend(pg_temp.h(100), ff_when('go')) \gset
SELECT pg_temp.refused(format('SELECT ff_cancel(%L)', pg_temp.h(100)));
SELECT pg_temp.refused(format('SELECT ff_cancel(%L)', :'h'));
ROLLBACK;

-- Nothing of it breaks an invariant, once the epoch that was moved by hand is put back.
UPDATE ff_attempt SET lease_epoch = 1 WHERE execution_id = pg_temp.eid(51);
SELECT invariant, execution_id, detail FROM ff_check_consistency(100000) WHERE execution_id LIKE '%-0000-0000-0041-%';
-- Each that has ended has one event of it, others none.
SELECT e.execution_id, count(c.*) FROM ff_exec_core e LEFT JOIN ff_completion_event c USING (execution_id)
 WHERE e.execution_id::text LIKE '%-0000-0000-0041-%'
 GROUP BY e.execution_id, e.lifecycle_phase
HAVING count(c.*) <> (e.lifecycle_phase IN ('terminal', 'cancelled'))::int;
