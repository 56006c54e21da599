# Eight workers process 20,000 executions while they are killed at random and leases lapse: every
# execution ends once, whoever lost its lease is refused, attempts and epochs add up.
#
# The workers are real processes (the Python program at the end of this file), so that SIGKILL
# leaves behind what a crash does: open connections, half a batch, transactions without an end.
# Each writes what it was told into a ledger, which the test compares with the database. What the
# reconcilers do is done by one more process, by the per-execution hooks. FF_WORKERS_SEED changes
# the order of things.
use strict;
use warnings FATAL => 'all';

use FfTest;
use PostgreSQL::Test::Utils;
use POSIX qw(WNOHANG);
use Test::More;
use Time::HiRes qw(time usleep);

use constant WORKERS => 8;
use constant EXECUTIONS => $ENV{FF_WORKERS_EXECUTIONS} // 20_000;
use constant MOST_SECONDS => 400;

my $seed = $ENV{FF_WORKERS_SEED} // 4711;
my $node = node_with_extension('workers', conf => [ "log_line_prefix = '%m [%p] %e '" ]);
my $dir = $PostgreSQL::Test::Utils::tmp_check;

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

# --- The work. What becomes of an execution follows from its number, the payload.

rows(<<'SQL');
CREATE TABLE effect (execution_id text PRIMARY KEY, instance text);
CREATE TABLE ledger (at_ms bigint, instance text, call text, late boolean, answer text,
                     execution_id text, attempt_index integer, epoch bigint, handle text);
SELECT ff_seed_waitpoint_hmac_secret('k1');
SQL
rows(<<"SQL") for 0 .. 3;
SELECT count(*) FROM ff_create_executions(
  (SELECT jsonb_agg(jsonb_build_object('payload', n, 'priority', n % 5,
            'required_capabilities', (ARRAY['[]', '["gpu"]', '["eu"]', '["eu","gpu"]'])[n % 7 % 4 + 1]::jsonb))
     FROM generate_series(@{[ $_ * EXECUTIONS / 4 + 1 ]}, @{[ ($_ + 1) * EXECUTIONS / 4 ]}) n),
  '{"lane_id": "work", "policy": {"retry_policy": {"max_retries": 3, "backoff": {"type": "fixed", "delay_ms": @{[ $_ % 2 * 15 ]}}}}}')
SQL

# --- The processes.

my $program = "$dir/worker.py";
append_to_file($program, join '', <DATA>);
my %role;         # by process id
my $started = 0;

sub start
{
	my ($role) = @_;
	my $instance = sprintf '%s-%03d', $role, ++$started;
	my $pid = fork // die "fork: $!";
	if ($pid == 0)
	{
		open STDERR, '>>', "$dir/$role.err" or die "$role.err: $!";
		exec '/usr/bin/python3', $program, $node->connstr('postgres'), $role, $instance,
		  $seed + $started, "$dir/$instance.ledger"
		  or POSIX::_exit(127);
	}
	$role{$pid} = $role;
	return $pid;
}

sub finish
{
	my ($signal, @pids) = @_;
	kill $signal, @pids;
	for my $pid (@pids)
	{
		waitpid $pid, 0;
		delete $role{$pid};
	}
	return;
}
END { local $?; finish('KILL', keys %role) if %role; }

srand $seed;
my $begun = time;
my $clock = start('clock');
start("worker$_") for 1 .. WORKERS;

my $kills = 0;
my @died;
# the clock ends when all executions have; nobody else by itself
while ($role{$clock} && !@died)
{
	if (time - $begun > MOST_SECONDS)
	{
		diag(rows('SELECT public_state, count(*) FROM ff_exec_core GROUP BY 1'));
		die 'not done after ' . MOST_SECONDS . ' seconds';
	}
	usleep(100_000 + int rand 300_000);
	while ((my $pid = waitpid -1, WNOHANG) > 0)
	{
		my $role = delete $role{$pid};
		push @died, "$role with status $?" if $pid != $clock || $? != 0;
	}
	next unless $role{$clock} && !@died;
	my @workers = grep { $_ != $clock } sort { $a <=> $b } keys %role;
	my $victim = $workers[ rand @workers ];
	my $role = $role{$victim};
	finish('KILL', $victim);
	start($role);
	$kills++;
}
my $took = time - $begun;
my $said = join '', map { slurp_file($_) } glob "$dir/*.err";
finish('TERM', keys %role);
is("@died", '', 'no worker died by itself');
is($said, '', 'nor had anything to complain of') or die 'the processes failed';
note(sprintf '%d executions in %.1f s, %d workers killed', EXECUTIONS, $took, $kills);
cmp_ok($kills, '>', 20, 'workers were killed all the time');

