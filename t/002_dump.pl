# pg_dump with work in every phase, restored into a new cluster, where it goes on.
use strict;
use warnings FATAL => 'all';

use FfTest;
use FfWorkflow;
use PostgreSQL::Test::Utils;
use Test::More;

my $old = node_with_extension('old', schema => 'Dumped');
my $s = '"Dumped"';

# rows(NODE, SQL): its output, columns separated by |
sub rows
{
	my ($node, $sql) = @_;
	return $node->safe_psql('postgres', "SET search_path = $s, public; $sql");
}

# --- Work in every phase. What its clients hold goes into a table of their own.

$old->safe_psql('postgres', <<"SQL");
CREATE ROLE app_worker LOGIN;
CREATE ROLE "App ""Web""" LOGIN;
CREATE ROLE stranger LOGIN;
SET search_path = $s, public;
SELECT ff_grant_access('app_worker', 'worker'), ff_grant_access('app_worker', 'reader'),
       ff_grant_access('App "Web"', 'submitter'), ff_grant_access('App "Web"', 'signaler');
SELECT ff_rotate_waitpoint_hmac_secret_all('old-kid', repeat('ab', 32));
CREATE TABLE public.held (phase text, execution_id text, handle bytea, waitpoint_id uuid, token text);

-- 300 waiting, 3 delayed, one with an idempotency key
SELECT ff_create_execution('waiting', payload => convert_to(n::text, 'UTF8'), priority => n % 7)
  FROM generate_series(1, 300) n;
SELECT ff_create_execution('delayed', delay_until => now() + interval '10 years')
  FROM generate_series(1, 3);
SELECT ff_create_execution('keyed', idempotency_key => 'order-17', tags => '{"shop.order":"17"}',
                           required_capabilities => '{gpu,eu}');
INSERT INTO held SELECT 'keyed', execution_id
  FROM ff_create_execution('keyed', idempotency_key => 'order-17');

-- running, under leases that outlast the test
SELECT ff_create_execution('running') FROM generate_series(1, 5);
INSERT INTO held SELECT 'running', execution_id, handle
  FROM ff_claim('running', 'w', 'w-1', lease_ttl_ms => 86400000, max_claims => 5);

-- suspended for two sources, one signal there; signed by a key that is retired by now
SELECT ff_create_execution('suspended') FROM generate_series(1, 4);
INSERT INTO held
SELECT 'suspended', c.execution_id, c.handle, u.waitpoint_id, u.waitpoint_token
  FROM ff_claim('suspended', 'w', 'w-1', max_claims => 4) c,
       LATERAL ff_suspend(handle => c.handle, idempotency_key => 'wait',
                          resume_condition => ff_count_of(2, '{approval}', 'sources')) u;
SELECT count(*) FROM held h,
  LATERAL ff_deliver_signal(h.execution_id, h.waitpoint_id, h.token, 'approved',
                            source_identity => 'alice', idempotency_key => 'alice-1')
 WHERE phase = 'suspended';
SELECT ff_rotate_waitpoint_hmac_secret_all('new-kid', grace_ms => 86400000);

-- resumable: the signals came, no worker yet
SELECT ff_create_execution('resumable') FROM generate_series(1, 2);
INSERT INTO held
SELECT 'resumable', c.execution_id, u.handle, u.waitpoint_id, u.waitpoint_token
  FROM ff_claim('resumable', 'w', 'w-1', max_claims => 2) c,
       LATERAL ff_suspend(handle => c.handle, resume_condition => ff_when('go')) u;
SELECT count(*) FROM held h,
  LATERAL ff_deliver_signal(h.execution_id, h.waitpoint_id, h.token, 'any', payload => 'x')
 WHERE phase = 'resumable';

-- ended: completed, failed for good; failed and waiting for its retry
SELECT ff_create_execution('ending') FROM generate_series(1, 6);
INSERT INTO held SELECT 'ending', execution_id, handle
  FROM ff_claim('ending', 'w', 'w-1', max_claims => 6);
WITH numbered AS (SELECT handle, row_number() OVER (ORDER BY execution_id) AS n
                    FROM held WHERE phase = 'ending')
SELECT (SELECT count(*) FROM numbered, LATERAL ff_complete(handle, 'result') WHERE n <= 2),
       (SELECT count(*) FROM numbered, LATERAL ff_fail(handle, 'broken', 'permanent') WHERE n IN (3, 4)),
       (SELECT count(*) FROM numbered, LATERAL ff_fail(handle, 'again', 'transient') WHERE n > 4);
SQL
is( rows($old, 'SELECT public_state, count(*) FROM ff_executions GROUP BY 1 ORDER BY 1'),
	join("\n", 'waiting|301', 'delayed|5', 'running|5', 'suspended|4', 'resumable|2',
		'completed|2', 'failed|2'),
	'work in every phase');

