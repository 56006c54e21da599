# The extension among hostile objects, and what else may happen to it while a session uses it:
# dropped and created again, moved, its tables altered.
use strict;
use warnings FATAL => 'all';

use FfTest;
use FfWorkflow;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('install');
my $done = workflow_result();

# script(DATABASE, PSQL-INPUT, OPTION => VALUE): output of one session; it must succeed.
sub script
{
	my ($db, $sql, %opt) = @_;
	return $node->safe_psql($db, "\\set QUIET on\n$sql", %opt);
}

# --- Hostile objects. Every function among them raises, so one that runs fails the call.

my @operators = (
	[ '=', 'text', 'text' ], [ '=', 'uuid', 'uuid' ], [ '=', 'bigint', 'bigint' ],
	[ '=', 'smallint', 'smallint' ], [ '=', 'integer', 'integer' ], [ '=', 'bytea', 'bytea' ],
	[ '=', 'text[]', 'text[]' ], [ '=', 'smallint', 'integer' ], [ '=', 'name', 'text' ],
	[ '<>', 'text', 'text' ], [ '<', 'bigint', 'bigint' ], [ '<=', 'bigint', 'bigint' ],
	[ '>', 'bigint', 'bigint' ], [ '>=', 'bigint', 'bigint' ], [ '+', 'bigint', 'bigint' ],
	[ '+', 'integer', 'integer' ], [ '+', 'bigint', 'integer' ], [ '-', 'bigint', 'bigint' ],
	[ '||', 'text', 'text' ], [ '||', 'jsonb', 'jsonb' ], [ '||', 'text[]', 'text[]' ],
	[ '||', 'text[]', 'text' ], [ '||', 'uuid[]', 'uuid' ], [ '@>', 'text[]', 'text[]' ],
	[ '<@', 'text[]', 'text[]' ], [ '&&', 'text[]', 'text[]' ], [ '->>', 'jsonb', 'text' ],
	[ '->>', 'jsonb', 'varchar' ], [ '->', 'jsonb', 'text' ], [ '->', 'jsonb', 'varchar' ],
	[ '-', 'jsonb', 'text' ], [ '?', 'jsonb', 'text' ], [ '~', 'text', 'text' ]);
my @functions = (
	'ff_execution_id(smallint, uuid)', 'ff_from_ms(integer)', 'ff_lane_partition(varchar)',
	'ff_create_execution(text)', 'ff_claim(text, text, text)', 'ff_caps_hash(varchar[])',
	'hmac(bytea, bytea, varchar)', 'hmac(text, text, varchar)', 'digest(bytea, varchar)',
	'gen_random_bytes(bigint)',
	'jsonb_build_object(text, text)', 'jsonb_build_object(text, jsonb)',
	'jsonb_build_object(text, integer)', 'jsonb_build_object(text, text, text, jsonb)',
	'jsonb_build_array()', 'to_jsonb(text)', 'to_jsonb(text[])', 'to_jsonb(integer)',
	'jsonb_typeof(jsonb)', 'jsonb_set(jsonb, text[], jsonb)', 'jsonb_strip_nulls(jsonb)',
	'now()', 'clock_timestamp()', 'nextval(regclass)', 'pg_notify(text, text)',
	'pg_current_xact_id()', 'array_length(text[], integer)', 'cardinality(text[])',
	'cardinality(uuid[])', 'unnest(text[])', 'unnest(uuid[])', 'octet_length(bytea)',
	'octet_length(text)', 'encode(bytea, text)', 'convert_to(text, name)', 'lower(text)',
	'left(text, integer)', 'replace(text, text, text)', 'format(text, text)',
	'quote_ident(text)', 'array_append(uuid[], uuid)', 'array_position(text[], text)',
	'array_agg(uuid)', 'oidvectortypes(oidvector)', 'set_config(text, text, boolean)',
	'pg_extension_config_dump(regclass, text)', 'regexp_split_to_table(text, text)');
