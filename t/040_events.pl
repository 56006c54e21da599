# Reading events on real servers: who holds them back, how soon a waiting reader has them, on a
# standby, after a restart, after a dump and restore, and while they are trimmed.
use strict;
use warnings FATAL => 'all';

use FfTest;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $primary = new_node('primary', preload => 1, init => { allows_streaming => 1 },
	conf => [ 'max_prepared_transactions = 5', 'autovacuum = off', 'ffengine.worker_enabled = off' ]);
$primary->safe_psql('postgres', 'CREATE EXTENSION ffengine CASCADE');
$primary->safe_psql('postgres', 'CREATE DATABASE other');

sub rows
{
	my ($node, $sql, $db) = @_;
	return $node->safe_psql($db // 'postgres', $sql);
}

# started(NODE, SQL): psql in the background; finished(IT) gives what it printed.
sub started
{
	my ($node, $sql) = @_;
	my ($out, $err) = ('', '');
	return { out => \$out, err => \$err,
		run => IPC::Run::start([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-c', $sql ],
			'<', \undef, '>', \$out, '2>', \$err, IPC::Run::timeout(180)) };
}

sub finished
{
	my ($it) = @_;
	$it->{run}->finish or die "psql failed: ${$it->{err}}";
	chomp(my $out = ${ $it->{out} });
	return $out;
}

# open_session(NODE, DATABASE): a psql that is told one statement after the other.
sub open_session
{
	my ($node, $db) = @_;
	my ($in, $out) = ('', '');
	return { in => \$in, out => \$out,
		run => IPC::Run::start([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($db) ],
			'<', \$in, '>', \$out, '2>', \my $err, IPC::Run::timeout(180)) };
}

sub say_to
{
	my ($session, $sql) = @_;
	${ $session->{out} } = '';
	${ $session->{in} } .= "$sql;\n\\echo done\n";
	$session->{run}->pump until ${ $session->{out} } =~ /^done$/m;
	return ${ $session->{out} } =~ s/^done\n//mr;
}

sub close_session
{
	my ($session) = @_;
	${ $session->{in} } .= "\\q\n";
	return $session->{run}->finish;
}

# The insertion of an event by hand, of execution N.
sub event
{
	my ($n) = @_;
	return sprintf q(INSERT INTO ff_completion_event (partition_key, execution_id, outcome, occurred_at_ms, dispatched_at_ms)
VALUES (7, '00000000-0000-0000-0000-%012d', 'success', %d, %d)), $n, $n, $n;
}

sub tail { return rows($_[0], q(SELECT ff_event_cursor('completion'))) }

# What there is after a cursor: numbers; waits for the first.
sub events_after
{
	my ($node, $cursor, $block_ms) = @_;
	$block_ms //= 0;
	return rows($node, <<"SQL");
SELECT coalesce(string_agg(right(execution_id, 12)::integer::text, ' ' ORDER BY next_cursor), 'nothing')
  FROM ff_subscribe_completion('$cursor', block_ms => $block_ms)
SQL
}

my $horizon = q(SELECT holder_kind, holder_database, holder_pid, holder_since BETWEEN now() - interval '1 hour' AND now(),
 horizon < next_xid FROM ff_event_horizon());

# --- Who holds events back.

my $cursor = tail($primary);
my $holder = open_session($primary, 'other');
say_to($holder, 'BEGIN ISOLATION LEVEL REPEATABLE READ');
my ($pid) = say_to($holder, 'SELECT pg_backend_pid(), count(*) FROM pg_class') =~ /^(\d+)/;
rows($primary, event(1));
is(events_after($primary, $cursor), '1', 'an open transaction that only reads: no delay');
is(rows($primary, $horizon), '||||f', 'and nothing holds the horizon');

$cursor = tail($primary);
say_to($holder, 'SELECT pg_current_xact_id()');
rows($primary, event(2));
is(events_after($primary, $cursor), 'nothing', 'one that writes in another database: the event waits');
is(rows($primary, $horizon), "backend|other|$pid|t|t", 'and the horizon names it');
say_to($holder, 'COMMIT');
is(events_after($primary, $cursor), '2', 'then it comes');

$cursor = tail($primary);
rows($primary, 'BEGIN; ' . event(3) . q(; PREPARE TRANSACTION 'held'));
rows($primary, event(4));
is(events_after($primary, $cursor), 'nothing', 'a prepared transaction: the event waits');
is(rows($primary, $horizon), 'prepared|postgres||t|t', 'and the horizon names it');
my $waiting = started($primary, "SELECT count(*) FROM ff_subscribe_completion('$cursor', block_ms => 30000)");
usleep(1_500_000);
my $began = time;
rows($primary, q(COMMIT PREPARED 'held'));
is(finished($waiting), '2', 'then both come, to a reader who waits too');
cmp_ok(time - $began, '<', 5, 'and soon, though nobody wakes it');
is(events_after($primary, $cursor), '3 4', 'in order');

# However many events are held back, a reader who waits for some of them does not search them all.
rows($primary, q(SELECT ff_create_subscription('seldom', 'completion', '{"event_types": ["skipped"]}')));
rows($primary, q(BEGIN; SELECT pg_current_xact_id(); PREPARE TRANSACTION 'held'));
rows($primary, q(INSERT INTO ff_completion_event (partition_key, execution_id, outcome, occurred_at_ms, dispatched_at_ms)
SELECT 7, gen_random_uuid(), 'success', 5, 5 FROM generate_series(1, 5000)));
my ($found, $fetched) = split /\n/, rows($primary, <<'SQL');
BEGIN;
SELECT count(*) FROM ff_poll_subscription('seldom', block_ms => 300);
SELECT idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'ff_completion_event';
COMMIT;
SQL
is($found, '0', 'nothing comes');
cmp_ok($fetched, '<', 100, 'and few rows were looked at');
rows($primary, q(ROLLBACK PREPARED 'held'));
rows($primary, q(SELECT ff_drop_subscription('seldom')));
rows($primary, q(DELETE FROM ff_completion_event WHERE occurred_at_ms = 5));

my $none = tail($primary);
rows($primary, q(BEGIN; SELECT pg_current_xact_id(); PREPARE TRANSACTION 'held'), 'other');
is(rows($primary, $horizon), 'prepared|other||t|t', 'one of another database is named as well');
rows($primary, q(ROLLBACK PREPARED 'held'), 'other');
close_session($holder);

# --- How soon a waiting reader has what is committed.

sub latency
{
	my ($node) = @_;
	my @seconds;

	for my $try (1 .. 5)
	{
		my $at = tail($node);
		my $reader = started($node,
			"SELECT extract(epoch FROM clock_timestamp()) FROM ff_subscribe_completion('$at', block_ms => 20000)");
		# longer than the naps of one who polls grow
		$node->poll_query_until('postgres',
			q(SELECT count(*) = 1 FROM pg_stat_activity WHERE query ~ 'block_ms' AND pid <> pg_backend_pid()
			  AND now() - query_start > interval '0.7 s')) or die 'the reader does not wait';
		my $committed = rows($node, event(100 + $try) . '; SELECT extract(epoch FROM clock_timestamp())');
		push @seconds, finished($reader) - $committed;
	}
	@seconds = sort { $a <=> $b } @seconds;
	note('seconds until it was read: ' . join ' ', map { sprintf '%.3f', $_ } @seconds);
	return $seconds[2];
}

cmp_ok(latency($primary), '<', 0.1, 'preloaded, a waiting reader is woken by the commit');
is(events_after($primary, tail($primary), 100), 'nothing', 'and gives up after block_ms');

# --- What waiting costs: a reader, or a worker, whom each of many commits wakes for nothing needs no more memory.

sub kilobytes
{
	my ($pid) = @_;
	return slurp_file("/proc/$pid/status") =~ /^RssAnon:\s+(\d+)/m ? $1 : die "no memory of $pid";
}

for my $case (
	[ reader => q(ff_subscribe_completion(namespace => 'nobody', block_ms => 30000)), event(300) ],
	[ worker => q(ff_claim('busy', 'w', 'w-1', block_ms => 30000)), q(PERFORM ff_create_execution('busy', required_capabilities => '{x}')) ])
{
	my ($who, $call, $write) = @$case;
	my $it = started($primary, "SELECT count(*) FROM $call");
	my $find = "SELECT pid FROM pg_stat_activity WHERE query ~ 'block_ms' AND wait_event IS NOT NULL AND pid <> pg_backend_pid()";
	$primary->poll_query_until('postgres', "SELECT count(*) = 1 FROM ($find) x") or die "the $who does not wait";
	my $pid = rows($primary, $find);
	my $write_many = sub { rows($primary, "DO \$\$ BEGIN FOR i IN 1..$_[0] LOOP $write; COMMIT; END LOOP; END \$\$") };
	$write_many->(200);
	my $before = kilobytes($pid);
	$write_many->(5000);
	my $grown = kilobytes($pid) - $before;
	note("grown by $grown kB");
	cmp_ok($grown, '<', 1000, "a $who that waits does not grow");
	rows($primary, "SELECT pg_cancel_backend($pid)");
	$it->{run}->finish;
	like(${ $it->{err} }, qr/canceling statement due to user request/, 'and can be cancelled at once');
}
rows($primary, 'DELETE FROM ff_completion_event WHERE occurred_at_ms = 300');

# A worker that is killed while it waits gets no work: its session notices before it looks.
my $killed = started($primary, q(SELECT count(*) FROM ff_claim('killed', 'w', 'w-1', block_ms => 30000)));
my $sessions = q(SELECT count(*) FROM pg_stat_activity WHERE query ~ 'block_ms' AND pid <> pg_backend_pid());
$primary->poll_query_until('postgres', "$sessions AND wait_event IS NOT NULL", '1') or die 'the worker does not wait';
$killed->{run}->kill_kill(grace => 0);
rows($primary, q(SELECT ff_create_execution('killed')));
$primary->poll_query_until('postgres', $sessions, '0') or die 'its session goes on';
is(rows($primary, q(SELECT public_state FROM ff_executions WHERE lane_id = 'killed')), 'waiting', 'a worker that is gone gets no work');

# --- A standby.

$primary->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'backup', has_streaming => 1);
$standby->start;

# Names and marks of the subscriptions, and the cursors that were given out.
rows($primary, q(SELECT ff_create_subscription('billing', 'completion')));
$cursor = tail($primary);
rows($primary, event($_)) for 201 .. 203;
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('flush'));
is(events_after($standby, $cursor), '201 202 203', 'a standby reads from a cursor of the primary');
is( rows($standby, q(SELECT count(*) FROM ff_poll_subscription('billing'))), '3', 'polls a subscription');
is( rows($standby, q(SELECT name, events_lost FROM ff_list_subscriptions())), 'billing|f', 'lists them');
my ($rc, $out, $err) = $standby->psql('postgres', qq(SELECT ff_ack_subscription('billing', '$cursor')));
like($err, qr/read-only transaction/, 'but acknowledges nothing');
like(rows($standby, 'SELECT horizon, next_xid, holder_pid FROM ff_event_horizon()'), qr/^(\d+)\|\1\|$/, 'and has a horizon');

