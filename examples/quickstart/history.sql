-- The history of one execution, as its tables have it. Run by a superuser:
--   psql -v execution_id="$id" -f history.sql

\set QUIET on
\pset linestyle unicode
\pset border 2
\pset footer off
\pset null '-'
\set at '''HH24:MI:SS.MS'''

SELECT ff_execution_partition(:'execution_id') AS part,
       ff_execution_uuid(:'execution_id') AS uuid \gset

\pset title 'execution'
SELECT execution_kind, lane_id, public_state, terminal_outcome AS outcome,
       attempt_index AS attempt, tags,
       to_char(created_at, :at) AS created, to_char(started_at, :at) AS started,
       to_char(completed_at, :at) AS completed
  FROM ff_executions
 WHERE partition_key = :part AND execution_uuid = :'uuid';

\pset title 'result'
SELECT convert_from(result, 'UTF8') AS result
  FROM ff_exec_core
 WHERE partition_key = :part AND execution_id = :'uuid';

\pset title 'attempts'
SELECT attempt_index AS attempt, attempt_type AS type, state, outcome,
       worker_instance_id AS last_worker, lease_epoch,
       to_char(started_at, :at) AS started, to_char(ended_at, :at) AS ended
  FROM ff_attempts
 WHERE partition_key = :part AND execution_uuid = :'uuid'
 ORDER BY attempt_index;

\pset title 'signals'
SELECT s.seq, w.waitpoint_key AS waitpoint, s.signal_name AS signal,
       s.source_type || ':' || s.source_identity AS source,
       convert_from(s.payload, 'UTF8') AS payload, s.match_result, s.effect,
       to_char(ff_from_ms(s.accepted_at_ms), :at) AS accepted
  FROM ff_signal s
  JOIN ff_waitpoint_pending w USING (partition_key, waitpoint_id)
 WHERE s.partition_key = :part AND s.execution_id = :'uuid'
 ORDER BY s.seq;

-- The outboxes, in the order in which things happened. A transaction may write to several of
-- them; within one, the signal comes before what it caused.
\pset title 'events'
SELECT to_char(ff_from_ms(at_ms), :at) AS at, outbox, event, detail
  FROM (SELECT xact_id, event_id, 2 AS step, occurred_at_ms AS at_ms, 'lease' AS outbox,
               event_type AS event,
               concat_ws(', ', 'epoch ' || lease_epoch, worker_instance_id, reason) AS detail
          FROM ff_lease_event
         WHERE partition_key = :part AND execution_id = :'uuid'
         UNION ALL
        SELECT e.xact_id, e.event_id, 1, e.delivered_at_ms, 'signal', e.effect,
               concat_ws(', ', w.waitpoint_key, e.source_identity)
          FROM ff_signal_event e
          LEFT JOIN ff_waitpoint_pending w
            ON w.partition_key = e.partition_key AND w.waitpoint_id::text = e.waitpoint_id
         WHERE e.partition_key = :part AND e.execution_id = :'uuid'
         UNION ALL
        SELECT xact_id, event_id, 3, occurred_at_ms, 'completion', outcome,
               'attempt ' || attempt_index
          FROM ff_completion_event
         WHERE partition_key = :part AND execution_id = :'uuid') AS event
 ORDER BY at_ms, xact_id, step, event_id;