my @tables = qw(ff_exec_core ff_attempt ff_lane_registry ff_execution_dedup ff_waitpoint_hmac
  ff_waitpoint_pending ff_suspension_current ff_signal ff_signal_counter ff_lease_event
  ff_completion_event ff_access_function ff_access_grant);

sub hostile_objects
{
	my $sql = <<'SQL';
CREATE FUNCTION public.hostile(pg_catalog.text) RETURNS pg_catalog.bool LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'HOSTILE % as %', $1, current_user; END $$;
CREATE FUNCTION public.hostile_row() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'HOSTILE row in %', TG_RELID::regclass; END $$;
SQL
	my $n = 0;
	for (@operators)
	{
		my ($name, $left, $right) = @$_;
		$n++;
		$sql .= <<"SQL";
CREATE FUNCTION public.hostile_op_$n($left, $right) RETURNS pg_catalog.bool LANGUAGE plpgsql AS
\$\$ BEGIN RETURN public.hostile('operator $name ($left, $right)'); END \$\$;
CREATE OPERATOR public.$name (LEFTARG = $left, RIGHTARG = $right, FUNCTION = public.hostile_op_$n);
SQL
	}
	for (@functions)
	{
		$sql .= <<"SQL";
CREATE FUNCTION public.$_ RETURNS pg_catalog.bool LANGUAGE plpgsql AS
\$\$ BEGIN RETURN public.hostile('function $_'); END \$\$;
SQL
	}
	for (@tables)
	{
		$sql .= <<"SQL";
CREATE TABLE public.$_ (execution_id uuid, kid pg_catalog.text, secret bytea);
CREATE TRIGGER hostile BEFORE INSERT OR UPDATE OR DELETE ON public.$_
  FOR EACH STATEMENT EXECUTE FUNCTION public.hostile_row();
GRANT ALL ON public.$_ TO PUBLIC;
SQL
	}
	# casts that some applications make, though they change what every expression means
	$sql .= <<'SQL';
CREATE CAST (integer AS pg_catalog.text) WITH INOUT AS IMPLICIT;
CREATE CAST (bigint AS pg_catalog.text) WITH INOUT AS IMPLICIT;
CREATE CAST (uuid AS pg_catalog.text) WITH INOUT AS IMPLICIT;
CREATE CAST (pg_catalog.text AS uuid) WITH INOUT AS IMPLICIT;
CREATE CAST (pg_catalog.text AS bigint) WITH INOUT AS IMPLICIT;
-- types that shadow the ones of pg_catalog on a path that names public first
CREATE DOMAIN public.text AS pg_catalog.int4;
CREATE DOMAIN public.uuid AS pg_catalog.int4;
CREATE DOMAIN public.jsonb AS pg_catalog.int4;
CREATE DOMAIN public.bytea AS pg_catalog.int4;
CREATE DOMAIN public.regclass AS pg_catalog.int4;
CREATE DOMAIN public.timestamptz AS pg_catalog.int4;
SQL
	return $sql;
}

# Temporary tables come before everything else unless a path names pg_temp last.
sub hostile_temp
{
	return join '', "SET search_path = pg_catalog;\n",
	  map { "CREATE TEMP TABLE $_ (execution_id pg_catalog.uuid);\n" }
	  @tables, qw(pg_proc pg_class pg_type pg_enum pg_namespace pg_extension pg_depend);
}

my $hostile_path = "SET search_path = pg_temp, public, pg_catalog;\n";

# Nothing that a member of the extension was made of is from outside: an operator or function
# resolved to a better match in public would be a dependency on it.
my $captured = <<'SQL';
SET search_path = pg_catalog;
WITH RECURSIVE part AS (
  SELECT d.classid, d.objid
    FROM pg_extension x JOIN pg_depend d
      ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = x.oid AND d.deptype = 'e'
   WHERE x.extname = 'ffengine'
  UNION
  SELECT d.classid, d.objid FROM part p JOIN pg_depend d
      ON d.refclassid = p.classid AND d.refobjid = p.objid AND d.deptype IN ('a', 'i'))
