# A server that did not preload the library, with no background worker: ff_reconcile alone, called as a
# scheduler would, does all that the clock asks for.
use strict;
use warnings FATAL => 'all';

use FfTest;
use FfWorkflow;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = node_with_extension('reconcile', schema => 'ff', init => { allows_streaming => 1 });

sub rows
{
	my ($sql, %opt) = @_;
	return ($opt{node} // $node)->safe_psql('postgres', "SET search_path = ff, public; $sql");
}

# Run ff_reconcile() each 50 ms until the query says t, for at most 20 s.
sub drive_until
{
	my ($query, $name) = @_;
	for (1 .. 400)
	{
		rows('SELECT count(*) FROM ff_reconcile()');
		if (rows($query) eq 't')
		{
			pass($name);
			return;
		}
		usleep(50_000);
	}
	fail($name);
	return;
}

is(rows('SHOW shared_preload_libraries'), '', 'the library is not preloaded');

# --- Everything that the clock asks for, by the real clock.

rows(seed_key('ff'));
rows(<<'SQL');
SELECT ff_create_execution('lease');
SELECT ff_claim('lease', 'w', 'w-1', lease_ttl_ms => 200);
SELECT ff_create_execution('timeout');
SELECT ff_suspend(handle => c.handle, resume_condition => ff_when('never'), timeout_at => now() + interval '200 ms',
                  timeout_behavior => 'expire')
  FROM ff_claim('timeout', 'w', 'w-1') c;
SELECT ff_create_execution('delay', delay_until => now() + interval '200 ms');
SELECT ff_create_execution('retry');
SELECT ff_fail(c.handle, 'again') FROM ff_claim('retry', 'w', 'w-1') c;
SELECT ff_create_execution('deadline', deadline_at => now() + interval '200 ms');
SELECT ff_create_execution('waitpoint');
SELECT ff_create_waitpoint(c.handle, 'key', 200) FROM ff_claim('waitpoint', 'w', 'w-1') c;
SELECT ff_register_worker('w', 'w-1', '{lease}', liveness_ttl_ms => 200);
SQL

drive_until(q{SELECT public_state = 'waiting' FROM ff_executions WHERE lane_id = 'lease'}, 'a lease expires');
drive_until(q{SELECT public_state = 'expired' FROM ff_executions WHERE lane_id = 'timeout'}, 'a suspension times out');
drive_until(q{SELECT public_state = 'waiting' FROM ff_executions WHERE lane_id = 'delay'}, 'a delay is over');
drive_until(q{SELECT public_state = 'waiting' FROM ff_executions WHERE lane_id = 'retry'}, 'so is a backoff');
drive_until(q{SELECT public_state = 'expired' FROM ff_executions WHERE lane_id = 'deadline'}, 'a deadline ends it');
drive_until(q{SELECT state = 'expired' FROM ff_waitpoint_pending WHERE waitpoint_key = 'key'}, 'a waitpoint ages out');
drive_until(q{SELECT count(*) = 0 FROM ff_worker_registry}, 'a worker that says nothing is swept');
is(rows(q{SELECT claim_kind, attempt_index FROM ff_claim('lease', 'w', 'w-2')}), 'reclaimed|1',
	'and the lost work is taken over');
is(rows(q{SELECT bool_and(processed > 0 AND errors = 0 AND last_good_at > now() - interval '1 minute')
            FROM ff_reconciler_status() WHERE name IN ('lease_expiry', 'suspension_timeout', 'delayed_promoter',
                 'execution_deadline', 'pending_waitpoint_expiry', 'worker_registry_ttl_sweep')}), 't',
	'the status tells of it');

# --- One of ten due rows is made to fail.

rows(<<'SQL');
SELECT count(*) FROM generate_series(1, 10) n, ff_create_execution('ten', priority => n, delay_until => clock_timestamp() + interval '1 s', payload => 'secret');
SELECT pg_sleep(1.1);
SQL
my $bad = rows(q{SELECT execution_id FROM ff_exec_core WHERE lane_id = 'ten' ORDER BY eligible_at_ms, execution_id OFFSET 4 LIMIT 1});
rows("ALTER TABLE ff_exec_core ADD CONSTRAINT stuck CHECK (execution_id <> '$bad' OR public_state = 'delayed')");
my $log_from = -s $node->logfile;
is(rows(q{SELECT processed, skipped, errors FROM ff_reconcile('delayed_promoter')}), '9|0|1', 'nine of ten are done');
is(rows(q{SELECT processed, skipped, errors FROM ff_reconcile('delayed_promoter')}), '0|0|1', 'the tenth fails again');
my $log = slurp_file($node->logfile, $log_from);
my @warnings = $log =~ /^(.*WARNING: .*)$/mg;
is(scalar(@warnings), 2, 'one line each time');
like($warnings[0], qr/delayed_promoter: SQLSTATE 23514 at \{fp:\d+\}:$bad/, 'with the SQLSTATE and the id');
unlike($log, qr/secret|Failing row|[67]36563726574/, 'and nothing of what the row holds');
rows('ALTER TABLE ff_exec_core DROP CONSTRAINT stuck');
is(rows(q{SELECT processed, errors FROM ff_reconcile('delayed_promoter')}), '1|0', 'mended, it is done');

# --- Two sessions over 1000 lapsed leases.

rows(<<'SQL');
SELECT count(*) FROM generate_series(1, 1000) n, ff_create_execution('many', priority => n);
SELECT count(*) FROM ff_claim('many', 'w', 'w-1', lease_ttl_ms => 1, max_claims => 1000);
SELECT pg_sleep(0.01);
SQL
rows('CREATE TABLE done (session integer, n bigint)');
my @sessions = map {
	IPC::Run::start([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'),
			'-c', 'SET search_path = ff, public',
			'-c', "DO \$\$ BEGIN FOR i IN 1..30 LOOP"
			  . " INSERT INTO done SELECT $_, processed FROM ff_reconcile('lease_expiry', 100); COMMIT;"
			  . " END LOOP; END \$\$" ],
		'<', \undef)
} 1 .. 2;
ok($_->finish, 'a session ends well') for @sessions;
is(rows('SELECT sum(n) FROM done'), '1000', 'two sessions share 1000 leases');
note('by session: ' . rows('SELECT session, sum(n) FROM done GROUP BY 1 ORDER BY 1'));
is(rows(<<'SQL'), '1000|1000|1', 'each expired once');
SELECT count(*), count(DISTINCT execution_id), max(n)
  FROM (SELECT l.execution_id, count(*) AS n FROM ff_lease_event l
          JOIN ff_exec_core e ON e.partition_key = l.partition_key AND e.execution_id::text = l.execution_id
         WHERE e.lane_id = 'many' AND l.event_type = 'expired' GROUP BY 1) x;
SQL

# --- A poll that finds nothing writes nothing.

rows('SELECT count(*) FROM ff_reconcile()');
my $next = sub { return rows('SELECT pg_snapshot_xmax(pg_current_snapshot())') };
my $before = $next->();
rows('SELECT count(*) FROM ff_reconcile()') for 1 .. 5;
is($next->(), $before, 'no transaction id was used');

# --- Settings outlive a restart, and go with a dump.

rows(<<'SQL');
SELECT ff_set_reconciler('lease_expiry', enabled => false, interval_ms => 777, batch_size => 7);
SELECT ff_set_reconciler('flow_projector', interval_ms => 60000);
SQL
my $settings = q{SELECT name, enabled, interval_ms, batch_size FROM ff_reconciler_status()
	WHERE name IN ('lease_expiry', 'flow_projector', 'unblock')};
my $set = "unblock|t|1000|1000\nlease_expiry|f|777|7\nflow_projector|t|60000|200";
$set = join "\n", sort split /\n/, $set;
is(join("\n", sort split /\n/, rows($settings)), $set, 'what was set');
$node->restart;
is(join("\n", sort split /\n/, rows($settings)), $set, 'is set after a restart');
is(rows('SELECT count(*) FROM ff_reconcile()'), '22', 'a switched off one stays out');

rows(q{SELECT ff_create_execution('dumped')});
rows(q{SELECT count(*) FROM ff_claim('dumped', 'w', 'w-1', lease_ttl_ms => 1)});
my $dump = $node->basedir . '/dump.sql';
command_ok([ 'pg_dump', '-h', $node->host, '-p', $node->port, '-f', $dump, 'postgres' ], 'pg_dump');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
command_ok([ 'psql', '-X', '-q', '-h', $node->host, '-p', $node->port, '-d', 'restored', '-1',
		'-v', 'ON_ERROR_STOP=1', '-f', $dump ], 'restored');
is(join("\n", sort split /\n/, $node->safe_psql('restored', "SET search_path = ff, public; $settings")), $set,
	'and after a restore');
is($node->safe_psql('restored', 'SELECT count(*) FROM ff.ff_reconciler_state'), '2', 'what nobody changed stays at home');
is($node->safe_psql('restored', "SELECT processed FROM ff.ff_reconcile('lease_expiry', 1000)"), '1',
	'a lease that lapsed is found in the copy');

# --- A standby is looked at, and nothing runs there; promoted, it goes on where the primary stopped.

$node->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'copy', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
for my $call ('ff_reconcile()', q{ff_set_reconciler('unblock', false)})
{
	my ($rc, $out, $err) = $standby->psql('postgres', "\\set VERBOSITY sqlstate\nSELECT ff.$call");
	like($err, qr/ZU001/, "$call is unavailable on a standby");
}
is(rows('SELECT count(*), bool_or(next_due_at IS NOT NULL) FROM ff_reconciler_status()', node => $standby), '23|t',
	'the status is not');
$standby->promote;
is(rows(q{SELECT processed FROM ff_reconcile('lease_expiry', 1000)}, node => $standby), '1', 'promoted, it runs');
is_consistent($standby);
log_is_clean($standby, allow => qr/terminating walreceiver/);
$standby->stop;

is_consistent($node);
is_consistent($node, 'restored');
log_is_clean($node);
$node->stop;
done_testing();
