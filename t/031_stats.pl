# ff_stats: what each operation counts, that what is rolled back counts nothing, that counts belong
# to one database and one run of the server; and the queries of contrib/prometheus.yml.
use strict;
use warnings FATAL => 'all';

use CPAN::Meta::YAML ();
use FfTest;
use FfWorkflow;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# without a worker, so that nothing but these sessions counts
my $node = node_with_extension('stats', preload => 1, init => { allows_streaming => 1 },
	conf => [ 'ffengine.worker_enabled = off', 'ffengine.reclaim_hold = 60s', 'max_prepared_transactions = 2' ]);

# run_sql(SQL, DATABASE): what psql prints for it, errors included
sub run_sql
{
	my ($sql, $db) = @_;
	my ($rc, $out, $err) = $node->psql($db // 'postgres', $sql, on_error_stop => 0);
	return join "\n", grep { $_ ne '' } $out, $err;
}

# counts(NODE, DATABASE): the counters that are not 0, as "name value-of-label" => count; those of
# reconcilers, whose rows come with the reconcilers, left out
sub counts
{
	my ($of, $db) = @_;
	my $rows = $of->safe_psql($db // 'postgres', <<'SQL');
SELECT regexp_replace(substr(s.name, 4), '_total$', ''),
       coalesce((SELECT ' ' || l.value FROM jsonb_each_text(s.labels) l), ''), s.value
  FROM ff_stats() s WHERE s.kind = 'counter' AND s.value <> 0 AND s.name !~ '^ff_reconciler_'
SQL
	my %counts;
	for (split /\n/, $rows)
	{
		my ($name, $of_label, $value) = split /\|/;
		$counts{"$name$of_label"} = $value;
	}
	return \%counts;
}

# difference(BEFORE, AFTER): what was added; events and notifications, which nearly every step has,
# only with ALL
sub difference
{
	my ($before, $after, $all) = @_;
	my %added = map { $_ => $after->{$_} - ($before->{$_} // 0) }
	  grep { $after->{$_} != ($before->{$_} // 0) && ($all || !/^(?:events|notify_sent) /) } keys %$after;
	return \%added;
}

# adds(NAME, SQL, COUNTS, OPTION => VALUE): the SQL adds just these
#   all      true: events and notifications are among them
#   prints   what it prints
sub adds
{
	my ($name, $sql, $expected, %opt) = @_;
	my $before = counts($node);
	my $printed = run_sql($sql);
	my $added = difference($before, counts($node), $opt{all});

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is_deeply($added, $expected, $name) or diag($printed, "\n", explain($added));
	is($printed, $opt{prints}, "$name: output") if exists $opt{prints};
	return;
}

sub at
{
	my ($ms) = @_;
	return "SET ffengine.test_now_ms = '$ms';\n";
}

my $create = q(SELECT execution_id AS e FROM ff_create_execution('l') \gset) . "\n";
my $claim = q(SELECT handle AS h FROM ff_claim('l', 'w', 'w-1') \gset) . "\n";
my $complete = q(SELECT outcome AS o FROM ff_complete(:'h') \gset) . "\n";
my $work = $create . $claim . $complete;

# --- What is shown.

is(run_sql('SELECT name, kind, count(*) FROM ff_stats() WHERE kind <> $$counter$$ GROUP BY 1, 2 ORDER BY 1'),
	"ff_notify_mode|gauge|3\nff_preloaded|gauge|1\nff_worker_running|gauge|1", 'gauges, none of what nobody looked at');
is(run_sql(<<'SQL'), 'ff_notify_mode|background|1', 'of the gauges these are not 0');
SELECT name, labels ->> 'mode', value FROM ff_stats() WHERE kind = 'gauge' AND value <> 0 AND name <> 'ff_preloaded'
SQL
is(run_sql('SELECT value FROM ff_stats() WHERE name = $$ff_preloaded$$'), '1', 'the library is preloaded');
is(run_sql(<<'SQL'), '', 'the names of counters, and no others, end in _total');
SELECT * FROM ff_stats()
 WHERE (kind = 'counter') <> (name ~ '_total$') OR name !~ '^ff_[a-z_]+$' OR kind NOT IN ('counter', 'gauge')
    OR help !~ '\.$' OR value IS NULL OR jsonb_typeof(labels) <> 'object';
SQL
is(run_sql('SELECT name, labels FROM ff_stats() GROUP BY 1, 2 HAVING count(*) > 1'), '', 'no row twice');
is(run_sql(<<'SQL'), <<'END' =~ s/\n\z//r, 'every counter by its label');
SELECT name, coalesce((SELECT k FROM jsonb_object_keys(labels) k), '-'),
       CASE WHEN name ~ '^ff_reconciler' THEN count(*)::text
            ELSE string_agg(label, ' ' ORDER BY label) END
  FROM ff_stats(), LATERAL (SELECT coalesce(min(l.value), '-') FROM jsonb_each_text(labels) l) v (label)
 WHERE kind = 'counter' GROUP BY 1, 2 ORDER BY 1
SQL
ff_attempt_outcome_total|outcome|cancelled expired failed retry skipped success
ff_claims_total|result|claimed empty
ff_events_total|stream|completion instance_tags lease_history operator_events signal_delivery worker_registry
ff_executions_created_total|-|-
ff_grants_total|result|expired issued redeemed
ff_lease_renewal_total|outcome|ok refused
ff_long_polls_total|result|events timeout
ff_notify_sent_total|channel|ff_completion ff_instance_tag ff_lease_event ff_operator_event ff_signal_event ff_work ff_worker_event
ff_reclaims_total|-|-
ff_reconciler_errors_total|reconciler|23
ff_reconciler_rows_total|reconciler|23
ff_reconciler_runs_total|reconciler|23
ff_reconciler_seconds_total|reconciler|23
ff_resumes_total|-|-
ff_signals_total|effect|appended buffered deduped escalated ignored satisfied timed_out
ff_suspensions_total|-|-
END

# --- Committed work counts, and nothing else does.

my %cycle = ('executions_created' => 1, 'claims claimed' => 1, 'attempt_outcome success' => 1);

adds('create, claim, complete, each by itself', $work,
	{ %cycle, 'events lease_history' => 2, 'events completion' => 1, 'notify_sent ff_work' => 1,
		'notify_sent ff_lease_event' => 2, 'notify_sent ff_completion' => 1 }, all => 1, prints => '');
adds('the same in one transaction', "BEGIN;\n${work}COMMIT;",
	{ %cycle, 'events lease_history' => 2, 'events completion' => 1, 'notify_sent ff_work' => 1,
		'notify_sent ff_lease_event' => 1, 'notify_sent ff_completion' => 1 }, all => 1, prints => '');
adds('rolled back', "BEGIN;\n${work}ROLLBACK;", {}, all => 1, prints => '');
adds('savepoint rolled back', "BEGIN; SAVEPOINT s;\n${work}ROLLBACK TO s; COMMIT;", {}, all => 1, prints => '');
adds('savepoint released', "BEGIN; SAVEPOINT s;\n${work}RELEASE s; COMMIT;", \%cycle, prints => '');
adds('one savepoint of two rolled back, inside another',
	"BEGIN; SAVEPOINT a;\n${work}SAVEPOINT b;\n${work}ROLLBACK TO b; SAVEPOINT c;\n${create}RELEASE c; RELEASE a;\n$claim$complete COMMIT;",
	{ map { $_ => 2 } keys %cycle }, prints => '');
adds('an error', "BEGIN;\n${work}SELECT 1 / 0; COMMIT;", {}, all => 1);
adds('prepared', "BEGIN;\n${work}PREPARE TRANSACTION 'p'; COMMIT PREPARED 'p';", {}, all => 1, prints => '');
adds('completed again', "$work$complete", \%cycle, prints => '');
adds('a duplicate creates nothing',
	q(SELECT count(*) FROM generate_series(1, 3), LATERAL ff_create_execution('x', idempotency_key => 'one')),
	{ executions_created => 1 }, prints => 3);
adds('many created in one call', q(SELECT count(*) FROM ff_create_executions('[{}, {}, {}]', '{"lane_id": "x"}')),
	{ executions_created => 3 }, prints => 3);
adds('many claimed in one call', q(SELECT count(*) FROM ff_claim('x', 'w', 'w-1', max_claims => 10)),
	{ 'claims claimed' => 1 }, prints => 4);

# --- Waiting.

adds('nothing to claim', q(SELECT * FROM ff_claim('l', 'w', 'w-1')), { 'claims empty' => 1 }, all => 1, prints => '');
adds('nothing to claim, after waiting', q(SELECT * FROM ff_claim('l', 'w', 'w-1', block_ms => 50)),
	{ 'claims empty' => 1, 'long_polls timeout' => 1 }, all => 1, prints => '');
adds('something to claim, no need to wait', $create . q(SELECT count(*) FROM ff_claim('l', 'w', 'w-1', block_ms => 30000)),
	{ executions_created => 1, 'claims claimed' => 1 }, prints => 1);
{
	my $before = counts($node);
	my $waiting = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c',
			q(SELECT count(*) FROM ff_claim('l', 'w', 'w-1', block_ms => 30000)) ],
		'<', \undef, '>', \my $out, IPC::Run::timeout(60));
	$node->poll_query_until('postgres',
		q(SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'Extension' AND query ~ 'block_ms' AND pid <> pg_backend_pid()))
	  or die 'the claim does not wait';
	run_sql($create);
	$waiting->finish;
	is($out, "1\n", 'a claim that waits is given what comes');
	is_deeply(difference($before, counts($node)), { executions_created => 1, 'claims claimed' => 1, 'long_polls events' => 1 },
		'a claim that waited for what came');
}

# --- Renewals: a refusal counts though rolled back.

adds('renewed twice', "$create${claim}SELECT count(*) FROM (SELECT ff_renew(:'h') UNION ALL SELECT ff_renew(:'h')) r;",
	{ executions_created => 1, 'claims claimed' => 1, 'lease_renewal ok' => 2 }, prints => 2);
adds('renewed, rolled back', "BEGIN;\n$create${claim}SELECT lease_epoch FROM ff_renew(:'h'); ROLLBACK;", {}, prints => 1);
adds('refused', "$work\\set VERBOSITY sqlstate\nSELECT ff_renew(:'h');", { %cycle, 'lease_renewal refused' => 1 },
	prints => 'psql:<stdin>:5: ERROR:  ZC010');
adds('refused and rolled back', "BEGIN;\n${work}SELECT ff_renew(:'h'); ROLLBACK;", { 'lease_renewal refused' => 1 });
adds('refused by triple', <<'SQL', { 'lease_renewal refused' => 1 });
SELECT ff_renew_lease('{fp:1}:00000000-0000-4000-8000-000000000001', 1000, gen_random_uuid(), 1, gen_random_uuid());
SQL
adds('refused, caught', <<"SQL", { 'lease_renewal refused' => 1 }, prints => '');
BEGIN;
${work}SELECT set_config('t.h', :'h', false) AS h \\gset
DO \$\$ BEGIN PERFORM ff_renew(current_setting('t.h')::bytea); EXCEPTION WHEN OTHERS THEN NULL; END \$\$;
ROLLBACK;
SQL
adds('arguments that are wrong are no refusals', <<"SQL", {});
SELECT ff_renew('\\x00');
SELECT ff_renew(NULL);
SELECT ff_renew_lease('x', 1000, gen_random_uuid(), 1, gen_random_uuid());
SQL
adds('many, of which two are refused and one is no handle', <<"SQL", { executions_created => 3, 'claims claimed' => 3, 'attempt_outcome success' => 2, 'lease_renewal ok' => 1, 'lease_renewal refused' => 2 }, prints => 'refused 3, renewed 1');
$work\\set a :h
$work\\set b :h
$create${claim}SELECT string_agg(outcome || ' ' || n, ', ' ORDER BY outcome)
  FROM (SELECT outcome, count(*) AS n FROM ff_renew_many(ARRAY[:'a', :'h', '\\x00', :'b']::bytea[]) GROUP BY 1) o;
SQL
adds('many, all renewed', "$create${claim}SELECT outcome FROM ff_renew_many(ARRAY[:'h']::bytea[]);",
	{ executions_created => 1, 'claims claimed' => 1, 'lease_renewal ok' => 1 }, prints => 'renewed');

# --- How attempts end.

my %claimed = (executions_created => 1, 'claims claimed' => 1);

adds('a retry, then for good', <<"SQL", { %claimed, 'claims claimed' => 2, 'attempt_outcome retry' => 1, 'attempt_outcome failed' => 1 }, prints => "retry_scheduled\nterminal_failed");
SELECT execution_id AS e FROM ff_create_execution('f', policy => '{"retry_policy": {"max_retries": 1, "backoff": {"type": "fixed", "delay_ms": 0}}}') \\gset
SELECT handle AS h FROM ff_claim('f', 'w', 'w-1') \\gset
SELECT outcome FROM ff_fail(:'h', 'no');
SELECT handle AS h FROM ff_claim('f', 'w', 'w-1') \\gset
SELECT outcome FROM ff_fail(:'h', 'no');
SQL
adds('cancelled', "$create${claim}SELECT outcome FROM ff_cancel(:'h');", { %claimed, 'attempt_outcome cancelled' => 1 },
	prints => 'cancelled');
adds('past its deadline', at(1000000) . <<"SQL" . at(1002000) . <<'END', { %claimed, 'attempt_outcome expired' => 1 }, prints => 'expired');
SELECT execution_id AS e FROM ff_create_execution('l', deadline_at => ff_from_ms(1001000)) \\gset
$claim
SQL
SELECT outcome FROM ff_expire_execution(:'e', 'execution_deadline');
END
adds('past its deadline, never claimed: no attempt', at(1000000) . <<'SQL' . at(1002000) . <<'END', { executions_created => 1 }, prints => 'expired');
SELECT execution_id AS e FROM ff_create_execution('l', deadline_at => ff_from_ms(1001000)) \gset
SQL
SELECT outcome FROM ff_expire_execution(:'e', 'execution_deadline');
END

# --- Lost leases and grants.

my $lapsed = at(1000000) . $create . q(SELECT handle AS h FROM ff_claim('l', 'w', 'w-1', lease_ttl_ms => 1000) \gset) . "\n" . at(1002000);

adds('marked as lost, requeued, claimed again', <<"SQL", { %claimed, 'claims claimed' => 2, reclaims => 1 }, prints => "held\nrequeued\nreclaimed");
${lapsed}SELECT detail FROM ff_mark_lease_expired_if_due(:'e');
@{[ at(1100000) ]}SELECT detail FROM ff_mark_lease_expired_if_due(:'e');
SELECT claim_kind FROM ff_claim('l', 'w', 'w-2');
SQL
adds('reclaimed by grant', <<"SQL", { %claimed, reclaims => 1, 'grants issued' => 1, 'grants redeemed' => 1 }, prints => "granted\nclaimed");
${lapsed}SELECT outcome FROM ff_issue_reclaim_grant(:'e', 'w', 'w-2');
SELECT outcome FROM ff_reclaim_execution(:'e', 'w', 'w-2');
SQL
adds('taken back', "${lapsed}SELECT claim_kind FROM ff_claim_from_reclaim(:'e', 'w', 'w-2');", { %claimed, reclaims => 1 },
	prints => 'resumed');
adds('not taken over at the cap', <<"SQL", { %claimed, 'attempt_outcome failed' => 1, 'grants issued' => 1 }, prints => "granted\nreclaim_cap_exceeded");
${lapsed}SELECT outcome FROM ff_issue_reclaim_grant(:'e', 'w', 'w-2');
SELECT outcome FROM ff_reclaim_execution(:'e', 'w', 'w-2', max_reclaim_count => 0);
SQL
adds('claimed by grant', <<"SQL", { executions_created => 1, 'grants issued' => 1, 'grants redeemed' => 1 }, prints => 'fresh');
${create}SELECT grant_key AS k FROM ff_issue_claim_grant(:'e', 'w', 'w-1') \\gset
SELECT claim_kind FROM ff_claim_execution(:'e', 'w', 'w-1', grant_key => :'k');
SQL
adds('granted again after it ran out, then claimed over the next that ran out', at(1000000) . <<"SQL" . at(1010000) . <<'END' . at(1020000) . <<'END2', { executions_created => 1, 'grants issued' => 2, 'grants expired' => 2 }, prints => 'fresh');
${create}SELECT grant_key AS k FROM ff_issue_claim_grant(:'e', 'w', 'w-1') \\gset
SQL
SELECT grant_key AS k FROM ff_issue_claim_grant(:'e', 'w', 'w-1') \gset
END
SELECT claim_kind FROM ff_issue_grant_and_claim(:'e');
END2
adds('a grant whose execution ends is neither', at(1000000) . <<'SQL' . at(1002000) . <<'END', { executions_created => 1, 'grants issued' => 1 }, prints => 'expired');
SELECT execution_id AS e FROM ff_create_execution('l', deadline_at => ff_from_ms(1001000)) \gset
SELECT grant_key AS k FROM ff_issue_claim_grant(:'e', 'w', 'w-1', grant_ttl_ms => 60000) \gset
SQL
SELECT outcome FROM ff_expire_execution(:'e', 'execution_deadline');
END

# --- Suspensions, signals, resumes.

run_sql(seed_key('public'));
adds('a whole workflow', workflow('public', 'w'),
	{ %claimed, suspensions => 1, 'signals appended' => 1, 'signals satisfied' => 1, resumes => 1, 'attempt_outcome success' => 1 },
	prints => workflow_result());

sub suspend
{
	my (%opt) = @_;
	return $create . $claim . <<"SQL";
SELECT outcome, waitpoint_id AS w, waitpoint_token AS t
  FROM ff_suspend(:'h', ff_when('a', 'go')@{[ map { ", $_ => $opt{$_}" } sort keys %opt ]}) \\gset
SQL
}
my $signal = q{SELECT effect FROM ff_deliver_signal(:'e', :'w', :'t', '};

adds('one ignored, one sent twice', suspend() . <<"SQL", { %claimed, suspensions => 1, 'signals ignored' => 1, 'signals deduped' => 1 });
${signal}other', idempotency_key => 'k');
${signal}other', idempotency_key => 'k');
SQL
adds('buffered, and nothing left to wait for', <<"SQL", { %claimed, 'signals buffered' => 1 }, prints => "buffered_for_pending_waitpoint\nalready_satisfied");
$create${claim}SELECT waitpoint_id AS w, waitpoint_token AS t FROM ff_create_waitpoint(:'h', 'a', 60000) \\gset
${signal}go');
SELECT outcome FROM ff_suspend(:'h', ff_when('a', 'go'), waitpoints => jsonb_build_array(ff_use_pending(:'w')));
SQL
for (
	[ 'fail', { 'signals timed_out' => 1, 'attempt_outcome failed' => 1 } ],
	[ 'cancel', { 'signals timed_out' => 1, 'attempt_outcome cancelled' => 1 } ],
	[ 'expire', { 'signals timed_out' => 1, 'attempt_outcome expired' => 1 } ],
	[ 'escalate', { 'signals escalated' => 1 } ],
	[ 'auto_resume_with_timeout_signal', { 'signals satisfied' => 1, resumes => 1 } ])
{
	my ($behavior, $expected) = @$_;
	adds("suspension timeout, $behavior",
		at(1000000) . suspend(timeout_at => 'ff_from_ms(1001000)', timeout_behavior => "'$behavior'") . at(1002000)
		  . q(SELECT outcome AS o FROM ff_expire_suspension(:'e') \gset),
		{ %claimed, suspensions => 1, %$expected }, prints => '');
	# out of the way of what is claimed next
	run_sql(q(SELECT count(*) FROM ff_claim('l', 'w', 'w-9', max_claims => 1000)));
}
adds('resumed by hand', suspend() . q(SELECT outcome AS o FROM ff_resume_execution(:'e') \gset),
	{ %claimed, suspensions => 1, resumes => 1 });

# --- Where they are kept, and how they are read.

is(run_sql(<<'SQL'), "t\nt\nt\n0", 'no transaction id, no lock of a table');
BEGIN;
SELECT count(*) > 100 FROM ff_stats();
SELECT ff_stats_reset() IS NOT NULL;
SELECT pg_current_xact_id_if_assigned() IS NULL;
SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND relation::regclass::text ~ 'ff_';
COMMIT;
SQL
is_deeply(counts($node), {}, 'reset: every counter is 0');
is(run_sql('SELECT value FROM ff_stats() WHERE name = $$ff_preloaded$$'), '1', 'reset: gauges stay');
adds('they go on from there', $work, \%cycle);
is(counts($node)->{executions_created}, 1, 'at 1');
run_sql('BEGIN; SELECT ff_stats_reset(); ROLLBACK');
is_deeply(counts($node), {}, 'reset, rolled back: reset all the same');

run_sql($work);
my $here = counts($node);
run_sql('CREATE DATABASE other');
run_sql('CREATE EXTENSION ffengine CASCADE', 'other');
run_sql($work . $work, 'other');
is_deeply(counts($node), $here, 'what another database does does not show');
is(counts($node, 'other')->{executions_created}, 2, 'it counts for itself');
run_sql('SELECT ff_stats_reset()', 'other');
is_deeply(counts($node), $here, 'and is reset by itself');

run_sql("CREATE ROLE looks LOGIN; CREATE ROLE steers LOGIN; SELECT ff_grant_access('looks', 'reader'), ff_grant_access('steers', 'operator')");
like(run_sql('SET ROLE looks; SELECT count(*) > 100 FROM ff_stats(); SELECT ff_stats_reset()'),
	qr/^t\n.*permission denied for function ff_stats_reset/s, 'a reader reads and does not reset');
unlike(run_sql('SET ROLE steers; SELECT count(*) FROM ff_stats(); SELECT ff_stats_reset()'), qr/ERROR/, 'an operator does both');

# --- The queries of contrib/prometheus.yml: each gives what ff_stats gives under that name.

run_sql("$work$work");
my $queries = CPAN::Meta::YAML->read('contrib/prometheus.yml')->[0];
my %asked;
for my $entry (sort keys %$queries)
{
	my %metric = map { %$_ } @{ $queries->{$entry}{metrics} };
	my @labels = sort grep { $metric{$_}{usage} eq 'LABEL' } keys %metric;
	my ($value, @more) = grep { $metric{$_}{usage} ne 'LABEL' } keys %metric;
	my $query = $queries->{$entry}{query};
	my $columns = run_sql("SET ROLE looks;\n$query\\gdesc");

	is(join(' ', sort map { /^(\w+)\|/ } split /\n/, $columns), join(' ', sort keys %metric), "$entry: every column it names exists");
	is_deeply([ @more, grep { !$metric{$_}{description} } keys %metric ], [], "$entry: one value, all described");
	is(run_sql("SELECT string_agg(q.label || ' ' || q.value, ', ' ORDER BY q.label) FROM (
			SELECT coalesce(min(l.value), '-') AS label, q.$value AS value
			  FROM ($query) q LEFT JOIN LATERAL jsonb_each_text(to_jsonb(q) - 'datname' - '$value') l ON true
			 WHERE q.datname = 'postgres' GROUP BY to_jsonb(q), q.$value) q"),
		run_sql("SELECT string_agg(coalesce((SELECT l.value FROM jsonb_each_text(s.labels) l), '-') || ' ' || s.value, ', '
			 ORDER BY coalesce((SELECT l.value FROM jsonb_each_text(s.labels) l), '-'))
			 FROM ff_stats() s WHERE s.name = '${entry}_$value'"), "$entry: the same rows");
	$asked{"${entry}_$value"} = lc $metric{$value}{usage};
}
my %known = map { split /\|/ } split /\n/, run_sql('SELECT DISTINCT name, kind FROM ff_stats()');
is_deeply(\%asked, { %known, ff_reconciler_next_due_seconds => 'gauge' }, 'they ask for all there is');

# --- A standby has its own, a new run of the server none.

isnt(scalar keys %{ counts($node) }, 0, 'there are counts');
$node->backup('b');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'b', has_streaming => 1);
$standby->start;
is($standby->safe_psql('postgres', 'SELECT pg_is_in_recovery(), value FROM ff_stats() WHERE name = $$ff_preloaded$$'), 't|1',
	'on a standby');
is_deeply(counts($standby), {}, 'which has counted nothing');
is($standby->safe_psql('postgres', 'SELECT ff_stats_reset()'), '', 'and may be reset');
$standby->stop;

$node->restart;
is_deeply(counts($node), {}, 'after a restart of the server every counter is 0');
is_consistent($node);
log_is_clean($node);
$node->stop;

done_testing();
