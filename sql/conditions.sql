-- Resume conditions: what an execution may wait for. Nothing here touches a table.
--
-- Constructors build the jsonb of a condition; ff_validate_resume_condition()
-- judges it, as ff_suspend() does; ff_evaluate_resume_condition() says whether
-- signals meet it.

--
-- Constructors
--

-- one signal on one waitpoint: of any name, of one name
SELECT ff_when('callback');
SELECT ff_when('approval', 'approved');

-- no signal at all
SELECT ff_operator_only(), ff_timeout_only();

-- each of several waitpoints, any of them
SELECT ff_all_of_waitpoints('a', 'b');
SELECT ff_any_of_waitpoints('a', 'b');

-- so many distinct waitpoints, signals, sources
SELECT ff_count_of(2, ARRAY['a', 'b', 'c']);
SELECT ff_count_of(2, ARRAY['votes'], 'signals');
SELECT ff_count_of(n => 2, waitpoint_keys => ARRAY['votes'], count_by => 'sources', signal_name => 'yes');

-- nested: two reviewers approve, and the migration is done
SELECT jsonb_pretty(ff_all_of(ff_count_of(2, ARRAY['reviewers'], 'sources', 'approved'),
                              ff_when('migration', 'done')));

-- bindings and policy, the other documents that ff_suspend() takes
SELECT ff_fresh_waitpoint();
SELECT ff_fresh_waitpoint('approval');
SELECT ff_fresh_waitpoint('approval', '6ba7b810-9dad-11d1-80b4-00c04fd430c8');
SELECT ff_use_pending('6ba7b810-9dad-11d1-80b4-00c04fd430c8');
SELECT jsonb_pretty(ff_resume_policy());
SELECT jsonb_pretty(ff_resume_policy(resume_delay_ms => 5000, close_waitpoint_on_resume => false));

--
-- What is valid
--

SELECT ff_validate_resume_condition(c)
  FROM (VALUES (ff_when('a')), (ff_when('a', 'x')), (ff_operator_only()), (ff_timeout_only()),
               (ff_all_of_waitpoints('a', 'b')), (ff_any_of_waitpoints('a', 'b')),
               (ff_count_of(2, ARRAY['a', 'b'])), (ff_all_of(ff_operator_only(), ff_when('a'))),
               (ff_when(repeat('k', 256))), (ff_when('a', repeat('n', 256)))) AS v(c);

-- a Count may have its matcher absent, null, Wildcard, or a name
SELECT ff_validate_resume_condition(jsonb_set(ff_count_of(1, ARRAY['a']), '{Composite,matcher}', m))
  FROM (VALUES ('null'::jsonb), ('"Wildcard"'), ('{"ByName":"x"}')) AS v(m);

-- Composite may be nested four deep
SELECT ff_validate_resume_condition(ff_all_of(ff_all_of(ff_all_of(ff_any_of_waitpoints('a')))));

-- an integer is one whatever its spelling
SELECT ff_validate_resume_condition('{"Composite":{"kind":"Count","n":1.0,"count_kind":"DistinctSignals","waitpoints":["a"]}}');

--
-- Rule 1, json_shape: DETAIL names the path
--

-- unknown forms, kinds, matchers
SELECT ff_validate_resume_condition('"Operator"');
SELECT ff_validate_resume_condition('{}');
SELECT ff_validate_resume_condition('[]');
SELECT ff_validate_resume_condition('null');
SELECT ff_validate_resume_condition('{"Any":["a"]}');
SELECT ff_validate_resume_condition(ff_when('a') || ff_any_of_waitpoints('b'));
SELECT ff_validate_resume_condition('{"Composite":{"kind":"AnyOf","members":["TimeoutOnly"]}}');
SELECT ff_validate_resume_condition('{"Composite":{"members":["TimeoutOnly"]}}');
SELECT ff_validate_resume_condition('{"Composite":{"kind":"AllOf","members":["TimeoutOnly",
                                      {"Single":{"waitpoint_key":"a","matcher":{"Regex":"x"}}}]}}');
-- unknown and missing keys, wrong types
SELECT ff_validate_resume_condition('{"Single":{"waitpoint_key":"a","matcher":"Wildcard","name":"x"}}');
SELECT ff_validate_resume_condition('{"Single":{"waitpoint_key":"a"}}');
SELECT ff_validate_resume_condition('{"Single":{"waitpoint_key":7,"matcher":"Wildcard"}}');
SELECT ff_validate_resume_condition('{"Composite":{"kind":"AllOf","members":{}}}');
SELECT ff_validate_resume_condition('{"Composite":{"kind":"AllOf","members":[],"n":1}}');
-- n is an integer from 0 to 2147483647
SELECT ff_validate_resume_condition(jsonb_set(ff_count_of(1, ARRAY['a'], 'signals'), '{Composite,n}', n::jsonb))
  FROM (VALUES ('2147483647')) AS v(n);
