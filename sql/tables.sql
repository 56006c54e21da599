-- What an administrator adds to the engine's tables holds for what the engine writes: it writes the
-- rows of claims and completions without the executor (src/base/table.h). All in one session, which
-- has cached the tables as they were, and each change is rolled back.
\set VERBOSITY terse
\pset null -
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS ffengine CASCADE;
RESET client_min_messages;
SET ffengine.test_now_ms = '1000';

-- Create an execution, claim it, complete it, and show what was written.
CREATE FUNCTION pg_temp.cycle(n integer) RETURNS TABLE (phase text, attempt text, result text, events text)
LANGUAGE plpgsql AS $$
DECLARE
  id text := '{fp:7}:00000000-0000-0000-0077-' || lpad(n::text, 12, '0');
BEGIN
  PERFORM ff_create_execution('tables', execution_id => id, required_capabilities => '{a}');
  PERFORM ff_complete(c.handle, 'done')
     FROM ff_claim('tables', 'w', 't-' || n, capabilities => '{a}') c;
  RETURN QUERY
    SELECT e.lifecycle_phase::text, a.outcome || ' ' || a.lease_epoch, convert_from(e.result, 'UTF8'),
           (SELECT string_agg(l.event_type, ', ' ORDER BY l.event_id) FROM ff_lease_event l
             WHERE l.execution_id = ff_execution_uuid(id)::text)
           || ', ' || (SELECT string_agg(c.outcome, ', ') FROM ff_completion_event c
                        WHERE c.execution_id = ff_execution_uuid(id))
      FROM ff_exec_core e JOIN ff_attempt a USING (partition_key, execution_id)
     WHERE e.execution_id = ff_execution_uuid(id);
END $$;

SELECT * FROM pg_temp.cycle(1);

-- Columns: one more with a default, a dropped one, a generated one, and a new default.
BEGIN;
ALTER TABLE ff_exec_core ADD COLUMN dropped text DEFAULT 'x', ADD COLUMN added integer DEFAULT 5,
  ADD COLUMN started_s bigint GENERATED ALWAYS AS (started_at_ms / 1000) STORED;
ALTER TABLE ff_exec_core DROP COLUMN dropped;
ALTER TABLE ff_lease_event ADD COLUMN dropped text, ADD COLUMN added text DEFAULT 'lease ' || 7;
ALTER TABLE ff_lease_event DROP COLUMN dropped;
SELECT * FROM pg_temp.cycle(2);
SELECT added, started_s, namespace, caps_hash = ff_caps_hash('{a}') AS hash FROM ff_exec_core WHERE lane_id = 'tables';
SELECT event_type, added FROM ff_lease_event WHERE worker_instance_id = 't-2' ORDER BY event_id;
ALTER TABLE ff_lease_event ALTER COLUMN added SET DEFAULT 'later';
SELECT * FROM pg_temp.cycle(3);
SELECT event_type, added FROM ff_lease_event WHERE worker_instance_id = 't-3' ORDER BY event_id;
ROLLBACK;
SELECT * FROM pg_temp.cycle(4);

-- A row older than a column has the column's default, also once it is written again.
BEGIN;
SELECT execution_id FROM ff_create_execution('tables', execution_id => '{fp:7}:00000000-0000-0000-0077-000000000009');
SELECT handle FROM ff_claim('tables', 'w', 't-9') \gset
ALTER TABLE ff_exec_core ADD COLUMN added integer NOT NULL DEFAULT 5;
ALTER TABLE ff_attempt ADD COLUMN added text DEFAULT 'x';
SELECT outcome FROM ff_complete(:'handle', 'done');
SELECT e.added, a.added, a.outcome FROM ff_exec_core e JOIN ff_attempt a USING (partition_key, execution_id)
 WHERE worker_instance_id = 't-9';
ROLLBACK;

