-- Limits: each at its bound and one beyond (chapter 01, section 9; chapter 04, section 1.5).
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

-- What ff_create_execution says to one argument.
CREATE FUNCTION pg_temp.creating(argument text, value text, type text DEFAULT 'text') RETURNS text LANGUAGE sql AS $$
  SELECT pg_temp.refused(format('SELECT ff_create_execution(lane_id => %L, %I => %L::%s)',
                                'limits', argument, value, type))
$$;

SET ffengine.test_now_ms = '1000';

-- lane_id: 1-64 bytes of printable ASCII
SELECT what, pg_temp.refused(format('SELECT ff_create_execution(%L)', lane)) AS result
  FROM (VALUES ('1', 'x'), ('64', repeat('x', 64)), ('blank and tilde', ' ~'), ('empty', ''),
               ('65', repeat('x', 65)), ('tab', E'a\tb'), ('delete', E'a\x7f'), ('umlaut', 'ä'))
       v(what, lane);

-- execution_kind, namespace, worker ids: 1-256 bytes, no white space, no control character
SELECT a, what, pg_temp.creating(a, v) AS result
  FROM unnest('{execution_kind, namespace}'::text[]) a,
       (VALUES (1, '1', 'x'), (2, '256', repeat('x', 256)), (3, 'UTF-8', 'größe'), (4, 'empty', ''),
               (5, '257', repeat('x', 257)), (6, 'blank', 'a b'), (7, 'newline', E'a\nb'),
               (8, '129 umlauts', repeat('ä', 129))) v(n, what, v)
 ORDER BY a, n;
SELECT what,
       pg_temp.refused(format('SELECT * FROM ff_claim(%L, %L, %L)', 'limits none', v, 'w-1')) AS worker_id,
       pg_temp.refused(format('SELECT * FROM ff_claim(%L, %L, %L)', 'limits none', 'w', v)) AS worker_instance_id
  FROM (VALUES ('256', repeat('x', 256)), ('empty', ''), ('257', repeat('x', 257)),
               ('blank', 'a b'), ('tab', E'a\tb')) v(what, v);

-- other texts
SELECT a, what, pg_temp.creating(a, v) AS result
  FROM (VALUES ('creator_identity', 'empty', ''), ('creator_identity', '256', repeat('x', 256)),
               ('creator_identity', 'blank', 'a b'), ('creator_identity', '257', repeat('x', 257)),
               ('creator_identity', 'newline', E'a\n'),
               ('payload_encoding', '64', repeat('x', 64)), ('payload_encoding', 'empty', ''),
               ('payload_encoding', '65', repeat('x', 65)),
               ('idempotency_key', '512', repeat('x', 512)),
               ('idempotency_key', '513', repeat('x', 513))) v(a, what, v);

-- priority is clamped to 0..9000, never refused
SELECT count(*) FROM unnest('{-2147483648, -5, 0, 50, 9000, 9001, 10000, 2147483647}'::int[]) p,
  ff_create_execution('limits priority', priority => p, tags => jsonb_build_object('test.asked', p::text));
SELECT outcome FROM ff_create_execution('limits priority', policy => '{"priority": 12345}',
                                        tags => '{"test.asked": "12345"}');
SELECT (raw_fields -> 'tags' ->> 'test.asked')::int AS asked, priority
  FROM ff_exec_core WHERE lane_id = 'limits priority' ORDER BY 1;

-- capabilities: 256 distinct tokens, 4096 bytes joined by commas, argument and policy together
SELECT what, pg_temp.creating('required_capabilities', caps::text, 'text[]') AS result
  FROM (VALUES
    (1, '256 tokens', (SELECT array_agg('t' || n) FROM generate_series(1, 256) n)),
    (2, '256 distinct of 512', (SELECT array_agg('t' || n % 256) FROM generate_series(1, 512) n)),
    (3, '4096 bytes', ARRAY[repeat('x', 2047), repeat('y', 2048)]),
    (4, 'UTF-8', '{東京-gpu}'),
    (5, '257 tokens', (SELECT array_agg('t' || n) FROM generate_series(1, 257) n)),
    (6, '4097 bytes', ARRAY[repeat('x', 2048), repeat('y', 2048)]),
    (7, 'empty', '{""}'), (8, 'comma', '{"a,b"}'), (9, 'blank', '{"a b"}'),
    (10, 'delete', ARRAY[E'a\x7f']), (11, 'null', '{a,NULL}'), (12, 'two dimensions', '{{a,b}}'))
       v(n, what, caps)
 ORDER BY n;
SELECT pg_temp.refused($$SELECT ff_create_execution('limits', required_capabilities => '{z}',
  policy => jsonb_build_object('routing_requirements', jsonb_build_object('required_capabilities',
    (SELECT jsonb_agg('t' || n) FROM generate_series(1, 256) n))))$$) AS together;
SELECT array_length(caps, 1) AS tokens,
       pg_temp.refused(format('SELECT * FROM ff_claim(%L, %L, %L, %L::text[])',
                              'limits none', 'w', 'w-1', caps::text)) AS of_worker
  FROM (VALUES ((SELECT array_agg('t' || n) FROM generate_series(1, 256) n)),
               ((SELECT array_agg('t' || n) FROM generate_series(1, 257) n))) v(caps);

