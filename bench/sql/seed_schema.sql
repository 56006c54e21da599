-- The tables of the client library (the "seed") that ffengine is measured against, in the first schema
-- of the search_path. Columns as its statements name them; states are free text, as there. Left out:
-- the 256-way hash partitioning, and columns and tables that neither cycle reads or writes.
--
-- `tuned` 0 is the seed as it is: its index for the claim does not hold the claim order, so a claim
-- sorts the lane's whole backlog. `tuned` 1 gives it an index in claim order in that one's place.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
SELECT current_setting('search_path') AS schema \gset
DROP SCHEMA IF EXISTS :schema CASCADE;
CREATE SCHEMA :schema;

CREATE TABLE ff_waitpoint_hmac (
	kid text PRIMARY KEY,
	secret bytea NOT NULL,
	rotated_at_ms bigint NOT NULL,
	active boolean NOT NULL DEFAULT true
);
INSERT INTO ff_waitpoint_hmac VALUES ('bench-1', decode(repeat('ab', 32), 'hex'), 1);

CREATE TABLE ff_exec_core (
	partition_key smallint NOT NULL,
	execution_id uuid NOT NULL,
	flow_id uuid,
	lane_id text NOT NULL,
	required_capabilities text[] NOT NULL DEFAULT '{}',
	attempt_index integer NOT NULL DEFAULT 0,
	lifecycle_phase text NOT NULL,
	ownership_state text NOT NULL,
	eligibility_state text NOT NULL,
	public_state text NOT NULL,
	attempt_state text NOT NULL,
	blocking_reason text,
	cancellation_reason text,
	cancelled_by text,
	priority integer NOT NULL DEFAULT 0,
	created_at_ms bigint NOT NULL,
	started_at_ms bigint,
	terminal_at_ms bigint,
	deadline_at_ms bigint,
	payload bytea,
	result bytea,
	policy jsonb,
	raw_fields jsonb NOT NULL DEFAULT '{}',
	PRIMARY KEY (partition_key, execution_id)
);
\if :tuned
CREATE INDEX ff_exec_core_claim_idx ON ff_exec_core (partition_key, lane_id, priority DESC, created_at_ms)
	WHERE lifecycle_phase = 'runnable' AND eligibility_state = 'eligible_now' AND public_state = 'waiting';
\else
CREATE INDEX ff_exec_core_lane_phase_idx ON ff_exec_core (partition_key, lane_id, lifecycle_phase);
\endif
CREATE INDEX ff_exec_core_caps_idx ON ff_exec_core USING gin (required_capabilities);
CREATE INDEX ff_exec_core_flow_idx ON ff_exec_core (partition_key, flow_id)
	WHERE flow_id IS NOT NULL;
CREATE INDEX ff_exec_core_deadline_idx ON ff_exec_core (partition_key, deadline_at_ms)
	WHERE deadline_at_ms IS NOT NULL;

CREATE TABLE ff_attempt (
	partition_key smallint NOT NULL,
	execution_id uuid NOT NULL,
	attempt_index integer NOT NULL,
	worker_id text,
	worker_instance_id text,
	lease_epoch bigint NOT NULL DEFAULT 0,
	lease_expires_at_ms bigint,
	started_at_ms bigint,
	terminal_at_ms bigint,
	outcome text,
	usage jsonb,
	policy jsonb,
	raw_fields jsonb NOT NULL DEFAULT '{}',
	PRIMARY KEY (partition_key, execution_id, attempt_index)
);
CREATE INDEX ff_attempt_lease_expiry_idx ON ff_attempt (partition_key, lease_expires_at_ms)
	WHERE lease_expires_at_ms IS NOT NULL;
CREATE INDEX ff_attempt_worker_idx ON ff_attempt (partition_key, worker_id)
	WHERE worker_id IS NOT NULL;

CREATE TABLE ff_suspension_current (
	partition_key smallint NOT NULL,
	execution_id uuid NOT NULL,
	suspension_id uuid NOT NULL,
	suspended_at_ms bigint NOT NULL,
	timeout_at_ms bigint,
	timeout_behavior text,
	reason_code text,
	condition jsonb NOT NULL,
	satisfied_set jsonb NOT NULL DEFAULT '[]',
	member_map jsonb NOT NULL DEFAULT '{}',
	PRIMARY KEY (partition_key, execution_id)
);
CREATE INDEX ff_suspension_current_suspended_at_idx
	ON ff_suspension_current (partition_key, suspended_at_ms);
