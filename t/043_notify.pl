# NOTIFY in its three modes, as psql and Python listeners get it, and clients behind pgbouncer in
# transaction mode, which cannot listen and wait inside their calls. The Python program at the end of
# this file holds the clients.
use strict;
use warnings FATAL => 'all';

use FfSession;
use FfTest;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use POSIX qw(WNOHANG);
use Test::More;
use Time::HiRes qw(time usleep);

# What never came is missed after this long; what must not come is waited for so long. In seconds.
use constant PATIENCE => 10;
use constant SILENCE => 0.5;

my $program = "$PostgreSQL::Test::Utils::tmp_check/clients.py";
append_to_file($program, join '', <DATA>);

my $node = node_with_extension('notify', preload => 1, conf => ['max_prepared_transactions = 5']);
my $running = <<'SQL';
SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'ffengine worker' AND datname = 'postgres'
SQL
$node->safe_psql('postgres', q(SELECT ff_seed_waitpoint_hmac_secret('k1')));
$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->poll_query_until('postgres', $running) or die 'no worker';

my $listener = FfSession->new($node);
my $actor = FfSession->new($node);

# heard(SECONDS, COUNT): "channel payload" of each notification, until so many have come or the time
# is over. psql tells of them after a statement.
sub heard
{
	my ($seconds, $count) = @_;
	my ($said, $end, @heard) = ('', time + $seconds);

	do
	{
		usleep(20_000);
		$said .= $listener->ask('SELECT WHERE false;') . "\n";
		@heard = map { s/"//gr } $said =~ /Asynchronous notification ("\S+"(?: with payload "[^"]*")?) received/g;
		s/ with payload / / for @heard;
	} while (@heard < $count && time < $end);
	return sort @heard;
}

# hears(NAME, SQL, NOTIFICATION...): the statements make these notifications and no others
sub hears
{
	my ($name, $sql, @expected) = @_;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$actor->ask($sql);
	my @heard = heard(PATIENCE, scalar @expected) if @expected;
	push @heard, heard(SILENCE, 1_000);
	is(join(', ', @heard), join(', ', sort @expected), $name);
	is($actor->errors, '', "$name: no error") if $actor->{err} ne '';
	return;
}

# The id that the next event of an outbox gets.
sub next_event
{
	my ($outbox) = @_;
	return $actor->ask("SELECT last_value + is_called::integer FROM ${outbox}_event_event_id_seq");
}

# --- The modes.

my $create = q(SELECT execution_id AS e FROM ff_create_execution('l') \gset);
my $claim = q(SELECT handle AS h FROM ff_claim('l', 'w', 'w-1') \gset);

$listener->ask('LISTEN ff_completion; LISTEN ff_work;');
for my $mode ('transactional', 'background', 'off')
{
	my $off = $mode eq 'off';
	$actor->ask("SET ffengine.notify_mode = '$mode'");

	hears("$mode: a creation tells its lane", $create, $off ? () : 'ff_work l');
	hears("$mode: a claim tells neither channel", $claim);
	my $event = next_event('ff_completion');
	hears("$mode: a completion tells its event's id", q(SELECT outcome FROM ff_complete(:'h');),
		$off ? () : "ff_completion $event");

	hears("$mode: rolled back, nothing", "BEGIN;\n$create\n$claim\nSELECT outcome FROM ff_complete(:'h');\nROLLBACK");
	hears("$mode: nor of a savepoint rolled back, but of the rest", <<"SQL", $off ? () : 'ff_work m');
BEGIN;
SELECT ff_create_execution('m');
SAVEPOINT s;
$create
$claim
SELECT outcome FROM ff_complete(:'h');
ROLLBACK TO s;
COMMIT
SQL
	$event = next_event('ff_completion');
	hears("$mode: a transaction tells the greatest id and each lane once", <<'SQL',
BEGIN;
SELECT ff_create_execution(l) FROM unnest('{a,b,a,b}'::text[]) l;
SELECT ff_complete(handle) FROM ff_claim('m', 'w', 'w-1', max_claims => 10);
SELECT ff_complete(handle) FROM ff_claim('a', 'w', 'w-1', max_claims => 10);
COMMIT
SQL
		$off ? () : ('ff_completion ' . ($event + 2), 'ff_work a', 'ff_work b'));
	hears("$mode: a prepared transaction notifies nobody", <<"SQL");
BEGIN;
$create
$claim
SELECT outcome FROM ff_complete(:'h');
PREPARE TRANSACTION 'p';
COMMIT PREPARED 'p'
SQL
	is($actor->ask(q(SELECT public_state FROM ff_executions WHERE execution_id = :'e')), 'completed',
		"$mode: but it is done");
	$actor->ask(<<"SQL");
$create
$claim
SELECT waitpoint_id AS w, waitpoint_token AS t FROM ff_suspend(:'h', ff_when('go')) \\gset
SQL
	heard(SILENCE, 1_000);
	$event = next_event('ff_completion');
	hears("$mode: a signal that resumes tells the lane", q(SELECT effect FROM ff_deliver_signal(:'e', :'w', :'t', 'go');),
		$off ? () : ("ff_completion $event", 'ff_work l'));
	$actor->ask(q(SELECT ff_complete(handle) FROM ff_claim('l', 'w', 'w-1')));
	heard(SILENCE, 1_000);
}

