# 8 sessions deliver 5,000 signals each to 100 suspensions, while one more session claims what they
# resume and suspends it again. Nothing is lost, nothing counts twice, nothing deadlocks: the totals
# in the tables are those of the senders' own books, and every episode is what the reference
# evaluation makes of its signals.
use strict;
use warnings FATAL => 'all';

use FfTest;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $senders    = 8;
my $signals    = $ENV{FF_SIGNALS} // 5000;
my $executions = 100;
my $total      = $senders * $signals;

my $begun = time;
my $node = node_with_extension('signals', conf => [ 'deadlock_timeout = 200ms', 'synchronous_commit = off', 'log_min_messages = error' ]);

sub ask
{
	my ($sql) = @_;
	return $node->safe_psql('postgres', $sql);
}

# Execution n is one of four kinds. Those of kind 2 and 3 keep their waitpoints through a resume,
# so that signals are buffered while nobody waits; the others close theirs, and a sender that comes
# too late is refused and looks for the next one.
#   0  15 signals, whatever their name, waitpoint closed at the resume
#   1  both of two waitpoints, and four sources on the first
#   2  like 0, waitpoint kept, counted signals consumed
#   3  five sources that say yes, waitpoint kept; what did not count stays in the buffer
ask(<<'SQL');
SELECT ff_seed_waitpoint_hmac_secret('k1');
CREATE TABLE execution (n integer PRIMARY KEY, id text, kind integer);
CREATE TABLE target (n integer, slot integer, waitpoint_id uuid, token text, PRIMARY KEY (n, slot));
-- What the senders were told: one row a signal that was accepted, one a repetition.
CREATE TABLE sent (sender integer, number integer, n integer, waitpoint_id uuid, token text, key text,
                   signal_id uuid, effect text, match_result text);
CREATE TABLE repeated (sender integer, expected uuid, outcome text, signal_id uuid);
CREATE TABLE refused (sender integer, code text);
CREATE TABLE episode (n integer, outcome text);
CREATE TABLE ended (sender integer);

INSERT INTO execution
SELECT n, (ff_create_execution('l' || n)).execution_id, n % 4 FROM generate_series(0, 99) n;

CREATE FUNCTION condition(kind integer) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE kind
           WHEN 1 THEN ff_all_of(ff_when('b'), ff_count_of(4, '{a}', 'sources'))
           WHEN 3 THEN ff_count_of(5, '{a,b}', 'sources', 'yes')
           ELSE ff_count_of(15, '{a,b}', 'signals') END
$$;

-- Suspend under the handle until the outcome is suspended, and tell the senders where to.
CREATE PROCEDURE wait_again(e execution, handle bytea) LANGUAGE plpgsql AS $$
DECLARE
  s record;
  bindings jsonb;
BEGIN
  LOOP
    SELECT jsonb_agg(ff_use_pending(t.waitpoint_id) ORDER BY t.slot) INTO bindings
      FROM target t WHERE t.n = e.n AND e.kind >= 2;
    SELECT * INTO s
      FROM ff_suspend(handle, condition(e.kind), coalesce(bindings, '[{"Fresh":{"waitpoint_key":"a"}},{"Fresh":{"waitpoint_key":"b"}}]'),
                      resume_policy => CASE e.kind
                        WHEN 2 THEN ff_resume_policy(close_waitpoint_on_resume => false)
                        WHEN 3 THEN ff_resume_policy(close_waitpoint_on_resume => false, retain_signal_buffer_until_closed => true)
                      END);
    INSERT INTO episode VALUES (e.n, s.outcome);
    INSERT INTO target
    VALUES (e.n, 0, s.waitpoint_id, s.waitpoint_token),
           (e.n, 1, (s.additional_waitpoints -> 0 ->> 'waitpoint_id')::uuid, s.additional_waitpoints -> 0 ->> 'waitpoint_token')
    ON CONFLICT (n, slot) DO UPDATE SET waitpoint_id = excluded.waitpoint_id, token = excluded.token;
    EXIT WHEN s.outcome = 'suspended';
  END LOOP;
END
$$;

CREATE PROCEDURE begin_all() LANGUAGE plpgsql AS $$
DECLARE
  e execution;
  h bytea;
BEGIN
  FOR e IN SELECT * FROM execution ORDER BY n LOOP
    SELECT c.handle INTO STRICT h FROM ff_claim('l' || e.n, 'w', 'w-0') c;
    CALL wait_again(e, h);
    COMMIT;
  END LOOP;
