# The settings: preloaded, loaded by a session's first call, and what a plain role can do about them.
use strict;
use warnings FATAL => 'all';

use FfTest;
use FfWorkflow;
use PostgreSQL::Test::Utils;
use Test::More;

my $major;

# ask(NODE, SQL, OPTION => VALUE): (output, errors and warnings) of one session
sub ask
{
	my ($node, $sql, %opt) = @_;
	my ($rc, $out, $err) =
	  $node->psql('postgres', $sql, on_error_stop => 0, extra_params => $opt{role} ? [ '-U', $opt{role} ] : []);
	return wantarray ? ($out, $err) : $out;
}

my %default = (
	batch_target               => '50ms',
	cancel_flow_inline_max     => 10000,
	cancel_grace               => '30s',
	databases                  => '',
	default_backoff_initial    => '1s',
	default_backoff_max        => '1min',
	default_backoff_multiplier => 2,
	default_grant_ttl          => '5s',
	default_lease_ttl          => '30s',
	default_max_reclaims       => 1000,
	default_max_replays        => 10,
	default_max_retries        => 3,
	default_max_signals        => 10000,
	dependency_stale           => '1s',
	execution_dedup_window     => '1d',
	hmac_grace                 => '1d',
	instance_tag_key           => 'cairn.instance_id',
	launcher_naptime           => '1min',
	max_databases              => 16,
	max_flow_edges             => 500000,
	max_flow_members           => 100000,
	max_frame_size             => '64kB',
	max_grant_ttl              => '1min',
	max_lease_ttl              => '1d',
	max_payload_size           => '1MB',
	max_signal_payload_size    => '64kB',
	max_summary_size           => '1MB',
	notify_delay               => '10ms',
	notify_mode                => 'background',
	notify_streams             => 'on',
	outbox_max_retention_ms    => 0,
	outbox_retention_ms        => '7d',
	reclaim_hold               => 0,
	retention                  => '1d',
	signal_dedup_window        => '1d',
	stream_maxlen              => 10000,
	suspend_dedup_max          => '7d',
	test_now_ms                => 0,
	usage_dedup_window         => '1d',
	worker_enabled             => 'on');
my %context = ((map { $_ => 'superuser' } keys %default),
	(map { $_ => 'sighup' } qw(notify_delay notify_streams databases launcher_naptime batch_target)),
	max_databases => 'postmaster');

sub settings
{
	my ($node, $first) = @_;
	return { map { (split /\|/)[0] => $_ } split /\n/, ask($node, <<"SQL") };
$first
SELECT substr(name, 10), current_setting(name), context FROM pg_settings WHERE name LIKE 'ffengine.%' ORDER BY name;
SQL
}