# --- Every outbox has its channel, whoever writes the row.

$actor->ask('RESET ffengine.notify_mode');
is($actor->ask('SHOW ffengine.notify_mode'), 'background', 'preloaded: in the background by default');
$listener->ask('UNLISTEN ff_work; UNLISTEN ff_completion;');
$listener->ask("LISTEN $_;") for qw(ff_lease_event ff_signal_event ff_operator_event ff_worker_event ff_instance_tag);
my %next = map { $_ => next_event($_) } qw(ff_lease ff_signal ff_operator ff_worker_registry ff_instance_tag);
hears('ff_instance_tag', q(SELECT execution_id AS e FROM ff_create_execution('l', tags => '{"cairn.instance_id": "x"}') \gset),
	"ff_instance_tag $next{ff_instance_tag}");
hears('ff_lease_event', $claim, "ff_lease_event $next{ff_lease}");
hears('ff_worker_event', q(SELECT ff_register_worker('w', 'w-1', '{l}');), "ff_worker_event $next{ff_worker_registry}");
hears('rows put in by hand', <<'SQL',
BEGIN;
INSERT INTO ff_signal_event (partition_key, execution_id, signal_id, delivered_at_ms)
VALUES (0, gen_random_uuid(), gen_random_uuid(), 1);
INSERT INTO ff_operator_event (partition_key, execution_id, event_type, occurred_at_ms)
VALUES (0, gen_random_uuid(), 'replayed', 1);
COMMIT
SQL
	"ff_operator_event $next{ff_operator}", "ff_signal_event $next{ff_signal}");
$actor->ask(q(SELECT ff_complete(:'h')));
$listener->ask('UNLISTEN *;');
heard(SILENCE, 1_000);

# --- Delayed work is announced when it is due, not before.

$listener->ask('LISTEN ff_work;');
my $due = $actor->ask(<<'SQL');
SELECT extract(epoch FROM clock_timestamp()) + 1.5 AS due, execution_id AS e
  FROM ff_create_execution('later', delay_until => clock_timestamp() + interval '1.5 s') \gset
SELECT :due;
SQL
is(join(', ', heard(1.2, 1)), '', 'created with a delay: no ff_work till due');
is(join(', ', heard(PATIENCE, 1)), 'ff_work later', 'when due: ff_work with the lane');
my $late = time - $due;
ok($late > 0 && $late < 1, sprintf 'in time: %.0f ms after', $late * 1000);
$actor->ask(q(SELECT ff_complete(handle) FROM ff_claim('later', 'w', 'w-1')));
$listener->ask('UNLISTEN *;');

# --- A Python listener, which reads when it is told and at no other time.

sub output
{
	my ($name) = @_;
	return -e "$PostgreSQL::Test::Utils::tmp_check/$name.out" ? slurp_file("$PostgreSQL::Test::Utils::tmp_check/$name.out") : '';
}

my %clients;

# start_client(NAME, ARGUMENT...): runs the program in the background, its output in a file
sub start_client
{
	my ($name, @arguments) = @_;
	my $pid = fork // die "fork: $!";

	if ($pid == 0)
	{
		open STDOUT, '>', "$PostgreSQL::Test::Utils::tmp_check/$name.out" or die "$name: $!";
		open STDERR, '>', "$PostgreSQL::Test::Utils::tmp_check/$name.err" or die "$name: $!";
		exec @arguments or POSIX::_exit(127);
	}
	$clients{$name} = $pid;
	return;
}