END
$$;

-- Until all senders have ended and nothing is left to claim.
CREATE PROCEDURE go_on(senders integer) LANGUAGE plpgsql AS $$
DECLARE
  e execution;
  h bytea;
  last boolean;
  found_some boolean;
BEGIN
  LOOP
    last := (SELECT count(*) = senders FROM ended);
    found_some := false;
    FOR e IN SELECT x.* FROM ff_exec_core c JOIN execution x ON ff_execution_uuid(x.id) = c.execution_id
              WHERE c.public_state = 'resumable' ORDER BY x.n LOOP
      found_some := true;
      -- by its name or from its lane, which passes over what a sender has locked at the moment
      IF random() < 0.5 THEN
        SELECT c.handle INTO STRICT h FROM ff_claim_resumed_execution(e.id, 'w', 'w-0') c;
      ELSE
        SELECT c.handle INTO h FROM ff_claim('l' || e.n, 'w', 'w-0') c;
      END IF;
      IF FOUND THEN
        CALL wait_again(e, h);
      END IF;
      COMMIT;
    END LOOP;
    EXIT WHEN last AND NOT found_some;
    COMMIT;
    IF NOT found_some THEN
      PERFORM pg_sleep(0.01);
    END IF;
  END LOOP;
END
$$;

CREATE PROCEDURE send(me integer, signals integer) LANGUAGE plpgsql AS $$
DECLARE
  t record;
  d record;
  old sent;
  my_key text;
  to_n integer;
  to_slot integer;
BEGIN
  PERFORM setseed(me / 100.0);
  FOR i IN 1 .. signals LOOP
    my_key := CASE WHEN i % 3 = 0 THEN me || '-' || i END;
    LOOP
      to_n := floor(random() * 100);
      to_slot := (random() < 0.3)::integer;
      SELECT x.id, g.* INTO STRICT t FROM target g JOIN execution x USING (n) WHERE g.n = to_n AND g.slot = to_slot;
      BEGIN
        SELECT * INTO STRICT d
          FROM ff_deliver_signal(t.id, t.waitpoint_id, t.token, CASE WHEN random() < 0.7 THEN 'yes' ELSE 'no' END,
                                 source_type => 'user', source_identity => 'user-' || floor(random() * 12)::integer,
                                 idempotency_key => my_key);
        EXIT;
      EXCEPTION WHEN SQLSTATE 'ZS006' THEN  -- waitpoint_closed
        INSERT INTO refused VALUES (me, SQLSTATE);
      END;
      COMMIT;
    END LOOP;
    IF d.outcome <> 'accepted' THEN
      RAISE EXCEPTION 'signal % of % is a %', i, me, d.outcome;
    END IF;
    INSERT INTO sent VALUES (me, i, t.n, t.waitpoint_id, t.token, my_key, d.signal_id, d.effect, d.match_result);
    COMMIT;
    -- one signal with a key in four is sent again, at once or after all sorts of things happened to it
    IF i % 12 = 0 THEN
      my_key := me || '-' || CASE WHEN i % 24 = 0 THEN i ELSE 3 * (1 + floor(random() * i / 3)::integer) END;
      SELECT * INTO old FROM sent WHERE key = my_key;
      IF FOUND THEN
        INSERT INTO repeated
        SELECT me, old.signal_id, r.outcome, r.signal_id
          FROM execution x, ff_deliver_signal(x.id, old.waitpoint_id, old.token, 'no', idempotency_key => old.key) r
         WHERE x.n = old.n;
        COMMIT;
      END IF;
    END IF;
  END LOOP;
  INSERT INTO ended VALUES (me);
END
$$;
CREATE INDEX ON sent (key);
CALL begin_all();
SQL
is(ask('SELECT count(*) FROM ff_suspensions'), $executions, 'a hundred suspensions are open');

# --- All at once.