SELECT pg_describe_object(p.classid, p.objid, 0), pg_describe_object(d.refclassid, d.refobjid, 0)
  FROM part p JOIN pg_depend d ON d.classid = p.classid AND d.objid = p.objid
 CROSS JOIN LATERAL pg_identify_object(d.refclassid, d.refobjid, 0) i
 WHERE i.schema = 'public' OR i.identity LIKE 'public.%';
SQL

# install(DATABASE, SCHEMA-OF-PGCRYPTO): the extension in the schema "My.Engine" of a hostile database
sub install
{
	my ($db, $crypto) = @_;
	my $more = $crypto eq 'public' ? '' : <<"SQL";
CREATE SCHEMA $crypto;
CREATE FUNCTION public.hmac(bytea, bytea, pg_catalog.text) RETURNS bytea LANGUAGE plpgsql AS
\$\$ BEGIN PERFORM public.hostile('hmac'); RETURN NULL; END \$\$;
CREATE FUNCTION public.digest(bytea, pg_catalog.text) RETURNS bytea LANGUAGE plpgsql AS
\$\$ BEGIN PERFORM public.hostile('digest'); RETURN NULL; END \$\$;
CREATE FUNCTION public.gen_random_uuid() RETURNS uuid LANGUAGE plpgsql AS
\$\$ BEGIN PERFORM public.hostile('gen_random_uuid'); RETURN NULL; END \$\$;
SQL

	$node->safe_psql('postgres', "CREATE DATABASE $db");
	script($db, "CREATE SCHEMA crypto_first;\n$more CREATE EXTENSION pgcrypto SCHEMA $crypto;\n"
		. hostile_objects());
	$node->safe_psql('postgres', "ALTER DATABASE $db SET search_path = public, pg_catalog");
	is( script($db, hostile_temp() . $hostile_path . <<'SQL'), 'done', "$db: installed");
CREATE SCHEMA "My.Engine";
CREATE EXTENSION ffengine SCHEMA "My.Engine";
\echo done
SQL
	is(script($db, $captured), '', "$db: no member of the extension is made of foreign objects");
	return;
}

install('crypto_in_public', 'public');
install('crypto_apart', 'crypto');

my $s = '"My.Engine"';
$node->safe_psql('postgres', "CREATE ROLE app LOGIN; CREATE ROLE stranger LOGIN");
for my $db (qw(crypto_in_public crypto_apart))
{
	is(script($db, $hostile_path . seed_key($s)), 'seeded', "$db: the superuser seeds a key");
	is(script($db, hostile_temp() . $hostile_path . workflow($s, 'super')),
		$done, "$db: workflow of the superuser");
	is( script($db, hostile_temp() . $hostile_path . <<"SQL"), join("\n", ('granted') x 5),
SELECT outcome FROM $s.ff_grant_access('app', 'submitter');
SELECT outcome FROM $s.ff_grant_access('app', 'worker');
SELECT outcome FROM $s.ff_grant_access('app', 'signaler');
SELECT outcome FROM $s.ff_grant_access('app', 'operator');
SELECT outcome FROM $s.ff_grant_access('app', 'reader');
SQL
		"$db: access granted");
	is( script($db, hostile_temp() . $hostile_path . workflow($s, 'app'),
			extra_params => [ '-U', 'app' ]),
		$done, "$db: workflow of a role that has nothing but EXECUTE");
	is( script(
			$db, hostile_temp() . $hostile_path . <<"SQL", extra_params => [ '-U', 'app' ]),
SELECT public_state FROM $s.ff_executions;
SELECT state FROM $s.ff_attempts;
SELECT outcome FROM $s.ff_rotate_waitpoint_hmac_secret_all('k2');
SELECT kid FROM $s.ff_list_waitpoint_hmac_kids();
SQL
		join("\n", qw(completed completed ended ended rotated k2 k1)), "$db: views and the keystore");
	my ($rc, $out, $err) = $node->psql($db, "SELECT * FROM $s.ff_claim('x', 'w', 'w')",
		extra_params => [ '-U', 'stranger' ]);
	like($err, qr/permission denied for schema/, "$db: a stranger may not even look");
}