-- What a dropped column held out of line goes away once the row is written.
BEGIN;
SELECT execution_id FROM ff_create_execution('tables', execution_id => '{fp:7}:00000000-0000-0000-0077-000000000009');
SELECT reltoastrelid::regclass AS toast FROM pg_class WHERE oid = 'ff_exec_core'::regclass \gset
SELECT count(*) AS before FROM :toast \gset
ALTER TABLE ff_exec_core ADD COLUMN dropped text;
ALTER TABLE ff_exec_core ALTER COLUMN dropped SET STORAGE EXTERNAL;
UPDATE ff_exec_core SET dropped = repeat('x', 10000) WHERE lifecycle_phase = 'runnable' AND lane_id = 'tables';
ALTER TABLE ff_exec_core DROP COLUMN dropped;
SELECT count(*) > :before AS held FROM :toast;
SELECT claim_kind FROM ff_claim('tables', 'w', 't-9');
SELECT count(*) - :before AS held FROM :toast;
ROLLBACK;

-- Defaults that are not the column's own: of an identity, and of a domain.
BEGIN;
CREATE DOMAIN pg_temp.small AS integer DEFAULT 3 CHECK (VALUE < 10);
ALTER TABLE ff_lease_event ADD COLUMN n integer GENERATED ALWAYS AS IDENTITY, ADD COLUMN d pg_temp.small;
DELETE FROM ff_lease_event;
ALTER TABLE ff_lease_event ALTER COLUMN n RESTART WITH 100;
SELECT * FROM pg_temp.cycle(5);
SELECT event_type, n, d FROM ff_lease_event ORDER BY event_id;
ALTER TABLE ff_lease_event DROP COLUMN d;
SELECT * FROM pg_temp.cycle(6);
SELECT event_type, n FROM ff_lease_event WHERE worker_instance_id = 't-6' ORDER BY event_id;
ROLLBACK;

-- Constraints, and an index on an expression, unique and partial.
BEGIN;
ALTER TABLE ff_exec_core ADD CONSTRAINT short CHECK (octet_length(result) < 3) NOT VALID;
SELECT * FROM pg_temp.cycle(5);
ROLLBACK;
BEGIN;
ALTER TABLE ff_attempt ADD CONSTRAINT other CHECK (worker_instance_id <> 't-5');
SELECT * FROM pg_temp.cycle(5);
ROLLBACK;
BEGIN;
DELETE FROM ff_lease_event;
ALTER TABLE ff_lease_event ALTER COLUMN instance_tag SET NOT NULL;
SELECT * FROM pg_temp.cycle(5);
ROLLBACK;
BEGIN;
CREATE UNIQUE INDEX once ON ff_attempt (upper(worker_instance_id)) WHERE worker_instance_id LIKE 't-%';
SELECT * FROM pg_temp.cycle(5);
DELETE FROM ff_exec_core WHERE lane_id = 'tables';
DELETE FROM ff_attempt WHERE attempt_index = 0 AND partition_key = 7 AND worker_instance_id = 't-5';
INSERT INTO ff_attempt (partition_key, execution_id, attempt_index, worker_instance_id)
VALUES (7, '00000000-0000-0000-0078-000000000000', 0, 'T-6'), (7, '00000000-0000-0000-0078-000000000000', 1, 't-6');
SELECT * FROM pg_temp.cycle(6);
ROLLBACK;

-- Indexes that are more than a btree, or checked later.
BEGIN;
CREATE INDEX ON ff_exec_core USING gin (raw_fields);
CREATE INDEX ON ff_attempt USING hash (worker_instance_id);
ALTER TABLE ff_lease_event ADD UNIQUE (event_id, event_type) DEFERRABLE INITIALLY DEFERRED;
SELECT * FROM pg_temp.cycle(5);
SET LOCAL enable_seqscan = off;
SELECT outcome FROM ff_attempt WHERE worker_instance_id = 't-5';
ROLLBACK;

-- Triggers: each kind is called for each write.
BEGIN;
CREATE TEMP TABLE seen (n serial, what text);
CREATE FUNCTION pg_temp.see() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO seen (what) VALUES (concat_ws(' ', TG_WHEN, TG_OP, TG_LEVEL, TG_TABLE_NAME));
  RETURN NEW;