for my $ledger (glob "$dir/*.ledger")
{
	rows("COPY ledger FROM '$ledger'");
}
rows('CREATE INDEX ON ledger (execution_id, epoch); ANALYZE');

# What happened to leases, in order: each event with the epoch it tells of.
rows(<<'SQL');
CREATE VIEW lease AS
SELECT event_id, ff_execution_id(partition_key, execution_id::uuid) AS execution_id, attempt_index, lease_epoch, event_type, reason,
       lag(lease_epoch, 1, 0::bigint) OVER w AS epoch_before, lag(event_type) OVER w AS type_before
  FROM ff_lease_event WINDOW w AS (PARTITION BY partition_key, execution_id ORDER BY event_id);
CREATE TABLE lost AS
SELECT DISTINCT execution_id, lease_epoch AS epoch FROM lease WHERE event_type = 'expired';
SQL

# --- Every execution ended once.

is(rows('SELECT count(*) FROM ff_exec_core'), EXECUTIONS, 'every execution is there');
none('every one of them has ended, and one event says how', <<'SQL');
SELECT e.execution_id, e.public_state, e.terminal_outcome, array_agg(c.outcome)
  FROM ff_exec_core e
  LEFT JOIN ff_completion_event c
    ON c.partition_key = e.partition_key AND c.execution_id = e.execution_id AND c.outcome <> 'resumable'
 GROUP BY e.partition_key, e.execution_id
HAVING array_agg(c.outcome) IS DISTINCT FROM ARRAY[e.terminal_outcome::text]
SQL
# completion and the worker's own row were one transaction
none('completed work took effect once, other work never', <<'SQL');
SELECT ff_execution_id(e.partition_key, e.execution_id), e.public_state, f.instance
  FROM ff_exec_core e
  FULL JOIN effect f ON f.execution_id = ff_execution_id(e.partition_key, e.execution_id)
 WHERE (e.terminal_outcome IS NOT DISTINCT FROM 'success') <> (f.execution_id IS NOT NULL)
SQL
my $ends = rows(<<'SQL');
SELECT string_agg(terminal_outcome || ' ' || n, ', ' ORDER BY terminal_outcome)
  FROM (SELECT terminal_outcome, count(*) AS n FROM ff_exec_core GROUP BY 1) x
SQL
note("ended: $ends");
like($ends, qr/success \d+, failed \d+, cancelled \d+/, 'in all the ways there are');
none('a resume has one event too', <<'SQL');
SELECT e.execution_id FROM ff_exec_core e
 WHERE (SELECT count(*) FROM ff_completion_event c
         WHERE c.partition_key = e.partition_key AND c.execution_id = e.execution_id AND c.outcome = 'resumable')
    <> (SELECT count(*) FROM ff_signal s WHERE s.partition_key = e.partition_key AND s.execution_id = e.execution_id)
SQL

# --- Attempts and epochs add up.

none('attempts = 1 + retries + lost leases', <<'SQL');
SELECT e.execution_id, e.attempt_index, e.retry_count, e.lease_reclaim_count, count(a.*)
  FROM ff_exec_core e LEFT JOIN ff_attempt a USING (partition_key, execution_id)
 GROUP BY e.partition_key, e.execution_id