$cursor = tail($primary);
$waiting = started($standby, "SELECT count(*) FROM ff_subscribe_completion('$cursor', block_ms => 30000)");
usleep(200_000);
rows($primary, event(204));
is(finished($waiting), '1', 'a reader waits there for what comes from the primary');

$cursor = tail($primary);
$holder = open_session($primary, 'other');
say_to($holder, 'BEGIN; SELECT pg_current_xact_id()');
rows($primary, event(205));
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('flush'));
is(events_after($standby, $cursor), 'nothing', 'what the primary has to hold back waits there too');
is(rows($standby, 'SELECT horizon < next_xid, holder_pid IS NULL FROM ff_event_horizon()'), 't|t',
	'though nobody can be named');
say_to($holder, 'COMMIT');
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('flush'));
is(events_after($standby, $cursor, 10000), '205', 'and comes when that has ended');
close_session($holder);

rows($standby, 'SELECT pg_wal_replay_pause()');
rows($primary, event(206));
my $ahead = tail($primary);
rows($primary, event(207));
is(events_after($standby, $ahead), 'nothing', 'a cursor that is ahead of the standby is no error');
rows($standby, 'SELECT pg_wal_replay_resume()');
is(events_after($standby, $ahead, 20000), '207', 'and finds what comes behind it');

