# Claims begin where live work does, go by the classes that the lane is known to have, and miss none for
# it: what goes back before that place, or is of another class, told of or not, is claimed within a few seconds, whatever becomes of the worker and the server, while an old
# snapshot keeps every dead index entry. FF_FRONTIER_SEED changes what the random sessions do.
use strict;
use warnings FATAL => 'all';

use FfSession;
use FfTest;
use FfWorker;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

# Seconds until what nobody told of is found, at the latest.
use constant PATIENCE => 3;

# More classes and lanes than there is room for in shared memory.
use constant { CLASSES => 300, LANES => 150 };

my $seed = $ENV{FF_FRONTIER_SEED} // 4711;
my $begun = time;
note("seed $seed");
srand $seed;

my $node = node_with_extension('frontier', preload => 1, init => { allows_streaming => 1 },
	conf => [ worker_conf('max_prepared_transactions = 20', 'max_connections = 40', "ffengine.retention = '7d'") ]);

sub rows
{
	my ($sql, $db) = @_;
	return $node->safe_psql($db // 'postgres', $sql);
}

# --- What the tests below do, on the server.

my $procedures = <<'SQL';
CREATE TABLE done (execution_id text, at timestamptz DEFAULT clock_timestamp());

-- Create one, as if so long ago; its id.
CREATE FUNCTION put(lane text, age_ms bigint, caps text[] DEFAULT '{}', priority integer DEFAULT 0) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
  e text;
BEGIN
  PERFORM set_config('ffengine.test_now_ms', (ff_to_ms(clock_timestamp()) - age_ms)::text, false);
  SELECT execution_id INTO e FROM ff_create_execution(lane, required_capabilities => caps, priority => put.priority,
    policy => '{"retry_policy": {"max_retries": 1000, "backoff": {"type": "fixed", "delay_ms": 100}}}');
  PERFORM set_config('ffengine.test_now_ms', '0', false);
  RETURN e;
END $$;

-- The same, many at once.
CREATE FUNCTION put_many(lane text, n integer) RETURNS bigint LANGUAGE sql AS $$
  SELECT count(*) FROM ff_create_executions((SELECT jsonb_agg('{}'::jsonb) FROM generate_series(1, n)),
                                            jsonb_build_object('lane_id', lane))
$$;

-- The same by hand.
CREATE FUNCTION put_by_hand(lane text, age_ms bigint, caps text[] DEFAULT '{}') RETURNS text LANGUAGE sql AS $$
  INSERT INTO ff_exec_core (partition_key, execution_id, lane_id, priority, lifecycle_phase, ownership_state,
    eligibility_state, blocking_reason, public_state, attempt_state, created_at_ms, required_capabilities)
  VALUES (7, gen_random_uuid(), lane, 0, 'runnable', 'unowned', 'eligible_now', 'waiting_for_worker', 'waiting',
          'pending_first_attempt', ff_to_ms(clock_timestamp()) - age_ms, caps)
  RETURNING ff_execution_id(partition_key, execution_id)
$$;

CREATE PROCEDURE complete(handle bytea, e text) LANGUAGE sql AS $$
  INSERT INTO done SELECT c.execution_id FROM ff_complete(handle) c WHERE NOT c.replayed;
$$;

-- Dead entries in the claim order: n thousand created, claimed, completed. In transactions that have
-- written before they claim, or not.
CREATE PROCEDURE churn(lane text, n integer, wrote boolean DEFAULT false) LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. n LOOP
    PERFORM put_many(lane, 1000);
    COMMIT;
    IF wrote THEN
      PERFORM pg_current_xact_id();
    END IF;
    PERFORM count(*) FROM (SELECT array_agg(handle) AS handles FROM ff_claim(lane, 'w', 'w-1', max_claims => 1000)) c,
      LATERAL ff_complete_many(c.handles);
    COMMIT;
  END LOOP;
END $$;

-- End what was claimed in one of many ways, most of which put it back at its old place.
CREATE PROCEDURE go_on(e text, handle bytea, timed boolean) LANGUAGE plpgsql AS $$
DECLARE
  roll float8 := random();
  s record;
BEGIN
  IF roll < 0.5 THEN
    CALL complete(handle, e);
  ELSIF roll < 0.65 THEN
    PERFORM ff_delay(handle, clock_timestamp() - interval '1 s');
  ELSIF roll < 0.8 OR NOT timed THEN
    SELECT * INTO s FROM ff_suspend(handle, ff_when('go'));
    PERFORM ff_deliver_signal(e, s.waitpoint_id, s.waitpoint_token, 'go');
  ELSIF roll < 0.85 THEN
    PERFORM ff_delay(handle, clock_timestamp() + random() * interval '0.3 s');
  ELSIF roll < 0.9 THEN
    PERFORM ff_fail(handle, 'no luck');
  ELSIF roll < 0.95 THEN
    PERFORM ff_suspend(handle, ff_when('go'), timeout_at => clock_timestamp() + interval '0.2 s',
                       timeout_behavior => 'auto_resume_with_timeout_signal');
  -- else the lease expires
  END IF;
END $$;

-- Random steps in random transactions. Work that is told of must be there at once: what is left after
-- claiming all, is nobody's and locked by nobody, five times running, is hidden. In read committed, a
-- claim that comes after sees it.
CREATE TABLE hidden (execution_id text);
CREATE PROCEDURE chaos(seed float8, seconds float8) LANGUAGE plpgsql AS $$
DECLARE
  give_up timestamptz := clock_timestamp() + seconds * interval '1 s';
  caps text[] := '{a,b,c}' || ARRAY(SELECT 'r' || n FROM generate_series(0, 199) n);
  roll float8;
  lane text;
  e text;
  c record;
BEGIN
  PERFORM setseed(seed);
  WHILE clock_timestamp() < give_up LOOP
    COMMIT;
    BEGIN
      FOR i IN 1 .. 1 + floor(random() * 3) LOOP
        roll := random();
        lane := (ARRAY['l', 'm'])[1 + floor(random() * 2)];
        IF roll < 0.3 THEN
          PERFORM put(lane, floor(random() * 60000)::bigint,
                      string_to_array((ARRAY['', 'a', 'a,b', 'c', 'r' || floor(random() * 200)])[1 + floor(random() * 5)], ','), floor(random() * 3)::integer);
        ELSIF roll < 0.35 THEN
          PERFORM put_many(lane, 20);
        ELSE
          FOR c IN SELECT execution_id, handle
                     FROM ff_claim(lane, 'w', 'w-1', caps, lease_ttl_ms => 300, max_claims => 1 + floor(random() * 8)::integer) LOOP
            CALL go_on(c.execution_id, c.handle, true);
          END LOOP;
        END IF;
        IF random() < 0.2 THEN
          RAISE EXCEPTION USING ERRCODE = 'U0001';
        END IF;
      END LOOP;
    EXCEPTION
      WHEN SQLSTATE 'U0001' OR serialization_failure OR deadlock_detected THEN
        NULL;
    END;
    IF random() < 0.15 THEN
      ROLLBACK;
    END IF;
    CONTINUE WHEN random() < 0.7 OR current_setting('transaction_isolation') <> 'read committed';

    COMMIT;
    e := put(lane, floor(random() * 60000)::bigint);
    COMMIT;
    FOR try IN 1 .. 5 LOOP
      FOR c IN SELECT execution_id, handle FROM ff_claim(lane, 'w', 'w-1', caps, max_claims => 1000) LOOP
        CALL complete(c.handle, c.execution_id);
      END LOOP;
      COMMIT;
      PERFORM FROM ff_exec_core x
        WHERE x.partition_key = ff_execution_partition(e) AND x.execution_id = ff_execution_uuid(e)
          AND eligibility_state = 'eligible_now' AND ownership_state = 'unowned' FOR UPDATE SKIP LOCKED;
      EXIT WHEN NOT FOUND;
      COMMIT;
      IF try = 5 THEN
        INSERT INTO hidden VALUES (e);
      END IF;
    END LOOP;
    COMMIT;
  END LOOP;
END $$;

-- Whatever this one session does, every claim gets what comes first: so many classes of capabilities.
CREATE PROCEDURE in_order(seed float8, rounds integer, classes integer) LANGUAGE plpgsql AS $$
DECLARE
  lane text := 'order-' || classes;
  caps text[];
  n integer;
  expected text[];
  got text[];
  handles bytea[];
BEGIN
  PERFORM setseed(seed);
  FOR round IN 1 .. rounds LOOP
    BEGIN
      FOR i IN 1 .. floor(random() * 4) LOOP
        PERFORM put(lane, floor(random() * 1000)::bigint, ARRAY['k' || floor(random() * classes)], floor(random() * 3)::integer);
      END LOOP;
      caps := ARRAY(SELECT 'k' || k FROM generate_series(0, classes) k WHERE random() < 0.8);
      n := 1 + floor(random() * 4);
      expected := ARRAY(SELECT ff_execution_id(partition_key, execution_id) FROM ff_exec_core
                         WHERE lane_id = lane AND lifecycle_phase = 'runnable' AND ownership_state = 'unowned'
                           AND eligibility_state = 'eligible_now' AND required_capabilities <@ caps
                         ORDER BY priority DESC, created_at_ms, execution_id LIMIT n);
      SELECT COALESCE(array_agg(execution_id), '{}'), array_agg(handle) INTO got, handles
        FROM ff_claim(lane, 'w', 'w-1', caps, max_claims => n);
      IF got <> expected THEN
        RAISE EXCEPTION 'round %: expected %, got %', round, expected, got;
      END IF;
      FOR i IN 1 .. cardinality(got) LOOP
        CALL go_on(got[i], handles[i], false);
      END LOOP;
      IF random() < 0.2 THEN
        RAISE EXCEPTION USING ERRCODE = 'U0001';
      END IF;
    EXCEPTION
      WHEN SQLSTATE 'U0001' THEN
        NULL;
    END;
    IF random() < 0.2 THEN
      ROLLBACK;
    ELSIF random() < 0.7 THEN
      COMMIT;
    END IF;
  END LOOP;
END $$;

SELECT ff_seed_waitpoint_hmac_secret('k1');
SQL
rows($procedures);

# claims(LANE, SECONDS, NAME, ID...): claims give these, and nothing else, within that time
sub claims
{
	my ($lane, $seconds, $name, @ids) = @_;
	my ($from, @got) = (time);

	do
	{
		push @got, split /\n/, rows("SELECT execution_id FROM ff_claim('$lane', 'w', 'w-1', '{a,new}', max_claims => 100)");
	} while (@got < @ids && time < $from + $seconds && usleep(20_000));
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is(join(' ', @got), join(' ', @ids), sprintf '%s, after %.1f s', $name, time - $from);
}

# Prepares a transaction with an old execution, not the first of its lane; its id.
sub prepare
{
	my ($lane, $gid) = @_;
	go_past($lane);
	return rows("BEGIN; SELECT put('$lane', 3600000); PREPARE TRANSACTION '$gid'");
}

# Claims go past where it is.
sub go_past
{
	my ($lane) = @_;
	rows("SELECT put_many('$lane', 3)");
	return rows("SELECT count(*) FROM ff_claim('$lane', 'w', 'w-1', max_claims => 2); SELECT count(*) FROM ff_claim('$lane', 'w', 'w-1')");
}

sub stop_worker { return rows('SELECT outcome FROM ff_stop_worker()') }

# The frontiers are in use from the worker's first sweep on.
sub start_worker
{
	rows('SELECT ff_start_worker()');
	return usleep(1_500_000);
}

my $measuring = FfSession->new($node);

# pages(LANE, BEFORE): how many a claim reads, in a transaction that does that before; rolled back
sub pages
{
	my ($lane, $before) = @_;
	$before //= 'SELECT 1';
	my $plan = $measuring->ask("BEGIN; $before; SELECT count(*) FROM ff_claim('$lane', 'w', 'w-1'); ROLLBACK; "
		  . "BEGIN; $before; EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF, SUMMARY OFF) "
		  . "SELECT count(*) FROM ff_claim('$lane', 'w', 'w-1'); ROLLBACK;");
	my ($line) = $plan =~ /Buffers: ([^\n]*)/ or die "no buffers in $plan" . $measuring->errors;
	my $pages = 0;
	$pages += $_ for $line =~ /(?:hit|read)=(\d+)/g;
	return $pages;
}

my $holder = FfSession->new($node);
$holder->ask('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM ff_exec_core;');
within(10, 'there is a worker', sub { workers($node, 'postgres') == 1 });
usleep(1_500_000);

# --- Dead entries cost no claim anything; without a worker, which vouches for the frontier, they do.

rows(q(CALL churn('flat', 2); CALL churn('written', 2, true); SELECT put_many('flat', 10), put_many('written', 10)));
usleep(2_500_000);
my $early = pages('flat');
my $wrote = 'SELECT pg_current_xact_id()';
my $early_written = pages('written', $wrote);
rows(q(CALL churn('flat', 18); CALL churn('written', 4, true)));
my $late = pages('flat');
cmp_ok($late, '<', $early + 30, "a claim reads $late pages with 20,000 dead entries ahead, $early with 2,000");
my $own = pages('flat', q(SELECT put('flat', 0)));
cmp_ok($own, '<', $early + 60, "$own in a transaction that has created work itself");
usleep(2_500_000);
my $late_written = pages('written', $wrote);
cmp_ok($late_written, '<', $early_written + 30,
	"where all claims are of transactions that have written, $late_written with 6,000, $early_written with 2,000");
is(stop_worker(), 'stopped', 'the worker is stopped');
my $without = pages('flat');
cmp_ok($without, '>', $late + 200, "a claim reads $without pages without a worker");
start_worker();
within(5, 'as few as before with one again', sub { pages('flat') < $early + 30 });

# --- Found, though nothing tells of it.

my $id;
my $missed = 0;
for my $try (1 .. 3)
{
	$id = prepare('p', "p$try");
	go_past('p');
	my $first = rows("COMMIT PREPARED 'p$try'; SELECT execution_id FROM ff_claim('p', 'w', 'w-1')");
	$missed += $first eq '';
	claims('p', PATIENCE, "a prepared transaction commits, try $try", $first eq '' ? $id : ());
}
cmp_ok($missed, '>', 0, "what it wrote is behind the frontier $missed times: the sweep found it");

go_past('h');
$id = rows(q(SELECT put_by_hand('h', 3600000)));
claims('h', PATIENCE, 'put in by hand', $id);
my $later = rows(q(SELECT put('h', 7200000); UPDATE ff_exec_core SET eligibility_state = 'not_eligible_until_time',
	blocking_reason = 'waiting_for_delay', public_state = 'delayed', eligible_at_ms = 9000000000000 WHERE lane_id = 'h' AND ownership_state = 'unowned'));
go_past('h');
rows(q(UPDATE ff_exec_core SET eligibility_state = 'eligible_now', blocking_reason = 'waiting_for_worker', public_state = 'waiting',
	eligible_at_ms = NULL WHERE lane_id = 'h' AND ownership_state = 'unowned'));
claims('h', PATIENCE, 'made claimable by hand', $later);

my $waiter = FfSession->new($node);
for my $idle (0, 3)
{
	$id = prepare('w', 'w');
	go_past('w');
	$waiter->tell(q(SELECT execution_id FROM ff_claim('w', 'w', 'w-2', block_ms => 20000);));
	usleep(200_000 + $idle * 1_000_000);
	rows(q(COMMIT PREPARED 'w'));
	my $from = time;
	is($waiter->answer, $id, 'a claim that waits gets it');
	cmp_ok(time - $from, '<', PATIENCE, sprintf 'after %.1f s', time - $from);
}

# A lane where nobody has claimed for a while: the first one that comes gets it.
$id = prepare('idle', 'idle');
go_past('idle');
usleep(2_500_000);
rows(q(COMMIT PREPARED 'idle'));
usleep(PATIENCE * 1_000_000);
claims('idle', 0, 'a claim that comes long after', $id);

# --- The same of a class that the lane has not had. A lane of the same work beside it, which its worker
# cannot take, costs a claim nothing.

claims('c', 1, 'of a class of its own', rows(q(SELECT put('c', 0, '{a}'))));
claims('c', 0, 'none is left');
$id = rows(q(BEGIN; SELECT put('c', 0, '{new}'); PREPARE TRANSACTION 'c1'));
claims('c', 1, 'while another is prepared', rows(q(SELECT put('c', 0))));
rows(q(COMMIT PREPARED 'c1'));
claims('c', PATIENCE, 'a prepared transaction had a new class', $id);
claims('c', PATIENCE, 'put in by hand, of a new class', rows(q(SELECT put_by_hand('c', 0, '{a,new}'))));
is( rows(q(BEGIN; CREATE TEMP TABLE own AS SELECT put('c', 0, '{own}') AS id;
	SELECT bool_and(execution_id = id) FROM own, ff_claim('c', 'w', 'w-1', '{own}', max_claims => 5); ROLLBACK)),
	't', 'a transaction claims what it alone knows of');
is( rows(q(BEGIN; SELECT count(*) FROM ff_claim('by-hand', 'w', 'w-1'); SELECT put_by_hand('by-hand', 0, '{own}') IS NOT NULL;
	SELECT count(*) FROM ff_claim('by-hand', 'w', 'w-1', '{own}'); ROLLBACK)),
	"0\nt\n1", 'and what it has put in by hand itself');

# Tokens that no function lets in may have the hash of others; it does no harm when they are gone.
rows(q(SELECT put_by_hand('hash', 1000, '{"a,new"}')));
my $behind = rows(q(SELECT put('hash', 0, '{a,new}')));
my $session = FfSession->new($node);
my $claim_there = q(SELECT execution_id FROM ff_claim('hash', 'w', 'w-1', '{a,new}'););
is($session->ask($claim_there), '', 'hidden behind such a row');
rows(q(DELETE FROM ff_exec_core WHERE required_capabilities = '{"a,new"}'));
within(6, 'and not any more', sub { $session->ask($claim_there) eq $behind });
$session->end;

# A lane without a name is no function's either.
rows(q(INSERT INTO ff_exec_core (partition_key, execution_id, lane_id, priority, lifecycle_phase, ownership_state, eligibility_state,
	blocking_reason, public_state, attempt_state, created_at_ms, eligible_at_ms, required_capabilities)
	SELECT 7, gen_random_uuid(), '', 0, 'runnable', 'unowned', 'not_eligible_until_time', 'waiting_for_delay', 'delayed',
	'pending_first_attempt', 1, 1, ARRAY['n' || n] FROM generate_series(1, 3) n));
within(10, 'its work becomes claimable', sub { rows(q(SELECT count(*) FROM ff_exec_core WHERE lane_id = '' AND eligibility_state = 'eligible_now')) == 3 });
claims('c', 1, 'other lanes go on', rows(q(SELECT put('c', 0))));
rows(q(DELETE FROM ff_exec_core WHERE lane_id = ''));

my $alone = pages('flat');
rows(q(SELECT put('flat', 7200000, ARRAY['other-' || n]) FROM generate_series(1, 20) n));
my $beside = pages('flat');
cmp_ok($beside, '<', $alone + 10, "a claim reads $beside pages beside 20 classes of others, $alone without");

# --- More classes, and lanes, than there is room for: every claim gets what comes first all the same.

my @many = split /\n/, rows('SELECT put(\'many\', (1000 - n) * 1000, ARRAY[CASE WHEN n % 3 = 0 THEN \'t0\' ELSE \'t\' || n % 150 END, \'t\' || n / 2])
	FROM generate_series(1, ' . CLASSES . ') n');
cmp_ok(rows(q(SELECT count(DISTINCT caps_hash) FROM ff_exec_core WHERE lane_id = 'many')), '>', 256, 'many classes');
my $of_all = join ',', map { "t$_" } 0 .. 150;
for my $round (1 .. 3)
{
	my @next = splice @many, 0, CLASSES / 3;
	usleep(1_200_000) if $round == 2;
	is(join(' ', split /\n/, rows("SELECT execution_id FROM ff_claim('many', 'w', 'w-1', '{$of_all}', max_claims => ${\ (CLASSES / 3)})")),
		"@next", "round $round");
}
rows("SELECT put('many-' || n % ${\ LANES}, 0, ARRAY['a']) FROM generate_series(1, ${\ LANES} * 2) n");
for my $round (1 .. 3)
{
	usleep(1_200_000) if $round == 2;
	is( rows("SELECT count(c.execution_id) FROM generate_series(1, ${\ LANES}) n, ff_claim('many-' || n - 1, 'w', 'w-1', '{a}') c"),
		$round < 3 ? LANES : 0, "round $round of many lanes");
}

# --- Whatever the worker is kept by.

$id = prepare('s', 's1');
go_past('s');
my ($worker) = workers($node, 'postgres');
within(5, 'the worker is idle', sub { rows("SELECT query FROM pg_stat_activity WHERE pid = $worker") eq 'ffengine: idle' });
kill 'STOP', $worker;
rows(q(COMMIT PREPARED 's1'));
claims('s', PATIENCE + 2, 'the worker hangs', $id);
kill 'CONT', $worker;

$id = prepare('s', 's2');
my $next = prepare('s', 's3');
go_past('s');
is(stop_worker(), 'stopped', 'the worker is stopped again');
rows(q(COMMIT PREPARED 's2'));
claims('s', 0, 'without a worker at once', $id);
my @three = map { rows("SELECT put('s', 0, priority => $_)") } 1 .. 3;
claims('s', 0, 'in order', reverse @three);
rows(q(COMMIT PREPARED 's3'));
rows('SELECT ff_start_worker()');
claims('s', 0, 'and with one that has just begun', $next);

# --- In order, whatever one session does; more classes than there are frontiers too.

for my $classes (1, 3, 150)
{
	my $rounds = $classes == 150 ? 150 : 400;
	my $order_seed = rand;
	my ($rc, undef, $err) = $node->psql('postgres', "CALL in_order($order_seed, $rounds, $classes)");
	is($rc, 0, "$rounds rounds of $classes classes, seed $order_seed, in order") or diag $err;
}

# --- A claim whose look is long ago: it has stepped over 20,000 dead entries, since other classes took the
# place of its frontier, while work came back behind it, less or more than the moves that are kept.

my ($slow, $quick) = (FfSession->new($node), FfSession->new($node));
my $all = join ',', map { "k$_" } 0 .. 150;
rows(q(CREATE PROCEDURE put_back(n integer) LANGUAGE plpgsql AS $$
	BEGIN
	  FOR i IN 1 .. n LOOP
	    PERFORM put('flat', 3600000);
	    COMMIT;
	  END LOOP;
	END $$));
$_->ask(q(CALL put_back(1); SELECT count(*) FROM ff_claim('flat', 'w', 'w-1', max_claims => 1000);)) for $slow, $quick;
my ($out_of, $found) = (0, 0);
for my $n (1, 5, 10, 30, 2, 5, 15, 30)
{
	rows("SELECT put_many('flat', 1); SELECT count(*) FROM ff_claim('order-150', 'w', 'w-1', '{$all}')");
	$slow->tell(q(SELECT count(*) FROM ff_claim('flat', 'w', 'w-1');));
	usleep(rand 3_000);
	$quick->tell("CALL put_back($n); SELECT count(*) FROM ff_claim('flat', 'w', 'w-1', max_claims => 1000);");
	$found += $slow->answer;
	$found += $quick->answer;
	$found += rows(q(SELECT count(*) FROM ff_claim('flat', 'w', 'w-1', max_claims => 1000)));
	$out_of += $n + 1;
}
is($found, $out_of, 'what came back while a claim was on its way is there');
$_->end for $slow, $quick;

# --- Two databases have lanes of the same names; what one is past the other is not.

rows('CREATE DATABASE other');
rows('CREATE EXTENSION ffengine CASCADE', 'other');
rows($procedures, 'other');
go_past('twin');
$id = rows(q(SELECT put('twin', 3600000)), 'other');
is(rows(q(SELECT execution_id FROM ff_claim('twin', 'w', 'w-1')), 'other'), $id, 'a lane of the same name in another database');

# --- Random sessions, prepared transactions and rows by hand.

my @chaos = map { FfSession->new($node) } 1 .. 5;
rows(q(SELECT put('l', 0), put('m', 0)));
for my $n (0 .. $#chaos)
{
	$chaos[$n]->ask("SET default_transaction_isolation = 'repeatable read';") if $n == 3;
	$chaos[$n]->ask("SET default_transaction_isolation = 'serializable';") if $n == 4;
	$chaos[$n]->tell(sprintf 'CALL chaos(%.6f, 6);', rand);
}
my $until = time + 5;
for (my $n = 0; time < $until; $n++)
{
	my $lane = (qw(l m))[ rand 2 ];
	$node->psql('postgres', "BEGIN; SELECT put('$lane', 3600000); SELECT put('$lane', 60000, '{a}');
		SELECT count(*) FROM ff_claim('$lane', 'w', 'w-1', lease_ttl_ms => 300, max_claims => 3); PREPARE TRANSACTION 'c$n'");
	rows("SELECT put_by_hand('$lane', 3600000)") if rand() < 0.5;
	usleep(rand 300_000);
	rows((rand() < 0.7 ? 'COMMIT' : 'ROLLBACK') . " PREPARED 'c$n'");
}
is($_->answer, '', 'a random session ends') for @chaos;
is(join('', grep { /ERROR/ } map { $_->errors } @chaos), '', 'without an error');
is(rows('SELECT count(*) FROM hidden'), '0', 'nothing that was told of was hidden, even for an instant');

my $ended = time;
my $left = q(SELECT count(*) FROM ff_exec_core WHERE lane_id IN ('l', 'm') AND lifecycle_phase NOT IN ('terminal', 'cancelled'));
within(6, 'claims alone get all that is left', sub {
	rows(q(DO $$
		DECLARE c record;
		BEGIN
		  FOR c IN SELECT k.* FROM unnest('{l,m}'::text[]) lane, ff_claim(lane, 'w', 'w-9',
		    '{a,b,c}' || ARRAY(SELECT 'r' || n FROM generate_series(0, 199) n), max_claims => 1000) k LOOP
		    CALL complete(c.handle, c.execution_id);
		  END LOOP;
		END $$));
	rows($left) eq '0' });
note(sprintf '%.1f s after the last one', time - $ended);
is(rows(q(SELECT count(*) > 100, count(*) = count(DISTINCT execution_id) FROM done)), 't|t', 'each was completed once');
is( rows(q(SELECT count(*) FROM ff_exec_core WHERE lane_id IN ('l', 'm') AND NOT EXISTS
	(SELECT FROM done d WHERE d.execution_id = ff_execution_id(ff_exec_core.partition_key, ff_exec_core.execution_id)))),
	'0', 'by a claim');
is_consistent($node);

# --- A crash; a standby that is promoted. Prepared transactions outlive both.

$holder->end;
$measuring->end;
$waiter->end;
$_->end for @chaos;

# An index that is rolled back says nothing of the lane.
$id = rows(q(SELECT put('truncated', 0)));
rows(q(BEGIN; TRUNCATE ff_exec_core CASCADE; SELECT ff_claim('truncated', 'w', 'w-1'); ROLLBACK));
claims('truncated', 0, 'there again after a TRUNCATE that was rolled back', $id);

$node->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('promoted');
$standby->init_from_backup($node, 'copy', has_streaming => 1);
$standby->start;
my @prepared = map { prepare('x', "x$_") } 1 .. 5;
go_past('x');
rows(q(COMMIT PREPARED 'x1'));
claims('x', PATIENCE, 'before the crash', $prepared[0]);
$node->wait_for_catchup($standby);
kill_server($node);
$node->start;
rows(q(COMMIT PREPARED 'x2'));
claims('x', PATIENCE, 'after a crash', $prepared[1]);
within(10, 'the worker is back', sub { workers($node, 'postgres') == 1 });
go_past('x');
rows(q(COMMIT PREPARED 'x3'));
claims('x', PATIENCE, 'and with a worker', $prepared[2]);
is_consistent($node);
log_is_clean($node, allow => qr/not yet accepting|starting up/);
$node->stop;

$standby->promote;
$node = $standby;
within(10, 'the promoted server has a worker', sub { workers($node, 'postgres') == 1 });
go_past('x');
rows(q(COMMIT PREPARED 'x4'));
claims('x', PATIENCE, 'on the promoted server', $prepared[3]);
rows(q(COMMIT PREPARED 'x5'));
claims('x', PATIENCE, 'and again', $prepared[4]);

is_consistent($node);
# it has lost its primary twice
log_is_clean($node, allow => qr/ walreceiver /);
note(sprintf '%.1f s', time - $begun);
$node->stop;

done_testing();