HAVING count(a.*) <> 1 + e.retry_count + e.lease_reclaim_count OR count(a.*) <> 1 + e.attempt_index
    OR count(*) FILTER (WHERE a.outcome = 'retry') <> e.retry_count
    OR count(*) FILTER (WHERE a.outcome = 'interrupted_reclaimed') <> e.lease_reclaim_count
    OR count(*) FILTER (WHERE a.attempt_type = 'reclaim') <> e.lease_reclaim_count
    OR count(*) FILTER (WHERE a.attempt_type = 'retry') <> e.retry_count
SQL
none('events tell of as many', <<'SQL');
SELECT e.execution_id FROM ff_exec_core e
  LEFT JOIN (SELECT execution_id::uuid, count(*) FILTER (WHERE event_type = 'reclaimed') AS reclaims,
                    count(*) FILTER (WHERE event_type = 'expired') AS lapses,
                    count(*) FILTER (WHERE reason = 'failed_retry') AS retries
               FROM ff_lease_event GROUP BY 1) l USING (execution_id)
 WHERE (e.lease_reclaim_count, e.lease_reclaim_count, e.retry_count)
       IS DISTINCT FROM (l.reclaims, l.lapses, l.retries)
SQL
none('epochs rise with every lease', <<'SQL');
SELECT * FROM lease WHERE event_type IN ('acquired', 'reclaimed') AND lease_epoch <= epoch_before
SQL
none('and over the attempts', <<'SQL');
SELECT execution_id FROM (SELECT execution_id, lease_epoch, lag(lease_epoch, 1, 0::bigint) OVER
         (PARTITION BY partition_key, execution_id ORDER BY attempt_index) AS before FROM ff_attempt) a
 WHERE lease_epoch <= before
SQL
none('only the newest lease is renewed, given back or lost, and then no more', <<'SQL');
SELECT * FROM lease
 WHERE CASE WHEN event_type IN ('acquired', 'reclaimed')
            THEN coalesce(type_before, 'revoked') NOT IN ('revoked', 'expired')
            ELSE lease_epoch <> epoch_before OR type_before NOT IN ('acquired', 'reclaimed', 'renewed') END
SQL

# --- What workers were told.

note('calls: ' . rows(<<'SQL'));
SELECT string_agg(call || ' ' || answer || ' ' || n, ', ' ORDER BY call, n DESC)
  FROM (SELECT call, answer, count(*) AS n FROM ledger GROUP BY 1, 2) x
SQL
none('no two were given the same lease', <<'SQL');
SELECT execution_id, epoch, count(*) FROM ledger WHERE call = 'claim' GROUP BY 1, 2 HAVING count(*) > 1
SQL
none('a promise given was kept: what was accepted is on record', <<'SQL');
SELECT l.call, l.execution_id, l.epoch FROM ledger l
 WHERE l.call <> 'claim' AND l.answer = 'ok' AND l.call <> 'progress'
   AND NOT EXISTS (SELECT FROM ff_lease_event e
                    WHERE e.partition_key = ff_execution_partition(l.execution_id)
                      AND e.execution_id = ff_execution_uuid(l.execution_id)::text AND e.lease_epoch = l.epoch
                      AND CASE l.call WHEN 'renew' THEN e.event_type = 'renewed' ELSE e.event_type = 'revoked' END)
SQL
my $late = rows('SELECT count(*) FROM ledger WHERE late');
cmp_ok($late, '>', 500, "$late calls came when the lease had run out");
none('every one of them was refused', <<'SQL');
SELECT call, answer, execution_id, epoch FROM ledger WHERE late AND answer NOT IN ('ZS002', 'ZC004')
SQL
none('nobody else was, but whose lease was lost', <<'SQL');
SELECT l.call, l.answer, l.execution_id, l.epoch FROM ledger l
 WHERE NOT l.late AND l.call <> 'claim' AND l.answer <> 'ok'
   AND (l.answer NOT IN ('ZS002', 'ZC004') OR (l.execution_id, l.epoch) NOT IN (TABLE lost))
SQL

# Those who were killed come back: with every handle whose lease was lost, every call is refused.
my $state = <<'SQL';
SELECT md5(string_agg(r, ',' ORDER BY r)) FROM (
  SELECT c::text AS r FROM ff_exec_core c UNION ALL SELECT a::text FROM ff_attempt a
  UNION ALL SELECT e::text FROM ff_lease_event e UNION ALL SELECT e::text FROM ff_completion_event e) x
