# Background workers of several databases: each that has the extension has one; databases are
# dropped, renamed and copied under them; a standby has none until it is promoted; no process slot is
# left; the library is not preloaded.
use strict;
use warnings FATAL => 'all';

use FfSession;
use FfTest;
use FfWorker;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $killed = qr/terminating background worker|terminating connection|shutting down|starting up/;

# extend(NODE, DATABASE...): makes the databases, with the extension
sub extend
{
	my ($node, @dbs) = @_;
	for my $db (@dbs)
	{
		$node->safe_psql('postgres', "CREATE DATABASE $db");
		$node->safe_psql($db, 'CREATE EXTENSION ffengine CASCADE');
	}
	return;
}

# --- One worker for each database that has the extension.

my $node = new_node('databases', preload => 1, conf => [ worker_conf() ]);
$node->safe_psql('postgres', 'CREATE DATABASE without');
extend($node, qw(one two three));
for my $db (qw(one two three))
{
	within(2, "database $db has a worker", sub { workers($node, $db) == 1 });
	watch_due($node, $db);
}
is(scalar(workers($node)), 3, 'and no other has');
due_in_time($node, 'one', 'one of three databases');
due_in_time($node, 'three', 'another of them');

$node->append_conf('postgresql.conf', "ffengine.databases = 'two, nosuch'");
$node->restart;
within(3, 'the setting names one database: it has a worker', sub { workers($node, 'two') == 1 });
usleep(2_500_000);
is(scalar(workers($node)), 1, 'and no other has');
$node->append_conf('postgresql.conf', "ffengine.databases = ''");
$node->reload;
within(5, 'the setting taken back: three', sub { workers($node) == 3 });

# --- Databases are dropped, renamed, moved and copied without FORCE.

is(($node->psql('postgres', 'DROP DATABASE one'))[2], '', 'DROP DATABASE');
is(join(' ', workers($node, 'one')), '', 'its worker is gone');
my $begun = time;
is(($node->psql('postgres', 'ALTER DATABASE two RENAME TO zwei'))[2], '', 'ALTER DATABASE RENAME');
within(5, 'the worker comes back under the new name', sub { workers($node, 'zwei') == 1 });
due_in_time($node, 'zwei', 'renamed');
is(($node->psql('postgres', 'CREATE DATABASE copy TEMPLATE zwei'))[2], '', 'CREATE DATABASE with it as template');
within(5, 'the template has its worker back', sub { workers($node, 'zwei') == 1 });
within(5, 'and the copy has one', sub { workers($node, 'copy') == 1 });
due_in_time($node, 'copy', 'copied');
due_in_time($node, 'zwei', 'copied from');
my $space = "$PostgreSQL::Test::Utils::tmp_check/space";
mkdir $space or die "$space: $!";
$node->safe_psql('postgres', "CREATE TABLESPACE space LOCATION '$space'");
is(($node->psql('postgres', 'ALTER DATABASE copy SET TABLESPACE space'))[2], '', 'ALTER DATABASE SET TABLESPACE');
within(5, 'moved, it has its worker', sub { workers($node, 'copy') == 1 });

# Where the command fails, or the caller may not, the worker stays or comes back.
my $session = FfSession->new($node, 'copy');
$session->ask('SELECT 1;');
like(($node->psql('postgres', 'DROP DATABASE copy'))[2], qr/being accessed by other users/, 'a session keeps its database');
within(5, 'and the worker comes back', sub { workers($node, 'copy') == 1 });
$session->end;
my ($worker) = workers($node, 'copy');
$node->safe_psql('postgres', 'CREATE ROLE nobody LOGIN');
like(($node->psql('postgres', 'DROP DATABASE copy', extra_params => [ '-U', 'nobody' ]))[2],
	qr/must be owner/, 'a role that may not drop it');