sub session
{
	my ($sql) = @_;
	my ($out, $err) = ('', '');
	return {
		out => \$out, err => \$err,
		run => IPC::Run::start([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-c', $sql ],
			'<', \undef, '>', \$out, '2>', \$err, IPC::Run::timeout(300)) };
}

my $started = time;
my @sessions = (session("CALL go_on($senders)"), map { session("CALL send($_, $signals)") } 1 .. $senders);
my @failed = grep { !$_->{run}->finish } @sessions[ 1 .. $senders ];
# the first one waits for as many as there are
ask("INSERT INTO ended SELECT FROM generate_series(1, $senders - (SELECT count(*) FROM ended))");
push @failed, grep { !$_->{run}->finish } $sessions[0];
is(join('', map { ${ $_->{err} } } @failed), '', 'every session came to its end');
note(sprintf '%d signals in %.1f s', $total, time - $started);

# --- The books.

sub same
{
	my ($name, $left, $right) = @_;
	my ($a, $b) = split /\|/, ask("SELECT ($left), ($right)");
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($a, $b, "$name: $a");
	return $a;
}

# none(NAME, QUERY): a query of what is wrong finds nothing
sub none
{
	my ($name, $sql) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is(ask("SELECT * FROM ($sql) wrong LIMIT 5"), '', $name);
}

is(ask('SELECT count(*) FROM sent'), $total, "$total signals accepted");
same('and stored', 'SELECT count(*) FROM sent', 'SELECT count(*) FROM ff_signal');
none('the very ones that were accepted', 'SELECT signal_id FROM sent EXCEPT SELECT signal_id FROM ff_signal');
same('counted by the executions', 'SELECT count(*) FROM sent', 'SELECT sum(accepted) FROM ff_signal_counter');
none('each of which counted right, without a gap', <<'SQL');
SELECT x.n, sent, stored, accepted
  FROM execution x
  LEFT JOIN (SELECT n, count(*) AS sent FROM sent GROUP BY n) s USING (n)
  LEFT JOIN (SELECT execution_id, count(*) AS stored, min(seq) AS first, max(seq) AS last, count(DISTINCT seq) AS seqs
               FROM ff_signal GROUP BY execution_id) g ON g.execution_id = ff_execution_uuid(x.id)
  LEFT JOIN ff_signal_counter c ON c.execution_id = ff_execution_uuid(x.id)
 WHERE NOT (sent = stored AND stored = accepted AND first = 1 AND last = stored AND seqs = stored) IS TRUE
SQL
none('as did the waitpoints', <<'SQL');
SELECT w.waitpoint_id, w.signal_count, w.matched_signal_count, count(g.*), count(*) FILTER (WHERE g.match_result = 'counted')
  FROM ff_waitpoint_pending w
  LEFT JOIN ff_signal g ON g.partition_key = w.partition_key AND g.waitpoint_id = w.waitpoint_id
 GROUP BY w.partition_key, w.waitpoint_id
HAVING w.signal_count <> count(g.*)
    OR w.matched_signal_count < count(*) FILTER (WHERE g.match_result = 'counted')
SQL

my $repeated = ask('SELECT count(*) FROM repeated');
cmp_ok($repeated, '>', $total / 20, "$repeated signals were sent again");
none('all of them duplicates of the first one', q(SELECT * FROM repeated WHERE outcome <> 'duplicate' OR signal_id <> expected));
same('dedup entries are those of the keys', 'SELECT count(*) FROM sent WHERE key IS NOT NULL', 'SELECT count(*) FROM ff_signal_dedup');
same('an event for each signal', q(SELECT count(*) FROM ff_signal_event WHERE effect <> 'deduped'), 'SELECT count(*) FROM sent');
same('and each duplicate', q(SELECT count(*) FROM ff_signal_event WHERE effect = 'deduped'), 'SELECT count(*) FROM repeated');
none('the senders were told what the tables have', <<'SQL');
SELECT s.*, g.effect, g.match_result FROM sent s JOIN ff_signal g USING (signal_id)
 WHERE (s.effect, s.match_result) IS DISTINCT FROM (g.effect, g.match_result)
   AND s.effect <> 'buffered_for_pending_waitpoint'
   -- kind 3 evaluates again what did not count
   AND (s.n % 4 <> 3 OR s.match_result = 'counted')
SQL

my $resumes = ask(q(SELECT count(*) FROM sent WHERE effect = 'resume_condition_satisfied'));
cmp_ok($resumes, '>', $executions, "$resumes signals resumed an execution");
same('closed by a signal', q(SELECT count(*) FROM sent WHERE effect = 'resume_condition_satisfied'),
	q(SELECT count(*) FROM ff_suspension_history WHERE close_reason = 'resumed'));
same('a completion event each', 'SELECT count(*) FROM ff_completion_event',
	q(SELECT count(*) FROM ff_suspension_history WHERE close_reason = 'resumed'));
none('resumable all of them', q(SELECT * FROM ff_completion_event WHERE outcome <> 'resumable' OR dispatched_at_ms IS NULL));
same('claimed again', q(SELECT count(*) FROM ff_lease_event WHERE event_type = 'acquired'),
	"SELECT $resumes + $executions");
my $satisfied = same('satisfied by the buffer alone', q(SELECT count(*) FROM episode WHERE outcome = 'already_satisfied'),
	q(SELECT count(*) FROM ff_suspension_history WHERE close_reason = 'already_satisfied'));
same('episodes', 'SELECT count(*) FROM episode',
	'SELECT (SELECT count(*) FROM ff_suspension_history) + (SELECT count(*) FROM ff_suspension_current)');
is(ask(q(SELECT string_agg(DISTINCT public_state || ' ' || c.attempt_index || ' ' || (closed_at_ms IS NULL), ',')
	FROM ff_exec_core c JOIN ff_suspension_current USING (partition_key, execution_id))),
	'suspended 0 true', 'all wait again, on their first attempt');
cmp_ok(ask(q(SELECT count(*) FROM sent WHERE effect = 'buffered_for_pending_waitpoint')), '>', 0, 'some were buffered');
cmp_ok(ask('SELECT count(*) FROM refused'), '>', 0, 'some came too late and were refused');

# --- Every episode is what the reference makes of its signals: false up to the one before the
# closer, true with it; false over all of them while it is open.
ask(<<'SQL');
CREATE TABLE judged AS
WITH e AS (
  SELECT suspension_id, condition, member_map, satisfied_set, closer_signal_id, closed_at_ms FROM ff_suspension_current
   UNION ALL
  SELECT suspension_id, condition, member_map, satisfied_set, closer_signal_id, closed_at_ms FROM ff_suspension_history),
g AS (
  SELECT g.suspension_id, g.seq, g.signal_id, g.match_result,
         jsonb_build_object('waitpoint_key', w.waitpoint_key, 'signal_name', g.signal_name, 'signal_id', g.signal_id,
                            'source_type', g.source_type, 'source_identity', g.source_identity) AS signal
    FROM ff_signal g JOIN ff_waitpoint_pending w USING (partition_key, waitpoint_id))
SELECT e.*, count(g.*) AS signals, count(*) FILTER (WHERE g.match_result = 'counted') AS counted,
       ff_evaluate_resume_condition(e.condition, coalesce(jsonb_agg(g.signal ORDER BY g.seq)
         FILTER (WHERE g.seq < c.seq OR c.seq IS NULL AND g.seq IS NOT NULL), '[]')) AS before,
       ff_evaluate_resume_condition(e.condition, coalesce(jsonb_agg(g.signal ORDER BY g.seq)
         FILTER (WHERE g.seq <= c.seq OR c.seq IS NULL AND g.seq IS NOT NULL), '[]')) AS after
  FROM e LEFT JOIN g c ON c.suspension_id = e.suspension_id AND c.signal_id = e.closer_signal_id
         LEFT JOIN g ON g.suspension_id = e.suspension_id
 GROUP BY e.suspension_id, e.condition, e.member_map, e.satisfied_set, e.closer_signal_id, e.closed_at_ms, c.seq
SQL
none('no episode is met before its closer', 'SELECT * FROM judged WHERE before');
none('each is met by its closer, and only so', 'SELECT * FROM judged WHERE after <> (closed_at_ms IS NOT NULL)');
none('an open Count has counted what its signals show', <<'SQL');
SELECT suspension_id, member_map, counted FROM judged
 WHERE closed_at_ms IS NULL AND condition #>> '{Composite,kind}' = 'Count'
   AND coalesce((member_map ->> '')::integer, 0) <> counted
SQL
none('a closed one exactly n', <<'SQL');
SELECT suspension_id, condition, counted FROM judged
 WHERE closed_at_ms IS NOT NULL AND condition #>> '{Composite,kind}' = 'Count'
   AND (condition #>> '{Composite,n}')::integer <> counted
SQL
none('satisfiers are left of open episodes only', <<'SQL');
SELECT s.* FROM ff_signal_satisfier s JOIN judged j USING (suspension_id) WHERE j.closed_at_ms IS NOT NULL
SQL

is(ask(q(SELECT deadlocks FROM pg_stat_database WHERE datname = 'postgres')), '0', 'no deadlock');
unlike(slurp_file($node->logfile), qr/deadlock|could not serialize/, 'nor anything like it in the log');
is_consistent($node);
log_is_clean($node);
my $took = time - $begun;
note(sprintf '%d resumes, %d already satisfied, %.1f s in all', $resumes, $satisfied, $took);
$node->stop;

done_testing();
