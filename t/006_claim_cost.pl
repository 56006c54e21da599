# What a claim reads with 1,000,000 executions waiting: the same few pages, whether the worker can
# take them or others alone can, after churn too. And what a renewal writes: no index.
use strict;
use warnings FATAL => 'all';

use FfTest;
use Test::More;
use Time::HiRes qw(time);

use constant BACKLOG => 1_000_000;

my $begun = time;
my $node = node_with_extension('cost',
	conf => [ 'autovacuum = off', 'wal_level = minimal', 'max_wal_senders = 0', 'max_wal_size = 8GB',
		'maintenance_work_mem = 256MB', 'synchronous_commit = off', 'jit = off' ]);

sub rows
{
	my ($sql) = @_;
	return $node->safe_psql('postgres', $sql);
}

# put(FIRST, LAST, TOKENS, PRIORITY, AGE): rows FIRST..LAST waiting in the lane, spread over the
# partitions; AGE is subtracted from when they were created.
sub put
{
	my ($first, $last, $tokens, $priority, $age) = @_;
	rows(<<"SQL");
INSERT INTO ff_exec_core (partition_key, execution_id, lane_id, required_capabilities, priority,
  lifecycle_phase, ownership_state, eligibility_state, blocking_reason, public_state, attempt_state, created_at_ms)
SELECT n % 256, ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid, 'lane', '$tokens', $priority,
       'runnable', 'unowned', 'eligible_now', 'waiting_for_worker', 'waiting', 'pending_first_attempt',
       1000000000 - $age + n
  FROM generate_series($first, $last) n
SQL
	return;
}

# cost(CALL): pages that a call reads, and what it gives. It is made twice in a session: the first time
# its backend also reads the catalogue.
sub cost
{
	my ($call) = @_;
	my ($out, $err) = ('', '');
	my $rc = $node->psql('postgres', <<"SQL", stdout => \$out, stderr => \$err, on_error_stop => 1);
\\set QUIET on
LOAD 'auto_explain';
SET auto_explain.log_analyze = on;
SET auto_explain.log_buffers = on;
SET auto_explain.log_timing = off;
SET client_min_messages = log;
$call;
SET auto_explain.log_min_duration = 0;
$call;
SQL
	is($rc, 0, 'the session ends well') or diag(join "\n", $err =~ /^.*ERROR: .*$/mg);

	# the first line of buffers is of the whole statement
	my ($line) = $err =~ /Query Text: SELECT claim.*?Buffers: ([^\n]*)/s;
	my $pages = 0;
	$pages += $_ for ($line // '') =~ /(?:hit|read)=(\d+)/g;
	return ($pages, split /\n/, $out);
}

sub claim
{
	my ($capabilities) = @_;
	return "SELECT claim_kind, right(execution_id, 7) FROM ff_claim('lane', 'w', 'w-1', '$capabilities')";
}

# check(NAME, CAPABILITIES, MOST, EXPECTED): both claims get what comes first, for so many pages
sub check
{
	my ($name, $capabilities, $most, @expected) = @_;
	my ($pages, @out) = cost(claim($capabilities));

	is_deeply(\@out, [ map { "fresh|$_" } @expected ], "$name: what comes first");
	cmp_ok($pages, '>', 10, "$name: it was measured");
	cmp_ok($pages, '<', $most, "$name: reads $pages pages");
	return;
}

# Some thousand executions claimed and completed, as many created.
sub churn
{
	my ($capabilities) = @_;
	rows(<<"SQL") for 1 .. 5;
SELECT count(*) FROM (SELECT array_agg(handle) AS handles FROM ff_claim('lane', 'w', 'w-1', '$capabilities', max_claims => 1000)) c,
  LATERAL ff_complete_many(c.handles);
SQL
	return;
}

# --- A million that the worker can take.

put(1, BACKLOG, '{gpu}', 5, 0);
rows('VACUUM (ANALYZE) ff_exec_core');
note(sprintf '%d rows are there after %.1f s', BACKLOG, time - $begun);
check('a million waiting', '{gpu,eu}', 80, '0000001', '0000002');
churn('{gpu}');
rows('VACUUM');
check('after churn and vacuum', '{gpu,eu}', 80, '0005003', '0005004');

# --- The same million in front of work that this worker can take: there are eight more sets that it
# lacks a token of, and two that fit, whose rows come in turn.

put(2_000_000 + 1000 * $_, 2_000_999 + 1000 * $_, "{gpu,kind-$_}", 9000, 900_000) for 1 .. 8;
put(3_000_000, 3_009_999, '{}', 0, 0);
put(3_010_000, 3_019_999, '{eu}', 0, 10_000);
rows('VACUUM (ANALYZE) ff_exec_core');
check('a million unmatchable in front', '{eu,arm}', 140, '3000000', '3010000');
churn('{eu}');
churn('{}');
rows('VACUUM');
check('after churn and vacuum, the million still in front', '{eu,arm}', 140,
	split /\n/, rows(<<'SQL'));
SELECT right(execution_id::text, 7) FROM ff_exec_core
 WHERE lane_id = 'lane' AND required_capabilities <@ '{eu,arm}' AND public_state = 'waiting'
 ORDER BY priority DESC, created_at_ms, execution_id LIMIT 2
SQL
is(rows(q(SELECT count(*) FROM ff_exec_core WHERE priority = 9000 AND public_state <> 'waiting')), '0',
	'nothing in front was touched');
is(rows('SELECT count(*) FROM ff_exec_core WHERE priority = 5 AND NOT (public_state = \'waiting\' OR execution_id <= \'00000000-0000-0000-0000-000000005004\')'),
	'0', 'of the million neither');

# --- Renewals: heap-only, no index grows.

my $sizes = <<'SQL';
SELECT string_agg(i.indexrelid::regclass || ' ' || pg_relation_size(i.indexrelid), ', ' ORDER BY i.indexrelid)
  FROM pg_index i WHERE i.indrelid = 'ff_attempt'::regclass
SQL
my $hot = <<'SQL';
SELECT pg_stat_force_next_flush();
SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relid = 'ff_attempt'::regclass
SQL
my $was = rows($sizes);
my $heap = rows(q(SELECT pg_relation_size('ff_attempt')));
rows(<<'SQL');
CREATE TABLE held AS SELECT handle FROM ff_claim('lane', 'w', 'w-1', '{gpu}', max_claims => 10, lease_ttl_ms => 3600000);
SQL
my ($upd_before, $hot_before) = rows($hot) =~ /(\d+)\|(\d+)/;
$was = rows($sizes);
rows(<<'SQL');
DO $$
BEGIN
  FOR i IN 1..50 LOOP
    PERFORM ff_renew(handle) FROM held;
    COMMIT;
    PERFORM ff_renew_many((SELECT array_agg(handle) FROM held));
    COMMIT;
  END LOOP;
END $$
SQL
my ($upd, $hot_upd) = rows($hot) =~ /(\d+)\|(\d+)/;
is($upd - $upd_before, 1000, '1000 renewals are as many updates');
cmp_ok($hot_upd - $hot_before, '>=', 950, $hot_upd - $hot_before . ' of them heap-only');
is(rows($sizes), $was, 'no index of ff_attempt grew');
cmp_ok(rows(q(SELECT pg_relation_size('ff_attempt'))) - $heap, '<', 200_000, 'the table hardly');

is_consistent($node);
log_is_clean($node);
note(sprintf '%.1f s', time - $begun);
$node->stop;

done_testing();
