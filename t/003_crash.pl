# The server killed by SIGKILL between every two steps of the approval workflow, and in the midst of
# a transaction: what was committed is there once, what was not is gone, and the work gets done.
use strict;
use warnings FATAL => 'all';

use FfTest;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;

my $node = node_with_extension('crash', fsync => 1);
my $crashes = 0;

sub rows
{
	my ($sql) = @_;
	return $node->safe_psql('postgres', $sql);
}

sub crash
{
	kill_server($node);
	$node->start;
	$crashes++;
	return;
}

# What others may have seen: counts of rows and events, and the state.
my $history = <<'SQL';
SELECT (SELECT string_agg(public_state || ' ' || attempt_index, ',') FROM ff_exec_core),
       (SELECT string_agg(lease_epoch || ' ' || coalesce(outcome::text, '-'), ',') FROM ff_attempt),
       (SELECT count(*) FROM ff_signal),
       (SELECT string_agg(event_type || coalesce(' ' || reason, ''), ',' ORDER BY event_id) FROM ff_lease_event),
       (SELECT string_agg(outcome, ',' ORDER BY event_id) FROM ff_completion_event),
       (SELECT string_agg(effect, ',' ORDER BY event_id) FROM ff_signal_event);
SQL

# step(NAME, SQL, EXPECTED): a step commits, the server crashes, and nothing has changed.
my %held;
sub step
{
	my ($name, $sql, $expected) = @_;
	my $out = rows($sql);
	is($out, $expected, $name) if defined $expected;
	my $before = rows($history);
	crash();
	is(rows($history), $before, "$name, crash: all of it is there");
	return $out;
}

sub literal
{
	my ($text) = @_;
	$text =~ s/'/''/g;
	return "'$text'";
}

# --- The workflow, the client keeping what the calls return.

step('seed', q(SELECT outcome FROM ff_seed_waitpoint_hmac_secret('k1')), 'seeded');

my $create = q(SELECT execution_id FROM ff_create_execution('l', payload => '\x01', idempotency_key => 'c'));
my $e = literal(step('create', $create));
is(rows(q(SELECT outcome FROM ff_create_execution('l', idempotency_key => 'c'))), 'duplicate',
	'create sent again: known');

my $handle = literal(step('claim', q(SELECT handle FROM ff_claim('l', 'w', 'w-1', lease_ttl_ms => 3600000))));
is(rows(q(SELECT count(*) FROM ff_claim('l', 'w', 'w-2'))), '0', 'the lease holds: nobody else claims');

step('renew', "SELECT lease_epoch FROM ff_renew($handle)", '1');

my $suspend = "FROM ff_suspend(handle => $handle, reason_code => 'waiting_for_approval',"
  . " resume_condition => ff_count_of(2, '{approval}', 'sources', 'approved'), idempotency_key => 's')";
my ($w, $t) = map { literal($_) } split /\|/,
  step('suspend', "SELECT waitpoint_id, waitpoint_token $suspend");
is(rows("SELECT outcome, replayed, waitpoint_id = $w, waitpoint_token = $t $suspend"),
	'suspended|t|t|t', 'suspend sent again: known, with the token');

my $signal = "SELECT outcome, effect FROM ff_deliver_signal($e, $w, $t, 'approved', source_identity => '%s',"
  . " idempotency_key => '%s')";
step('first signal', sprintf($signal, 'alice', 'a-1'), 'accepted|appended_to_waitpoint');
step('first signal again', sprintf($signal, 'alice', 'a-1'), 'duplicate|appended_to_waitpoint');
step('second signal', sprintf($signal, 'bob', 'b-1'), 'accepted|resume_condition_satisfied');
is(rows(sprintf($signal, 'bob', 'b-1')), 'duplicate|resume_condition_satisfied',
	'second signal again: known');

$handle = literal(step('claim resumed',
	"SELECT handle FROM ff_claim_resumed_execution($e, 'w', 'w-2', lease_ttl_ms => 3600000)"));
is(rows("SELECT string_agg(source_identity, ',' ORDER BY seq) FROM ff_observe_signals($handle)"),
	'alice,bob', 'both signals are seen');

step('complete', "SELECT outcome, replayed FROM ff_complete($handle, 'done')", 'completed|f');
is(rows("SELECT outcome, replayed FROM ff_complete($handle, 'late')"), 'completed|t',
	'complete sent again: known');

