-- Claiming: ff_claim (chapter 04, section 3).
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
  $$ SELECT '{fp:7}:00000000-0000-0000-0004-' || lpad(n::text, 12, '0') $$;

-- The work of a claim, by the last digits of the ids, in the order it came.
CREATE FUNCTION pg_temp.claimed(lane text, caps text[] DEFAULT '{}', n integer DEFAULT 1,
                                resumable boolean DEFAULT true, block bigint DEFAULT 0) RETURNS text LANGUAGE sql AS $$
  SELECT coalesce(string_agg(ltrim(right(c.execution_id, 4), '0') || ' ' || c.claim_kind, ', ' ORDER BY c.o), 'nothing')
    FROM ff_claim(lane, 'w', 'w-1', caps, max_claims => n, include_resumable => resumable, block_ms => block)
         WITH ORDINALITY AS c(execution_id, handle, claim_kind, ai, aid, lid, le, lea, l, f, k, p, pe, t, pr, ad, d, ca, o)
$$;

SET ffengine.test_now_ms = '1000';

-- No work is zero rows; a lane nobody has heard of too.
SELECT * FROM ff_claim('claims nowhere', 'w', 'w-1');

-- The first claim starts the execution; the lease ends at now + ttl, by default after 30 s.
SELECT outcome FROM ff_create_execution('claims', payload => '\x01', execution_id => pg_temp.id(1),
                                        policy => '{"timeout_policy": {"attempt_timeout_ms": 90000}}');
SELECT execution_id, claim_kind, attempt_index, lease_epoch, lease_expires_at, lane_id, flow_id,
       execution_kind, payload, payload_encoding, tags, priority, attempt_deadline_at, deadline_at,
       created_at, attempt_id AS a, lease_id AS l, handle AS h
  FROM ff_claim('claims', 'pool', 'pool-1') \gset
SELECT :'execution_id' AS execution_id, :'claim_kind' AS claim_kind, :attempt_index AS index, :lease_epoch AS epoch,
       :'lease_expires_at' AS lease_expires_at, :'attempt_deadline_at' AS attempt_deadline_at, :'payload' AS payload, :'tags' AS tags;
SELECT kind, execution_id, attempt_index, attempt_id = :'a' AS same_attempt, lease_id = :'l' AS same_lease,
       lease_epoch, lease_ttl_ms, lane_id, worker_instance_id FROM ff_handle_decode(:'h');
SELECT worker_id, worker_instance_id, attempt_id = :'a' AS same_attempt, lease_id = :'l' AS same_lease
  FROM ff_attempt WHERE execution_id = '00000000-0000-0000-0004-000000000001';

-- Priority first, then age, then the id, over all partitions.
INSERT INTO ff_exec_core (partition_key, execution_id, lane_id, lifecycle_phase, ownership_state,
  eligibility_state, public_state, attempt_state, created_at_ms, priority)
SELECT p, ('00000000-0000-0000-0004-' || lpad(n::text, 12, '0'))::uuid, 'claims order', 'runnable',
       'unowned', 'eligible_now', 'waiting', 'pending_first_attempt', at, priority
  FROM (VALUES (11, 255, 1, 1), (12, 0, 2, 10), (13, 9, 3, 5), (14, 9, 2, 5), (15, 3, 2, 5),
               (16, 200, 2, 5)) v(n, p, at, priority);
SELECT pg_temp.claimed('claims order'), pg_temp.claimed('claims order', n => 2), pg_temp.claimed('claims order', n => 1000),
       pg_temp.claimed('claims order');

-- Required tokens: all of them, byte for byte. What cannot be taken is stepped over and stays.
SELECT count(*) FROM (VALUES (21, 9, '{gpu}'::text[]), (22, 8, '{GPU}'), (23, 7, '{gpu,eu}'), (24, 6, '{}'),
                             (25, 5, '{東京-gpu}')) v(n, p, caps),
  ff_create_execution('claims caps', priority => p, required_capabilities => caps, execution_id => pg_temp.id(n));
BEGIN;
SELECT pg_temp.claimed('claims caps', n => 9) AS none, pg_temp.claimed('claims caps', n => 9);
ROLLBACK;
BEGIN;
SELECT pg_temp.claimed('claims caps', '{gpu}', 9) AS gpu;
ROLLBACK;
BEGIN;
SELECT pg_temp.claimed('claims caps', '{eu,gpu,東京-gpu,gpu}', 9) AS more;
ROLLBACK;
SELECT pg_temp.claimed('claims caps', '{GPU}', 9) AS "GPU";
SELECT ltrim(right(execution_id::text, 4), '0') AS n, public_state
  FROM ff_exec_core WHERE lane_id = 'claims caps' ORDER BY execution_id;
-- rows written by hand in another order or twice match alike
INSERT INTO ff_exec_core (partition_key, execution_id, lane_id, lifecycle_phase, ownership_state,
  eligibility_state, public_state, attempt_state, created_at_ms, required_capabilities)
VALUES (0, '00000000-0000-0000-0004-000000000026', 'claims hand', 'runnable', 'unowned', 'eligible_now',
        'waiting', 'pending_first_attempt', 1, '{gpu,eu,gpu}');
