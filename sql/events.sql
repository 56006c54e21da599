-- Reading the outboxes: chapter 08, sections 3 to 5.
\set VERBOSITY terse
\pset null -
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS ffengine CASCADE;
RESET client_min_messages;
SET ffengine.test_now_ms = '1000000';

-- Whatever else runs in the cluster (autovacuum) holds events back until it ends.
\set settle 'DO $$BEGIN WHILE pg_snapshot_xmin(pg_current_snapshot()) < pg_snapshot_xmax(pg_current_snapshot()) LOOP PERFORM pg_sleep(0.01); END LOOP; END$$;'

CREATE FUNCTION pg_temp.uuid(n integer) RETURNS uuid LANGUAGE sql AS
  $$ SELECT ('00000000-0000-0000-0081-' || lpad(n::text, 12, '0'))::uuid $$;
-- A completion put in by hand, of execution n.
CREATE FUNCTION pg_temp.complete(n integer, ns text DEFAULT NULL, tag text DEFAULT NULL, fp integer DEFAULT 7)
RETURNS void LANGUAGE sql AS $$
  INSERT INTO ff_completion_event (partition_key, execution_id, outcome, namespace, instance_tag, occurred_at_ms)
  VALUES (fp, pg_temp.uuid(n), 'success', ns, tag, n)
$$;
-- Which executions a cursor of 'completion' gives: numbers, in order.
CREATE FUNCTION pg_temp.read(cursor bytea, ns text DEFAULT NULL, tag text DEFAULT NULL, fp integer DEFAULT NULL,
                             most integer DEFAULT 256)
RETURNS text LANGUAGE sql AS $$
  SELECT coalesce(string_agg(right(execution_id, 12)::integer::text, ' ' ORDER BY n), 'nothing')
    FROM ff_subscribe_completion(cursor, ns, tag, fp, most) WITH ORDINALITY e (c, i, execution_id, f, o, ns, tag, fp, at, n)
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
                   regexp_replace(detail, '\d{4,}', 'N', 'g'));
END $$;

-- A row put in by hand is like one of the engine's, stamped with its transaction whatever it says.
:settle
SELECT ff_event_cursor('lease_history') AS leases, ff_event_cursor('signal_delivery') AS signals \gset
BEGIN;
SELECT pg_current_xact_id() AS xact \gset
INSERT INTO ff_lease_event (partition_key, execution_id, event_type, occurred_at_ms, xact_id)
VALUES (0, pg_temp.uuid(1), 'acquired', 1000, '7');
INSERT INTO ff_signal_event (partition_key, execution_id, signal_id, waitpoint_id, delivered_at_ms)
VALUES (3, pg_temp.uuid(1), pg_temp.uuid(2), 'not a uuid', 2000);
COMMIT;
:settle
\x
SELECT e.event_id > 0 AS has_event_id, d.xact_id = :'xact' AS of_its_transaction, d.event_id = e.event_id AS same_event,
       execution_id, event_type, lease_id, lease_epoch, attempt_index, worker_instance_id, revoked_by, reason,
       namespace, instance_tag, partition_key, occurred_at
  FROM ff_subscribe_lease_history(:'leases') e, ff_decode_event_cursor(next_cursor) d;
SELECT execution_id, signal_id, waitpoint_id, source_identity, effect, partition_key, occurred_at
  FROM ff_subscribe_signal_delivery(:'signals');
\x
SELECT recorded_at_ms FROM ff_lease_event WHERE execution_id = pg_temp.uuid(1)::text;

-- The other outboxes. A flow-level operator event names a flow, and so does a completion in one.
SELECT ff_event_cursor('operator_events') AS operators, ff_event_cursor('instance_tags') AS tags,
       ff_event_cursor('worker_registry') AS workers, ff_event_cursor('completion') AS completions \gset
INSERT INTO ff_operator_event (partition_key, execution_id, event_type, details, occurred_at_ms)
VALUES (1, pg_temp.uuid(1), 'priority_changed', '{"new_priority": 5}', 1000),
       (2, pg_temp.uuid(99), 'flow_cancel_requested', '{"reason": "x"}', 1000);
INSERT INTO ff_instance_tag_event (partition_key, execution_id, event_type, tag, occurred_at_ms, instance_tag)
VALUES (1, pg_temp.uuid(1), 'attached', 'i-1', 1000, 'i-1');
INSERT INTO ff_worker_registry_event (partition_key, namespace, worker_instance_id, event_kind, event_at_ms, reason)
VALUES (9, 'default', 'w-1', 'marked_dead', 1000, 'gone');
INSERT INTO ff_completion_event (partition_key, execution_id, flow_id, outcome, occurred_at_ms)
VALUES (7, pg_temp.uuid(1), pg_temp.uuid(99), 'failed', 1000);
:settle
SELECT execution_id, event_type, flow_id, details, partition_key FROM ff_subscribe_operator_events(:'operators');
SELECT execution_id, event_type, tag, instance_tag FROM ff_subscribe_instance_tags(:'tags');
SELECT execution_id, event_kind, worker_instance_id, reason, namespace, instance_tag, partition_key, occurred_at
  FROM ff_subscribe_worker_events(:'workers');
