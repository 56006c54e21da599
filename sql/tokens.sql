-- Waitpoint tokens and the keystore: chapter 02 section 4.
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

-- What a token is taken for by ff_deliver_signal, which verifies it before it looks at anything else:
-- with a genuine one it goes on to find that there is no such execution.
CREATE FUNCTION pg_temp.verdict(token text, waitpoint uuid DEFAULT '33333333-3333-4333-8333-333333333333',
                                execution text DEFAULT '{fp:42}:550e8400-e29b-41d4-a716-446655440000')
RETURNS text LANGUAGE sql AS $$
  SELECT CASE WHEN r LIKE 'not_found/%' THEN 'genuine' ELSE r END
    FROM pg_temp.refusal(format('SELECT ff_deliver_signal(%L, %L, %L, %L)', execution, waitpoint, token, 'go')) r
$$;

-- The token that a key gives for that waitpoint.
CREATE FUNCTION pg_temp.token(kid text, secret text) RETURNS text LANGUAGE sql AS $$
  SELECT ff_hmac_sign(decode(secret, 'hex'), kid,
    '{fp:42}:550e8400-e29b-41d4-a716-446655440000:33333333-3333-4333-8333-333333333333')
$$;

-- Raw signatures: the six vectors
CREATE TEMP TABLE vector (secret bytea, kid text, message bytea, token text);
INSERT INTO vector VALUES
  ('super-secret-key', 'kid1', 'exec-id:wp-id',
   'kid1:862136de19c398ae13349825232b23d111d595dafafb9dc95558016eed618d36'),
  (decode(repeat('ab', 32), 'hex'), 'kid-suspend-1',
   '{fp:42}:550e8400-e29b-41d4-a716-446655440000:33333333-3333-4333-8333-333333333333',
   'kid-suspend-1:72ab19275628059d3d0851fee98837c081464b00ab11f8980d053ca2bd67de12'),
  (decode(repeat('cafebabe', 8), 'hex'), 'kid-v1', 'exec-42:wp-7',
   'kid-v1:01b92d881efacac50dbcf7637adcec6211fedfdbdce4b63477b3780c79ae8bc9'),
  ('s', 'k', 'msg', 'k:4e46cd6cdb2b82ec0763be9f8cc406169608bbbef74ef20a925c29a68e1c7a7c'),
  ('', 'k', '', 'k:36a944758f4b801e586b0cb4ddc23d2e7c37ccfb85b65c1d4b8620534eef9301'),
  (decode(repeat('cd', 100), 'hex'), 'k2',
   '{fp:249}:018f3c2a-7b10-7c3e-9d55-0a1b2c3d4e5f:44444444-4444-4444-8444-444444444444',
   'k2:3dd73b316135e9182659758761d23b7bade5957a3055ca6b4a9ec158671ec777');
SELECT kid, ff_hmac_sign(secret, kid, message) = token AS signs,
       ff_hmac_verify(secret, kid, message, token) AS verifies,
       ff_hmac_verify(secret, kid, message, kid || upper(substr(token, length(kid) + 1))) AS upper_case,
       ff_hmac_verify(secret, kid, message || 'x', token) AS other_message,
       ff_hmac_verify(secret || 'x'::bytea, kid, message, token) AS other_secret
  FROM vector;

SELECT token, ff_hmac_verify('s', 'k', 'msg', token) AS verdict
  FROM unnest(ARRAY['no-colon-token', '', 'k:not-hex-zzzz', 'k:abc', 'k:abcd', 'k:', 'k2:zz', ':', 'K:00',
                    'k:4e46cd6cdb2b82ec0763be9f8cc406169608bbbef74ef20a925c29a68e1c7a7d',
                    'k:4e46cd6cdb2b82ec0763be9f8cc406169608bbbef74ef20a925c29a68e1c7a7c00',
                    ' k:4e46cd6cdb2b82ec0763be9f8cc406169608bbbef74ef20a925c29a68e1c7a7c']) token;
SELECT ff_hmac_verify('s', 'k2', 'msg', ff_hmac_sign('s', 'k', 'msg')) AS verdict;
SELECT kid, pg_temp.refusal(format('SELECT ff_hmac_sign(%L, %L, %L)', 's', kid, 'm')) AS refusal
  FROM unnest(ARRAY['', 'a:b', 'a b', 'é', repeat('k', 65), '!~', NULL]) kid;

-- There is one keystore for the database: what follows is rolled back.
BEGIN;
DELETE FROM ff_waitpoint_hmac;
SET LOCAL ffengine.test_now_ms = '1000000';
-- an empty keystore has nothing to list
SELECT * FROM ff_list_waitpoint_hmac_kids();

