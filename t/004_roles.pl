# What roles find out: no token or secret in the server's log, and access given to many at once.
# What each access set opens is in sql/access.sql.
use strict;
use warnings FATAL => 'all';

use FfTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = node_with_extension('roles', schema => 'ff', conf => ['log_min_messages = debug1']);

sub rows
{
	my ($sql) = @_;
	return $node->safe_psql('postgres', "SET search_path = ff, public; $sql");
}

$node->safe_psql('postgres', <<'SQL');
CREATE ROLE client LOGIN;
ALTER ROLE client SET search_path = ff;
SELECT ff.ff_grant_access('client', access)
  FROM unnest('{submitter,worker,signaler,operator,reader}'::text[]) access;
SQL

# call(SQL, NAME => VALUE, ...): one statement of the role `client`, its :NAME bound as parameters,
# which of PostgreSQL's own programs pgbench does; true if it succeeds. What it says goes to $said.
my $said = '';
my $calls = 0;

sub call
{
	my ($sql, %bound) = @_;
	my $file = $PostgreSQL::Test::Utils::tmp_check . '/call.' . $calls++;
	append_to_file($file, "$sql;\n");
	my ($out, $err);
	my $ok = IPC::Run::run(
		[ 'pgbench', '-n', '-t', '1', '-M', 'extended', '-f', $file,
			(map { ('-D', "$_=$bound{$_}") } sort keys %bound),
			'-U', 'client', '-h', $node->host, '-p', $node->port, 'postgres' ],
		'>', \$out, '2>', \$err);
	$said .= $out . $err;
	return $ok && $err !~ /aborted/;
}

# --- Secrets and tokens, in calls that succeed and calls that fail.

my %secret = (
	first_secret  => 'a1b2c3d4' x 8,
	second_secret => 'f00dfeed' x 8,
	short_secret  => '0badc0de' x 3,
	wrong_secret  => 'beefcafe' x 8,
	bad_secret    => 'notahexa' x 8,
	payload       => '536563726574426f6479',
	message       => 'Secret Body');

ok(call('SELECT * FROM ff_seed_waitpoint_hmac_secret(:kid, :secret)', kid => 'kid1', secret => $secret{first_secret}),
	'seeded');
ok(call('SELECT * FROM ff_seed_waitpoint_hmac_secret(:kid, :secret)', kid => 'kid1', secret => $secret{wrong_secret}),
	'seeded again, otherwise');
ok(!call('SELECT * FROM ff_seed_waitpoint_hmac_secret(:kid, :secret)', kid => 'kid9', secret => $secret{wrong_secret}),
	'another kid is refused');
ok(!call('SELECT * FROM ff_seed_waitpoint_hmac_secret(:kid, :secret)', kid => 'kid1', secret => $secret{bad_secret}),
	'a secret that is not hex is refused');
ok(call('SELECT * FROM ff_rotate_waitpoint_hmac_secret_all(:kid, :secret)', kid => 'kid2', secret => $secret{second_secret}),
	'rotated');
ok(!call('SELECT * FROM ff_rotate_waitpoint_hmac_secret_all(:kid, :secret)', kid => 'kid1', secret => $secret{wrong_secret}),
	'a kid used again is refused');
ok(call('SELECT * FROM ff_rotate_waitpoint_hmac_secret_all(:kid, :secret)', kid => 'kid3', secret => $secret{short_secret}),
	'rotated to a short secret, with a warning');

my ($execution, $handle, $waitpoint, $token) = split /\|/, rows(<<"SQL");
SELECT c.execution_id, c.handle, s.waitpoint_id, s.waitpoint_token
  FROM ff_create_execution('l', payload => '\\x$secret{payload}') e,
       LATERAL ff_claim('l', 'w', 'w-1') c,
       LATERAL ff_suspend(handle => c.handle, resume_condition => ff_count_of(3, '{a}', 'signals'))  s;
SQL
$secret{digest} = (split /:/, $token)[1];
$secret{handle} = substr($handle, 200);
$secret{lease} = rows('SELECT lease_id FROM ff_attempt');
(my $tampered = $token) =~ tr/0-9a-f/1-9a-f0/;
$tampered =~ s/^[^:]*/kid3/;
$secret{tampered} = (split /:/, $tampered)[1];

my $deliver = 'SELECT * FROM ff_deliver_signal(:execution, :waitpoint, :token, :name, payload => :payload)';
my %signal = (execution => $execution, waitpoint => $waitpoint, token => $token, name => 'approved',
	payload => "\\x$secret{payload}");