END $$;
CREATE TRIGGER t1 BEFORE INSERT ON ff_lease_event FOR EACH ROW EXECUTE FUNCTION pg_temp.see();
CREATE TRIGGER t2 AFTER INSERT ON ff_completion_event FOR EACH ROW EXECUTE FUNCTION pg_temp.see();
CREATE TRIGGER t3 AFTER INSERT ON ff_attempt FOR EACH STATEMENT EXECUTE FUNCTION pg_temp.see();
CREATE TRIGGER t4 BEFORE UPDATE ON ff_attempt FOR EACH ROW EXECUTE FUNCTION pg_temp.see();
CREATE TRIGGER t5 AFTER UPDATE OF lifecycle_phase ON ff_exec_core FOR EACH ROW EXECUTE FUNCTION pg_temp.see();
SELECT * FROM pg_temp.cycle(5);
SELECT what FROM seen ORDER BY n;
ROLLBACK;

-- A row that a trigger changes while a claim goes through them is left to the next claim.
BEGIN;
SELECT execution_id FROM ff_create_execution('tables', execution_id => '{fp:7}:00000000-0000-0000-0077-000000000009');
SELECT execution_id FROM ff_create_execution('tables', execution_id => '{fp:7}:00000000-0000-0000-0077-000000000010');
CREATE FUNCTION pg_temp.touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE public.ff_exec_core SET retry_count = retry_count + 1
   WHERE lane_id = 'tables' AND ownership_state = 'unowned' AND lifecycle_phase = 'runnable';
  RETURN NEW;
END $$;
CREATE TRIGGER touch AFTER UPDATE ON ff_exec_core FOR EACH ROW WHEN (NEW.ownership_state = 'leased')
  EXECUTE FUNCTION pg_temp.touch();
SELECT execution_id FROM ff_claim('tables', 'w', 't-9', max_claims => 2);
SELECT execution_id FROM ff_claim('tables', 'w', 't-9', max_claims => 2);
ROLLBACK;

-- A trigger may change a row, or keep it out, and a rule may have it go elsewhere.
BEGIN;
CREATE FUNCTION pg_temp.change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.reason := 'changed';
  RETURN CASE WHEN NEW.event_type = 'revoked' THEN NULL ELSE NEW END;
END $$;
CREATE TRIGGER change BEFORE INSERT ON ff_lease_event FOR EACH ROW EXECUTE FUNCTION pg_temp.change();
SELECT * FROM pg_temp.cycle(5);
SELECT reason, xact_id = pg_current_xact_id() AS stamped FROM ff_lease_event WHERE worker_instance_id = 't-5';
CREATE RULE nowhere AS ON INSERT TO ff_completion_event DO INSTEAD NOTHING;
SELECT * FROM pg_temp.cycle(6);
ROLLBACK;

-- Without its own trigger an outbox takes no row that comes without the stamps, as one put in by hand.
BEGIN;
ALTER TABLE ff_lease_event DISABLE TRIGGER ff_lease_event_notify_trg;
SELECT * FROM pg_temp.cycle(5);
SELECT event_type, xact_id = pg_current_xact_id() AS stamped, recorded_at_ms FROM ff_lease_event WHERE worker_instance_id = 't-5';
INSERT INTO ff_lease_event (partition_key, execution_id, event_type, occurred_at_ms) VALUES (7, 'x', 'acquired', 1);
ROLLBACK;

-- A read-only transaction writes nothing.
SELECT execution_id FROM ff_create_execution('tables', execution_id => '{fp:7}:00000000-0000-0000-0077-000000000007');
BEGIN READ ONLY;
SELECT * FROM ff_claim('tables', 'w', 'w-7');
ROLLBACK;

-- The tables as they were.
SELECT claim_kind FROM ff_claim('tables', 'w', 'w-7');
SELECT * FROM pg_temp.cycle(8);