-- tags: an object of 64 strings, keys of the pattern with 128 bytes, values of 4096
SELECT what, pg_temp.creating('tags', tags::text, 'jsonb') AS result
  FROM (VALUES
    (1, '64 tags', (SELECT jsonb_object_agg('a.k' || n, '') FROM generate_series(1, 64) n)),
    (2, '65 tags', (SELECT jsonb_object_agg('a.k' || n, '') FROM generate_series(1, 65) n)),
    (3, 'value of 4096', jsonb_build_object('a.k', repeat('x', 4096))),
    (4, 'value of 4097', jsonb_build_object('a.k', repeat('x', 4097))),
    (5, 'key of 128', jsonb_build_object('a.' || repeat('k', 126), '')),
    (6, 'key of 129', jsonb_build_object('a.' || repeat('k', 127), '')),
    (7, 'key', '{"a1_b.c_2.d..": ""}'), (8, 'no dot', '{"no_dot": ""}'),
    (9, 'upper case', '{"A.b": ""}'), (10, 'digit first', '{"1a.b": ""}'),
    (11, 'dot last', '{"a.": ""}'), (12, 'two dots', '{"a..b": ""}'), (13, 'number', '{"a.b": 1}'),
    (14, 'null', '{"a.b": null}'), (15, 'object', '{"a.b": {}}'), (16, 'array', '[]'),
    (17, 'string', '"x"'), (18, 'JSON null', 'null')) v(n, what, tags)
 ORDER BY n;

-- instants lie in the years 1970 to 9999; a window is at least 1 ms
SELECT a, v, pg_temp.creating(a, v, t) AS result
  FROM (VALUES ('delay_until', '9999-12-31 23:59:59.999Z', 'timestamptz'),
               ('delay_until', '10000-01-01Z', 'timestamptz'),
               ('delay_until', '1969-12-31 23:59:59.999Z', 'timestamptz'),
               ('delay_until', 'infinity', 'timestamptz'),
               ('deadline_at', '1970-01-01Z', 'timestamptz'), ('deadline_at', '-infinity', 'timestamptz'),
               ('dedup_window_ms', '1', 'bigint'), ('dedup_window_ms', '0', 'bigint'),
               ('dedup_window_ms', '9223372036854775807', 'bigint')) v(a, v, t);
SELECT a, pg_temp.refused(format('SELECT * FROM ff_claim(%L, %L, %L, %s)', 'limits none', 'w', 'w-1', a)) AS result
  FROM unnest(ARRAY['max_claims => 1', 'max_claims => 1000', 'max_claims => 0', 'max_claims => 1001',
                    'lease_ttl_ms => 1', 'lease_ttl_ms => 86400000', 'lease_ttl_ms => 0',
                    'lease_ttl_ms => 86400001', 'lease_ttl_ms => -9223372036854775808',
                    'block_ms => 0', 'block_ms => -1', 'block_ms => 30001']) a;
-- the largest ttl is a setting
SET ffengine.max_lease_ttl = '1s';
SELECT ttl, pg_temp.refused(format('SELECT * FROM ff_claim(%L, %L, %L, lease_ttl_ms => %s)',
                                   'limits none', 'w', 'w-1', ttl)) AS result
  FROM unnest('{1000, 1001}'::int[]) ttl;
RESET ffengine.max_lease_ttl;

-- payload, result and failure detail: ffengine.max_payload_size
SET ffengine.max_payload_size = '1kB';
CREATE FUNCTION pg_temp.bytes(n integer) RETURNS bytea LANGUAGE sql AS
  $$ SELECT convert_to(repeat('x', n), 'UTF8') $$;
SELECT n, pg_temp.refused(format('SELECT ff_create_execution(%L, pg_temp.bytes(%s))', 'limits payload', n)) AS payload
  FROM unnest('{1024, 1025}'::int[]) n;
SELECT handle AS h FROM ff_claim('limits payload', 'w', 'w-1') \gset
SELECT pg_temp.refused(format('SELECT ff_fail(%L, %L, detail => pg_temp.bytes(1025))', :'h', 'x')) AS detail;
SELECT n, pg_temp.refused(format('SELECT ff_complete(%L, pg_temp.bytes(%s))', :'h', n)) AS result
  FROM unnest('{1025, 1024}'::int[]) n;
RESET ffengine.max_payload_size;

-- result_encoding: 1-64
SELECT execution_id AS id FROM ff_create_execution('limits text') \gset
SELECT handle AS h FROM ff_claim('limits text', 'w', 'w-1') \gset
SELECT n, pg_temp.refused(format('SELECT ff_complete(%L, result_encoding => repeat(%L, %s))', :'h', 'x', n)) AS result
  FROM unnest('{0, 65}'::int[]) n;