# --- A restart.

rows($primary, q(SELECT a.outcome FROM ff_poll_subscription('billing', 2) WITH ORDINALITY e,
  ff_ack_subscription('billing', e.next_cursor) a WHERE e.ordinality = 2));
$primary->restart;
is( rows($primary, q(SELECT string_agg(right(execution_id, 3), ' ' ORDER BY next_cursor) FROM ff_poll_subscription('billing'))),
	'203 204 205 206 207', 'a restart keeps the position of a subscription');
is(events_after($primary, $none) =~ s/.* (?=206)//r, '206 207', 'and cursors go on');

# --- A crash. Ids of transactions that came to nothing, and were not in the log yet, are given out again:
# a cursor from before it is behind none of the events that come after it.

my ($walwriter) = split /\n/, rows($primary, q(SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'));
kill 'STOP', $walwriter;
rows($primary, 'BEGIN; SELECT pg_current_xact_id(); ROLLBACK;' x 20);
my $latest = rows($primary, q(SELECT ff_event_cursor('completion')));
kill_server($primary);
$primary->start;
rows($primary, event(208));
is(rows($primary, "SELECT count(*) FROM ff_subscribe_completion('$latest')"), '1', 'a cursor of before a crash misses nothing after it');

# --- A dump, restored into a new cluster.

my $dump = $PostgreSQL::Test::Utils::tmp_check . '/events.dump';
rows($primary, q(SELECT ff_trim_outbox('completion', now() + interval '1 hour', 1)));
is(rows($primary, 'SELECT count(*) FROM ff_outbox_state'), '1', 'something was trimmed in the old cluster');
my $kept = rows($primary, 'SELECT count(*) FROM ff_completion_event');
$primary->command_ok([ 'pg_dump', '-Fc', '-f', $dump, $primary->connstr('postgres') ], 'pg_dump');

my $restored = new_node('restored', conf => ['autovacuum = off']);
$restored->command_ok([ 'pg_restore', '--single-transaction', '--exit-on-error', '-d', $restored->connstr('postgres'), $dump ],
	'pg_restore');
rows($restored, event(301));
is(rows($restored, 'SELECT count(*) FROM ff_outbox_state'), '0', 'what was trimmed there is of no concern here');
is( rows($restored, q(SELECT count(*), (array_agg(right(execution_id, 3) ORDER BY next_cursor DESC))[1:3]
 FROM ff_subscribe_completion(ff_event_cursor('completion', 'earliest'), max_rows => 10000))),
	$kept + 1 . '|{301,208,207}', 'a reader from the start gets the restored events, then the new one');
($rc, $out, $err) = $restored->psql('postgres',
	"\\set VERBOSITY verbose\nSELECT * FROM ff_subscribe_completion('$cursor')", on_error_stop => 0);
like($err, qr/ZV015.*another cluster.*HINT.*earliest/s, 'a cursor of the old cluster is refused, with what to do');
is(rows($restored, q(SELECT count(*) FROM ff_poll_subscription('billing'))), $kept + 1, 'a subscription starts anew');
is(rows($restored, q(SELECT events_lost FROM ff_list_subscriptions())), 'f', 'and has lost nothing');
is( rows($restored, q(SELECT a.outcome FROM ff_poll_subscription('billing') WITH ORDINALITY e,
  ff_ack_subscription('billing', e.next_cursor) a WHERE e.ordinality = 2)), 'acked', 'goes on from there');
is(rows($restored, q(SELECT count(*) FROM ff_poll_subscription('billing'))), $kept - 1, 'as ever');

# --- Not preloaded: this node.

cmp_ok(latency($restored), '<', 0.4, 'not preloaded, a waiting reader looks often enough');
log_is_clean($restored);
$restored->stop;

# --- Written, consumed and trimmed at the same time: each event once.

rows($primary, <<'SQL');
SELECT ff_drop_subscription('billing'), ff_create_subscription('work', 'completion'),
       ff_create_subscription('never', 'completion', '{"event_types": ["skipped"]}');
CREATE TABLE handled (execution_id text);
SQL
my @writers = map { started($primary, <<"SQL") } 1 .. 2;
DO \$\$
BEGIN
  FOR i IN 1..1000 LOOP
    INSERT INTO ff_completion_event (partition_key, execution_id, outcome, occurred_at_ms, dispatched_at_ms)
    VALUES ($_, gen_random_uuid(), 'success', 1, 1);
    PERFORM pg_sleep(random() * 0.004);
    COMMIT;
  END LOOP;
END \$\$
SQL
my $trimmer = started($primary, <<'SQL');
DO $$
DECLARE
  trimmed bigint := 0;
BEGIN
  FOR i IN 1..20000 LOOP
    trimmed := trimmed + ff_trim_outbox('completion', now() + interval '1 hour', 50);
    COMMIT;
    EXIT WHEN trimmed >= 2000 AND (SELECT count(*) = 2000 FROM handled);
    PERFORM pg_sleep(0.005);
  END LOOP;
END $$
SQL
my $consumer = started($primary, <<'SQL');
DO $$
DECLARE
  last  bytea;
  found bigint := 0;
BEGIN
  WHILE found < 2000 LOOP
    WITH e AS MATERIALIZED (
      SELECT * FROM ff_poll_subscription('work', 7, 10000) WITH ORDINALITY
        AS e (next_cursor, event_id, event_type, execution_id, flow_id, ns, tag, at, body, n)),
    h AS (INSERT INTO handled SELECT execution_id FROM e)
    SELECT (array_agg(next_cursor ORDER BY n DESC))[1], found + count(*) INTO last, found FROM e;
    EXIT WHEN last IS NULL;
    PERFORM ff_ack_subscription('work', last);
    COMMIT;
  END LOOP;
END $$
SQL
finished($_) for @writers, $consumer, $trimmer;
is(rows($primary, 'SELECT count(*), count(DISTINCT execution_id) FROM handled'), '2000|2000',
	'each of 2000 events was handled once');
cmp_ok(rows($primary, 'SELECT count(*) FROM ff_completion_event'), '<', 100, 'and what was handled was trimmed');
is(rows($primary, 'SELECT count(*) FROM ff_list_subscriptions() WHERE events_lost'), '0', 'under nobody');

is_consistent($primary);
log_is_clean($primary, allow => qr/connection to client lost/);
log_is_clean($standby, allow => qr/end-of-streaming|could not (?:connect to|receive data from)/);
$standby->stop;
$primary->stop;

done_testing();
