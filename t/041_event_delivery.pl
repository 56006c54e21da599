# 16 writers commit, roll back and prepare in random order, with random sleeps inside their
# transactions. Two durable subscriptions, acknowledged in the transaction that handles the events,
# and a reader that keeps its cursor itself get every committed event exactly once and in the order of
# positions: on a preloaded server and without, while writers elsewhere hold the horizon back, and
# through SIGKILLs of the server. A reader that goes by event_id alone loses some on the way, so the
# test would notice.
#
# Writers and readers are the Python program at the end of this file. FF_EVENTS_SEED changes the
# order of things, FF_EVENTS_TRANSACTIONS the amount of work.
use strict;
use warnings FATAL => 'all';

use FfSession;
use FfTest;
use PostgreSQL::Test::Utils;
use POSIX qw(WNOHANG);
use Test::More;
use Time::HiRes qw(time usleep);

use constant WRITERS => 16;
use constant TRANSACTIONS => $ENV{FF_EVENTS_TRANSACTIONS} // 30;
use constant MOST_SECONDS => 120;

my $seed = $ENV{FF_EVENTS_SEED} // 4711;
my $program = "$PostgreSQL::Test::Utils::tmp_check/events.py";
append_to_file($program, join '', <DATA>);

my ($node, $dir);
my %running;    # process ids

sub rows
{
	my ($sql) = @_;
	return $node->safe_psql('postgres', $sql);
}

# none(NAME, SQL): the query, of what must not be, finds nothing
sub none
{
	my ($name, $sql) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return is(rows("SELECT * FROM ($sql) x LIMIT 10"), '', $name);
}

# wait_for(WHAT, CONDITION): dies if it does not come true
sub wait_for
{
	my ($what, $condition) = @_;
	my $end = time + MOST_SECONDS;

	until ($condition->())
	{
		die "$what: not after " . MOST_SECONDS . ' seconds' if time > $end;
		usleep(50_000);
	}
	return;
}

sub start
{
	my ($role) = @_;
	my $pid = fork // die "fork: $!";

	if ($pid == 0)
	{
		open STDERR, '>>', "$dir/$role.err" or die "$role.err: $!";
		exec '/usr/bin/python3', $program, $node->connstr('postgres'), $role, WRITERS, TRANSACTIONS, $seed, $dir
		  or POSIX::_exit(127);
	}
	$running{$pid} = 1;
	return $pid;
}

# ended(PID): whether it has ended, which must be well
sub ended
{
	my ($pid) = @_;

	return 0 if waitpid($pid, WNOHANG) == 0;
	delete $running{$pid};
	die "a process ended with status $?: " . join '', map { slurp_file($_) } glob "$dir/*.err" if $? != 0;
	return 1;
}

END { local $?; kill 'KILL', keys %running if %running; }

# Whoever holds the horizon back, readers wait for it and get nothing of what began later.
sub held_back
{
	my ($kind, $begin, $end) = @_;
	my $other = FfSession->new($node, 'other');
	my $xact = $other->ask("BEGIN; CREATE TABLE t (n integer); SELECT pg_current_xact_id(); $begin");

	wait_for('events behind the holder',
		sub { rows("SELECT count(*) > 20 FROM ff_completion_event WHERE xact_id > '$xact'") eq 't' });
	is(rows('SELECT holder_database, holder_kind, holder_since <= clock_timestamp() FROM ff_event_horizon()'),
		"other|$kind|t", "$kind in another database holds the horizon");
	is( rows(<<"SQL"), '0|0', "$kind: nobody was given what began writing later");
SELECT (SELECT count(*) FROM handled JOIN ff_completion_event USING (event_id) WHERE xact_id >= '$xact'),
       (SELECT count(*) FROM ff_subscribe_completion(ff_event_cursor('completion', 'earliest'), max_rows => 10000)
               JOIN ff_completion_event USING (event_id) WHERE xact_id >= '$xact')
SQL
	$other->ask($end);
	$other->end;
	return;
}

