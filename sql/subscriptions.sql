-- Durable subscriptions and trimming: chapter 08, section 6.
\set VERBOSITY terse
\pset null -
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS ffengine CASCADE;
RESET client_min_messages;
SET ffengine.test_now_ms = '1000000';

-- Whatever else runs in the cluster (autovacuum) holds events back until it ends.
\set settle 'DO $$BEGIN WHILE pg_snapshot_xmin(pg_current_snapshot()) < pg_snapshot_xmax(pg_current_snapshot()) LOOP PERFORM pg_sleep(0.01); END LOOP; END$$;'
-- Trimming an outbox for good is not for one that other tests' events are in.
TRUNCATE ff_completion_event, ff_lease_event, ff_operator_event, ff_outbox_state;

CREATE FUNCTION pg_temp.uuid(n integer) RETURNS uuid LANGUAGE sql AS
  $$ SELECT ('00000000-0000-0000-0082-' || lpad(n::text, 12, '0'))::uuid $$;
-- A completion put in by hand, of execution n, recorded at n seconds.
CREATE FUNCTION pg_temp.complete(n integer, outcome text DEFAULT 'success', ns text DEFAULT NULL, dispatched boolean DEFAULT true)
RETURNS void LANGUAGE sql AS $$
  INSERT INTO ff_completion_event (partition_key, execution_id, flow_id, outcome, namespace, occurred_at_ms, committed_at_ms,
                                   dispatched_at_ms, attempt_index)
  VALUES (n % 256, pg_temp.uuid(n), CASE WHEN n % 2 = 0 THEN pg_temp.uuid(99) END, outcome, ns, n, n * 1000,
          CASE WHEN dispatched THEN n END, 0)
$$;
-- The executions that a poll gives: numbers, in order.
CREATE FUNCTION pg_temp.poll(name text, most integer DEFAULT 256, cursor bytea DEFAULT NULL)
RETURNS text LANGUAGE sql AS $$
  SELECT coalesce(string_agg(right(execution_id, 12)::integer::text, ' ' ORDER BY n), 'nothing')
    FROM ff_poll_subscription(name, most, cursor => cursor) WITH ORDINALITY e (c, i, t, execution_id, f, ns, tag, at, b, n)
$$;
-- The cursor of the event of execution e, whoever wants it.
CREATE FUNCTION pg_temp.cursor_of(e integer) RETURNS bytea LANGUAGE sql AS $$
  SELECT next_cursor FROM ff_subscribe_completion(ff_event_cursor('completion', 'earliest'), max_rows => 10000)
   WHERE ff_execution_uuid(execution_id) = pg_temp.uuid(e)
