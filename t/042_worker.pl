# The background worker of one database: what is due happens by itself and in time, whatever is done
# to the worker, to the tables, or to one of its reconcilers.
use strict;
use warnings FATAL => 'all';

use FfSession;
use FfTest;
use FfWorker;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $node = new_node('worker', preload => 1, conf => [ worker_conf('max_prepared_transactions = 1') ]);

sub rows
{
	my ($sql) = @_;
	return $node->safe_psql('postgres', $sql);
}

# Every reconciler runs so often; 0: as by default.
sub set_intervals
{
	my ($interval_ms) = @_;
	rows("SELECT count(*) FROM ff_reconciler_status() s, ff_set_reconciler(s.name, interval_ms => $interval_ms)");
	return;
}

# A new process in place of that one?
sub replaced
{
	my ($pid) = @_;
	my @pids = eval { workers($node, 'postgres') };
	return @pids == 1 && $pids[0] != $pid;
}

# --- It is there.

is(scalar(launchers($node)), 1, 'preloaded: the launcher runs');
is(scalar(workers($node)), 0, 'and no worker without the extension');
rows('CREATE EXTENSION ffengine CASCADE');
within(2, 'CREATE EXTENSION brings the worker', sub { workers($node, 'postgres') == 1 });
my ($worker) = workers($node, 'postgres');
is(rows('SELECT outcome, pid FROM ff_start_worker()'), "already_running|$worker", 'ff_start_worker: already_running');
is( rows("SELECT application_name, usename IS NOT NULL, query FROM pg_stat_activity WHERE pid = $worker"),
	'ffengine worker|t|ffengine: idle',
	'pg_stat_activity says what it is');
is(rows(q(SELECT value FROM ff_stats() WHERE name = 'ff_worker_running')), '1', 'so does ff_stats');
is(rows('SELECT count(*), count(*) FILTER (WHERE enabled) FROM ff_reconciler_status()'), '23|23', 'with its reconcilers');

# --- Everything that has a time happens in time, with nobody calling.

watch_due($node, 'postgres');
due_in_time($node, 'postgres', 'by itself');

set_intervals(60000);
due_in_time($node, 'postgres', 'every interval 60 s', late => 250);
my $waited = rows(<<'SQL');
SELECT clock_timestamp() AS t \gset
SELECT execution_id AS e FROM ff_create_execution('l', delay_until => :'t'::timestamptz + interval '3 s') \gset
SELECT round(1000 * extract(epoch FROM clock_timestamp() - :'t')) FROM ff_claim('l', 'w', 'w-1', block_ms => 5000) WHERE execution_id = :'e';
SQL
ok($waited >= 3000 && $waited <= 3200, "every interval 60 s: delayed by 3 s, claimed after $waited ms");

# Something due earlier is not forgotten for something due later, nor the other way round.
rows(<<'SQL');
SELECT ff_create_execution('order', delay_until => clock_timestamp() + 0.1 * n * interval '1 s', payload => n::text::bytea)
  FROM unnest('{12,4,8,6,10}'::integer[]) n
SQL
within(3, 'due in another order than created', sub {
	rows(q(SELECT count(*) FROM ff_exec_core WHERE lane_id = 'order' AND eligibility_state = 'eligible_now')) == 5 });

# What nobody tells of is found once in the interval, though passes have seen that nothing is due before something else.
set_intervals(1000);
rows(q(SELECT ff_create_execution('untold'); SELECT ff_create_execution('told'); SELECT ff_claim('told', 'w', 'w-1', lease_ttl_ms => 3600000);
	BEGIN; SELECT ff_claim('untold', 'w', 'w-1', lease_ttl_ms => 300); PREPARE TRANSACTION 'untold'));
usleep(1_500_000);
rows(q(COMMIT PREPARED 'untold'));
within(2, 'a lease of a prepared transaction', sub {
	rows(q(SELECT count(*) FROM ff_exec_core WHERE lane_id = 'untold' AND ownership_state <> 'leased')) == 1 });

# --- Idle, it costs nothing.

set_intervals(200);
my $passes = 'SELECT min(runs) FROM ff_reconciler_status() WHERE runs > 0';
my ($used, $runs);
# what was done before is written down once more, within 10 s
for (1 .. 8)
{
	my $before = rows('SELECT pg_snapshot_xmax(pg_current_snapshot())');
	$runs = rows($passes);
	sleep 2;
	$runs = rows($passes) - $runs;
	$used = rows('SELECT pg_snapshot_xmax(pg_current_snapshot())') - $before;
	last if $used == 0 && $runs >= 5;
}
is($used, 0, "with nothing due $runs passes of each use no transaction id");
cmp_ok($runs, '>=', 5, 'and there were passes');
set_intervals(0);

