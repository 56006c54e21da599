-- Claim and reclaim grants, and taking over lost work: chapter 04 sections 3.3 to 3.5 and 5.
-- A grant's key is random: it is kept in a variable or a table and never printed.
\pset null '<null>'
SET timezone = 'UTC';
SET ffengine.test_now_ms = 1000000;

-- What a statement is refused with, as kind and DETAIL's first word; 'accepted' if it is not.
CREATE FUNCTION pg_temp.refusal(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  state text;
  detail text;
BEGIN
  EXECUTE statement;
  RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, detail = PG_EXCEPTION_DETAIL;
  RETURN coalesce((SELECT c.kind FROM ff_error_catalogue() c WHERE c.sqlstate = state), state)
         || CASE WHEN state LIKE 'ZV%' THEN '/' || split_part(detail, ' ', 1) ELSE '' END;
END $$;

-- Execution number n, its rows, and how it is made: in lane 'grants'.
CREATE FUNCTION pg_temp.id(n integer) RETURNS text IMMUTABLE LANGUAGE sql AS $$
  SELECT format('{fp:%s}:64a40000-0000-4000-8000-%s', n % 256, lpad(n::text, 12, '0'))
$$;
CREATE TEMP VIEW core AS
  SELECT right(execution_id::text, 12)::integer AS n, * FROM ff_exec_core WHERE execution_id::text LIKE '64a40000-%';
CREATE TEMP VIEW attempt AS
  SELECT right(execution_id::text, 12)::integer AS n, * FROM ff_attempt WHERE execution_id::text LIKE '64a40000-%';
CREATE TEMP VIEW granted AS
  SELECT right(execution_id::text, 12)::integer AS n, * FROM ff_claim_grant WHERE execution_id::text LIKE '64a40000-%';
CREATE FUNCTION pg_temp.make(n integer, required text[] DEFAULT '{}', policy jsonb DEFAULT NULL,
                             lane text DEFAULT 'grants', delay_until timestamptz DEFAULT NULL)
RETURNS text LANGUAGE sql AS $$
  SELECT execution_id FROM ff_create_execution(lane, payload => 'work', payload_encoding => 'text',
    execution_id => pg_temp.id(n), required_capabilities => required, policy => policy,
    delay_until => delay_until)
$$;

-- Its state vector, and the grants it has.
CREATE FUNCTION pg_temp.vector(n integer) RETURNS text LANGUAGE sql AS $$
  SELECT concat_ws(' ', lifecycle_phase, ownership_state, eligibility_state, attempt_state,
                   public_state, 'index', attempt_index, 'reclaims', lease_reclaim_count)
    FROM core c WHERE c.n = vector.n
$$;
CREATE FUNCTION pg_temp.grants(n integer) RETURNS text LANGUAGE sql AS $$
  SELECT coalesce(string_agg(concat_ws(' ', kind, worker_id, worker_instance_id, expires_at_ms), ', '),
                  'no grant')
    FROM granted g WHERE g.n = grants.n
$$;
CREATE FUNCTION pg_temp.events(n integer) RETURNS text LANGUAGE sql AS $$
  SELECT concat_ws(' | ',
    (SELECT string_agg(concat_ws(' ', event_type, reason), ', ' ORDER BY event_id)
       FROM ff_lease_event WHERE partition_key = n % 256 AND execution_id = ff_execution_uuid(pg_temp.id(n))::text),
    (SELECT string_agg(outcome, ', ' ORDER BY event_id) FROM ff_completion_event
      WHERE partition_key = n % 256 AND execution_id = ff_execution_uuid(pg_temp.id(n))))
$$;

-- Claims an execution for 1000 ms and lets the lease lapse; with a hold it is marked and kept.
CREATE FUNCTION pg_temp.lose(n integer, how text DEFAULT 'held') RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  PERFORM ff_issue_grant_and_claim(pg_temp.id(n), 1000, 'lost', 'lost-1');
  PERFORM set_config('ffengine.test_now_ms',
                     (current_setting('ffengine.test_now_ms')::bigint + 2000)::text, false);
  IF how <> 'lapsed' THEN
    PERFORM set_config('ffengine.reclaim_hold', CASE how WHEN 'held' THEN '1h' ELSE '0' END, true);
    RETURN (SELECT outcome || ' ' || detail FROM ff_mark_lease_expired_if_due(pg_temp.id(n)));
  END IF;
  RETURN how;
END $$;

-- A suspended execution that was resumed, as chapter 03 leaves it.
CREATE FUNCTION pg_temp.make_resumable(n integer) RETURNS void LANGUAGE sql AS $$
  SELECT pg_temp.make(n);
  SELECT ff_issue_grant_and_claim(pg_temp.id(n));
  UPDATE core SET lifecycle_phase = 'runnable', ownership_state = 'unowned',
         eligibility_state = 'eligible_now', blocking_reason = 'waiting_for_worker',
         attempt_state = 'attempt_interrupted', public_state = 'resumable'
   WHERE core.n = make_resumable.n;
  UPDATE attempt SET outcome = 'attempt_interrupted', lease_expires_at_ms = NULL,
         lease_check_at_ms = NULL
   WHERE attempt.n = make_resumable.n;
$$;

-- Some milliseconds later; what the clock says then.
CREATE FUNCTION pg_temp.later(ms integer) RETURNS text LANGUAGE sql AS $$
  SELECT set_config('ffengine.test_now_ms', (current_setting('ffengine.test_now_ms')::bigint + ms)::text, false)
$$;

-- Reserving the next work of a lane. The key is a bearer text, stored is its hash.
SELECT pg_temp.make(1) AS e1, pg_temp.make(2, '{gpu}') AS e2 \gset
SELECT execution_id, lane_id, expires_at, resumable, grant_key AS key,
       grant_key ~ '^pg:claim:[0-9a-f]{64}$' AS well_formed
  FROM ff_claim_for_worker('grants', 'w', 'w-1', grant_ttl_ms => 5000)
\gset claim_
SELECT :'claim_execution_id' AS execution_id, :'claim_lane_id' AS lane_id, :'claim_expires_at' AS expires_at,
       :'claim_resumable' AS resumable, :'claim_well_formed' AS well_formed;
SELECT pg_temp.vector(1), pg_temp.grants(1);
SELECT grant_id = sha256(:'claim_key'::bytea) AS is_hash, lane_id, worker_capabilities, grant_ttl_ms,
       issued_at_ms
  FROM granted;

-- nobody else gets it, nor work that requires what the worker lacks
SELECT count(*) FROM ff_claim('grants', 'other', 'other-1');
SELECT count(*) FROM ff_claim_for_worker('grants', 'other', 'other-1');
SELECT execution_id, resumable FROM ff_claim_for_worker('grants', 'other', 'other-1', '{gpu}');
SELECT worker_capabilities FROM granted WHERE worker_id = 'other';
SELECT count(*) FROM ff_claim_for_worker('no-such-lane', 'w', 'w-1');
SELECT pg_temp.refusal(format('SELECT ff_claim_for_worker(%s)', arguments)) AS refusal, arguments
  FROM unnest(ARRAY['NULL, ''w'', ''w-1''', '''grants'', ''w x'', ''w-1''', '''grants'', ''w'', NULL',
                    '''grants'', ''w'', ''w-1'', ''{"a,b"}''',
                    '''grants'', ''w'', ''w-1'', grant_ttl_ms => 0',
                    '''grants'', ''w'', ''w-1'', grant_ttl_ms => 86400001']) arguments;

-- Looking at a key uses nothing up.
SELECT * FROM ff_verify_claim_grant(:'claim_key');
SELECT outcome, execution_id
  FROM unnest(ARRAY['', 'pg:claim:', 'pg:claim:' || repeat('g', 64), 'claim:' || repeat('0', 64),
                    'pg:claim:' || repeat('0', 64), 'pg:reclaim:' || repeat('0', 64),
                    'pg:reclaim:' || repeat('0', 65)]) key,
       ff_verify_claim_grant(key);
SELECT pg_temp.refusal('SELECT ff_verify_claim_grant(NULL)');

-- Claiming by grant: only the worker it is for; another process of that worker is fine.
SELECT pg_temp.refusal(format('SELECT ff_claim_execution(%L, %L, %L, grant_key => %L)',
                              pg_temp.id(n), worker, 'x-1', coalesce(key, :'claim_key'))) AS refusal, why
  FROM (VALUES (1, 'other', NULL, 'another worker'),
               (1, 'w', 'pg:claim:' || repeat('0', 64), 'another key'),
               (2, 'other', NULL, 'the key of another execution'),
               (404, 'w', NULL, 'no such execution')) t (n, worker, key, why);
SELECT pg_temp.refusal(format('SELECT ff_claim_execution(%L, %L, %L, grant_key => %L, expected_attempt_index => 1)',
                              pg_temp.id(1), 'w', 'w-1', :'claim_key')) AS unexpected_index;
SELECT execution_id, handle AS h, claim_kind, attempt_index, attempt_id, lease_id, lease_epoch, lease_expires_at,
       payload, payload_encoding, attempt_deadline_at, deadline_at
  FROM ff_claim_execution(:'e1', 'w', 'w-2', lease_ttl_ms => 30000, grant_key => :'claim_key',
         lease_id => '11111111-1111-4111-8111-111111111111', attempt_id => '22222222-2222-4222-8222-222222222222',
         expected_attempt_index => 0, attempt_timeout_ms => 60000, deadline_at => '2030-01-01 00:00:00+00')
\gset claimed_
\echo :claimed_claim_kind :claimed_attempt_index :claimed_attempt_id :claimed_lease_id :claimed_lease_epoch
\echo :claimed_lease_expires_at :claimed_payload :claimed_payload_encoding :claimed_attempt_deadline_at :claimed_deadline_at
SELECT kind, attempt_id, lease_id, worker_instance_id FROM ff_handle_decode(:'claimed_h');
SELECT pg_temp.vector(1), pg_temp.grants(1), pg_temp.events(1);
SELECT c.deadline_at_ms, a.policy, a.timeout_at_ms, a.worker_id, a.worker_instance_id
  FROM core c JOIN attempt a USING (n) WHERE n = 1;
SELECT outcome FROM ff_verify_claim_grant(:'claim_key');
SELECT outcome FROM ff_complete(:'claimed_h');

-- A grant that runs out reserves nothing, but can't be used either; a new one takes its place.
SELECT pg_temp.make(3) AS e3 \gset
SELECT grant_key AS key FROM ff_issue_claim_grant(:'e3', 'w', 'w-1', grant_ttl_ms => 1000) \gset old_
SELECT pg_temp.refusal(format('SELECT ff_issue_claim_grant(%L, %L, %L)', :'e3', 'other', 'other-1'));
SELECT pg_temp.later(1000);
SELECT outcome, execution_id, kind, worker_id FROM ff_verify_claim_grant(:'old_key');
SELECT pg_temp.refusal(format('SELECT ff_claim_execution(%L, %L, %L)', :'e3', 'w', 'w-1'));
SELECT grant_key AS key FROM ff_issue_claim_grant(:'e3', 'other', 'other-1', 'grants', '{cpu,arm}', 2000,
                                                  'hash', '{"route":1}', 'admitted') \gset new_
SELECT pg_temp.vector(3), pg_temp.grants(3);
SELECT worker_capabilities, capability_hash, route_snapshot_json, admission_summary
  FROM granted WHERE n = 3;
SELECT outcome FROM ff_verify_claim_grant(:'old_key');
SELECT claim_kind, lease_epoch FROM ff_claim_execution(:'e3', 'other', 'other-2');

-- Who may be granted by name; nothing changes where it is refused.
SELECT pg_temp.make(10, '{gpu,eu}') AS mismatch, pg_temp.make(11, delay_until => '2030-01-01') AS delayed,
       pg_temp.make(12) AS in_lane, pg_temp.make(13, lane => 'closed') AS closed \gset
UPDATE ff_lane_registry SET state = 'paused' WHERE lane_id = 'closed';
SELECT pg_temp.refusal(format('SELECT ff_issue_claim_grant(%L, %L, %L, %L, %L)', pg_temp.id(n), 'w', 'w-1',
                              lane, capabilities)) AS refusal, why
  FROM (VALUES (10, NULL, '{gpu,x}', 'lacks a capability'), (11, NULL, '{}', 'delayed'),
               (12, 'other-lane', '{}', 'another lane'), (13, NULL, '{}', 'the lane is paused'),
               (3, NULL, '{}', 'running'), (1, NULL, '{}', 'ended'), (404, NULL, '{}', 'no such execution'),
               (12, NULL, '{a b}', 'bad capabilities')) t (n, lane, capabilities, why);
SELECT pg_temp.vector(12), pg_temp.grants(12);

-- Work that was resumed after a suspension is claimed by its own function.
SELECT pg_temp.make_resumable(20);
SELECT execution_id, resumable FROM ff_issue_claim_grant(pg_temp.id(20), 'w', 'w-1');
SELECT pg_temp.vector(20);
SELECT pg_temp.refusal(format('SELECT ff_claim_execution(%L, %L, %L)', pg_temp.id(20), 'w', 'w-1'));
SELECT pg_temp.refusal(format('SELECT ff_claim_resumed_execution(%L, %L, %L)', pg_temp.id(20), 'other', 'o-1'));
SELECT claim_kind, attempt_index, lease_epoch FROM ff_claim_resumed_execution(pg_temp.id(20), 'w', 'w-2');
SELECT pg_temp.grants(20);
-- its delay is over, but nothing has promoted it
SELECT pg_temp.make_resumable(21);
UPDATE core SET eligibility_state = 'not_eligible_until_time', eligible_at_ms = 1002000,
       blocking_reason = 'waiting_for_resume_delay' WHERE n = 21;
SELECT pg_temp.refusal(format('SELECT ff_issue_claim_grant(%L, %L, %L)', pg_temp.id(21), 'w', 'w-1'));
SELECT pg_temp.later(1000);
SELECT execution_id, resumable FROM ff_issue_claim_grant(pg_temp.id(21), 'w', 'w-1');
SELECT pg_temp.vector(21), (SELECT eligible_at_ms FROM core WHERE n = 21);

-- Claiming without a grant, and in other states.
SELECT pg_temp.make(22);
UPDATE core SET ownership_state = 'leased' WHERE n = 13;
UPDATE core SET attempt_state = 'running_attempt' WHERE n = 10;
SELECT pg_temp.refusal(format('SELECT ff_claim_execution(%L, %L, %L)', pg_temp.id(n), 'w', 'w-1')) AS refusal, why
  FROM (VALUES (22, 'no grant'), (11, 'delayed'), (10, 'attempt running'), (13, 'owned'), (3, 'leased'),
               (1, 'ended')) t (n, why);

-- A grant is for whatever the claim then does: here the attempt that was delayed goes on, with a time of its
-- own, and a lost one is followed by another.
SELECT count(pg_temp.make(n)) FROM generate_series(25, 26) n;
SELECT handle AS h FROM ff_issue_grant_and_claim(pg_temp.id(25)) \gset
SELECT outcome, public_state FROM ff_delay(:'h', '1970-01-01');
SELECT resumable FROM ff_issue_claim_grant(pg_temp.id(25), 'w', 'w-1');
SELECT claim_kind, attempt_index, lease_epoch, attempt_deadline_at
  FROM ff_claim_execution(pg_temp.id(25), 'w', 'w-1', attempt_timeout_ms => 7000);
SELECT pg_temp.lose(26, 'requeued');
SELECT resumable FROM ff_issue_claim_grant(pg_temp.id(26), 'w', 'w-1');
SELECT pg_temp.refusal(format('SELECT ff_claim_execution(%L, %L, %L, expected_attempt_index => 0)',
                              pg_temp.id(26), 'w', 'w-1'));
SELECT claim_kind, attempt_index, lease_epoch
  FROM ff_claim_execution(pg_temp.id(26), 'w', 'w-1', expected_attempt_index => 1);
SELECT pg_temp.vector(26), pg_temp.events(26);

-- An operator takes a named execution in one step.
SELECT claim_kind, attempt_index, lease_epoch FROM ff_issue_grant_and_claim(pg_temp.id(22));
SELECT worker_id, worker_instance_id, lease_expires_at_ms - 1002000 AS ttl_ms FROM attempt WHERE n = 22;
SELECT pg_temp.vector(22), pg_temp.grants(22), pg_temp.events(22);
SELECT count(pg_temp.make(n)) FROM generate_series(23, 24) n;
SELECT resumable FROM ff_issue_claim_grant(pg_temp.id(23), 'w', 'w-1', grant_ttl_ms => 500);
SELECT pg_temp.refusal(format('SELECT ff_issue_grant_and_claim(%L)', pg_temp.id(n))) AS refusal, why
  FROM (VALUES (22, 'leased'), (1, 'ended'), (404, 'no such execution'), (23, 'granted'), (11, 'delayed'),
               (10, 'attempt running')) t (n, why);
SELECT pg_temp.later(1000);
SELECT claim_kind, attempt_index FROM ff_issue_grant_and_claim(pg_temp.id(23), worker_id => 'w');
SELECT pg_temp.grants(23);
-- a paused attempt is pulled forward from what it waits for
SELECT handle AS h FROM ff_issue_grant_and_claim(pg_temp.id(24)) \gset
SELECT outcome, public_state FROM ff_delay(:'h', '2030-01-01');
SELECT claim_kind, attempt_index, lease_epoch FROM ff_issue_grant_and_claim(pg_temp.id(24));
SELECT pg_temp.vector(24), (SELECT eligible_at_ms FROM core WHERE n = 24);

-- Reclaiming. What is not lost can't be reclaimed.
SELECT pg_temp.make(30) AS e30, pg_temp.make(31), pg_temp.make(32, '{gpu}') \gset
SELECT n, outcome, reclaim_count, detail
  FROM unnest(ARRAY[30, 22, 1]) n, ff_issue_reclaim_grant(pg_temp.id(n), 'r', 'r-1');
SELECT pg_temp.lose(30), pg_temp.lose(31, 'lapsed'), pg_temp.lose(32);
SELECT pg_temp.vector(30), pg_temp.vector(31);
SELECT n, outcome, reclaim_count, detail
  FROM unnest(ARRAY[32]) n, ff_issue_reclaim_grant(pg_temp.id(n), 'r', 'r-1', '{x}');
SELECT outcome, execution_id, lane_id, grant_key AS key, expires_at, reclaim_count,
       grant_key ~ '^pg:reclaim:[0-9a-f]{64}$' AS well_formed
  FROM ff_issue_reclaim_grant(:'e30', 'r', 'r-1', grant_ttl_ms => 60000) \gset r_
\echo :r_outcome :r_execution_id :r_lane_id :r_expires_at :r_reclaim_count :r_well_formed
SELECT pg_temp.vector(30), pg_temp.grants(30);
SELECT outcome, kind FROM ff_verify_claim_grant(:'r_key');
SELECT pg_temp.refusal(format('SELECT ff_issue_reclaim_grant(%L, %L, %L)', pg_temp.id(n), 'r', 'r-1'))
  FROM unnest(ARRAY[30, 404]) n;
-- while it lasts the engine leaves the execution alone, and so does a worker who would take it back
SET ffengine.reclaim_hold = 0;
SELECT * FROM ff_mark_lease_expired_if_due(:'e30');
RESET ffengine.reclaim_hold;
SELECT count(*) FROM ff_claim_from_reclaim(:'e30', 'lost', 'lost-1');

SELECT outcome, detail FROM ff_reclaim_execution(:'e30', 'r', 'r-1', grant_key => 'pg:reclaim:' || repeat('0', 64));
SELECT pg_temp.refusal(format('SELECT ff_reclaim_execution(%L, %L, %L)', :'e30', 'other', 'other-1'));
SELECT outcome, detail FROM ff_reclaim_execution(pg_temp.id(31), 'r', 'r-1');
SELECT outcome, handle AS h, attempt_index, attempt_id, lease_id, lease_epoch, lease_expires_at, reclaim_count,
       payload, payload_encoding
  FROM ff_reclaim_execution(:'e30', 'r', 'r-2', lease_ttl_ms => 1000, grant_key => :'r_key',
         lease_id => '33333333-3333-4333-8333-333333333333', attempt_id => '44444444-4444-4444-8444-444444444444')
\gset rc_
\echo :rc_outcome :rc_attempt_index :rc_attempt_id :rc_lease_id :rc_lease_epoch :rc_lease_expires_at
\echo :rc_reclaim_count :rc_payload :rc_payload_encoding
SELECT kind, attempt_index, attempt_id, lease_id, worker_instance_id FROM ff_handle_decode(:'rc_h');
SELECT pg_temp.vector(30), pg_temp.grants(30), pg_temp.events(30);
SELECT attempt_index, attempt_type, worker_id, outcome, terminal_at_ms, lease_expires_at_ms, lease_epoch
  FROM attempt WHERE n = 30 ORDER BY attempt_index;
SELECT outcome FROM ff_verify_claim_grant(:'r_key');
-- a second time: the epoch goes on rising
SELECT pg_temp.later(1000);
SELECT g.outcome, r.outcome, r.attempt_index, r.lease_epoch, r.reclaim_count
  FROM ff_issue_reclaim_grant(:'e30', 'r', 'r-1') g,
       LATERAL ff_reclaim_execution(g.execution_id, 'r', 'r-1', grant_key => g.grant_key) r;
-- a grant that ran out
SELECT outcome, grant_key AS key FROM ff_issue_reclaim_grant(pg_temp.id(31), 'r', 'r-1', grant_ttl_ms => 100) \gset r_
SELECT pg_temp.later(100);
SELECT outcome FROM ff_reclaim_execution(pg_temp.id(31), 'r', 'r-1', grant_key => :'r_key');
-- one whose execution is not lost any more
SELECT outcome FROM ff_issue_reclaim_grant(pg_temp.id(31), 'r', 'r-1', grant_ttl_ms => 60000);
UPDATE attempt SET lease_expires_at_ms = 9000000 WHERE n = 31;
SELECT outcome, detail FROM ff_reclaim_execution(pg_temp.id(31), 'r', 'r-1');
-- a lease that an operator took away counts as lost
UPDATE core SET ownership_state = 'lease_revoked', blocking_reason = 'waiting_for_worker',
       attempt_state = 'attempt_interrupted' WHERE n = 31;
SELECT outcome, attempt_index, reclaim_count FROM ff_reclaim_execution(pg_temp.id(31), 'r', 'r-1');

-- The cap: the policy's, else the argument, else the setting (1000).
SELECT n, length(pg_temp.make(n, policy => policy::jsonb)) > 0 AS made, pg_temp.lose(n)
  FROM (VALUES (40, '{"max_reclaim_count":5}'), (41, '{"timeout_policy":{"max_reclaim_count":4}}'), (42, NULL),
               (43, NULL), (44, NULL)) t (n, policy);
SELECT n, outcome FROM generate_series(40, 44) n, ff_issue_reclaim_grant(pg_temp.id(n), 'r', 'r-1');
UPDATE core SET lease_reclaim_count = CASE n WHEN 40 THEN 5 WHEN 41 THEN 4 WHEN 42 THEN -1
                                                  WHEN 43 THEN 2 ELSE 1000 END
 WHERE n BETWEEN 40 AND 44;
SELECT n, outcome, attempt_index, reclaim_count, handle IS NULL AS no_handle
  FROM generate_series(40, 44) n,
       ff_reclaim_execution(pg_temp.id(n), 'r', 'r-1', max_reclaim_count => CASE WHEN n = 44 THEN NULL ELSE 2 END);
SELECT pg_temp.vector(40), pg_temp.grants(40), pg_temp.events(40);
SELECT c.cancellation_reason, c.terminal_outcome, a.outcome, a.failure_reason
  FROM core c JOIN attempt a USING (n) WHERE n = 40;
SELECT pg_temp.vector(42);
SELECT pg_temp.make(45), pg_temp.lose(45);
UPDATE core SET lease_reclaim_count = 1000 WHERE n = 45;
SELECT outcome, reclaim_count, grant_key, detail FROM ff_issue_reclaim_grant(pg_temp.id(45), 'r', 'r-1');
SELECT pg_temp.refusal(format('SELECT ff_reclaim_execution(%L, %L, %L, max_reclaim_count => -1)', pg_temp.id(45), 'r', 'r-1'));

-- Taking over the same attempt: no grant needed, nothing happens where it can't be had.
SELECT count(pg_temp.make(n)) FROM generate_series(50, 53) n;
SELECT pg_temp.refusal(format('SELECT ff_claim_from_reclaim(%L, %L, %L)', pg_temp.id(n), 'w', 'w-1')) AS refusal, why
  FROM (VALUES (50, 'never claimed'), (404, 'no such execution')) t (n, why);
SELECT handle AS old FROM ff_issue_grant_and_claim(pg_temp.id(50), 1000, 'w', 'w-1') \gset
SELECT n, (SELECT count(*) FROM ff_claim_from_reclaim(pg_temp.id(n), 'w', 'w-2')) AS rows
  FROM (VALUES (50), (1), (24)) t (n);
UPDATE attempt SET lease_expires_at_ms = 0 WHERE n = 50;
SELECT claim_kind, attempt_index, lease_epoch, handle AS h FROM ff_claim_from_reclaim(pg_temp.id(50), 'other', 'other-1') \gset
\echo :claim_kind :attempt_index :lease_epoch
SELECT lease_epoch FROM ff_renew(:'h');
SELECT pg_temp.refusal(format('SELECT ff_renew(%L)', :'old')) AS the_old_handle;
SELECT pg_temp.vector(50), pg_temp.events(50);
-- marked and held, requeued, requeued and granted to the worker
SELECT pg_temp.lose(51), pg_temp.lose(52, 'requeued'), pg_temp.lose(53, 'requeued');
SELECT execution_id FROM ff_issue_claim_grant(pg_temp.id(53), 'lost', 'lost-1', grant_ttl_ms => 60000);
SELECT count(*) FROM ff_claim_from_reclaim(pg_temp.id(53), 'other', 'other-1');
SELECT n, claim_kind, attempt_index, lease_epoch
  FROM generate_series(51, 53) n, ff_claim_from_reclaim(pg_temp.id(n), 'lost', 'lost-2');
SELECT n, pg_temp.vector(n), pg_temp.grants(n), pg_temp.events(n) FROM generate_series(51, 53) n;
-- a paused attempt is acquired, not reclaimed; not before its time
SELECT pg_temp.make_resumable(54);
SELECT claim_kind, attempt_index, lease_epoch, handle AS h FROM ff_claim_from_resume_grant(pg_temp.id(54), 'w', 'w-1') \gset
\echo :claim_kind :attempt_index :lease_epoch
SELECT outcome FROM ff_delay(:'h', ff_from_ms(current_setting('ffengine.test_now_ms')::bigint + 1000));
SELECT count(*) FROM ff_claim_from_reclaim(pg_temp.id(54), 'w', 'w-1');
SELECT pg_temp.later(1000);
SELECT claim_kind, lease_epoch FROM ff_claim_from_reclaim(pg_temp.id(54), 'w', 'w-1');
SELECT pg_temp.vector(54), pg_temp.events(54);
-- a key that is given must be good
SELECT pg_temp.make(55), pg_temp.lose(55);
SELECT grant_key AS key FROM ff_issue_reclaim_grant(pg_temp.id(55), 'r', 'r-1', grant_ttl_ms => 1000) \gset
SELECT pg_temp.refusal(format('SELECT ff_claim_from_reclaim(%L, %L, %L, grant_key => %L)', pg_temp.id(n), worker, 'r-1',
                              coalesce(given, :'key'))) AS refusal, why
  FROM (VALUES (55, 'other', NULL, 'another worker'), (55, 'r', 'pg:reclaim:' || repeat('0', 64), 'unknown'),
               (45, 'r', NULL, 'another execution')) t (n, worker, given, why);
SELECT claim_kind, lease_epoch FROM ff_claim_from_reclaim(pg_temp.id(55), 'r', 'r-1', grant_key => :'key');
SELECT pg_temp.grants(55);
SELECT grant_key AS key FROM (SELECT pg_temp.later(60000)) t,
       LATERAL ff_issue_reclaim_grant(pg_temp.id(55), 'r', 'r-1', grant_ttl_ms => 1000) \gset
SELECT pg_temp.later(1000);
SELECT pg_temp.refusal(format('SELECT ff_claim_from_reclaim(%L, %L, %L, grant_key => %L)', pg_temp.id(55), 'r', 'r-1',
                              :'key')) AS run_out;
-- at the cap the execution fails, requeued work too, and no row comes
SELECT pg_temp.make(56, policy => '{"max_reclaim_count":0}'), pg_temp.make(57);
SELECT pg_temp.lose(56), pg_temp.lose(57, 'requeued');
UPDATE core SET lease_reclaim_count = 1000 WHERE n = 57;
SELECT n, (SELECT count(*) FROM ff_claim_from_reclaim(pg_temp.id(n), 'lost', 'lost-1')) AS rows
  FROM generate_series(56, 57) n;
SELECT n, pg_temp.vector(n), pg_temp.events(n) FROM generate_series(56, 57) n;

-- A flow cancelled with its members withholds them from whoever names one.
INSERT INTO ff_flow_core (partition_key, flow_id, public_flow_state, created_at_ms, raw_fields)
SELECT n, ff_execution_uuid(pg_temp.id(n)), 'cancelled', 0, '{"cancellation_policy":"cancel_all"}'
  FROM generate_series(60, 63) n;
SELECT count(pg_temp.make(n, lane => 'withheld')) FROM generate_series(60, 63) n;
SELECT grant_key AS key FROM ff_issue_claim_grant(pg_temp.id(61), 'r', 'r-1') \gset
SELECT pg_temp.lose(62), pg_temp.lose(63);
SELECT outcome FROM ff_issue_reclaim_grant(pg_temp.id(62), 'r', 'r-1', grant_ttl_ms => 60000);
UPDATE core SET flow_id = execution_id WHERE n BETWEEN 60 AND 63;
SELECT function, pg_temp.refusal(format('SELECT %s(%L, %s)', function, pg_temp.id(n), arguments)) AS refusal
  FROM (VALUES ('ff_issue_claim_grant', 60, '''r'', ''r-1'''), ('ff_issue_grant_and_claim', 60, '1000'),
               ('ff_claim_execution', 61, '''r'', ''r-1'''), ('ff_reclaim_execution', 62, '''r'', ''r-1'''),
               ('ff_issue_reclaim_grant', 63, '''r'', ''r-1'''), ('ff_claim_from_reclaim', 63, '''r'', ''r-1'''))
       t (function, n, arguments);
-- a call that picks work takes what it meets out of the way
SELECT count(*) FROM ff_claim_for_worker('withheld', 'r', 'r-1');
SELECT pg_temp.vector(60);

-- Who may call what.
SELECT function_signature, string_agg(access, ', ' ORDER BY access) AS access
  FROM ff_access_function WHERE function_signature ~ 'grant|ff_claim_(for|exec|from)|ff_reclaim'
   AND function_signature !~ 'access'
 GROUP BY function_signature ORDER BY function_signature COLLATE "C";

DELETE FROM granted;
DELETE FROM attempt;
DELETE FROM ff_flow_core WHERE flow_id IN (SELECT flow_id FROM core);
DELETE FROM core;
DELETE FROM ff_lane_registry WHERE lane_id IN ('grants', 'closed', 'withheld');