SELECT pg_temp.claimed('claims hand', '{gpu}') AS gpu, pg_temp.claimed('claims hand', '{eu,gpu}') AS both;
SELECT c, pg_temp.refused(format('SELECT * FROM ff_claim(%L, %L, %L, %L::text[])', 'claims', 'w', 'w-1', c)) AS refusal
  FROM unnest(ARRAY['{""}', '{"a,b"}', '{"a b"}', '{a,NULL}', '{{a}}', E'{"a\x7f"}']) c;

-- Of several classes the work comes in one order.
SELECT count(*) FROM (VALUES (31, 5, '{}'::text[]), (32, 9, '{a}'), (33, 7, '{b}'), (34, 8, '{}'), (35, 6, '{a}'),
                             (36, 4, '{a,b}'), (37, 10, '{c}')) v(n, p, caps),
  ff_create_execution('claims classes', priority => p, required_capabilities => caps, execution_id => pg_temp.id(n));
SELECT pg_temp.claimed('claims classes', '{a,b}', 4), pg_temp.claimed('claims classes', '{a,b}', 9);

-- Retry, replay, resumed, reclaimed: the row says what the claim is (the transitions are in states.sql).
INSERT INTO ff_exec_core (partition_key, execution_id, lane_id, lifecycle_phase, ownership_state,
  eligibility_state, public_state, attempt_state, created_at_ms, attempt_index)
SELECT 0, ('00000000-0000-0000-0004-' || lpad(n::text, 12, '0'))::uuid, 'claims kinds', 'runnable',
       'unowned', 'eligible_now', state::ff_public_state, a::ff_attempt_state, n, i
  FROM (VALUES (41, 'waiting', 'pending_first_attempt', 0), (42, 'waiting', 'pending_retry_attempt', 1),
               (43, 'waiting', 'pending_replay_attempt', 0), (44, 'waiting', 'attempt_interrupted', 0),
               (45, 'waiting', 'attempt_interrupted', 0), (46, 'resumable', 'attempt_interrupted', 0),
               (47, 'waiting', 'attempt_interrupted', 0), (48, 'waiting', 'attempt_interrupted', 0),
               (49, 'waiting', 'attempt_terminal', 0), (50, 'waiting', 'none', 0)) v(n, state, a, i);
INSERT INTO ff_attempt (partition_key, execution_id, attempt_index, lease_epoch, outcome)
SELECT 0, ('00000000-0000-0000-0004-' || lpad(n::text, 12, '0'))::uuid, 0, 6, o::ff_attempt_outcome
  FROM (VALUES (42, 'retry'), (43, NULL), (44, 'interrupted'), (45, 'waiting_children'), (46, 'attempt_interrupted'),
               (47, 'lease_expired_reclaimable'), (48, NULL)) v(n, o);
SELECT ltrim(right(execution_id, 4), '0') AS n, claim_kind, attempt_index, lease_epoch,
       (ff_handle_decode(handle)).kind AS handle_kind
  FROM ff_claim('claims kinds', 'w', 'w-1', max_claims => 20);
SELECT ltrim(right(execution_id::text, 4), '0') AS n, attempt_index, attempt_type, lease_epoch, outcome
  FROM ff_attempt WHERE execution_id::text ~ '-0004-0000000000(4.|50)$' ORDER BY execution_id, attempt_index;

-- Resumable work is handed out with the rest, in one order; include_resumable => false leaves it.
INSERT INTO ff_exec_core (partition_key, execution_id, lane_id, lifecycle_phase, ownership_state,
  eligibility_state, public_state, attempt_state, created_at_ms, priority, eligible_at_ms)
SELECT 0, ('00000000-0000-0000-0004-' || lpad(n::text, 12, '0'))::uuid, 'claims resumable', 'runnable',
       'unowned', e::ff_eligibility_state, s::ff_public_state, a::ff_attempt_state, 1, p, at
  FROM (VALUES (51, 'eligible_now', 'waiting', 'pending_first_attempt', 1, NULL),
               (52, 'eligible_now', 'resumable', 'attempt_interrupted', 2, NULL),
               (53, 'eligible_now', 'waiting', 'pending_first_attempt', 3, NULL),
               (54, 'not_eligible_until_time', 'resumable', 'attempt_interrupted', 4, 900),
               (55, 'not_eligible_until_time', 'resumable', 'attempt_interrupted', 5, 1001),
               (56, 'not_eligible_until_time', 'resumable', 'attempt_interrupted', 6, 901)) v(n, e, s, a, p, at);
INSERT INTO ff_attempt (partition_key, execution_id, attempt_index, lease_epoch, outcome)
SELECT 0, ('00000000-0000-0000-0004-' || lpad(n::text, 12, '0'))::uuid, 0, 1, 'attempt_interrupted'
  FROM unnest('{52, 54, 55, 56}'::int[]) n;
BEGIN;
SELECT pg_temp.claimed('claims resumable', n => 9, resumable => false);
ROLLBACK;
-- one wanted: the one due longest is promoted, and it has the highest priority of what is there
BEGIN;
SELECT pg_temp.claimed('claims resumable'), pg_temp.claimed('claims resumable');
ROLLBACK;
SELECT pg_temp.claimed('claims resumable', n => 9);