CREATE INDEX ff_suspension_current_timeout_idx
	ON ff_suspension_current (partition_key, timeout_at_ms) WHERE timeout_at_ms IS NOT NULL;

CREATE TABLE ff_waitpoint_pending (
	partition_key smallint NOT NULL,
	waitpoint_id uuid NOT NULL,
	execution_id uuid NOT NULL,
	token_kid text NOT NULL,
	token text NOT NULL,
	created_at_ms bigint NOT NULL,
	expires_at_ms bigint,
	condition jsonb,
	waitpoint_key text NOT NULL DEFAULT '',
	state text NOT NULL DEFAULT 'pending',
	required_signal_names text[] NOT NULL DEFAULT '{}',
	activated_at_ms bigint,
	PRIMARY KEY (partition_key, waitpoint_id)
);
CREATE INDEX ff_waitpoint_pending_exec_idx ON ff_waitpoint_pending (partition_key, execution_id);
CREATE INDEX ff_waitpoint_pending_expires_idx
	ON ff_waitpoint_pending (partition_key, expires_at_ms) WHERE expires_at_ms IS NOT NULL;

CREATE TABLE ff_completion_event (
	event_id bigint GENERATED ALWAYS AS IDENTITY,
	partition_key smallint NOT NULL,
	execution_id uuid NOT NULL,
	flow_id uuid,
	outcome text NOT NULL,
	namespace text,
	instance_tag text,
	occurred_at_ms bigint NOT NULL,
	committed_at_ms bigint NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000)::bigint,
	dispatched_at_ms bigint,
	PRIMARY KEY (partition_key, event_id)
);
CREATE INDEX ff_completion_event_event_id_idx ON ff_completion_event (event_id);
CREATE INDEX ff_completion_event_pending_idx ON ff_completion_event (partition_key, event_id)
	WHERE dispatched_at_ms IS NULL;

CREATE TABLE ff_lease_event (
	event_id bigserial PRIMARY KEY,
	execution_id text NOT NULL,
	lease_id text,
	event_type text NOT NULL,
	occurred_at_ms bigint NOT NULL,
	partition_key integer NOT NULL,
	namespace text,
	instance_tag text
);
CREATE INDEX ff_lease_event_partition_idx ON ff_lease_event (partition_key, event_id);
CREATE INDEX ff_lease_event_namespace_idx ON ff_lease_event (partition_key, namespace)
	WHERE namespace IS NOT NULL;
CREATE INDEX ff_lease_event_tag_idx ON ff_lease_event (partition_key, instance_tag)
	WHERE instance_tag IS NOT NULL;

CREATE TABLE ff_signal_event (
	event_id bigserial PRIMARY KEY,
	execution_id text NOT NULL,
	signal_id text NOT NULL,
	waitpoint_id text,
	source_identity text,
	delivered_at_ms bigint NOT NULL,
	partition_key integer NOT NULL,
	namespace text,
	instance_tag text
);
CREATE INDEX ff_signal_event_partition_idx ON ff_signal_event (partition_key, event_id);
CREATE INDEX ff_signal_event_namespace_idx ON ff_signal_event (partition_key, namespace)
	WHERE namespace IS NOT NULL;
CREATE INDEX ff_signal_event_tag_idx ON ff_signal_event (partition_key, instance_tag)
	WHERE instance_tag IS NOT NULL;

-- The seed wakes its subscribers from a row trigger of each outbox: channel given, payload the event id.
CREATE FUNCTION notify_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_notify(TG_ARGV[0], NEW.event_id::text);
	RETURN NEW;
END $$;
CREATE TRIGGER notify_trg AFTER INSERT ON ff_completion_event
	FOR EACH ROW EXECUTE FUNCTION notify_event('ff_completion');
CREATE TRIGGER notify_trg AFTER INSERT ON ff_lease_event
	FOR EACH ROW EXECUTE FUNCTION notify_event('ff_lease_event');
CREATE TRIGGER notify_trg AFTER INSERT ON ff_signal_event
	FOR EACH ROW EXECUTE FUNCTION notify_event('ff_signal_event');
