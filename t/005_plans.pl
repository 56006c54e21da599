# The plans of the engine's own statements: index scans in order, whether the backend planned them
# while the tables were empty or later, and a claim that reads the same few pages whatever waits.
use strict;
use warnings FATAL => 'all';

use FfTest;
use FfWorkflow;
use Test::More;

use constant BACKLOG => 200_000;

my $node = node_with_extension('plans', conf => [ 'autovacuum = off', 'jit = on' ]);

# explained(SQL): runs it in one session; the plans that auto_explain showed, as { query, plan }.
sub explained
{
	my ($sql) = @_;
	my ($out, $err) = ('', '');
	my $rc = $node->psql('postgres', <<"SQL", stdout => \$out, stderr => \$err, on_error_stop => 1);
\\set QUIET on
LOAD 'auto_explain';
SET auto_explain.log_min_duration = 0;
SET auto_explain.log_nested_statements = on;
SET auto_explain.log_analyze = on;
SET auto_explain.log_buffers = on;
SET auto_explain.log_timing = off;
SET client_min_messages = log;
$sql
SQL
	is($rc, 0, 'the session ends well') or diag(join "\n", $err =~ /^.*ERROR: .*$/mg);
	my @plans;
	for (split /^.*?LOG:  duration: /m, $err)
	{
		next unless /plan:\s*Query Text: (.*?)\n(\S.*\(cost=.*)\z/s;
		push @plans, { query => $1, plan => $2 };
	}
	return ($out, @plans);
}

# What an engine statement's plan must not hold.
my %bad = (
	'sequential scan' => qr/Seq Scan/,
	'sort' => qr/\bSort\b/,
	'bitmap scan' => qr/Bitmap/,
	'hash or merge join' => qr/Hash Join|Merge Join|Hash (?:Left|Right|Full|Semi|Anti)/,
	'disabled node' => qr/cost=\d{11,}|\.\.\d{11,}|Disabled: true/,
	'JIT' => qr/^\s*JIT:/m,
	# as good on an empty table, and a walk over a 256th of a full one
	'scan of a partition' => qr/Index Cond: \(partition_key = [^()]*\)\n/);

# Engine statements name their tables with the schema; a test's own do not.
sub check_plans
{
	my ($name, @plans) = @_;
	my @own = grep { $_->{query} =~ /public\.ff_/ } @plans;

	cmp_ok(scalar(@own), '>', 20, "$name: " . @own . ' plans of engine statements were seen');
	for my $what (sort keys %bad)
	{
		my %found = map { ($_->{query} => $_->{plan}) } grep { $_->{plan} =~ $bad{$what} } @own;
		ok(!%found, "$name: no $what") or diag(map { "$_\n$found{$_}\n" } sort keys %found);
	}
	return;
}

# Pages that the last statement with this text read, nested statements included.
sub pages
{
	my ($text, @plans) = @_;
	my @found = grep { index($_->{query}, $text) >= 0 } @plans;
	my ($line) = $found[-1]{plan} =~ /Buffers: ([^\n]*)/;
	my $pages = 0;

	$pages += $_ for $line =~ /(?:hit|read)=(\d+)/g;
	return $pages;
}

# Every operation once, under names of its own: retried, resumed and lost work too.
sub operations
{
	my ($tag) = @_;
	my $has_suspend = $node->safe_psql('postgres',
		q(SELECT count(*) FROM pg_proc WHERE proname IN ('ff_suspend', 'ff_deliver_signal'))) == 2;
	my $sql = <<"SQL";
SELECT * FROM ff_create_execution('$tag', idempotency_key => '$tag', required_capabilities => '{a}');
SELECT * FROM ff_create_execution('$tag', idempotency_key => '$tag');
SELECT * FROM ff_create_execution('$tag', required_capabilities => '{b}', tags => '{"cairn.instance_id": "i"}');
INSERT INTO ff_flow_core (partition_key, flow_id, public_flow_state, created_at_ms)
SELECT ff_flow_partition(f), f, 'open', 1 FROM (SELECT md5('$tag')::uuid) x(f);
SELECT * FROM ff_create_execution('$tag', flow_id => md5('$tag')::uuid,
  policy => '{"retry_policy": {"backoff": {"type": "fixed", "delay_ms": 0}}}');
SELECT execution_id AS e, handle AS h FROM ff_claim('$tag', 'w', 'w-1') \\gset
SELECT * FROM ff_renew(:'h');
SELECT * FROM ff_fail(:'h', 'once');
SELECT handle AS h FROM ff_claim('$tag', 'w', 'w-1') \\gset
SELECT * FROM ff_fail(:'h', 'for good', 'permanent');
SELECT handle AS h FROM ff_claim('$tag', 'w', 'w-1', '{a}', max_claims => 5) \\gset
SELECT * FROM ff_complete(:'h', 'done');
SELECT execution_id AS e, handle AS h FROM ff_claim('$tag', 'w', 'w-1', '{a,b}') \\gset
-- resumable later, by hand
UPDATE ff_exec_core SET lifecycle_phase = 'runnable', ownership_state = 'unowned', eligible_at_ms = 1,
  eligibility_state = 'not_eligible_until_time', blocking_reason = 'waiting_for_resume_delay',
  attempt_state = 'attempt_interrupted', public_state = 'resumable'
 WHERE execution_id = ff_execution_uuid(:'e');
UPDATE ff_attempt SET outcome = 'attempt_interrupted' WHERE execution_id = ff_execution_uuid(:'e');
SELECT claim_kind FROM ff_claim('$tag', 'w', 'w-2', '{a,b}');
UPDATE ff_exec_core SET lifecycle_phase = 'runnable', ownership_state = 'unowned', eligibility_state = 'eligible_now',
  attempt_state = 'attempt_interrupted', public_state = 'resumable' WHERE execution_id = ff_execution_uuid(:'e');
UPDATE ff_attempt SET outcome = 'attempt_interrupted' WHERE execution_id = ff_execution_uuid(:'e');
SELECT claim_kind FROM ff_claim_resumed_execution(:'e', 'w', 'w-3');
-- lost
UPDATE ff_exec_core SET lifecycle_phase = 'runnable', ownership_state = 'unowned', eligibility_state = 'eligible_now',
  attempt_state = 'attempt_interrupted', public_state = 'waiting' WHERE execution_id = ff_execution_uuid(:'e');
UPDATE ff_attempt SET outcome = 'lease_expired_reclaimable' WHERE execution_id = ff_execution_uuid(:'e');
SELECT claim_kind, handle AS h FROM ff_claim('$tag', 'w', 'w-4', '{a,b}') \\gset
\\echo :claim_kind
SELECT outcome FROM ff_complete(:'h');
SELECT ff_event_cursor('completion', 'earliest') AS c \\gset
SELECT count(*) FROM ff_subscribe_completion(:'c');
SELECT count(*) FROM ff_subscribe_completion(:'c', partition_key => 7);
SELECT count(*) FROM ff_subscribe_completion(:'c', namespace => 'default');
SELECT count(*) FROM ff_subscribe_completion(:'c', namespace => 'default', instance_tag => 'i', partition_key => 7);
SELECT count(*) FROM ff_subscribe_completion('\\x020000000000000000', block_ms => 20, namespace => 'nosuch');
SELECT count(*) FROM ff_create_subscription('$tag', 'operator_events', '{"event_types": ["replayed"]}', 'earliest');
INSERT INTO ff_operator_event (partition_key, execution_id, event_type, occurred_at_ms)
SELECT 7, gen_random_uuid(), 'lease_revoked', 1 FROM generate_series(1, 100);
SELECT count(*) FROM ff_poll_subscription('$tag');
SELECT ff_trim_outbox('operator_events', now() + interval '1 hour', 50) AS trimmed;
SELECT a.outcome FROM ff_ack_subscription('$tag', ff_event_cursor('operator_events')) a;
SELECT count(*) FROM ff_list_subscriptions();
SELECT ff_drop_subscription('$tag');
SQL
	$sql .= seed_key('public') . workflow('public', "$tag flow") if $has_suspend;
	return $sql;
}

# Something due for every reconciler that works by an index, and a pass of each. state_check looks
# at a range of executions instead, below.
sub reconciled
{
	my ($tag) = @_;
	return <<"SQL";
SET ffengine.test_now_ms = '1000000';
SELECT * FROM ff_create_execution('$tag due', policy => '{"timeout_policy": {"execution_deadline_ms": 1}}');
SELECT * FROM ff_create_execution('$tag due', delay_until => ff_from_ms(1000001));
SELECT execution_id FROM ff_create_execution('$tag route', required_capabilities => '{route}') \\gset
SELECT * FROM ff_block_route(:'execution_id');
SELECT execution_id FROM ff_create_execution('$tag grant') \\gset
SELECT expires_at FROM ff_issue_claim_grant(:'execution_id', 'w', 'w-1', grant_ttl_ms => 1);
SELECT * FROM ff_create_execution('$tag lease', policy => '{"timeout_policy": {"attempt_timeout_ms": 1}}');
SELECT * FROM ff_create_execution('$tag lease');
SELECT * FROM ff_claim('$tag lease', 'w', 'w-1', max_claims => 2, lease_ttl_ms => 1);
SELECT * FROM ff_create_execution('$tag wait');
SELECT handle FROM ff_claim('$tag wait', 'w', 'w-1') \\gset
SELECT expires_at FROM ff_create_waitpoint(:'handle', 'pending', 1);
SELECT outcome FROM ff_suspend(:'handle', ff_when('approval'), timeout_at => ff_from_ms(1000001));
SELECT outcome FROM ff_register_worker('w', md5('$tag'), '{$tag route}', '{route}', 1000);
INSERT INTO ff_execution_dedup VALUES ('ns', '$tag', 0, gen_random_uuid(), 1, 1);
INSERT INTO ff_waitpoint_hmac VALUES ('$tag', '', 1, false, 1);
SELECT name, processed, errors FROM ff_reconcile('unblock', 100000);
SET ffengine.test_now_ms = '100000000';
SELECT name, processed, errors FROM unnest('{execution_deadline,attempt_timeout,lease_expiry,pending_waitpoint_expiry,
  suspension_timeout,delayed_promoter,claim_grant_expiry,
  worker_registry_ttl_sweep,dedup_trimmer,hmac_kid_gc}'::text[]) n, ff_reconcile(n, 100000);
SELECT count(*) FROM ff_reconciler_status();
RESET ffengine.test_now_ms;
SQL
}

# Four classes; what the worker can take is neither at the head nor the largest.
my $backlog = <<"SQL";
INSERT INTO ff_exec_core (partition_key, execution_id, lane_id, required_capabilities, priority,
  lifecycle_phase, ownership_state, eligibility_state, blocking_reason, public_state, attempt_state, created_at_ms)
SELECT n % 256, ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid, 'backlog',
       (ARRAY['{gpu}', '{gpu,eu}', '{arm}', '{}'])[n % 4 + 1]::text[],
       CASE n % 4 WHEN 3 THEN n % 10 ELSE 9000 END,
       'runnable', 'unowned', 'eligible_now', 'waiting_for_worker', 'waiting', 'pending_first_attempt',
       @{[BACKLOG]} - n
  FROM generate_series(1, @{[BACKLOG]}) n;
SQL
# priority descending, then oldest; n % 4 = 3 and n % 10 = 9 are n = 19, 39, ...: the oldest is the last
my $first = BACKLOG - 1;
my $second = BACKLOG - 21;
my $claim = "SELECT right(execution_id, 6) FROM ff_claim('backlog', 'w', 'w-1');";

# One session: plans from the empty tables go on being used when the backlog is there.
my ($out, @plans) = explained(operations('empty') . reconciled('empty') . "SELECT * FROM ff_claim('backlog', 'w', 'w-0');\n"
	. "SET auto_explain.log_min_duration = -1;\n$backlog\nSET auto_explain.log_min_duration = 0;\n"
	. "$claim\n" . operations('still empty'));
check_plans('planned on empty tables', @plans);
like($out, qr/^$first$/m, 'the highest priority, then the oldest, of the class that fits');
cmp_ok(pages("ff_claim('backlog', 'w', 'w-1')", @plans), '<', 100, 'it reads a few pages');

# New sessions, without statistics and with them.
($out, @plans) = explained($claim . operations('unanalyzed'));
check_plans('planned without statistics', @plans);
like($out, qr/^$second$/m, 'the next one');

$node->safe_psql('postgres', 'VACUUM ANALYZE');
($out, @plans) = explained("$claim\n$claim\n" . operations('analyzed'));
check_plans('planned with statistics', @plans);
my $few = pages("ff_claim('backlog', 'w', 'w-1')", @plans);
cmp_ok($few, '<', 80, "a claim after vacuum reads few pages: $few");

# Many more that others alone can take, at the head: the same number of pages, give or take a level.
$node->safe_psql('postgres', <<"SQL");
INSERT INTO ff_exec_core (partition_key, execution_id, lane_id, required_capabilities, priority,
  lifecycle_phase, ownership_state, eligibility_state, blocking_reason, public_state, attempt_state, created_at_ms)
SELECT 0, gen_random_uuid(), 'backlog', '{tpu}', 9000, 'runnable', 'unowned', 'eligible_now',
       'waiting_for_worker', 'waiting', 'pending_first_attempt', 0
  FROM generate_series(1, 100000);
VACUUM;
SQL
($out, @plans) = explained("$claim\n$claim\n");
my $more = pages("ff_claim('backlog', 'w', 'w-1')", @plans);
cmp_ok($more, '<=', $few + 15, "100000 unmatchable rows at the head cost nothing: $more pages");

# What was claimed leaves dead entries at the head of the order; once vacuumed they are gone.
$node->safe_psql('postgres', q{SELECT count(*) FROM ff_claim('backlog', 'w', 'w-1', max_claims => 1000)})
  for 1 .. 5;
$node->safe_psql('postgres', 'VACUUM');
($out, @plans) = explained("$claim\n$claim\n");
my $after = pages("ff_claim('backlog', 'w', 'w-1')", @plans);
cmp_ok($after, '<=', $few + 20, "nor do 5000 claims that vacuum has seen: $after pages");

# A renewal is a heap-only update.
$node->safe_psql('postgres', <<'SQL');
SELECT ff_create_execution('hot');
SELECT set_config('test.h', encode(handle, 'hex'), false) FROM ff_claim('hot', 'w', 'w-1');
DO $$
BEGIN
  FOR i IN 1..1000 LOOP
    PERFORM ff_renew(decode(current_setting('test.h'), 'hex'));
    COMMIT;
  END LOOP;
END $$;
SELECT pg_stat_force_next_flush();
SQL
my $hot = $node->safe_psql('postgres',
	q{SELECT n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'ff_attempt'});
cmp_ok($hot, '>=', 990, "of 1000 renewals $hot were heap-only");

# Reconcilers planned when the tables are large.
($out, @plans) = explained(reconciled('large'));
check_plans('reconcilers on large tables', @plans);
unlike($out, qr/\|0\|0\n/, 'each found what was due');

# Nothing due: a pass reads a few pages of each index, whatever is in the tables.
$node->safe_psql('postgres', 'VACUUM');
my @polled = qw(execution_deadline attempt_timeout lease_expiry suspension_timeout
  pending_waitpoint_expiry delayed_promoter claim_grant_expiry unblock worker_registry_ttl_sweep
  dedup_trimmer);
for my $name (@polled)
{
	my $sql = "SELECT processed FROM ff_reconcile('$name')";
	($out, @plans) = explained("$sql;\n$sql;\n");
	my $read = pages($sql, @plans);
	cmp_ok($read, '<', 40, "$name: nothing due costs $read pages");
}

# As much again that is not due yet, in front of what is looked for: a head start for no one.
$node->safe_psql('postgres', <<"SQL");
INSERT INTO ff_exec_core (partition_key, execution_id, lane_id, lifecycle_phase, ownership_state, eligibility_state,
  blocking_reason, public_state, attempt_state, created_at_ms, eligible_at_ms, deadline_at_ms)
SELECT n % 256, gen_random_uuid(), 'later', 'runnable', 'unowned', 'not_eligible_until_time', 'waiting_for_delay',
       'delayed', 'pending_first_attempt', 1, 253402300799999, 253402300799999
  FROM generate_series(1, 100000) n;
INSERT INTO ff_exec_core (partition_key, execution_id, lane_id, required_capabilities, lifecycle_phase, ownership_state,
  eligibility_state, blocking_reason, public_state, attempt_state, created_at_ms)
SELECT n % 256, gen_random_uuid(), 'nobody', '{none}', 'runnable', 'unowned', 'blocked_by_route',
       'waiting_for_capable_worker', 'waiting', 'pending_first_attempt', 1
  FROM generate_series(1, 100000) n;
VACUUM;
SQL
for my $name (qw(execution_deadline delayed_promoter unblock))
{
	my $sql = "SELECT processed FROM ff_reconcile('$name')";
	($out, @plans) = explained("$sql;\n$sql;\n");
	my $read = pages($sql, @plans);
	cmp_ok($read, '<', 40, "$name: 100000 rows that are not due cost nothing: $read pages");
}

# state_check reads the executions of its window, not the tables.
my $check = "SELECT processed FROM ff_reconcile('state_check')";
($out, @plans) = explained("$check;\n$check;\n");
my $window = pages($check, @plans);
cmp_ok($window, '<', 10_000, "state_check reads $window pages for 500 executions");

is_consistent($node);
log_is_clean($node);
$node->stop;
done_testing();