# --- Out and in again.

my $dump = $PostgreSQL::Test::Utils::tmp_check . '/old.dump';
my $globals = $PostgreSQL::Test::Utils::tmp_check . '/globals.sql';
$old->command_ok([ 'pg_dump', '-Fc', '-f', $dump, $old->connstr('postgres') ], 'pg_dump');
$old->command_ok([ 'pg_dumpall', '-g', '-f', $globals, '-d', $old->connstr('postgres') ],
	'pg_dumpall of the roles');

my $new = new_node('new');
# a cluster whose transaction ids are far from the old one's
$new->safe_psql('postgres', 'SELECT pg_current_xact_id()') for 1 .. 5;
$new->command_ok([ 'psql', '-XAtq', '-f', $globals, '-d', $new->connstr('postgres') ], 'roles')
  or diag(slurp_file($new->logfile));
$new->command_ok(
	[ 'pg_restore', '--single-transaction', '--exit-on-error', '-d', $new->connstr('postgres'), $dump ],
	'pg_restore');

my $tables = <<'SQL';
SELECT c.relname
  FROM pg_extension x
  JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = x.oid AND d.deptype = 'e'
  JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
 WHERE x.extname = 'ffengine' AND c.relkind = 'r' ORDER BY 1
SQL

# What a row is, whatever order the columns of a comparison come in; events get new stamps.
sub contents
{
	my ($node, $table) = @_;
	return rows($node, <<"SQL");
SELECT count(*), md5(string_agg(r, ',' ORDER BY r))
  FROM (SELECT (to_jsonb(t) - '{xact_id,recorded_at_ms,committed_at_ms}'::text[])::text AS r
          FROM $s.$table t) rows;
SQL
}
my @differ;
my $filled = 0;
for my $table (split /\n/, rows($old, $tables))
{
	next if $table eq 'ff_outbox_state';
	my $was = contents($old, $table);
	push @differ, $table if $was ne contents($new, $table);
	$filled++ if $was !~ /^0\|/;
}
is("@differ", '', 'every table holds the same rows');
cmp_ok($filled, '>=', 13, 'and most of them some');

# --- Events stand behind all that the new cluster has seen, ids go on.

for my $stream (qw(completion lease signal operator worker_registry instance_tag))
{
	my $table = "ff_${stream}_event";
	my $last = rows($old, "SELECT coalesce(max(event_id), 0) FROM $table");
	my $next = rows($new, "SELECT nextval('${table}_event_id_seq')");
	cmp_ok($next, '>', $last, "$table: the next event id is a new one");
	is(rows($new, <<"SQL"), $last ? '1|t' : '0|', "$table: stamped by the restore");
SELECT count(DISTINCT xact_id), bool_and(xact_id < pg_current_xact_id()) FROM $table;
SQL
}

# --- The keystore came along, and tokens of both keys are good.

is(rows($new, 'SELECT kid, is_current, open_waitpoints FROM ff_list_waitpoint_hmac_kids()'),
	"new-kid|t|0\nold-kid|f|4", 'both keys are there');
is(rows($new, 'SELECT encode(secret, \'hex\') = repeat(\'ab\', 32) FROM ff_waitpoint_hmac WHERE kid = \'old-kid\''),
	't', 'with the secret');
is(rows($new, <<'SQL'), 'duplicate|4', 'a signal sent again is known');
SELECT outcome, count(*) FROM held h,
  LATERAL ff_deliver_signal(h.execution_id, h.waitpoint_id, h.token, 'approved',
                            source_identity => 'alice', idempotency_key => 'alice-1')
 WHERE phase = 'suspended' GROUP BY 1;
SQL
is(rows($new, <<'SQL'), 'accepted|resume_condition_satisfied|4', 'a token minted before is good');
SELECT outcome, effect, count(*) FROM held h,
  LATERAL ff_deliver_signal(h.execution_id, h.waitpoint_id, h.token, 'approved', source_identity => 'bob')
 WHERE phase = 'suspended' GROUP BY 1, 2;
SQL
my ($rc, $out, $err) = $new->psql('postgres', <<"SQL");
SET search_path = $s, public;
SELECT ff_deliver_signal(execution_id, waitpoint_id, overlay(token placing '00' from 15), 'approved')
  FROM held WHERE phase = 'suspended' LIMIT 1;
SQL
like($err, qr/token/, 'another token is not');
is(rows($new, <<'SQL'), 'suspended|t|4', 'a suspend sent again is known');
SELECT u.outcome, u.replayed, count(*) FROM held h,
  LATERAL ff_suspend(handle => h.handle, idempotency_key => 'wait', resume_condition => ff_when('x')) u
 WHERE phase = 'suspended' AND u.waitpoint_token = h.token GROUP BY 1, 2;