# --- Switched off, a reconciler is left alone; by name it still runs.

is(rows(q(SELECT outcome, enabled FROM ff_set_reconciler('lease_expiry', enabled => false))), 'changed|f', 'lease_expiry is switched off');
rows(q(SELECT ff_create_execution('off'); SELECT ff_claim('off', 'w', 'w-1', lease_ttl_ms => 300)));
usleep(2_500_000);
my $expired = q(SELECT count(*) FROM ff_lease_event JOIN ff_exec_core c ON c.execution_id::text = ff_lease_event.execution_id
                 WHERE event_type = 'expired' AND lane_id = 'off');
is(rows($expired), '0', 'the worker leaves it alone');
is(rows(q(SELECT enabled FROM ff_reconciler_status() WHERE name = 'lease_expiry')), 'f', 'status says so');
is(rows(q(SELECT processed FROM ff_reconcile('lease_expiry'))), '1', 'ff_reconcile by name runs it');
is(rows($expired), '1', 'to effect');
rows(q(SELECT ff_set_reconciler('lease_expiry', enabled => true);
       SELECT ff_claim('off', 'w', 'w-1', lease_ttl_ms => 300)));
within(1.5, 'on again, the worker does it', sub { rows($expired) == 2 });

# --- Cancelled, it stays; killed, it comes back.

($worker) = workers($node, 'postgres');
my ($launcher) = launchers($node);
rows("SELECT pg_cancel_backend($_)") for $worker, $launcher;
usleep(300_000);
is(join(' ', workers($node, 'postgres'), launchers($node)), "$worker $launcher", 'idle, neither it nor the launcher ends by a cancellation');
due_in_time($node, 'postgres', 'terminated', late => 3000, due_in => 1000, between => sub {
	is(rows("SELECT pg_terminate_backend($worker)"), 't', 'the worker is terminated');
	within(3, 'another comes', sub { replaced($worker) });
});
rows("SELECT pg_terminate_backend($launcher)");
within(8, 'the launcher terminated: another comes', sub { my @l = launchers($node); @l == 1 && $l[0] != $launcher });
($worker) = workers($node, 'postgres');
due_in_time($node, 'postgres', 'killed', late => 5000, due_in => 1000, between => sub {
	kill 'KILL', $worker;
	within(5, 'the worker killed by SIGKILL: the server and another come', sub { replaced($worker) });
});

# --- An error in one row: it is logged once and left out for a while, everything else goes on.

set_intervals(100);
my $from = -s $node->logfile;
rows(<<'SQL');
ALTER TABLE ff_exec_core ADD CONSTRAINT never CHECK (lane_id <> 'broken' OR eligibility_state <> 'eligible_now') NOT VALID;
SELECT ff_create_execution('broken', delay_until => clock_timestamp() + interval '0.2 s');
SELECT count(*) FROM (SELECT ff_create_execution('whole', delay_until => clock_timestamp() + interval '0.2 s')
                      FROM generate_series(1, 9)) c;
SQL
due_in_time($node, 'postgres', 'beside an error');
is( rows(q(SELECT last_sqlstate, errors > 0, last_error_at IS NOT NULL FROM ff_reconciler_status() WHERE name = 'delayed_promoter')),
	'23514|t|t', 'status shows the error');
is(rows(q(SELECT count(*) FROM ff_exec_core WHERE lane_id = 'whole' AND eligibility_state = 'eligible_now')), '9', 'rows of the same batch are done');
within(3, 'the row is parked', sub { rows(q(SELECT parked_rows FROM ff_reconciler_status() WHERE name = 'delayed_promoter')) eq '1' });
# a batch that comes after one with an error and finds nothing is no failure
rows(q(SELECT ff_set_reconciler('delayed_promoter', batch_size => 1)));
usleep(2_500_000);
is(rows(q(SELECT backoff_until IS NULL, last_sqlstate FROM ff_reconciler_status() WHERE name = 'delayed_promoter')), 't|23514',
	'the reconciler does not back off');
