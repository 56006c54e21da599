# Tables change while they are worked on: six clients claim and complete at all isolation levels,
# whose rows are written without the executor from what was cached of the tables (src/base/table.h),
# while columns, indexes and triggers come and go. Every execution ends once, no index misses a row.
use strict;
use warnings FATAL => 'all';

use FfTest;
use IPC::Run qw(start finish);
use PostgreSQL::Test::Utils;
use Test::More;

use constant CLIENTS => 6;
use constant CYCLES => 3000;     # of each client

my $node = node_with_extension('tables');
my $dir = $PostgreSQL::Test::Utils::tmp_check;

sub rows
{
	my ($sql) = @_;
	return $node->safe_psql('postgres', $sql);
}

# A pgbench script: a claim and a completion in one transaction of this level.
sub script
{
	my ($level) = @_;
	my $file = "$dir/" . lc($level =~ s/ /_/r) . '.sql';
	append_to_file($file, <<"SQL");
BEGIN ISOLATION LEVEL $level;
SELECT handle FROM ff_claim(lane_id => 'tables', worker_id => 'w', worker_instance_id => 'w-1') \\gset
SELECT outcome FROM ff_complete(:handle, 'done');
COMMIT;
SQL
	return $file;
}

rows('CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$');
rows(<<'SQL') for 1 .. CLIENTS * CYCLES / 1000;
SELECT count(*) FROM ff_create_executions(
  (SELECT jsonb_agg(jsonb_build_object('lane_id', 'tables')) FROM generate_series(1, 1000)))
SQL

# pgbench tries again after a serialization failure from PostgreSQL 15 on
my @scripts = ('-f', script('READ COMMITTED') . '@4');
push @scripts, '-f', script('REPEATABLE READ') . '@1', '-f', script('SERIALIZABLE') . '@1', '--max-tries=100'
  if $node->pg_version >= 15;
my $out = '';
my $bench = start(
	[
		'pgbench', '-n', '-M', 'prepared', '-c', CLIENTS, '-t', CYCLES, @scripts,
		'-h', $node->host, '-p', $node->port, 'postgres'
	],
	'>&', \$out);
for (1 .. 4)
{
	for my $change (
		'ALTER TABLE ff_exec_core ADD COLUMN more integer DEFAULT 3',
		'ALTER TABLE ff_lease_event ADD COLUMN more text',
		'REINDEX INDEX CONCURRENTLY ff_exec_core_claim_idx',
		'CREATE INDEX CONCURRENTLY more_idx ON ff_attempt (worker_id, started_at_ms)',
		'CREATE TRIGGER see AFTER UPDATE ON ff_exec_core FOR EACH ROW EXECUTE FUNCTION see()',
		'VACUUM ff_exec_core',
		'REINDEX INDEX ff_attempt_pkey',
		'DROP TRIGGER see ON ff_exec_core',
		'ALTER TABLE ff_exec_core DROP COLUMN more',
		'ALTER TABLE ff_lease_event DROP COLUMN more',
		'DROP INDEX CONCURRENTLY more_idx')
	{
		rows($change);
	}
}
ok(finish($bench), 'the clients end well') or diag($out);

my $processed = CLIENTS * CYCLES;
is(rows("SELECT count(*), count(DISTINCT execution_id) FROM ff_completion_event"), "$processed|$processed",
	'each completes an execution of its own');
is(rows("SELECT event_type, count(*) FROM ff_lease_event GROUP BY 1 ORDER BY 1"),
	"acquired|$processed\nrevoked|$processed", 'each lease is told');
is(rows("SELECT count(*) FROM ff_exec_core WHERE lifecycle_phase = 'terminal' AND result = 'done'"),
	$processed, 'each result is there');

rows('CREATE EXTENSION amcheck');
# raises where it finds something
is(rows(<<'SQL'), 't', 'every index has every row that belongs in it');
SELECT count(bt_index_check(indexrelid, true)) > 20 FROM pg_index
 WHERE indrelid IN ('ff_exec_core'::regclass, 'ff_attempt'::regclass, 'ff_lease_event'::regclass,
                    'ff_completion_event'::regclass)
SQL

is_consistent($node);
log_is_clean($node);
done_testing();