-- seeding installs once
SELECT * FROM ff_seed_waitpoint_hmac_secret('k1', repeat('AB', 32));
SELECT * FROM ff_seed_waitpoint_hmac_secret('k1', repeat('ab', 32));
SELECT * FROM ff_seed_waitpoint_hmac_secret('k1', repeat('cd', 32));
SELECT * FROM ff_seed_waitpoint_hmac_secret('k1');
SELECT pg_temp.refusal($$SELECT ff_seed_waitpoint_hmac_secret('k2')$$) AS another_is_active;
SELECT * FROM ff_seed_waitpoint_hmac_secret('k2');
ROLLBACK;

BEGIN;
DELETE FROM ff_waitpoint_hmac;
SET LOCAL ffengine.test_now_ms = '1000000';
-- A secret minted by the server: 32 bytes, another every time
SELECT * FROM ff_seed_waitpoint_hmac_secret('minted');
SELECT * FROM ff_rotate_waitpoint_hmac_secret_all('minted-2');
SELECT count(DISTINCT secret) AS secrets, min(length(secret)) AS bytes FROM ff_waitpoint_hmac;
SELECT outcome FROM ff_rotate_waitpoint_hmac_secret_all('minted-2');
ROLLBACK;

-- What neither takes
SELECT pg_temp.refusal(format('SELECT ff_seed_waitpoint_hmac_secret(%L, %L)', kid, secret)) AS seed,
       pg_temp.refusal(format('SELECT ff_rotate_waitpoint_hmac_secret_all(%L, %L)', kid, secret)) AS rotate,
       kid, left(secret, 11) AS secret
  FROM (VALUES (NULL, NULL), ('', NULL), ('a:b', NULL), ('a b', NULL), ('', 'zz'),
               ('k', 'shortsecret'), ('k', ''), ('k', 'abc'), ('k', 'zz'),
               ('k', repeat('zz', 32)), ('k', repeat('ab', 33) || 'a'), ('k', repeat('ab', 513)))
       arguments(kid, secret);
SELECT grace_ms, pg_temp.refusal(format('SELECT ff_rotate_waitpoint_hmac_secret_all(%L, grace_ms => %s)', 'k', grace_ms)) AS refusal
  FROM unnest(ARRAY[-1, 9007199254740992]) grace_ms;

-- Rotating
BEGIN;
DELETE FROM ff_waitpoint_hmac;
SET LOCAL ffengine.test_now_ms = '1000000';
-- the first ever, the same again, the same kid with another secret
SELECT * FROM ff_rotate_waitpoint_hmac_secret_all('k1', repeat('a1', 32));
SELECT * FROM ff_rotate_waitpoint_hmac_secret_all('k1', repeat('A1', 32));
SELECT pg_temp.refusal($$SELECT ff_rotate_waitpoint_hmac_secret_all('k1', repeat('b1', 32))$$) AS conflict;
SELECT kid, encode(secret, 'hex') = repeat('a1', 32) AS unchanged, rotated_at_ms, active, expires_at_ms
  FROM ff_waitpoint_hmac;
-- a short secret is taken with a warning
SELECT outcome FROM ff_rotate_waitpoint_hmac_secret_all('k2', 'abcd', 600000);
-- several keys in grace at once; a late retry brings none back
SELECT outcome, previous_kid, gc_count FROM ff_rotate_waitpoint_hmac_secret_all('k3', repeat('a3', 32), 600001);
SELECT outcome, previous_kid, gc_count FROM ff_rotate_waitpoint_hmac_secret_all('k1', repeat('a1', 32));
SELECT pg_temp.refusal($$SELECT ff_rotate_waitpoint_hmac_secret_all('k1')$$) AS retired_kid_without_secret;
SELECT kid, is_current, ff_to_ms(rotated_at) AS rotated_at, ff_to_ms(expires_at) AS expires_at, open_waitpoints
  FROM ff_list_waitpoint_hmac_kids();