# deliver(WHAT, OPTION => VALUE): one round of writers and readers, and what became of it
#   hold    writers in another database get in the way
#   kill    so often the server is killed on the way
sub deliver
{
	my ($what, %opt) = @_;
	my $kills = 0;

	$dir = "$PostgreSQL::Test::Utils::tmp_check/" . $what =~ s/\W+/_/gr;
	mkdir $dir or die "$dir: $!";
	rows(<<'SQL');
DROP TABLE IF EXISTS handled, ledger, cursor_read, naive_read;
CREATE TABLE handled (number bigint GENERATED ALWAYS AS IDENTITY, subscription text, event_id bigint, execution_id text);
CREATE INDEX ON handled (subscription, event_id);
CREATE TABLE ledger (fate text, execution_id text);
CREATE TABLE cursor_read (number integer, event_id bigint, execution_id text);
CREATE TABLE naive_read (number integer, event_id bigint);
SELECT ff_create_subscription(name, 'completion') FROM (VALUES ('large'), ('small')) s (name);
SQL
	# what is new from here on
	my ($completion, $lease) = split /\|/, rows(<<'SQL');
SELECT coalesce((SELECT max(event_id) FROM ff_completion_event), 0),
       coalesce((SELECT max(event_id) FROM ff_lease_event), 0)
SQL
	my $begun = time;
	my $readers = start('readers');
	wait_for('readers', sub { ended($readers); -e "$dir/ready" });
	my $writers = start('writers');
	my $written = "SELECT count(*) FROM ff_completion_event WHERE event_id > $completion";

	if ($opt{hold})
	{
		wait_for('first events', sub { rows($written) > 100 });
		held_back('backend', '', 'ROLLBACK');
		held_back('prepared', "PREPARE TRANSACTION 'holder'", "ROLLBACK PREPARED 'holder'");
	}
	while ($kills < ($opt{kill} // 0))
	{
		my $share = ($kills + 1) / ($opt{kill} + 1);
		wait_for('events to lose', sub { rows($written) > WRITERS * TRANSACTIONS * $share });
		kill_server($node);
		usleep(200_000);
		$node->start;
		$kills++;
	}
	wait_for('writers', sub { ended($writers) });
	is(rows('SELECT count(*) FROM pg_prepared_xacts'), '0', "$what: nothing is left prepared");
	my $events = rows($written);
	wait_for('readers',
		sub { rows("SELECT bool_and(n >= $events) FROM (SELECT count(*) FILTER (WHERE subscription = s) AS n"
				  . " FROM handled, unnest('{large,small}'::text[]) s GROUP BY s) x") eq 't' });
	kill 'TERM', $readers;
	wait_for('the end of the readers', sub { ended($readers) });
	note(sprintf '%s: %d events in %.1f s', $what, $events, time - $begun);

	rows("COPY ledger FROM '$dir/ledger'; COPY cursor_read FROM '$dir/cursor'; COPY naive_read FROM '$dir/naive'");
	none("$what: what a writer saw committed is there, once", <<'SQL');
SELECT l.execution_id, count(c.*) FROM ledger l LEFT JOIN ff_completion_event c
    ON (c.partition_key, c.execution_id) = (ff_execution_partition(l.execution_id), ff_execution_uuid(l.execution_id))
 WHERE fate = 'committed' GROUP BY 1 HAVING count(c.*) <> 1
SQL
	none("$what: what was rolled back is not", <<'SQL');
SELECT l.* FROM ledger l JOIN ff_completion_event c
    ON (c.partition_key, c.execution_id) = (ff_execution_partition(l.execution_id), ff_execution_uuid(l.execution_id))
 WHERE fate = 'rolled back'
SQL
	for my $subscription ('large', 'small')
	{
		none("$what: subscription $subscription handled every event once, in the order of positions", <<"SQL");
SELECT * FROM (SELECT row_number() OVER (ORDER BY xact_id, event_id) AS place, event_id,
                      ff_execution_id(partition_key, execution_id) AS execution_id
                 FROM ff_completion_event WHERE event_id > $completion) e
         FULL JOIN (SELECT row_number() OVER (ORDER BY number) AS place, event_id, execution_id
                      FROM handled WHERE subscription = '$subscription') h USING (place, event_id, execution_id)
 WHERE e.place IS NULL OR h.place IS NULL
SQL
	}
	none("$what: so did the reader that keeps its cursor", <<"SQL");
SELECT * FROM (SELECT row_number() OVER (ORDER BY xact_id, event_id) AS place, event_id,
                      ff_execution_id(partition_key, execution_id::uuid) AS execution_id
                 FROM ff_lease_event WHERE event_id > $lease) e
         FULL JOIN (SELECT number AS place, event_id, execution_id FROM cursor_read) r USING (place, event_id, execution_id)
 WHERE e.place IS NULL OR r.place IS NULL
SQL
	cmp_ok(
		rows("SELECT count(*) FROM ff_lease_event l WHERE event_id > $lease AND NOT EXISTS"
			  . ' (SELECT FROM naive_read n WHERE n.event_id = l.event_id)'),
		'>', 0, "$what: who goes by event_id alone loses events");
	my %fate = map { split /\|/ } split /\n/, rows('SELECT fate, count(*) FROM ledger GROUP BY 1');
	note(join ', ', map { "$fate{$_} $_" } sort keys %fate);
	cmp_ok($fate{committed}, '>', WRITERS * TRANSACTIONS / 2, "$what: enough was committed");
	cmp_ok($fate{'rolled back'}, '>', WRITERS * TRANSACTIONS / 10, "$what: and rolled back");
	rows(q(SELECT ff_drop_subscription(name) FROM ff_list_subscriptions()));
	return;
}

my @conf = ('max_prepared_transactions = 40', 'max_connections = 60');

$node = node_with_extension('preloaded', preload => 1, fsync => 1, conf => \@conf);
rows('CREATE DATABASE other');
deliver('preloaded', hold => 1);
deliver('killed', kill => 2);
is_consistent($node);
log_is_clean($node, allow => qr/terminated by signal 9|because of crash|in recovery mode|starting up/);
$node->stop;

$node = node_with_extension('plain', conf => \@conf);
deliver('not preloaded');
is_consistent($node);
log_is_clean($node);
$node->stop;

done_testing();

__DATA__
"""Writers, or readers: events.py CONNECTION ROLE WRITERS TRANSACTIONS SEED DIRECTORY"""
import os
import random
import signal
import sys
import threading
import time

import psycopg2
from psycopg2.extras import execute_values

connection, role, writers, transactions, seed, directory = sys.argv[1:]
stopped = threading.Event()
LOST = (psycopg2.OperationalError, psycopg2.InterfaceError)
PATIENCE = 60  # seconds without a server


def connect():
    give_up = time.monotonic() + PATIENCE
    while True:
        try:
            conn = psycopg2.connect(connection)
            conn.autocommit = True
            return conn
        except LOST:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.05)


class Writer:
    def __init__(self, number):
        self.name = f"w{number}"
        self.random = random.Random(f"{seed} {number}")
        self.ledger = []
        self.connect()

    def connect(self):
        self.conn = connect()
        self.cur = self.conn.cursor()
        # what was prepared when the server went: the execution's fate is on record as unknown
        self.cur.execute("SELECT gid FROM pg_prepared_xacts WHERE gid LIKE %s", (self.name + "/%",))
        for (gid,) in self.cur.fetchall():
            self.cur.execute(self.random.choice(("COMMIT", "ROLLBACK")) + " PREPARED %s", (gid,))

    def nap(self):
        """Mostly short, seldom long."""
        time.sleep(0.12 * self.random.random() ** 4)

    def one_execution(self):
        """Created, claimed and ended: a completion event and two of its lease, with time between them."""
        self.cur.execute("SELECT execution_id FROM ff_create_execution(%s)", (self.name,))
        self.cur.execute("SELECT execution_id, handle FROM ff_claim(%s, 'w', %s)", (self.name, self.name))
        execution, handle = self.cur.fetchone()
        self.nap()
        self.cur.execute(self.random.choice(("SELECT ff_complete(%s)", "SELECT ff_fail(%s, 'no', 'permanent')")), (handle,))
        self.nap()
        return execution

    def body(self):
        """(executions that share the transaction's fate, executions rolled back whatever it is)"""
        done, undone = [], []
        for _ in range(self.random.randint(1, 3)):
            fate = self.random.random()
            if fate < 0.3:
                self.cur.execute("SAVEPOINT s")
            execution = self.one_execution()
            if fate < 0.15:
                self.cur.execute("ROLLBACK TO s")
                undone.append(execution)
            else:
                done.append(execution)
        return done, undone

    def transaction(self, number):
        self.cur.execute("BEGIN")
        done, undone = self.body()
        self.note("rolled back", undone)
        fate = self.random.choices(("COMMIT", "ROLLBACK", "COMMIT PREPARED", "ROLLBACK PREPARED"), (60, 20, 14, 6))[0]
        try:
            if fate.endswith("PREPARED"):
                gid = f"{self.name}/{number}"
                self.cur.execute("PREPARE TRANSACTION %s", (gid,))
                self.nap()
                self.cur.execute(fate + " %s", (gid,))
            else:
                self.cur.execute(fate)
        except LOST:
            self.note("unknown", done)
            raise
        self.note("committed" if fate.startswith("COMMIT") else "rolled back", done)

    def note(self, fate, executions):
        self.ledger += [f"{fate}\t{execution}\n" for execution in executions]

    def run(self):
        for number in range(int(transactions)):
            try:
                self.transaction(number)
            except LOST:
                self.connect()
            self.nap()


def write():
    crew = [Writer(number) for number in range(int(writers))]
    run_all([writer.run for writer in crew])
    with open(f"{directory}/ledger", "w") as file:
        file.writelines(line for writer in crew for line in writer.ledger)


def subscriber(name, max_rows):
    """Handles and acknowledges in one transaction, which comes to nothing now and then."""
    chance = random.Random(f"{seed} {name}")

    def turn(conn):
        conn.autocommit = False
        with conn, conn.cursor() as cur:
            cur.execute("SELECT next_cursor, event_id, execution_id"
                        " FROM ff_poll_subscription(%s, max_rows => %s, block_ms => 400)", (name, max_rows))
            rows = cur.fetchall()
            if not rows:
                return False
            execute_values(cur, "INSERT INTO handled (subscription, event_id, execution_id) VALUES %s",
                           [(name, event, execution) for _, event, execution in rows])
            time.sleep(0.01 * chance.random())
            cur.execute("SELECT outcome FROM ff_ack_subscription(%s, %s)", (name, rows[-1][0]))
            assert cur.fetchone() == ("acked",)
            if chance.random() < 0.1:
                conn.rollback()
            return True

    return turn


class Reader:
    """Keeps its position itself, in memory."""

    def __init__(self, name, conn):
        self.name = name
        self.seen = []
        with conn.cursor() as cur:
            self.begin(cur)

    def turn(self, conn):
        before = len(self.seen)
        with conn.cursor() as cur:
            self.look(cur)
        return len(self.seen) > before

    def save(self):
        with open(f"{directory}/{self.name}", "w") as file:
            file.writelines("\t".join(map(str, (number, *row))) + "\n" for number, row in enumerate(self.seen, 1))


class CursorReader(Reader):
    def begin(self, cur):
        cur.execute("SELECT ff_event_cursor('lease_history')")
        self.position = cur.fetchone()[0]

    def look(self, cur):
        cur.execute("SELECT next_cursor, event_id, execution_id"
                    " FROM ff_subscribe_lease_history(%s, max_rows => 50, block_ms => 400)", (self.position,))
        for position, *row in cur.fetchall():
            self.position = position
            self.seen.append(row)


class NaiveReader(Reader):
    """What not to do: event_id is given before the commit."""

    def begin(self, cur):
        cur.execute("SELECT coalesce(max(event_id), 0) FROM ff_lease_event")
        self.position = cur.fetchone()[0]

    def look(self, cur):
        cur.execute("SELECT event_id FROM ff_lease_event WHERE event_id > %s ORDER BY event_id", (self.position,))
        for row in cur.fetchall():
            self.position = row[0]
            self.seen.append(row)
        time.sleep(0.02)


def repeat(turn):
    """Until there is nothing more when it is told to stop."""

    def run():
        conn = connect()
        more = True
        while more or not stopped.is_set():
            try:
                more = turn(conn)
            except LOST:
                conn = connect()

    return run


def read():
    conn = connect()
    readers = [CursorReader("cursor", conn), NaiveReader("naive", conn)]
    conn.close()
    open(f"{directory}/ready", "w").close()
    run_all([repeat(turn) for turn in (subscriber("large", 100), subscriber("small", 7), *(r.turn for r in readers))])
    for reader in readers:
        reader.save()


def run_all(tasks):
    """Each in a thread of its own; the first that fails ends the process."""

    def guarded(task):
        try:
            task()
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)

    threads = [threading.Thread(target=guarded, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


signal.signal(signal.SIGTERM, lambda *_: stopped.set())
write() if role == "writers" else read()
