-- Lanes (chapter 04, section 3.7).
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

SET ffengine.test_now_ms = '1000';

-- An unknown lane is registered by it; a change is told from none.
SELECT * FROM ff_set_lane_state('lanes a', 'paused', 'maintenance');
SELECT * FROM ff_set_lane_state('lanes a', 'paused', 'other words');
SET ffengine.test_now_ms = '2000';
SELECT * FROM ff_set_lane_state('lanes a', 'draining', 'soon over');
SELECT * FROM ff_list_lanes('lanes ') WHERE lane_id = 'lanes a';
SELECT * FROM ff_set_lane_state('lanes a', 'active');
SELECT lane_id, state, registered_at, state_changed_at, state_reason FROM ff_list_lanes('lanes ') WHERE lane_id = 'lanes a';

-- What each state lets through: creating, claiming.
SELECT pg_temp.refused($$SELECT ff_create_execution('lanes w')$$);
SELECT s AS state,
       (SELECT outcome FROM ff_set_lane_state('lanes w', s)) AS outcome,
       pg_temp.refused(format('SELECT ff_create_execution(%L, creator_identity => %L)', 'lanes w', s)) AS creating,
       pg_temp.refused(format('SELECT ff_create_executions(%L, %L)', '[{}]', jsonb_build_object('lane_id', 'lanes w', 'creator_identity', s))) AS creating_many,
       (SELECT count(*) FROM ff_claim('lanes w', 'w', 'w-' || s)) AS claims
  FROM unnest(enum_range(NULL::ff_lane_state)) s;

-- Running work goes on whatever the state.
SELECT outcome FROM ff_set_lane_state('lanes r', 'active');
SELECT outcome FROM ff_create_execution('lanes r');
SELECT handle FROM ff_claim('lanes r', 'w', 'w-1') \gset
SELECT outcome, previous_state FROM ff_set_lane_state('lanes r', 'disabled');
SELECT lease_epoch FROM ff_renew(:'handle');
SELECT outcome FROM ff_complete(:'handle');

-- Refusals
SELECT pg_temp.refused('SELECT ff_set_lane_state(NULL, ''active'')') AS lane,
       pg_temp.refused('SELECT ff_set_lane_state('''', ''active'')') AS empty,
       pg_temp.refused('SELECT ff_set_lane_state(''lanes a'', NULL)') AS state;
SELECT pg_temp.refused(format('SELECT ff_set_lane_state(%L, %L, %L)', 'lanes a', 'paused', repeat('x', 1025))) AS reason;

-- Listed in byte order, a page at a time; a cursor need not exist.
SELECT count(*) FROM unnest('{b, a, B}'::text[]) l, ff_set_lane_state('lanes/' || l, 'active');
SELECT lane_id FROM ff_list_lanes('lanes/', 3);
SELECT lane_id FROM ff_list_lanes('lanes/a', 1);
SELECT lane_id FROM ff_list_lanes('lanes/C', 1);
SELECT count(*) FROM ff_list_lanes(max_rows => 0);
SELECT count(*) > 0 AS default_page FROM ff_list_lanes(max_rows => NULL);
SELECT pg_temp.refused('SELECT ff_list_lanes(max_rows => -1)');
BEGIN;
INSERT INTO ff_lane_registry (lane_id, registered_at_ms, registered_by)
SELECT 'zz ' || n, 1, 'test' FROM generate_series(1, 1001) n;
SELECT count(*) FROM ff_list_lanes('zz', 5000);
ROLLBACK;