is( rows($history),
	join('|',
		'completed 0', '3 success', '2',
		'acquired,renewed,revoked suspended,acquired,revoked completed',
		'resumable,success', 'appended,deduped,satisfied,deduped'),
	'no event lost, none doubled');
is(rows(q(SELECT result FROM ff_exec_core)), '\x646f6e65', 'the first result stays');
is(rows('SELECT count(*), count(DISTINCT event_id) FROM ff_lease_event'), '5|5', 'event ids are distinct');

# --- Killed in the midst of a transaction: nothing of it remains.

sub open_transaction
{
	my ($sql) = @_;
	my ($in, $out) = ("BEGIN;\n$sql\n\\echo ready\nSELECT pg_sleep(600);\n", '');
	my $session = IPC::Run::start(
		[ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres') ],
		'<', \$in, '>', \$out, '2>', \my $err, IPC::Run::timeout(60));
	$session->pump until $out =~ /ready/;
	return $session;
}

rows(q(SELECT ff_create_execution('m') FROM generate_series(1, 3)));
my $before = rows($history);
my $sequence = rows(q(SELECT last_value FROM ff_lease_event_event_id_seq));
my $session = open_transaction(<<'SQL');
SELECT handle AS h, execution_id AS e FROM ff_claim('m', 'w', 'w-1') \gset
SELECT outcome FROM ff_complete(:'h');
SELECT handle AS h, execution_id AS e FROM ff_claim('m', 'w', 'w-1') \gset
SELECT waitpoint_id AS w, waitpoint_token AS t FROM ff_suspend(handle => :'h', resume_condition => ff_when('go')) \gset
SELECT outcome FROM ff_deliver_signal(:'e', :'w', :'t', 'go');
SELECT handle AS h FROM ff_claim_resumed_execution(:'e', 'w', 'w-2') \gset
SELECT outcome FROM ff_fail(:'h', 'half', 'permanent');
SELECT outcome FROM ff_rotate_waitpoint_hmac_secret_all('k2');
SELECT outcome FROM ff_create_execution('m', idempotency_key => 'never');
SQL
crash();
eval { $session->finish };
is(rows($history), $before, 'killed in the midst of a transaction: nothing of it remains');
is(rows('SELECT kid, is_current FROM ff_list_waitpoint_hmac_kids()'), 'k1|t', 'nor of its rotation');
is(rows('SELECT count(*) FROM ff_execution_dedup'), '1', 'nor of its idempotency key');
is( rows(<<'SQL'), 'fresh|completed|3', 'the work is handed out and done');
SELECT c.claim_kind, d.outcome, count(*)
  FROM ff_claim('m', 'w', 'w-3', max_claims => 10) c, LATERAL ff_complete(c.handle) d GROUP BY 1, 2;
SQL
cmp_ok(rows(q(SELECT min(event_id) FROM ff_lease_event WHERE worker_instance_id = 'w-3')), '>',
	rows(q(SELECT max(event_id) FROM ff_lease_event WHERE worker_instance_id <> 'w-3')),
	'new events come after the old ones');

# --- One backend killed: the server restarts by itself.

rows(q(SELECT ff_create_execution('b')));
$session = open_transaction(<<'SQL');
SELECT handle AS h FROM ff_claim('b', 'w', 'w-1') \gset
SELECT outcome FROM ff_complete(:'h');
SQL
my $started = rows('SELECT pg_postmaster_start_time()');
my $backend = rows(q(SELECT pid FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()));
kill 'KILL', $backend;
eval { $session->finish };
$node->poll_query_until('postgres', 'SELECT true') or die 'the server did not come back';
is(rows('SELECT pg_postmaster_start_time()'), $started, 'a backend killed: the server goes on');
is(rows(q(SELECT c.claim_kind, d.outcome FROM ff_claim('b', 'w', 'w-2') c, LATERAL ff_complete(c.handle) d)),
	'fresh|completed', 'and the work is done');

cmp_ok($crashes, '>=', 11, "killed $crashes times");
is_consistent($node);
log_is_clean($node, allow => qr/terminated by signal 9|because of crash|in recovery mode|starting up|not yet accepting/);
$node->stop;

done_testing();
