-- The state machine, transition by transition: what each writes to the execution and to its
-- attempt, and the events that follow (chapter 01, section 6). Where the function that brings a
-- state about is not there yet, the state is put in by hand.
\set VERBOSITY terse
\pset null -
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS ffengine CASCADE;
RESET client_min_messages;

CREATE FUNCTION pg_temp.id(n integer) RETURNS text LANGUAGE sql AS
  $$ SELECT '{fp:7}:00000000-0000-0000-0002-' || lpad(n::text, 12, '0') $$;
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
  (SELECT 'A[' || attempt_index || '] ' || jsonb_strip_nulls(to_jsonb(a) - '{partition_key,
           execution_id, attempt_index, worker_id, attempt_id, lease_id}'::text[]
         || jsonb_build_object('raw_fields', nullif(raw_fields, '{}')))::text
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

\pset format unaligned
\pset tuples_only on

-- T01 create: W, or D when it is to wait until an instant to come. A past instant is no delay.
SET ffengine.test_now_ms = '1000';
SELECT outcome, public_state FROM ff_create_execution('states', execution_id => pg_temp.id(1));
SELECT pg_temp.show(1);
SELECT outcome, public_state FROM ff_create_execution('states delayed', execution_id => pg_temp.id(2),
                                                      delay_until => ff_from_ms(5000));
SELECT pg_temp.show(2);
SELECT outcome, public_state FROM ff_create_execution('states delayed', execution_id => pg_temp.id(3),
                                                      delay_until => ff_from_ms(1000));
SELECT pg_temp.show(3);
SELECT lane_id, state, registered_at_ms, registered_by FROM ff_lane_registry
 WHERE lane_id LIKE 'states%' ORDER BY lane_id;

-- T02 claim: a new attempt, epoch 1, a lease of ten seconds
SET ffengine.test_now_ms = '2000';
SELECT claim_kind, attempt_index, lease_epoch, handle AS h
  FROM ff_claim('states', 'w', 'w-1', lease_ttl_ms => 10000) \gset
SELECT :'claim_kind', :attempt_index, :lease_epoch;
SELECT pg_temp.show(1);

-- T08 renew: the lease alone changes; lease_check_at_ms stays until the new end lies before it
SET ffengine.test_now_ms = '3000';
SELECT * FROM ff_renew(:'h', 20000);
SELECT pg_temp.show(1);
SELECT * FROM ff_renew(:'h', 5000);
SELECT pg_temp.show(1);

-- T11 fail with a retry left: the attempt ends, the next index is scheduled
SET ffengine.test_now_ms = '4000';
SELECT outcome, next_attempt_index, delay_until, public_state
  FROM ff_fail(:'h', 'connection reset', failure_category => 'network', detail => '\x0102');
SELECT pg_temp.show(1);

-- T34 promote delayed, by hand; then T02 from pending_retry: attempt 1, epoch 2
UPDATE ff_exec_core SET eligibility_state = 'eligible_now', blocking_reason = 'waiting_for_worker',
       public_state = 'waiting', eligible_at_ms = NULL
 WHERE execution_id = pg_temp.eid(1);
SET ffengine.test_now_ms = '6000';
SELECT claim_kind, attempt_index, lease_epoch, handle AS h
  FROM ff_claim('states', 'w', 'w-2', lease_ttl_ms => 10000) \gset
SELECT :'claim_kind', :attempt_index, :lease_epoch;
SELECT pg_temp.show(1);

-- T12 fail for good
SET ffengine.test_now_ms = '7000';
SELECT outcome, next_attempt_index, delay_until, public_state
  FROM ff_fail(:'h', 'no such account', failure_class => 'permanent');
SELECT pg_temp.show(1);

-- T11 with a backoff of 0: W at once
SELECT outcome FROM ff_create_execution('states', execution_id => pg_temp.id(4),
  policy => '{"retry_policy": {"max_retries": 1, "backoff": {"type": "fixed", "delay_ms": 0}}}');
SELECT handle AS h FROM ff_claim('states', 'w', 'w-1') \gset
SELECT outcome, next_attempt_index, delay_until, public_state FROM ff_fail(:'h', 'again');
SELECT pg_temp.show(4);

-- T10 complete; grants of the execution go
SELECT claim_kind, attempt_index, lease_epoch, handle AS h FROM ff_claim('states', 'w', 'w-1') \gset
SELECT :'claim_kind', :attempt_index, :lease_epoch;
INSERT INTO ff_claim_grant (partition_key, grant_id, execution_id, kind, worker_id,
                            worker_instance_id, grant_ttl_ms, issued_at_ms, expires_at_ms)