ok(call($deliver, %signal), 'delivered');
ok(!call($deliver, %signal, token => $tampered), 'a tampered token is refused');
ok(!call($deliver, %signal, token => "kid0:$secret{digest}"), 'an unknown kid is refused');
ok(!call($deliver, %signal, token => $secret{digest}), 'a digest alone is refused');
ok(!call($deliver, %signal, token => "${token}00"), 'a longer token is refused');
ok(!call($deliver, %signal, name => '__engine'), 'a reserved name is refused');
ok(!call($deliver, %signal, waitpoint => '00000000-0000-0000-0000-000000000000'), 'another waitpoint is refused');
ok(!call($deliver, %signal, execution => '{fp:0}:nonsense'), 'a malformed id is refused');
ok(!call('SELECT * FROM ff_complete(:handle, :payload)', handle => $handle, payload => "\\x$secret{payload}"),
	'the handle from before is refused');
ok(!call('SELECT * FROM ff_complete(:handle)', handle => substr($handle, 0, -8)), 'a cut handle is refused');
ok(!call('SELECT * FROM ff_suspend(handle => :handle, resume_condition => ff_timeout_only())', handle => $handle),
	'a suspend without a timeout is refused');
ok(!call('SELECT ff_hmac_verify(:secret, :kid, :message, :token)', secret => $secret{first_secret}, kid => 'k',
		message => $secret{message}, token => $token),
	'an owner\'s function is refused');
ok(!call("SELECT * FROM ff_handle_decode(:handle)", handle => "$handle$secret{payload}"), 'a longer handle is refused');

my $log = slurp_file($node->logfile);
cmp_ok(length($log), '>', 1000, 'there is a log');
like($log, qr/ERROR:/, 'with errors');
for my $name (sort keys %secret)
{
	unlike($log, qr/\Q$secret{$name}\E/i, "the log has no $name");
}
# what a client is told of an error is what another could see over its shoulder
for my $name (qw(digest tampered handle lease first_secret second_secret short_secret wrong_secret bad_secret))
{
	unlike($said, qr/\Q$secret{$name}\E/i, "no error has the $name");
}

# --- No table holds a token but the waitpoint's own, no event and no dedup row does.

my $where = $node->safe_psql('postgres', <<"SQL");
SET search_path = pg_catalog;
DO \$\$
DECLARE
  relation regclass;
  found boolean;
  places text := '';
BEGIN
  FOR relation IN
    SELECT c.oid FROM pg_extension x
      JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = x.oid AND d.deptype = 'e'
      JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
     WHERE x.extname = 'ffengine' AND c.relkind IN ('r', 'v') ORDER BY c.relname COLLATE "C"
  LOOP
    EXECUTE format('SELECT EXISTS (SELECT FROM %s t WHERE t::text LIKE %L)', relation, '%$secret{digest}%') INTO found;
    IF found THEN places := places || ' ' || relation; END IF;
  END LOOP;
  PERFORM set_config('my.places', places, false);
END
\$\$;
SELECT current_setting('my.places');
SQL
is($where, ' ff.ff_waitpoint_pending', 'the token is in its own row alone');

# --- Many sessions give and take access at once.

my $roles = 40;
$node->safe_psql('postgres', join '', map { "CREATE ROLE many_$_;\n" } 1 .. $roles);
my $file = $PostgreSQL::Test::Utils::tmp_check . '/many';
append_to_file($file, <<'SQL');
\set n random(1, 40)
SELECT ff.ff_grant_access('many_' || :n, 'worker');
SELECT ff.ff_grant_access('many_' || :n, 'reader');
SELECT ff.ff_revoke_access('many_' || :n, 'reader');
SQL
my ($out, $err);
my $ok = IPC::Run::run(
	[ 'pgbench', '-n', '-c', '8', '-t', '25', '-f', $file, '-h', $node->host, '-p', $node->port, 'postgres' ],
	'>', \$out, '2>', \$err);
ok($ok && $err !~ /ERROR|aborted/, 'eight sessions give and take access at once') or diag($err);
is(rows(<<'SQL'), '0', 'and every role has what is on record');
SELECT count(*) FROM pg_roles r
 WHERE r.rolname LIKE 'many\_%'
   AND (has_function_privilege(r.oid, 'ff.ff_complete(bytea, bytea, text)', 'EXECUTE')
          <> EXISTS (SELECT FROM ff_access a WHERE a.role_name = r.rolname AND a.access = 'worker')
        OR has_table_privilege(r.oid, 'ff.ff_executions', 'SELECT')
          <> EXISTS (SELECT FROM ff_access a WHERE a.role_name = r.rolname AND a.access = 'reader'));
SQL

is_consistent($node);
log_is_clean($node);
$node->stop;

done_testing();