sub stop_client
{
	my ($name) = @_;
	my $pid = delete $clients{$name};

	kill 'TERM', $pid;
	waitpid $pid, 0;
	return;
}
END { local $?; kill 'KILL', values %clients if %clients; }

# until(SECONDS, CONDITION): whether it came true in time
sub until_true
{
	my ($seconds, $condition) = @_;
	my $end = time + $seconds;

	until ($condition->())
	{
		return 0 if time > $end;
		usleep(20_000);
	}
	return 1;
}

sub follow
{
	my ($name) = @_;

	start_client($name, '/usr/bin/python3', $program, $node->connstr('postgres'), 'follow');
	until_true(PATIENCE, sub { output($name) =~ /^ready/m }) or die "no listener: " . slurp_file("$PostgreSQL::Test::Utils::tmp_check/$name.err");
	return;
}

# create_claimed(N): the table `work` holds the handles of so many claimed executions
sub create_claimed
{
	my ($n) = @_;

	$node->safe_psql('postgres', <<"SQL");
DROP TABLE IF EXISTS work;
SELECT count(*) FROM (SELECT ff_create_execution('l') FROM generate_series(1, $n)) c;
CREATE TABLE work AS SELECT row_number() OVER () AS n, handle FROM ff_claim('l', 'w', 'w-1', max_claims => $n);
SQL
	return;
}

create_claimed(1000);
follow('storm');
my @sessions = map { FfSession->new($node) } 0 .. 7;
$sessions[$_]->ask("SELECT handle FROM work WHERE n % 8 = $_ LIMIT 0") for 0 .. 7;
$sessions[$_]->tell(<<"SQL") for 0 .. 7;
DO \$\$
DECLARE
  h bytea;
BEGIN
  FOR h IN SELECT handle FROM work WHERE n % 8 = $_ LOOP
    PERFORM ff_complete(h);
    COMMIT;
  END LOOP;
END \$\$
SQL
for my $session (@sessions)
{
	$session->answer;
	is($session->errors, '', 'a session has completed its share') if $session->{err} ne '';
	$session->end;
}
my $last = $node->safe_psql('postgres', 'SELECT max(event_id) FROM ff_completion_event');
ok(until_true(PATIENCE, sub { () = output('storm') =~ /^read /mg; scalar(() = output('storm') =~ /^read /mg) >= 1000 }),
	'background: who reads only when notified reads all of 1000 completions');
usleep(SILENCE * 1_000_000);
stop_client('storm');
my @ids = output('storm') =~ /^read (\d+)$/mg;
my @told = output('storm') =~ /^notified (\d+)$/mg;
my %distinct = map { $_ => 1 } @ids;
is(scalar(@ids) . ' ' . keys %distinct, '1000 1000', 'each once');
is((sort { $a <=> $b } @told)[-1], $last, 'the greatest id told is the last');
cmp_ok(scalar(@told), '<', 250, 'by far fewer notifications: ' . @told);

# --- While the horizon is held the event cannot be read; when it is free the listener is told again.

create_claimed(1);
follow('held');
my $holder = FfSession->new($node, 'other');
$holder->ask('BEGIN; SELECT pg_current_xact_id();');
$actor->ask('SELECT ff_complete(handle) FROM work');
ok(until_true(PATIENCE, sub { output('held') =~ /^notified/m }), 'horizon held: the listener is told');
usleep(SILENCE * 1_000_000);
unlike(output('held'), qr/^read /m, 'and cannot read yet');
$holder->ask('ROLLBACK');
ok(until_true(2, sub { output('held') =~ /^read /m }), 'the holder gone: told again, it reads, without another commit');
stop_client('held');

# Two hold it, and the events' transactions commit in another order than they began.
create_claimed(2);
follow('twice');
$holder->ask('BEGIN; SELECT pg_current_xact_id();');
my $early = FfSession->new($node);
$early->ask('BEGIN; SELECT pg_current_xact_id();');
my $second = FfSession->new($node, 'other');
$second->ask('BEGIN; SELECT pg_current_xact_id();');
$actor->ask('SELECT ff_complete(handle) FROM work WHERE n = 1');
usleep(SILENCE * 1_000_000);
$early->ask('SELECT ff_complete(handle) FROM work WHERE n = 2; COMMIT;');
usleep(SILENCE * 1_000_000);
$holder->ask('ROLLBACK');
usleep(SILENCE * 1_000_000);
$second->ask('ROLLBACK');
ok(until_true(2, sub { 2 == (() = output('twice') =~ /^read /mg) }), 'two held it: when both are gone both events have been read');
$_->end for $holder, $early, $second;
stop_client('twice');