SELECT execution_id, flow_id, outcome FROM ff_subscribe_completion(:'completions');

-- Cursors.
SELECT length(ff_event_cursor('completion')) AS bytes, encode(substr(ff_event_cursor('instance_tags'), 1, 2), 'hex') AS head;
SELECT stream, d.era = e.era AS same_era, e.era BETWEEN 0 AND 4294967295 AS is_32_bits, xact_id, event_id
  FROM unnest('{completion,lease_history,signal_delivery,operator_events,instance_tags,worker_registry}'::text[]) s (name),
       ff_decode_event_cursor(ff_event_cursor(name, 'earliest')) d,
       LATERAL (SELECT era FROM ff_decode_event_cursor(ff_event_cursor('completion'))) e;
SELECT event_id, xact_id = (SELECT horizon::text::bigint - 1 FROM ff_event_horizon())::text::xid8 AS below_the_horizon
  FROM ff_decode_event_cursor(ff_event_cursor('completion', 'latest'));
SELECT * FROM ff_decode_event_cursor('\x020000000000000011');
SELECT count(*) AS rows FROM unnest('{NULL,""}'::bytea[]) c, ff_decode_event_cursor(c);
SELECT pg_temp.refused(format('SELECT ff_event_cursor(%s)', args))
  FROM unnest(ARRAY['''nosuch''', '''completion'', ''middle''', 'NULL']) args;

-- Rows a, b: from a tail cursor both, from a's next_cursor b alone, and cursors rise.
:settle
SELECT ff_event_cursor('completion') AS tail \gset
SELECT pg_temp.complete(1);
SELECT pg_temp.complete(2);
:settle
SELECT pg_temp.read(:'tail') AS both;
SELECT next_cursor AS a FROM ff_subscribe_completion(:'tail', max_rows => 1) \gset
SELECT pg_temp.read(:'a') AS b, (SELECT next_cursor > :'a' AND :'a' > :'tail' FROM ff_subscribe_completion(:'a')) AS rising;

-- Of one transaction in the order of insertion, page by page. A transaction's own are unseen by itself.
SELECT ff_event_cursor('completion') AS tail \gset
BEGIN;
SELECT count(pg_temp.complete(n)) FROM unnest('{5,3,4,1,2}'::integer[]) n;
SELECT pg_temp.read(:'tail') AS own;
COMMIT;
:settle
SELECT pg_temp.read(:'tail') AS all_five, pg_temp.read(:'tail', most => 2) AS first_two;
SELECT next_cursor AS second FROM ff_subscribe_completion(:'tail', max_rows => 2) OFFSET 1 \gset
SELECT pg_temp.read(:'second') AS the_rest;

-- NULL and an empty cursor: only what commits later, which is nothing without waiting. A cursor ahead
-- of the horizon finds nothing, and is no error. earliest: all that is kept.
SELECT pg_temp.read(NULL) AS from_null, pg_temp.read('') AS from_empty,
       pg_temp.read(overlay(:'tail'::bytea placing '\x7fffffffffffffff' from 7)) AS from_ahead;
SELECT pg_temp.read(ff_event_cursor('completion', 'earliest'), most => 10000) LIKE '%1 2 5 3 4 1 2' AS from_earliest;

-- The older form: an event_id, after which nothing is skipped.
SELECT '\x02' || decode(lpad(to_hex(max(event_id)), 16, '0'), 'hex') AS old FROM ff_completion_event \gset
SELECT pg_temp.read(:'old') AS none_yet;
SELECT pg_temp.complete(11);
SELECT pg_temp.complete(12);
:settle
SELECT pg_temp.read(:'old') AS two, (SELECT length(next_cursor) FROM ff_subscribe_completion(:'old', max_rows => 1)) AS bytes;

-- Malformed, or of another outbox or era.
SELECT pg_temp.refused(format('SELECT * FROM ff_subscribe_completion(%L)', c))
  FROM unnest(ARRAY[overlay(:'tail'::bytea placing '\x01' from 1), substr(:'tail'::bytea, 1, 21), '\x02',
                    overlay(:'tail'::bytea placing '\x09' from 2), overlay(:'tail'::bytea placing '\x02' from 2),
                    overlay(:'tail'::bytea placing '\xff' from 15), '\x02ffffffffffffffff',
                    '\x020000000000000000000000000000']) c;
SELECT split_part(pg_temp.refused(format('SELECT * FROM ff_subscribe_completion(%L)',
         overlay(:'tail'::bytea placing '\x0000002a' from 3))), ':', 1) AS another_era;
SELECT pg_temp.refused('SELECT * FROM ff_subscribe_completion(' || args || ')')
  FROM unnest(ARRAY['max_rows => 0', 'max_rows => 10001', 'block_ms => -1', 'block_ms => 30001', 'partition_key => 256',
                    'partition_key => -1', 'max_rows => 0, cursor => ''\x01''']) args;