$$;
-- What a statement is refused with.
CREATE FUNCTION pg_temp.refused(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  state  text;
  detail text;
BEGIN
  EXECUTE statement;
  RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, detail = PG_EXCEPTION_DETAIL;
  RETURN concat_ws(': ', (SELECT c.kind FROM ff_error_code c WHERE c.sqlstate = state), SQLERRM,
                   regexp_replace(detail, '\d{2,}', 'N', 'g'));
END $$;

-- Creating.
:settle
SELECT outcome, cursor = ff_event_cursor('completion') AS at_the_horizon
  FROM ff_create_subscription('all', 'completion');
SELECT outcome FROM ff_create_subscription('all', 'completion', start_at => 'earliest');
SELECT outcome FROM ff_create_subscription('failed', 'completion', '{"event_types": ["failed", "expired"]}');
SELECT outcome FROM ff_create_subscription('failed', 'completion', '{"event_types": ["failed", "expired"]}');
SELECT outcome, length(cursor) AS bytes FROM ff_create_subscription('tenant', 'completion', '{"namespace": "tenant-a"}');
SELECT outcome FROM ff_create_subscription('narrow', 'completion', jsonb_build_object('execution_id', ff_execution_id(4, pg_temp.uuid(4))));
SELECT outcome FROM ff_create_subscription('other', 'completion', jsonb_build_object('partition_key', 5,
         'execution_id', ff_execution_id(4, pg_temp.uuid(4))));
SELECT outcome FROM ff_create_subscription('flow', 'completion', jsonb_build_object('flow_id', upper(pg_temp.uuid(99)::text)));
SELECT outcome FROM ff_create_subscription('partition', 'completion', '{"partition_key": 3, "event_types": []}');
SELECT pg_temp.refused('SELECT * FROM ff_create_subscription(' || args || ')')
  FROM unnest(ARRAY[
    '''all'', ''completion'', ''{"namespace": "x"}''', '''all'', ''lease_history''',
    'NULL, ''completion''', ''''', ''completion''', 'repeat(''x'', 129), ''completion''', '''new'', ''nosuch''',
    '''new'', ''completion'', ''{"nam": 1}''', '''new'', ''completion'', ''{"namespace": 1}''', '''new'', ''completion'', ''[]''',
    '''new'', ''completion'', ''{"partition_key": 256}''', '''new'', ''completion'', ''{"event_types": "failed"}''',
    '''new'', ''completion'', ''{"event_types": [1]}''', '''new'', ''completion'', ''{"flow_id": "x"}''',
    '''new'', ''completion'', ''{"execution_id": "x"}''', '''new'', ''completion'', start_at => ''middle''',
    '''new'', ''completion'', cursor => ''\x01''', '''new'', ''completion'', cursor => ff_event_cursor(''lease_history'')']) args;

-- Polling gives the same until it is acknowledged, to everybody who asks.
SELECT pg_temp.complete(1);
SELECT pg_temp.complete(2, 'failed', 'tenant-a');
SELECT pg_temp.complete(3);
:settle
SELECT pg_temp.poll('all') AS first, pg_temp.poll('all') AS again, pg_temp.poll('all', 1) AS one;
\x
SELECT next_cursor = pg_temp.cursor_of(2) AS next_cursor, event_type, execution_id, flow_id, namespace, instance_tag, occurred_at,
       body - 'xact_id' AS body, body->>'xact_id' = (SELECT xact_id FROM ff_decode_event_cursor(next_cursor))::text AS xact_id
  FROM ff_poll_subscription('failed');
\x
SELECT outcome, cursor = pg_temp.cursor_of(2) AS there FROM ff_ack_subscription('all', pg_temp.cursor_of(2));
SELECT pg_temp.poll('all') AS the_third;
SELECT outcome, cursor = pg_temp.cursor_of(2) AS still_there FROM ff_ack_subscription('all', pg_temp.cursor_of(1));
SELECT pg_temp.poll('all') AS the_third;
SELECT outcome, cursor = pg_temp.cursor_of(1) AS back FROM ff_ack_subscription('all', pg_temp.cursor_of(1), allow_rewind => true);
SELECT pg_temp.poll('all') AS two, pg_temp.poll('all', cursor => pg_temp.cursor_of(2)) AS ahead, pg_temp.poll('all') AS still;
-- The same again is no write; a rollback takes an acknowledgement back.
SELECT xmin AS version FROM ff_subscription WHERE name = 'all' \gset
SELECT outcome FROM ff_ack_subscription('all', pg_temp.cursor_of(1));
SELECT xmin = :'version' AS unwritten FROM ff_subscription WHERE name = 'all';
BEGIN;
SELECT outcome FROM ff_ack_subscription('all', pg_temp.cursor_of(3));
SELECT pg_temp.poll('all') AS inside;
ROLLBACK;
SELECT pg_temp.poll('all') AS after_rollback;

SELECT pg_temp.refused('SELECT * FROM ' || call)
  FROM unnest(ARRAY['ff_poll_subscription(''nosuch'')', 'ff_poll_subscription('''')', 'ff_poll_subscription(''all'', 0)',
    'ff_poll_subscription(''all'', block_ms => 30001)', 'ff_poll_subscription(''all'', cursor => ff_event_cursor(''lease_history''))',
    'ff_ack_subscription(''nosuch'', ff_event_cursor(''completion''))', 'ff_ack_subscription(''all'', NULL)',
    'ff_ack_subscription(''all'', '''')', 'ff_ack_subscription(''all'', ff_event_cursor(''worker_registry''))',
    'ff_ack_subscription(''all'', substr(pg_temp.cursor_of(2), 1, 20))',
    'ff_ack_subscription(''all'', overlay(ff_event_cursor(''completion'') placing ''\x0fffffffffffffff'' from 7))']) call;

-- Filters.
SELECT pg_temp.complete(4, 'cancelled');
SELECT pg_temp.complete(5, 'expired', 'tenant-b');
:settle
SELECT name, pg_temp.poll(name) FROM ff_subscription ORDER BY name;
SELECT outcome FROM ff_create_subscription('flows', 'operator_events', jsonb_build_object('flow_id', pg_temp.uuid(99)));
SELECT outcome FROM ff_create_subscription('leases', 'lease_history', jsonb_build_object('flow_id', pg_temp.uuid(99)));
SELECT outcome FROM ff_create_subscription('signals', 'signal_delivery', '{"event_types": ["satisfied"]}');
INSERT INTO ff_operator_event (partition_key, execution_id, event_type, occurred_at_ms)
VALUES (1, pg_temp.uuid(99), 'priority_changed', 1), (1, pg_temp.uuid(99), 'flow_cancel_requested', 2);
INSERT INTO ff_lease_event (partition_key, execution_id, event_type, occurred_at_ms)
VALUES (1, pg_temp.uuid(99), 'acquired', 1);
INSERT INTO ff_signal_event (partition_key, execution_id, signal_id, effect, delivered_at_ms)
VALUES (1, pg_temp.uuid(1), pg_temp.uuid(2), NULL, 1), (1, pg_temp.uuid(1), pg_temp.uuid(2), 'deduped', 1);
:settle
SELECT event_type, execution_id, flow_id, body - '{xact_id,recorded_at_ms}'::text[] AS body FROM ff_poll_subscription('flows');
SELECT count(*) AS leases_of_a_flow FROM ff_poll_subscription('leases');
SELECT event_type, body - '{xact_id,recorded_at_ms}'::text[] AS body FROM ff_poll_subscription('signals');

-- The list.
SELECT name, stream, filter, length(cursor) AS bytes, created_at, acked_at, oldest_unacked_at, events_lost FROM ff_list_subscriptions();
SELECT name, ff_drop_subscription(name) AS existed, ff_drop_subscription(name) AS again
  FROM unnest('{flow,flows,leases,narrow,other,partition,signals,tenant}'::text[]) name;
SELECT outcome FROM ff_ack_subscription('failed', pg_temp.cursor_of(5));
SELECT name, oldest_unacked_at FROM ff_list_subscriptions();

-- Trimming. 'all' has acknowledged 1; 'failed' has everything.
SELECT pg_temp.refused('SELECT ff_trim_outbox(' || args || ')')
  FROM unnest(ARRAY['''nosuch'', now()', 'NULL, now()', '''completion'', NULL', '''completion'', ''infinity''',
                    '''completion'', now(), 0', '''completion'', now(), 1000001']) args;
SELECT count(*) AS nothing_trimmed FROM ff_outbox_state;
SELECT ff_trim_outbox('completion', ff_from_ms(1000)) AS not_old_enough;
SELECT ff_trim_outbox('completion', ff_from_ms(100000)) AS up_to_the_acknowledged, ff_trim_outbox('completion', ff_from_ms(100000)) AS again;
SELECT pg_temp.poll('all') AS kept;
SELECT pg_temp.cursor_of(2) AS two \gset
SELECT outcome FROM ff_ack_subscription('all', :'two');
SELECT ff_trim_outbox('completion', ff_from_ms(100000)) AS acknowledged;
SELECT pg_temp.poll('all') AS goes_on, (SELECT count(*) FROM ff_subscribe_completion(:'two')) AS at_the_edge;
-- overtaken by force, one row at a time
SELECT ff_trim_outbox('completion', ff_from_ms(100000), max_rows => 1, force => true) AS forced;
SELECT name, events_lost FROM ff_list_subscriptions();
SELECT pg_temp.refused($$SELECT * FROM ff_poll_subscription('all')$$);
SELECT pg_temp.refused(format('SELECT * FROM ff_subscribe_completion(%L)', :'two')) AS a_cursor,
       pg_temp.refused(format('SELECT * FROM ff_ack_subscription(''all'', %L, true)', :'two')) AS an_ack;
-- it shows its loss until it starts anew: the trimmer does not move it on
SELECT ff_trim_outbox('completion', ff_from_ms(4500)) AS held;
SELECT outcome FROM ff_ack_subscription('all', ff_event_cursor('completion', 'earliest'));
SELECT events_lost FROM ff_list_subscriptions() WHERE name = 'all';
SELECT outcome FROM ff_ack_subscription('all', ff_event_cursor('completion', 'earliest'), allow_rewind => true);
SELECT pg_temp.poll('all') AS what_is_kept, (SELECT events_lost FROM ff_list_subscriptions() WHERE name = 'all') AS events_lost;
SELECT outcome FROM ff_ack_subscription('all', ff_event_cursor('completion', 'earliest'), allow_rewind => true);
-- so does one that was made at the start, and had everything before it
SELECT outcome FROM ff_create_subscription('start', 'completion', start_at => 'earliest');
SELECT pg_temp.poll('start') AS start;
SELECT ff_trim_outbox('completion', ff_from_ms(100000), 1, true) AS forced;
SELECT name, events_lost FROM ff_list_subscriptions() WHERE name IN ('all', 'start');
SELECT ff_drop_subscription(name) FROM unnest('{all,start,failed}'::text[]) name;
-- the older form of cursor too
SELECT pg_temp.refused($$SELECT * FROM ff_subscribe_completion('\x020000000000000000')$$);

-- A completion that is not dispatched is kept whatever its age, and what comes after it.
SELECT pg_temp.complete(6, dispatched => false);
SELECT pg_temp.complete(7);
:settle
SELECT ff_trim_outbox('completion', ff_from_ms(100000), force => true) AS up_to_it;
SELECT string_agg(right(execution_id::text, 1), ' ' ORDER BY event_id) AS kept FROM ff_completion_event;
UPDATE ff_completion_event SET dispatched_at_ms = 8;
SELECT ff_trim_outbox('completion', ff_from_ms(7000)) AS before_the_last, ff_trim_outbox('completion', ff_from_ms(7001)) AS the_last;

-- A subscription is moved over what it does not want, up to the first that it does.
SELECT outcome FROM ff_create_subscription('seldom', 'completion', '{"event_types": ["skipped"]}');
SELECT count(pg_temp.complete(n)) FROM generate_series(11, 30) n;
SELECT pg_temp.complete(31, 'skipped');
SELECT pg_temp.complete(32);
:settle
SELECT ff_trim_outbox('completion', ff_from_ms(100000), 15) AS batch, ff_trim_outbox('completion', ff_from_ms(100000), 15) AS batch,
       ff_trim_outbox('completion', ff_from_ms(100000), 15) AS batch;
SELECT pg_temp.poll('seldom'), (SELECT acked_at FROM ff_list_subscriptions()) AS acked_at;
SELECT outcome FROM ff_ack_subscription('seldom', pg_temp.cursor_of(31));
SELECT ff_trim_outbox('completion', ff_from_ms(100000)) AS the_rest;
-- 10000 that it does not want
SELECT count(pg_temp.complete(n)) FROM generate_series(101, 10100) n;
:settle
SELECT ff_trim_outbox('completion', ff_from_ms(1)) AS none;
SELECT event_id = (SELECT max(event_id) FROM ff_completion_event) AS moved_on FROM ff_subscription;
SELECT ff_trim_outbox('completion', ff_from_ms(100000000)) AS all_of_them;

-- A subscription from another era, before a dump and restore, starts from the oldest event and has lost nothing.
SELECT pg_temp.complete(41, 'skipped');
SELECT pg_temp.complete(42, 'skipped');
:settle
SELECT outcome FROM ff_ack_subscription('seldom', pg_temp.cursor_of(42));
UPDATE ff_subscription SET era = era # 1;
SELECT pg_temp.poll('seldom'), (SELECT events_lost FROM ff_list_subscriptions());
SELECT ff_trim_outbox('completion', ff_from_ms(100000)) AS held;
SELECT outcome FROM ff_ack_subscription('seldom', pg_temp.cursor_of(41));
SELECT pg_temp.poll('seldom'), (SELECT era FROM ff_decode_event_cursor(ff_event_cursor('completion'))) = era AS this_era FROM ff_subscription;
-- what was trimmed in another era is no loss to anybody
UPDATE ff_outbox_state SET era = era # 1, trimmed_xact_id = '9000000000';
SELECT pg_temp.poll('seldom'), (SELECT events_lost FROM ff_list_subscriptions());
SELECT ff_trim_outbox('completion', ff_from_ms(100000)) AS anew;
SELECT ff_drop_subscription('seldom');

-- The last age: older than outbox_max_retention_ms goes unacknowledged too.
SELECT outcome FROM ff_create_subscription('slow', 'completion');
SELECT count(pg_temp.complete(n)) FROM generate_series(51, 55) n;
:settle
SET ffengine.outbox_max_retention_ms = '947s';
SELECT ff_trim_outbox('completion', ff_from_ms(100000)) AS of_42_51_and_52;
SELECT events_lost FROM ff_list_subscriptions();
RESET ffengine.outbox_max_retention_ms;

TRUNCATE ff_completion_event, ff_lease_event, ff_operator_event, ff_outbox_state, ff_subscription;