-- grace is over one millisecond after expires_at_ms: out of the list, collected by the next rotation
SET LOCAL ffengine.test_now_ms = '1600000';
SELECT kid FROM ff_list_waitpoint_hmac_kids();
SET LOCAL ffengine.test_now_ms = '1600001';
SELECT kid FROM ff_list_waitpoint_hmac_kids();
SELECT outcome, previous_kid, gc_count FROM ff_rotate_waitpoint_hmac_secret_all('k4', grace_ms => 0);
SELECT kid, active, expires_at_ms FROM ff_waitpoint_hmac ORDER BY kid;
-- grace by default is the setting's; it ends with the year 9999 at the latest
SET LOCAL ffengine.hmac_grace = '1h';
SELECT outcome, previous_kid, gc_count FROM ff_rotate_waitpoint_hmac_secret_all('k5');
SELECT outcome, previous_kid, gc_count FROM ff_rotate_waitpoint_hmac_secret_all('k6', grace_ms => 9007199254740991);
SELECT kid, active, expires_at_ms - 1600001 AS grace FROM ff_waitpoint_hmac ORDER BY kid;
SELECT kid, is_current, expires_at AT TIME ZONE 'UTC' AS expires_at FROM ff_list_waitpoint_hmac_kids();
ROLLBACK;

-- Verifying
BEGIN;
DELETE FROM ff_waitpoint_hmac;
SET LOCAL ffengine.test_now_ms = '1000000';
SELECT outcome FROM ff_seed_waitpoint_hmac_secret('k1', repeat('a1', 32));
SELECT what, pg_temp.verdict(token) AS verdict
  FROM (VALUES ('none', NULL), ('empty', ''), ('no colon', 'k1'), ('no kid', ':' || repeat('0', 64)),
               ('63 digits', 'k1:' || repeat('0', 63)), ('66 digits', 'k1:' || repeat('0', 66)),
               ('no hex', 'k1:' || repeat('x', 64)), ('two colons', 'k1:k1:' || repeat('0', 64)),
               ('wrong', 'k1:' || repeat('0', 64)), ('unknown kid', 'k9:' || repeat('0', 64)),
               ('other secret', pg_temp.token('k1', repeat('b1', 32))),
               ('genuine', pg_temp.token('k1', repeat('a1', 32))),
               ('upper case', 'k1' || upper(substr(pg_temp.token('k1', repeat('a1', 32)), 3))))
       tokens(what, token);
-- for another waitpoint or execution it is not good
SELECT pg_temp.verdict(token, waitpoint => '44444444-4444-4444-8444-444444444444') AS other_waitpoint,
       pg_temp.verdict(token, execution => '{fp:42}:00000000-0000-0000-0000-000000000000') AS other_execution,
       pg_temp.verdict(token, execution => '{fp:41}:550e8400-e29b-41d4-a716-446655440000') AS other_partition,
       pg_temp.verdict(token, execution => '{fp:42}:550E8400-E29B-41D4-A716-446655440000') AS same_in_upper_case
  FROM pg_temp.token('k1', repeat('a1', 32)) token;
-- retired with no grace: good for this very instant, then expired, then unknown
SELECT outcome FROM ff_rotate_waitpoint_hmac_secret_all('k2', repeat('a2', 32), 0);
SELECT pg_temp.verdict(pg_temp.token('k1', repeat('a1', 32))) AS k1, pg_temp.verdict(pg_temp.token('k2', repeat('a2', 32))) AS k2;
SET LOCAL ffengine.test_now_ms = '1000001';
SELECT pg_temp.verdict(pg_temp.token('k1', repeat('a1', 32))) AS k1, pg_temp.verdict('k1:' || repeat('0', 64)) AS forged;
SELECT outcome, previous_kid, gc_count FROM ff_rotate_waitpoint_hmac_secret_all('k3', repeat('a3', 32));
SELECT pg_temp.verdict(pg_temp.token('k1', repeat('a1', 32))) AS k1;
ROLLBACK;

BEGIN;
DELETE FROM ff_waitpoint_hmac;
SET LOCAL ffengine.test_now_ms = '1000000';
SELECT kid, outcome
  FROM unnest(ARRAY['k1', 'k2', 'k3']) kid,
       ff_rotate_waitpoint_hmac_secret_all(kid, repeat(replace(kid, 'k', 'a'), 32), 600000 + right(kid, 1)::bigint);
SELECT kid, pg_temp.verdict(pg_temp.token(kid, repeat(replace(kid, 'k', 'a'), 32))) FROM unnest(ARRAY['k1', 'k2', 'k3']) kid;
SET LOCAL ffengine.test_now_ms = '1600003';
SELECT kid, pg_temp.verdict(pg_temp.token(kid, repeat(replace(kid, 'k', 'a'), 32))) FROM unnest(ARRAY['k1', 'k2', 'k3']) kid;
-- a retired row without an end is over
UPDATE ff_waitpoint_hmac SET expires_at_ms = NULL WHERE kid = 'k2';
SELECT pg_temp.verdict(pg_temp.token('k2', repeat('a2', 32)));
ROLLBACK;

