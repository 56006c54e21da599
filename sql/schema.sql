-- The tables: what a row must have, which state vectors there are, what keeps claims cheap
-- (chapter 01, sections 3 to 5).
\set VERBOSITY terse
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

-- The columns of an execution and of an attempt, * NOT NULL, with their defaults.
\pset format unaligned
\pset tuples_only on
SELECT c.relname || E'\n' || string_agg(
         '  ' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) ||
         CASE WHEN a.attnotnull THEN '*' ELSE '' END ||
         CASE WHEN a.attgenerated <> '' THEN ' =' ELSE '' END ||
         coalesce(' ' || pg_get_expr(d.adbin, d.adrelid), ''), E'\n' ORDER BY a.attnum)
  FROM pg_class c
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
 WHERE c.relname IN ('ff_exec_core', 'ff_attempt', 'ff_claim_grant', 'ff_execution_dedup')
   AND c.relkind = 'r'
 GROUP BY c.relname ORDER BY c.relname COLLATE "C";

-- Their indexes. None that a claim or a reconciler walks leads with partition_key.
SELECT indexname || E'\n  ' ||
       regexp_replace(regexp_replace(regexp_replace(indexdef,
         '^CREATE (UNIQUE )?INDEX \S+ ON \S+ USING btree ', '\1'),
         '::ff_\w+', '', 'g'), ' WHERE ', E'\n  where ')
  FROM pg_indexes
 WHERE tablename IN ('ff_exec_core', 'ff_attempt')
 ORDER BY tablename COLLATE "C", indexname COLLATE "C";
\pset tuples_only off
\pset format aligned

-- Vacuum comes early where claims step over dead entries; room for heap-only updates.
SELECT relname, array_to_string(reloptions, ' ') AS options
  FROM pg_class WHERE relkind = 'r' AND relname LIKE 'ff\_%' AND reloptions IS NOT NULL
 ORDER BY relname COLLATE "C";

-- No foreign keys; no column that every renewal or heartbeat writes is in an index.
SELECT conrelid::regclass, conname FROM pg_constraint
 WHERE contype = 'f' AND (conrelid::regclass::text LIKE 'ff\_%');
SELECT indexname FROM pg_indexes
 WHERE indexdef ~ '\m(raw_fields|lease_expires_at_ms|lease_renewed_at_ms|last_heartbeat_ms)\M'
   AND tablename IN ('ff_exec_core', 'ff_attempt', 'ff_worker_registry');

-- A row with the required columns alone is complete, and can be claimed.
BEGIN;
INSERT INTO ff_exec_core (partition_key, execution_id, lane_id, lifecycle_phase, ownership_state,
                          eligibility_state, public_state, attempt_state, created_at_ms)
VALUES (0, '00000000-0000-0000-0001-000000000001', 'schema', 'runnable', 'unowned', 'eligible_now',
        'waiting', 'pending_first_attempt', 1);
INSERT INTO ff_attempt (partition_key, execution_id, attempt_index)
VALUES (0, '00000000-0000-0000-0001-000000000001', 0);
SELECT execution_id, claim_kind, attempt_index, lease_epoch, execution_kind, payload, priority,
       created_at
  FROM ff_claim('schema', 'w', 'w-1');
-- partitions are 0 to 255
SELECT p, pg_temp.refused(format($$
  INSERT INTO ff_exec_core (partition_key, execution_id, lane_id, lifecycle_phase, ownership_state,
                            eligibility_state, public_state, attempt_state, created_at_ms)
  VALUES (%s, '00000000-0000-0000-0001-000000000002', 'schema', 'runnable', 'unowned',
          'eligible_now', 'waiting', 'pending_first_attempt', 1)$$, p)) ~ 'violates check' AS refused
  FROM unnest('{-1, 0, 255, 256}'::int[]) p;
ROLLBACK;