# --- What it has sent it does not keep.

# worker_memory(): bytes in use that the worker never gives back
sub worker_memory
{
	my $from = -s $node->logfile;
	my $used;

	$node->safe_psql('postgres', q(SELECT pg_log_backend_memory_contexts(pid) FROM pg_stat_activity WHERE backend_type = 'ffengine worker'));
	until_true(PATIENCE, sub { ($used) = slurp_file($node->logfile, $from) =~ /TopMemoryContext: .* (\d+) used/ }) or die 'not logged';
	return $used;
}

my $memory = worker_memory();
$node->safe_psql('postgres', <<'SQL');
DO $$
BEGIN
  FOR i IN 1 .. 200 LOOP
    PERFORM ff_create_execution('l');
    COMMIT;
    PERFORM pg_sleep(0.012);
  END LOOP;
END $$
SQL
cmp_ok(worker_memory() - $memory, '<', 8192, 'two hundred notifications later it holds no more memory');

# --- How soon, on a server that does nothing else.

my ($took) = run_command([ '/usr/bin/python3', $program, $node->connstr('postgres'), 'latency' ]);
cmp_ok($took, '<', 50, "background: told within 50 ms of the commit: $took ms");

# --- Without its worker, the commit itself notifies.

is($node->safe_psql('postgres', 'SELECT outcome FROM ff_stop_worker()'), 'stopped', 'the worker is stopped by hand');
$listener->ask('LISTEN ff_completion; LISTEN ff_work;');
hears('no worker: a creation notifies', $create, 'ff_work l');
my $event = next_event('ff_completion');
hears('no worker: so does a completion', "$claim\nSELECT outcome FROM ff_complete(:'h');", "ff_completion $event");
like($node->safe_psql('postgres', 'SELECT outcome FROM ff_start_worker()'), qr/^start/, 'it is started again');
$node->poll_query_until('postgres', $running) or die 'no worker';
hears('and notifies', $create, 'ff_work l');
$actor->ask(q(SELECT ff_complete(handle) FROM ff_claim('l', 'w', 'w-1')));
$listener->end;
$actor->end;

# --- Behind pgbouncer in transaction mode a client waits inside its calls, with the same results as
# on a connection of its own.

my $socket = PostgreSQL::Test::Utils::tempdir_short();
my $bouncer = "$PostgreSQL::Test::Utils::tmp_check/pgbouncer.ini";
append_to_file($bouncer, <<"INI");
[databases]
postgres = host=@{[ $node->host ]} port=@{[ $node->port ]} dbname=postgres user=@{[ scalar getpwuid $> ]}

[pgbouncer]
unix_socket_dir = $socket
listen_port = 6432
auth_type = any
pool_mode = transaction
default_pool_size = 6
server_reset_query_always = 0
INI
start_client('pgbouncer', (grep { -x } map { "$_/pgbouncer" } split(/:/, $ENV{PATH}), '/usr/sbin')[0], $bouncer);
my $pooled = "host=$socket port=6432 dbname=postgres";
until_true(PATIENCE, sub { -S "$socket/.s.PGSQL.6432" }) or die slurp_file("$PostgreSQL::Test::Utils::tmp_check/pgbouncer.err");

my $results = "60 submitted, 60 claimed, 60 handled\nevery execution was claimed once\n"
  . "every event was handled once, in order\nclaims waited for work";
for my $way ([ 'a connection of its own', $node->connstr('postgres') ], [ 'pgbouncer', $pooled ])
{
	my ($name, $connection) = @$way;
	my ($out, $err) = run_command([ '/usr/bin/python3', $program, $connection, 'clients' ]);
	is($out, $results, "$name: long-polls find work and events") or diag($err);
}
my ($out, $err) = run_command([ 'psql', '-XAtq', '-d', $pooled, '-c', 'SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()' ]);
is($err, '', 'pgbouncer has nothing to complain of');
stop_client('pgbouncer');

is_consistent($node);
# a client that is stopped may be about to be told
log_is_clean($node, allow => qr/connection to client lost/);
$node->stop;

done_testing();

__DATA__
"""Clients: clients.py CONNECTION follow|latency|clients"""
import select
import statistics
import sys
import threading
import time

import psycopg2

connection, role = sys.argv[1:]


def connect():
    conn = psycopg2.connect(connection)
    conn.autocommit = True
    return conn