-- Filters. What has no value matches none of them.
SELECT ff_event_cursor('completion') AS tail \gset
BEGIN;
SELECT pg_temp.complete(21, 'tenant-a', 'i-1', 1);
SELECT pg_temp.complete(22, 'tenant-a', 'i-2', 2);
SELECT pg_temp.complete(23, 'tenant-b', 'i-1', 1);
SELECT pg_temp.complete(24, NULL, NULL, 0);
SELECT pg_temp.complete(25, 'tenant-a', NULL, 255);
COMMIT;
:settle
SELECT pg_temp.read(:'tail') AS "all", pg_temp.read(:'tail', 'tenant-a') AS tenant_a, pg_temp.read(:'tail', 'tenant-c') AS tenant_c,
       pg_temp.read(:'tail', NULL, 'i-1') AS tag_1, pg_temp.read(:'tail', 'tenant-b', 'i-1') AS tag_1_of_b,
       pg_temp.read(:'tail', NULL, NULL, 1) AS partition_1, pg_temp.read(:'tail', 'tenant-a', NULL, 1) AS partition_1_of_a,
       pg_temp.read(:'tail', 'tenant-a', 'i-2', 1) AS tag_2_in_1, pg_temp.read(:'tail', NULL, NULL, 255, 1) AS partition_255;

-- What the engine writes: one lease from claim to completion; a failure to be retried; the instance tag.
SELECT ff_event_cursor('lease_history') AS leases, ff_event_cursor('completion') AS completions,
       ff_event_cursor('instance_tags') AS tags \gset
SELECT execution_id FROM ff_create_execution('events', execution_id => ff_execution_id(7, pg_temp.uuid(31)),
         namespace => 'tenant-a', tags => '{"cairn.instance_id": "i-9"}');
SELECT handle FROM ff_claim('events', 'w', 'w-1') \gset
SELECT lease_epoch FROM ff_renew(:'handle');
SELECT outcome FROM ff_complete(:'handle');
SELECT outcome FROM ff_create_execution('events', execution_id => ff_execution_id(7, pg_temp.uuid(32)));
SELECT handle FROM ff_claim('events', 'w', 'w-2') \gset
SELECT outcome FROM ff_fail(:'handle', 'once');
:settle
SELECT right(execution_id, 2) AS e, event_type, lease_id IS NOT NULL AS lease, lease_epoch, attempt_index, worker_instance_id,
       revoked_by, reason, namespace, instance_tag
  FROM ff_subscribe_lease_history(:'leases');
SELECT right(execution_id, 2) AS e, outcome, namespace, instance_tag FROM ff_subscribe_completion(:'completions');
SELECT right(execution_id, 2) AS e, event_type, tag, namespace FROM ff_subscribe_instance_tags(:'tags');

-- Waiting: not at all where the snapshot can never change, nor in a transaction that has written.
CREATE FUNCTION pg_temp.wait(stream_cursor bytea, ms bigint) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  began timestamptz := clock_timestamp();
  found bigint;
BEGIN
  SELECT count(*) INTO found FROM ff_subscribe_completion(stream_cursor, block_ms => ms);
  RETURN format('%s rows, %s', found, CASE WHEN clock_timestamp() - began >= ms * interval '1 ms'
                                           THEN 'waited' ELSE 'at once' END);
END $$;
SELECT ff_event_cursor('completion') AS tail \gset
SELECT pg_temp.wait(:'tail', 50) AS nothing_there, pg_temp.wait(:'completions', 20000) AS something_there;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT pg_temp.wait(:'tail', 20000) AS repeatable_read;
COMMIT;
BEGIN;
SELECT pg_temp.complete(41);
SELECT pg_temp.wait(:'tail', 20000) AS has_written;
COMMIT;
BEGIN READ ONLY;
SELECT pg_temp.wait(:'tail', 20000) AS read_only;
COMMIT;

-- Who holds the horizon: whoever has written; reading takes no transaction id.
:settle
SELECT ff_event_cursor('completion') AS tail \gset
BEGIN;
SELECT horizon = next_xid AS nothing_held, holder_pid, holder_database, holder_kind, holder_since FROM ff_event_horizon();
SELECT pg_temp.read(:'tail'), pg_current_xact_id_if_assigned() AS xid;
SELECT pg_temp.complete(42);
SELECT horizon = pg_current_xact_id() AS mine, next_xid > horizon AS behind, holder_pid = pg_backend_pid() AS me,
       holder_database = current_database() AS here, holder_kind, holder_since = now() AS since_begin
  FROM ff_event_horizon();
ROLLBACK;

-- The set reader, and no other, opens it.
CREATE ROLE regress_events_reader;
SELECT outcome FROM ff_grant_access('regress_events_reader', 'reader');
SET ROLE regress_events_reader;
SELECT count(*) FROM ff_subscribe_completion(ff_event_cursor('completion'));
SELECT count(*) FROM ff_completion_event;
RESET ROLE;
SELECT outcome FROM ff_revoke_access('regress_events_reader', 'reader');
DROP ROLE regress_events_reader;
SELECT string_agg(DISTINCT access, ' ') AS sets FROM ff_access_function
 WHERE function_signature ~ '^ff_(subscribe_|event_cursor|decode_event|poll_|ack_|list_subscr)';