# --- Who may install.

$node->safe_psql('postgres', "CREATE DATABASE plain; GRANT ALL ON DATABASE plain TO app");
my ($rc, $out, $err) = $node->psql('plain', 'CREATE EXTENSION ffengine CASCADE',
	extra_params => [ '-U', 'app' ]);
like($err, qr/permission denied to create extension/, 'a plain role cannot install it');

# --- Dropped and created again under a session that has used it.

is( script('plain', join('', "CREATE SCHEMA x; CREATE SCHEMA y;\n",
			"CREATE EXTENSION pgcrypto SCHEMA public; CREATE EXTENSION ffengine SCHEMA x;\n",
			seed_key('x'), workflow('x', 'l'),
			"DROP EXTENSION ffengine; CREATE EXTENSION ffengine SCHEMA x;\n",
			seed_key('x'), workflow('x', 'l'))),
	join("\n", ('seeded', $done) x 2), 'same session: dropped and created again');
my $trigger = "CREATE TRIGGER see AFTER UPDATE ON x.ff_exec_core EXECUTE FUNCTION see();\n";
is( script('plain', join('',
			"CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';\n",
			$trigger, workflow('x', 'l1'),
			"DROP EXTENSION ffengine; CREATE EXTENSION ffengine SCHEMA x;\n",
			seed_key('x'), $trigger, workflow('x', 'l1'))),
	join("\n", $done, 'seeded', $done), 'same session: the same with rows that the executor writes');
is( script('plain', join('', workflow('x', 'l2'),
			"DROP EXTENSION ffengine; CREATE EXTENSION ffengine SCHEMA y;\n",
			seed_key('y'), workflow('y', 'l2'))),
	join("\n", $done, 'seeded', $done), 'same session: created again in another schema');
is( script('plain', join('', workflow('y', 'l3'),
			"BEGIN; DROP EXTENSION ffengine; CREATE EXTENSION ffengine SCHEMA x;\n",
			seed_key('x'), workflow('x', 'l3'), "ROLLBACK;\n", workflow('y', 'l4'))),
	join("\n", $done, 'seeded', $done, $done),
	'same session: dropped and created again, and that rolled back');
is( script('plain', join('', workflow('y', 'l5'),
			"DROP EXTENSION pgcrypto CASCADE; CREATE EXTENSION ffengine SCHEMA y CASCADE;\n",
			seed_key('y'), workflow('y', 'l5')),
		extra_params => [ '-v', 'VERBOSITY=terse' ]),
	join("\n", $done, 'seeded', $done), 'same session: pgcrypto dropped with it');
is( script('plain', <<'SQL'), 'fresh fresh fresh', 'within one DO block');
DO $$
DECLARE
  kind text;
  kinds text[];
BEGIN
  FOR i IN 1..3 LOOP
    EXECUTE 'DROP EXTENSION ffengine';
    EXECUTE 'CREATE EXTENSION ffengine SCHEMA ' || CASE i WHEN 2 THEN 'x' ELSE 'y' END;
    PERFORM set_config('search_path', CASE i WHEN 2 THEN 'x' ELSE 'y' END, false);
    EXECUTE 'SELECT outcome FROM ff_create_execution(''do'')';
    EXECUTE 'SELECT claim_kind FROM ff_claim(''do'', ''w'', ''w'')' INTO kind;
    kinds := kinds || kind;
  END LOOP;
  PERFORM set_config('my.kinds', array_to_string(kinds, ' '), false);
END
$$;
SELECT current_setting('my.kinds');
SQL
is( script('plain', "DROP EXTENSION ffengine;\n" . <<'SQL'), '0|0|0', 'DROP EXTENSION leaves nothing');
SELECT (SELECT count(*) FROM pg_class WHERE relname LIKE 'ff\_%'),
       (SELECT count(*) FROM pg_proc WHERE proname LIKE 'ff\_%'),
       (SELECT count(*) FROM pg_type WHERE typname LIKE 'ff\_%');