-- failure texts are cut at a character boundary, never refused
SELECT outcome FROM ff_fail(:'h', repeat('ä', 2047) || 'aä', failure_category => 'a' || repeat('ä', 128));
SELECT octet_length(failure_reason) AS reason, right(failure_reason, 2) AS ends,
       octet_length(failure_category) AS category
  FROM ff_attempt WHERE execution_id = ff_execution_uuid(:'id');

-- members of one flow: ffengine.max_flow_members
INSERT INTO ff_flow_core (partition_key, flow_id, public_flow_state, created_at_ms, raw_fields)
VALUES (ff_flow_partition('11111111-1111-4111-8111-11111111111a'),
        '11111111-1111-4111-8111-11111111111a', 'open', 1, '{"node_count": 99999}');
SELECT n, pg_temp.creating('flow_id', '11111111-1111-4111-8111-11111111111a', 'uuid') AS member
  FROM unnest('{100000, 100001}'::int[]) n;

-- policy: 256 kB as text
SELECT n, pg_temp.creating('policy', jsonb_build_object('fallback_policy', jsonb_build_object('tiers',
         jsonb_build_array(jsonb_build_object('provider', repeat('x', n)))))::text, 'jsonb') AS policy
  FROM unnest('{262094, 262095}'::int[]) n;
-- every key there is
SELECT pg_temp.creating('policy', '{"priority": -1, "delay_until": 0,
  "retry_policy": {"max_retries": 10000, "retryable_categories": ["a"],
    "backoff": {"type": "exponential", "initial_delay_ms": 0, "max_delay_ms": 31536000000,
                "multiplier": 1, "jitter": true}},
  "timeout_policy": {"attempt_timeout_ms": 1, "execution_deadline_ms": 1, "max_reclaim_count": 0},
  "max_reclaim_count": 1000000, "reclaim_hold_ms": 86400000,
  "suspension_policy": {"default_timeout_ms": 1, "timeout_behavior": "auto_resume_with_timeout_signal"},
  "fallback_policy": {"tiers": [{"provider": "p", "model": "m", "timeout_ms": 1}]},
  "max_replay_count": 0, "budget_ids": ["00000000-0000-0000-0000-0000000000b1"],
  "quota_policy_id": "00000000-0000-0000-0000-0000000000c1",
  "routing_requirements": {"required_capabilities": ["a"], "preferred_locality": "eu",
                           "isolation_level": "vm"},
  "dedup_window_ms": 1,
  "stream_policy": {"durability_mode": "durable", "retention_maxlen": 1, "retention_ttl_ms": 1},
  "max_signals_per_execution": 0}', 'jsonb') AS every_key;
-- an unknown key, a wrong type, a value out of range: the path is named
SELECT p AS policy, pg_temp.creating('policy', p, 'jsonb') AS result
  FROM unnest(ARRAY['{"prio": 1}', '{"priority": "1"}', '{"priority": 1.5}', '[]',
    '1', '"x"', '{"delay_until": -1}', '{"delay_until": 253402300799999}',
    '{"delay_until": 253402300800000}', '{"retry_policy": {"max_retries": "3"}}',
    '{"retry_policy": {"max_retries": -1}}', '{"retry_policy": []}', '{"retry_policy": {"retries": 1}}',
    '{"retry_policy": {"retryable_categories": ["a", 1]}}',
    '{"retry_policy": {"backoff": {"type": "linear", "delay_ms": 1}}}',
    '{"retry_policy": {"backoff": {"type": "fixed", "delay_ms": -1}}}',
    '{"retry_policy": {"backoff": {"type": "fixed", "delay_ms": 31536000000}}}',
    '{"retry_policy": {"backoff": {"type": "fixed", "delay_ms": 31536000001}}}',
    '{"retry_policy": {"backoff": {"type": "fixed", "delay_ms": 1, "multiplier": 2}}}',
    '{"retry_policy": {"backoff": {"type": "exponential", "delay_ms": 1}}}',
    '{"retry_policy": {"backoff": {"type": "exponential", "multiplier": 0.5}}}',
    '{"retry_policy": {"backoff": {"type": "exponential", "jitter": 1}}}',
    '{"timeout_policy": {"attempt_timeout_ms": 0}}', '{"timeout_policy": {"attempt": 1}}',
    '{"reclaim_hold_ms": 86400001}', '{"suspension_policy": {"timeout_behavior": "resume"}}',
    '{"fallback_policy": {"tiers": [{"provider": "p"}, {"price": 1}]}}', '{"budget_ids": ["x"]}',
    '{"quota_policy_id": 7}', '{"stream_policy": {"durability_mode": "best"}}',
    '{"dedup_window_ms": 0}']) p;
SELECT n, pg_temp.creating('policy', jsonb_build_object('budget_ids',
         (SELECT jsonb_agg('00000000-0000-0000-0000-' || lpad(i::text, 12, '0'))
            FROM generate_series(1, n) i))::text, 'jsonb') AS budgets
  FROM unnest('{16, 17}'::int[]) n;
-- tokens in it are judged as tokens
SELECT pg_temp.creating('policy', '{"routing_requirements": {"required_capabilities": ["a b"]}}', 'jsonb') AS token;