VALUES (7, '\x02', pg_temp.eid(4), 'reclaim', 'w', 'w-1', 1, 1, 2);
SET ffengine.test_now_ms = '8000';
SELECT outcome, public_state, replayed FROM ff_complete(:'h', '\x6f6b', 'text');
SELECT pg_temp.show(4);
SELECT count(*) AS grants FROM ff_claim_grant WHERE execution_id = pg_temp.eid(4);

-- T03 claim of a paused attempt that was never suspended (a delay; by hand): it goes on under its
-- index and attempt_id, with what was left of its time
SELECT outcome FROM ff_create_execution('states', execution_id => pg_temp.id(5),
  policy => '{"timeout_policy": {"attempt_timeout_ms": 60000}}');
SELECT attempt_id AS first_id, handle AS stale FROM ff_claim('states', 'w', 'w-1') \gset
UPDATE ff_exec_core SET lifecycle_phase = 'runnable', ownership_state = 'unowned',
       eligibility_state = 'eligible_now', blocking_reason = 'waiting_for_worker',
       attempt_state = 'attempt_interrupted', public_state = 'waiting'
 WHERE execution_id = pg_temp.eid(5);
UPDATE ff_attempt SET outcome = 'interrupted', lease_expires_at_ms = NULL, lease_check_at_ms = NULL,
       suspended_at_ms = 9000, timeout_left_ms = 59000, timeout_at_ms = NULL
 WHERE execution_id = pg_temp.eid(5);
SET ffengine.test_now_ms = '10000';
SELECT claim_kind, attempt_index, lease_epoch, attempt_id = :'first_id' AS same_attempt,
       attempt_deadline_at, handle AS h
  FROM ff_claim('states', 'w', 'w-2') \gset
SELECT :'claim_kind', :attempt_index, :lease_epoch, :'same_attempt', :'attempt_deadline_at';
SELECT kind FROM ff_handle_decode(:'h');
SELECT pg_temp.show(5);
SELECT outcome FROM ff_complete(:'h');

-- T04 claim after a lost lease (T22, by hand): a new attempt, counted
SET ffengine.test_now_ms = '20000';
SELECT outcome FROM ff_create_execution('states', execution_id => pg_temp.id(6));
SELECT handle AS stale FROM ff_claim('states', 'w', 'w-1') \gset
UPDATE ff_exec_core SET lifecycle_phase = 'runnable', ownership_state = 'unowned',
       eligibility_state = 'eligible_now', blocking_reason = 'waiting_for_worker',
       attempt_state = 'attempt_interrupted', public_state = 'waiting', lease_reclaim_count = -3
 WHERE execution_id = pg_temp.eid(6);
UPDATE ff_attempt SET outcome = 'lease_expired_reclaimable', failure_reason = 'lease_expired',
       lease_expires_at_ms = NULL, lease_check_at_ms = NULL
 WHERE execution_id = pg_temp.eid(6);
SET ffengine.test_now_ms = '60000';
SELECT claim_kind, attempt_index, lease_epoch, handle AS h FROM ff_claim('states', 'w', 'w-2') \gset
SELECT :'claim_kind', :attempt_index, :lease_epoch;
SELECT kind FROM ff_handle_decode(:'h');
SELECT pg_temp.show(6);
SELECT outcome FROM ff_complete(:'h');

-- T02 again under the same index (T36 replay, by hand): the row is overwritten, the epoch goes on
UPDATE ff_exec_core SET lifecycle_phase = 'runnable', eligibility_state = 'eligible_now',
       blocking_reason = 'waiting_for_worker', attempt_state = 'pending_replay_attempt',
       public_state = 'waiting', terminal_outcome = NULL, terminal_at_ms = NULL
 WHERE execution_id = pg_temp.eid(6);
UPDATE ff_attempt SET outcome = NULL, terminal_at_ms = NULL, lease_epoch = lease_epoch + 1,
       failure_reason = 'x', failure_category = 'y', failure_detail = 'z', suspended_at_ms = 1,
       raw_fields = '{"runs": [{"outcome": "success"}]}'
 WHERE execution_id = pg_temp.eid(6) AND attempt_index = 1;
SELECT claim_kind, attempt_index, lease_epoch, handle AS h FROM ff_claim('states', 'w', 'w-3') \gset
SELECT :'claim_kind', :attempt_index, :lease_epoch;
SELECT pg_temp.show(6);
SELECT outcome FROM ff_complete(:'h');