-- Lanes: paused and disabled ones have no candidates, draining and unregistered ones do.
SELECT count(*) FROM unnest('{active, paused, draining, disabled}'::text[]) WITH ORDINALITY AS s(s, n),
  ff_create_execution('claims ' || s, execution_id => pg_temp.id(60 + n::int));
UPDATE ff_lane_registry SET state = substr(lane_id, 8)::ff_lane_state
 WHERE lane_id IN ('claims paused', 'claims draining', 'claims disabled');
DELETE FROM ff_lane_registry WHERE lane_id = 'claims active';
SELECT s, pg_temp.claimed('claims ' || s) FROM unnest('{active, paused, draining, disabled}'::text[]) s;
UPDATE ff_lane_registry SET state = 'active' WHERE lane_id = 'claims paused';
SELECT pg_temp.claimed('claims paused') AS active_again;

-- Passed over: delayed, blocked, reserved, owned, ended, past its deadline; the next is taken.
SELECT count(*) FROM generate_series(71, 80) n,
  ff_create_execution('claims passed', execution_id => pg_temp.id(n), priority => 100 - n);
UPDATE ff_exec_core c SET lifecycle_phase = v.l::ff_lifecycle_phase, ownership_state = v.o::ff_ownership_state,
       eligibility_state = v.e::ff_eligibility_state, deadline_at_ms = v.d
  FROM (VALUES (71, 'runnable', 'unowned', 'not_eligible_until_time', NULL),
               (72, 'runnable', 'unowned', 'pending_claim', NULL),
               (73, 'runnable', 'unowned', 'blocked_by_quota', NULL),
               (74, 'active', 'leased', 'not_applicable', NULL),
               (75, 'suspended', 'released', 'not_applicable', NULL),
               (76, 'terminal', 'unowned', 'not_applicable', NULL),
               (77, 'submitted', 'unowned', 'eligible_now', NULL),
               (78, 'runnable', 'unowned', 'eligible_now', 1000),
               (79, 'runnable', 'unowned', 'eligible_now', 1001)) v(n, l, o, e, d)
 WHERE c.execution_id = ff_execution_uuid(pg_temp.id(v.n));
SELECT pg_temp.claimed('claims passed', n => 9);

-- Rolled back, the lease was never taken and nobody was told.
SELECT outcome FROM ff_create_execution('claims rollback', execution_id => pg_temp.id(81));
BEGIN;
SELECT pg_temp.claimed('claims rollback');
ROLLBACK;
SELECT count(*) AS attempts FROM ff_attempt WHERE execution_id = '00000000-0000-0000-0004-000000000081';
SELECT count(*) AS events FROM ff_lease_event WHERE execution_id = '00000000-0000-0000-0004-000000000081';
SELECT pg_temp.claimed('claims rollback');

-- started_at_ms is set once; the epoch rises with every claim
SELECT outcome FROM ff_create_execution('claims again', execution_id => pg_temp.id(82),
  policy => '{"retry_policy": {"backoff": {"type": "fixed", "delay_ms": 0}}}');
SELECT lease_epoch, handle AS h FROM ff_claim('claims again', 'w', 'w-1') \gset
SELECT outcome FROM ff_fail(:'h', 'x');
SET ffengine.test_now_ms = '2000';
SELECT lease_epoch, attempt_index, claim_kind FROM ff_claim('claims again', 'w', 'w-1');
SELECT started_at_ms, public_state FROM ff_exec_core WHERE execution_id = ff_execution_uuid(pg_temp.id(82));

-- Waiting: zero rows when the time is over; not at all in a transaction of one snapshot.
SELECT clock_timestamp() AS t \gset
SELECT pg_temp.claimed('claims nowhere', block => 50);
SELECT clock_timestamp() - :'t' >= '50 ms' AS waited;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT clock_timestamp() AS t \gset
SELECT pg_temp.claimed('claims nowhere', block => 30000);
SELECT clock_timestamp() - :'t' < '10 s' AS at_once;
COMMIT;
SET statement_timeout = '200ms';
SELECT pg_temp.claimed('claims nowhere', block => 30000);
RESET statement_timeout;
SELECT b, pg_temp.refused(format('SELECT * FROM ff_claim(%L, %L, %L, block_ms => %s)', 'claims nowhere', 'w', 'w-1', b)) AS refusal
  FROM unnest('{-1, 30001}'::bigint[]) b;

-- NULL is the default where there is one, refused where there is none.
SELECT outcome FROM ff_create_execution('claims', execution_id => pg_temp.id(83));
SELECT execution_id, lease_expires_at FROM ff_claim('claims', 'w', 'w-1', NULL, NULL, NULL, NULL, NULL);
SELECT a, pg_temp.refused(format('SELECT * FROM ff_claim(%s)', a)) AS refusal
  FROM unnest(ARRAY['NULL, $$w$$, $$w-1$$', '$$claims$$, NULL, $$w-1$$', '$$claims$$, $$w$$, NULL']) a;