-- Reissuing a token for a longer wait
BEGIN;
DELETE FROM ff_waitpoint_hmac;
SET LOCAL ffengine.test_now_ms = '1000000';
INSERT INTO ff_exec_core (partition_key, execution_id, lane_id, lifecycle_phase, ownership_state,
                          eligibility_state, public_state, attempt_state, created_at_ms)
  SELECT 42, e, 'default', 'runnable', 'unowned', 'eligible_now', 'waiting', 'pending_first_attempt', 0
    FROM unnest(ARRAY['550e8400-e29b-41d4-a716-446655440000', '550e8400-e29b-41d4-a716-446655440001']::uuid[]) e;
INSERT INTO ff_waitpoint_pending (partition_key, waitpoint_id, execution_id, token_kid, token, created_at_ms, state)
  VALUES (42, '33333333-3333-4333-8333-333333333333', '550e8400-e29b-41d4-a716-446655440000', 'old', 'old:0', 0, 'active'),
         (42, '44444444-4444-4444-8444-444444444444', '550e8400-e29b-41d4-a716-446655440000', 'old', 'old:0', 0, 'closed');
SELECT what, pg_temp.refusal(format('SELECT ff_reissue_waitpoint_token(%L, %L)', execution, waitpoint)) AS refusal
  FROM (VALUES ('no execution', '{fp:42}:550e8400-e29b-41d4-a716-446655440009', '33333333-3333-4333-8333-333333333333'),
               ('no waitpoint', '{fp:42}:550e8400-e29b-41d4-a716-446655440000', '33333333-3333-4333-8333-333333333339'),
               ('of another execution', '{fp:42}:550e8400-e29b-41d4-a716-446655440001', '33333333-3333-4333-8333-333333333333'),
               ('closed', '{fp:42}:550e8400-e29b-41d4-a716-446655440000', '44444444-4444-4444-8444-444444444444'),
               ('no key', '{fp:42}:550e8400-e29b-41d4-a716-446655440000', '33333333-3333-4333-8333-333333333333'),
               ('no id', NULL, '33333333-3333-4333-8333-333333333333'),
               ('NULL', '{fp:42}:550e8400-e29b-41d4-a716-446655440000', NULL))
       arguments(what, execution, waitpoint);
SELECT outcome FROM ff_seed_waitpoint_hmac_secret('k1', repeat('a1', 32));
SELECT r.waitpoint_token = pg_temp.token('k1', repeat('a1', 32)) AS genuine, r.token_kid
  FROM generate_series(1, 2), ff_reissue_waitpoint_token('{fp:42}:550e8400-e29b-41d4-a716-446655440000',
                                                         '33333333-3333-4333-8333-333333333333') r;
SELECT waitpoint_id, token = pg_temp.token('k1', repeat('a1', 32)) AS stored, token_kid FROM ff_waitpoint_pending
 WHERE partition_key = 42 AND execution_id = '550e8400-e29b-41d4-a716-446655440000' ORDER BY waitpoint_id;
-- after a rotation: the token of the new key; the list shows what is still signed by which
SELECT outcome FROM ff_rotate_waitpoint_hmac_secret_all('k2', repeat('a2', 32));
SELECT kid, is_current, open_waitpoints FROM ff_list_waitpoint_hmac_kids();
SELECT r.waitpoint_token = pg_temp.token('k2', repeat('a2', 32)) AS genuine, r.token_kid
  FROM ff_reissue_waitpoint_token('{fp:42}:550e8400-e29b-41d4-a716-446655440000', '33333333-3333-4333-8333-333333333333') r;
SELECT kid, is_current, open_waitpoints FROM ff_list_waitpoint_hmac_kids();
ROLLBACK;

-- pgcrypto's own hmac() gives the same; it is found wherever pgcrypto is moved to
CREATE SCHEMA elsewhere;
SELECT extnamespace::regnamespace AS home FROM pg_extension WHERE extname = 'pgcrypto' \gset
SELECT ff_hmac_sign('s', 'k', 'msg') = 'k:' || encode(:home.hmac('k:msg', 's'::bytea, 'sha256'), 'hex') AS same;
ALTER EXTENSION pgcrypto SET SCHEMA elsewhere;
SELECT ff_hmac_sign('s', 'k', 'msg') = 'k:' || encode(elsewhere.hmac('k:msg', 's'::bytea, 'sha256'), 'hex') AS same;
ALTER EXTENSION pgcrypto SET SCHEMA :home;
DROP SCHEMA elsewhere;
SELECT ff_hmac_verify('s', 'k', 'msg', ff_hmac_sign('s', 'k', 'msg')) AS verdict;