sub expected
{
	my %other = @_;
	return { map { $_ => join('|', $_, $other{$_} // $default{$_}, $context{$_}) } keys %default };
}

# --- Preloaded.

my $node = new_node('preloaded', preload => 1);
$major = ask($node, 'SHOW server_version_num') / 10000;
$major = int $major;

is_deeply(settings($node, ''), expected(), 'preloaded: every setting is there before any call, as documented');
ask($node, 'CREATE SCHEMA x; CREATE EXTENSION ffengine SCHEMA x CASCADE; CREATE ROLE plain LOGIN');
ask($node, 'SELECT x.ff_grant_access(\'plain\', a) FROM unnest(\'{submitter,worker}\'::text[]) a');
is($node->safe_psql('postgres', "\\set QUIET on\n" . seed_key('x') . workflow('x', 'l')),
	"seeded\n" . workflow_result(), 'preloaded: workflow');

sub refused
{
	my ($node, $sql, $like, $name, %opt) = @_;
	my ($out, $err) = ask($node, $sql, %opt);
	return like($err, $like, $name);
}

for my $name (sort keys %default)
{
	my $value = $name =~ /notify_mode/ ? "'off'" : $default{$name} eq '' ? "'x'" : "'$default{$name}'";
	refused($node, "SET ffengine.$name = $value", qr/permission denied|cannot be changed/,
		"preloaded: a plain role cannot set $name", role => 'plain');
}
for my $name (grep { $context{$_} ne 'superuser' } sort keys %default)
{
	refused($node, "SET ffengine.$name = '$default{$name}'", qr/cannot be changed/, "preloaded: $name belongs to the server");
}
SKIP:
{
	skip 'PostgreSQL 15 and later refuse unknown names', 1 if $major < 15;
	refused($node, 'SET ffengine.nosuch = 1', qr/invalid configuration parameter name|unrecognized/,
		'preloaded: a setting of the prefix that does not exist is refused');
}
is(ask($node, q(SET ffengine.test_now_ms = '1000000'; SELECT x.ff_server_time_ms())), '1000000',
	'preloaded: a superuser sets the clock');

# the server file: what SIGHUP settings and limits are changed by
$node->append_conf('postgresql.conf', "ffengine.batch_target = '75ms'\nffengine.default_lease_ttl = '45s'\n");
$node->reload;
$node->poll_query_until('postgres', q(SELECT current_setting('ffengine.batch_target') = '75ms')) or die 'no reload';
is(ask($node, 'SHOW ffengine.default_lease_ttl'), '45s', 'preloaded: the server file counts after a reload');
is_consistent($node);
$node->stop;

# --- Loaded by a session's first call.

$node = new_node('loaded');
ask($node, 'CREATE SCHEMA x; CREATE EXTENSION ffengine SCHEMA x CASCADE; CREATE ROLE plain LOGIN');
ask($node, 'SELECT x.ff_grant_access(\'plain\', a) FROM unnest(\'{submitter,worker}\'::text[]) a');
my $load = 'DO $$ BEGIN PERFORM x.ff_server_time_ms(); END $$;';
my $loaded = settings($node, $load);
my $unloaded = expected(notify_mode => 'transactional');
# PostgreSQL lets no session define a setting of server start, so this one has another context
s/\|\w+\z// for $loaded->{max_databases}, $unloaded->{max_databases};
is_deeply($loaded, $unloaded, 'loaded by a call: the same settings, notifications by the transaction');

my ($out, $err) = ask($node, "SET ffengine.test_now_ms = 'abc'; SELECT x.ff_server_time_ms() > 1700000000000");
is($out, 't', 'loaded by a call: a value set before that it refuses is dropped');
($out, $err) = ask($node, "SET ffengine.default_lease_ttl = '0'; $load SHOW ffengine.default_lease_ttl");
is($out, '30s', 'loaded by a call: so is one out of range');
is(ask($node, "SET ffengine.default_lease_ttl = '7s'; $load SHOW ffengine.default_lease_ttl"), '7s',
	'loaded by a call: a superuser\'s good value stays');
for (['default_lease_ttl', '2h', '30s'], ['max_payload_size', '512MB', '1MB'], ['test_now_ms', '1000', '0'],
	['notify_mode', 'off', 'transactional'])
{
	my ($name, $wish, $is) = @$_;
	($out, $err) = ask($node, "SET ffengine.$name = '$wish'; $load SHOW ffengine.$name", role => 'plain');
	is($out, $is, "loaded by a call: what a plain role set before, $name, does not count");
}
is(ask($node, <<'SQL', role => 'plain'), 't', 'loaded by a call: nor does it reach an operation');
SET ffengine.default_lease_ttl = '10h';
SELECT outcome FROM x.ff_create_execution('l') \gset
SELECT lease_expires_at < now() + interval '1 hour' FROM x.ff_claim('l', 'w', 'w-1');
SQL
SKIP:
{
	skip 'PostgreSQL 15 and later refuse unknown names', 2 if $major < 15;
	refused($node, "$load SET ffengine.nosuch = 1", qr/invalid configuration parameter name|unrecognized/,
		'loaded by a call: a setting of the prefix that does not exist is refused from then on');
	($out, $err) = ask($node, "SET ffengine.nosuch = 1; $load SHOW ffengine.nosuch");
	like($err, qr/unrecognized configuration parameter/, 'loaded by a call: one set before is gone');
}
is(ask($node, "ALTER ROLE plain SET ffengine.default_lease_ttl = '3s'; SELECT 1"), '1', 'a role may be given a setting');
is(ask($node, 'SHOW ffengine.default_lease_ttl', role => 'plain'), '3s', 'which its sessions have');
is(ask($node, "$load SHOW ffengine.default_lease_ttl", role => 'plain'), '3s', 'loaded or not');

is_consistent($node);
log_is_clean($node);
$node->stop;

done_testing();