SQL
my $was = rows($state);
my $back = rows(<<'SQL');
CREATE TABLE revenant AS
SELECT decode(handle, 'hex') AS handle FROM ledger
 WHERE call = 'claim' AND (execution_id, epoch) IN (TABLE lost)
   AND (SELECT public_state FROM ff_exec_core c WHERE c.execution_id = ff_execution_uuid(ledger.execution_id)) <> 'cancelled';
CREATE TABLE revenant_told (call text, answer text);
DO $$
DECLARE
  r record;
  c text;
BEGIN
  FOR r IN TABLE revenant LOOP
    FOREACH c IN ARRAY '{renew($1), progress($1), complete($1), "fail($1, ''x'')", "delay($1, now())",
                         wait_children($1), cancel($1), "suspend($1, ff_when(''go''))"}'::text[] LOOP
      BEGIN
        EXECUTE 'SELECT ff_' || c USING r.handle;
        INSERT INTO revenant_told VALUES (c, 'ok');
      EXCEPTION WHEN OTHERS THEN
        INSERT INTO revenant_told VALUES (c, SQLSTATE);
      END;
    END LOOP;
    COMMIT;
  END LOOP;
END $$;
SELECT count(*) FROM revenant;
SQL
cmp_ok($back, '>', 200, "$back leases had been lost that a worker had a handle of");
# suspend has its own word for an attempt that is not the current one, cancel for an end
is( rows(<<'SQL'), join("\n", 'cancel|ZC010', 'complete|ZC004', 'delay|ZC004', 'fail|ZC004', 'progress|ZC004',
SELECT DISTINCT split_part(call, '(', 1), answer FROM revenant_told ORDER BY 1, 2
SQL
		'renew|ZC004', 'suspend|ZV011', 'wait_children|ZC004'),
	'whoever comes back with one is refused');
is( rows(<<'SQL'), "refused|ZC004", 'and by the bulk forms');
SELECT DISTINCT b.outcome, b.sqlstate
  FROM (SELECT array_agg(handle) AS handles FROM (SELECT handle FROM revenant LIMIT 1000) r) x,
       LATERAL (SELECT * FROM ff_complete_many(x.handles) UNION ALL SELECT * FROM ff_renew_many(x.handles)) b
SQL
is(rows($state), $was, 'nothing has changed by it');

# --- The log. Refusals are errors of the engine; anything else is not expected.

my %errors = map { $_ => 1 } slurp_file($node->logfile) =~ / (\w{5}) ERROR: /g;
is(join(' ', grep { !/^(?:ZS002|ZC004|ZC010|ZV011)$/ } sort keys %errors), '', 'no deadlock, nothing but refusals in the log');
# a killed client is missed when its answer is sent
log_is_clean($node, allow => qr/connection to client lost/);
is_consistent($node);
$node->stop;

done_testing();

__DATA__
"""A worker, or the clock: worker.py CONNECTION ROLE INSTANCE SEED LEDGER"""
import os
import random
import signal
import sys
import time

import psycopg2