usleep(300_000);
is(join(' ', workers($node, 'copy')), $worker, 'does not disturb the worker');
like(($node->psql('postgres', 'BEGIN; DROP DATABASE copy'))[2], qr/cannot run inside a transaction block/, 'nor is it dropped in a transaction');
is(join(' ', workers($node, 'copy')), $worker, 'nor is the worker disturbed');
is(($node->psql('postgres', 'DROP DATABASE IF EXISTS copy'))[2], '', 'DROP DATABASE IF EXISTS');
is(($node->psql('postgres', 'DROP DATABASE three WITH (FORCE)'))[2], '', 'DROP DATABASE WITH (FORCE)');
is(scalar(workers($node)), 1, 'one is left');

# a new database in the place of an old one of that name
extend($node, 'one');
within(2, 'a new database of an old name has a worker', sub { workers($node, 'one') == 1 });
watch_due($node, 'one');
due_in_time($node, 'one', 'a new database of an old name');

# many, one after the other: what was kept for one is free for the next
for my $n (1 .. 20)
{
	extend($node, "many$n");
	$node->safe_psql('postgres', "DROP DATABASE many$n");
}
extend($node, 'last');
within(2, 'after twenty databases made and dropped a new one has a worker', sub { workers($node, 'last') == 1 });
is($node->safe_psql('last', q(SELECT value FROM ff_stats() WHERE name = 'ff_preloaded')), '1', 'and shared memory');
is(join("\n", worker_said($node, qr/./)), '', 'no worker had anything to complain of');

# more databases without the extension than process slots, and one whose DROP was interrupted
$node->safe_psql('postgres', "CREATE DATABASE more$_") for 1 .. 10;
$node->safe_psql('postgres', "UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'more1'");
usleep(1_500_000);
my $from = -s $node->logfile;
usleep(2_500_000);
unlike(slurp_file($node->logfile), qr/no free background worker slot/, 'processes that only look do not take all slots');
unlike(slurp_file($node->logfile, $from), qr/invalid database/, 'nor does any start where nobody can connect');

# While the extension is of another version than the library its worker waits, in nobody's way.
my ($version) = $node->safe_psql('last', "SELECT extversion FROM pg_extension WHERE extname = 'ffengine'");
$node->safe_psql('last', "UPDATE pg_extension SET extversion = '0.0' WHERE extname = 'ffengine'");
within(3, 'another version: the worker says that it waits', sub { worker_said($node, qr/extension is of another/) == 1 });
$node->safe_psql('postgres', "SET statement_timeout = '5s'; DROP DATABASE more2");
pass('another database is dropped');
is($node->safe_psql('last', 'SELECT outcome FROM ff_start_worker()'), 'already_running', 'ff_start_worker: already_running');
is($node->safe_psql('last', 'SELECT outcome FROM ff_stop_worker()'), 'stopped', 'ff_stop_worker: stopped');
is($node->safe_psql('last', 'SELECT outcome FROM ff_start_worker()'), 'started', 'ff_start_worker: started');
$node->safe_psql('last', "UPDATE pg_extension SET extversion = '$version' WHERE extname = 'ffengine'");
within(3, 'the version is right: it works', sub { $node->safe_psql('last', q(SELECT value FROM ff_stats() WHERE name = 'ff_worker_running')) eq '1' });
$node->safe_psql('last', "UPDATE pg_extension SET extversion = '0.0' WHERE extname = 'ffengine'");
within(3, 'another version again', sub { worker_said($node, qr/extension is of another/) == 3 });
is(($node->psql('postgres', 'DROP DATABASE last'))[2], '', 'its own database is dropped');
log_is_clean($node, allow => qr/$killed|extension is of another|invalid database/);
$node->stop;

# --- No process slot: said once, and tried again.