SQL

# --- The work goes on to its end.

is(rows($new, <<'SQL'), 'duplicate|t', 'an idempotency key is remembered');
SELECT outcome, execution_id = (SELECT execution_id FROM held WHERE phase = 'keyed')
  FROM ff_create_execution('keyed', idempotency_key => 'order-17');
SQL
is(rows($new, <<'SQL'), '5|t', 'leases are still held: renewed');
SELECT count(*), bool_and(r.lease_expires_at > now()) FROM held h, LATERAL ff_renew(h.handle) r
 WHERE phase = 'running';
SQL
is(rows($new, <<'SQL'), 'completed|f|5', 'and completed');
SELECT outcome, replayed, count(*) FROM held h, LATERAL ff_complete(h.handle) WHERE phase = 'running'
 GROUP BY 1, 2;
SQL
is(rows($new, <<'SQL'), 'completed|t|2', 'a completion sent again is known');
SELECT outcome, replayed, count(*) FROM held h
  JOIN ff_executions e USING (execution_id), LATERAL ff_complete(h.handle)
 WHERE phase = 'ending' AND e.public_state = 'completed' GROUP BY 1, 2;
SQL
is(rows($new, <<'SQL'), 'resumed|completed|6', 'what was suspended or resumable is claimed as such');
SELECT c.claim_kind, d.outcome, count(*)
  FROM (SELECT unnest('{suspended,resumable}'::text[]) AS lane) l,
       LATERAL ff_claim(l.lane, 'w', 'w-2', max_claims => 10) c, LATERAL ff_complete(c.handle) d
 GROUP BY 1, 2;
SQL
is(rows($new, <<'SQL'), 'fresh|completed|300', 'what waited is claimed in order');
SELECT c.claim_kind, d.outcome, count(*)
  FROM ff_claim('waiting', 'w', 'w-2', max_claims => 1000) c, LATERAL ff_complete(c.handle) d
 GROUP BY 1, 2;
SQL
is(rows($new, <<'SQL'), '2', 'retries are still due');
SELECT count(*) FROM ff_executions WHERE lane_id = 'ending' AND public_state = 'delayed' AND eligible_at > created_at
SQL
is( rows($new, 'SELECT public_state, count(*) FROM ff_executions GROUP BY 1 ORDER BY 1'),
	join("\n", 'waiting|1', 'delayed|5', 'completed|313', 'failed|2'), 'and all of it ended');

# --- Access came back, for those who had it.

sub as_role
{
	my ($role, $sql) = @_;
	my ($rc, $out, $err) = $new->psql('postgres', $sql, extra_params => [ '-U', $role ]);
	return $rc ? $err : $out;
}
is(as_role('app_worker', "SELECT count(*) FROM $s.ff_claim('nothing', 'w', 'w')"), '0', 'a worker works');
is(as_role('app_worker', "SELECT count(*) > 0 FROM $s.ff_executions"), 't', 'and reads');
like(as_role('app_worker', "SELECT $s.ff_create_execution('l')"), qr/permission denied/, 'but creates nothing');
is(as_role('App "Web"', "SELECT outcome FROM $s.ff_create_execution('web')"), 'created', 'a submitter creates');
like(as_role('App "Web"', "SELECT $s.ff_claim('web', 'w', 'w')"), qr/permission denied/, 'but claims nothing');
like(as_role('app_worker', "SELECT secret FROM $s.ff_waitpoint_hmac"), qr/permission denied/, 'nobody reads secrets');
like(as_role('stranger', "SELECT $s.ff_crc16('')"), qr/permission denied/, 'a stranger has nothing');
is(rows($new, 'SELECT role_name, access FROM ff_access ORDER BY role_name COLLATE "C", access'),
	join("\n", 'App "Web"|signaler', 'App "Web"|submitter', 'app_worker|reader', 'app_worker|worker'),
	'grants are on record');
is(rows($new, q(SELECT outcome FROM ff_grant_access('app_worker', 'worker'))), 'already_granted',
	'and are found there');
is(rows($new, q(SELECT outcome FROM ff_revoke_access('app_worker', 'worker'))), 'revoked', 'and taken back');
like(as_role('app_worker', "SELECT $s.ff_claim('l', 'w', 'w')"), qr/permission denied/, 'for good');

# a second dump, of what was restored
$new->command_ok([ 'pg_dump', '-Fc', '-f', "$dump.2", $new->connstr('postgres') ], 'pg_dump once more');

is_consistent($_) for $old, $new;
log_is_clean($_) for $old, $new;
$old->stop;
$new->stop;

done_testing();