connection, role, instance, seed, ledger_path = sys.argv[1:]
random.seed(int(seed))
ledger = os.open(ledger_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
stopped = False

LEASE_MS = 1500
SHORT_LEASE_MS = 120


def stop(*_):
    global stopped
    stopped = True


signal.signal(signal.SIGTERM, stop)
conn = psycopg2.connect(connection)
conn.autocommit = True
cur = conn.cursor()


class Lease:
    def __init__(self, row):
        (self.execution, self.handle, self.kind, self.attempt, self.epoch, self.ends_ms, payload) = row
        self.handle = bytes(self.handle)
        self.number = int(bytes(payload))

    def is_late(self):
        return time.time() * 1000 >= self.ends_ms + 1


def note(call, lease, late, answer):
    """One line at once: whatever becomes of this process, what it was told is on record."""
    handle = lease.handle.hex() if call == "claim" else "\\N"
    line = (int(time.time() * 1000), instance, call, late, answer, lease.execution, lease.attempt,
            lease.epoch, handle)
    os.write(ledger, ("\t".join(map(str, line)) + "\n").encode())


def call(name, lease, sql, *arguments):
    """One call under a lease; its row, or None where it was refused."""
    # the last owner may cancel, lapsed or not
    late = lease.is_late() and name != "cancel"
    try:
        cur.execute(sql, (lease.handle, *arguments))
        row = cur.fetchone()
        note(name, lease, late, "ok")
        return row
    except psycopg2.Error as error:
        if error.pgcode is None or not error.pgcode.startswith("Z"):
            raise
        note(name, lease, late, error.pgcode)
        return None


def claim(most, lease_ms, block_ms=0):
    cur.execute("SELECT execution_id, handle, claim_kind, attempt_index, lease_epoch, ff_to_ms(lease_expires_at), payload"
                " FROM ff_claim('work', 'pool', %s, capabilities => %s, max_claims => %s, lease_ttl_ms => %s,"
                " block_ms => %s)", (instance, CAPABILITIES, most, lease_ms, block_ms))
    return [Lease(row) for row in cur.fetchall()]


# What a completion does outside of the engine is in its transaction.
COMPLETE = ("WITH c AS MATERIALIZED (SELECT * FROM ff_complete(%s, %s)),"
            " e AS (INSERT INTO effect SELECT execution_id, '" + instance + "' FROM c WHERE NOT replayed)"
            " SELECT outcome FROM c")
COMPLETE_MANY = ("WITH c AS MATERIALIZED (SELECT * FROM ff_complete_many(%s, %s)),"
                 " e AS (INSERT INTO effect SELECT execution_id, '" + instance + "' FROM c WHERE outcome = 'completed')"
                 " SELECT position, outcome, sqlstate FROM c ORDER BY position")


def complete(lease):
    call("complete", lease, COMPLETE, b"done")


def many(name, sql, leases, *arguments):
    late = [lease.is_late() for lease in leases]
    cur.execute(sql, ([lease.handle for lease in leases], *arguments))
    for lease, was_late, (_, outcome, sqlstate) in zip(leases, late, cur.fetchall(), strict=True):
        note(name, lease, was_late, "ok" if outcome != "refused" else sqlstate)


def complete_many(leases):
    random.shuffle(leases)
    if leases:
        many("complete", COMPLETE_MANY, leases, [b"done"] * len(leases))


def renew_many(leases):
    many("renew", "SELECT position, outcome, sqlstate FROM ff_renew_many(%s) ORDER BY position", leases)
    # the answer does not tell when they end: not later than this
    for lease in leases:
        lease.ends_ms = time.time() * 1000 + LEASE_MS


def renew(lease):
    row = call("renew", lease, "SELECT ff_to_ms(lease_expires_at) FROM ff_renew(%s)")
    if row:
        lease.ends_ms = row[0]


def fail(lease, how="transient"):
    call("fail", lease, "SELECT outcome FROM ff_fail(%s, 'no luck', %s)", how)


def delay(lease):
    call("delay", lease, "SELECT outcome FROM ff_delay(%s, clock_timestamp() + interval '20 ms')")


def suspend(lease):
    call("suspend", lease, "SELECT outcome FROM ff_suspend(%s, ff_when('go'))")


def wait_children(lease):
    call("wait_children", lease, "SELECT outcome FROM ff_wait_children(%s)")


def progress(lease):
    call("progress", lease, "SELECT ff_progress(%s, 50, 'half way')")


def work_on(lease):
    """All but completing in bulk; true if that is left to do."""
    plan = lease.number % 20
    resumed = lease.kind == "resumed"
    if plan in (0, 1) and lease.kind != "retry":
        fail(lease)
    elif plan in (2, 3) and not resumed:
        delay(lease)
    elif plan in (4, 5) and (not resumed or random.random() < 0.2):
        suspend(lease)
    elif plan == 6:
        fail(lease, "permanent")
    elif plan == 7:
        call("cancel", lease, "SELECT outcome FROM ff_cancel(%s, 'not wanted')")
    elif plan == 8 and not resumed:
        wait_children(lease)
    elif plan == 9:
        progress(lease)
        renew(lease)
        complete(lease)
    elif plan < 12:
        complete(lease)
    else:
        return True
    return False


def work_on_batch():
    leases = claim(random.randint(1, 25), LEASE_MS, block_ms=200)
    for lease in leases:
        note("claim", lease, False, lease.kind)
    if leases and random.random() < 0.3:
        renew_many(leases)
    complete_many([lease for lease in leases if work_on(lease)])


def work_in_one_transaction():
    """Claimed and completed in one transaction, which may come to nothing."""
    conn.autocommit = False
    leases = claim(5, LEASE_MS)
    if leases:
        cur.execute(COMPLETE_MANY, ([lease.handle for lease in leases], None))
    if random.random() < 0.3:
        conn.rollback()
    else:
        conn.commit()
    conn.autocommit = True


late_ones = []


def be_late():
    """Leases that are left to lapse; the calls come later, when somebody else may have the work."""
    for lease in claim(2, SHORT_LEASE_MS):
        note("claim", lease, False, lease.kind)
        late_ones.append((lease, lease.ends_ms + 1 + random.choice((0, 20, 300))))


def come_late():
    now_ms = time.time() * 1000
    due = [lease for lease, at_ms in late_ones if at_ms <= now_ms]
    late_ones[:] = [(lease, at_ms) for lease, at_ms in late_ones if at_ms > now_ms]
    for lease in due:
        for late_call in random.sample((renew, progress, complete, fail, delay, wait_children), 3):
            late_call(lease)
    # beside leases that are good
    leases = claim(3, LEASE_MS) if due else []
    for lease in leases:
        note("claim", lease, False, lease.kind)
    complete_many(leases + due)


def run_worker():
    while not stopped:
        choice = random.random()
        if choice < 0.1:
            be_late()
        elif choice < 0.2:
            work_in_one_transaction()
        else:
            work_on_batch()
        come_late()


# Rows are locked by ascending id, as the engine's own calls over many do.
CLOCK = (
    "SELECT count(*) FROM (SELECT execution_id AS id FROM ff_list_expired_leases(max_rows => 200)"
    "  ORDER BY ff_execution_partition(execution_id), ff_execution_uuid(execution_id) OFFSET 0) x,"
    " LATERAL ff_mark_lease_expired_if_due(x.id)",
    "SELECT count(*) FROM (SELECT ff_execution_id(partition_key, execution_id) AS id FROM ff_exec_core"
    "  WHERE lifecycle_phase = 'runnable' AND eligibility_state = 'not_eligible_until_time'"
    "  AND eligible_at_ms <= ff_server_time_ms() ORDER BY partition_key, execution_id LIMIT 500) x,"
    " LATERAL ff_promote_delayed(x.id)",
    "SELECT count(*) FROM (SELECT s.execution_id AS id, w.waitpoint_id, t.waitpoint_token"
    "  FROM ff_list_suspended(max_rows => 500) s, LATERAL ff_list_pending_waitpoints(s.execution_id) w,"
    "  LATERAL ff_read_waitpoint_token(s.execution_id, w.waitpoint_id) t"
    "  ORDER BY ff_execution_partition(s.execution_id), ff_execution_uuid(s.execution_id) OFFSET 0) x,"
    " LATERAL ff_deliver_signal(x.id, x.waitpoint_id, x.waitpoint_token, 'go')",
)


def run_clock():
    while not stopped:
        did = 0
        for statement in CLOCK:
            cur.execute(statement)
            did += cur.fetchone()[0]
        cur.execute("SELECT FROM ff_exec_core WHERE lifecycle_phase NOT IN ('terminal', 'cancelled') LIMIT 1")
        if cur.rowcount == 0:
            return
        time.sleep(0.02 if did else 0.05)


if role == "clock":
    run_clock()
else:
    # half of the workers can take everything
    CAPABILITIES = [["gpu", "eu"], ["eu"], ["gpu", "eu"], ["gpu"]][int(role[-1]) % 4]
    run_worker()
