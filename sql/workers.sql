-- The worker registry and lapsed leases (chapter 04, section 7).
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

SET ffengine.test_now_ms = '1000000';

-- registered, refreshed: all but registered_at is replaced
SELECT * FROM ff_register_worker('pool', 'workers-1', '{default,batch,default}', '{gpu,eu,gpu}', 30000);
SET ffengine.test_now_ms = '1010000';
SELECT * FROM ff_register_worker('pool', 'workers-1', '{batch}', namespace => 'default');
SELECT * FROM ff_list_workers('default') WHERE worker_instance_id = 'workers-1' \gx
-- another worker's, while it lives
SELECT pg_temp.refused($$SELECT ff_register_worker('other', 'workers-1', '{batch}')$$);
-- the same process name in another namespace is another process
SELECT outcome FROM ff_register_worker('other', 'workers-1', '{batch}', namespace => 'workers-ns');

-- A heartbeat prolongs it and leaves what the sweep looks at.
SET ffengine.test_now_ms = '1069999';
SELECT * FROM ff_heartbeat_worker('workers-1');
SELECT last_heartbeat_ms, liveness_ttl_ms, registered_at_ms, ttl_check_at_ms
  FROM ff_worker_registry WHERE worker_instance_id = 'workers-1' AND namespace = 'default';
SELECT * FROM ff_heartbeat_worker('workers-none');
-- lapsed counts as absent for all
SET ffengine.test_now_ms = '1129999';
SELECT * FROM ff_heartbeat_worker('workers-1');
SELECT count(*) FROM ff_list_workers('default') WHERE worker_instance_id = 'workers-1';
SELECT * FROM ff_mark_worker_dead('workers-1', 'gone');
SELECT outcome FROM ff_register_worker('other', 'workers-1', '{batch}');
SELECT worker_id, registered_at_ms FROM ff_worker_registry WHERE worker_instance_id = 'workers-1' AND namespace = 'default';

-- marked dead, with a reason; twice is once
SELECT * FROM ff_mark_worker_dead('workers-1', 'host is down');
SELECT * FROM ff_mark_worker_dead('workers-1', '');
SELECT event_kind, namespace, partition_key, event_at_ms, reason
  FROM ff_worker_registry_event WHERE worker_instance_id = 'workers-1' ORDER BY event_id;

-- Limits
SELECT pg_temp.refused(format('SELECT ff_mark_worker_dead(%L, %L)', 'workers-1', repeat('x', 257))) AS reason,
       pg_temp.refused(format('SELECT ff_mark_worker_dead(%L, %L)', 'workers-1', E'a\nb')) AS newline;
SELECT pg_temp.refused($$SELECT ff_register_worker('pool', 'workers-2', '{}')$$) AS no_lane,
       pg_temp.refused($$SELECT ff_register_worker('pool', 'workers-2', '{a,NULL}')$$) AS null_lane;
SELECT pg_temp.refused(format('SELECT ff_register_worker(%L, %L, %L)', 'pool', 'workers-2',
                              (SELECT array_agg('l' || n) FROM generate_series(1, 257) n))) AS lanes,
       pg_temp.refused(format('SELECT ff_register_worker(%L, %L, %L)', 'pool', 'workers-2',
                              ARRAY[repeat('x', 65)])) AS lane;
SELECT pg_temp.refused($$SELECT ff_register_worker('pool', 'workers-2', '{a}', '{a b}')$$) AS capability,
       pg_temp.refused($$SELECT ff_register_worker('pool', 'workers 2', '{a}')$$) AS instance;
SELECT ttl, pg_temp.refused(format('SELECT ff_register_worker(%L, %L, %L, liveness_ttl_ms => %s)', 'pool', 'workers-2', '{a}', ttl)) AS result
  FROM unnest('{0, 1, 86400000, 86400001}'::bigint[]) ttl;
SELECT pg_temp.refused($$SELECT ff_register_worker(NULL, 'workers-2', '{a}')$$) AS worker,
       pg_temp.refused($$SELECT ff_heartbeat_worker(NULL)$$) AS instance,
       pg_temp.refused($$SELECT ff_mark_worker_dead('workers-2', NULL)$$) AS reason;

-- Listed by (namespace, instance) in byte order: an instance id in two namespaces, pages of one.
SELECT count(*) FROM (VALUES ('workers-b', 'x'), ('workers-a', 'x'), ('workers-a', 'X'), ('workers-b', 'y')) v(namespace, id),
       ff_register_worker('pool', 'workers-' || v.id, '{l}', '{eu,gpu}', 60000, v.namespace);