rows(q(SELECT ff_set_reconciler('delayed_promoter', batch_size => 0)));
my @said = worker_said($node, qr/never/, $from);
is(scalar(@said), 1, 'one log line') or diag(join "\n", @said);
rows('ALTER TABLE ff_exec_core DROP CONSTRAINT never');
within(15, 'the cause gone, the row is done too',
	sub { rows(q(SELECT eligibility_state FROM ff_exec_core WHERE lane_id = 'broken')) eq 'eligible_now' });
set_intervals(0);

# --- A pass that fails as a whole: logged once, the reconciler backs off, the others go on.

$from = -s $node->logfile;
rows('ALTER TABLE ff_worker_registry RENAME TO elsewhere; '
	  . "SELECT ff_set_reconciler('worker_registry_ttl_sweep', interval_ms => 100)");
within(5, 'a table gone: status shows the error',
	sub { rows(q(SELECT last_sqlstate FROM ff_reconciler_status() WHERE name = 'worker_registry_ttl_sweep')) eq '42P01' });
rows(q(SELECT ff_create_execution('beside'); SELECT ff_claim('beside', 'w', 'w-1', lease_ttl_ms => 300)));
within(1.5, 'a lease still expires in time', sub {
	rows(q(SELECT count(*) FROM ff_lease_event JOIN ff_exec_core c ON c.execution_id::text = ff_lease_event.execution_id
	        WHERE event_type = 'expired' AND lane_id = 'beside')) == 1 });
usleep(1_500_000);
@said = worker_said($node, qr/worker_registry_ttl_sweep/, $from);
is(scalar(@said), 1, 'one log line') or diag(join "\n", @said);
is(rows(q(SELECT backoff_until IS NOT NULL FROM ff_reconciler_status() WHERE name = 'worker_registry_ttl_sweep')), 't', 'it backs off');
within(11, 'the table says why', sub {
	rows(q(SELECT last_sqlstate FROM ff_reconciler_state WHERE name = 'worker_registry_ttl_sweep')) eq '42P01' });
rows('ALTER TABLE elsewhere RENAME TO ff_worker_registry');
within(10, 'the table back, it runs again',
	sub { rows(q(SELECT last_good_at > last_error_at FROM ff_reconciler_status() WHERE name = 'worker_registry_ttl_sweep')) eq 't' });
set_intervals(0);

# --- Busy, it lets others alter tables, and the server stop.

# make_busy(N): so many executions that are due for promotion, all at once
sub make_busy
{
	my ($n) = @_;
	rows(<<"SQL");
SELECT count(*) FROM ff_create_executions((SELECT jsonb_agg('{}'::jsonb) FROM generate_series(1, $n)),
  jsonb_build_object('lane_id', 'busy', 'delay_until', clock_timestamp() + interval '1 hour'));
UPDATE ff_exec_core SET eligible_at_ms = 1 WHERE lane_id = 'busy' AND eligibility_state = 'not_eligible_until_time';
SQL
	my $end = time + 10;
	usleep(5_000)
	  until time > $end
	  || rows(q(SELECT EXISTS (SELECT FROM ff_exec_core WHERE lane_id = 'busy' AND eligibility_state = 'eligible_now'))) eq 't';
	return rows(q(SELECT count(*) FROM ff_exec_core WHERE lane_id = 'busy' AND eligibility_state = 'not_eligible_until_time'));
}

sub seconds
{
	my ($do) = @_;
	my $begun = time;
	$do->();
	return time - $begun;
}

my $left = make_busy(10000);
cmp_ok($left, '>', 0, "busy: $left rows to do");
my $took = seconds(sub { rows('ALTER TABLE ff_exec_core ADD COLUMN more integer') });
cmp_ok($took, '<', 2, sprintf 'busy: a column is added in %.2f s', $took);
within(20, 'and the rest is done', sub {
	rows(q(SELECT count(*) FROM ff_exec_core WHERE lane_id = 'busy' AND eligibility_state = 'not_eligible_until_time')) == 0 });
due_in_time($node, 'postgres', 'with another column');
$took = seconds(sub { rows('ALTER TABLE ff_exec_core DROP COLUMN more') });
cmp_ok($took, '<', 2, sprintf 'idle: a column is dropped in %.2f s', $took);