def say(*words):
    print(*words, flush=True)


def notifications(conn, seconds):
    """Those that have come, or come within that time."""
    if not conn.notifies:
        select.select([conn], [], [], seconds)
    conn.poll()
    told, conn.notifies = conn.notifies, []
    return told


def follow():
    """Tells what it is told, and each event that it then reads."""
    conn = connect()
    cur = conn.cursor()
    cur.execute("LISTEN ff_completion")
    cur.execute("SELECT ff_event_cursor('completion')")
    position = cur.fetchone()[0]
    say("ready")
    while True:
        told = notifications(conn, 1)
        for notification in told:
            say("notified", notification.payload)
        rows = told
        while rows:
            cur.execute("SELECT next_cursor, event_id FROM ff_subscribe_completion(%s, max_rows => 100)", (position,))
            rows = cur.fetchall()
            for position, event in rows:
                say("read", event)


def latency():
    """Milliseconds from a commit to its notification, the median of some."""
    listener, conn = connect(), connect()
    listener.cursor().execute("LISTEN ff_completion")
    cur = conn.cursor()
    took = []
    for _ in range(11):
        cur.execute("SELECT ff_create_execution('latency')")
        cur.execute("SELECT handle FROM ff_claim('latency', 'w', 'w-1')")
        handle = cur.fetchone()[0]
        time.sleep(0.1)
        cur.execute("SELECT ff_complete(%s)", (handle,))
        begun = time.monotonic()
        assert notifications(listener, 5), "not notified"
        took.append(1000 * (time.monotonic() - begun))
    say(round(statistics.median(took), 1))


SUBMITTED = 60
WORKERS = 3


def clients():
    """A submitter, three workers and a subscriber, who wait inside their calls."""
    claimed, waits, handled, submitted = [], [], [], {}
    done = threading.Event()

    def submit():
        cur = connect().cursor()
        for number in range(SUBMITTED):
            time.sleep(0.1 if number % 10 == 0 else 0.002)
            cur.execute("SELECT execution_id FROM ff_create_execution('pool', payload => %s)", (str(number).encode(),))
            submitted[cur.fetchone()[0]] = time.monotonic()

    def work(instance):
        cur = connect().cursor()
        while not done.is_set():
            begun = time.monotonic()
            cur.execute("SELECT execution_id, handle FROM ff_claim('pool', 'w', %s, max_claims => 2, block_ms => 1000)",
                        (instance,))
            rows = cur.fetchall()
            if rows and time.monotonic() - begun > 0.05:
                waits.append(time.monotonic() - begun)
            for execution, handle in rows:
                claimed.append(execution)
                cur.execute("SELECT outcome FROM ff_complete(%s)", (handle,))

    def subscribe():
        conn = connect()
        conn.autocommit = False
        while len(handled) < SUBMITTED:
            with conn, conn.cursor() as cur:
                cur.execute("SELECT next_cursor, execution_id, event_id FROM ff_poll_subscription('pool', 10, block_ms => 1000)")
                rows = cur.fetchall()
                if rows:
                    cur.execute("SELECT ff_ack_subscription('pool', %s)", (rows[-1][0],))
                handled.extend(row[1:] for row in rows)

    conn = connect()
    cur = conn.cursor()
    cur.execute("SELECT ff_create_subscription('pool', 'completion')")
    cur.execute("SELECT max(event_id) FROM ff_completion_event")
    before = cur.fetchone()[0]
    workers = [threading.Thread(target=work, args=(f"w-{n}",)) for n in range(WORKERS)]
    subscriber = threading.Thread(target=subscribe, daemon=True)
    for thread in (*workers, subscriber):
        thread.start()
    submit()
    subscriber.join(30)
    done.set()
    for thread in workers:
        thread.join()
    cur.execute("SELECT ff_drop_subscription('pool')")
    cur.execute("SELECT ff_execution_id(partition_key, execution_id), event_id FROM ff_completion_event"
                " WHERE event_id > %s ORDER BY xact_id, event_id", (before,))
    say(f"{len(submitted)} submitted, {len(claimed)} claimed, {len(handled)} handled")
    say("every execution was claimed once" if sorted(claimed) == sorted(submitted) else sorted(claimed))
    say("every event was handled once, in order" if handled == cur.fetchall() else handled)
    say("claims waited for work" if waits and max(waits) < 0.9 else f"waits: {waits}")


{"follow": follow, "latency": latency, "clients": clients}[role]()
