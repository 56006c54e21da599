# What tests of the background worker ask: is it there, and does what is due happen in time?
package FfWorker;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

our @EXPORT = qw(worker_conf workers launchers within watch_due due_in_time worker_said);

# What the nodes of these tests have in common: log lines that tell whose they are, a launcher that
# looks often, and nobody else who works by himself.
sub worker_conf
{
	return ("log_line_prefix = '%m [%p] %b %e %d '", "ffengine.launcher_naptime = '1s'", 'autovacuum = off',
		'max_logical_replication_workers = 0', 'max_prepared_transactions = 5', @_);
}

# workers(NODE, DATABASE): process ids of its background workers; of all databases without one
sub workers
{
	my ($node, $db) = @_;
	my $where = defined $db ? "AND datname = '$db'" : '';
	return split /\n/, $node->safe_psql('template1',
		"SELECT pid FROM pg_stat_activity WHERE backend_type = 'ffengine worker' $where ORDER BY datname");
}

sub launchers
{
	my ($node) = @_;
	return split /\n/,
	  $node->safe_psql('template1', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'ffengine launcher'");
}

# within(SECONDS, NAME, CONDITION): a test that it comes true in that time
sub within
{
	my ($seconds, $name, $condition) = @_;
	my $begun = time;
	my $true;

	until ($true = $condition->())
	{
		# what was true in time may be seen late on a busy machine: one more look after the end
		last if time > $begun + $seconds;
		usleep(50_000);
	}
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return ok($true, sprintf '%s: within %g s', $name, $seconds);
}

# Work of every kind that has a time of its own. A row of `watch` says when what must have happened,
# and `watch_due` notes when it did, without doing anything itself.
my $watch = <<'SQL';
CREATE TABLE watch (name text, due_ms bigint, condition text, seen_ms bigint);

-- An execution in a lane of its own, and its claim.
CREATE FUNCTION watch_claim(lane text, policy jsonb DEFAULT NULL, ttl_ms bigint DEFAULT 60000,
                            OUT id text, OUT handle bytea, OUT lease_ends_ms bigint, OUT attempt_ends_ms bigint)
LANGUAGE sql AS $$
  SELECT ff_create_execution(lane, policy => policy);
  SELECT execution_id, handle, ff_to_ms(lease_expires_at), ff_to_ms(attempt_deadline_at)
    FROM ff_claim(lane, 'watch', 'watch-1', lease_ttl_ms => ttl_ms)
$$;

-- due_in milliseconds from now, more or less, all of it at once.
CREATE PROCEDURE watch_begin(due_in bigint) LANGUAGE plpgsql AS $$
DECLARE
  lane text := 'watch-' || gen_random_uuid();
  at timestamptz := clock_timestamp() + due_in * interval '1 ms';
  at_ms bigint := ff_to_ms(at);
  has_event text := 'EXISTS (SELECT FROM ff_completion_event WHERE execution_id = %L AND outcome = %L)';
  is_eligible text := 'EXISTS (SELECT FROM ff_exec_core WHERE execution_id = %L AND eligibility_state = %L)';
  e text;
  c record;
  r record;
BEGIN
  TRUNCATE watch;
  SELECT execution_id INTO e FROM ff_create_execution(lane, delay_until => at);
  INSERT INTO watch VALUES ('delayed execution', at_ms, format(is_eligible, ff_execution_uuid(e), 'eligible_now'));

  SELECT execution_id INTO e FROM ff_create_execution(lane, deadline_at => at);
  INSERT INTO watch VALUES ('execution deadline', at_ms, format(has_event, ff_execution_uuid(e), 'expired'));

  SELECT * INTO c FROM watch_claim(lane || 1, ttl_ms => due_in);
  INSERT INTO watch VALUES ('lease expiry', c.lease_ends_ms,
    format('EXISTS (SELECT FROM ff_lease_event WHERE execution_id = %L AND event_type = ''expired'')', ff_execution_uuid(c.id)));

  SELECT * INTO c FROM watch_claim(lane || 2,
    jsonb_build_object('timeout_policy', jsonb_build_object('attempt_timeout_ms', due_in), 'retry_policy', '{"max_retries": 0}'::jsonb));
  INSERT INTO watch VALUES ('attempt timeout', c.attempt_ends_ms, format(has_event, ff_execution_uuid(c.id), 'expired'));

  SELECT * INTO c FROM watch_claim(lane || 3, jsonb_build_object('retry_policy',
    jsonb_build_object('max_retries', 1, 'backoff', jsonb_build_object('type', 'fixed', 'delay_ms', due_in))));
  SELECT * INTO r FROM ff_fail(c.handle, 'no luck');
  INSERT INTO watch VALUES ('retry', ff_to_ms(r.delay_until), format(is_eligible, ff_execution_uuid(c.id), 'eligible_now'));

  SELECT * INTO c FROM watch_claim(lane || 4);
  PERFORM ff_suspend(c.handle, ff_when('go'), timeout_at => at, timeout_behavior => 'fail');
  INSERT INTO watch VALUES ('suspension timeout, fail', at_ms, format(has_event, ff_execution_uuid(c.id), 'failed'));

  SELECT * INTO c FROM watch_claim(lane || 5);
  PERFORM ff_suspend(c.handle, ff_when('go'), timeout_at => at, timeout_behavior => 'auto_resume_with_timeout_signal');
  INSERT INTO watch VALUES ('suspension timeout, resume', at_ms, format(has_event, ff_execution_uuid(c.id), 'resumable'));

  SELECT * INTO c FROM watch_claim(lane || 6);
  SELECT * INTO r FROM ff_create_waitpoint(c.handle, 'callback', due_in);
  INSERT INTO watch VALUES ('waitpoint expiry', ff_to_ms(r.expires_at),
    format('EXISTS (SELECT FROM ff_waitpoint_pending WHERE waitpoint_id = %L AND closed_at_ms IS NOT NULL)', r.waitpoint_id));

  PERFORM ff_create_execution(lane || 7);
  SELECT * INTO r FROM ff_claim_for_worker(lane || 7, 'watch', 'watch-1', grant_ttl_ms => due_in);
  INSERT INTO watch VALUES ('grant expiry', ff_to_ms(r.expires_at), format(is_eligible, ff_execution_uuid(r.execution_id), 'eligible_now'));

  SELECT * INTO r FROM ff_register_worker('watch', lane, ARRAY[lane], liveness_ttl_ms => due_in);
  INSERT INTO watch VALUES ('worker registration', ff_to_ms(r.next_expiry_at),
    format('EXISTS (SELECT FROM ff_worker_registry_event WHERE worker_instance_id = %L AND event_kind = ''ttl_swept'')', lane));
END $$;

-- Look until everything has happened, or the time is over; reconcile as a scheduler would, if told to.
CREATE PROCEDURE watch_on(seconds integer, reconcile boolean) LANGUAGE plpgsql AS $$
DECLARE
  give_up timestamptz := clock_timestamp() + seconds * interval '1 s';
  w record;
  happened boolean;
BEGIN
  WHILE clock_timestamp() < give_up LOOP
    IF reconcile THEN
      PERFORM ff_reconcile();
      COMMIT;
    END IF;
    FOR w IN SELECT name, condition FROM watch WHERE seen_ms IS NULL LOOP
      EXECUTE 'SELECT ' || w.condition INTO happened;
      IF happened THEN
        UPDATE watch SET seen_ms = ff_server_time_ms() WHERE name = w.name;
      END IF;
    END LOOP;
    COMMIT;
    EXIT WHEN NOT EXISTS (SELECT FROM watch WHERE seen_ms IS NULL);
    PERFORM pg_sleep(0.02);
  END LOOP;
END $$;
SQL

# watch_due(NODE, DATABASE): prepares the database for due_in_time
sub watch_due
{
	my ($node, $db) = @_;
	$node->safe_psql($db, "SELECT ff_seed_waitpoint_hmac_secret('k1'); $watch");
	return;
}

# due_in_time(NODE, DATABASE, WHAT, OPTION => VALUE): tests that everything that has a time happens
# not before it and not long after
#   due_in     milliseconds (1500)
#   late       how late it may come, in milliseconds (1000)
#   reconcile  true: the watcher calls ff_reconcile on the way
#   between    code to run between the beginning and the time
sub due_in_time
{
	my ($node, $db, $what, %opt) = @_;
	my $due_in = $opt{due_in} // 1500;
	my $late = $opt{late} // 1000;
	my $reconcile = $opt{reconcile} ? 'true' : 'false';

	$node->safe_psql($db, "CALL watch_begin($due_in)");
	$opt{between}->() if $opt{between};
	$node->safe_psql($db, "CALL watch_on(30, $reconcile)");
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	for (split /\n/, $node->safe_psql($db, "SELECT name, seen_ms - due_ms FROM watch ORDER BY name"))
	{
		my ($name, $after) = split /\|/;
		ok($after ne '' && $after >= 0 && $after <= $late,
			"$what: $name, " . ($after eq '' ? 'never' : "$after ms after it was due"));
	}
	return;
}

# worker_said(NODE, REGEX, FROM): the lines that background workers and launchers logged above LOG
# level from an offset on, those that match the regular expression
sub worker_said
{
	my ($node, $like, $from) = @_;
	return grep { /\] ffengine (?:worker|launcher) .*\b(?:WARNING|ERROR|FATAL|PANIC): / && /$like/ }
	  split /\n/, slurp_file($node->logfile, $from // 0);
}

1;
