-- Handles: chapter 02 section 3.
\pset null '<null>'

-- What a statement is refused with, as kind/rule and DETAIL; 'accepted' if it is not.
CREATE FUNCTION pg_temp.refusal(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  state  text;
  detail text;
BEGIN
  EXECUTE statement;
  RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, detail = PG_EXCEPTION_DETAIL;
  RETURN coalesce((SELECT c.kind FROM ff_error_catalogue() c WHERE c.sqlstate = state), state) || '/' || detail;
END $$;

CREATE FUNCTION pg_temp.refusal(handle bytea) RETURNS text LANGUAGE sql AS
  $$ SELECT pg_temp.refusal(format('SELECT * FROM ff_handle_decode(%L)', handle)) $$;

-- The three vectors
CREATE TEMP TABLE vector AS
  SELECT 1 AS number, ff_handle_encode(
           execution_id => '{fp:42}:550e8400-e29b-41d4-a716-446655440000', attempt_index => 0,
           attempt_id => '11111111-1111-4111-8111-111111111111',
           lease_id => '22222222-2222-4222-8222-222222222222', lease_epoch => 1,
           lease_ttl_ms => 30000, lane_id => 'default', worker_instance_id => 'w1') AS handle
  UNION ALL
  SELECT 2, ff_handle_encode(
           execution_id => '{fp:42}:550e8400-e29b-41d4-a716-446655440000', attempt_index => 3,
           attempt_id => '11111111-1111-4111-8111-111111111111',
           lease_id => '22222222-2222-4222-8222-222222222222', lease_epoch => 7,
           lease_ttl_ms => 30000, lane_id => 'default', worker_instance_id => 'worker-1',
           kind => 'resumed')
  UNION ALL
  SELECT 3, ff_handle_encode(
           execution_id => '{fp:0}:00000000-0000-0000-0000-000000000000', attempt_index => 2147483647,
           attempt_id => '11111111-1111-4111-8111-111111111111',
           lease_id => '22222222-2222-4222-8222-222222222222', lease_epoch => 9223372036854775807,
           kind => 'suspended');
SELECT number, length(handle), md5(handle) FROM vector ORDER BY number;
\x on
SELECT d.* FROM vector v, ff_handle_decode(v.handle) d ORDER BY v.number;
\x off

-- Every kind, every backend, every string comes back as it went in
SELECT count(*),
       bool_and(d = ROW(k.kind, b.backend, '{fp:9}:00000000-0000-0000-0000-000000000009'::text, 5,
                        '11111111-1111-4111-8111-111111111111'::uuid,
                        '22222222-2222-4222-8222-222222222222'::uuid,
                        6::bigint, 7::bigint, s.s, s.s)) AS all_same
  FROM unnest(ARRAY['fresh', 'resumed', 'suspended', 'reclaimed']) k(kind),
       generate_series(1, 3) b(backend),
       unnest(ARRAY['', 'x', E'tab\t', 'größe', '東京', '🦀', repeat('long', 10000)]) s(s),
       ff_handle_decode(ff_handle_encode('{fp:9}:00000000-0000-0000-0000-000000000009', 5,
         '11111111-1111-4111-8111-111111111111', '22222222-2222-4222-8222-222222222222',
         6, 7, s.s, s.s, k.kind, b.backend)) d;

-- Handles of other engines can be looked at; vector 1 as v1 has no tag and no kind
SELECT d.backend, d.kind, d.execution_id, d.worker_instance_id
  FROM vector v,
       unnest(ARRAY[set_byte(v.handle, 2, 1), set_byte(v.handle, 2, 3),
                    '\x01' || substr(v.handle, 4)]) h,
       ff_handle_decode(h) d
 WHERE v.number = 1;

-- What cannot be encoded
SELECT what, pg_temp.refusal(format('SELECT ff_handle_encode(%s)', arguments)) AS refusal
  FROM (VALUES
    ('id', $$'x', 0, gen_random_uuid(), gen_random_uuid(), 1$$),
    ('kind', $$'{fp:0}:00000000-0000-0000-0000-000000000000', 0, gen_random_uuid(), gen_random_uuid(), 1, kind => 'Fresh'$$),
    ('backend 0', $$'{fp:0}:00000000-0000-0000-0000-000000000000', 0, gen_random_uuid(), gen_random_uuid(), 1, backend => 0$$),
    ('backend 4', $$'{fp:0}:00000000-0000-0000-0000-000000000000', 0, gen_random_uuid(), gen_random_uuid(), 1, backend => 4$$),
    ('index', $$'{fp:0}:00000000-0000-0000-0000-000000000000', -1, gen_random_uuid(), gen_random_uuid(), 1$$),
    ('epoch', $$'{fp:0}:00000000-0000-0000-0000-000000000000', 0, gen_random_uuid(), gen_random_uuid(), -1$$),
    ('ttl', $$'{fp:0}:00000000-0000-0000-0000-000000000000', 0, gen_random_uuid(), gen_random_uuid(), 1, -1$$),
    ('no id', $$NULL, 0, gen_random_uuid(), gen_random_uuid(), 1$$),
    ('no index', $$'{fp:0}:00000000-0000-0000-0000-000000000000', NULL, gen_random_uuid(), gen_random_uuid(), 1$$),
    ('no lease', $$'{fp:0}:00000000-0000-0000-0000-000000000000', 0, gen_random_uuid(), NULL, 1$$),
    ('no epoch', $$'{fp:0}:00000000-0000-0000-0000-000000000000', 0, gen_random_uuid(), gen_random_uuid(), NULL$$),
    ('NULL options', $$'{fp:0}:00000000-0000-0000-0000-000000000000', 0, gen_random_uuid(), gen_random_uuid(), 1, NULL, NULL, NULL, NULL, NULL$$))
    arguments(what, arguments);

-- Buffers that are no handle
SELECT handle, pg_temp.refusal(handle) AS refusal
  FROM unnest(ARRAY['\x', '\x02', '\x0201', '\x020102', '\x01', '\x02ff01', '\x02ff', '\x0201fe',
                    '\x020100', '\xab', '\x00']::bytea[]) handle;
SELECT pg_temp.refusal('SELECT * FROM ff_handle_decode(NULL)');

-- Vector 1 cut at any length
SELECT split_part(pg_temp.refusal(substr(handle, 1, cut)), ':', 1) AS refusal, count(*), min(cut), max(cut)
  FROM vector, generate_series(0, 167) cut WHERE number = 1 GROUP BY 1;
SELECT cut, pg_temp.refusal(substr(handle, 1, cut)) AS refusal
  FROM vector, unnest(ARRAY[5, 20, 52, 167]) cut WHERE number = 1;

-- Vector 1 and more: one byte is a kind or not, more are none
SELECT tail, pg_temp.refusal(handle || tail) AS refusal
  FROM vector, unnest(ARRAY['\x00', '\x01', '\x02', '\x03', '\x04', '\x05', '\xff', '\x0202',
                            '\x020202']::bytea[]) tail
 WHERE number = 1;
SELECT pg_temp.refusal('\x01' || substr(handle, 4) || '\x02') AS v1_has_no_kind FROM vector WHERE number = 1;

-- A length that nothing could hold
SELECT at, pg_temp.refusal(set_byte(set_byte(set_byte(set_byte(handle, at, 255), at + 1, 255),
                                             at + 2, 255), at + 3, 255)) AS refusal
  FROM vector, unnest(ARRAY[3, 55, 95]) at WHERE number = 1;

-- Fields that do not parse. In vector 1 the execution id begins at 3, the attempt index at 51, the
-- lease id at 95, the epoch at 135, the ttl at 143, the lane at 151.
SELECT what, pg_temp.refusal(overlay(handle PLACING bytes FROM at + 1 FOR replaced)) AS refusal
  FROM vector,
       (VALUES ('bare uuid', '\x24000000'::bytea || '550e8400-e29b-41d4-a716-446655440000', 3, 48),
               ('partition 256', '\x2d000000'::bytea || '{fp:256}:550e8400-e29b-41d4-a716-446655440000', 3, 48),
               ('index 2^31', '\x00000080', 51, 4),
               ('lease id x', '\x0100000078', 95, 40),
               ('lease id empty', '\x00000000', 95, 40),
               ('epoch 2^63', '\x0000000000000080', 135, 8),
               ('ttl 2^63', '\x0000000000000080', 143, 8),
               ('lane in Latin-1', '\x01000000e9', 151, 11),
               ('lane with a zero byte', '\x03000000610062', 151, 11),
               ('overlong UTF-8', '\x02000000c080', 151, 11),
               ('surrogate', '\x03000000eda080', 151, 11),
               ('worker instance', '\x01000000ff', 162, 6),
               ('execution id', '\x01000000ff', 3, 48)) fault(what, bytes, at, replaced)
 WHERE number = 1;

-- Ten thousand random buffers, every other with a good beginning: a row or corruption, nothing else
SELECT outcome, count(*) > 0 AS seen
  FROM (SELECT split_part(pg_temp.refusal(
                 CASE i % 2 WHEN 0 THEN substr(v.handle, 1, i % 169) ELSE '' END || r.bytes), '/', 1) AS outcome
          FROM vector v, generate_series(1, 10000) i,
               LATERAL (SELECT coalesce(string_agg(set_byte('\x00', 0, floor(random() * 256)::integer), ''), '') AS bytes
                          FROM generate_series(1, i % 301)) r
         WHERE v.number = 1) outcomes
 GROUP BY outcome ORDER BY outcome;
