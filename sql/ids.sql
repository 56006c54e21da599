-- Execution ids, partitions and capability classes: chapter 02 sections 1 and 2, chapter 01 section 1.
\pset null '<null>'

-- What a statement is refused with, as kind/rule; 'accepted' if it is not.
CREATE FUNCTION pg_temp.refusal(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  state  text;
  detail text;
BEGIN
  EXECUTE statement;
  RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, detail = PG_EXCEPTION_DETAIL;
  RETURN coalesce((SELECT c.kind FROM ff_error_catalogue() c WHERE c.sqlstate = state), state)
         || '/' || split_part(detail, ':', 1);
END $$;

-- CRC-16/XMODEM: its check value, and nothing
SELECT ff_crc16('123456789') AS check_value, to_hex(ff_crc16('123456789')) AS hex, ff_crc16('') AS empty;

-- Partitions of things with a UUID: flows, budgets and quota policies alike
SELECT u AS id, ff_crc16(uuid_send(u)) AS crc, ff_flow_partition(u) AS flow,
       ff_budget_partition(u) AS budget, ff_quota_partition(u) AS quota
  FROM unnest(ARRAY['00000000-0000-0000-0000-000000000000', '550e8400-e29b-41d4-a716-446655440000',
                    '11111111-1111-4111-8111-111111111111', '018f3c2a-7b10-7c3e-9d55-0a1b2c3d4e5f',
                    'ffffffff-ffff-ffff-ffff-ffffffffffff', '11111111-1111-1111-1111-111111111111',
                    '6ba7b810-9dad-11d1-80b4-00c04fd430c8']::uuid[]) u;

-- of lanes
SELECT lane, ff_crc16(convert_to(lane, 'UTF8')) AS crc, ff_lane_partition(lane) AS partition
  FROM unnest(ARRAY['default', 'workers-a', 'workers-b', 'a', 'gpu', 'batch low', 'lane-0', 'lane-a']) lane;

-- of worker instances
SELECT worker, ff_worker_partition(worker) AS partition FROM unnest(ARRAY['wi-1', 'w1-1', '']) worker;

-- A new id lies in the partition of its lane or flow
SELECT ff_execution_partition(ff_execution_id_new('default')) AS partition,
       ff_execution_id_new('default') <> ff_execution_id_new('default') AS each_is_new,
       ff_execution_id_new('default') ~ '^\{fp:86\}:[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$' AS random_uuid;
SELECT count(*) AS flows,
       bool_and(ff_execution_partition(ff_execution_id_for_flow(f)) = ff_flow_partition(f)) AS all_in_their_partition
  FROM (SELECT md5(i::text)::uuid AS f FROM generate_series(1, 1000) i) flows;

-- With a given UUID it is the same every time
SELECT ff_execution_id_new('default', '00000000-0000-0000-0000-000000000007') AS in_lane,
       ff_execution_id_for_flow('550e8400-e29b-41d4-a716-446655440000',
                                '00000000-0000-0000-0000-000000000007') AS in_flow;

-- The partition is read from the id, never computed: the CRC of this one gives 24
SELECT ff_execution_partition('{fp:0}:550e8400-e29b-41d4-a716-446655440000') AS read,
       ff_flow_partition('550e8400-e29b-41d4-a716-446655440000') AS computed;

-- Upper case is read, lower case is written
SELECT ff_execution_uuid('{fp:42}:550E8400-E29B-41D4-A716-446655440000') AS uuid,
       ff_is_execution_id('{fp:42}:550E8400-E29B-41D4-A716-446655440000') AS is_id;

-- Any UUID will do, every partition too, and an id is the same after being taken apart
SELECT bool_and(ff_execution_id(ff_execution_partition(x), ff_execution_uuid(x)) = x) AS same, count(*)
  FROM (SELECT ff_execution_id(p, md5(p::text)::uuid) AS x FROM generate_series(0, 255) p
        UNION ALL VALUES ('{fp:255}:00000000-0000-0000-0000-000000000000')) ids;

-- Texts that are no execution id
SELECT x, pg_temp.refusal(format('SELECT ff_execution_partition(%L)', x)) AS refusal,
       ff_is_execution_id(x) AS is_id
  FROM unnest(ARRAY[
    '', '550e8400-e29b-41d4-a716-446655440000', '{b:1}:550e8400-e29b-41d4-a716-446655440000', '{fp:1}',
    ' {fp:1}:550e8400-e29b-41d4-a716-446655440000', '{FP:1}:550e8400-e29b-41d4-a716-446655440000',
    '{fp:xx}:550e8400-e29b-41d4-a716-446655440000', '{fp:+7}:550e8400-e29b-41d4-a716-446655440000',
    '{fp:-1}:550e8400-e29b-41d4-a716-446655440000', '{fp: 7}:550e8400-e29b-41d4-a716-446655440000',
    '{fp:007}:550e8400-e29b-41d4-a716-446655440000', '{fp:00}:550e8400-e29b-41d4-a716-446655440000',
    '{fp:256}:550e8400-e29b-41d4-a716-446655440000', '{fp:65536}:550e8400-e29b-41d4-a716-446655440000',
    '{fp:}:550e8400-e29b-41d4-a716-446655440000',
    '{fp:0}:not-a-uuid', '{fp:0}:', '{fp:0}:550e8400e29b41d4a716446655440000',
    '{fp:0}:{550e8400-e29b-41d4-a716-446655440000}', '{fp:0}:550e8400-e29b-41d4-a716-446655440000 ',
    '{fp:0}:550e8400-e29b-41d4-a716-44665544000', '{fp:0}:550e8400-e29b-41d4-a716-44665544000g',
    '{fp:0}:550e-8400-e29b-41d4-a716446655440000']) x;

-- A message shows no more of a text than an id has
SELECT ff_execution_uuid('k1:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef');
SELECT pg_temp.refusal(format('SELECT ff_execution_id(%s, gen_random_uuid())', p)) AS partition_refused
  FROM unnest(ARRAY[-1, 0, 255, 256, 65536 + 1]) p;

-- Lanes: 1-64 bytes of printable ASCII
SELECT left(lane, 8) AS lane, octet_length(lane) AS bytes,
       pg_temp.refusal(format('SELECT ff_execution_id_new(%L)', lane)) AS refusal
  FROM unnest(ARRAY['', repeat('x', 64), repeat('x', 65), ' ~', E'lan\te', 'lané', E'\x7f']) lane;
SELECT ff_lane_partition(E'lan\te');

-- NULL: refused where required and not STRICT, else NULL
SELECT pg_temp.refusal('SELECT ff_execution_id_new(NULL)') AS lane,
       pg_temp.refusal('SELECT ff_execution_id_for_flow(NULL)') AS flow,
       ff_execution_partition(NULL) AS strict, ff_is_execution_id(NULL) AS also_strict;

-- Capability classes: neither order nor repetition counts, case does; NULL and '' are no tokens
SELECT ff_caps_hash('{}') AS none,
       ff_caps_hash('{gpu,cpu}') = ff_caps_hash('{cpu,gpu,gpu}') AS same,
       ff_caps_hash('{gpu}') = ff_caps_hash('{GPU}') AS case_matters,
       ff_caps_hash(ARRAY[NULL, '']) AS no_tokens,
       ff_caps_hash(ARRAY['a', NULL, '']) = ff_caps_hash('{a}') AS left_out;
-- FNV-1a 64: the published value of 'a' (af63dc4c8601ec8c), and of two joined by a comma
SELECT to_hex(ff_caps_hash('{a}')) AS a, ff_caps_hash('{a,b}') = ff_caps_hash('{{b},{a}}') AS two_dimensions;