SQL

# --- Altered under a session that has used it.

script('plain', "CREATE EXTENSION ffengine SCHEMA x;\n" . seed_key('x'));
my $alterations = <<'SQL';
ALTER TABLE x.ff_exec_core ADD COLUMN note text DEFAULT 'none';
ALTER TABLE x.ff_exec_core ALTER COLUMN lane_id SET STATISTICS 500;
ALTER TABLE x.ff_attempt ADD COLUMN note integer;
ALTER TABLE x.ff_waitpoint_pending ADD COLUMN note jsonb DEFAULT '{}';
ALTER TABLE x.ff_suspension_current ADD COLUMN note text;
ALTER TABLE x.ff_lease_event ADD COLUMN note text;
REINDEX TABLE x.ff_exec_core;
REINDEX TABLE x.ff_attempt;
ANALYZE x.ff_exec_core, x.ff_attempt, x.ff_waitpoint_pending;
VACUUM FULL x.ff_exec_core;
SQL
is( script('plain', join('', workflow('x', 'a'), $alterations, workflow('x', 'b'),
			"ALTER TABLE x.ff_exec_core DROP COLUMN note; ALTER TABLE x.ff_attempt DROP COLUMN note;\n",
			workflow('x', 'c'))),
	join("\n", ($done) x 3), 'same session: tables altered, reindexed and rewritten');
is( script('plain', join('', workflow('x', 'd'),
			"CREATE INDEX extra ON x.ff_exec_core (lane_id); DROP INDEX x.extra;\n",
			"DISCARD PLANS;\n", workflow('x', 'e'), "DISCARD ALL;\n", workflow('x', 'f'))),
	join("\n", ($done) x 3), 'same session: plans discarded');

# --- Renamed and moved under a session that has used it.

is( script('plain', join('', workflow('x', 'g'), 'ALTER SCHEMA x RENAME TO "Re""named";' . "\n",
			workflow('"Re""named"', 'g'), <<'SQL')), join("\n", $done, $done, 'k1', <<'OUT'
SELECT kid FROM "Re""named".ff_list_waitpoint_hmac_kids();
SELECT outcome FROM "Re""named".ff_grant_access('app', 'worker');
SELECT outcome FROM "Re""named".ff_revoke_access('app', 'worker');
SELECT count(*) > 0 FROM "Re""named".ff_executions;
SELECT "Re""named".ff_all_of("Re""named".ff_when('a'), "Re""named".ff_any_of_waitpoints('b', 'c'));
SQL
granted
revoked
t
{"Composite": {"kind": "AllOf", "members": [{"Single": {"matcher": "Wildcard", "waitpoint_key": "a"}}, {"Composite": {"n": 1, "kind": "Count", "count_kind": "DistinctWaitpoints", "waitpoints": ["b", "c"]}}]}}
OUT
	  ) =~ s/\n\z//r, 'same session: schema renamed');
is( script('plain', join('', workflow('"Re""named"', 'h'),
			"CREATE SCHEMA crypto; ALTER EXTENSION pgcrypto SET SCHEMA crypto;\n",
			workflow('"Re""named"', 'h'))),
	join("\n", $done, $done), 'same session: pgcrypto moved');
is(script('plain', workflow('"Re""named"', 'i')), $done, 'new session: pgcrypto moved');
($rc, $out, $err) = $node->psql('plain', 'ALTER EXTENSION ffengine SET SCHEMA y');
like($err, qr/does not support SET SCHEMA/, 'the extension itself stays in its schema');

is_consistent($node, $_) for qw(crypto_in_public crypto_apart plain);
log_is_clean($node);
unlike(slurp_file($node->logfile), qr/HOSTILE/, 'no hostile object ran');
$node->stop;

done_testing();