SELECT ff_validate_resume_condition(jsonb_set(ff_count_of(1, ARRAY['a'], 'signals'), '{Composite,n}', '2147483648'));
SELECT ff_validate_resume_condition(jsonb_set(ff_count_of(1, ARRAY['a'], 'signals'), '{Composite,n}', '1.5'));
SELECT ff_validate_resume_condition(jsonb_set(ff_count_of(1, ARRAY['a'], 'signals'), '{Composite,n}', '1e100000'));
SELECT ff_validate_resume_condition(jsonb_set(ff_count_of(1, ARRAY['a'], 'signals'), '{Composite,n}', '"1"'));
SELECT ff_validate_resume_condition(ff_count_of(-1, ARRAY['a'], 'signals'));

-- constructors don't judge: what they were given in error is refused here
SELECT ff_validate_resume_condition(ff_when(NULL));
SELECT ff_validate_resume_condition(ff_all_of(ff_when('a'), NULL));
SELECT ff_validate_resume_condition(ff_any_of_waitpoints('a', NULL));
SELECT ff_validate_resume_condition(ff_count_of(NULL, ARRAY['a']));
SELECT ff_validate_resume_condition(ff_count_of(1, NULL));
SELECT ff_validate_resume_condition(ff_count_of(1, ARRAY['a'], 'people'));
SELECT ff_validate_resume_condition(NULL);

-- the shape of the whole comes first, however deep
SELECT ff_validate_resume_condition(ff_all_of(ff_all_of(ff_all_of(ff_all_of(ff_all_of(ff_when('a'), '7'))))));

--
-- Rule 2, condition_size_exceeded: more than 65536 bytes as text
--

-- 836 waitpoints and one whose key makes up the rest
CREATE FUNCTION pg_temp.sized(bytes integer) RETURNS jsonb LANGUAGE sql AS $$
  SELECT ff_all_of(VARIADIC array_agg(ff_when(lpad(i::text, 20, 'k')) ORDER BY i)
                            || ff_when(repeat('k', bytes - 65311)))
    FROM generate_series(1, 836) i
$$;
SELECT octet_length(pg_temp.sized(65536)::text), ff_validate_resume_condition(pg_temp.sized(65536));
SELECT ff_validate_resume_condition(pg_temp.sized(65537));
SELECT ff_validate_resume_condition(ff_when(repeat('k', 10000000)));

--
-- Rule 3: depth-first, a node's depth, then its own fields, then its members
--

SELECT ff_validate_resume_condition(ff_all_of(ff_all_of(ff_all_of(ff_all_of(ff_all_of(ff_when('a')))))));
SELECT ff_validate_resume_condition(ff_all_of(VARIADIC '{}'));
SELECT ff_validate_resume_condition(ff_all_of(ff_when('a'), ff_all_of_waitpoints(VARIADIC '{}')));
SELECT ff_validate_resume_condition(ff_count_of(0, ARRAY['a']));
SELECT ff_validate_resume_condition(ff_all_of(ff_count_of(1, '{}')));
SELECT ff_validate_resume_condition(ff_count_of(1, ARRAY['a', 'b', 'a']));
SELECT ff_validate_resume_condition(ff_when('a', ''));
SELECT ff_validate_resume_condition(ff_count_of(1, ARRAY['a'], signal_name => ''));
-- only waitpoints are limited by their number
SELECT ff_validate_resume_condition(ff_count_of(3, ARRAY['a', 'b']));
SELECT ff_validate_resume_condition(ff_count_of(3, ARRAY['a', 'b'], 'signals'));
-- keys have 1 to 256 bytes, names too, and the engine has names of its own
SELECT ff_validate_resume_condition(ff_when(''));
SELECT ff_validate_resume_condition(ff_all_of(ff_any_of_waitpoints('a', repeat('k', 257))));
SELECT ff_validate_resume_condition(ff_when('a', repeat('n', 257)));
SELECT ff_validate_resume_condition(ff_when('a', '__timeout__'));
-- the first in the walk is the one reported
SELECT ff_validate_resume_condition(ff_all_of(ff_all_of(ff_count_of(0, '{}')), ff_when('')));

--
-- Meaning
--

-- a short way to write signals: key, name, source
CREATE FUNCTION pg_temp.signals(VARIADIC list text[]) RETURNS jsonb LANGUAGE sql AS $$
  SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
           'waitpoint_key', f[1], 'signal_name', f[2], 'signal_id', n::text,
           'source_type', 'user', 'source_identity', f[3])) ORDER BY n), '[]')
    FROM unnest(list) WITH ORDINALITY AS u(s, n), string_to_array(s, ' ') AS f
