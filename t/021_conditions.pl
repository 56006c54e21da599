# Random resume conditions and signals to them, through real suspensions and deliveries: after every
# step what the engine keeps incrementally is what ff_evaluate_resume_condition, the reference, says
# of the signals so far. Not only whether the whole condition is met, but each of its nodes, how far
# each count is, and what the sender is told.
#
# A fixed seed; FF_CONDITIONS_SEED and FF_CONDITIONS_COUNT change both.
use strict;
use warnings FATAL => 'all';

use FfTest;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $seed  = $ENV{FF_CONDITIONS_SEED}  // 1789;
my $count = $ENV{FF_CONDITIONS_COUNT} // 20_000;
my $sessions = 2;

my $begun = time;
srand($seed);

# --- Making conditions that are valid, and signals that come near to meeting them.

sub pick { return $_[ int rand @_ ] }

sub subset
{
	my @from = @_;
	my $size = 1 + int rand @from;
	my @chosen;
	push @chosen, splice @from, int rand @from, 1 while @chosen < $size;
	return @chosen;
}

sub matcher { return rand() < 0.4 ? '"Wildcard"' : sprintf '{"ByName":"%s"}', pick(qw(x y z)) }

sub condition
{
	my ($depth, @keys) = @_;
	my $kind = rand;
	if ($depth > 0 && $kind < 0.5)
	{
		return sprintf '{"Composite":{"kind":"AllOf","members":[%s]}}',
		  join ',', map { condition($depth - 1, @keys) } 1 .. pick(1, 2, 2, 3, 4);
	}
	return pick('"OperatorOnly"', '"TimeoutOnly"') if $kind > 0.99;
	if ($depth > 0 && $kind < 0.85)
	{
		my @of = subset(@keys);
		my $by = pick(qw(DistinctWaitpoints DistinctSignals DistinctSources));
		my $n = 1 + int rand($by eq 'DistinctWaitpoints' ? @of : 4);
		my $matcher = rand() < 0.4 ? '' : rand() < 0.2 ? ',"matcher":null' : ',"matcher":' . matcher();
		return sprintf '{"Composite":{"kind":"Count","n":%d,"count_kind":"%s","waitpoints":[%s]%s}}',
		  $n, $by, join(',', map { "\"$_\"" } @of), $matcher;
	}
	return sprintf '{"Single":{"waitpoint_key":"%s","matcher":%s}}', pick(@keys), matcher();
}

# Keys are chosen by their place among those the condition names, which the server knows.
sub signals
{
	return join ',', map {
		sprintf '{"key":%d,"signal_name":"%s","source_type":"%s","source_identity":"%s"}',
		  int rand 12, pick(qw(x x y y z w)), pick(qw(user user system)), pick('', 1, 2, 3)
	} 1 .. pick(1, 2, 3, 5, 8, 12);
}

sub write_inputs
{
	my ($path) = @_;
	open my $file, '>', $path or die "$path: $!";
	for my $n (1 .. $count)
	{
		my @keys = @{ [qw(a b c d)] }[ 0 .. pick(0, 1, 1, 2, 3) ];
		# every tenth gets some of its signals before it waits
		my $early = $n % 10 ? 0 : 1 + int rand 6;
		print $file join("\t", $n, condition(pick(0, 1, 1, 2, 2, 3, 4), @keys), '[' . signals() . ']', $early), "\n";
	}
	close $file or die "$path: $!";
	return;
}

my $node = node_with_extension('conditions', conf => [ 'log_min_messages = error', 'autovacuum = off' ]);
my $inputs = $PostgreSQL::Test::Utils::tmp_check . '/conditions';
write_inputs($inputs);

$node->safe_psql('postgres', <<"SQL");
SELECT ff_seed_waitpoint_hmac_secret('k1');
CREATE TABLE input (n integer PRIMARY KEY, condition jsonb, signals jsonb, early integer);
COPY input FROM '$inputs';
SQL

$node->safe_psql('postgres', <<'SQL');
CREATE TABLE wrong (n integer, step integer, what text, found text);
CREATE TABLE tally (conditions integer, steps integer, nodes integer, met integer, met_by_buffer integer);