-- caps_hash: the class of a set of tokens, whatever their order, number and repetition
SELECT ff_caps_hash('{}') AS nothing,
       ff_caps_hash('{gpu,eu}') = ff_caps_hash('{eu,gpu,eu}') AS same_set,
       ff_caps_hash('{gpu}') = ff_caps_hash('{GPU}') AS same_token,
       ff_caps_hash('{"",gpu}') = ff_caps_hash('{gpu}') AS empty_counts;

-- The legal vectors. Every one can be inserted, and public_state is what is derived from the rest.
CREATE TEMP TABLE vector (
  name text, phase ff_lifecycle_phase, ownership ff_ownership_state,
  eligibility ff_eligibility_state, reason ff_blocking_reason, attempt_state ff_attempt_state,
  terminal_outcome ff_attempt_outcome, attempt_outcome ff_attempt_outcome,
  public_state ff_public_state);

-- runnable: W and M, G of each, D, MD, K of each, B of each
INSERT INTO vector
SELECT v.name, 'runnable', 'unowned', v.eligibility::ff_eligibility_state,
       v.reason::ff_blocking_reason, a.state::ff_attempt_state, NULL,
       a.outcome::ff_attempt_outcome, coalesce(v.public_state, a.public_state)::ff_public_state
  FROM (VALUES
    ('W', 'pending_first_attempt', NULL, 'waiting'),
    ('W', 'pending_retry_attempt', NULL, 'waiting'),
    ('W', 'pending_replay_attempt', NULL, 'waiting'),
    ('W', 'attempt_interrupted', 'interrupted', 'waiting'),
    ('W', 'attempt_interrupted', 'waiting_children', 'waiting'),
    ('W', 'attempt_interrupted', 'lease_expired_reclaimable', 'waiting'),
    ('M', 'attempt_interrupted', 'attempt_interrupted', 'resumable')) a(base, state, outcome, public_state)
  JOIN (VALUES
    ('WM', 'W, M', 'eligible_now', 'waiting_for_worker', NULL),
    ('WM', 'G', 'pending_claim', 'waiting_for_worker', NULL),
    ('W', 'D', 'not_eligible_until_time', 'waiting_for_delay', 'delayed'),
    ('W', 'D', 'not_eligible_until_time', 'waiting_for_retry_backoff', 'delayed'),
    ('M', 'MD', 'not_eligible_until_time', 'waiting_for_resume_delay', 'resumable'),
    ('WM', 'K', 'blocked_by_dependencies', 'waiting_for_children', 'waiting_children'),
    ('WM', 'B', 'blocked_by_budget', 'waiting_for_budget', 'rate_limited'),
    ('WM', 'B', 'blocked_by_quota', 'waiting_for_quota', 'rate_limited'),
    ('WM', 'B', 'blocked_by_route', 'waiting_for_capable_worker', 'waiting'),
    ('WM', 'B', 'blocked_by_route', 'waiting_for_locality_match', 'waiting'),
    ('WM', 'B', 'blocked_by_lane_state', 'paused_by_policy', 'waiting'),
    ('WM', 'B', 'blocked_by_operator', 'paused_by_operator', 'waiting'),
    ('WM', 'B', 'blocked_by_operator', 'paused_by_flow_cancel', 'waiting'))
    v(bases, name, eligibility, reason, public_state) ON position(a.base IN v.bases) > 0;

-- owned: R, X, V; suspended: S; ended: T and C, with an attempt and without
INSERT INTO vector VALUES
  ('R', 'active', 'leased', 'not_applicable', NULL, 'running_attempt', NULL, NULL, 'running'),
  ('X', 'active', 'lease_expired_reclaimable', 'not_applicable', 'waiting_for_worker',
   'attempt_interrupted', NULL, 'lease_expired_reclaimable', 'running'),
  ('V', 'active', 'lease_revoked', 'not_applicable', 'waiting_for_worker',
   'attempt_interrupted', NULL, 'lease_expired_reclaimable', 'running');
INSERT INTO vector
SELECT 'S', 'suspended', 'released', 'not_applicable', r, 'attempt_interrupted', NULL,
       'attempt_interrupted', 'suspended'
  FROM unnest('{waiting_for_signal, waiting_for_approval, waiting_for_callback,
                waiting_for_tool_result, waiting_for_operator_review, paused_by_policy,
                waiting_for_budget, paused_by_operator}'::ff_blocking_reason[]) r;