$$;
SELECT pg_temp.signals('a ready', 'b done alice');

-- Single: the waitpoint and the name, or any name
SELECT ff_evaluate_resume_condition(ff_when('a', 'ready'), s)
  FROM (VALUES (1, '[]'), (2, pg_temp.signals('a other')), (3, pg_temp.signals('b ready')),
               (4, pg_temp.signals('a other', 'a ready'))) AS v(n, s) ORDER BY n;
SELECT ff_evaluate_resume_condition(ff_when('a'), pg_temp.signals('a whatever'));

-- AllOf, in either order
SELECT ff_evaluate_resume_condition(ff_all_of_waitpoints('a', 'b'), s)
  FROM (VALUES (1, pg_temp.signals('a x')), (2, pg_temp.signals('a x', 'a y')),
               (3, pg_temp.signals('a x', 'b x')), (4, pg_temp.signals('b x', 'a x'))) AS v(n, s) ORDER BY n;
-- two names on one waitpoint
SELECT ff_evaluate_resume_condition(ff_all_of(ff_when('a', 'x'), ff_when('a', 'y')), s)
  FROM (VALUES (1, pg_temp.signals('a x', 'a x')), (2, pg_temp.signals('a y', 'a x'))) AS v(n, s) ORDER BY n;

-- Count: distinct waitpoints, signals, sources
SELECT by, ff_evaluate_resume_condition(ff_count_of(2, ARRAY['a', 'b', 'c'], by), s)
  FROM unnest(ARRAY['waitpoints', 'signals', 'sources']) WITH ORDINALITY AS b(by, o),
       (VALUES (1, pg_temp.signals('a x alice')), (2, pg_temp.signals('a x alice', 'a x alice')),
               (3, pg_temp.signals('a x alice', 'a x bob')), (4, pg_temp.signals('a x alice', 'b x alice')),
               (5, pg_temp.signals('a x alice', 'd x bob'))) AS v(n, s)
 ORDER BY o, n;
-- only of the name asked for
SELECT ff_evaluate_resume_condition(ff_count_of(2, ARRAY['a'], 'sources', 'yes'), s)
  FROM (VALUES (1, pg_temp.signals('a yes alice', 'a no bob')),
               (2, pg_temp.signals('a yes alice', 'a no bob', 'a yes bob'))) AS v(n, s) ORDER BY n;
-- a source is a pair: type and identity are not run together
SELECT ff_evaluate_resume_condition(ff_count_of(2, ARRAY['a'], 'sources'), s)
  FROM (VALUES (1, '[{"waitpoint_key":"a","source_type":"t","source_identity":"1"},
                     {"waitpoint_key":"a","source_type":"t1"}]'::jsonb),
               (2, '[{"waitpoint_key":"a","source_type":"t"}, {"waitpoint_key":"a","source_type":"t"}]')) AS v(n, s)
 ORDER BY n;
-- one signal may count at several nodes
SELECT ff_evaluate_resume_condition(ff_all_of(ff_when('a'), ff_when('a', 'x'), ff_any_of_waitpoints('a', 'b')),
                                    pg_temp.signals('a x'));

-- OperatorOnly and TimeoutOnly are never met by signals, nor is an AllOf with one
SELECT ff_evaluate_resume_condition(c, pg_temp.signals('a x', 'a __timeout_only__'))
  FROM (VALUES (ff_operator_only()), (ff_timeout_only()), (ff_all_of(ff_when('a'), ff_timeout_only()))) AS v(c);

-- the example: two reviewers and the migration
SELECT n, ff_evaluate_resume_condition(
            ff_all_of(ff_count_of(2, ARRAY['reviewers'], 'sources', 'approved'), ff_when('migration', 'done')),
            (SELECT jsonb_agg(e ORDER BY o) FROM jsonb_array_elements(s) WITH ORDINALITY AS x(e, o) WHERE o <= n))
  FROM generate_series(1, 5) n,
       pg_temp.signals('reviewers approved alice', 'reviewers approved alice', 'reviewers rejected bob',
                       'migration done', 'reviewers approved bob') AS s;

-- the signals have a shape too
SELECT ff_evaluate_resume_condition(ff_when('a'), '{}');
SELECT ff_evaluate_resume_condition(ff_when('a'), '[{"waitpoint_key":"a"}, {"waitpoint":"a"}]');
SELECT ff_evaluate_resume_condition(ff_when('a'), '[{"waitpoint_key":1}]');
SELECT ff_evaluate_resume_condition(ff_when('a'), NULL);
SELECT ff_evaluate_resume_condition(ff_when(''), '[]');