-- Each node of a condition: its path, itself, the keys it names, the name it wants (NULL: any).
CREATE FUNCTION nodes(condition jsonb) RETURNS TABLE (path text, node jsonb, keys jsonb, name text, is_count boolean)
LANGUAGE sql IMMUTABLE AS $$
  WITH RECURSIVE tree (path, node) AS (
    SELECT '', condition
     UNION ALL
    SELECT concat_ws('.', nullif(tree.path, ''), 'members[' || m.n - 1 || ']'), m.member
      FROM tree, jsonb_array_elements(tree.node #> '{Composite,members}') WITH ORDINALITY m (member, n))
  SELECT path, node,
         CASE WHEN node ? 'Single' THEN jsonb_build_array(node #> '{Single,waitpoint_key}')
              ELSE coalesce(node #> '{Composite,waitpoints}', '[]') END,
         coalesce(node #>> '{Single,matcher,ByName}', node #>> '{Composite,matcher,ByName}'),
         coalesce(node #>> '{Composite,kind}' = 'Count', false)
    FROM tree
$$;

-- What of the evaluation state is not as the reference says of the signals.
CREATE FUNCTION differences(tree jsonb, satisfied_set jsonb, member_map jsonb, signals jsonb) RETURNS text
LANGUAGE sql STABLE AS $$
  SELECT string_agg(format('%s is %s', CASE path WHEN '' THEN '<root>' ELSE path END, is_true), ', ')
    FROM jsonb_to_recordset(tree) t (path text, node jsonb, is_count boolean),
         LATERAL (SELECT ff_evaluate_resume_condition(node, signals) AS is_true,
                         (member_map ->> path)::integer AS progress) e
   WHERE (satisfied_set ? path) <> is_true
      OR progress IS NOT NULL AND (is_true OR NOT is_count)
      -- the count so far is right: as many are shown, and not one more
      OR is_count AND NOT is_true
         AND (progress IS NOT NULL AND NOT ff_evaluate_resume_condition(jsonb_set(node, '{Composite,n}', to_jsonb(progress)), signals)
              OR ff_evaluate_resume_condition(jsonb_set(node, '{Composite,n}', to_jsonb(coalesce(progress, 0) + 1)), signals))
$$;

CREATE PROCEDURE try(me integer, sessions integer) LANGUAGE plpgsql AS $$
DECLARE
  i record;
  s record;
  d record;
  e text;
  h bytea;
  tree jsonb;
  names text[];
  ids uuid[];
  tokens text[];
  so_far jsonb;
  reference boolean;
  seen record;
  now_seen record;
  signal jsonb;
  waitpoint integer;
  step integer;
  expected text;
  closer uuid;
  different text;
  conditions integer := 0;
  steps integer := 0;
  nodes integer := 0;
  met integer := 0;
  met_by_buffer integer := 0;
BEGIN
  FOR i IN SELECT * FROM input WHERE n % sessions = me ORDER BY n LOOP
    -- a new execution now and then, the old one's next episode otherwise
    IF conditions % 50 = 0 THEN
      IF h IS NOT NULL THEN
        PERFORM ff_complete(h);
      END IF;
      COMMIT;
      SELECT execution_id INTO e FROM ff_create_execution('lane-' || me);
      SELECT handle INTO STRICT h FROM ff_claim('lane-' || me, 'w', 'w-1', lease_ttl_ms => 3600000);
    END IF;
    conditions := conditions + 1;
    SELECT jsonb_agg(to_jsonb(t)) INTO tree FROM nodes(i.condition) t;
    nodes := nodes + jsonb_array_length(tree);
    names := ARRAY(SELECT DISTINCT jsonb_array_elements_text(t.keys) FROM jsonb_to_recordset(tree) t (keys jsonb));
    so_far := '[]';
    step := 0;
    ids := '{}';
    tokens := '{}';
    closer := NULL;
    reference := false;

    -- some signals before the suspension, which evaluates them in their order
    IF i.early > 0 AND names <> '{}' THEN
      FOR waitpoint IN 1 .. cardinality(names) LOOP
        SELECT * INTO s FROM ff_create_waitpoint(h, names[waitpoint]);
        ids[waitpoint] := s.waitpoint_id;
        tokens[waitpoint] := s.waitpoint_token;
      END LOOP;
      FOR signal IN SELECT x FROM jsonb_array_elements(i.signals) WITH ORDINALITY y (x, n) ORDER BY n LIMIT i.early LOOP
        step := step + 1;
        waitpoint := 1 + (signal ->> 'key')::integer % cardinality(names);
        SELECT * INTO d FROM ff_deliver_signal(e, ids[waitpoint], tokens[waitpoint], signal ->> 'signal_name',
                               source_type => signal ->> 'source_type', source_identity => signal ->> 'source_identity');
        so_far := so_far || (signal - 'key' || jsonb_build_object('waitpoint_key', names[waitpoint], 'signal_id', d.signal_id));
        IF NOT reference THEN
          reference := ff_evaluate_resume_condition(i.condition, so_far);
          closer := CASE WHEN reference THEN d.signal_id END;
        END IF;
      END LOOP;
      SELECT * INTO s FROM ff_suspend(h, i.condition, timeout_at => now() + interval '1 day',
                             waitpoints => (SELECT jsonb_agg(ff_use_pending(u)) FROM unnest(ids) u));
      IF (s.outcome = 'already_satisfied') <> reference THEN
        INSERT INTO wrong VALUES (i.n, step, 'buffered: met is ' || reference, s.outcome);
      END IF;
      IF s.outcome = 'already_satisfied' THEN
        met_by_buffer := met_by_buffer + 1;
        INSERT INTO wrong SELECT i.n, step, 'closed by ' || closer, x.closer_signal_id
          FROM ff_suspension_history x WHERE x.suspension_id = s.suspension_id AND x.closer_signal_id <> closer;
        CONTINUE;
      END IF;
    ELSE
      SELECT * INTO s FROM ff_suspend(h, i.condition, timeout_at => now() + interval '1 day');
      SELECT array_agg(w.waitpoint_key), array_agg(w.waitpoint_id), array_agg(w.waitpoint_token) INTO names, ids, tokens
        FROM jsonb_to_recordset(to_jsonb(s) || s.additional_waitpoints) w (waitpoint_key text, waitpoint_id uuid, waitpoint_token text);
    END IF;

    SELECT c.satisfied_set, c.member_map INTO seen
      FROM ff_suspension_current c WHERE partition_key = ff_execution_partition(e) AND execution_id = ff_execution_uuid(e);
    different := differences(tree, seen.satisfied_set, seen.member_map, so_far);
    IF different IS NOT NULL THEN
      INSERT INTO wrong VALUES (i.n, step, 'after the suspension: ' || different, seen::text);
    END IF;

    FOR signal IN SELECT x FROM jsonb_array_elements(i.signals) WITH ORDINALITY y (x, n) WHERE n > step ORDER BY n LOOP
      step := step + 1;
      steps := steps + 1;
      waitpoint := 1 + (signal ->> 'key')::integer % cardinality(names);
      SELECT * INTO d FROM ff_deliver_signal(e, ids[waitpoint], tokens[waitpoint], signal ->> 'signal_name',
                             source_type => signal ->> 'source_type', source_identity => signal ->> 'source_identity');
      so_far := so_far || (signal - 'key' || jsonb_build_object('waitpoint_key', names[waitpoint], 'signal_id', d.signal_id));
      reference := ff_evaluate_resume_condition(i.condition, so_far);
      IF d.effect <> (CASE WHEN reference THEN 'resume_condition_satisfied' ELSE 'appended_to_waitpoint' END) THEN
        INSERT INTO wrong VALUES (i.n, step, 'met is ' || reference, d.effect);
      END IF;
      SELECT c.satisfied_set, c.member_map INTO now_seen
        FROM ff_suspension_current c WHERE partition_key = ff_execution_partition(e) AND execution_id = ff_execution_uuid(e);
      different := differences(tree, now_seen.satisfied_set, now_seen.member_map, so_far);
      IF different IS NOT NULL THEN
        INSERT INTO wrong VALUES (i.n, step, different, now_seen::text);
      END IF;
      SELECT CASE WHEN seen IS DISTINCT FROM now_seen THEN 'counted'
                  WHEN bool_or(t.keys ? names[waitpoint] AND coalesce(t.name = signal ->> 'signal_name', true)) THEN 'already_counted'
                  WHEN bool_or(t.keys ? names[waitpoint]) THEN 'name_mismatch'
                  ELSE 'not_in_condition' END INTO expected
        FROM jsonb_to_recordset(tree) t (keys jsonb, name text);
      IF d.match_result <> expected THEN
        INSERT INTO wrong VALUES (i.n, step, 'match_result is ' || expected, d.match_result);
      END IF;
      seen := now_seen;
      EXIT WHEN d.effect = 'resume_condition_satisfied';
    END LOOP;
    IF reference THEN
      met := met + 1;
    ELSE
      PERFORM ff_resume_execution(e);
    END IF;
    SELECT handle INTO h FROM ff_claim_resumed_execution(e, 'w', 'w-1', lease_ttl_ms => 3600000);
  END LOOP;
  INSERT INTO tally VALUES (conditions, steps, nodes, met, met_by_buffer);
END
$$;
SQL

my @running = map {
	my ($out, $err) = ('', '');
	{ err => \$err,
		run => IPC::Run::start([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-c', "CALL try($_, $sessions)" ],
			'<', \undef, '>', \$out, '2>', \$err, IPC::Run::timeout(600)) }
} 0 .. $sessions - 1;
my @failed = grep { !$_->{run}->finish } @running;
is(join('', map { ${ $_->{err} } } @failed), '', 'every session came to its end');

my ($conditions, $steps, $nodes, $met, $met_by_buffer) =
  split /\|/, $node->safe_psql('postgres', 'SELECT sum(conditions), sum(steps), sum(nodes), sum(met), sum(met_by_buffer) FROM tally');
is($conditions, $count, "$count conditions");
is($node->safe_psql('postgres', 'SELECT w.*, condition FROM wrong w JOIN input USING (n) ORDER BY pg_column_size(condition), n, step LIMIT 5'),
	'', 'each as the reference says, at every step');
# the drawing is worth something: some are met, some are not, by signals and by what was buffered
cmp_ok($met, '>', $count / 10, "$met met by a delivery");
cmp_ok($met_by_buffer, '>', $count / 100, "$met_by_buffer met by what was buffered");
cmp_ok($count - $met - $met_by_buffer, '>', $count / 10, 'the others not');
cmp_ok($steps, '>', 2 * $count, "$steps deliveries to an open suspension");
is_consistent($node);
log_is_clean($node);
my $took = time - $begun;
note(sprintf '%d nodes, %.1f s', $nodes, $took);
$node->stop;

done_testing();