-- T30 a claim withholds the member of a cancelled flow and goes on to the next
SELECT '11111111-1111-1111-1111-111111111111' AS flow, ff_flow_partition('11111111-1111-1111-1111-111111111111') AS p \gset
INSERT INTO ff_flow_core (partition_key, flow_id, public_flow_state, created_at_ms)
VALUES (:p, :'flow', 'open', 1);
SELECT outcome FROM ff_create_execution('states', flow_id => :'flow', priority => 5,
  execution_id => ff_execution_id(:p, pg_temp.eid(7)));
SELECT outcome FROM ff_create_execution('states', execution_id => pg_temp.id(8));
SELECT graph_revision, raw_fields FROM ff_flow_core WHERE flow_id = :'flow';
UPDATE ff_flow_core SET public_flow_state = 'cancelled',
       raw_fields = raw_fields || '{"cancellation_policy": "cancel_pending"}'
 WHERE flow_id = :'flow';
SELECT execution_id, handle AS h FROM ff_claim('states', 'w', 'w-1') \gset
SELECT :'execution_id';
SELECT pg_temp.show(7);
SELECT outcome FROM ff_complete(:'h');
-- closed in any other way it withholds nothing
UPDATE ff_flow_core SET raw_fields = raw_fields || '{"cancellation_policy": "flow_only"}'
 WHERE flow_id = :'flow';
UPDATE ff_exec_core SET eligibility_state = 'eligible_now', blocking_reason = 'waiting_for_worker'
 WHERE execution_id = pg_temp.eid(7);
SELECT execution_id, handle AS h FROM ff_claim('states', 'w', 'w-1') \gset
SELECT :'execution_id';
SELECT outcome FROM ff_complete(:'h');
SELECT flow_id, outcome, dispatched_at_ms FROM ff_completion_event WHERE execution_id = pg_temp.eid(7);

-- T34 and T19 inside a claim: resumed work whose delay is over (MD) goes on, no promoter needed
SELECT outcome FROM ff_create_execution('states', execution_id => pg_temp.id(9));
SELECT attempt_id AS first_id FROM ff_claim('states', 'w', 'w-1') \gset
UPDATE ff_exec_core SET lifecycle_phase = 'runnable', ownership_state = 'unowned',
       eligibility_state = 'not_eligible_until_time', blocking_reason = 'waiting_for_resume_delay',
       eligible_at_ms = 70000, attempt_state = 'attempt_interrupted', public_state = 'resumable'
 WHERE execution_id = pg_temp.eid(9);
UPDATE ff_attempt SET outcome = 'attempt_interrupted', lease_expires_at_ms = NULL,
       lease_check_at_ms = NULL, suspended_at_ms = 60000
 WHERE execution_id = pg_temp.eid(9);
SET ffengine.test_now_ms = '69999';
SELECT count(*) AS too_early FROM ff_claim('states', 'w', 'w-2');
SELECT pg_temp.show(9);
SET ffengine.test_now_ms = '70000';
SELECT count(*) AS not_wanted FROM ff_claim('states', 'w', 'w-2', include_resumable => false);
SELECT claim_kind, attempt_index, lease_epoch, attempt_id = :'first_id' AS same_attempt, handle AS h
  FROM ff_claim('states', 'w', 'w-2') \gset
SELECT :'claim_kind', :attempt_index, :lease_epoch, :'same_attempt';
SELECT pg_temp.show(9);
SELECT outcome FROM ff_complete(:'h');

-- Suspended and resumed. The keystore is put back as it was by the rollback at the end.
BEGIN;
DELETE FROM ff_waitpoint_hmac;
SELECT outcome FROM ff_seed_waitpoint_hmac_secret('states', repeat('5a', 32));

-- T15 suspend: the epoch moves, so the old handle is worth nothing; the attempt's time stands still
SET ffengine.test_now_ms = '72000';
SELECT outcome FROM ff_create_execution('states', execution_id => pg_temp.id(20),
  policy => '{"timeout_policy": {"attempt_timeout_ms": 60000}}');
SELECT attempt_id AS first_id, handle AS stale FROM ff_claim('states', 'w', 'w-1') \gset
SET ffengine.test_now_ms = '73000';
SELECT outcome, waitpoint_id AS wp, waitpoint_token AS token, handle AS h
  FROM ff_suspend(:'stale', ff_count_of(2, '{approval}', 'sources'),
                  reason_code => 'waiting_for_approval') \gset