SELECT namespace, worker_instance_id, capabilities FROM ff_list_workers() WHERE namespace IN ('workers-a', 'workers-b');
SELECT namespace, worker_instance_id FROM ff_list_workers('workers-a', max_rows => 1);
SELECT namespace, worker_instance_id FROM ff_list_workers(NULL, 'workers-a', 'workers-X', 1);
SELECT namespace, worker_instance_id FROM ff_list_workers(NULL, 'workers-a', 'workers-x', 1);
SELECT namespace, worker_instance_id FROM ff_list_workers('workers-a', 'workers-a', 'workers-x', 1);
SELECT pg_temp.refused($$SELECT ff_list_workers(cursor_namespace => 'workers-a')$$) AS cursor,
       pg_temp.refused('SELECT ff_list_workers(max_rows => -1)') AS max_rows;

-- A heartbeat is a heap-only update: what it writes is in no index.
SELECT a.attname
  FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
 WHERE i.indrelid = 'ff_worker_registry'::regclass AND a.attname IN ('last_heartbeat_ms', 'liveness_ttl_ms');

-- Lapsed leases: three of one instant, pages of one; live and ended ones never.
SET ffengine.test_now_ms = '2000000';
SELECT count(*) FROM generate_series(1, 5) n,
       ff_create_execution('workers leases', namespace => CASE n WHEN 3 THEN 'workers-b' ELSE 'workers-a' END,
         execution_id => '{fp:' || n || '}:00000000-0000-0000-0008-' || lpad(n::text, 12, '0'));
SELECT count(*) FROM ff_claim('workers leases', 'w', 'w-1', lease_ttl_ms => 1000, max_claims => 4);
SELECT handle AS last FROM ff_claim('workers leases', 'w', 'w-2', lease_ttl_ms => 1000) \gset
SELECT outcome FROM ff_complete(:'last');
UPDATE ff_attempt SET lease_id = NULL, lease_epoch = 1, lease_check_at_ms = 0
 WHERE execution_id = '00000000-0000-0000-0008-000000000002';
UPDATE ff_attempt SET lease_expires_at_ms = 2000500, lease_check_at_ms = 2000500 WHERE execution_id = '00000000-0000-0000-0008-000000000004';
CREATE TEMP VIEW lapsed AS
  SELECT right(execution_id, 1) AS n, attempt_index, lease_id IS NULL AS no_id, lease_epoch, worker_id, worker_instance_id,
         lease_expires_at, lane_id, namespace
    FROM ff_list_expired_leases() WHERE lane_id = 'workers leases';
SELECT count(*) FROM lapsed;
SET ffengine.test_now_ms = '2000999';
SELECT n, lease_expires_at FROM lapsed;
SET ffengine.test_now_ms = '2001000';
SELECT * FROM lapsed;
SELECT right(execution_id, 1) AS n FROM ff_list_expired_leases(ff_from_ms(2000500)) WHERE lane_id = 'workers leases';
SELECT right(execution_id, 1) AS n FROM ff_list_expired_leases(namespace => 'workers-b');
SELECT execution_id AS id, lease_expires_at AS at FROM ff_list_expired_leases(namespace => 'workers-a', max_rows => 1) \gset
SELECT :'id' AS execution_id;
SELECT execution_id AS id, lease_expires_at AS at FROM ff_list_expired_leases(NULL, 'workers-a', :'at', :'id', 1) \gset
SELECT :'id' AS execution_id;
SELECT execution_id AS id, lease_expires_at AS at FROM ff_list_expired_leases(NULL, 'workers-a', :'at', :'id', 1) \gset
SELECT :'id' AS execution_id;
SELECT count(*) FROM ff_list_expired_leases(NULL, 'workers-a', :'at', :'id', 1);
-- one that is held for reclaiming is listed still
UPDATE ff_exec_core SET ownership_state = 'lease_expired_reclaimable', blocking_reason = 'waiting_for_worker', attempt_state = 'attempt_interrupted'
 WHERE execution_id = '00000000-0000-0000-0008-000000000001';
UPDATE ff_attempt SET outcome = 'lease_expired_reclaimable', lease_check_at_ms = 2011000, lease_lost_at_ms = 2001000
 WHERE execution_id = '00000000-0000-0000-0008-000000000001';
SELECT n FROM lapsed;
SELECT pg_temp.refused('SELECT ff_list_expired_leases(cursor_expires_at => now())') AS cursor,
       pg_temp.refused('SELECT ff_list_expired_leases(as_of => ''infinity'')') AS as_of;
SELECT pg_temp.refused('SELECT ff_list_expired_leases(max_rows => -1)') AS max_rows,
       pg_temp.refused('SELECT ff_list_expired_leases(max_rows => 20000)') AS many;