INSERT INTO vector
SELECT 'T', 'terminal', 'unowned', 'not_applicable', NULL, a.state::ff_attempt_state,
       o.outcome::ff_attempt_outcome, o.outcome::ff_attempt_outcome, o.public_state::ff_public_state
  FROM (VALUES ('success', 'completed'), ('failed', 'failed'), ('expired', 'expired'),
               ('skipped', 'skipped')) o(outcome, public_state),
       (VALUES ('attempt_terminal'), ('none')) a(state);
INSERT INTO vector
SELECT 'C', 'cancelled', 'unowned', 'not_applicable', NULL, a::ff_attempt_state, 'cancelled',
       'cancelled', 'cancelled'
  FROM unnest('{attempt_terminal, none}'::text[]) a;

SELECT name, count(*) AS vectors, string_agg(DISTINCT public_state::text, ' ' ORDER BY public_state::text) AS public_states,
       bool_and(public_state = ff_derive_public_state(phase, eligibility, attempt_state,
                                                      terminal_outcome, attempt_outcome)) AS as_derived
  FROM vector GROUP BY name ORDER BY min(phase), min(eligibility), name;

BEGIN;
INSERT INTO ff_exec_core (partition_key, execution_id, lane_id, lifecycle_phase, ownership_state,
  eligibility_state, blocking_reason, attempt_state, terminal_outcome, public_state,
  eligible_at_ms, terminal_at_ms, created_at_ms)
SELECT 0, ('00000000-0000-0000-0001-' || lpad(row_number() OVER ()::text, 12, '0'))::uuid, 'schema',
       phase, ownership, eligibility, reason, attempt_state, terminal_outcome, public_state,
       CASE WHEN eligibility = 'not_eligible_until_time' THEN 1000 END,
       CASE WHEN terminal_outcome IS NOT NULL THEN 1000 END, 1
  FROM vector;
SELECT count(*) = (SELECT count(*) FROM vector) AS all_inserted,
       count(*) FILTER (WHERE public_state <> 'resumable' AND eligibility_state = 'eligible_now') AS claimable
  FROM ff_exec_core WHERE lane_id = 'schema';
ROLLBACK;

-- Vectors of no name have a public state all the same; never NULL, never an error.
SELECT count(*) AS combinations, count(ff_derive_public_state(l, e, a, t, o)) AS derived
  FROM unnest(enum_range(NULL::ff_lifecycle_phase)) l,
       unnest(enum_range(NULL::ff_eligibility_state)) e,
       unnest(enum_range(NULL::ff_attempt_state)) a,
       unnest(array_append(enum_range(NULL::ff_attempt_outcome), NULL)) t,
       unnest(array_append(enum_range(NULL::ff_attempt_outcome), NULL)) o;
SELECT ff_derive_public_state('terminal', 'not_applicable', 'none') AS ended_somehow,
       ff_derive_public_state('terminal', 'not_applicable', 'none', 'cancelled') AS read_as_cancelled,
       ff_derive_public_state('submitted', 'not_applicable', 'none') AS submitted,
       ff_derive_public_state(NULL, NULL, NULL) AS nothing_known;

-- The catalogue: 85 kinds, retryable exactly in the classes contention and timeout.
SELECT class, count(*) AS kinds, bool_and(retryable) AS retryable, min(sqlstate), max(sqlstate)
  FROM ff_error_code GROUP BY class ORDER BY min(sqlstate) COLLATE "C";
SELECT count(*) AS kinds, count(DISTINCT sqlstate) AS codes, count(DISTINCT kind) AS names,
       bool_and(sqlstate ~ '^Z[NVCXSUT][0-9]{3}$') AS well_formed,
       bool_and(retryable = (sqlstate ~ '^Z[CT]')) AS retryable_by_class
  FROM ff_error_code;