$node = new_node('few', preload => 1, conf => [ worker_conf('max_worker_processes = 2') ]);
$node->safe_psql('postgres', 'CREATE EXTENSION ffengine CASCADE');
within(2, 'two process slots: the launcher and a worker', sub { workers($node, 'postgres') == 1 });
extend($node, qw(late));
watch_due($node, 'late');
usleep(4_500_000);
is(scalar(workers($node, 'late')), 0, 'no slot: another database has none');
my @said = worker_said($node, qr/no free background worker slot/);
is(scalar(@said), 1, 'one line in the log says so') or diag(join "\n", @said);
like(
	($node->psql('late', '\set VERBOSITY sqlstate
SELECT ff_start_worker()'))[2], qr/ZU/, 'ff_start_worker: unavailable');
is($node->safe_psql('postgres', 'SELECT outcome FROM ff_stop_worker()'), 'stopped', 'a slot becomes free');
within(4, 'the other database gets it', sub { workers($node, 'late') == 1 });
due_in_time($node, 'late', 'with the last slot');
log_is_clean($node, allow => $killed);
$node->stop;

# --- A standby has none; promoted, it does what is due.

my $primary = new_node('primary', preload => 1, init => { allows_streaming => 1 }, conf => [ worker_conf() ]);
$primary->safe_psql('postgres', 'CREATE EXTENSION ffengine CASCADE');
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
watch_due($primary, 'postgres');
$primary->wait_for_catchup($standby);
is(scalar(workers($standby)) + launchers($standby), 0, 'on a standby nothing runs');
like(($standby->psql('postgres', "\\set VERBOSITY sqlstate\nSELECT ff_start_worker()"))[2], qr/ZU/, 'nor can be started');
like(($standby->psql('postgres', "\\set VERBOSITY sqlstate\nSELECT * FROM ff_reconcile()"))[2], qr/ZU/, 'nor reconciled');
is($standby->safe_psql('postgres', 'SELECT count(*) FROM ff_subscribe_completion(block_ms => 300)'), '0', 'reading waits there');
$primary->safe_psql('postgres', 'CALL watch_begin(1500)');
$primary->wait_for_catchup($standby);
$primary->stop('immediate');
usleep(2_000_000);
my $late = $standby->safe_psql('postgres', 'SELECT ff_server_time_ms() - max(due_ms) FROM watch');
cmp_ok($late, '>', 0, "the primary gone, all of it is due, for $late ms, and the standby does none of it");
is($standby->safe_psql('postgres', q(SELECT count(*) FROM ff_lease_event WHERE event_type = 'expired')), '0', 'no lease expires');
$standby->promote;
$begun = $standby->safe_psql('postgres', 'SELECT ff_server_time_ms()');
$standby->safe_psql('postgres', 'CALL watch_on(10, false)');
my $took = $standby->safe_psql('postgres', "SELECT max(coalesce(seen_ms, 1e15)) - $begun FROM watch");
ok($took < 5000, "promoted: all that was due is done in $took ms");
is(workers($standby, 'postgres') . ' ' . launchers($standby), '1 1', 'by its worker');
due_in_time($standby, 'postgres', 'promoted');
is_consistent($standby);
log_is_clean($standby, allow => qr/$killed|walreceiver/);
$standby->stop;

# --- Not preloaded: ff_reconcile does all the work, or a worker that is started by hand.

$node = node_with_extension('byhand', conf => [ worker_conf() ]);
watch_due($node, 'postgres');
is(workers($node) + launchers($node), 0, 'not preloaded: nothing runs by itself');
is($node->safe_psql('postgres', 'SELECT outcome FROM ff_stop_worker()'), 'not_running', 'ff_stop_worker: not_running');
due_in_time($node, 'postgres', 'by ff_reconcile alone', reconcile => 1);
like($node->safe_psql('postgres', 'SELECT outcome FROM ff_start_worker()'), qr/^start(?:ed|ing)$/, 'ff_start_worker starts one');
within(2, 'it runs', sub { workers($node, 'postgres') == 1 });
is($node->safe_psql('postgres', 'SELECT outcome FROM ff_start_worker()'), 'already_running', 'again: already_running');
$node->safe_psql('postgres', 'SELECT count(*) FROM ff_reconciler_status() s, ff_set_reconciler(s.name, interval_ms => 300)');
# without shared memory it reads them every launcher_naptime
usleep(2_500_000);
due_in_time($node, 'postgres', 'by a worker started by hand');
is($node->safe_psql('postgres', 'SELECT outcome FROM ff_stop_worker()'), 'stopped', 'ff_stop_worker: stopped');
is($node->safe_psql('postgres', 'SELECT outcome FROM ff_stop_worker()'), 'not_running', 'again: not_running');
is(scalar(workers($node)), 0, 'it is gone');
is_consistent($node);
log_is_clean($node, allow => $killed);
$node->stop;

done_testing();