rows(q(DELETE FROM ff_exec_core WHERE lane_id = 'busy'));
$left = make_busy(10000);
cmp_ok($left, '>', 0, "busy: $left rows to do");
$took = seconds(sub { $node->stop('fast') });
cmp_ok($took, '<', 5, sprintf 'busy: a fast shutdown takes %.2f s', $took);
$node->start;
within(20, 'started again, it goes on', sub {
	rows(q(SELECT count(*) FROM ff_exec_core WHERE lane_id = 'busy' AND eligibility_state = 'not_eligible_until_time')) == 0 });
$took = seconds(sub { $node->stop('fast') });
cmp_ok($took, '<', 5, sprintf 'idle: a fast shutdown takes %.2f s', $took);
$node->start;
within(5, 'started again, the worker is there', sub { workers($node, 'postgres') == 1 });

# --- Stopped by hand it stays stopped; disabled, it does not come with the server either.

is(rows('SELECT outcome FROM ff_stop_worker()'), 'stopped', 'ff_stop_worker: stopped');
is(rows('SELECT outcome FROM ff_stop_worker()'), 'not_running', 'again: not_running');
usleep(2_500_000);
is(scalar(workers($node)), 0, 'it stays stopped');
like(rows('SELECT outcome FROM ff_start_worker()'), qr/^start/, 'ff_start_worker starts it');
within(2, 'it runs', sub { workers($node, 'postgres') == 1 });
rows('ALTER DATABASE postgres SET ffengine.worker_enabled = off');
is(rows('SELECT outcome FROM ff_stop_worker()'), 'stopped', 'disabled and stopped');
$node->restart;
my %seen;
for (1 .. 10)
{
	usleep(300_000);
	$seen{$_}++ for workers($node);
}
# one that looks and leaves may be seen on its way
is(join(' ', grep { $seen{$_} > 1 } keys %seen), '', 'disabled: none comes back, nor with the server');
rows('ALTER DATABASE postgres RESET ffengine.worker_enabled; SELECT ff_start_worker()');
within(3, 'enabled: it runs', sub { workers($node, 'postgres') == 1 });
due_in_time($node, 'postgres', 'after all of this');

# --- The extension dropped under load, and made again.

my @load = map { FfSession->new($node) } 1 .. 3;
$_->tell(<<'SQL') for @load;
DO $$
BEGIN
  LOOP
    PERFORM ff_create_execution('load', delay_until => clock_timestamp() + 0.05 * random() * interval '1 s');
    COMMIT;
    PERFORM ff_complete(handle) FROM ff_claim('load', 'w', 'w-1', lease_ttl_ms => 50, max_claims => 5) WHERE random() < 0.8;
    COMMIT;
  END LOOP;
END $$
SQL
usleep(1_000_000);
$from = -s $node->logfile;
my $dropped = 0;
my $tries = 0;
# the load locks table after table, as the DROP does, in another order
until ($dropped || $tries++ == 10)
{
	my ($rc, undef, $err) = $node->psql('postgres', 'DROP TABLE IF EXISTS watch; DROP EXTENSION ffengine CASCADE');
	$dropped = $rc == 0;
	note($err) unless $dropped;
}
ok($dropped, 'the extension is dropped under load');
within(3, 'the worker leaves', sub { workers($node) == 0 });
$_->answer, $_->end for @load;
@said = worker_said($node, qr/./, $from);
is(join("\n", @said), '', 'no error logged by it');
rows('DROP FUNCTION IF EXISTS watch_claim; DROP PROCEDURE watch_begin; DROP PROCEDURE watch_on; DROP TABLE IF EXISTS watch');
rows('CREATE EXTENSION ffengine CASCADE');
within(2, 'made again, there is a worker', sub { workers($node, 'postgres') == 1 });
watch_due($node, 'postgres');
due_in_time($node, 'postgres', 'extension made again');
rows('DROP FUNCTION watch_claim; DROP PROCEDURE watch_begin; DROP PROCEDURE watch_on; DROP TABLE watch');
set_intervals(60000);
rows('BEGIN; DROP EXTENSION ffengine; CREATE EXTENSION ffengine; COMMIT');
within(2, 'dropped and made in one transaction, it has a worker that acts', sub {
	rows(q(SELECT count(*) FROM ff_reconciler_status() WHERE runs > 0)) > 10 });

is_consistent($node);
log_is_clean($node, allow => qr/terminat(?:ed by signal 9|ing background worker)|because of crash|in recovery mode|starting up|not yet accepting|shutting down|terminating connection/);
$node->stop;

done_testing();