SELECT :'outcome';
SELECT kind, lease_epoch FROM ff_handle_decode(:'h');
SELECT pg_temp.show(20);

-- T17 a signal that is not enough: its event, nothing else
SET ffengine.test_now_ms = '74000';
SELECT effect FROM ff_deliver_signal(pg_temp.id(20), :'wp', :'token', 'approved', source_identity => 'alice');
SELECT pg_temp.show(20);

-- T18 the one that satisfies, with a resume delay: MD, one completion event, dispatched at birth
SELECT effect FROM ff_deliver_signal(pg_temp.id(20), :'wp', :'token', 'approved', source_identity => 'bob',
                                     resume_delay_ms => 1000);
SELECT pg_temp.show(20);
SELECT outcome, attempt_index, dispatched_at_ms FROM ff_completion_event WHERE execution_id = pg_temp.eid(20);
SELECT close_reason, closed_at_ms FROM ff_suspension_current WHERE execution_id = pg_temp.eid(20);

-- T19 not before it is due, then by name, before any promoter came
SELECT count(*) FROM ff_claim('states', 'w', 'w-2');
SET ffengine.test_now_ms = '75000';
SELECT claim_kind, attempt_index, lease_epoch, attempt_id = :'first_id' AS same_attempt, attempt_deadline_at, handle AS h
  FROM ff_claim_resumed_execution(pg_temp.id(20), 'w', 'w-2') \gset
SELECT :'claim_kind', :attempt_index, :lease_epoch, :'same_attempt', :'attempt_deadline_at';
SELECT pg_temp.show(20);

-- T15 again, T18 without a delay: M; ff_claim hands it out as resumed, never as fresh
SELECT waitpoint_id AS wp, waitpoint_token AS token FROM ff_suspend(:'h', ff_when('callback', 'done')) \gset
SELECT pg_temp.show(20);
SELECT effect FROM ff_deliver_signal(pg_temp.id(20), :'wp', :'token', 'done');
SELECT pg_temp.show(20);
SELECT claim_kind, attempt_index, lease_epoch, handle AS h FROM ff_claim('states', 'w', 'w-3') \gset
SELECT :'claim_kind', :attempt_index, :lease_epoch;

-- T10 closes what a suspension left open: a waitpoint that went back to pending
SELECT waitpoint_id AS wp, waitpoint_token AS token
  FROM ff_suspend(:'h', ff_when('more'), resume_policy => '{"close_waitpoint_on_resume": false}') \gset
SELECT effect FROM ff_deliver_signal(pg_temp.id(20), :'wp', :'token', 'go');
SELECT state FROM ff_waitpoint_pending WHERE waitpoint_id = :'wp';
SELECT handle AS h FROM ff_claim('states', 'w', 'w-4') \gset
SELECT outcome FROM ff_complete(:'h');
SELECT state, count(*) FROM ff_waitpoint_pending WHERE execution_id = pg_temp.eid(20) GROUP BY state;
SELECT count(*) AS current FROM ff_suspension_current WHERE execution_id = pg_temp.eid(20);
SELECT close_reason, count(*) FROM ff_suspension_history WHERE execution_id = pg_temp.eid(20) GROUP BY 1 ORDER BY 1;
SELECT pg_temp.show(20);
ROLLBACK;

-- Every event carries namespace and instance tag, the lease's data and who ended it
SET ffengine.test_now_ms = '80000';
SELECT outcome FROM ff_create_execution('states', execution_id => pg_temp.id(10), namespace => 'ns',
                                        tags => '{"cairn.instance_id": "i-1"}');
SELECT lease_id, handle AS h FROM ff_claim('states', 'w', 'w-1') \gset
SELECT outcome FROM ff_fail(:'h', 'x', failure_class => 'permanent');
SELECT event_type, reason, revoked_by, lease_epoch, attempt_index, worker_instance_id,
       lease_id = :'lease_id' AS same_lease, namespace, instance_tag, occurred_at_ms, partition_key
  FROM ff_lease_event WHERE execution_id = pg_temp.eid(10)::text ORDER BY event_id;
SELECT outcome, attempt_index, namespace, instance_tag, occurred_at_ms, partition_key
  FROM ff_completion_event WHERE execution_id = pg_temp.eid(10);
SELECT event_type, tag, namespace, instance_tag FROM ff_instance_tag_event
 WHERE execution_id = pg_temp.eid(10)::text;
