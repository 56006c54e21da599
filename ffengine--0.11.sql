\echo Use "CREATE EXTENSION ffengine" to load this file. \quit

-- Names below resolve in pg_catalog, then in the extension's own schema, and nowhere else: not
-- in the schema of pgcrypto, which CREATE EXTENSION puts on the path too. A jsonb key is written
-- 'key'::text, and a polymorphic function with its schema, so that what is chosen is the one of
-- pg_catalog whatever else the extension's schema holds.
SET LOCAL search_path TO @extschema@, pg_temp;

------------------------------------------------------------------------------------------------
-- Types
------------------------------------------------------------------------------------------------

CREATE TYPE ff_lifecycle_phase AS ENUM (
  'submitted', 'runnable', 'active', 'suspended', 'terminal', 'cancelled');

CREATE TYPE ff_ownership_state AS ENUM (
  'unowned', 'leased', 'released', 'lease_expired_reclaimable', 'lease_revoked');

CREATE TYPE ff_eligibility_state AS ENUM (
  'eligible_now', 'pending_claim', 'not_eligible_until_time', 'blocked_by_dependencies',
  'blocked_by_budget', 'blocked_by_quota', 'blocked_by_route', 'blocked_by_lane_state',
  'blocked_by_operator', 'not_applicable');

CREATE TYPE ff_blocking_reason AS ENUM (
  'waiting_for_worker', 'waiting_for_retry_backoff', 'waiting_for_resume_delay',
  'waiting_for_delay', 'waiting_for_signal', 'waiting_for_approval', 'waiting_for_callback',
  'waiting_for_tool_result', 'waiting_for_children', 'waiting_for_budget', 'waiting_for_quota',
  'waiting_for_capable_worker', 'waiting_for_locality_match', 'paused_by_operator',
  'paused_by_policy', 'paused_by_flow_cancel', 'waiting_for_operator_review');

CREATE TYPE ff_attempt_state AS ENUM (
  'none', 'pending_first_attempt', 'running_attempt', 'attempt_interrupted',
  'pending_retry_attempt', 'pending_replay_attempt', 'attempt_terminal');

CREATE TYPE ff_public_state AS ENUM (
  'waiting', 'delayed', 'rate_limited', 'waiting_children', 'running', 'suspended', 'resumable',
  'completed', 'failed', 'cancelled', 'expired', 'skipped');

CREATE TYPE ff_attempt_outcome AS ENUM (
  'success', 'failed', 'retry', 'cancelled', 'expired', 'skipped', 'attempt_interrupted',
  'interrupted', 'waiting_children', 'interrupted_reclaimed', 'lease_expired_reclaimable');

CREATE TYPE ff_lane_state AS ENUM (
  'active', 'paused', 'draining', 'disabled');

CREATE TYPE ff_claimed AS (
  execution_id        text,
  handle              bytea,
  claim_kind          text,
  attempt_index       integer,
  attempt_id          uuid,
  lease_id            uuid,
  lease_epoch         bigint,
  lease_expires_at    timestamptz,
  lane_id             text,
  flow_id             uuid,
  execution_kind      text,
  payload             bytea,
  payload_encoding    text,
  tags                jsonb,
  priority            integer,
  attempt_deadline_at timestamptz,
  deadline_at         timestamptz,
  created_at          timestamptz);

------------------------------------------------------------------------------------------------
-- Functions that tables depend on
------------------------------------------------------------------------------------------------

CREATE FUNCTION ff_caps_hash(required_capabilities text[]) RETURNS bigint
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'ff_caps_hash';

CREATE FUNCTION ff_outbox_trigger() RETURNS trigger
  LANGUAGE c
  AS 'MODULE_PATHNAME', 'ff_outbox_trigger';

------------------------------------------------------------------------------------------------
-- Tables
--
-- partition_key (0-255) comes first in every key of an execution, flow, budget or quota: it is
-- the routing key of a distributed deployment, nothing scans by it. A column that ends in _ms
-- holds Unix milliseconds, or a duration in milliseconds. There are no foreign keys, since the
-- rows of one execution or flow are removed together; only the outboxes have a trigger.
--
-- Text that is part of a key or an index is COLLATE "C": ids sort by bytes, as every list of the
-- engine does, and an update of the system's locale data cannot damage an index.
--
-- Rows that change often have room on their page (fillfactor) for heap-only updates, and tables
-- whose index entries go stale fast are vacuumed at 2% dead rows.
------------------------------------------------------------------------------------------------

-- Executions and attempts

CREATE TABLE ff_exec_core (
  partition_key         smallint             NOT NULL CHECK (partition_key BETWEEN 0 AND 255),
  execution_id          uuid                 NOT NULL,
  flow_id               uuid,
  lane_id               text COLLATE "C"     NOT NULL,
  required_capabilities text[]               NOT NULL DEFAULT '{}',
  attempt_index         integer              NOT NULL DEFAULT 0 CHECK (attempt_index >= 0),
  lifecycle_phase       ff_lifecycle_phase   NOT NULL,
  ownership_state       ff_ownership_state   NOT NULL,
  eligibility_state     ff_eligibility_state NOT NULL,
  public_state          ff_public_state      NOT NULL,
  attempt_state         ff_attempt_state     NOT NULL,
  blocking_reason       ff_blocking_reason,
  terminal_outcome      ff_attempt_outcome
    CHECK (terminal_outcome IN ('success', 'failed', 'cancelled', 'expired', 'skipped')),
  eligible_at_ms        bigint,
  deadline_at_ms        bigint,
  priority              integer              NOT NULL DEFAULT 0,
  created_at_ms         bigint               NOT NULL,
  started_at_ms         bigint,
  terminal_at_ms        bigint,
  last_mutation_at_ms   bigint,
  payload               bytea,
  result                bytea,
  policy                jsonb,
  cancellation_reason   text,
  cancelled_by          text,
  lease_reclaim_count   integer              NOT NULL DEFAULT 0,
  retry_count           integer              NOT NULL DEFAULT 0,
  budget_ids            uuid[]               NOT NULL DEFAULT '{}',
  quota_policy_id       uuid,
  blocked_on            uuid,
  raw_fields            jsonb                NOT NULL DEFAULT '{}',
  namespace             text COLLATE "C"
    GENERATED ALWAYS AS (raw_fields ->> 'namespace'::text) STORED,
  caps_hash             bigint
    GENERATED ALWAYS AS (ff_caps_hash(required_capabilities)) STORED,
  PRIMARY KEY (partition_key, execution_id)
) WITH (fillfactor = 80,
        autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02,
        -- else a vacuum of few dead rows leaves their entries at the head of the claim order
        vacuum_index_cleanup = on);

CREATE TABLE ff_attempt (
  partition_key        smallint NOT NULL,
  execution_id         uuid     NOT NULL,
  attempt_index        integer  NOT NULL,
  worker_id            text,
  worker_instance_id   text,
  attempt_id           uuid,
  lease_id             uuid,
  lease_epoch          bigint   NOT NULL DEFAULT 0,
  lease_expires_at_ms  bigint,
  lease_check_at_ms    bigint            DEFAULT 0,
  lease_acquired_at_ms bigint,
  lease_renewed_at_ms  bigint,
  lease_lost_at_ms     bigint,
  attempt_type         text     NOT NULL DEFAULT 'initial'
    CHECK (attempt_type IN ('initial', 'retry', 'reclaim', 'replay', 'fallback')),
  started_at_ms        bigint,
  terminal_at_ms       bigint,
  suspended_at_ms      bigint,
  outcome              ff_attempt_outcome,
  timeout_at_ms        bigint,
  timeout_left_ms      bigint,
  failure_reason       text,
  failure_category     text,
  failure_detail       bytea,
  usage                jsonb,
  policy               jsonb,
  raw_fields           jsonb    NOT NULL DEFAULT '{}',
  PRIMARY KEY (partition_key, execution_id, attempt_index)
) WITH (fillfactor = 80,
        autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

CREATE TABLE ff_claim_grant (
  partition_key       smallint         NOT NULL,
  grant_id            bytea            NOT NULL,
  execution_id        uuid             NOT NULL,
  kind                text             NOT NULL CHECK (kind IN ('claim', 'reclaim')),
  worker_id           text             NOT NULL,
  worker_instance_id  text             NOT NULL,
  lane_id             text COLLATE "C",
  capability_hash     text,
  worker_capabilities jsonb            NOT NULL DEFAULT '[]',
  route_snapshot_json text,
  admission_summary   text,
  grant_ttl_ms        bigint           NOT NULL,
  issued_at_ms        bigint           NOT NULL,
  expires_at_ms       bigint           NOT NULL,
  PRIMARY KEY (partition_key, grant_id)
);

-- Suspension and signals

CREATE TABLE ff_suspension_current (
  partition_key                 smallint NOT NULL,
  execution_id                  uuid     NOT NULL,
  suspension_id                 uuid     NOT NULL,
  suspended_at_ms               bigint   NOT NULL,
  timeout_at_ms                 bigint,
  timeout_behavior              text
    CHECK (timeout_behavior IN ('fail', 'cancel', 'expire', 'auto_resume_with_timeout_signal',
                                'escalate')),
  reason_code                   text,
  condition                     jsonb    NOT NULL,
  satisfied_set                 jsonb    NOT NULL DEFAULT '[]',
  member_map                    jsonb    NOT NULL DEFAULT '{}',
  attempt_index                 integer,
  lease_epoch                   bigint,
  requested_by                  text,
  resume_policy                 jsonb,
  continuation_metadata_pointer text,
  waitpoint_ids                 uuid[],
  escalated_at_ms               bigint,
  closed_at_ms                  bigint,
  satisfied_at_ms               bigint,
  closer_signal_id              uuid,
  close_reason                  text,
  PRIMARY KEY (partition_key, execution_id)
) WITH (fillfactor = 70,
        autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

CREATE TABLE ff_suspension_history (
  LIKE ff_suspension_current INCLUDING DEFAULTS INCLUDING CONSTRAINTS,
  PRIMARY KEY (partition_key, execution_id, suspension_id)
);
ALTER TABLE ff_suspension_history
  ALTER COLUMN closed_at_ms SET NOT NULL,
  ALTER COLUMN close_reason SET NOT NULL;

CREATE TABLE ff_waitpoint_pending (
  partition_key         smallint         NOT NULL,
  waitpoint_id          uuid             NOT NULL,
  execution_id          uuid             NOT NULL,
  token_kid             text COLLATE "C" NOT NULL,
  token                 text             NOT NULL,
  created_at_ms         bigint           NOT NULL,
  expires_at_ms         bigint,
  condition             jsonb,
  waitpoint_key         text COLLATE "C" NOT NULL DEFAULT '',
  state                 text             NOT NULL DEFAULT 'pending'
    CHECK (state IN ('pending', 'active', 'closed', 'expired')),
  required_signal_names text[]           NOT NULL DEFAULT '{}',
  activated_at_ms       bigint,
  suspension_id         uuid,
  attempt_index         integer,
  satisfied_at_ms       bigint,
  closed_at_ms          bigint,
  close_reason          text,
  signal_count          integer          NOT NULL DEFAULT 0,
  matched_signal_count  integer          NOT NULL DEFAULT 0,
  last_signal_at_ms     bigint,
  trimmed_through_seq   bigint           NOT NULL DEFAULT 0,
  PRIMARY KEY (partition_key, waitpoint_id)
) WITH (fillfactor = 70,
        autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

CREATE TABLE ff_signal (
  partition_key    smallint NOT NULL,
  waitpoint_id     uuid     NOT NULL,
  seq              bigint   NOT NULL,
  signal_id        uuid     NOT NULL,
  execution_id     uuid     NOT NULL,
  suspension_id    uuid,
  signal_name      text     NOT NULL,
  signal_category  text     NOT NULL,
  source_type      text     NOT NULL,
  source_identity  text     NOT NULL,
  correlation_id   text,
  idempotency_key  text,
  target_scope     text     NOT NULL,
  payload          bytea,
  payload_encoding text     NOT NULL,
  created_at_ms    bigint   NOT NULL,
  accepted_at_ms   bigint   NOT NULL,
  effect           text     NOT NULL,
  match_result     text     NOT NULL,
  consumed_at_ms   bigint,
  PRIMARY KEY (partition_key, waitpoint_id, seq)
);

CREATE TABLE ff_signal_counter (
  partition_key smallint NOT NULL,
  execution_id  uuid     NOT NULL,
  accepted      bigint   NOT NULL,
  PRIMARY KEY (partition_key, execution_id)
) WITH (fillfactor = 70,
        autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

CREATE TABLE ff_signal_satisfier (
  partition_key smallint         NOT NULL,
  suspension_id uuid             NOT NULL,
  node_path     text COLLATE "C" NOT NULL,
  token         text COLLATE "C" NOT NULL,
  signal_id     uuid             NOT NULL,
  execution_id  uuid             NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
  -- a caller may give one suspension_id to two executions
  PRIMARY KEY (partition_key, execution_id, suspension_id, node_path, token)
);

CREATE TABLE ff_signal_dedup (
  partition_key   smallint         NOT NULL,
  waitpoint_id    uuid             NOT NULL,
  idempotency_key text COLLATE "C" NOT NULL,
  signal_id       uuid             NOT NULL,
  expires_at_ms   bigint           NOT NULL,
  PRIMARY KEY (partition_key, waitpoint_id, idempotency_key)
);

-- The default of expires_at_ms is the last instant the engine knows: such a row goes with its
-- execution.
CREATE TABLE ff_suspend_dedup (
  partition_key   smallint         NOT NULL,
  execution_id    uuid             NOT NULL,
  idempotency_key text COLLATE "C" NOT NULL,
  outcome_json    jsonb            NOT NULL,
  created_at_ms   bigint           NOT NULL,
  expires_at_ms   bigint           NOT NULL DEFAULT 253402300799999,
  PRIMARY KEY (partition_key, execution_id, idempotency_key)
);

CREATE TABLE ff_waitpoint_hmac (
  kid           text COLLATE "C" NOT NULL,
  secret        bytea            NOT NULL,
  rotated_at_ms bigint           NOT NULL,
  active        boolean          NOT NULL DEFAULT true,
  expires_at_ms bigint,
  PRIMARY KEY (kid),
  CHECK (NOT (active AND expires_at_ms IS NOT NULL))
);

-- Flows

CREATE TABLE ff_flow_core (
  partition_key     smallint NOT NULL,
  flow_id           uuid     NOT NULL,
  graph_revision    bigint   NOT NULL DEFAULT 0,
  public_flow_state text     NOT NULL,
  created_at_ms     bigint   NOT NULL,
  terminal_at_ms    bigint,
  raw_fields        jsonb    NOT NULL DEFAULT '{}',
  PRIMARY KEY (partition_key, flow_id)
);

CREATE TABLE ff_edge (
  partition_key    smallint NOT NULL,
  flow_id          uuid     NOT NULL,
  edge_id          uuid     NOT NULL,
  upstream_eid     uuid     NOT NULL,
  downstream_eid   uuid     NOT NULL,
  policy           jsonb    NOT NULL,
  policy_version   integer  NOT NULL DEFAULT 0,
  edge_state       text     NOT NULL DEFAULT 'applied'
    CHECK (edge_state IN ('pending', 'applied', 'satisfied', 'impossible')),
  data_passing_ref text,
  resolved_outcome text,
  staged_at_ms     bigint,
  applied_at_ms    bigint,
  waiting_since_ms bigint,
  resolved_at_ms   bigint,
  PRIMARY KEY (partition_key, flow_id, edge_id)
);

CREATE TABLE ff_edge_group (
  partition_key                   smallint NOT NULL,
  flow_id                         uuid     NOT NULL,
  downstream_eid                  uuid     NOT NULL,
  policy                          jsonb    NOT NULL,
  k_target                        integer  NOT NULL DEFAULT 0,
  success_count                   integer  NOT NULL DEFAULT 0,
  fail_count                      integer  NOT NULL DEFAULT 0,
  skip_count                      integer  NOT NULL DEFAULT 0,
  running_count                   integer  NOT NULL DEFAULT 0,
  cancel_siblings_pending_flag    boolean  NOT NULL DEFAULT false,
  cancel_siblings_pending_members text[]   NOT NULL DEFAULT '{}',
  total_count                     integer,
  staged_count                    integer  NOT NULL DEFAULT 0,
  group_state                     text     NOT NULL DEFAULT 'pending'
    CHECK (group_state IN ('pending', 'satisfied', 'impossible')),
  cancel_siblings_reason          text,
  satisfied_at_ms                 bigint,
  PRIMARY KEY (partition_key, flow_id, downstream_eid)
);

CREATE TABLE ff_pending_cancel_groups (
  partition_key  smallint NOT NULL,
  flow_id        uuid     NOT NULL,
  downstream_eid uuid     NOT NULL,
  enqueued_at_ms bigint   NOT NULL,
  PRIMARY KEY (partition_key, flow_id, downstream_eid)
);

CREATE TABLE ff_cancel_dispatch_outbox (
  partition_key  smallint NOT NULL,
  flow_id        uuid     NOT NULL,
  downstream_eid uuid     NOT NULL,
  target_exec_id uuid     NOT NULL,
  reason         text     NOT NULL,
  enqueued_at_ms bigint   NOT NULL,
  PRIMARY KEY (partition_key, flow_id, downstream_eid, target_exec_id)
);

CREATE TABLE ff_cancel_backlog (
  partition_key       smallint NOT NULL,
  flow_id             uuid     NOT NULL,
  requested_at_ms     bigint   NOT NULL,
  requester           text     NOT NULL DEFAULT '',
  reason              text     NOT NULL DEFAULT '',
  grace_until_ms      bigint,
  cancellation_policy text     NOT NULL,
  status              text     NOT NULL DEFAULT 'pending',
  PRIMARY KEY (partition_key, flow_id)
);

CREATE TABLE ff_cancel_backlog_member (
  partition_key smallint         NOT NULL,
  flow_id       uuid             NOT NULL,
  execution_id  text COLLATE "C" NOT NULL,
  PRIMARY KEY (partition_key, flow_id, execution_id)
);

CREATE TABLE ff_flow_summary (
  partition_key            smallint NOT NULL,
  flow_id                  uuid     NOT NULL,
  total_members            bigint   NOT NULL DEFAULT 0,
  sampled_members          integer  NOT NULL DEFAULT 0,
  members_completed        integer  NOT NULL DEFAULT 0,
  members_failed           integer  NOT NULL DEFAULT 0,
  members_cancelled        integer  NOT NULL DEFAULT 0,
  members_expired          integer  NOT NULL DEFAULT 0,
  members_skipped          integer  NOT NULL DEFAULT 0,
  members_active           integer  NOT NULL DEFAULT 0,
  members_suspended        integer  NOT NULL DEFAULT 0,
  members_waiting          integer  NOT NULL DEFAULT 0,
  members_delayed          integer  NOT NULL DEFAULT 0,
  members_rate_limited     integer  NOT NULL DEFAULT 0,
  members_waiting_children integer  NOT NULL DEFAULT 0,
  public_flow_state        text     NOT NULL
    CHECK (public_flow_state IN ('open', 'running', 'blocked', 'completed', 'failed')),
  last_summary_update_at   bigint   NOT NULL,
  settled                  boolean  NOT NULL DEFAULT false,
  graph_revision           bigint,
  PRIMARY KEY (partition_key, flow_id)
);

-- Budgets and quotas

CREATE TABLE ff_budget_policy (
  partition_key     smallint NOT NULL,
  budget_id         uuid     NOT NULL,
  policy_json       jsonb    NOT NULL,
  scope_type        text     NOT NULL DEFAULT '',
  scope_id          text     NOT NULL DEFAULT '',
  enforcement_mode  text     NOT NULL DEFAULT '',
  breach_count      bigint   NOT NULL DEFAULT 0,
  soft_breach_count bigint   NOT NULL DEFAULT 0,
  last_breach_at_ms bigint,
  last_breach_dim   text,
  next_reset_at_ms  bigint,
  created_at_ms     bigint   NOT NULL,
  updated_at_ms     bigint   NOT NULL,
  defined           boolean  NOT NULL DEFAULT true,
  reset_count       bigint   NOT NULL DEFAULT 0,
  last_reset_at_ms  bigint,
  PRIMARY KEY (partition_key, budget_id)
) WITH (fillfactor = 50,
        autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

CREATE TABLE ff_budget_usage (
  partition_key    smallint         NOT NULL,
  budget_id        uuid             NOT NULL,
  dimensions_key   text COLLATE "C" NOT NULL,
  current_value    bigint           NOT NULL DEFAULT 0 CHECK (current_value >= 0),
  last_reset_at_ms bigint,
  updated_at_ms    bigint           NOT NULL,
  PRIMARY KEY (partition_key, budget_id, dimensions_key)
) WITH (fillfactor = 50,
        autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

CREATE TABLE ff_budget_usage_by_exec (
  partition_key  smallint         NOT NULL,
  budget_id      uuid             NOT NULL,
  execution_id   uuid             NOT NULL,
  dimensions_key text COLLATE "C" NOT NULL,
  delta_total    bigint           NOT NULL DEFAULT 0,
  updated_at_ms  bigint           NOT NULL,
  reset_count    bigint           NOT NULL DEFAULT 0,
  PRIMARY KEY (partition_key, budget_id, execution_id, dimensions_key)
) WITH (fillfactor = 50,
        autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

CREATE TABLE ff_budget_usage_dedup (
  partition_key smallint         NOT NULL,
  budget_id     uuid             NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
  dedup_key     text COLLATE "C" NOT NULL,
  outcome_json  jsonb            NOT NULL,
  applied_at_ms bigint           NOT NULL,
  expires_at_ms bigint           NOT NULL,
  PRIMARY KEY (partition_key, budget_id, dedup_key)
);

CREATE TABLE ff_quota_policy (
  partition_key               smallint NOT NULL,
  quota_policy_id             uuid     NOT NULL,
  requests_per_window_seconds bigint   NOT NULL CHECK (requests_per_window_seconds >= 0),
  max_requests_per_window     bigint   NOT NULL CHECK (max_requests_per_window >= 0),
  active_concurrency_cap      bigint   NOT NULL CHECK (active_concurrency_cap >= 0),
  active_concurrency          bigint   NOT NULL DEFAULT 0 CHECK (active_concurrency >= 0),
  created_at_ms               bigint   NOT NULL,
  updated_at_ms               bigint   NOT NULL,
  jitter_ms                   bigint   NOT NULL DEFAULT 0,
  defined                     boolean  NOT NULL DEFAULT true,
  PRIMARY KEY (partition_key, quota_policy_id)
) WITH (fillfactor = 50,
        autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

CREATE TABLE ff_quota_window (
  partition_key   smallint         NOT NULL,
  quota_policy_id uuid             NOT NULL,
  dimension       text COLLATE "C" NOT NULL DEFAULT '',
  admitted_at_ms  bigint           NOT NULL,
  execution_id    text COLLATE "C" NOT NULL,
  PRIMARY KEY (partition_key, quota_policy_id, dimension, admitted_at_ms, execution_id)
);

CREATE TABLE ff_quota_window_count (
  partition_key   smallint         NOT NULL,
  quota_policy_id uuid             NOT NULL,
  dimension       text COLLATE "C" NOT NULL,
  row_count       bigint           NOT NULL,
  PRIMARY KEY (partition_key, quota_policy_id, dimension)
) WITH (fillfactor = 50,
        autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

CREATE TABLE ff_quota_admitted (
  partition_key   smallint         NOT NULL,
  quota_policy_id uuid             NOT NULL,
  execution_id    text COLLATE "C" NOT NULL,
  admitted_at_ms  bigint           NOT NULL,
  expires_at_ms   bigint           NOT NULL,
  dimension       text COLLATE "C" NOT NULL DEFAULT 'default',
  engine_held     boolean          NOT NULL DEFAULT false,
  PRIMARY KEY (partition_key, quota_policy_id, execution_id)
);

-- Streams

CREATE TABLE ff_stream_frame (
  partition_key smallint         NOT NULL,
  execution_id  uuid             NOT NULL,
  attempt_index integer          NOT NULL,
  ts_ms         bigint           NOT NULL,
  seq           integer          NOT NULL,
  fields        jsonb            NOT NULL,
  mode          text COLLATE "C" NOT NULL
    CHECK (mode IN ('durable', 'summary', 'best_effort')),
  created_at_ms bigint           NOT NULL,
  payload       bytea,
  PRIMARY KEY (partition_key, execution_id, attempt_index, ts_ms, seq)
);

CREATE TABLE ff_stream_summary (
  partition_key    smallint NOT NULL,
  execution_id     uuid     NOT NULL,
  attempt_index    integer  NOT NULL,
  document_json    jsonb    NOT NULL,
  version          integer  NOT NULL DEFAULT 0,
  patch_kind       text,
  last_updated_ms  bigint   NOT NULL,
  first_applied_ms bigint   NOT NULL,
  PRIMARY KEY (partition_key, execution_id, attempt_index)
);

CREATE TABLE ff_stream_meta (
  partition_key        smallint         NOT NULL,
  execution_id         uuid             NOT NULL,
  attempt_index        integer          NOT NULL,
  ema_rate_hz          double precision NOT NULL DEFAULT 0,
  last_append_ts_ms    bigint           NOT NULL DEFAULT 0,
  maxlen_applied_last  integer          NOT NULL DEFAULT 0,
  last_ts_ms           bigint,
  last_seq             integer,
  frame_count          bigint           NOT NULL DEFAULT 0,
  total_bytes          bigint           NOT NULL DEFAULT 0,
  retained_durable     integer          NOT NULL DEFAULT 0,
  retained_summary     integer          NOT NULL DEFAULT 0,
  retained_best_effort integer          NOT NULL DEFAULT 0,
  retention_maxlen     integer,
  retention_ttl_ms     bigint,
  has_durable_frame    boolean          NOT NULL DEFAULT false,
  created_at_ms        bigint,
  last_frame_at_ms     bigint,
  expires_at_ms        bigint,
  closed_at_ms         bigint,
  closed_reason        text,
  PRIMARY KEY (partition_key, execution_id, attempt_index)
) WITH (fillfactor = 50,
        autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

-- Outboxes. The trigger of each sets xact_id and fills recorded_at_ms (committed_at_ms of a
-- completion) where it was not given, before NOT NULL is checked. Its arguments: the NOTIFY
-- channel, and the outbox's name as a stream of events.

CREATE SEQUENCE ff_completion_event_event_id_seq;
CREATE TABLE ff_completion_event (
  event_id         bigint NOT NULL
    DEFAULT nextval('@extschema@.ff_completion_event_event_id_seq'::regclass),
  partition_key    smallint         NOT NULL,
  execution_id     uuid             NOT NULL,
  flow_id          uuid,
  outcome          text             NOT NULL
    CHECK (outcome IN ('success', 'failed', 'cancelled', 'expired', 'skipped', 'resumable')),
  namespace        text COLLATE "C",
  instance_tag     text COLLATE "C",
  occurred_at_ms   bigint           NOT NULL,
  committed_at_ms  bigint           NOT NULL,
  dispatched_at_ms bigint,
  attempt_index    integer,
  xact_id          xid8             NOT NULL,
  PRIMARY KEY (event_id)
);
ALTER SEQUENCE ff_completion_event_event_id_seq OWNED BY ff_completion_event.event_id;
CREATE TRIGGER ff_completion_event_notify_trg
  BEFORE INSERT ON ff_completion_event
  FOR EACH ROW EXECUTE FUNCTION ff_outbox_trigger('ff_completion', 'completion');

CREATE SEQUENCE ff_lease_event_event_id_seq;
CREATE TABLE ff_lease_event (
  event_id           bigint NOT NULL
    DEFAULT nextval('@extschema@.ff_lease_event_event_id_seq'::regclass),
  partition_key      integer          NOT NULL,
  execution_id       text COLLATE "C" NOT NULL,
  lease_id           text,
  event_type         text             NOT NULL
    CHECK (event_type IN ('acquired', 'renewed', 'expired', 'reclaimed', 'revoked')),
  occurred_at_ms     bigint           NOT NULL,
  namespace          text COLLATE "C",
  instance_tag       text COLLATE "C",
  reason             text,
  revoked_by         text,
  lease_epoch        bigint,
  attempt_index      integer,
  worker_instance_id text,
  xact_id            xid8             NOT NULL,
  recorded_at_ms     bigint           NOT NULL,
  PRIMARY KEY (event_id)
);
ALTER SEQUENCE ff_lease_event_event_id_seq OWNED BY ff_lease_event.event_id;
CREATE TRIGGER ff_lease_event_notify_trg
  BEFORE INSERT ON ff_lease_event
  FOR EACH ROW EXECUTE FUNCTION ff_outbox_trigger('ff_lease_event', 'lease_history');

CREATE SEQUENCE ff_signal_event_event_id_seq;
CREATE TABLE ff_signal_event (
  event_id        bigint NOT NULL
    DEFAULT nextval('@extschema@.ff_signal_event_event_id_seq'::regclass),
  partition_key   integer          NOT NULL,
  execution_id    text COLLATE "C" NOT NULL,
  signal_id       text             NOT NULL,
  waitpoint_id    text,
  source_identity text,
  delivered_at_ms bigint           NOT NULL,
  namespace       text COLLATE "C",
  instance_tag    text COLLATE "C",
  effect          text,
  xact_id         xid8             NOT NULL,
  recorded_at_ms  bigint           NOT NULL,
  PRIMARY KEY (event_id)
);
ALTER SEQUENCE ff_signal_event_event_id_seq OWNED BY ff_signal_event.event_id;
CREATE TRIGGER ff_signal_event_notify_trg
  BEFORE INSERT ON ff_signal_event
  FOR EACH ROW EXECUTE FUNCTION ff_outbox_trigger('ff_signal_event', 'signal_delivery');

CREATE SEQUENCE ff_operator_event_event_id_seq;
CREATE TABLE ff_operator_event (
  event_id       bigint NOT NULL
    DEFAULT nextval('@extschema@.ff_operator_event_event_id_seq'::regclass),
  partition_key  integer          NOT NULL,
  execution_id   text COLLATE "C" NOT NULL,
  event_type     text             NOT NULL
    CHECK (event_type IN ('priority_changed', 'replayed', 'flow_cancel_requested',
                          'execution_cancelled', 'lease_revoked')),
  details        jsonb,
  occurred_at_ms bigint           NOT NULL,
  namespace      text COLLATE "C",
  instance_tag   text COLLATE "C",
  xact_id        xid8             NOT NULL,
  recorded_at_ms bigint           NOT NULL,
  PRIMARY KEY (event_id)
);
ALTER SEQUENCE ff_operator_event_event_id_seq OWNED BY ff_operator_event.event_id;
CREATE TRIGGER ff_operator_event_notify_trg
  BEFORE INSERT ON ff_operator_event
  FOR EACH ROW EXECUTE FUNCTION ff_outbox_trigger('ff_operator_event', 'operator_events');

CREATE SEQUENCE ff_worker_registry_event_event_id_seq;
CREATE TABLE ff_worker_registry_event (
  event_id           bigint NOT NULL
    DEFAULT nextval('@extschema@.ff_worker_registry_event_event_id_seq'::regclass),
  partition_key      smallint         NOT NULL,
  namespace          text COLLATE "C" NOT NULL,
  worker_instance_id text             NOT NULL,
  event_kind         text             NOT NULL
    CHECK (event_kind IN ('registered', 'heartbeat', 'marked_dead', 'ttl_swept')),
  event_at_ms        bigint           NOT NULL,
  reason             text,
  instance_tag       text COLLATE "C",
  xact_id            xid8             NOT NULL,
  recorded_at_ms     bigint           NOT NULL,
  PRIMARY KEY (event_id)
);
ALTER SEQUENCE ff_worker_registry_event_event_id_seq OWNED BY ff_worker_registry_event.event_id;
CREATE TRIGGER ff_worker_registry_event_notify_trg
  BEFORE INSERT ON ff_worker_registry_event
  FOR EACH ROW EXECUTE FUNCTION ff_outbox_trigger('ff_worker_event', 'worker_registry');

CREATE SEQUENCE ff_instance_tag_event_event_id_seq;
CREATE TABLE ff_instance_tag_event (
  event_id       bigint NOT NULL
    DEFAULT nextval('@extschema@.ff_instance_tag_event_event_id_seq'::regclass),
  partition_key  integer          NOT NULL,
  execution_id   text COLLATE "C" NOT NULL,
  event_type     text             NOT NULL CHECK (event_type IN ('attached', 'cleared')),
  tag            text             NOT NULL,
  occurred_at_ms bigint           NOT NULL,
  namespace      text COLLATE "C",
  instance_tag   text COLLATE "C",
  xact_id        xid8             NOT NULL,
  recorded_at_ms bigint           NOT NULL,
  PRIMARY KEY (event_id)
);
ALTER SEQUENCE ff_instance_tag_event_event_id_seq OWNED BY ff_instance_tag_event.event_id;
CREATE TRIGGER ff_instance_tag_event_notify_trg
  BEFORE INSERT ON ff_instance_tag_event
  FOR EACH ROW EXECUTE FUNCTION ff_outbox_trigger('ff_instance_tag', 'instance_tags');

-- Registries and bookkeeping

CREATE TABLE ff_lane_registry (
  lane_id             text COLLATE "C" NOT NULL,
  registered_at_ms    bigint           NOT NULL,
  registered_by       text             NOT NULL,
  state               ff_lane_state    NOT NULL DEFAULT 'active',
  state_changed_at_ms bigint,
  state_reason        text,
  PRIMARY KEY (lane_id)
);

CREATE TABLE ff_execution_dedup (
  namespace       text COLLATE "C" NOT NULL,
  idempotency_key text COLLATE "C" NOT NULL,
  partition_key   smallint         NOT NULL,
  execution_id    uuid             NOT NULL,
  created_at_ms   bigint           NOT NULL,
  expires_at_ms   bigint           NOT NULL,
  PRIMARY KEY (namespace, idempotency_key)
);

CREATE TABLE ff_worker_registry (
  partition_key      smallint         NOT NULL,
  namespace          text COLLATE "C" NOT NULL,
  worker_instance_id text COLLATE "C" NOT NULL,
  worker_id          text             NOT NULL,
  lanes              text[]           NOT NULL,
  capabilities_csv   text             NOT NULL,
  last_heartbeat_ms  bigint           NOT NULL,
  liveness_ttl_ms    bigint           NOT NULL,
  registered_at_ms   bigint           NOT NULL,
  ttl_check_at_ms    bigint           NOT NULL DEFAULT 0,
  PRIMARY KEY (partition_key, namespace, worker_instance_id)
) WITH (fillfactor = 50,
        autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

CREATE TABLE ff_partition_config (
  singleton_lock        boolean NOT NULL DEFAULT true CHECK (singleton_lock),
  num_flow_partitions   integer NOT NULL,
  num_budget_partitions integer NOT NULL,
  num_quota_partitions  integer NOT NULL,
  ff_version            text    NOT NULL,
  PRIMARY KEY (singleton_lock)
);

CREATE TABLE ff_access_function (
  access             text COLLATE "C" NOT NULL
    CHECK (access IN ('submitter', 'worker', 'signaler', 'operator', 'reader', 'owner')),
  function_signature text COLLATE "C" NOT NULL,
  PRIMARY KEY (access, function_signature)
);

CREATE TABLE ff_access_grant (
  role_name     text COLLATE "C" NOT NULL,
  access        text COLLATE "C" NOT NULL
    CHECK (access IN ('submitter', 'worker', 'signaler', 'operator', 'reader')),
  granted_at_ms bigint           NOT NULL,
  granted_by    text             NOT NULL,
  PRIMARY KEY (role_name, access)
);

CREATE TABLE ff_subscription (
  name          text COLLATE "C" NOT NULL,
  stream        text COLLATE "C" NOT NULL
    CHECK (stream IN ('completion', 'lease_history', 'signal_delivery', 'operator_events',
                      'instance_tags', 'worker_registry')),
  filter        jsonb            NOT NULL DEFAULT '{}',
  era           bigint           NOT NULL,
  xact_id       xid8             NOT NULL,
  event_id      bigint           NOT NULL,
  created_at_ms bigint           NOT NULL,
  acked_at_ms   bigint,
  PRIMARY KEY (name)
);

CREATE TABLE ff_outbox_state (
  stream           text COLLATE "C" NOT NULL
    CHECK (stream IN ('completion', 'lease_history', 'signal_delivery', 'operator_events',
                      'instance_tags', 'worker_registry')),
  trimmed_xact_id  xid8             NOT NULL,
  trimmed_event_id bigint           NOT NULL,
  era              bigint           NOT NULL,
  PRIMARY KEY (stream)
);

CREATE TABLE ff_reconciler_state (
  name             text COLLATE "C" NOT NULL,
  enabled          boolean          NOT NULL DEFAULT true,
  interval_ms      bigint           NOT NULL,
  batch_size       integer          NOT NULL,
  changed_at_ms    bigint,
  last_run_at_ms   bigint,
  last_good_at_ms  bigint,
  last_duration_ms double precision,
  last_processed   bigint                    DEFAULT 0,
  last_errors      bigint                    DEFAULT 0,
  runs             bigint                    DEFAULT 0,
  processed        bigint                    DEFAULT 0,
  errors           bigint                    DEFAULT 0,
  last_sqlstate    text,
  last_error_at_ms bigint,
  PRIMARY KEY (name)
);

------------------------------------------------------------------------------------------------
-- Indexes
--
-- What is scanned in order of time or priority does not lead with partition_key: claims and
-- reconcilers work over all partitions at once. raw_fields, lease_expires_at_ms,
-- lease_renewed_at_ms and last_heartbeat_ms are in no index, key or predicate, so that progress,
-- tags, renewals and heartbeats stay heap-only updates.
------------------------------------------------------------------------------------------------

-- The claim order inside one capability class of a lane.
CREATE INDEX ff_exec_core_claim_idx ON ff_exec_core
  (lane_id, caps_hash, priority DESC, created_at_ms, execution_id)
  WHERE lifecycle_phase = 'runnable' AND ownership_state = 'unowned'
    AND eligibility_state = 'eligible_now' AND public_state <> 'resumable';

-- The same for suspended work that is ready to go on.
CREATE INDEX ff_exec_core_resumable_idx ON ff_exec_core
  (lane_id, caps_hash, priority DESC, created_at_ms, execution_id)
  WHERE public_state = 'resumable' AND eligibility_state = 'eligible_now';

-- Resumed work whose delay is over before the promoter came.
CREATE INDEX ff_exec_core_resume_due_idx ON ff_exec_core (lane_id, eligible_at_ms)
  WHERE public_state = 'resumable' AND eligibility_state = 'not_eligible_until_time';

-- Delays, backoffs and resume delays that are due.
CREATE INDEX ff_exec_core_eligible_at_idx ON ff_exec_core (eligible_at_ms)
  WHERE lifecycle_phase = 'runnable' AND eligibility_state = 'not_eligible_until_time';

CREATE INDEX ff_exec_core_deadline_idx ON ff_exec_core (deadline_at_ms)
  WHERE deadline_at_ms IS NOT NULL AND lifecycle_phase NOT IN ('terminal', 'cancelled');

CREATE INDEX ff_exec_core_terminal_idx ON ff_exec_core (terminal_at_ms)
  WHERE terminal_at_ms IS NOT NULL AND lifecycle_phase IN ('terminal', 'cancelled');

-- Admission is checked again without touching eligible work.
CREATE INDEX ff_exec_core_blocked_idx ON ff_exec_core (eligibility_state, lane_id, execution_id)
  WHERE lifecycle_phase = 'runnable'
    AND eligibility_state IN ('blocked_by_budget', 'blocked_by_quota', 'blocked_by_route',
                              'blocked_by_lane_state', 'blocked_by_operator');

-- Work that no worker could take, by who might: one look tells of each class.
CREATE INDEX ff_exec_core_route_idx ON ff_exec_core
  ((coalesce(namespace, 'default'::text)), lane_id, caps_hash, created_at_ms)
  WHERE lifecycle_phase = 'runnable' AND eligibility_state = 'blocked_by_route';

CREATE INDEX ff_exec_core_deps_idx ON ff_exec_core (execution_id)
  WHERE lifecycle_phase = 'runnable' AND eligibility_state = 'blocked_by_dependencies';

-- Freed budget or quota goes to the next waiter.
CREATE INDEX ff_exec_core_blocked_on_idx ON ff_exec_core
  (blocked_on, priority DESC, created_at_ms, execution_id)
  WHERE blocked_on IS NOT NULL AND eligibility_state IN ('blocked_by_budget', 'blocked_by_quota');

-- The executions that hold a slot of a quota.
CREATE INDEX ff_exec_core_quota_idx ON ff_exec_core (quota_policy_id)
  WHERE quota_policy_id IS NOT NULL
    AND (lifecycle_phase = 'active' OR eligibility_state = 'pending_claim');

CREATE INDEX ff_exec_core_flow_idx ON ff_exec_core (partition_key, flow_id, execution_id)
  WHERE flow_id IS NOT NULL;

-- Counts per lane and state at the cost of live work only.
CREATE INDEX ff_exec_core_live_idx ON ff_exec_core (lane_id, public_state)
  WHERE lifecycle_phase NOT IN ('terminal', 'cancelled');

-- Executions held after a lost lease.
CREATE INDEX ff_exec_core_lost_idx ON ff_exec_core (execution_id)
  WHERE ownership_state IN ('lease_expired_reclaimable', 'lease_revoked');

-- Leases to look at; whether one lapsed is judged by lease_expires_at_ms, which is in no index.
CREATE INDEX ff_attempt_lease_check_idx ON ff_attempt (lease_check_at_ms, execution_id)
  WHERE lease_check_at_ms IS NOT NULL;

CREATE INDEX ff_attempt_timeout_idx ON ff_attempt (timeout_at_ms)
  WHERE timeout_at_ms IS NOT NULL;

CREATE INDEX ff_claim_grant_execution_idx ON ff_claim_grant (partition_key, execution_id);
CREATE INDEX ff_claim_grant_expiry_idx ON ff_claim_grant (expires_at_ms);

CREATE INDEX ff_suspension_current_timeout_idx ON ff_suspension_current (timeout_at_ms)
  WHERE timeout_at_ms IS NOT NULL AND closed_at_ms IS NULL;

CREATE INDEX ff_suspension_current_suspended_at_idx ON ff_suspension_current
  (partition_key, suspended_at_ms, execution_id)
  WHERE closed_at_ms IS NULL;

CREATE INDEX ff_suspension_current_all_idx ON ff_suspension_current
  (suspended_at_ms, partition_key, execution_id)
  WHERE closed_at_ms IS NULL;

CREATE INDEX ff_waitpoint_pending_open_idx ON ff_waitpoint_pending
  (partition_key, execution_id, waitpoint_id) WHERE state IN ('pending', 'active');
CREATE INDEX ff_waitpoint_pending_exec_idx ON ff_waitpoint_pending
  (partition_key, execution_id, waitpoint_id);

CREATE INDEX ff_waitpoint_pending_expires_idx ON ff_waitpoint_pending (expires_at_ms)
  WHERE state = 'pending' AND expires_at_ms IS NOT NULL;

CREATE UNIQUE INDEX ff_signal_id_idx ON ff_signal (partition_key, signal_id);
CREATE INDEX ff_signal_exec_idx ON ff_signal (partition_key, execution_id, seq);

-- One signing key at a time.
CREATE UNIQUE INDEX ff_waitpoint_hmac_active_idx ON ff_waitpoint_hmac (active)
  WHERE active;

-- Fan-in, and one edge per pair; fan-out.
CREATE UNIQUE INDEX ff_edge_downstream_idx ON ff_edge
  (partition_key, flow_id, downstream_eid, upstream_eid) INCLUDE (edge_state);
CREATE INDEX ff_edge_upstream_idx ON ff_edge (partition_key, flow_id, upstream_eid);

CREATE UNIQUE INDEX ff_flow_core_flow_idx ON ff_flow_core (flow_id);

CREATE INDEX ff_flow_summary_unsettled_idx ON ff_flow_summary (last_summary_update_at)
  WHERE NOT settled;

CREATE INDEX ff_pending_cancel_groups_enqueued_idx ON ff_pending_cancel_groups (enqueued_at_ms);
CREATE INDEX ff_cancel_dispatch_outbox_enqueued_idx ON ff_cancel_dispatch_outbox (enqueued_at_ms);

-- Not partial: a backlog without a grace is due at once, and found here too.
CREATE INDEX ff_cancel_backlog_grace_idx ON ff_cancel_backlog (grace_until_ms);

CREATE INDEX ff_budget_policy_reset_due_idx ON ff_budget_policy (next_reset_at_ms)
  WHERE next_reset_at_ms IS NOT NULL;

CREATE INDEX ff_budget_usage_dedup_expires_idx ON ff_budget_usage_dedup (expires_at_ms);
CREATE INDEX ff_suspend_dedup_expires_idx ON ff_suspend_dedup (expires_at_ms);
CREATE INDEX ff_signal_dedup_expires_idx ON ff_signal_dedup (expires_at_ms);
CREATE INDEX ff_execution_dedup_expires_idx ON ff_execution_dedup (expires_at_ms);
CREATE INDEX ff_stream_meta_expires_idx ON ff_stream_meta (expires_at_ms)
  WHERE expires_at_ms IS NOT NULL;
CREATE INDEX ff_quota_admitted_expires_idx ON ff_quota_admitted
  (partition_key, quota_policy_id, expires_at_ms)
  WHERE NOT engine_held;

CREATE INDEX ff_budget_usage_by_exec_exec_idx ON ff_budget_usage_by_exec (execution_id);

-- The oldest frames of one mode, for trimming.
CREATE INDEX ff_stream_frame_ts_seq_idx ON ff_stream_frame
  (execution_id, attempt_index, mode, ts_ms, seq);

-- Completions that the flow cascade still owes.
CREATE INDEX ff_completion_event_pending_dispatch_idx ON ff_completion_event (event_id)
  WHERE dispatched_at_ms IS NULL;

-- One execution's history.
CREATE INDEX ff_completion_event_lookup_idx ON ff_completion_event
  (partition_key, execution_id, event_id);
CREATE INDEX ff_lease_event_exec_idx ON ff_lease_event (partition_key, execution_id, event_id);
CREATE INDEX ff_signal_event_exec_idx ON ff_signal_event (partition_key, execution_id, event_id);
CREATE INDEX ff_operator_event_exec_idx ON ff_operator_event (partition_key, execution_id, event_id);

-- Reading an outbox by position (xact_id, event_id): all of it, a partition, a namespace, a tag.
CREATE INDEX ff_completion_event_partition_key_idx ON ff_completion_event
  (xact_id, event_id) INCLUDE (partition_key);
CREATE INDEX ff_completion_event_namespace_idx ON ff_completion_event
  (namespace, xact_id, event_id) WHERE namespace IS NOT NULL;
CREATE INDEX ff_completion_event_instance_tag_idx ON ff_completion_event
  (instance_tag, xact_id, event_id) WHERE instance_tag IS NOT NULL;

CREATE INDEX ff_lease_event_partition_key_idx ON ff_lease_event
  (xact_id, event_id) INCLUDE (partition_key);
CREATE INDEX ff_lease_event_namespace_idx ON ff_lease_event
  (namespace, xact_id, event_id) WHERE namespace IS NOT NULL;
CREATE INDEX ff_lease_event_instance_tag_idx ON ff_lease_event
  (instance_tag, xact_id, event_id) WHERE instance_tag IS NOT NULL;

CREATE INDEX ff_signal_event_partition_key_idx ON ff_signal_event
  (xact_id, event_id) INCLUDE (partition_key);
CREATE INDEX ff_signal_event_namespace_idx ON ff_signal_event
  (namespace, xact_id, event_id) WHERE namespace IS NOT NULL;
CREATE INDEX ff_signal_event_instance_tag_idx ON ff_signal_event
  (instance_tag, xact_id, event_id) WHERE instance_tag IS NOT NULL;

CREATE INDEX ff_operator_event_partition_key_idx ON ff_operator_event
  (xact_id, event_id) INCLUDE (partition_key);
CREATE INDEX ff_operator_event_namespace_idx ON ff_operator_event
  (namespace, xact_id, event_id) WHERE namespace IS NOT NULL;
CREATE INDEX ff_operator_event_instance_tag_idx ON ff_operator_event
  (instance_tag, xact_id, event_id) WHERE instance_tag IS NOT NULL;

CREATE INDEX ff_worker_registry_event_partition_key_idx ON ff_worker_registry_event
  (xact_id, event_id) INCLUDE (partition_key);
CREATE INDEX ff_worker_registry_event_namespace_idx ON ff_worker_registry_event
  (namespace, xact_id, event_id) WHERE namespace IS NOT NULL;
CREATE INDEX ff_worker_registry_event_instance_tag_idx ON ff_worker_registry_event
  (instance_tag, xact_id, event_id) WHERE instance_tag IS NOT NULL;

CREATE INDEX ff_instance_tag_event_partition_key_idx ON ff_instance_tag_event
  (xact_id, event_id) INCLUDE (partition_key);
CREATE INDEX ff_instance_tag_event_namespace_idx ON ff_instance_tag_event
  (namespace, xact_id, event_id) WHERE namespace IS NOT NULL;
CREATE INDEX ff_instance_tag_event_instance_tag_idx ON ff_instance_tag_event
  (instance_tag, xact_id, event_id) WHERE instance_tag IS NOT NULL;

CREATE INDEX ff_worker_registry_ns_inst_idx ON ff_worker_registry (namespace, worker_instance_id);
CREATE INDEX ff_worker_registry_check_idx ON ff_worker_registry (ttl_check_at_ms);

------------------------------------------------------------------------------------------------
-- Static rows
------------------------------------------------------------------------------------------------

INSERT INTO ff_partition_config
  (singleton_lock, num_flow_partitions, num_budget_partitions, num_quota_partitions, ff_version)
VALUES (true, 256, 256, 256, '0.11.0');

------------------------------------------------------------------------------------------------
-- Clock, state and errors (access: all)
------------------------------------------------------------------------------------------------

CREATE FUNCTION ff_to_ms(at timestamptz) RETURNS bigint
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'ff_to_ms';
COMMENT ON FUNCTION ff_to_ms(timestamptz) IS
  'Unix milliseconds of an instant, rounded toward the past: what the columns that end in _ms '
  'hold. invalid_input outside the years 1970 to 9999.';

CREATE FUNCTION ff_from_ms(ms bigint) RETURNS timestamptz
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'ff_from_ms';
COMMENT ON FUNCTION ff_from_ms(bigint) IS
  'The instant of a column that ends in _ms. invalid_input outside 0..253402300799999.';

CREATE FUNCTION ff_server_time_ms() RETURNS bigint
  LANGUAGE c VOLATILE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'ff_server_time_ms';
COMMENT ON FUNCTION ff_server_time_ms() IS
  'The engine''s now in Unix milliseconds: the server''s clock, or the setting '
  'ffengine.test_now_ms while that is not 0.';

CREATE FUNCTION ff_derive_public_state(
    lifecycle_phase   ff_lifecycle_phase,
    eligibility_state ff_eligibility_state,
    attempt_state     ff_attempt_state,
    terminal_outcome  ff_attempt_outcome DEFAULT NULL,
    attempt_outcome   ff_attempt_outcome DEFAULT NULL) RETURNS ff_public_state
  LANGUAGE c IMMUTABLE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'ff_derive_public_state';
COMMENT ON FUNCTION ff_derive_public_state(
    ff_lifecycle_phase, ff_eligibility_state, ff_attempt_state, ff_attempt_outcome,
    ff_attempt_outcome) IS
  'The state that people see, derived from the state vector of an execution and the outcome of its '
  'current attempt. Never NULL, raises nothing. ff_exec_core.public_state stores it.';

CREATE FUNCTION ff_error_catalogue()
  RETURNS TABLE (sqlstate text, class text, kind text, retryable boolean, meaning text)
  LANGUAGE c IMMUTABLE PARALLEL SAFE ROWS 85
  AS 'MODULE_PATHNAME', 'ff_error_catalogue';
COMMENT ON FUNCTION ff_error_catalogue() IS
  'The kinds of errors that the engine raises, one row each. The view ff_error_code shows them in '
  'sqlstate order.';

------------------------------------------------------------------------------------------------
-- Ids and partitions (access: all)
------------------------------------------------------------------------------------------------

CREATE FUNCTION ff_worker_partition(worker_instance_id text) RETURNS smallint
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'ff_worker_partition';
COMMENT ON FUNCTION ff_worker_partition(text) IS
  'Partition (0-255) of a worker instance: FNV-1a 64 of its bytes, modulo 256.';

CREATE FUNCTION ff_execution_id_new(lane_id text, execution_uuid uuid DEFAULT NULL) RETURNS text
  LANGUAGE c VOLATILE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'ff_execution_id_new';
COMMENT ON FUNCTION ff_execution_id_new(text, uuid) IS
  'An execution id in the lane''s partition. Without execution_uuid it is a new, random one; with '
  'one the same call gives the same id, which makes a creation that is sent again harmless. Writes '
  'nothing. invalid_input for a malformed lane.';

CREATE FUNCTION ff_execution_id_for_flow(flow_id uuid, execution_uuid uuid DEFAULT NULL)
  RETURNS text
  LANGUAGE c VOLATILE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'ff_execution_id_for_flow';
COMMENT ON FUNCTION ff_execution_id_for_flow(uuid, uuid) IS
  'An execution id in the flow''s partition, where all its members live. Without execution_uuid it '
  'is a new, random one; with one the same call gives the same id. Writes nothing.';

CREATE FUNCTION ff_execution_id(partition_key integer, execution_uuid uuid) RETURNS text
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'ff_execution_id';
COMMENT ON FUNCTION ff_execution_id(integer, uuid) IS
  'The text form {fp:N}:<uuid> of an execution''s table key (partition_key, execution_id). '
  'invalid_input for a partition outside 0-255.';

CREATE FUNCTION ff_execution_partition(execution_id text) RETURNS smallint
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'ff_execution_partition';
COMMENT ON FUNCTION ff_execution_partition(text) IS
  'Partition (0-255) of an execution id, as it says: the column partition_key. invalid_input if it '
  'is not an id.';

CREATE FUNCTION ff_execution_uuid(execution_id text) RETURNS uuid
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'ff_execution_uuid';
COMMENT ON FUNCTION ff_execution_uuid(text) IS
  'UUID of an execution id: the column execution_id. invalid_input if it is not an id.';

CREATE FUNCTION ff_is_execution_id(value text) RETURNS boolean
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'ff_is_execution_id';
COMMENT ON FUNCTION ff_is_execution_id(text) IS
  'True if the text is an execution id, {fp:N}:<uuid>. Raises nothing.';

CREATE FUNCTION ff_flow_partition(flow_id uuid) RETURNS smallint
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'ff_flow_partition';
COMMENT ON FUNCTION ff_flow_partition(uuid) IS
  'Partition (0-255) of a flow and its members: CRC-16/XMODEM of the 16 bytes, modulo 256.';

CREATE FUNCTION ff_lane_partition(lane_id text) RETURNS smallint
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'ff_lane_partition';
COMMENT ON FUNCTION ff_lane_partition(text) IS
  'Partition (0-255) of the executions of a lane that are in no flow: CRC-16/XMODEM of its bytes, '
  'modulo 256. invalid_input for a malformed lane.';

CREATE FUNCTION ff_budget_partition(budget_id uuid) RETURNS smallint
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'ff_budget_partition';
COMMENT ON FUNCTION ff_budget_partition(uuid) IS
  'Partition (0-255) of a budget: CRC-16/XMODEM of the 16 bytes, modulo 256.';

CREATE FUNCTION ff_quota_partition(quota_policy_id uuid) RETURNS smallint
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'ff_quota_partition';
COMMENT ON FUNCTION ff_quota_partition(uuid) IS
  'Partition (0-255) of a quota policy: CRC-16/XMODEM of the 16 bytes, modulo 256.';

CREATE FUNCTION ff_crc16(data bytea) RETURNS integer
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'ff_crc16';
COMMENT ON FUNCTION ff_crc16(bytea) IS
  'CRC-16/XMODEM of some bytes, 0-65535: polynomial 0x1021, initial value 0, no reflection, no '
  'final xor. Partitions are this modulo 256.';

------------------------------------------------------------------------------------------------
-- Handles (access: worker)
------------------------------------------------------------------------------------------------

CREATE FUNCTION ff_handle_encode(
    execution_id text, attempt_index integer, attempt_id uuid, lease_id uuid, lease_epoch bigint,
    lease_ttl_ms bigint DEFAULT 0, lane_id text DEFAULT '', worker_instance_id text DEFAULT '',
    kind text DEFAULT 'fresh', backend integer DEFAULT 2)
  RETURNS bytea
  LANGUAGE c IMMUTABLE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'ff_sql_handle_encode';
COMMENT ON FUNCTION ff_handle_encode(text, integer, uuid, uuid, bigint, bigint, text, text, text,
                                     integer) IS
  'The handle of a lease from its parts, for a service that stores those instead of the handle, and '
  'for tests. kind: fresh, resumed, suspended or reclaimed. Looks at no table: whether the lease '
  'holds shows when the handle is used. invalid_input for a part that cannot be in a handle.';

CREATE FUNCTION ff_handle_decode(handle bytea)
  RETURNS TABLE (kind text, backend integer, execution_id text, attempt_index integer,
                 attempt_id uuid, lease_id uuid, lease_epoch bigint, lease_ttl_ms bigint,
                 lane_id text, worker_instance_id text)
  LANGUAGE c IMMUTABLE PARALLEL SAFE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_sql_handle_decode';
COMMENT ON FUNCTION ff_handle_decode(bytea) IS
  'The parts of a handle, one row. Reads handles of other engines too (backend 1 or 3; kind is NULL '
  'for the old format v1), which every operation refuses. corruption if it cannot be read.';

------------------------------------------------------------------------------------------------
-- Tokens and the keystore (access: owner; the keystore: operator, its list reader too)
------------------------------------------------------------------------------------------------

CREATE FUNCTION ff_hmac_sign(secret bytea, kid text, message bytea) RETURNS text
  LANGUAGE c IMMUTABLE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'ff_hmac_sign';
COMMENT ON FUNCTION ff_hmac_sign(bytea, text, bytea) IS
  'kid:hex, the HMAC-SHA256 with the given secret over kid, a colon and the message. For tests, '
  'audits and migration: it never reads the keystore. A waitpoint''s token has the message '
  '<execution_id>:<waitpoint_id>. invalid_kid for a malformed kid.';

CREATE FUNCTION ff_hmac_verify(secret bytea, kid text, message bytea, token text) RETURNS text
  LANGUAGE c IMMUTABLE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'ff_hmac_verify';
COMMENT ON FUNCTION ff_hmac_verify(bytea, text, bytea, text) IS
  'Whether a token is what ff_hmac_sign gives: ok, malformed, wrong_kid or signature_mismatch. '
  'Raises nothing but for NULL arguments.';

CREATE FUNCTION ff_seed_waitpoint_hmac_secret(kid text, secret_hex text DEFAULT NULL)
  RETURNS TABLE (outcome text, kid text, same_secret boolean)
  LANGUAGE c VOLATILE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_seed_waitpoint_hmac_secret';
COMMENT ON FUNCTION ff_seed_waitpoint_hmac_secret(text, text) IS
  'Installs the first signing key; made to be called at every start of a deployment. Without '
  'secret_hex (64 hex digits) the server mints the secret, and no SQL text ever holds it. outcome: '
  'seeded, or already_seeded if the kid exists, with same_secret saying whether with this secret. '
  'invalid_kid, invalid_secret_hex; invalid_input if another kid is active: rotate then.';

CREATE FUNCTION ff_rotate_waitpoint_hmac_secret_all(
    new_kid text, new_secret_hex text DEFAULT NULL, grace_ms bigint DEFAULT NULL)
  RETURNS TABLE (partition_key integer, outcome text, previous_kid text, new_kid text,
                 gc_count integer)
  LANGUAGE c VOLATILE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_rotate_waitpoint_hmac_secret_all';
COMMENT ON FUNCTION ff_rotate_waitpoint_hmac_secret_all(text, text, bigint) IS
  'Makes new_kid the signing key and retires the active one, which verifies for grace_ms more '
  '(default: the setting hmac_grace). Without new_secret_hex (2-1024 hex digits) the server mints '
  'the secret. Removes retired keys whose grace is over, gc_count of them. outcome: rotated, or '
  'noop if that very key is there already. One row, partition_key 0. rotation_conflict if the kid '
  'exists with another secret; invalid_kid, invalid_secret_hex, invalid_grace_ms.';

CREATE FUNCTION ff_list_waitpoint_hmac_kids()
  RETURNS TABLE (kid text, is_current boolean, rotated_at timestamptz, expires_at timestamptz,
                 open_waitpoints bigint)
  LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT k.kid,
         k.active,
         ff_from_ms(k.rotated_at_ms),
         ff_from_ms(k.expires_at_ms),
         coalesce(w.open, 0)
    FROM ff_waitpoint_hmac k
    LEFT JOIN (SELECT p.token_kid, count(*) AS open
                 FROM ff_waitpoint_pending p
                WHERE p.state IN ('pending', 'active')
                GROUP BY p.token_kid) w ON w.token_kid = k.kid
   WHERE k.active
      OR k.expires_at_ms >= (SELECT ff_server_time_ms())
   ORDER BY k.active DESC, k.expires_at_ms DESC, k.kid;
END;
COMMENT ON FUNCTION ff_list_waitpoint_hmac_kids() IS
  'The keys that verify now: the one that signs (expires_at NULL), then the retired ones still in '
  'grace by expires_at, latest first. open_waitpoints counts the open waitpoints whose token that '
  'key signed: what would have to be reissued before its grace ends. No secrets.';

CREATE FUNCTION ff_reissue_waitpoint_token(execution_id text, waitpoint_id uuid)
  RETURNS TABLE (waitpoint_token text, token_kid text)
  LANGUAGE c VOLATILE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_reissue_waitpoint_token';
COMMENT ON FUNCTION ff_reissue_waitpoint_token(text, uuid) IS
  'Signs a new token with the active key for an open waitpoint and stores it, for waits longer than '
  'a key''s grace. The older token stays good while its key does; under the same key they are the '
  'same. not_found, waitpoint_closed; invalid_input without an active key.';

-- Resume conditions: constructors (chapter 03, section 2)

CREATE FUNCTION ff_when(waitpoint_key text, signal_name text DEFAULT NULL) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT pg_catalog.jsonb_build_object('Single', pg_catalog.jsonb_build_object(
           'waitpoint_key', waitpoint_key,
           'matcher', CASE WHEN signal_name IS NULL THEN pg_catalog.to_jsonb('Wildcard'::pg_catalog.text)
                           ELSE pg_catalog.jsonb_build_object('ByName', signal_name) END))
$$;
COMMENT ON FUNCTION ff_when(text, text) IS
  'Resume condition: one signal on the waitpoint with this key, of this name; NULL name: of any name.';

CREATE FUNCTION ff_operator_only() RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT pg_catalog.to_jsonb('OperatorOnly'::pg_catalog.text)
$$;
COMMENT ON FUNCTION ff_operator_only() IS
  'Resume condition that no signal meets: only an operator (or the timeout) resumes.';

CREATE FUNCTION ff_timeout_only() RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT pg_catalog.to_jsonb('TimeoutOnly'::pg_catalog.text)
$$;
COMMENT ON FUNCTION ff_timeout_only() IS
  'Resume condition that no signal meets: only the timeout (or an operator) resumes. The suspension needs timeout_at.';

CREATE FUNCTION ff_all_of(VARIADIC members jsonb[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT pg_catalog.jsonb_build_object('Composite', pg_catalog.jsonb_build_object(
           'kind', 'AllOf', 'members', pg_catalog.to_jsonb(members)))
$$;
COMMENT ON FUNCTION ff_all_of(jsonb[]) IS
  'Resume condition: all of the conditions given are met. ff_all_of(ff_when(''a''), ff_when(''b'', ''done'')).';

CREATE FUNCTION ff_all_of_waitpoints(VARIADIC waitpoint_keys text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT pg_catalog.jsonb_build_object('Composite', pg_catalog.jsonb_build_object(
           'kind', 'AllOf',
           'members', COALESCE(pg_catalog.jsonb_agg(
                        pg_catalog.jsonb_build_object('Single', pg_catalog.jsonb_build_object(
                          'waitpoint_key', k.waitpoint_key, 'matcher', 'Wildcard'))
                        ORDER BY k.nth), pg_catalog.jsonb_build_array())))
    FROM pg_catalog.unnest(waitpoint_keys) WITH ORDINALITY AS k(waitpoint_key, nth)
$$;
COMMENT ON FUNCTION ff_all_of_waitpoints(text[]) IS
  'Resume condition: a signal, of any name, on each of these waitpoints.';

CREATE FUNCTION ff_any_of_waitpoints(VARIADIC waitpoint_keys text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT pg_catalog.jsonb_build_object('Composite', pg_catalog.jsonb_build_object(
           'kind', 'Count', 'n', 1, 'count_kind', 'DistinctWaitpoints',
           'waitpoints', pg_catalog.to_jsonb(waitpoint_keys)))
$$;
COMMENT ON FUNCTION ff_any_of_waitpoints(text[]) IS
  'Resume condition: a signal, of any name, on any one of these waitpoints.';

CREATE FUNCTION ff_count_of(n integer, waitpoint_keys text[], count_by text DEFAULT 'waitpoints',
                            signal_name text DEFAULT NULL) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT pg_catalog.jsonb_build_object('Composite', pg_catalog.jsonb_build_object(
           'kind', 'Count', 'n', n,
           'count_kind', CASE count_by WHEN 'waitpoints' THEN 'DistinctWaitpoints'
                                       WHEN 'signals' THEN 'DistinctSignals'
                                       WHEN 'sources' THEN 'DistinctSources'
                                       ELSE count_by END,
           'waitpoints', pg_catalog.to_jsonb(waitpoint_keys))
         || CASE WHEN signal_name IS NULL THEN pg_catalog.jsonb_build_object()
                 ELSE pg_catalog.jsonb_build_object('matcher',
                        pg_catalog.jsonb_build_object('ByName', signal_name)) END)
$$;
COMMENT ON FUNCTION ff_count_of(integer, text[], text, text) IS
  'Resume condition: signals on these waitpoints, of this name (NULL: any), that show n distinct waitpoints, signals or sources (count_by). Any other count_by is refused when the condition is used.';

CREATE FUNCTION ff_fresh_waitpoint(waitpoint_key text DEFAULT NULL, waitpoint_id uuid DEFAULT NULL) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT pg_catalog.jsonb_build_object('Fresh', pg_catalog.jsonb_strip_nulls(
           pg_catalog.jsonb_build_object('waitpoint_key', waitpoint_key, 'waitpoint_id', waitpoint_id)))
$$;
COMMENT ON FUNCTION ff_fresh_waitpoint(text, uuid) IS
  'Binding for ff_suspend: a new waitpoint. Without an id one is minted, without a key it is wpk:<id>.';

CREATE FUNCTION ff_use_pending(waitpoint_id uuid) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT pg_catalog.jsonb_build_object('UsePending',
           pg_catalog.jsonb_build_object('waitpoint_id', waitpoint_id))
$$;
COMMENT ON FUNCTION ff_use_pending(uuid) IS
  'Binding for ff_suspend: a waitpoint made before by ff_create_waitpoint, with its key, token and buffered signals.';

CREATE FUNCTION ff_resume_policy(resume_delay_ms bigint DEFAULT NULL, consume_matched_signals boolean DEFAULT true,
                                 retain_signal_buffer_until_closed boolean DEFAULT false,
                                 close_waitpoint_on_resume boolean DEFAULT true,
                                 resume_target text DEFAULT 'Runnable') RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT pg_catalog.jsonb_build_object(
           'resume_target', resume_target, 'resume_delay_ms', resume_delay_ms,
           'close_waitpoint_on_resume', close_waitpoint_on_resume,
           'consume_matched_signals', consume_matched_signals,
           'retain_signal_buffer_until_closed', retain_signal_buffer_until_closed)
$$;
COMMENT ON FUNCTION ff_resume_policy(bigint, boolean, boolean, boolean, text) IS
  'Resume policy for ff_suspend: delay until the resumed execution may be claimed, and what becomes of its waitpoints and their signals.';

-- Resume conditions: judging

CREATE FUNCTION ff_validate_resume_condition(resume_condition jsonb) RETURNS boolean
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION ff_validate_resume_condition(jsonb) IS
  'True, or raises what ff_suspend would raise over this resume condition: invalid_input with the rule and the path in DETAIL, or invalid_waitpoint_key.';

CREATE FUNCTION ff_evaluate_resume_condition(resume_condition jsonb, signals jsonb) RETURNS boolean
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME';
COMMENT ON FUNCTION ff_evaluate_resume_condition(jsonb, jsonb) IS
  'Whether a resume condition is met by signals, an array of objects {waitpoint_key, signal_name, signal_id, source_type, source_identity}; an absent member is empty text. Dry-runs a condition.';

------------------------------------------------------------------------------------------------
-- Suspending (access: worker; ff_close_waitpoint operator too)
------------------------------------------------------------------------------------------------

CREATE FUNCTION ff_suspend(
    handle                        bytea,
    resume_condition              jsonb,
    waitpoints                    jsonb       DEFAULT NULL,
    reason_code                   text        DEFAULT 'waiting_for_signal',
    timeout_at                    timestamptz DEFAULT NULL,
    timeout_behavior              text        DEFAULT NULL,
    resume_policy                 jsonb       DEFAULT NULL,
    requested_by                  text        DEFAULT 'worker',
    continuation_metadata_pointer text        DEFAULT NULL,
    suspension_id                 uuid        DEFAULT NULL,
    idempotency_key               text        DEFAULT NULL,
    strict                        boolean     DEFAULT false)
  RETURNS TABLE (outcome text, suspension_id uuid, waitpoint_id uuid, waitpoint_key text,
                 waitpoint_token text, additional_waitpoints jsonb, handle bytea,
                 replayed boolean)
  LANGUAGE c VOLATILE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_suspend';
COMMENT ON FUNCTION ff_suspend(
    bytea, jsonb, jsonb, text, timestamptz, text, jsonb, text, text, uuid, text, boolean) IS
$$Give up the lease and wait for signals; the same attempt goes on once the condition is met. Access: worker.

resume_condition: what to wait for, built with ff_when, ff_all_of, ff_count_of, ff_operator_only, ... waitpoints: array of bindings, built with ff_fresh_waitpoint and ff_use_pending, 1-256; default a fresh waitpoint for each key that the condition names. reason_code: waiting_for_signal, waiting_for_approval, waiting_for_callback, waiting_for_tool_result, waiting_for_operator_review, paused_by_policy, paused_by_budget, step_boundary or manual_pause. timeout_at: when the wait is over at the latest, default the execution policy's. timeout_behavior: fail (default), cancel, expire, auto_resume_with_timeout_signal or escalate. resume_policy: built with ff_resume_policy. requested_by: worker, operator, policy or system_timeout_policy. continuation_metadata_pointer: 0-4096 bytes for ff_describe_resume. suspension_id: the id to use. idempotency_key: 0-512 bytes; a call that is sent again with it, even with the handle given up, gets the first one's row. strict: raise already_satisfied rather than return it.

Returns one row. outcome: suspended, then handle is a suspended one for ff_observe_signals and the caller's own is worth nothing; or already_satisfied by signals that a pending waitpoint had buffered, then the lease goes on and handle is NULL. waitpoint_id, waitpoint_key, waitpoint_token: the first waitpoint; its token, a bearer credential, is what ff_deliver_signal asks for. additional_waitpoints: the others, array of objects of those three keys. replayed: true for a call that is sent again.

Raises invalid_input (DETAIL begins with the rule), invalid_waitpoint_key, corruption, handle_from_other_backend, already_suspended, not_found, lease_revoked, lease_conflict, invalid_lease_for_suspend, lease_expired, execution_not_active, no_active_lease, waitpoint_already_exists, waitpoint_not_found, invalid_waitpoint_for_execution, waitpoint_not_pending, pending_waitpoint_expired, waitpoint_not_token_bound, already_satisfied.$$;

CREATE FUNCTION ff_suspend_by_triple(
    execution_id                  text,
    lease_id                      uuid,
    lease_epoch                   bigint,
    attempt_id                    uuid,
    resume_condition              jsonb,
    waitpoints                    jsonb       DEFAULT NULL,
    reason_code                   text        DEFAULT 'waiting_for_signal',
    timeout_at                    timestamptz DEFAULT NULL,
    timeout_behavior              text        DEFAULT NULL,
    resume_policy                 jsonb       DEFAULT NULL,
    requested_by                  text        DEFAULT 'worker',
    continuation_metadata_pointer text        DEFAULT NULL,
    suspension_id                 uuid        DEFAULT NULL,
    idempotency_key               text        DEFAULT NULL,
    strict                        boolean     DEFAULT false)
  RETURNS TABLE (outcome text, suspension_id uuid, waitpoint_id uuid, waitpoint_key text,
                 waitpoint_token text, additional_waitpoints jsonb, handle bytea,
                 replayed boolean)
  LANGUAGE c VOLATILE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_suspend_by_triple';
COMMENT ON FUNCTION ff_suspend_by_triple(
    text, uuid, bigint, uuid, jsonb, jsonb, text, timestamptz, text, jsonb, text, text, uuid, text,
    boolean) IS
$$ff_suspend for a service that holds a fence, not a handle: the execution's current attempt is suspended if lease_epoch is its epoch, and lease_id and attempt_id its ids where it has them. Access: worker.

The other arguments, the row and the errors are those of ff_suspend; a triple that does not match is lease_conflict.$$;

CREATE FUNCTION ff_create_waitpoint(
    handle        bytea,
    waitpoint_key text,
    expires_in_ms bigint DEFAULT 3600000,
    waitpoint_id  uuid   DEFAULT NULL)
  RETURNS TABLE (waitpoint_id uuid, waitpoint_key text, waitpoint_token text,
                 expires_at timestamptz)
  LANGUAGE c VOLATILE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_create_waitpoint';
COMMENT ON FUNCTION ff_create_waitpoint(bytea, text, bigint, uuid) IS
$$Make a pending waitpoint while the worker still runs, so that a callback that comes before the suspension is buffered, not lost. Bind it later with ff_use_pending. Access: worker.

waitpoint_key: 1-256 bytes, the name a condition calls it by; a label, so that two calls make two waitpoints. expires_in_ms: milliseconds until it lapses unless bound, at least 1, at most a hundred years. waitpoint_id: the id to use, default a new one.

Returns one row with its token, a bearer credential.

Raises invalid_waitpoint_key, invalid_input (expires_in_ms, too_many_open_waitpoints above 1000, keystore_empty), waitpoint_already_exists, no_active_lease and the fence's errors, as ff_renew.$$;

CREATE FUNCTION ff_close_waitpoint(
    execution_id text,
    waitpoint_id uuid,
    reason       text DEFAULT 'proactive_close')
  RETURNS TABLE (outcome text)
  LANGUAGE c VOLATILE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_close_waitpoint';
COMMENT ON FUNCTION ff_close_waitpoint(text, uuid, text) IS
$$Close a waitpoint: it takes no more signals, those buffered come to nothing. A suspension that waits on it stays open. Access: worker, operator.

reason: 0-1024 bytes, kept as close_reason.

Returns one row, outcome closed or already_closed.

Raises invalid_input, not_found (the execution), waitpoint_not_found, invalid_waitpoint_for_execution.$$;

------------------------------------------------------------------------------------------------
-- Signals (access: signaler; approvals: operator)
------------------------------------------------------------------------------------------------

CREATE FUNCTION ff_deliver_signal(
    execution_id              text,
    waitpoint_id              uuid,
    waitpoint_token           text,
    signal_name               text,
    payload                   bytea       DEFAULT NULL,
    payload_encoding          text        DEFAULT 'json',
    signal_category           text        DEFAULT 'custom',
    source_type               text        DEFAULT 'external_api',
    source_identity           text        DEFAULT '',
    correlation_id            text        DEFAULT NULL,
    idempotency_key           text        DEFAULT NULL,
    dedup_ttl_ms              bigint      DEFAULT NULL,
    signal_id                 uuid        DEFAULT NULL,
    target_scope              text        DEFAULT 'waitpoint',
    created_at                timestamptz DEFAULT NULL,
    resume_delay_ms           bigint      DEFAULT NULL,
    max_signals_per_execution bigint      DEFAULT NULL,
    signal_maxlen             bigint      DEFAULT 1000)
  RETURNS TABLE (outcome text, signal_id uuid, effect text, match_result text)
  LANGUAGE c VOLATILE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_deliver_signal';
COMMENT ON FUNCTION ff_deliver_signal(
    text, uuid, text, text, bytea, text, text, text, text, text, text, bigint, uuid, text,
    timestamptz, bigint, bigint, bigint) IS
$$Deliver a signal to a waitpoint; one that meets the condition resumes the execution. Access: signaler.

waitpoint_token: the credential that ff_suspend or ff_create_waitpoint returned; pass it as a parameter. signal_name: 1-256 bytes, not beginning with two underscores. payload: opaque, at most ffengine.max_signal_payload_size, of payload_encoding. signal_category, source_type: 1-64 bytes; source_type engine is reserved. source_identity, correlation_id: 0-512 bytes; DistinctSources counts pairs of source_type and source_identity. idempotency_key: 0-512 bytes; a second delivery with it to the same waitpoint within dedup_ttl_ms (milliseconds; default ffengine.signal_dedup_window, 0 = never) is a duplicate. signal_id: the id to use. target_scope: waitpoint, or execution, where waitpoint_id may be NULL: the token then says which. created_at: the sender's time, for information. resume_delay_ms: milliseconds from the resume until the work may be claimed, default the resume policy's. max_signals_per_execution: default the execution policy's, else ffengine.default_max_signals; 0 = no limit. signal_maxlen: how many places back signals that did not count are kept; 0 = all.

Returns one row. outcome: accepted or duplicate (shows the signal stored then, effect NULL if it was trimmed). effect: appended_to_waitpoint, resume_condition_satisfied or buffered_for_pending_waitpoint. match_result: counted, already_counted, name_mismatch, not_in_condition or not_evaluated.

Raises invalid_input, payload_too_large, invalid_token, not_found, waitpoint_not_found, invalid_waitpoint_for_execution, duplicate_signal, target_not_signalable, waitpoint_closed, pending_waitpoint_expired, signal_limit_exceeded.$$;

CREATE FUNCTION ff_deliver_approval_signal(
    execution_id              text,
    waitpoint_id              uuid,
    signal_name               text,
    idempotency_suffix        text,
    lane_id                   text   DEFAULT NULL,
    signal_dedup_ttl_ms       bigint DEFAULT NULL,
    maxlen                    bigint DEFAULT 1000,
    max_signals_per_execution bigint DEFAULT NULL,
    source_identity           text   DEFAULT '',
    payload                   bytea  DEFAULT NULL)
  RETURNS TABLE (outcome text, signal_id uuid, effect text, match_result text)
  LANGUAGE c VOLATILE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_deliver_approval_signal';
COMMENT ON FUNCTION ff_deliver_approval_signal(
    text, uuid, text, text, text, bigint, bigint, bigint, text, bytea) IS
$$Deliver a person's decision without a token: the caller's right stands in for it. Access: operator.

signal_name: by convention approved or rejected. idempotency_suffix: 1-512 bytes; the same name and suffix are one decision. lane_id: refuse if the execution is in another. signal_dedup_ttl_ms: milliseconds, default ffengine.signal_dedup_window. maxlen, max_signals_per_execution, payload: as ff_deliver_signal. source_identity: who decided.

Returns the row of ff_deliver_signal, of a signal of category approval and source_type operator.

Raises invalid_input (lane_mismatch too), payload_too_large, not_found (execution, waitpoint), target_not_signalable, waitpoint_closed, pending_waitpoint_expired, signal_limit_exceeded.$$;

------------------------------------------------------------------------------------------------
-- Resuming (access: operator)
------------------------------------------------------------------------------------------------

CREATE FUNCTION ff_resume_execution(
    execution_id    text,
    trigger_type    text   DEFAULT 'operator',
    resume_delay_ms bigint DEFAULT NULL)
  RETURNS TABLE (outcome text, public_state ff_public_state)
  LANGUAGE c VOLATILE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_resume_execution';
COMMENT ON FUNCTION ff_resume_execution(text, text, bigint) IS
$$Resume a suspended execution whatever its condition says. Access: operator.

trigger_type: operator, signal or auto_resume; recorded as the close_reason, nothing else. resume_delay_ms: milliseconds until it may be claimed, default the resume policy's.

Returns one row: outcome resumed, public_state resumable.

Raises invalid_input, not_found, execution_not_suspended.$$;

CREATE FUNCTION ff_expire_suspension(execution_id text)
  RETURNS TABLE (outcome text, behavior_applied text, public_state ff_public_state)
  LANGUAGE c VOLATILE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_expire_suspension';
COMMENT ON FUNCTION ff_expire_suspension(text) IS
$$Apply the timeout of a suspension if it is due; the reconciler suspension_timeout does the same. Access: operator.

Returns one row. outcome: expired (behavior_applied says what was done: fail, cancel, expire, auto_resume_with_timeout_signal or escalate), not_due or not_suspended; and the public_state after it.

Raises invalid_input, not_found.$$;

------------------------------------------------------------------------------------------------
-- Reading what waits (access: worker, operator and reader as said)
------------------------------------------------------------------------------------------------

CREATE FUNCTION ff_observe_signals(
    handle       bytea,
    only_counted boolean DEFAULT false,
    cursor_seq   bigint  DEFAULT 0,
    max_rows     integer DEFAULT 1000)
  RETURNS TABLE (signal_id uuid, seq bigint, waitpoint_id uuid, waitpoint_key text,
                 signal_name text, signal_category text, source_type text, source_identity text,
                 correlation_id text, accepted_at timestamptz, created_at timestamptz,
                 payload bytea, payload_encoding text, effect text, match_result text,
                 counted boolean)
  LANGUAGE c STABLE ROWS 10
  AS 'MODULE_PATHNAME', 'ff_observe_signals';
COMMENT ON FUNCTION ff_observe_signals(bytea, boolean, bigint, integer) IS
$$The signals of the suspension that a handle is about, in the order in which they came. Access: worker.

handle: the suspended one, or the resumed one of the claim that followed. only_counted: those that advanced the condition. cursor_seq: only those after it. max_rows: at most 10000.

Returns a row per signal with its payload; none if the attempt never suspended. No fence is checked.

Raises invalid_input, corruption, handle_from_other_backend.$$;

CREATE FUNCTION ff_describe_resume(handle bytea)
  RETURNS TABLE (suspension_id uuid, reason text, suspended_at timestamptz,
                 closed_at timestamptz, close_reason text, closer_signal_id uuid,
                 continuation_metadata_pointer text, waitpoint_ids uuid[])
  LANGUAGE c STABLE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_describe_resume';
COMMENT ON FUNCTION ff_describe_resume(bytea) IS
$$The suspension that a handle is about: for a resumed worker, what it resumes from. Access: worker.

handle: as for ff_observe_signals. Returns one row, or none if the attempt never suspended. close_reason: resumed, operator_resume, auto_resume, timed_out_auto_resume, ...; closer_signal_id: the signal that met the condition.

Raises invalid_input, corruption, handle_from_other_backend.$$;

CREATE FUNCTION ff_read_waitpoint_token(execution_id text, waitpoint_id uuid)
  RETURNS TABLE (waitpoint_token text, token_kid text, token_fingerprint text)
  LANGUAGE c STABLE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_read_waitpoint_token';
COMMENT ON FUNCTION ff_read_waitpoint_token(text, uuid) IS
$$The token of an open waitpoint, a bearer credential. Access: operator.

Returns one row with the key that signed it and its digest's first 16 hex digits; none if the waitpoint is unknown, closed, of another execution or without a token.

Raises invalid_input.$$;

CREATE FUNCTION ff_list_suspended(
    partition_key       integer     DEFAULT NULL,
    cursor_suspended_at timestamptz DEFAULT NULL,
    cursor_execution_id text        DEFAULT NULL,
    max_rows            integer     DEFAULT 100)
  RETURNS TABLE (execution_id text, suspension_id uuid, suspended_at timestamptz, reason text,
                 timeout_at timestamptz, timeout_behavior text, requested_by text)
  LANGUAGE c STABLE ROWS 100
  AS 'MODULE_PATHNAME', 'ff_list_suspended';
COMMENT ON FUNCTION ff_list_suspended(integer, timestamptz, text, integer) IS
$$Open suspensions, longest waiting first; then by partition and uuid. Access: reader, operator.

partition_key: only that one. cursor_suspended_at, cursor_execution_id: suspended_at and execution_id of the page's last row, for the next page. max_rows: at most 1000.

Returns a row per suspension; reason is empty where none was given.

Raises invalid_input (cursor: half of one; negative; invalid_partition_index).$$;

CREATE FUNCTION ff_list_pending_waitpoints(
    execution_id        text,
    cursor_waitpoint_id uuid    DEFAULT NULL,
    max_rows            integer DEFAULT 100)
  RETURNS TABLE (waitpoint_id uuid, waitpoint_key text, state text, required_signal_names text[],
                 created_at timestamptz, activated_at timestamptz, expires_at timestamptz,
                 execution_id text, token_kid text, token_fingerprint text, signal_count integer,
                 last_signal_at timestamptz)
  LANGUAGE c STABLE ROWS 10
  AS 'MODULE_PATHNAME', 'ff_list_pending_waitpoints';
COMMENT ON FUNCTION ff_list_pending_waitpoints(text, uuid, integer) IS
$$The open waitpoints of an execution by id. Access: reader, operator.

cursor_waitpoint_id: only those after it. max_rows: at most 1000.

Returns a row per waitpoint: state pending or active, the signal names it takes (empty = any), the token's key and fingerprint, never the token.

Raises invalid_input, not_found.$$;

CREATE FUNCTION ff_list_signals(
    execution_id text,
    waitpoint_id uuid    DEFAULT NULL,
    cursor_seq   bigint  DEFAULT 0,
    max_rows     integer DEFAULT 100)
  RETURNS TABLE (signal_id uuid, seq bigint, waitpoint_id uuid, waitpoint_key text,
                 signal_name text, signal_category text, source_type text, source_identity text,
                 correlation_id text, accepted_at timestamptz, created_at timestamptz,
                 payload_bytes integer, payload_encoding text, effect text, match_result text,
                 counted boolean)
  LANGUAGE c STABLE ROWS 100
  AS 'MODULE_PATHNAME', 'ff_list_signals';
COMMENT ON FUNCTION ff_list_signals(text, uuid, bigint, integer) IS
$$The signals that an execution was sent, by seq, without their payloads. Access: reader, operator.

waitpoint_id: only those of one waitpoint. cursor_seq: only those after it. max_rows: at most 1000.

Returns a row per signal; none for an unknown execution.

Raises invalid_input.$$;

CREATE FUNCTION ff_describe_suspension(execution_id text)
  RETURNS TABLE (suspension_id uuid, suspended_at timestamptz, reason text, requested_by text,
                 timeout_at timestamptz, timeout_behavior text, resume_condition jsonb,
                 resume_policy jsonb, satisfied_nodes jsonb, counts jsonb, waitpoint_ids uuid[],
                 continuation_metadata_pointer text, last_signal_at timestamptz,
                 escalated_at timestamptz)
  LANGUAGE c STABLE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_describe_suspension';
COMMENT ON FUNCTION ff_describe_suspension(text) IS
$$The open suspension of an execution: what it waits for, how far it is. Access: reader, operator.

Returns one row, none if it is not suspended. satisfied_nodes: paths of the condition's nodes that are true. counts: path -> distinct values counted so far.

Raises invalid_input.$$;

------------------------------------------------------------------------------------------------
-- Executions and leases
------------------------------------------------------------------------------------------------

CREATE FUNCTION ff_create_execution(
    lane_id               text,
    payload               bytea       DEFAULT NULL,
    payload_encoding      text        DEFAULT NULL,
    execution_kind        text        DEFAULT 'task',
    priority              integer     DEFAULT NULL,
    required_capabilities text[]      DEFAULT '{}',
    policy                jsonb       DEFAULT NULL,
    delay_until           timestamptz DEFAULT NULL,
    deadline_at           timestamptz DEFAULT NULL,
    idempotency_key       text        DEFAULT NULL,
    dedup_window_ms       bigint      DEFAULT NULL,
    tags                  jsonb       DEFAULT '{}',
    namespace             text        DEFAULT 'default',
    creator_identity      text        DEFAULT NULL,
    flow_id               uuid        DEFAULT NULL,
    execution_id          text        DEFAULT NULL)
  RETURNS TABLE (outcome text, execution_id text, public_state ff_public_state)
  LANGUAGE c VOLATILE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_create_execution';
COMMENT ON FUNCTION ff_create_execution(
    text, bytea, text, text, integer, text[], jsonb, timestamptz, timestamptz, text, bigint, jsonb,
    text, text, uuid, text) IS
$$Submit work to a lane. Access: submitter.

lane_id: 1-64 printable ASCII bytes; an unknown lane is registered. payload: opaque, at most ffengine.max_payload_size. priority: higher first, clamped to 0..9000. required_capabilities: tokens that a worker must have, all of them. policy: object with retry_policy, timeout_policy, suspension_policy and more (see the column ff_exec_core.policy). delay_until: not claimed before. deadline_at: ended as expired after it. idempotency_key: a second call with it, in the same namespace and within dedup_window_ms (milliseconds; default the policy's, else ffengine.execution_dedup_window), gives the first one's execution. tags: object of strings, keys of the form area.name. creator_identity: default the calling role. flow_id: becomes a member of this flow. execution_id: the id to use, default a new one.

Returns one row: outcome created or duplicate (nothing was written), the execution's id and its present state.

Raises invalid_input, payload_too_large, invalid_tag_key, invalid_policy_json (names the path), invalid_capabilities, not_runnable (the lane is draining or disabled), not_found and flow_already_terminal (the flow).$$;

CREATE FUNCTION ff_claim(
    lane_id            text,
    worker_id          text,
    worker_instance_id text,
    capabilities       text[]  DEFAULT '{}',
    lease_ttl_ms       bigint  DEFAULT NULL,
    max_claims         integer DEFAULT 1,
    include_resumable  boolean DEFAULT true,
    block_ms           bigint  DEFAULT 0)
  RETURNS SETOF ff_claimed
  LANGUAGE c VOLATILE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_claim';
COMMENT ON FUNCTION ff_claim(text, text, text, text[], bigint, integer, boolean, bigint) IS
$$Take the lane's next executions, each under a lease of its own. Access: worker.

worker_id: the pool, worker_instance_id: the process, 1-256 bytes without white space. capabilities: the worker's tokens; work that requires others is passed over. lease_ttl_ms: milliseconds until the lease lapses unless renewed (1..ffengine.max_lease_ttl; default ffengine.default_lease_ttl). max_claims: 1-1000. include_resumable: also work that was suspended and may go on. block_ms: 0-30000, how long to wait for work when there is none; work committed meanwhile is seen at once where the library is preloaded, else within 400 ms; counts as 0 at REPEATABLE READ and above.

Returns up to max_claims rows in claim order: priority descending, oldest first, execution id. No work is zero rows. claim_kind: fresh, retry, replay, resumed (the same attempt goes on) or reclaimed (a worker lost it). handle: the ticket that ff_renew, ff_complete, ff_fail and ff_suspend take; keep it secret.

Raises invalid_input and invalid_capabilities.$$;

CREATE FUNCTION ff_claim_resumed_execution(
    execution_id                 text,
    worker_id                    text,
    worker_instance_id           text,
    lease_ttl_ms                 bigint  DEFAULT NULL,
    lease_id                     uuid    DEFAULT NULL,
    lane_id                      text    DEFAULT NULL,
    expected_attempt_index       integer DEFAULT NULL,
    remaining_attempt_timeout_ms bigint  DEFAULT NULL,
    grant_key                    text    DEFAULT NULL)
  RETURNS SETOF ff_claimed
  LANGUAGE c VOLATILE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_claim_resumed_execution';
COMMENT ON FUNCTION ff_claim_resumed_execution(
    text, text, text, bigint, uuid, text, integer, bigint, text) IS
$$Take one named execution that was suspended, delayed or waiting and may go on; ff_claim does the same for the next one of a lane. Access: worker.

lease_ttl_ms: milliseconds, default ffengine.default_lease_ttl. lease_id: the id to give the lease, default a new one. lane_id, expected_attempt_index: refuse if the execution has others. remaining_attempt_timeout_ms: milliseconds that the attempt may still take, default what it had left; 0 is no limit. grant_key: the claim grant that reserves it, if there is one.

Returns one row, claim_kind and handle of kind resumed: the same attempt under a new lease and a higher epoch.

Raises not_found, invalid_input (lane_mismatch), not_a_resumed_execution, lease_conflict, execution_not_eligible (not due yet, another attempt, or withheld by its cancelled flow), invalid_claim_grant and claim_grant_expired.$$;

CREATE FUNCTION ff_renew(handle bytea, lease_ttl_ms bigint DEFAULT NULL)
  RETURNS TABLE (lease_epoch bigint, lease_expires_at timestamptz)
  LANGUAGE c VOLATILE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_renew';
COMMENT ON FUNCTION ff_renew(bytea, bigint) IS
$$Prolong a live lease: it ends lease_ttl_ms milliseconds from now (default the handle's; 1..ffengine.max_lease_ttl), also when that is sooner than before. Access: worker.

Returns one row with the unchanged epoch and the new end.

Raises the fence's errors: corruption, handle_from_other_backend, not_found, lease_revoked, lease_conflict, execution_not_active, lease_expired.$$;

CREATE FUNCTION ff_complete(handle bytea, result bytea DEFAULT NULL, result_encoding text DEFAULT NULL)
  RETURNS TABLE (outcome text, execution_id text, public_state ff_public_state, replayed boolean)
  LANGUAGE c VOLATILE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_complete';
COMMENT ON FUNCTION ff_complete(bytea, bytea, text) IS
$$End an execution with success. Access: worker.

result: opaque, at most ffengine.max_payload_size. result_encoding: a word about it, 1-64 bytes.

Returns one row, outcome completed. A call that is sent again gives the same with replayed true and changes nothing; the first result stays.

Raises payload_too_large and the fence's errors, as ff_renew.$$;

CREATE FUNCTION ff_fail(
    handle           bytea,
    reason           text,
    failure_class    text  DEFAULT 'transient',
    failure_category text  DEFAULT NULL,
    detail           bytea DEFAULT NULL)
  RETURNS TABLE (outcome text, execution_id text, public_state ff_public_state,
                 next_attempt_index integer, delay_until timestamptz, replayed boolean)
  LANGUAGE c VOLATILE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_fail';
COMMENT ON FUNCTION ff_fail(bytea, text, text, text, bytea) IS
$$Report that an attempt failed. Access: worker.

reason: cut to 4096 bytes. failure_class: transient, infra_crash or timeout may be retried, permanent and cancelled never. failure_category: the caller's word, matched with the policy's retryable_categories; default the class. detail: opaque, at most ffengine.max_payload_size.

Retried while retries are left: the policy's retry_policy, else ffengine.default_max_retries with exponential backoff from ffengine.default_backoff_initial. Returns one row: outcome retry_scheduled with next_attempt_index and delay_until, or terminal_failed. A call that is sent again gives the same with replayed true.

Raises invalid_input, payload_too_large and the fence's errors, as ff_renew.$$;

CREATE FUNCTION ff_create_executions(executions jsonb, defaults jsonb DEFAULT '{}')
  RETURNS TABLE (ordinal integer, outcome text, execution_id text, public_state ff_public_state)
  LANGUAGE c VOLATILE ROWS 100
  AS 'MODULE_PATHNAME', 'ff_create_executions';
COMMENT ON FUNCTION ff_create_executions(jsonb, jsonb) IS
$$Submit many executions in one round trip and one transaction. Access: submitter.

executions: an array of at most 10000 objects whose keys are the parameter names of ff_create_execution, instants as timestamp text. payload: any JSON value, stored as its UTF-8 text with payload_encoding json unless one is given; payload_base64: raw bytes instead. defaults: an object with what elements lack.

Returns a row per element in input order, ordinal from 0: outcome created or duplicate, the execution's id and its present state. A key or id repeated within the call makes the later element a duplicate of the earlier.

A bad element refuses the whole call with the errors of ff_create_execution; the message begins with its path, executions[i].$$;

CREATE FUNCTION ff_claim_for_worker(
    lane_id            text,
    worker_id          text,
    worker_instance_id text,
    capabilities       text[] DEFAULT '{}',
    grant_ttl_ms       bigint DEFAULT NULL)
  RETURNS TABLE (execution_id text, lane_id text, grant_key text, expires_at timestamptz,
                 resumable boolean)
  LANGUAGE c VOLATILE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_claim_for_worker';
COMMENT ON FUNCTION ff_claim_for_worker(text, text, text, text[], bigint) IS
$$Reserve the lane's next execution for a worker, for a scheduler that hands out work: chosen as ff_claim does, resumable work included. Access: worker, operator.

worker_id: the only one who may claim it. worker_instance_id: 1-256 bytes without white space; information, another process of the worker may claim it too. capabilities: the worker's tokens. grant_ttl_ms: milliseconds until the grant runs out and the work is anybody's again (1..ffengine.max_grant_ttl; default ffengine.default_grant_ttl).

Returns one row, none where there is no work. grant_key: whoever holds it may present it, keep it secret; only its hash is stored. resumable: true if ff_claim_resumed_execution is to claim it, else ff_claim_execution.

Raises invalid_input and invalid_capabilities.$$;

CREATE FUNCTION ff_issue_claim_grant(
    execution_id        text,
    worker_id           text,
    worker_instance_id  text,
    lane_id             text   DEFAULT NULL,
    capabilities        text[] DEFAULT '{}',
    grant_ttl_ms        bigint DEFAULT NULL,
    capability_hash     text   DEFAULT NULL,
    route_snapshot_json text   DEFAULT NULL,
    admission_summary   text   DEFAULT NULL)
  RETURNS TABLE (execution_id text, lane_id text, grant_key text, expires_at timestamptz,
                 resumable boolean)
  LANGUAGE c VOLATILE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_issue_claim_grant';
COMMENT ON FUNCTION ff_issue_claim_grant(
    text, text, text, text, text[], bigint, text, text, text) IS
$$Reserve one named execution for a worker; ff_claim_for_worker does the same for the next one of a lane. Access: worker, operator.

worker_id, worker_instance_id, capabilities, grant_ttl_ms: as in ff_claim_for_worker. lane_id: refuse if the execution is in another. capability_hash, route_snapshot_json, admission_summary: kept with the grant for audit, not looked at. A grant that has run out is replaced.

Returns one row, as ff_claim_for_worker. A refusal changes nothing.

Raises invalid_input, invalid_capabilities, not_found, grant_already_exists (a live one is out), execution_not_eligible (it may not be claimed now, its lane is paused or disabled, or its cancelled flow withholds it), execution_not_in_eligible_set (another lane) and capability_mismatch (DETAIL: the tokens that the worker lacks).$$;

CREATE FUNCTION ff_verify_claim_grant(grant_key text)
  RETURNS TABLE (outcome text, execution_id text, kind text, worker_id text,
                 worker_instance_id text, expires_at timestamptz)
  LANGUAGE c STABLE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_verify_claim_grant';
COMMENT ON FUNCTION ff_verify_claim_grant(text) IS
$$Tell what a claim or reclaim grant is good for, without using it. Access: worker, operator.

Returns one row: outcome valid, expired, unknown (used, replaced, swept or never issued) or malformed; the other columns for the first two only. kind: claim or reclaim.

Raises invalid_input for NULL.$$;

CREATE FUNCTION ff_claim_execution(
    execution_id           text,
    worker_id              text,
    worker_instance_id     text,
    lease_ttl_ms           bigint      DEFAULT NULL,
    grant_key              text        DEFAULT NULL,
    lease_id               uuid        DEFAULT NULL,
    attempt_id             uuid        DEFAULT NULL,
    expected_attempt_index integer     DEFAULT NULL,
    attempt_timeout_ms     bigint      DEFAULT NULL,
    deadline_at            timestamptz DEFAULT NULL)
  RETURNS SETOF ff_claimed
  LANGUAGE c VOLATILE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_claim_execution';
COMMENT ON FUNCTION ff_claim_execution(
    text, text, text, bigint, text, uuid, uuid, integer, bigint, timestamptz) IS
$$Take the execution that a claim grant reserves for this worker, and use the grant up. Access: worker.

lease_ttl_ms: milliseconds, default ffengine.default_lease_ttl. grant_key: default whichever grant the worker has. lease_id, attempt_id: the ids to give the lease and a new attempt, default new ones. expected_attempt_index: refuse unless the claim runs this attempt. attempt_timeout_ms: milliseconds that the attempt may take, in place of the policy's. deadline_at: in place of the execution's own.

Returns one row, as ff_claim.

Raises invalid_input, not_found, execution_not_active (it has ended or is suspended), lease_conflict (it is leased, or at another attempt), execution_not_leaseable (it waits for something), active_attempt_exists, use_claim_resumed_execution, invalid_claim_grant, claim_grant_expired and execution_not_eligible (its cancelled flow withholds it).$$;

CREATE FUNCTION ff_issue_grant_and_claim(
    execution_id       text,
    lease_ttl_ms       bigint DEFAULT NULL,
    worker_id          text   DEFAULT 'operator',
    worker_instance_id text   DEFAULT 'operator')
  RETURNS SETOF ff_claimed
  LANGUAGE c VOLATILE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_issue_grant_and_claim';
COMMENT ON FUNCTION ff_issue_grant_and_claim(text, bigint, text, text) IS
$$Take one named execution at once, without asking for capabilities, the lane's state or admission. Access: operator.

A paused attempt is pulled forward from whatever it waits for. lease_ttl_ms: milliseconds, default ffengine.default_lease_ttl.

Returns one row, as ff_claim. No grant stays behind.

Raises invalid_input, not_found, execution_not_active (it has ended or is suspended), lease_conflict (it is leased), grant_already_exists (it is reserved), execution_not_leaseable (it waits for something), active_attempt_exists and execution_not_eligible (its cancelled flow withholds it).$$;

CREATE FUNCTION ff_issue_reclaim_grant(
    execution_id        text,
    worker_id           text,
    worker_instance_id  text,
    capabilities        text[] DEFAULT '{}',
    grant_ttl_ms        bigint DEFAULT NULL,
    capability_hash     text   DEFAULT NULL,
    route_snapshot_json text   DEFAULT NULL,
    admission_summary   text   DEFAULT NULL)
  RETURNS TABLE (outcome text, execution_id text, lane_id text, grant_key text,
                 expires_at timestamptz, reclaim_count integer, detail text)
  LANGUAGE c VOLATILE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_issue_reclaim_grant';
COMMENT ON FUNCTION ff_issue_reclaim_grant(
    text, text, text, text[], bigint, text, text, text) IS
$$Reserve an execution whose lease is lost for a worker that will take it over; the engine leaves it alone while the grant lasts. Access: worker, operator.

For callers that steer recovery: with ffengine.reclaim_hold 0, the default, a lost lease's work is soon back in its lane for ff_claim. The arguments are those of ff_issue_claim_grant.

Returns one row: outcome granted with the grant_key for ff_reclaim_execution and reclaim_count, how often it was taken over so far; not_reclaimable, detail the state it is in or capability_mismatch: and the tokens that the worker lacks; reclaim_cap_exceeded with reclaim_count.

Raises invalid_input, invalid_capabilities, not_found, grant_already_exists (a live one is out) and execution_not_eligible (its cancelled flow withholds it).$$;

CREATE FUNCTION ff_reclaim_execution(
    execution_id       text,
    worker_id          text,
    worker_instance_id text,
    lease_ttl_ms       bigint  DEFAULT NULL,
    grant_key          text    DEFAULT NULL,
    lease_id           uuid    DEFAULT NULL,
    attempt_id         uuid    DEFAULT NULL,
    max_reclaim_count  integer DEFAULT NULL)
  RETURNS TABLE (outcome text, execution_id text, handle bytea, attempt_index integer,
                 attempt_id uuid, lease_id uuid, lease_epoch bigint,
                 lease_expires_at timestamptz, reclaim_count integer, payload bytea,
                 payload_encoding text, detail text)
  LANGUAGE c VOLATILE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_reclaim_execution';
COMMENT ON FUNCTION ff_reclaim_execution(
    text, text, text, bigint, text, uuid, uuid, integer) IS
$$Take over an execution whose lease is lost as a new attempt, by the reclaim grant that this worker has. Access: worker.

lease_ttl_ms: milliseconds, default ffengine.default_lease_ttl. grant_key: default whichever reclaim grant the execution has. lease_id, attempt_id: the ids to give, default new ones. max_reclaim_count: how many take-overs there may be where the policy does not say; default ffengine.default_max_reclaims.

Returns one row: outcome claimed, with a handle of kind reclaimed, the next attempt_index and a higher lease_epoch; grant_not_found (none, used, run out, or of another key); not_reclaimable, detail the state it is in; reclaim_cap_exceeded: the execution has failed. reclaim_count: with this take-over.

Raises invalid_input (another worker's grant too), not_found and execution_not_eligible (its cancelled flow withholds it).$$;

CREATE FUNCTION ff_claim_from_reclaim(
    execution_id       text,
    worker_id          text,
    worker_instance_id text,
    lease_ttl_ms       bigint DEFAULT NULL,
    grant_key          text   DEFAULT NULL)
  RETURNS SETOF ff_claimed
  LANGUAGE c VOLATILE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_claim_from_reclaim';
COMMENT ON FUNCTION ff_claim_from_reclaim(text, text, text, bigint, text) IS
$$Take over the same attempt of an execution whose lease is lost, or that is paused and may go on: for a worker that still has its state. Access: worker.

No grant is needed. grant_key: one that is given must be good and is used up. lease_ttl_ms: milliseconds, default ffengine.default_lease_ttl.

Returns one row, as ff_claim, with claim_kind resumed, the same attempt_index and a higher lease_epoch. No row, and nothing is changed, where it cannot be had: a live lease, ended, suspended, blocked, not due yet, work without a paused or lost attempt, or reserved for another worker. No row either where it was taken over too often: the execution has failed.

Raises invalid_input, not_found (the execution, or its attempt), invalid_claim_grant, claim_grant_expired and execution_not_eligible (its cancelled flow withholds it).$$;

CREATE FUNCTION ff_claim_from_resume_grant(
    execution_id       text,
    worker_id          text,
    worker_instance_id text,
    lease_ttl_ms       bigint DEFAULT NULL,
    grant_key          text   DEFAULT NULL)
  RETURNS SETOF ff_claimed
  LANGUAGE c VOLATILE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_claim_from_reclaim';
COMMENT ON FUNCTION ff_claim_from_resume_grant(text, text, text, bigint, text) IS
$$The later name of ff_claim_from_reclaim, the same function. Access: worker.$$;

CREATE FUNCTION ff_page(max_rows integer, most integer, VARIADIC cursor_given boolean[] DEFAULT '{}')
  RETURNS integer
  LANGUAGE c IMMUTABLE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'ff_page';
COMMENT ON FUNCTION ff_page(integer, integer, boolean[]) IS
  'The page size of a list function: max_rows, but at most `most`. invalid_input for NULL, for a '
  'negative one, and where some parts of the cursor are given and others are not.';

CREATE FUNCTION ff_in_range(value bigint, name text, low bigint, high bigint) RETURNS bigint
  LANGUAGE c IMMUTABLE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'ff_in_range';
COMMENT ON FUNCTION ff_in_range(bigint, text, bigint, bigint) IS
  'The value of the argument of that name; invalid_input for NULL and outside low..high.';

CREATE FUNCTION ff_list_lanes(cursor_lane_id text DEFAULT NULL, max_rows integer DEFAULT 100)
  RETURNS TABLE (lane_id text, state ff_lane_state, registered_at timestamptz, registered_by text,
                 state_changed_at timestamptz, state_reason text)
  LANGUAGE sql STABLE ROWS 100
BEGIN ATOMIC
  SELECT l.lane_id,
         l.state,
         ff_from_ms(l.registered_at_ms),
         l.registered_by,
         ff_from_ms(l.state_changed_at_ms),
         l.state_reason
    FROM ff_lane_registry l
   WHERE l.lane_id > coalesce(cursor_lane_id, ''::text)
   ORDER BY l.lane_id
   LIMIT ff_page(coalesce(max_rows, 100), 1000);
END;
COMMENT ON FUNCTION ff_list_lanes(text, integer) IS
$$The lanes that are registered, by the bytes of lane_id. Access: worker, operator, reader.

cursor_lane_id: the last lane of the page before, which need not exist any more. max_rows: 0-1000, more reads as 1000. state: active, paused (creates, no claims), draining (claims, no creation) or disabled (neither). What waits in each is in the view ff_lanes.

Raises invalid_input.$$;

CREATE FUNCTION ff_set_lane_state(lane_id text, state ff_lane_state, reason text DEFAULT NULL)
  RETURNS TABLE (outcome text, lane_id text, previous_state ff_lane_state)
  LANGUAGE c VOLATILE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_set_lane_state';
COMMENT ON FUNCTION ff_set_lane_state(text, ff_lane_state, text) IS
$$Open or close a lane. Access: operator.

state: active creates and claims; paused creates, no claims or grants; draining takes nothing new, claims go on, retries and delayed work too; disabled neither. Work already leased goes on in all four, and no execution changes with it. reason: 0-1024 bytes, shown by ff_list_lanes.

Returns one row: outcome changed, unchanged (nothing was written) or registered (the lane was unknown; previous_state NULL). Going to active or draining wakes the workers that wait for the lane.

Raises invalid_input.$$;

CREATE FUNCTION ff_scan_eligible_executions(
    lane_id             text,
    partition_key       integer     DEFAULT NULL,
    cursor_priority     integer     DEFAULT NULL,
    cursor_created_at   timestamptz DEFAULT NULL,
    cursor_execution_id text        DEFAULT NULL,
    max_rows            integer     DEFAULT 100)
  RETURNS TABLE (execution_id text, priority integer, created_at timestamptz,
                 required_capabilities text[], resumable boolean)
  LANGUAGE sql STABLE ROWS 100
BEGIN ATOMIC
  -- what the arguments may be
  SELECT ff_lane_partition(coalesce(lane_id, ''::text)),
         ff_execution_id(partition_key, '00000000-0000-0000-0000-000000000000');

  -- The claim indexes hold the order inside one capability class: step over the classes of the
  -- lane, take a page of each, merge.
  WITH RECURSIVE
  asked AS MATERIALIZED (
    SELECT ff_page(coalesce(max_rows, 100), 1000, cursor_priority IS NOT NULL,
                   cursor_created_at IS NOT NULL, cursor_execution_id IS NOT NULL) AS rows,
           coalesce(cursor_priority, 2147483647) AS priority,
           coalesce(ff_to_ms(cursor_created_at), -1) AS created_at_ms,
           coalesce(ff_execution_uuid(cursor_execution_id),
                    '00000000-0000-0000-0000-000000000000') AS execution_id),
  fresh AS (
    (SELECT e.caps_hash
       FROM ff_exec_core e
      WHERE e.lane_id = ff_scan_eligible_executions.lane_id
        AND e.lifecycle_phase = 'runnable' AND e.ownership_state = 'unowned'
        AND e.eligibility_state = 'eligible_now' AND e.public_state <> 'resumable'
      ORDER BY e.caps_hash DESC, e.priority, e.created_at_ms DESC, e.execution_id DESC
      LIMIT 1)
    UNION ALL
    SELECT n.caps_hash
      FROM fresh f
     CROSS JOIN LATERAL (
           SELECT e.caps_hash
             FROM ff_exec_core e
            WHERE e.lane_id = ff_scan_eligible_executions.lane_id
              AND e.lifecycle_phase = 'runnable' AND e.ownership_state = 'unowned'
              AND e.eligibility_state = 'eligible_now' AND e.public_state <> 'resumable'
              AND e.caps_hash < f.caps_hash
            ORDER BY e.caps_hash DESC, e.priority, e.created_at_ms DESC, e.execution_id DESC
            LIMIT 1) n),
  resumable AS (
    (SELECT e.caps_hash
       FROM ff_exec_core e
      WHERE e.lane_id = ff_scan_eligible_executions.lane_id
        AND e.public_state = 'resumable' AND e.eligibility_state = 'eligible_now'
      ORDER BY e.caps_hash DESC, e.priority, e.created_at_ms DESC, e.execution_id DESC
      LIMIT 1)
    UNION ALL
    SELECT n.caps_hash
      FROM resumable r
     CROSS JOIN LATERAL (
           SELECT e.caps_hash
             FROM ff_exec_core e
            WHERE e.lane_id = ff_scan_eligible_executions.lane_id
              AND e.public_state = 'resumable' AND e.eligibility_state = 'eligible_now'
              AND e.caps_hash < r.caps_hash
            ORDER BY e.caps_hash DESC, e.priority, e.created_at_ms DESC, e.execution_id DESC
            LIMIT 1) n),
  page AS (
    SELECT p.*
      FROM asked a
     CROSS JOIN fresh f
     CROSS JOIN LATERAL (
           SELECT e.partition_key, e.execution_id, e.priority, e.created_at_ms,
                  e.required_capabilities, false AS resumable
             FROM ff_exec_core e
            WHERE e.lane_id = ff_scan_eligible_executions.lane_id
              AND e.lifecycle_phase = 'runnable' AND e.ownership_state = 'unowned'
              AND e.eligibility_state = 'eligible_now' AND e.public_state <> 'resumable'
              AND e.caps_hash = f.caps_hash
              AND e.priority <= a.priority
              AND (e.priority < a.priority
                   OR (e.created_at_ms, e.execution_id) > (a.created_at_ms, a.execution_id))
              AND (ff_scan_eligible_executions.partition_key IS NULL
                   OR e.partition_key = ff_scan_eligible_executions.partition_key)
            ORDER BY e.priority DESC, e.created_at_ms, e.execution_id
            LIMIT a.rows) p
    UNION ALL
    SELECT p.*
      FROM asked a
     CROSS JOIN resumable r
     CROSS JOIN LATERAL (
           SELECT e.partition_key, e.execution_id, e.priority, e.created_at_ms,
                  e.required_capabilities, true AS resumable
             FROM ff_exec_core e
            WHERE e.lane_id = ff_scan_eligible_executions.lane_id
              AND e.public_state = 'resumable' AND e.eligibility_state = 'eligible_now'
              AND e.lifecycle_phase = 'runnable'
              AND e.caps_hash = r.caps_hash
              AND e.priority <= a.priority
              AND (e.priority < a.priority
                   OR (e.created_at_ms, e.execution_id) > (a.created_at_ms, a.execution_id))
              AND (ff_scan_eligible_executions.partition_key IS NULL
                   OR e.partition_key = ff_scan_eligible_executions.partition_key)
            ORDER BY e.priority DESC, e.created_at_ms, e.execution_id
            LIMIT a.rows) p)
  SELECT ff_execution_id(p.partition_key::integer, p.execution_id),
         p.priority,
         ff_from_ms(p.created_at_ms),
         p.required_capabilities,
         p.resumable
    FROM page p
   ORDER BY p.priority DESC, p.created_at_ms, p.execution_id
   LIMIT (SELECT a.rows FROM asked a);
END;
COMMENT ON FUNCTION ff_scan_eligible_executions(
    text, integer, integer, timestamptz, text, integer) IS
$$What a lane has to hand out, in claim order, for schedulers that place work themselves. Access: worker, operator, reader.

partition_key: 0-255, default all. cursor_*: priority, created_at and execution_id of the last row of the page before, all three or none. max_rows: 0-1000, more reads as 1000. resumable: to be claimed by ff_claim_resumed_execution. Takes no lock, so a row may be gone when it is claimed.

Costs one index descent and one page for each set of required capabilities that the lane holds, whatever the backlog. Raises invalid_input.$$;

CREATE FUNCTION ff_block_route(
    execution_id  text,
    reason_code   text DEFAULT 'waiting_for_capable_worker',
    reason_detail text DEFAULT NULL)
  RETURNS TABLE (outcome text, execution_id text, detail text)
  LANGUAGE c VOLATILE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_block_route';
COMMENT ON FUNCTION ff_block_route(text, text, text) IS
$$Take an eligible execution out of the claims' way. Access: operator.

reason_code: waiting_for_capable_worker or waiting_for_locality_match (lifted once a live registered worker serves the lane with all the capabilities), waiting_for_budget, waiting_for_quota, paused_by_operator, paused_by_policy. reason_detail: at most 1024 bytes, shown by ff_executions.

Returns one row: outcome blocked with the detail, also where it was blocked for this reason already; or rejected, detail naming the state that it is in, nothing changed.

Raises invalid_blocking_reason, not_found and invalid_input.$$;

CREATE FUNCTION ff_unblock_execution(execution_id text, expected_blocking_reason text DEFAULT NULL)
  RETURNS TABLE (outcome text, execution_id text, public_state ff_public_state)
  LANGUAGE c VOLATILE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_unblock_execution';
COMMENT ON FUNCTION ff_unblock_execution(text, text) IS
$$Let a blocked execution go on, whatever it was blocked for. Access: operator.

expected_blocking_reason: refuse if it is blocked for another. What the block stood for is not looked at again; the next claim does. It goes back to waiting for its dependencies, to its delay, or into the queue.

Returns one row, outcome unblocked and the state it has now.

Raises not_found and execution_not_eligible: not blocked, for another reason than expected, or by the cancellation of its flow.$$;

CREATE FUNCTION ff_renew_lease(
    execution_id  text,
    lease_ttl_ms  bigint,
    lease_id      uuid,
    lease_epoch   bigint,
    attempt_id    uuid,
    attempt_index integer DEFAULT NULL)
  RETURNS TABLE (lease_epoch bigint, lease_expires_at timestamptz)
  LANGUAGE c VOLATILE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_renew_lease';
COMMENT ON FUNCTION ff_renew_lease(text, bigint, uuid, bigint, uuid, integer) IS
$$ff_renew for a service that holds the lease triple instead of the handle. Access: worker.

lease_ttl_ms: milliseconds, 1..ffengine.max_lease_ttl. lease_id, lease_epoch, attempt_id: the triple; the ids are compared where the attempt has them. attempt_index: default the current one.

Returns one row with the unchanged epoch and the new end. Raises invalid_input (fence_required, partial_fence_triple), not_found, lease_revoked, stale_lease, execution_not_active, lease_expired.$$;

CREATE FUNCTION ff_progress(handle bytea, percent integer DEFAULT NULL, message text DEFAULT NULL)
  RETURNS void
  LANGUAGE c VOLATILE
  AS 'MODULE_PATHNAME', 'ff_progress';
COMMENT ON FUNCTION ff_progress(bytea, integer, text) IS
$$Note how far an execution is. Access: worker.

percent: 0-100, may go backwards. message: at most 4096 bytes. NULL keeps the earlier value. Extends no lease and writes no event; the view ff_executions shows it. Raises invalid_input and the fence's errors, as ff_renew.$$;

CREATE FUNCTION ff_complete_execution(
    execution_id    text,
    result          bytea   DEFAULT NULL,
    result_encoding text    DEFAULT NULL,
    lease_id        uuid    DEFAULT NULL,
    lease_epoch     bigint  DEFAULT NULL,
    attempt_id      uuid    DEFAULT NULL,
    attempt_index   integer DEFAULT NULL,
    source          text    DEFAULT 'lease_holder')
  RETURNS TABLE (outcome text, execution_id text, public_state ff_public_state, replayed boolean)
  LANGUAGE c VOLATILE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_complete_execution';
COMMENT ON FUNCTION ff_complete_execution(text, bytea, text, uuid, bigint, uuid, integer, text) IS
$$ff_complete by lease triple, or without one by an operator. Access: worker.

lease_id, lease_epoch, attempt_id: all three, or none with source operator_override, which needs the calling role to have operator access too and a live lease all the same. attempt_index: default the current one. source: on whose authority, 1-64 bytes; kept with the attempt.

Returns and raises as ff_complete, a mismatch being stale_lease; besides invalid_input (fence_required, partial_fence_triple) and unauthorized.$$;

CREATE FUNCTION ff_fail_execution(
    execution_id     text,
    reason           text,
    failure_class    text    DEFAULT 'transient',
    failure_category text    DEFAULT NULL,
    detail           bytea   DEFAULT NULL,
    retry_policy     jsonb   DEFAULT NULL,
    lease_id         uuid    DEFAULT NULL,
    lease_epoch      bigint  DEFAULT NULL,
    attempt_id       uuid    DEFAULT NULL,
    attempt_index    integer DEFAULT NULL,
    source           text    DEFAULT 'lease_holder')
  RETURNS TABLE (outcome text, execution_id text, public_state ff_public_state,
                 next_attempt_index integer, delay_until timestamptz, replayed boolean)
  LANGUAGE c VOLATILE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_fail_execution';
COMMENT ON FUNCTION ff_fail_execution(
    text, text, text, text, bytea, jsonb, uuid, bigint, uuid, integer, text) IS
$$ff_fail by lease triple, or without one by an operator. Access: worker.

retry_policy: as in a policy, in place of the execution's for this call; {"max_retries":0} forbids a retry. The triple, attempt_index and source as in ff_complete_execution.

Returns and raises as ff_fail, a mismatch being stale_lease; besides invalid_policy_json, invalid_input (fence_required, partial_fence_triple) and unauthorized.$$;

CREATE FUNCTION ff_delay(handle bytea, delay_until timestamptz)
  RETURNS TABLE (outcome text, execution_id text, public_state ff_public_state,
                 eligible_at timestamptz, replayed boolean)
  LANGUAGE c VOLATILE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_delay';
COMMENT ON FUNCTION ff_delay(bytea, timestamptz) IS
$$Pause one's attempt until an instant; a past one makes it claimable at once. Access: worker.

The lease ends; the next claim continues the same attempt, claim_kind resumed. Returns one row, outcome delayed; a call that is sent again while it waits for that very instant gives the same, replayed. Raises invalid_input and the fence's errors, as ff_renew.$$;

CREATE FUNCTION ff_wait_children(handle bytea)
  RETURNS TABLE (outcome text, execution_id text, public_state ff_public_state, replayed boolean)
  LANGUAGE c VOLATILE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_wait_children';
COMMENT ON FUNCTION ff_wait_children(bytea) IS
$$Pause one's attempt until its dependencies are met; where nothing is to be waited for it is claimable at once. Access: worker.

The lease ends; the next claim continues the same attempt, claim_kind resumed. Returns one row, outcome waiting; a call that is sent again gives the same, replayed. Raises the fence's errors, as ff_renew.$$;

CREATE FUNCTION ff_cancel(handle bytea, reason text DEFAULT '')
  RETURNS TABLE (outcome text, execution_id text, public_state ff_public_state, replayed boolean)
  LANGUAGE c VOLATILE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_cancel';
COMMENT ON FUNCTION ff_cancel(bytea, text) IS
$$Cancel one's own execution. Access: worker.

reason: at most 1024 bytes, stored and shown to readers. The lease need not be live any more, as long as nobody has taken over. Returns one row, outcome cancelled; replayed if it was cancelled before. Raises invalid_input, not_found, execution_not_active (it ended otherwise), lease_revoked, lease_conflict and the handle's errors.$$;

CREATE FUNCTION ff_complete_many(handles bytea[], results bytea[] DEFAULT NULL)
  RETURNS TABLE ("position" integer, execution_id text, outcome text, sqlstate text, message text)
  LANGUAGE c VOLATILE ROWS 50
  AS 'MODULE_PATHNAME', 'ff_complete_many';
COMMENT ON FUNCTION ff_complete_many(bytea[], bytea[]) IS
$$ff_complete for up to 1000 handles in one round trip. Access: worker.

results: one for each handle, NULL elements for none; NULL: none at all. Returns a row per handle in input order, position from 1: outcome completed, or refused with sqlstate and message; a refused one does not fail the others. Raises invalid_input for handles NULL, of several dimensions or too many, and for results of another length.$$;

CREATE FUNCTION ff_renew_many(handles bytea[])
  RETURNS TABLE ("position" integer, execution_id text, outcome text, sqlstate text, message text)
  LANGUAGE c VOLATILE ROWS 50
  AS 'MODULE_PATHNAME', 'ff_renew_many';
COMMENT ON FUNCTION ff_renew_many(bytea[]) IS
$$ff_renew for up to 1000 handles in one round trip, each with its own ttl. Access: worker.

Returns a row per handle in input order, position from 1: outcome renewed, or refused with sqlstate and message. Raises invalid_input as ff_complete_many.$$;

CREATE FUNCTION ff_mark_lease_expired_if_due(execution_id text)
  RETURNS TABLE (outcome text, detail text)
  LANGUAGE c VOLATILE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_mark_lease_expired_if_due';
COMMENT ON FUNCTION ff_mark_lease_expired_if_due(text) IS
$$Give a lost lease's work back to its lane, or fail it at its cap; with a hold keep it for reclaiming first. What the lease_expiry reconciler does, for one execution. Access: operator.

Returns one row: outcome marked_expired (detail requeued, held or failed), released (requeued or failed), or already_satisfied with why nothing was done: execution_not_found, not_active, unowned, not_yet_expired, grant_outstanding, already_expired, already_revoked. Safe at any time and twice. Raises invalid_input for a malformed id.$$;

CREATE FUNCTION ff_promote_delayed(execution_id text)
  RETURNS TABLE (outcome text, public_state ff_public_state)
  LANGUAGE c VOLATILE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_promote_delayed';
COMMENT ON FUNCTION ff_promote_delayed(text) IS
$$Make delayed work claimable whose time has come. What the delayed_promoter reconciler does, for one execution. Access: operator.

Returns one row: outcome promoted, not_yet_due, not_delayed, not_runnable or not_found, and the state it has now. Raises invalid_input for a malformed id.$$;

CREATE FUNCTION ff_expire_execution(execution_id text, phase text)
  RETURNS TABLE (outcome text, public_state ff_public_state)
  LANGUAGE c VOLATILE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_expire_execution';
COMMENT ON FUNCTION ff_expire_execution(text, text) IS
$$End or retry an execution whose time is over. What the reconcilers attempt_timeout and execution_deadline do, for one execution. Access: operator.

phase: attempt_timeout (the running attempt; retried at once while retries are left) or execution_deadline (in every phase). Returns one row: outcome expired, retry_scheduled, not_due, already_terminal or not_found, and the state it has now. Raises invalid_input.$$;

CREATE FUNCTION ff_register_worker(
    worker_id          text,
    worker_instance_id text,
    lanes              text[],
    capabilities       text[] DEFAULT '{}',
    liveness_ttl_ms    bigint DEFAULT 60000,
    namespace          text   DEFAULT 'default')
  RETURNS TABLE (outcome text, next_expiry_at timestamptz)
  LANGUAGE c VOLATILE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_register_worker';
COMMENT ON FUNCTION ff_register_worker(text, text, text[], text[], bigint, text) IS
$$Tell routing and operators of a worker process; claiming needs no registration. Access: worker.

worker_id: the pool, worker_instance_id: the process. lanes: 1-256 it serves. capabilities: its tokens. liveness_ttl_ms: milliseconds, 1..86400000, until it counts as gone unless ff_heartbeat_worker comes.

Returns one row: outcome registered, or refreshed where it is registered and live, all but registered_at replaced; and when it counts as gone.

Raises invalid_input (instance_id reassigned: another worker_id has this instance), invalid_capabilities.$$;

CREATE FUNCTION ff_heartbeat_worker(worker_instance_id text, namespace text DEFAULT 'default')
  RETURNS TABLE (outcome text, next_expiry_at timestamptz)
  LANGUAGE c VOLATILE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_heartbeat_worker';
COMMENT ON FUNCTION ff_heartbeat_worker(text, text) IS
$$A registered worker lives on, for its liveness_ttl_ms from now. Access: worker.

Returns one row: outcome refreshed and when it counts as gone; or not_registered, then or never: register again. Raises invalid_input.$$;

CREATE FUNCTION ff_mark_worker_dead(
    worker_instance_id text, reason text, namespace text DEFAULT 'default')
  RETURNS TABLE (outcome text)
  LANGUAGE c VOLATILE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_mark_worker_dead';
COMMENT ON FUNCTION ff_mark_worker_dead(text, text, text) IS
$$Strike a worker process off the registry. Access: operator.

reason: 0-256 bytes without control characters, for the event. Its leases are not touched: they lapse by themselves, or are revoked. Returns one row: outcome marked or not_registered. Raises invalid_input.$$;

CREATE FUNCTION ff_list_workers(
    namespace                 text    DEFAULT NULL,
    cursor_namespace          text    DEFAULT NULL,
    cursor_worker_instance_id text    DEFAULT NULL,
    max_rows                  integer DEFAULT 1000)
  RETURNS TABLE (namespace text, worker_instance_id text, worker_id text, lanes text[],
                 capabilities text[], last_heartbeat_at timestamptz, liveness_ttl_ms bigint,
                 registered_at timestamptz, expires_at timestamptz)
  LANGUAGE sql STABLE ROWS 100
BEGIN ATOMIC
  SELECT w.namespace,
         w.worker_instance_id,
         w.worker_id,
         w.lanes,
         string_to_array(w.capabilities_csv, ','::text),
         ff_from_ms(w.last_heartbeat_ms),
         w.liveness_ttl_ms,
         ff_from_ms(w.registered_at_ms),
         ff_from_ms(w.last_heartbeat_ms + w.liveness_ttl_ms)
    FROM ff_worker_registry w
   WHERE (w.namespace, w.worker_instance_id)
         > (coalesce(cursor_namespace, ''::text), coalesce(cursor_worker_instance_id, ''::text))
     AND (ff_list_workers.namespace IS NULL OR w.namespace = ff_list_workers.namespace)
     AND w.last_heartbeat_ms + w.liveness_ttl_ms > (SELECT ff_server_time_ms())
   ORDER BY w.namespace, w.worker_instance_id
   LIMIT ff_page(coalesce(max_rows, 1000), 1000, cursor_namespace IS NOT NULL,
                 cursor_worker_instance_id IS NOT NULL);
END;
COMMENT ON FUNCTION ff_list_workers(text, text, text, integer) IS
$$The registered workers that live, by the bytes of namespace and worker_instance_id. Access: operator, reader.

namespace: default all. cursor_*: both of the last row of the page before, or neither. max_rows: 0-1000, more reads as 1000. expires_at: when it counts as gone unless it gives a sign. Raises invalid_input.$$;

CREATE FUNCTION ff_list_expired_leases(
    as_of               timestamptz DEFAULT NULL,
    namespace           text        DEFAULT NULL,
    cursor_expires_at   timestamptz DEFAULT NULL,
    cursor_execution_id text        DEFAULT NULL,
    max_rows            integer     DEFAULT 1000)
  RETURNS TABLE (execution_id text, attempt_index integer, lease_id uuid, lease_epoch bigint,
                 worker_id text, worker_instance_id text, lease_expires_at timestamptz,
                 lane_id text, namespace text)
  LANGUAGE sql STABLE ROWS 100
BEGIN ATOMIC
  WITH
  asked AS MATERIALIZED (
    SELECT ff_page(coalesce(max_rows, 1000), 10000, cursor_expires_at IS NOT NULL,
                   cursor_execution_id IS NOT NULL) AS rows,
           coalesce(ff_to_ms(as_of), ff_server_time_ms()) AS now_ms,
           coalesce(ff_to_ms(cursor_expires_at), -1) AS expires_at_ms,
           coalesce(ff_execution_uuid(cursor_execution_id),
                    '00000000-0000-0000-0000-000000000000') AS execution_id,
           coalesce(ff_execution_partition(cursor_execution_id), -1) AS partition_key),
  lapsed AS (
    -- lease_check_at_ms is never later than the end of a live lease
    SELECT e.partition_key, e.execution_id
      FROM ff_attempt t
      JOIN ff_exec_core e
        ON e.partition_key = t.partition_key AND e.execution_id = t.execution_id
       AND e.attempt_index = t.attempt_index
     WHERE t.lease_check_at_ms <= (SELECT a.now_ms FROM asked a)
       AND e.ownership_state NOT IN ('lease_expired_reclaimable', 'lease_revoked')
    UNION ALL
    -- the held ones are looked at when their hold is over, but have lapsed before
    SELECT e.partition_key, e.execution_id
      FROM ff_exec_core e
     WHERE e.ownership_state IN ('lease_expired_reclaimable', 'lease_revoked'))
  SELECT ff_execution_id(e.partition_key::integer, e.execution_id),
         t.attempt_index,
         t.lease_id,
         t.lease_epoch,
         t.worker_id,
         t.worker_instance_id,
         ff_from_ms(t.lease_expires_at_ms),
         e.lane_id,
         e.namespace
    FROM asked a
   CROSS JOIN lapsed l
    JOIN ff_exec_core e
      ON e.partition_key = l.partition_key AND e.execution_id = l.execution_id
    JOIN ff_attempt t
      ON t.partition_key = e.partition_key AND t.execution_id = e.execution_id
     AND t.attempt_index = e.attempt_index
   WHERE e.lifecycle_phase = 'active'
     AND t.lease_expires_at_ms <= a.now_ms
     AND (ff_list_expired_leases.namespace IS NULL
          OR e.namespace = ff_list_expired_leases.namespace)
     AND (t.lease_expires_at_ms, e.execution_id, e.partition_key)
         > (a.expires_at_ms, a.execution_id, a.partition_key)
   ORDER BY t.lease_expires_at_ms, e.execution_id, e.partition_key
   LIMIT (SELECT a.rows FROM asked a);
END;
COMMENT ON FUNCTION ff_list_expired_leases(timestamptz, text, timestamptz, text, integer) IS
$$Executions whose lease has lapsed and that nobody has taken over yet, held ones included, by the lease's end. Access: operator, reader.

as_of: default now; a later instant shows what will lapse unless it is renewed. namespace: default all. cursor_*: lease_expires_at and execution_id of the last row of the page before, both or neither. max_rows: 0-10000, more reads as 10000. lease_id is NULL where the attempt has none. Raises invalid_input.$$;

CREATE FUNCTION ff_version() RETURNS text
  LANGUAGE c STABLE PARALLEL SAFE
  AS 'MODULE_PATHNAME', 'ff_version';
COMMENT ON FUNCTION ff_version() IS
  'The version compiled into the loaded library, major.minor.patch.';

CREATE FUNCTION ff_ping() RETURNS boolean
  LANGUAGE c STABLE
  AS 'MODULE_PATHNAME', 'ff_ping';
COMMENT ON FUNCTION ff_ping() IS
  'True: the engine answers. unavailable when the library and the installed schema are of different '
  'versions. Touches no table of the engine and works on a standby.';

-- Every table is bounded by itself, so that a few executions cost little.
CREATE FUNCTION ff_violations(
    after_partition smallint, after_execution uuid, last_partition smallint, last_execution uuid)
  RETURNS TABLE (invariant text, partition_key smallint, execution_id uuid, detail text)
  LANGUAGE sql STABLE ROWS 10
BEGIN ATOMIC
  WITH
  -- each execution with its current attempt
  x AS NOT MATERIALIZED (
    SELECT e.partition_key, e.execution_id, e.attempt_index, e.lifecycle_phase, e.ownership_state,
           e.eligibility_state, e.blocking_reason, e.attempt_state, e.public_state,
           e.terminal_outcome, e.terminal_at_ms, e.eligible_at_ms,
           e.lifecycle_phase IN ('terminal', 'cancelled') AS ended,
           a.execution_id IS NOT NULL AS attempted,
           a.outcome,
           a.lease_expires_at_ms,
           a.lease_check_at_ms,
           e.attempt_state = 'attempt_interrupted'
             AND a.outcome IS NOT DISTINCT FROM 'attempt_interrupted' AS resumed,
           ff_derive_public_state(e.lifecycle_phase, e.eligibility_state, e.attempt_state,
                                  e.terminal_outcome, a.outcome) AS derived_state
      FROM ff_exec_core e
      LEFT JOIN ff_attempt a
        ON a.partition_key = e.partition_key AND a.execution_id = e.execution_id
       AND a.attempt_index = e.attempt_index
       AND (a.partition_key, a.execution_id) > (after_partition, after_execution)
       AND (a.partition_key, a.execution_id) <= (last_partition, last_execution)
     WHERE (e.partition_key, e.execution_id) > (after_partition, after_execution)
       AND (e.partition_key, e.execution_id) <= (last_partition, last_execution)),
  violation AS (
    SELECT 'vector'::text AS invariant, x.partition_key, x.execution_id,
           pg_catalog.concat_ws(' ', x.lifecycle_phase, x.ownership_state, x.eligibility_state,
                                coalesce(x.blocking_reason::text, '-'::text), x.attempt_state)
             AS detail
      FROM x
     WHERE NOT CASE x.lifecycle_phase
       WHEN 'runnable' THEN
         x.ownership_state = 'unowned'
         AND x.attempt_state IN ('pending_first_attempt', 'pending_retry_attempt',
                                 'pending_replay_attempt', 'attempt_interrupted')
         AND CASE x.eligibility_state
               WHEN 'eligible_now' THEN x.blocking_reason IS NOT DISTINCT FROM 'waiting_for_worker'
               WHEN 'pending_claim' THEN x.blocking_reason IS NOT DISTINCT FROM 'waiting_for_worker'
               WHEN 'not_eligible_until_time' THEN
                 CASE WHEN x.resumed
                      THEN x.blocking_reason IS NOT DISTINCT FROM 'waiting_for_resume_delay'
                      ELSE coalesce(x.blocking_reason IN ('waiting_for_delay',
                                                          'waiting_for_retry_backoff'), false)
                 END
               WHEN 'blocked_by_dependencies' THEN
                 x.blocking_reason IS NOT DISTINCT FROM 'waiting_for_children'
               WHEN 'blocked_by_budget' THEN
                 x.blocking_reason IS NOT DISTINCT FROM 'waiting_for_budget'
               WHEN 'blocked_by_quota' THEN
                 x.blocking_reason IS NOT DISTINCT FROM 'waiting_for_quota'
               WHEN 'blocked_by_route' THEN
                 coalesce(x.blocking_reason IN ('waiting_for_capable_worker',
                                                'waiting_for_locality_match'), false)
               WHEN 'blocked_by_lane_state' THEN
                 x.blocking_reason IS NOT DISTINCT FROM 'paused_by_policy'
               WHEN 'blocked_by_operator' THEN
                 coalesce(x.blocking_reason IN ('paused_by_operator', 'paused_by_flow_cancel'),
                          false)
               ELSE false
             END
       WHEN 'active' THEN
         x.eligibility_state = 'not_applicable'
         AND CASE x.ownership_state
               WHEN 'leased' THEN
                 x.blocking_reason IS NULL AND x.attempt_state = 'running_attempt'
               WHEN 'lease_expired_reclaimable' THEN
                 x.blocking_reason IS NOT DISTINCT FROM 'waiting_for_worker'
                 AND x.attempt_state = 'attempt_interrupted'
               WHEN 'lease_revoked' THEN
                 x.blocking_reason IS NOT DISTINCT FROM 'waiting_for_worker'
                 AND x.attempt_state = 'attempt_interrupted'
               ELSE false
             END
       WHEN 'suspended' THEN
         x.ownership_state = 'released' AND x.eligibility_state = 'not_applicable'
         AND x.attempt_state = 'attempt_interrupted'
         AND coalesce(x.blocking_reason IN (
               'waiting_for_signal', 'waiting_for_approval', 'waiting_for_callback',
               'waiting_for_tool_result', 'waiting_for_operator_review', 'waiting_for_budget',
               'paused_by_policy', 'paused_by_operator'), false)
       WHEN 'submitted' THEN
         false
       ELSE
         x.ownership_state = 'unowned' AND x.eligibility_state = 'not_applicable'
         AND x.blocking_reason IS NULL
         AND (x.attempt_state = 'attempt_terminal'
              OR x.attempt_state = 'none'
                 AND NOT EXISTS (SELECT
                                   FROM ff_attempt a
                                  WHERE a.partition_key = x.partition_key
                                    AND a.execution_id = x.execution_id))
         AND (x.terminal_outcome IS NULL
              OR (x.terminal_outcome = 'cancelled') = (x.lifecycle_phase = 'cancelled'))
       END
    UNION ALL
    SELECT 'public_state', x.partition_key, x.execution_id,
           pg_catalog.format('%s, but the vector says %s', x.public_state, x.derived_state)
      FROM x
     WHERE x.public_state <> x.derived_state
    UNION ALL
    SELECT 'ended', x.partition_key, x.execution_id,
           pg_catalog.format('%s, terminal_at_ms %s, terminal_outcome %s', x.lifecycle_phase,
                             coalesce(x.terminal_at_ms::text, '-'::text),
                             coalesce(x.terminal_outcome::text, '-'::text))
      FROM x
     WHERE (x.terminal_at_ms IS NOT NULL) <> x.ended
        OR (x.terminal_outcome IS NOT NULL) <> x.ended
    UNION ALL
    SELECT 'leased', x.partition_key, x.execution_id,
           pg_catalog.format('%s, lease_expires_at_ms %s, leases of other attempts %s',
                             x.ownership_state, coalesce(x.lease_expires_at_ms::text, '-'::text),
                             coalesce(o.leases, 0))
      FROM x
      LEFT JOIN (SELECT a.partition_key, a.execution_id, count(*) AS leases
                   FROM ff_attempt a
                   JOIN ff_exec_core e
                     ON e.partition_key = a.partition_key AND e.execution_id = a.execution_id
                  WHERE a.lease_expires_at_ms IS NOT NULL
                    AND (a.partition_key, a.execution_id) > (after_partition, after_execution)
                    AND (a.partition_key, a.execution_id) <= (last_partition, last_execution)
                    AND a.attempt_index <> e.attempt_index
                  GROUP BY a.partition_key, a.execution_id) o
        ON o.partition_key = x.partition_key AND o.execution_id = x.execution_id
     WHERE x.ownership_state <> 'lease_expired_reclaimable'
           AND (x.ownership_state = 'leased') <> (x.lease_expires_at_ms IS NOT NULL)
        OR o.leases > 0
    UNION ALL
    SELECT 'lease_check', x.partition_key, x.execution_id,
           pg_catalog.format('lease_check_at_ms %s, lease_expires_at_ms %s',
                             coalesce(x.lease_check_at_ms::text, '-'::text), x.lease_expires_at_ms)
      FROM x
     WHERE x.ownership_state = 'leased'
       AND x.lease_expires_at_ms IS NOT NULL
       AND (x.lease_check_at_ms IS NULL OR x.lease_check_at_ms > x.lease_expires_at_ms)
    UNION ALL
    SELECT 'eligible_at', x.partition_key, x.execution_id, 'eligible_at_ms is not set'
      FROM x
     WHERE x.eligibility_state = 'not_eligible_until_time'
       AND x.eligible_at_ms IS NULL
    UNION ALL
    SELECT 'suspended', x.partition_key, x.execution_id,
           pg_catalog.format('%s, open suspension %s', x.lifecycle_phase,
                             coalesce(s.suspension_id::text, '-'::text))
      FROM x
      LEFT JOIN ff_suspension_current s
        ON s.partition_key = x.partition_key AND s.execution_id = x.execution_id
       AND s.closed_at_ms IS NULL
       AND (s.partition_key, s.execution_id) > (after_partition, after_execution)
       AND (s.partition_key, s.execution_id) <= (last_partition, last_execution)
     WHERE (x.lifecycle_phase = 'suspended') <> (s.execution_id IS NOT NULL)
    UNION ALL
    SELECT 'grant', x.partition_key, x.execution_id, 'pending_claim without a claim grant'
      FROM x
     WHERE x.eligibility_state = 'pending_claim'
       AND NOT EXISTS (SELECT
                         FROM ff_claim_grant g
                        WHERE g.partition_key = x.partition_key
                          AND g.execution_id = x.execution_id
                          AND g.kind = 'claim')
    UNION ALL
    SELECT 'attempt', x.partition_key, x.execution_id,
           pg_catalog.format('%s, attempt_index %s, highest attempt %s', x.attempt_state,
                             x.attempt_index, coalesce(t.top::text, '-'::text))
      FROM x
      LEFT JOIN (SELECT a.partition_key, a.execution_id, max(a.attempt_index) AS top
                   FROM ff_attempt a
                  WHERE (a.partition_key, a.execution_id) > (after_partition, after_execution)
                    AND (a.partition_key, a.execution_id) <= (last_partition, last_execution)
                  GROUP BY a.partition_key, a.execution_id) t
        ON t.partition_key = x.partition_key AND t.execution_id = x.execution_id
     WHERE x.attempt_state IN ('running_attempt', 'attempt_interrupted') AND NOT x.attempted
        OR x.attempt_state = 'attempt_terminal' AND t.top IS NULL
        OR t.top > x.attempt_index
    UNION ALL
    SELECT 'epoch', r.partition_key, r.execution_id,
           'lease_epoch by attempt: '::text
           || pg_catalog.string_agg(r.lease_epoch::text, ' '::text ORDER BY r.attempt_index)
      FROM (SELECT a.partition_key, a.execution_id, a.attempt_index, a.lease_epoch,
                   a.lease_epoch <= pg_catalog.lag(a.lease_epoch) OVER (
                     PARTITION BY a.partition_key, a.execution_id
                     ORDER BY a.attempt_index) AS falls
              FROM ff_attempt a
             WHERE (a.partition_key, a.execution_id) > (after_partition, after_execution)
               AND (a.partition_key, a.execution_id) <= (last_partition, last_execution)) r
     GROUP BY r.partition_key, r.execution_id
    HAVING bool_or(r.falls)
    UNION ALL
    SELECT 'retired_waitpoint', x.partition_key, x.execution_id,
           pg_catalog.format('%s, open waitpoints %s', x.lifecycle_phase, count(*))
      FROM x
      JOIN ff_waitpoint_pending w
        ON w.partition_key = x.partition_key AND w.execution_id = x.execution_id
     WHERE x.ended
       AND w.state IN ('pending', 'active')
       AND (w.partition_key, w.execution_id) > (after_partition, after_execution)
       AND (w.partition_key, w.execution_id) <= (last_partition, last_execution)
     GROUP BY x.partition_key, x.execution_id, x.lifecycle_phase
    UNION ALL
    SELECT 'edge_group', g.partition_key, g.downstream_eid,
           pg_catalog.format('counted: %s satisfied, %s impossible, %s staged; found: %s, %s, %s',
                             g.success_count, g.fail_count + g.skip_count, g.staged_count,
                             n.satisfied, n.impossible, n.staged)
      FROM ff_edge_group g
     CROSS JOIN LATERAL (
           SELECT count(*) FILTER (WHERE e.edge_state = 'satisfied') AS satisfied,
                  count(*) FILTER (WHERE e.edge_state = 'impossible') AS impossible,
                  count(*) FILTER (WHERE e.edge_state = 'pending') AS staged
             FROM ff_edge e
            WHERE e.partition_key = g.partition_key AND e.flow_id = g.flow_id
              AND e.downstream_eid = g.downstream_eid) n
     WHERE g.partition_key BETWEEN after_partition AND last_partition
       AND (g.partition_key, g.downstream_eid) > (after_partition, after_execution)
       AND (g.partition_key, g.downstream_eid) <= (last_partition, last_execution)
       AND g.total_count IS NOT NULL
       AND (g.success_count <> n.satisfied
            OR g.fail_count + g.skip_count <> n.impossible
            OR g.staged_count <> n.staged))
  SELECT v.invariant,
         v.partition_key,
         v.execution_id,
         v.detail
    FROM violation v;
END;
COMMENT ON FUNCTION ff_violations(smallint, uuid, smallint, uuid) IS
  'The violations of ff_check_consistency among executions by (partition_key, execution_id): those '
  'after the first pair, up to the second. Internal.';

CREATE FUNCTION ff_check_consistency(max_rows integer DEFAULT 1000)
  RETURNS TABLE (invariant text, execution_id text, detail text)
  LANGUAGE sql STABLE ROWS 10
BEGIN ATOMIC
  SELECT v.invariant,
         ff_execution_id(v.partition_key::integer, v.execution_id),
         v.detail
    FROM ff_violations(-1::smallint, '00000000-0000-0000-0000-000000000000'::uuid, 256::smallint,
                       'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid) v
   ORDER BY ff_execution_id(v.partition_key::integer, v.execution_id) COLLATE pg_catalog."C",
            v.invariant COLLATE pg_catalog."C"
   LIMIT ff_in_range(max_rows, 'max_rows', 1, 100000);
END;
COMMENT ON FUNCTION ff_check_consistency(integer) IS
$$What is wrong in the tables: a row for each invariant that an execution breaks, by execution_id and invariant; none when all is sound. Access: operator, reader.

max_rows: 1-100000, else invalid_input. invariant: vector, public_state, ended, leased, lease_check, eligible_at, suspended, grant, attempt, epoch, retired_waitpoint or edge_group. detail: what was found, never a payload.

One snapshot of everything: minutes on a large database, harmless beside running work.$$;

------------------------------------------------------------------------------------------------
-- Events: positions and the horizon (access: reader; the horizon: operator too)
------------------------------------------------------------------------------------------------

CREATE FUNCTION ff_event_cursor(stream text, start_at text DEFAULT 'latest') RETURNS bytea
  LANGUAGE c STABLE
  AS 'MODULE_PATHNAME', 'ff_event_cursor';
COMMENT ON FUNCTION ff_event_cursor(text, text) IS
$$A cursor to begin reading an outbox at. Access: reader.

stream: completion, lease_history, signal_delivery, operator_events, instance_tags or worker_registry. start_at: latest (behind all that can be read now) or earliest (before the oldest event kept). Returns 22 bytes; those of one outbox sort in reading order. Raises invalid_input.$$;

CREATE FUNCTION ff_decode_event_cursor(cursor bytea)
  RETURNS TABLE (stream text, era bigint, xact_id xid8, event_id bigint)
  LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_decode_event_cursor';
COMMENT ON FUNCTION ff_decode_event_cursor(bytea) IS
$$What is inside a cursor, to look at: the outbox, the era (a hash of the cluster that it belongs to), the writing transaction and the event up to which everything was read. Access: reader.

Of the older form of 9 bytes only event_id. NULL and an empty one give no row. Raises invalid_offset for bytes that are no cursor; compares them with nothing.$$;

CREATE FUNCTION ff_event_horizon()
  RETURNS TABLE (horizon xid8, next_xid xid8, holder_pid integer, holder_database text,
                 holder_kind text, holder_since timestamptz)
  LANGUAGE c VOLATILE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_event_horizon';
COMMENT ON FUNCTION ff_event_horizon() IS
$$Up to where events can be read, and who holds that back. Access: reader, operator.

Returns one row. horizon: events of transactions below it are read, those of others have to wait. next_xid: the transaction id that is given out next. holder_*: the oldest transaction that has written something, anywhere in the cluster, and not ended; NULL if there is none, and on a standby, where it cannot be named. holder_kind: backend (holder_pid is its process) or prepared (holder_since is when it was). End it, and the events come.$$;

------------------------------------------------------------------------------------------------
-- Events: reading (access: reader)
------------------------------------------------------------------------------------------------

CREATE FUNCTION ff_subscribe_completion(
    cursor        bytea   DEFAULT NULL,
    namespace     text    DEFAULT NULL,
    instance_tag  text    DEFAULT NULL,
    partition_key integer DEFAULT NULL,
    max_rows      integer DEFAULT 256,
    block_ms      bigint  DEFAULT 0)
  RETURNS TABLE (next_cursor bytea, event_id bigint, execution_id text,
                 flow_id uuid, outcome text,
                 namespace text, instance_tag text, partition_key integer,
                 occurred_at timestamptz)
  LANGUAGE c VOLATILE ROWS 256
  AS 'MODULE_PATHNAME', 'ff_subscribe_completion';
COMMENT ON FUNCTION ff_subscribe_completion(bytea, text, text, integer, integer, bigint) IS
$$How executions ended: success, failed, cancelled, expired or skipped; and resumable, when a suspended one may go on. Access: reader.

flow_id: NULL for an execution outside a flow.

cursor: next_cursor of the last row read, or what ff_event_cursor gave; NULL: what comes from now on. Keep it in the transaction that handles the events. namespace, instance_tag, partition_key (0-255): only events that have this value. max_rows: 1-10000. block_ms: 0-30000, how long to wait where there is nothing; counts as 0 at REPEATABLE READ and above, and in a transaction that has written something.

Rows come in the order of positions, each exactly once, whatever order transactions commit in: an event shows when every transaction that began writing before its own has ended. A transaction does not see its own. With a filter that seldom matches take ff_event_cursor before the call, and go on from there when no row comes back.

event_id names the event; those of one execution rise as it happened. occurred_at: when.

Raises invalid_input, and invalid_offset for a cursor that is malformed, of another outbox, from before a restore or upgrade, or before events that were trimmed; then start from ff_event_cursor with earliest.$$;

CREATE FUNCTION ff_subscribe_lease_history(
    cursor        bytea   DEFAULT NULL,
    namespace     text    DEFAULT NULL,
    instance_tag  text    DEFAULT NULL,
    partition_key integer DEFAULT NULL,
    max_rows      integer DEFAULT 256,
    block_ms      bigint  DEFAULT 0)
  RETURNS TABLE (next_cursor bytea, event_id bigint, execution_id text,
                 event_type text, lease_id uuid, lease_epoch bigint,
                 attempt_index integer, worker_instance_id text, revoked_by text, reason text,
                 namespace text, instance_tag text, partition_key integer,
                 occurred_at timestamptz)
  LANGUAGE c VOLATILE ROWS 256
  AS 'MODULE_PATHNAME', 'ff_subscribe_lease_history';
COMMENT ON FUNCTION ff_subscribe_lease_history(bytea, text, text, integer, integer, bigint) IS
$$Leases, by event_type: acquired, renewed, expired, reclaimed or revoked (given up or taken away). Access: reader.

worker_instance_id: who holds it; of an expired or revoked one who held it, of a reclaimed one the new holder. revoked_by: worker, operator, reconciler or backend. reason: why, such as completed or suspended. lease_id: NULL where none is known.

Arguments, paging, waiting and errors as for ff_subscribe_completion.$$;

CREATE FUNCTION ff_subscribe_signal_delivery(
    cursor        bytea   DEFAULT NULL,
    namespace     text    DEFAULT NULL,
    instance_tag  text    DEFAULT NULL,
    partition_key integer DEFAULT NULL,
    max_rows      integer DEFAULT 256,
    block_ms      bigint  DEFAULT 0)
  RETURNS TABLE (next_cursor bytea, event_id bigint, execution_id text,
                 signal_id uuid, waitpoint_id uuid, source_identity text, effect text,
                 namespace text, instance_tag text, partition_key integer,
                 occurred_at timestamptz)
  LANGUAGE c VOLATILE ROWS 256
  AS 'MODULE_PATHNAME', 'ff_subscribe_signal_delivery';
COMMENT ON FUNCTION ff_subscribe_signal_delivery(bytea, text, text, integer, integer, bigint) IS
$$Signals that were accepted or recognized as duplicates, and timeouts. Access: reader.

effect: satisfied (the condition was met), appended (it counts, and more are needed), ignored (it is kept, and counts for nothing), buffered (no suspension has the waitpoint yet), deduped (a duplicate); of the engine's own signal at a timeout: timed_out or escalated.

Arguments, paging, waiting and errors as for ff_subscribe_completion.$$;

CREATE FUNCTION ff_subscribe_operator_events(
    cursor        bytea   DEFAULT NULL,
    namespace     text    DEFAULT NULL,
    instance_tag  text    DEFAULT NULL,
    partition_key integer DEFAULT NULL,
    max_rows      integer DEFAULT 256,
    block_ms      bigint  DEFAULT 0)
  RETURNS TABLE (next_cursor bytea, event_id bigint, execution_id text,
                 event_type text, flow_id uuid, details jsonb,
                 namespace text, instance_tag text, partition_key integer,
                 occurred_at timestamptz)
  LANGUAGE c VOLATILE ROWS 256
  AS 'MODULE_PATHNAME', 'ff_subscribe_operator_events';
COMMENT ON FUNCTION ff_subscribe_operator_events(bytea, text, text, integer, integer, bigint) IS
$$What operators did: priority_changed, replayed, execution_cancelled, lease_revoked, flow_cancel_requested. Access: reader.

flow_id: of an event that concerns a whole flow, which has no execution_id.

Arguments, paging, waiting and errors as for ff_subscribe_completion.$$;

CREATE FUNCTION ff_subscribe_instance_tags(
    cursor        bytea   DEFAULT NULL,
    namespace     text    DEFAULT NULL,
    instance_tag  text    DEFAULT NULL,
    partition_key integer DEFAULT NULL,
    max_rows      integer DEFAULT 256,
    block_ms      bigint  DEFAULT 0)
  RETURNS TABLE (next_cursor bytea, event_id bigint, execution_id text,
                 event_type text, tag text,
                 namespace text, instance_tag text, partition_key integer,
                 occurred_at timestamptz)
  LANGUAGE c VOLATILE ROWS 256
  AS 'MODULE_PATHNAME', 'ff_subscribe_instance_tags';
COMMENT ON FUNCTION ff_subscribe_instance_tags(bytea, text, text, integer, integer, bigint) IS
$$The instance tag (the tag that ffengine.instance_tag_key names) attached to executions and cleared. Access: reader.

tag: its value. One that is replaced is cleared, then attached.

Arguments, paging, waiting and errors as for ff_subscribe_completion.$$;

CREATE FUNCTION ff_subscribe_worker_events(
    cursor        bytea   DEFAULT NULL,
    namespace     text    DEFAULT NULL,
    instance_tag  text    DEFAULT NULL,
    partition_key integer DEFAULT NULL,
    max_rows      integer DEFAULT 256,
    block_ms      bigint  DEFAULT 0)
  RETURNS TABLE (next_cursor bytea, event_id bigint, execution_id text,
                 event_kind text, worker_instance_id text, reason text,
                 namespace text, instance_tag text, partition_key integer,
                 occurred_at timestamptz)
  LANGUAGE c VOLATILE ROWS 256
  AS 'MODULE_PATHNAME', 'ff_subscribe_worker_events';
COMMENT ON FUNCTION ff_subscribe_worker_events(bytea, text, text, integer, integer, bigint) IS
$$The worker registry, by event_kind: registered, heartbeat, marked_dead, or ttl_swept (it gave no sign in its time). Access: reader.

reason: of a worker marked dead. partition_key: the worker's. execution_id and instance_tag are NULL.

Arguments, paging, waiting and errors as for ff_subscribe_completion.$$;

------------------------------------------------------------------------------------------------
-- Events: durable subscriptions and trimming
------------------------------------------------------------------------------------------------

CREATE FUNCTION ff_create_subscription(
    name     text,
    stream   text,
    filter   jsonb DEFAULT '{}',
    start_at text  DEFAULT 'latest',
    cursor   bytea DEFAULT NULL)
  RETURNS TABLE (outcome text, cursor bytea)
  LANGUAGE c VOLATILE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_create_subscription';
COMMENT ON FUNCTION ff_create_subscription(text, text, jsonb, text, bytea) IS
$$Keep a consumer's place in an outbox in the database, and its events until they were acknowledged. Access: operator.

name: 1-128 bytes. stream: as for ff_event_cursor. filter: all keys optional: namespace, instance_tag, execution_id, flow_id (strings), partition_key (0-255), event_types (array of outcomes, event types, effects or event kinds); an event is wanted when all of them fit. start_at: latest or earliest. cursor: start behind it instead.

Returns one row: outcome created; or exists, when a subscription of this name, stream and filter is there: nothing changes. cursor: where it stands. Raises invalid_input, also where the name has another definition, and invalid_offset for the cursor.$$;

CREATE FUNCTION ff_poll_subscription(
    name     text,
    max_rows integer DEFAULT 256,
    block_ms bigint  DEFAULT 0,
    cursor   bytea   DEFAULT NULL)
  RETURNS TABLE (next_cursor bytea, event_id bigint, event_type text, execution_id text,
                 flow_id uuid, namespace text, instance_tag text, occurred_at timestamptz,
                 body jsonb)
  LANGUAGE c VOLATILE ROWS 256
  AS 'MODULE_PATHNAME', 'ff_poll_subscription';
COMMENT ON FUNCTION ff_poll_subscription(text, integer, bigint, bytea) IS
$$The next events of a subscription that were not acknowledged. Access: reader.

max_rows: 1-10000. block_ms: 0-30000, how long to wait where there is nothing, as for ff_subscribe_completion. cursor: read on behind it, ahead of acknowledging.

event_type: outcome, event_type, effect or event_kind of the row; body: its other columns as an object. Writes and locks nothing: polled again it gives the same events, to two consumers of one name as well. Acknowledge next_cursor of the last row that was handled, in the transaction that handles it: then each is handled exactly once.

Raises not_found, invalid_input, and invalid_offset for the cursor, or where events were trimmed, by force or by outbox_max_retention_ms, that it had not acknowledged: go on with what is kept by acknowledging the cursor of earliest with allow_rewind.$$;

CREATE FUNCTION ff_ack_subscription(
    name         text,
    cursor       bytea,
    allow_rewind boolean DEFAULT false)
  RETURNS TABLE (outcome text, cursor bytea)
  LANGUAGE c VOLATILE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_ack_subscription';
COMMENT ON FUNCTION ff_ack_subscription(text, bytea, boolean) IS
$$Everything up to a cursor is done with. Access: reader.

cursor: next_cursor of a row that ff_poll_subscription gave. allow_rewind: an earlier cursor moves the subscription back, to read again. Returns one row: outcome acked, or behind, when the subscription stands further on already (the trimmer moves it over what it does not want) and nothing changes; cursor: where the subscription stands.

Locks the subscription until the transaction ends; a rollback takes the acknowledgement back. Raises not_found, invalid_offset (NULL, empty, malformed, of another outbox or era, before events that were trimmed) and invalid_input (behind what can be read).$$;

CREATE FUNCTION ff_drop_subscription(name text) RETURNS boolean
  LANGUAGE c VOLATILE
  AS 'MODULE_PATHNAME', 'ff_drop_subscription';
COMMENT ON FUNCTION ff_drop_subscription(text) IS
$$Forget a subscription; it holds no events back any more. Access: operator.

Returns whether it existed. Raises invalid_input for a malformed name.$$;

CREATE FUNCTION ff_list_subscriptions()
  RETURNS TABLE (name text, stream text, filter jsonb, cursor bytea, created_at timestamptz,
                 acked_at timestamptz, oldest_unacked_at timestamptz, events_lost boolean)
  LANGUAGE c VOLATILE ROWS 10
  AS 'MODULE_PATHNAME', 'ff_list_subscriptions';
COMMENT ON FUNCTION ff_list_subscriptions() IS
$$The durable subscriptions, by the bytes of their names. Access: reader.

cursor: where it stands. acked_at: the last acknowledgement; NULL = none yet. oldest_unacked_at: when the oldest event happened that it wants and did not acknowledge; NULL = it has them all. events_lost: events were trimmed, by force or by outbox_max_retention_ms, that it had not acknowledged; its polls are refused.$$;

CREATE FUNCTION ff_trim_outbox(
    stream   text,
    before   timestamptz,
    max_rows integer DEFAULT 10000,
    force    boolean DEFAULT false)
  RETURNS bigint
  LANGUAGE c VOLATILE
  AS 'MODULE_PATHNAME', 'ff_trim_outbox';
COMMENT ON FUNCTION ff_trim_outbox(text, timestamptz, integer, boolean) IS
$$Delete an outbox's oldest events, as the reconciler outbox_trimmer does by the settings outbox_retention_ms and outbox_max_retention_ms. Access: operator.

stream: as for ff_event_cursor. before: events recorded before this instant. max_rows: 1-1000000. force: also events that a durable subscription has not acknowledged, which then shows events_lost.

Goes from the oldest on and stops at the first event to keep: a later one, a completion that is not dispatched yet whatever force says, or, unless forced, one that a subscription still wants and that is not older than outbox_max_retention_ms. Moves each subscription over events that its filter does not match first. Returns how many were deleted. Waits for another session that trims the same outbox. Raises invalid_input.$$;

------------------------------------------------------------------------------------------------
-- The background worker (access: operator)
------------------------------------------------------------------------------------------------

CREATE FUNCTION ff_start_worker()
  RETURNS TABLE (outcome text, pid integer)
  LANGUAGE c VOLATILE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_start_worker';
COMMENT ON FUNCTION ff_start_worker() IS
$$Start the background worker of this database, which notifies listeners and runs the reconcilers. With ffengine in shared_preload_libraries it comes up by itself; this brings back one that ff_stop_worker stopped. Without, call it once after each start of the server. Access: operator.

Returns one row. outcome: started; starting, when this transaction made the extension: it comes up after the commit, pid is NULL; or already_running. pid: its process, as in pg_stat_activity.

Raises unavailable on a standby, with no free slot of max_worker_processes, and where the worker leaves at once (ffengine.worker_enabled).$$;

CREATE FUNCTION ff_stop_worker(timeout_ms bigint DEFAULT 5000)
  RETURNS TABLE (outcome text, pid integer)
  LANGUAGE c VOLATILE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_stop_worker';
COMMENT ON FUNCTION ff_stop_worker(bigint) IS
$$Stop the background worker of this database. It stays stopped until ff_start_worker or a start of the server; meanwhile ff_reconcile does its work, and commits notify by themselves. Not undone by a rollback. Access: operator.

timeout_ms: how long to wait until it is gone, 0-60000 milliseconds.

Returns one row. outcome: stopped; not_running; or timeout, it was asked to leave and is still there. pid: its process.

Raises invalid_input.$$;

------------------------------------------------------------------------------------------------
-- Statistics (chapter 08, section 10)
------------------------------------------------------------------------------------------------

CREATE FUNCTION ff_stats()
  RETURNS TABLE (name text, labels jsonb, kind text, value double precision, help text)
  LANGUAGE c VOLATILE ROWS 150
  AS 'MODULE_PATHNAME', 'ff_stats';
COMMENT ON FUNCTION ff_stats() IS
$$What was counted in this database since server start or ff_stats_reset, and how things stand: one row per name and label value, gauges first. Access: operator, reader.

kind: counter (the name ends in _total) or gauge. labels: an object of at most one key. help: what it counts. Names suit Prometheus; contrib/prometheus.yml asks for all of them.

Counters count committed work, a moment after its commit; not what a PREPARE TRANSACTION has prepared. One counts what was rolled back as well: ff_lease_renewal_total of outcome refused. ff_attempt_outcome_total leaves out attempts that another one took over. ff_reconciler_next_due_seconds has a row for each reconciler that has something to do.

Reads shared memory: no table, no lock, no transaction id; works on a standby, whose counters are its own. Where the library is not in shared_preload_libraries: the single row ff_preloaded, 0. A database beyond the setting max_databases has gauges only. Raises nothing.$$;

CREATE FUNCTION ff_stats_reset() RETURNS void
  LANGUAGE c VOLATILE
  AS 'MODULE_PATHNAME', 'ff_stats_reset';
COMMENT ON FUNCTION ff_stats_reset() IS
$$Set every counter of ff_stats in this database to 0. Access: operator.

At once, whatever becomes of the transaction. Gauges, and the numbers of ff_reconciler_status, stay. Does nothing where the library is not preloaded. Raises nothing.$$;

------------------------------------------------------------------------------------------------
-- Reconcilers: what keeps things true (access: operator; the status also reader)
------------------------------------------------------------------------------------------------

CREATE FUNCTION ff_reconcile(
    reconciler   text    DEFAULT NULL,
    max_rows     integer DEFAULT NULL,
    namespace    text    DEFAULT NULL,
    instance_tag text    DEFAULT NULL)
  RETURNS TABLE (name text, processed bigint, skipped bigint, errors bigint, more boolean,
                 next_due_at timestamptz, details jsonb)
  LANGUAGE c VOLATILE ROWS 23
  AS 'MODULE_PATHNAME', 'ff_reconcile';
COMMENT ON FUNCTION ff_reconcile(text, integer, text, text) IS
$$Do what is due by the clock: one pass of a reconciler, or of every enabled one in order. Needs no background worker and no preloaded library: called by a scheduler, each second or each minute, it drives the engine. Access: operator.

reconciler: its name, as ff_reconciler_status lists them, enabled or not; default: all enabled ones. max_rows: 1..100000 of each; default its batch size. namespace, instance_tag: executions of these alone, where executions are worked on; default any.

Returns a row per reconciler. processed: rows changed; skipped: rows locked elsewhere (it never waits for one; the next pass takes them), no longer due, or filtered out; errors: rows that raised, each undone by itself and told in a WARNING with its SQLSTATE and id; more: it stopped at max_rows; next_due_at: the next instant at which something is due, NULL if nothing is or its interval alone decides; details: counters of its own, {"unavailable": true} for one that this version does not have.

Everything happens in the caller's transaction, safe in any number of sessions at once and beside the worker. Raises invalid_input; unavailable on a standby and for the name of a reconciler that this version does not have.$$;

CREATE FUNCTION ff_set_reconciler(
    name        text,
    enabled     boolean DEFAULT NULL,
    interval_ms bigint  DEFAULT NULL,
    batch_size  integer DEFAULT NULL)
  RETURNS TABLE (outcome text, name text, enabled boolean, interval_ms bigint, batch_size integer)
  LANGUAGE c VOLATILE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_set_reconciler';
COMMENT ON FUNCTION ff_set_reconciler(text, boolean, bigint, integer) IS
$$Switch a reconciler on or off, set how often it runs and how much it takes at a time. Survives restarts and dumps. Access: operator.

enabled: off, neither the worker nor ff_reconcile() runs it; ff_reconcile by its name does. interval_ms: milliseconds between two runs at most, 20..3600000, 0: its default. batch_size: rows at a time, 1..10000, 0: its default. NULL keeps what is set.

Returns one row: outcome changed or unchanged, and what holds now. The worker follows when this commits. Raises invalid_input, also for an unknown name; unavailable on a standby.$$;

CREATE FUNCTION ff_reconciler_status()
  RETURNS TABLE (name text, enabled boolean, interval_ms bigint, batch_size integer,
                 last_run_at timestamptz, last_good_at timestamptz,
                 last_duration_ms double precision, last_processed bigint, last_errors bigint,
                 runs bigint, processed bigint, errors bigint, last_sqlstate text,
                 last_error_at timestamptz, parked_rows integer, backoff_until timestamptz,
                 next_run_at timestamptz, next_due_at timestamptz)
  LANGUAGE c VOLATILE ROWS 23
  AS 'MODULE_PATHNAME', 'ff_reconciler_status';
COMMENT ON FUNCTION ff_reconciler_status() IS
$$The reconcilers in the order in which they run, with the settings in force and how their passes went. Access: operator, reader.

last_good_at: the last pass without errors. runs, processed, errors: sums over passes. last_sqlstate, last_error_at: the last error. parked_rows: rows that the worker leaves out for a while, since they failed again and again; backoff_until: it waits after a pass that failed as a whole; next_run_at: when the worker runs it. next_due_at: the next instant at which something is due, NULL if nothing is or its interval alone decides.

While a worker runs it is the worker's own account. Else it is what ff_reconcile noted: every pass that did something or met an error, and of those that found nothing one a minute.$$;

------------------------------------------------------------------------------------------------
-- Access sets (access: owner)
------------------------------------------------------------------------------------------------

CREATE FUNCTION ff_grant_access(role_name text, access text)
  RETURNS TABLE (outcome text, functions integer)
  LANGUAGE c VOLATILE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_grant_access';
COMMENT ON FUNCTION ff_grant_access(text, text) IS
$$Open a set of functions to a role. Access: the extension's owner and superusers.

access: submitter (creates work and reads back what it made), worker (claims and works), signaler (delivers signals), operator (steers) or reader (looks). The sets do not nest; a role may hold several. The table ff_access_function lists them.

Gives USAGE on the schema, EXECUTE on the functions of the set, SELECT on the view ff_error_code and for reader on the other views; never a table. Returns one row: outcome granted, or already_granted, where the privileges are applied again, so that a set which has grown is whole; functions: how many the set has.

Raises invalid_input (access, or the role name public) and not_found (the role).$$;

CREATE FUNCTION ff_revoke_access(role_name text, access text)
  RETURNS TABLE (outcome text, functions integer)
  LANGUAGE c VOLATILE ROWS 1
  AS 'MODULE_PATHNAME', 'ff_revoke_access';
COMMENT ON FUNCTION ff_revoke_access(text, text) IS
$$Close a set of functions to a role; what another set that it holds opens stays open. Access: the extension's owner and superusers.

access: as for ff_grant_access. With the role's last set goes USAGE on the schema. Returns one row: outcome revoked with functions, how many were closed, or not_granted.

Raises invalid_input (access, or the role name public) and not_found (the role).$$;

-- Which function is in which set: names without ff_, in chapter order, `all` being each of the
-- five. A name whose function this version does not have gives no row. Stands behind the functions.
INSERT INTO ff_access_function (access, function_signature)
SELECT DISTINCT
       s.access,
       p.proname::text || '('::text || pg_catalog.oidvectortypes(p.proargtypes) || ')'::text
  FROM (VALUES
  ('all'::text,
   'worker_partition, caps_hash, to_ms, from_ms, server_time_ms, derive_public_state,
    error_catalogue, execution_id_new, execution_id_for_flow, execution_id, execution_partition,
    execution_uuid, is_execution_id, flow_partition, lane_partition, budget_partition,
    quota_partition, crc16, when, operator_only, timeout_only, all_of, all_of_waitpoints,
    any_of_waitpoints, count_of, fresh_waitpoint, use_pending, resume_policy,
    validate_resume_condition, evaluate_resume_condition, version, ping, capabilities'::text),
  ('submitter',
   'create_execution, create_executions, create_flow, add_execution_to_flow,
    stage_dependency_edge, apply_dependency_to_child, set_edge_group_policy, create_flow_graph,
    flow_progress, describe_flow, list_flow_members, list_edges, describe_edge, list_edge_groups,
    resolve_execution_flow_id, set_flow_tag, get_flow_tag, describe_execution,
    read_execution_state, get_execution_result, get_execution_namespace, set_execution_tag,
    get_execution_tag'),
  ('worker',
   'handle_encode, handle_decode, create_waitpoint, close_waitpoint, suspend, suspend_by_triple,
    claim_resumed_execution, claim_from_resume_grant, observe_signals, describe_resume, claim,
    claim_for_worker, issue_claim_grant, verify_claim_grant, claim_execution,
    scan_eligible_executions, list_lanes, renew, renew_lease, progress, complete,
    complete_execution, fail, fail_execution, delay, wait_children, cancel, complete_many,
    renew_many, issue_reclaim_grant, reclaim_execution, claim_from_reclaim, register_worker,
    heartbeat_worker, list_upstream_results, resolve_execution_flow_id, set_flow_tag, get_flow_tag,
    describe_execution, read_execution_state, get_execution_result, get_execution_namespace,
    read_execution_context, read_current_attempt_index, read_total_attempt_count,
    set_execution_tag, get_execution_tag, report_usage, record_spend, release_budget,
    read_budget_usage_and_limits, check_admission, release_admission, read_quota_policy_limits,
    block_execution_for_admission, append_frame, read_stream, tail_stream, read_summary,
    stream_status'),
  ('signaler',
   'deliver_signal'),
  ('operator',
   'seed_waitpoint_hmac_secret, rotate_waitpoint_hmac_secret_all, list_waitpoint_hmac_kids,
    reissue_waitpoint_token, close_waitpoint, deliver_approval_signal, resume_execution,
    expire_suspension, read_waitpoint_token, list_suspended, list_pending_waitpoints, list_signals,
    describe_suspension, claim_for_worker, issue_claim_grant, verify_claim_grant,
    issue_grant_and_claim, scan_eligible_executions, block_route, unblock_execution, list_lanes,
    set_lane_state, issue_reclaim_grant, mark_lease_expired_if_due, promote_delayed,
    expire_execution, mark_worker_dead, list_workers, list_expired_leases, dispatch_completion,
    cascade_completion, resolve_dependency, evaluate_flow_eligibility,
    promote_blocked_to_eligible, dispatch_pending, drain_sibling_cancel_group,
    reconcile_sibling_cancel_group, cancel_flow, cancel_flow_header, ack_cancel_member,
    wait_for_flow_cancellation, project_flow_summary, set_flow_tag, cancel_execution,
    revoke_lease, change_priority, replay_execution, set_execution_tag, trim_retention, prepare,
    shutdown_prepare, check_install, check_consistency, create_budget, report_usage_admin,
    record_spend, release_budget, reset_budget, create_quota_policy, release_admission,
    attach_budget, detach_budget, attach_quota_policy, detach_quota_policy,
    block_execution_for_admission, reconcile_budget_resets, reconcile_unblock,
    reconcile_budget_counters, reconcile_quota_counters, reconcile_budget_dedup, event_horizon,
    create_subscription, drop_subscription, trim_outbox, start_worker, stop_worker, reconcile,
    set_reconciler, reconciler_status, stats, stats_reset'),
  ('reader',
   'list_waitpoint_hmac_kids, list_suspended, list_pending_waitpoints, list_signals,
    describe_suspension, scan_eligible_executions, list_lanes, list_workers, list_expired_leases,
    evaluate_flow_eligibility, wait_for_flow_cancellation, flow_progress, flow_dot, describe_flow,
    list_flows, list_flow_members, list_edges, describe_edge, list_edge_groups,
    list_upstream_results, resolve_execution_flow_id, get_flow_tag, describe_execution,
    read_execution_info, read_execution_state, get_execution_result, get_execution_namespace,
    read_execution_context, read_current_attempt_index, read_total_attempt_count,
    read_exec_core_fields, list_attempts, list_executions, get_execution_tag, check_consistency,
    get_budget_status, read_budget_usage_and_limits, read_quota_policy_limits, read_stream,
    tail_stream, read_summary, stream_status, event_cursor, decode_event_cursor, event_horizon,
    subscribe_completion, subscribe_lease_history, subscribe_signal_delivery,
    subscribe_operator_events, subscribe_instance_tags, subscribe_worker_events,
    poll_subscription, ack_subscription, list_subscriptions, reconciler_status, stats'),
  ('owner',
   'hmac_sign, hmac_verify, grant_access, revoke_access, page, in_range, violations')) AS listed (access, names)
  JOIN (VALUES ('submitter'::text), ('worker'), ('signaler'), ('operator'), ('reader'),
               ('owner')) AS s (access)
    ON s.access = listed.access
    OR (listed.access = 'all'::text AND s.access <> 'owner'::text)
 CROSS JOIN LATERAL pg_catalog.regexp_split_to_table(listed.names, ',\s*'::text) AS name
  JOIN pg_catalog.pg_proc p
    ON p.proname::text = 'ff_'::text || name
   AND p.pronamespace = '@extschema@'::pg_catalog.regnamespace
  JOIN pg_catalog.pg_extension x
    ON x.extname = 'ffengine'
  JOIN pg_catalog.pg_depend d
    ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid
   AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.refobjid = x.oid
   AND d.deptype = 'e';

------------------------------------------------------------------------------------------------
-- Views
--
-- A view reads the tables as the extension's owner, but PostgreSQL checks EXECUTE as the role
-- that queries: the functions called here are open to every access set.
------------------------------------------------------------------------------------------------

CREATE VIEW ff_error_code AS
  SELECT c.sqlstate, c.class, c.kind, c.retryable, c.meaning
    FROM ff_error_catalogue() c
   ORDER BY c.sqlstate COLLATE "C";

CREATE VIEW ff_executions AS
  SELECT ff_execution_id(e.partition_key::integer, e.execution_id) AS execution_id,
         e.partition_key,
         e.execution_id AS execution_uuid,
         e.flow_id,
         e.lane_id,
         e.namespace,
         e.raw_fields ->> 'execution_kind'::text AS execution_kind,
         e.public_state,
         e.lifecycle_phase,
         e.ownership_state,
         e.eligibility_state,
         e.blocking_reason,
         e.attempt_state,
         e.raw_fields ->> 'blocking_detail'::text AS blocking_detail,
         CASE
           WHEN e.lifecycle_phase NOT IN ('terminal', 'cancelled') THEN NULL
           WHEN e.terminal_outcome IS NOT NULL THEN e.terminal_outcome
           WHEN e.lifecycle_phase = 'cancelled' THEN 'cancelled'
           WHEN a.outcome IN ('success', 'failed', 'cancelled', 'expired', 'skipped')
             THEN a.outcome
           WHEN e.raw_fields ->> 'terminal_outcome'::text
                IN ('success', 'failed', 'cancelled', 'expired', 'skipped')
             THEN (e.raw_fields ->> 'terminal_outcome'::text)::ff_attempt_outcome
           WHEN e.public_state = 'completed' THEN 'success'
           WHEN e.public_state = 'cancelled' THEN 'cancelled'
           WHEN e.public_state = 'expired' THEN 'expired'
           WHEN e.public_state = 'skipped' THEN 'skipped'
           ELSE 'failed'
         END AS terminal_outcome,
         e.priority,
         e.required_capabilities,
         e.attempt_index,
         coalesce((SELECT max(t.attempt_index) + 1
                     FROM ff_attempt t
                    WHERE t.partition_key = e.partition_key
                      AND t.execution_id = e.execution_id), 0) AS total_attempt_count,
         CASE WHEN e.raw_fields ->> 'replay_count'::text ~ '^[0-9]{1,9}$'
              THEN (e.raw_fields ->> 'replay_count'::text)::integer
              ELSE 0
         END AS replay_count,
         e.retry_count,
         e.lease_reclaim_count,
         CASE WHEN l.held THEN a.worker_id END AS worker_id,
         CASE WHEN l.held THEN a.worker_instance_id END AS worker_instance_id,
         CASE WHEN l.held THEN a.lease_epoch END AS lease_epoch,
         CASE WHEN l.held THEN ff_from_ms(a.lease_expires_at_ms) END AS lease_expires_at,
         CASE WHEN e.raw_fields ->> 'progress_pct'::text ~ '^[0-9]{1,9}$'
              THEN (e.raw_fields ->> 'progress_pct'::text)::integer
         END AS progress_pct,
         e.raw_fields ->> 'progress_message'::text AS progress_message,
         e.raw_fields ->> 'last_failure_message'::text AS last_failure_message,
         ff_from_ms(e.created_at_ms) AS created_at,
         ff_from_ms(e.started_at_ms) AS started_at,
         CASE WHEN e.lifecycle_phase IN ('terminal', 'cancelled')
              THEN ff_from_ms(e.terminal_at_ms)
         END AS completed_at,
         ff_from_ms(e.eligible_at_ms) AS eligible_at,
         ff_from_ms(e.deadline_at_ms) AS deadline_at,
         ff_from_ms(coalesce(e.last_mutation_at_ms, e.created_at_ms)) AS last_mutation_at,
         e.cancellation_reason,
         e.cancelled_by,
         coalesce(e.raw_fields -> 'tags'::text, '{}'::jsonb) AS tags,
         octet_length(e.payload) AS payload_bytes,
         octet_length(e.result) AS result_bytes
    FROM ff_exec_core e
    LEFT JOIN ff_attempt a
      ON a.partition_key = e.partition_key
     AND a.execution_id = e.execution_id
     AND a.attempt_index = e.attempt_index
   CROSS JOIN LATERAL (SELECT a.worker_instance_id <> ''
                              AND a.lease_expires_at_ms IS NOT NULL AS held) l;

CREATE VIEW ff_attempts AS
  SELECT ff_execution_id(a.partition_key::integer, a.execution_id) AS execution_id,
         a.partition_key,
         a.execution_id AS execution_uuid,
         e.lane_id,
         a.attempt_index,
         a.attempt_id,
         a.attempt_type,
         s.state,
         a.outcome,
         a.worker_id,
         a.worker_instance_id,
         a.lease_id,
         a.lease_epoch,
         ff_from_ms(a.lease_expires_at_ms) AS lease_expires_at,
         ff_from_ms(a.started_at_ms) AS started_at,
         ff_from_ms(a.terminal_at_ms) AS ended_at,
         CASE s.state
           WHEN 'ended' THEN a.terminal_at_ms - a.started_at_ms
           WHEN 'running' THEN (SELECT ff_server_time_ms()) - a.started_at_ms
         END AS duration_ms,
         a.usage,
         a.failure_reason,
         a.failure_category,
         CASE WHEN jsonb_typeof(a.raw_fields -> 'runs'::text) = 'array'
              THEN a.raw_fields -> 'runs'::text
              ELSE '[]'::jsonb
         END AS runs
    FROM ff_attempt a
    LEFT JOIN ff_exec_core e
      ON e.partition_key = a.partition_key
     AND e.execution_id = a.execution_id
   CROSS JOIN LATERAL (
     SELECT CASE
              WHEN a.terminal_at_ms IS NOT NULL THEN 'ended'
              WHEN a.attempt_index = e.attempt_index
                   AND a.worker_instance_id <> '' AND a.lease_expires_at_ms IS NOT NULL
                THEN 'running'
              WHEN a.attempt_index = e.attempt_index
                   AND e.attempt_state IN ('pending_first_attempt', 'pending_retry_attempt',
                                           'pending_replay_attempt')
                THEN 'pending'
              ELSE 'interrupted'
            END AS state) s;

CREATE VIEW ff_suspensions AS
  SELECT ff_execution_id(e.partition_key::integer, e.execution_id) AS execution_id,
         e.partition_key,
         e.execution_id AS execution_uuid,
         e.lane_id,
         e.namespace,
         s.suspension_id,
         s.reason_code,
         ff_from_ms(s.suspended_at_ms) AS suspended_at,
         ff_from_ms(s.timeout_at_ms) AS timeout_at,
         s.timeout_behavior,
         w.waitpoint_count,
         w.waitpoint_keys,
         ARRAY(SELECT DISTINCT n.signal_name COLLATE "C" AS name
                 FROM ff_waitpoint_pending p,
                      pg_catalog.unnest(p.required_signal_names) n(signal_name)
                WHERE p.partition_key = s.partition_key
                  AND p.execution_id = s.execution_id
                  AND p.suspension_id = s.suspension_id
                ORDER BY name) AS required_signal_names,
         w.signals_received
    FROM ff_suspension_current s
    JOIN ff_exec_core e
      ON e.partition_key = s.partition_key
     AND e.execution_id = s.execution_id
   CROSS JOIN LATERAL (
     SELECT count(*)::integer AS waitpoint_count,
            coalesce(pg_catalog.array_agg(p.waitpoint_key ORDER BY p.waitpoint_key),
                     '{}') AS waitpoint_keys,
            coalesce(sum(p.signal_count), 0)::integer AS signals_received
       FROM ff_waitpoint_pending p
      WHERE p.partition_key = s.partition_key
        AND p.execution_id = s.execution_id
        AND p.suspension_id = s.suspension_id) w
   WHERE s.closed_at_ms IS NULL
     AND e.lifecycle_phase = 'suspended';

CREATE VIEW ff_lanes AS
  SELECT l.lane_id,
         l.state,
         c.waiting,
         c.delayed,
         c.rate_limited,
         c.waiting_children,
         c.running,
         c.suspended,
         c.resumable,
         c.waiting + c.delayed + c.rate_limited + c.waiting_children + c.running + c.suspended
           + c.resumable AS live,
         ff_from_ms(w.since_ms) AS oldest_waiting_at,
         CASE WHEN w.since_ms IS NOT NULL
              THEN greatest((SELECT ff_server_time_ms()) - w.since_ms, 0)
         END AS oldest_waiting_age_ms
    FROM ff_lane_registry l
   CROSS JOIN LATERAL (
     SELECT count(*) FILTER (WHERE e.public_state = 'waiting') AS waiting,
            count(*) FILTER (WHERE e.public_state = 'delayed') AS delayed,
            count(*) FILTER (WHERE e.public_state = 'rate_limited') AS rate_limited,
            count(*) FILTER (WHERE e.public_state = 'waiting_children') AS waiting_children,
            count(*) FILTER (WHERE e.public_state = 'running') AS running,
            count(*) FILTER (WHERE e.public_state = 'suspended') AS suspended,
            count(*) FILTER (WHERE e.public_state = 'resumable') AS resumable
       FROM ff_exec_core e
      WHERE e.lane_id = l.lane_id
        AND e.lifecycle_phase NOT IN ('terminal', 'cancelled')) c
   CROSS JOIN LATERAL (
     SELECT min(greatest(e.created_at_ms, e.eligible_at_ms)) AS since_ms
       FROM ff_exec_core e
      WHERE e.lane_id = l.lane_id
        AND e.lifecycle_phase NOT IN ('terminal', 'cancelled')
        AND e.public_state = 'waiting') w;

CREATE VIEW ff_access AS
  SELECT g.role_name,
         g.access,
         ff_from_ms(g.granted_at_ms) AS granted_at,
         g.granted_by
    FROM ff_access_grant g;

------------------------------------------------------------------------------------------------
-- Comments
------------------------------------------------------------------------------------------------

COMMENT ON TYPE ff_lifecycle_phase IS
  'Where in its life an execution is. It has ended in phases terminal and cancelled. submitted is '
  'reserved: nothing writes it, and it cannot be claimed.';
COMMENT ON TYPE ff_ownership_state IS
  'Who holds an execution: nobody (unowned), a worker under a lease (leased), nobody while '
  'suspended (released), or nobody yet after its lease was lost or taken away.';
COMMENT ON TYPE ff_eligibility_state IS
  'Whether a runnable execution may be claimed, and if not, what kind of thing holds it back.';
COMMENT ON TYPE ff_blocking_reason IS
  'Why an execution does not progress; finer than its eligibility state.';
COMMENT ON TYPE ff_attempt_state IS
  'What the current attempt of an execution is doing, or what kind of attempt comes next.';
COMMENT ON TYPE ff_public_state IS
  'The one word that people and clients read. Derived from the state vector by '
  'ff_derive_public_state and stored by the statement that changes the vector.';
COMMENT ON TYPE ff_attempt_outcome IS
  'How an attempt ended (success, failed, retry, cancelled, expired, skipped, '
  'interrupted_reclaimed) or what interrupted it (the others).';
COMMENT ON TYPE ff_lane_state IS
  'State of a lane; work of paused and disabled lanes is not claimed.';
COMMENT ON TYPE ff_claimed IS
  'One claimed execution, as a claim returns it: the handle that the worker passes to every later '
  'call, the lease, and what the work needs.';
COMMENT ON COLUMN ff_claimed.handle IS
  'Opaque ticket of the lease, taken by ff_renew, ff_complete, ff_suspend and the like.';
COMMENT ON COLUMN ff_claimed.claim_kind IS
  'fresh, retry, replay: a new attempt; resumed: the same attempt goes on; reclaimed: taken over '
  'after another worker lost its lease.';
COMMENT ON COLUMN ff_claimed.lease_epoch IS
  'The fence: higher with every lease of the execution.';
COMMENT ON COLUMN ff_claimed.attempt_deadline_at IS
  'When this attempt times out; NULL = never.';
COMMENT ON COLUMN ff_claimed.deadline_at IS
  'When the whole execution expires; NULL = never.';

COMMENT ON FUNCTION ff_caps_hash(text[]) IS
  'Capability class of a set of required tokens: 0 for none, else a 64-bit hash that neither order '
  'nor repetition of tokens changes.';
COMMENT ON FUNCTION ff_outbox_trigger() IS
  'BEFORE INSERT row trigger of every outbox: stamps the row with the writing transaction and the '
  'time of recording, and marks the NOTIFY channel, so that a row written by hand wakes readers '
  'like one the engine wrote. Arguments: channel, name of the stream of events.';

-- Executions and attempts

COMMENT ON TABLE ff_exec_core IS
  'One row per execution: what it is, where its state vector stands, how it ended. Key '
  '(partition_key, execution_id). Every operation on an execution locks this row. Written by all '
  'families of operations, one state machine for all.';
COMMENT ON COLUMN ff_exec_core.partition_key IS
  'N of the id {fp:N}:<uuid>, 0-255; taken from the id, never computed again.';
COMMENT ON COLUMN ff_exec_core.flow_id IS 'The flow it is a member of; set once.';
COMMENT ON COLUMN ff_exec_core.lane_id IS 'The lane it waits in; workers claim by lane.';
COMMENT ON COLUMN ff_exec_core.required_capabilities IS
  'Tokens that a worker must have, all of them; stored sorted and distinct.';
COMMENT ON COLUMN ff_exec_core.attempt_index IS
  'The current attempt, from 0; it has a row in ff_attempt once claimed.';
COMMENT ON COLUMN ff_exec_core.terminal_outcome IS
  'How it ended. NULL while it has not; in a row written by hand, readers fall back on the current '
  'attempt and public_state.';
COMMENT ON COLUMN ff_exec_core.eligible_at_ms IS
  'Earliest instant at which it may be claimed: end of a delay, backoff or resume delay. Unix ms.';
COMMENT ON COLUMN ff_exec_core.deadline_at_ms IS
  'When it expires if it has not ended by then; nothing else. Unix ms.';
COMMENT ON COLUMN ff_exec_core.priority IS 'Higher is claimed first; the engine stores 0-9000.';
COMMENT ON COLUMN ff_exec_core.started_at_ms IS 'First claim ever, set once. Unix ms.';
COMMENT ON COLUMN ff_exec_core.last_mutation_at_ms IS
  'Last change of state or tags; NULL reads as created_at_ms. Unix ms.';
COMMENT ON COLUMN ff_exec_core.payload IS 'Input, opaque to the engine.';
COMMENT ON COLUMN ff_exec_core.result IS 'Output of a success, opaque to the engine.';
COMMENT ON COLUMN ff_exec_core.policy IS
  'Retry, timeout, suspension, stream and admission policy as given at creation; NULL or a missing '
  'key means the setting of that name.';
COMMENT ON COLUMN ff_exec_core.cancelled_by IS
  'On whose authority it was cancelled: operator_override, lease_holder, flow_cascade, '
  'system_timeout, cancel_flow, cancel_flow_header, engine, suspension_timeout or a caller''s word.';
COMMENT ON COLUMN ff_exec_core.lease_reclaim_count IS
  'Take-overs after a lost lease; a negative value counts as 0.';
COMMENT ON COLUMN ff_exec_core.retry_count IS 'Retries used since creation or the last replay.';
COMMENT ON COLUMN ff_exec_core.budget_ids IS 'Budgets that a claim of it checks.';
COMMENT ON COLUMN ff_exec_core.quota_policy_id IS 'Quota policy that a claim of it must pass.';
COMMENT ON COLUMN ff_exec_core.blocked_on IS
  'The budget or quota policy it waits for; means something only while eligibility_state is '
  'blocked_by_budget or blocked_by_quota. NULL = blocked by hand.';
COMMENT ON COLUMN ff_exec_core.raw_fields IS
  'Rarely read fields: namespace, execution_kind, creator_identity, idempotency_key, '
  'payload_encoding, result_encoding, blocking_detail, progress_message, last_failure_message, '
  'last_failure_category, node_key, payload_from (strings); tags (object of strings); skip '
  '(object); replay_count, progress_pct, progress_at_ms (numbers).';
COMMENT ON COLUMN ff_exec_core.namespace IS 'Filterable copy of raw_fields.namespace.';
COMMENT ON COLUMN ff_exec_core.caps_hash IS
  'Capability class (ff_caps_hash) of required_capabilities; leads the claim order of a lane.';

COMMENT ON TABLE ff_attempt IS
  'One row per attempt: its worker, its lease and fence, how it ended. Key (partition_key, '
  'execution_id, attempt_index). Written by claims and lease operations, suspension, reconcilers '
  'and operators, under the lock of the execution''s row.';
COMMENT ON COLUMN ff_attempt.worker_id IS 'Pool of the live or last owner.';
COMMENT ON COLUMN ff_attempt.worker_instance_id IS 'Process of the live or last owner.';
COMMENT ON COLUMN ff_attempt.lease_id IS 'The live or the last lease; never cleared.';
COMMENT ON COLUMN ff_attempt.lease_epoch IS
  'The fence: rises strictly over all attempts of the execution. A handle is good while it carries '
  'this number.';
COMMENT ON COLUMN ff_attempt.lease_expires_at_ms IS
  'End of the lease; set exactly while one is installed. In no index, so that a renewal stays a '
  'heap-only update. Unix ms.';
COMMENT ON COLUMN ff_attempt.lease_check_at_ms IS
  'When the reconciler lease_expiry next looks at this row: never after the end of a live lease; '
  'the end of the hold once the lease is lost; NULL without either. 0, the default, is looked at '
  'once. Unix ms.';
COMMENT ON COLUMN ff_attempt.lease_acquired_at_ms IS 'Start of the lease. Unix ms.';
COMMENT ON COLUMN ff_attempt.lease_lost_at_ms IS
  'When the lease was marked expired or revoked. Unix ms.';
COMMENT ON COLUMN ff_attempt.attempt_type IS 'Why the attempt exists.';
COMMENT ON COLUMN ff_attempt.suspended_at_ms IS
  'When it last gave its lease back to wait. Unix ms.';
COMMENT ON COLUMN ff_attempt.outcome IS
  'NULL while running; how the attempt ended, or what interrupted it.';
COMMENT ON COLUMN ff_attempt.timeout_at_ms IS 'When this attempt times out. Unix ms.';
COMMENT ON COLUMN ff_attempt.timeout_left_ms IS
  'What was left until timeout_at_ms when it was interrupted; a duration.';
COMMENT ON COLUMN ff_attempt.failure_reason IS
  'As given to a fail, or the engine''s word: lease_expired, lease_revoked, attempt_timeout, '
  'execution_deadline, suspension_timeout, dependency_impossible, max_reclaims_exceeded.';
COMMENT ON COLUMN ff_attempt.usage IS 'Counters that the worker reported.';
COMMENT ON COLUMN ff_attempt.policy IS 'Snapshot of the policy the attempt runs under.';
COMMENT ON COLUMN ff_attempt.raw_fields IS
  'failure_class, retry_at_ms, ended_by, and runs: the earlier runs of this row, appended by a '
  'replay.';

COMMENT ON TABLE ff_claim_grant IS
  'A reservation for one worker to claim or to reclaim one execution. Key (partition_key, '
  'grant_id). Live until expires_at_ms is due; written by the grant functions, removed by the claim '
  'that uses it, by what makes it void, and by the reconciler claim_grant_expiry.';
COMMENT ON COLUMN ff_claim_grant.grant_id IS
  'SHA-256 of the grant key, a bearer credential that is stored nowhere.';
COMMENT ON COLUMN ff_claim_grant.kind IS
  'claim: of eligible work; reclaim: of work whose lease was lost.';

-- Suspension and signals

COMMENT ON TABLE ff_suspension_current IS
  'The latest suspension of an execution: what it waits for and how far it is. Key (partition_key, '
  'execution_id). Open while closed_at_ms is NULL. Written by suspending, signals, timeouts and '
  'resuming. Never holds a token.';
COMMENT ON COLUMN ff_suspension_current.timeout_behavior IS
  'What happens at timeout_at_ms; NULL = fail.';
COMMENT ON COLUMN ff_suspension_current.condition IS 'The resume condition, as given.';
COMMENT ON COLUMN ff_suspension_current.satisfied_set IS
  'Paths of the condition''s nodes that are true.';
COMMENT ON COLUMN ff_suspension_current.member_map IS
  'Node path -> distinct count so far; a timeout adds __timeout__. A summary: the record of signals '
  'is ff_signal.';
COMMENT ON COLUMN ff_suspension_current.attempt_index IS 'The attempt that suspended.';
COMMENT ON COLUMN ff_suspension_current.lease_epoch IS
  'The fence that the suspending lease had.';
COMMENT ON COLUMN ff_suspension_current.requested_by IS 'Who asked for the suspension.';
COMMENT ON COLUMN ff_suspension_current.resume_policy IS
  'How to go on once satisfied; NULL = the defaults.';
COMMENT ON COLUMN ff_suspension_current.waitpoint_ids IS
  'Its waitpoints in binding order; the first is the primary one.';
COMMENT ON COLUMN ff_suspension_current.closed_at_ms IS
  'When the wait ended; NULL = open. Unix ms.';
COMMENT ON COLUMN ff_suspension_current.closer_signal_id IS 'The signal that satisfied it.';

COMMENT ON TABLE ff_suspension_history IS
  'Closed suspensions, columns as ff_suspension_current. Key (partition_key, execution_id, '
  'suspension_id). A row comes here by an operator''s resume, the next suspend, or the end of the '
  'execution.';

COMMENT ON TABLE ff_waitpoint_pending IS
  'Waitpoints in every state, until the execution is trimmed: a late signal can so be told from an '
  'unknown waitpoint. Key (partition_key, waitpoint_id). Written by suspending, signals and the '
  'waitpoint functions. token is a bearer credential.';
COMMENT ON COLUMN ff_waitpoint_pending.token_kid IS 'The key that signed the token.';
COMMENT ON COLUMN ff_waitpoint_pending.token IS
  'Bearer credential of this waitpoint: who has it may signal.';
COMMENT ON COLUMN ff_waitpoint_pending.expires_at_ms IS
  'When a waitpoint that is still pending ages out. Unix ms.';
COMMENT ON COLUMN ff_waitpoint_pending.condition IS
  'Not used: the condition is the suspension''s.';
COMMENT ON COLUMN ff_waitpoint_pending.state IS
  'pending: made before its suspension, signals are kept; active: a suspension waits on it; closed, '
  'expired: takes no signal.';
COMMENT ON COLUMN ff_waitpoint_pending.required_signal_names IS
  'Signal names it accepts; empty = any.';
COMMENT ON COLUMN ff_waitpoint_pending.suspension_id IS
  'The suspension it belongs to; NULL while pending or never bound.';
COMMENT ON COLUMN ff_waitpoint_pending.signal_count IS 'Signals accepted, trimmed ones included.';
COMMENT ON COLUMN ff_waitpoint_pending.matched_signal_count IS
  'Signals that advanced the condition.';
COMMENT ON COLUMN ff_waitpoint_pending.trimmed_through_seq IS
  'Unmatched signals up to this seq may have been trimmed.';

COMMENT ON TABLE ff_signal IS
  'The record of delivered signals, one row each, append-only. Key (partition_key, waitpoint_id, '
  'seq). Written by signal delivery and by the engine''s own timeout signal.';
COMMENT ON COLUMN ff_signal.seq IS 'Order within the execution, from 1.';
COMMENT ON COLUMN ff_signal.suspension_id IS
  'The suspension it was evaluated for; NULL while buffered.';
COMMENT ON COLUMN ff_signal.effect IS 'What the signal did.';
COMMENT ON COLUMN ff_signal.match_result IS 'How it fared against the condition.';

COMMENT ON TABLE ff_signal_counter IS
  'Signals an execution has accepted so far: the source of ff_signal.seq. Key (partition_key, '
  'execution_id). Written by signal delivery.';
COMMENT ON TABLE ff_signal_satisfier IS
  'What a count in a resume condition has counted already, so that nothing counts twice. Key '
  '(partition_key, suspension_id, node_path, token). Written by signal delivery.';
COMMENT ON COLUMN ff_signal_satisfier.token IS
  'The thing counted: a waitpoint key, or <bytes of source_type>:<source_type>:<source_identity>. '
  'Not a waitpoint token.';
COMMENT ON TABLE ff_signal_dedup IS
  'Idempotency keys of signals: the same key delivers once. Key (partition_key, waitpoint_id, '
  'idempotency_key). Written by signal delivery, swept by the reconciler dedup_trimmer.';
COMMENT ON TABLE ff_suspend_dedup IS
  'Idempotency keys of suspends: a repeated call gets the first result. Key (partition_key, '
  'execution_id, idempotency_key). Written by suspending, swept by the reconciler dedup_trimmer.';
COMMENT ON COLUMN ff_suspend_dedup.outcome_json IS 'The first result, without its tokens.';

COMMENT ON TABLE ff_waitpoint_hmac IS
  'The keystore of waitpoint tokens, key kid. One row at most is active and signs; retired ones '
  'verify until expires_at_ms. Nobody but the extension''s owner may read it. Written by '
  'ff_seed_waitpoint_hmac_secret and ff_rotate_waitpoint_hmac_secret_all.';
COMMENT ON COLUMN ff_waitpoint_hmac.kid IS 'Key id, the part of a token before its colon.';
COMMENT ON COLUMN ff_waitpoint_hmac.secret IS 'The key''s bytes.';
COMMENT ON COLUMN ff_waitpoint_hmac.rotated_at_ms IS 'When the key was installed. Unix ms.';
COMMENT ON COLUMN ff_waitpoint_hmac.expires_at_ms IS
  'Last instant at which a retired key verifies; NULL on the active key, expired on a retired one. '
  'Unix ms.';

-- Flows

COMMENT ON TABLE ff_flow_core IS
  'One row per flow: a graph of executions. Key (partition_key, flow_id). Locked before its '
  'members. Written by the flow functions.';
COMMENT ON COLUMN ff_flow_core.graph_revision IS 'Rises with every change of the graph.';
COMMENT ON COLUMN ff_flow_core.public_flow_state IS
  'cancelled, completed and failed are closed: the graph takes no change. Any other value counts '
  'as open.';
COMMENT ON COLUMN ff_flow_core.raw_fields IS
  'flow_kind, namespace, cancellation_policy, cancel_reason (strings); tags (object of strings); '
  'node_count, edge_count, last_mutation_at_ms (numbers).';

COMMENT ON TABLE ff_edge IS
  'A dependency: the downstream execution waits for the upstream one. Key (partition_key, flow_id, '
  'edge_id), one edge per pair. Written by the flow functions and dispatch.';
COMMENT ON COLUMN ff_edge.policy IS
  'dependency_kind, satisfaction_condition, created_at_ms, created_by.';
COMMENT ON COLUMN ff_edge.edge_state IS
  'pending: staged; applied: waited for; satisfied and impossible: resolved.';
COMMENT ON COLUMN ff_edge.data_passing_ref IS
  'Set where the upstream''s result becomes the downstream''s payload.';
COMMENT ON COLUMN ff_edge.resolved_outcome IS 'The upstream outcome that resolved it.';

COMMENT ON TABLE ff_edge_group IS
  'The inbound requirement of one member, and counters over its edges. Key (partition_key, flow_id, '
  'downstream_eid). Written by the flow functions, dispatch and sibling cancels.';
COMMENT ON COLUMN ff_edge_group.policy IS
  '{"kind": all_of, any_of or quorum, "on_satisfied", "k"}.';
COMMENT ON COLUMN ff_edge_group.k_target IS
  'Successes wanted: any_of 1, quorum k; of all_of total_count, for information.';
COMMENT ON COLUMN ff_edge_group.running_count IS 'Follows the edges not yet resolved.';
COMMENT ON COLUMN ff_edge_group.cancel_siblings_pending_flag IS
  'The requirement is met and the upstreams still running are to be cancelled.';
COMMENT ON COLUMN ff_edge_group.cancel_siblings_pending_members IS
  'Those upstreams, bare uuids.';
COMMENT ON COLUMN ff_edge_group.total_count IS
  'Edges applied; NULL = sum of the success, fail, skip and running counts.';
COMMENT ON COLUMN ff_edge_group.staged_count IS 'Edges staged and not yet applied.';

COMMENT ON TABLE ff_pending_cancel_groups IS
  'Edge groups that have sibling cancels to dispatch. Key (partition_key, flow_id, downstream_eid). '
  'Written by dispatch, emptied by the reconcilers edge_cancel_dispatcher and '
  'edge_cancel_reconciler.';
COMMENT ON TABLE ff_cancel_dispatch_outbox IS
  'Single siblings still to cancel, since they were locked when their group was dispatched. Key '
  '(partition_key, flow_id, downstream_eid, target_exec_id). A row goes when its cancel is done.';
COMMENT ON TABLE ff_cancel_backlog IS
  'Flow cancels whose members are not all done with. Key (partition_key, flow_id). Written by '
  'ff_cancel_flow and ff_cancel_flow_header, worked off by acknowledgements and the reconciler '
  'cancel_backlog.';
COMMENT ON COLUMN ff_cancel_backlog.grace_until_ms IS
  'When the reconciler takes over; NULL = at once. Unix ms.';
COMMENT ON TABLE ff_cancel_backlog_member IS
  'Members of a cancelled flow not yet acknowledged; presence means owed. Key (partition_key, '
  'flow_id, execution_id). Written with ff_cancel_backlog, deleted by ff_ack_cancel_member and the '
  'reconciler.';
COMMENT ON COLUMN ff_cancel_backlog_member.execution_id IS 'The full text id {fp:N}:<uuid>.';
COMMENT ON TABLE ff_flow_summary IS
  'Members of a flow counted by public state, for dashboards; never a guard. Key (partition_key, '
  'flow_id). Written by ff_project_flow_summary and the reconciler flow_projector.';
COMMENT ON COLUMN ff_flow_summary.sampled_members IS
  'Members counted: all of them, equal to total_members.';
COMMENT ON COLUMN ff_flow_summary.members_active IS 'Members in public state running.';
COMMENT ON COLUMN ff_flow_summary.members_waiting IS
  'Members in public state waiting or resumable.';
COMMENT ON COLUMN ff_flow_summary.public_flow_state IS
  'Derived from the counts; the state that decides is that of ff_flow_core.';
COMMENT ON COLUMN ff_flow_summary.last_summary_update_at IS 'When it was counted. Unix ms.';
COMMENT ON COLUMN ff_flow_summary.settled IS
  'All members have ended and the graph has not changed since: no need to count again.';
COMMENT ON COLUMN ff_flow_summary.graph_revision IS 'The flow''s revision when it was counted.';

-- Budgets and quotas

COMMENT ON TABLE ff_budget_policy IS
  'One row per budget: limits, breaches, resets. Key (partition_key, budget_id). Written by '
  'ff_create_budget, usage reports, resets.';
COMMENT ON COLUMN ff_budget_policy.policy_json IS
  '{"hard_limits": {dim: n}, "soft_limits": {dim: n}, "reset_interval_ms": n, "on_hard_limit": t, '
  '"on_soft_limit": t}; a missing limit or 0 = none.';
COMMENT ON COLUMN ff_budget_policy.enforcement_mode IS 'Empty reads as strict.';
COMMENT ON COLUMN ff_budget_policy.last_breach_at_ms IS
  'The latest hard breach, cleared by a reset. Unix ms.';
COMMENT ON COLUMN ff_budget_policy.next_reset_at_ms IS
  'NULL = no scheduled reset. Unix ms.';
COMMENT ON COLUMN ff_budget_policy.defined IS
  'False: made by a usage report before any definition, metered without limits.';
COMMENT ON COLUMN ff_budget_policy.reset_count IS
  'Resets so far: the epoch of what ff_budget_usage_by_exec records.';
COMMENT ON TABLE ff_budget_usage IS
  'What a budget has used, per dimension. Key (partition_key, budget_id, dimensions_key). Written '
  'by usage reports, releases and resets.';
COMMENT ON COLUMN ff_budget_usage.dimensions_key IS 'Name of the dimension.';
COMMENT ON TABLE ff_budget_usage_by_exec IS
  'What one execution spent of a budget, so that a release gives back exactly that. Key '
  '(partition_key, budget_id, execution_id, dimensions_key), the partition being the budget''s. '
  'Written by usage reports and releases.';
COMMENT ON COLUMN ff_budget_usage_by_exec.reset_count IS
  'The budget''s reset_count when it was spent; an older amount is no longer in the usage.';
COMMENT ON TABLE ff_budget_usage_dedup IS
  'Idempotency keys of usage reports: the same key counts once. Key (partition_key, budget_id, '
  'dedup_key). Written by usage reports, swept by the reconciler dedup_trimmer.';
COMMENT ON COLUMN ff_budget_usage_dedup.outcome_json IS
  'The first result: outcome, dimension, current_usage, limit_value.';
COMMENT ON TABLE ff_quota_policy IS
  'One row per quota: how many admissions per window, how many at once. Key (partition_key, '
  'quota_policy_id). Written by ff_create_quota_policy and admissions. A limit of 0 = none.';
COMMENT ON COLUMN ff_quota_policy.requests_per_window_seconds IS
  'Length of the sliding window in seconds; 0 reads as 60.';
COMMENT ON COLUMN ff_quota_policy.active_concurrency IS
  'Holds of this policy: its rows in ff_quota_admitted.';
COMMENT ON COLUMN ff_quota_policy.defined IS
  'False: made by an admission before any definition, limits come with the call.';
COMMENT ON TABLE ff_quota_window IS
  'One row per admission of the sliding window, pruned as they leave it. Key (partition_key, '
  'quota_policy_id, dimension, admitted_at_ms, execution_id). Written by admissions.';
COMMENT ON COLUMN ff_quota_window.execution_id IS 'The full text id {fp:N}:<uuid>.';
COMMENT ON TABLE ff_quota_window_count IS
  'How many rows ff_quota_window has per policy and dimension, so that an admission counts nothing. '
  'Key (partition_key, quota_policy_id, dimension). Written with those rows, repaired by the '
  'reconciler quota_counters.';
COMMENT ON TABLE ff_quota_admitted IS
  'Admissions held now. Key (partition_key, quota_policy_id, execution_id). Written by '
  'ff_check_admission, ff_release_admission and claims.';
COMMENT ON COLUMN ff_quota_admitted.execution_id IS 'The full text id {fp:N}:<uuid>.';
COMMENT ON COLUMN ff_quota_admitted.engine_held IS
  'Held by the execution itself: it ends with its run, not at expires_at_ms.';

-- Streams

COMMENT ON TABLE ff_stream_frame IS
  'Output of an attempt, one row per frame kept. Key (partition_key, execution_id, attempt_index, '
  'ts_ms, seq); a frame''s id is <ts_ms>-<seq> and rises in commit order. Written by '
  'ff_append_frame, trimmed by it and by the reconciler stream_janitor.';
COMMENT ON COLUMN ff_stream_frame.fields IS
  'frame_type, encoding, source and, where given, correlation_id, metadata, summary_version, '
  'ttl_ms.';
COMMENT ON COLUMN ff_stream_frame.mode IS
  'Which frames it is kept and trimmed with.';
COMMENT ON COLUMN ff_stream_frame.payload IS 'The frame''s bytes, exactly as appended.';
COMMENT ON TABLE ff_stream_summary IS
  'The document that the merge patches of a stream add up to. Key (partition_key, execution_id, '
  'attempt_index). Written by ff_append_frame in mode durable_summary.';
COMMENT ON TABLE ff_stream_meta IS
  'State of a stream, made by its first append. Key (partition_key, execution_id, attempt_index). '
  'Written by ff_append_frame and by whatever ends, loses or reopens the attempt.';
COMMENT ON COLUMN ff_stream_meta.ema_rate_hz IS
  'Moving average of best-effort appends per second.';
COMMENT ON COLUMN ff_stream_meta.last_append_ts_ms IS
  'Last best-effort append; 0 = none yet. Unix ms.';
COMMENT ON COLUMN ff_stream_meta.maxlen_applied_last IS
  'Best-effort frames kept by the last such append.';
COMMENT ON COLUMN ff_stream_meta.last_ts_ms IS
  'Newest frame id, first half; last_seq is the second.';
COMMENT ON COLUMN ff_stream_meta.frame_count IS 'Appends ever made; never falls.';
COMMENT ON COLUMN ff_stream_meta.total_bytes IS 'Payload bytes ever appended.';
COMMENT ON COLUMN ff_stream_meta.retained_durable IS
  'Durable frames kept now; the next two count the other modes.';
COMMENT ON COLUMN ff_stream_meta.retention_maxlen IS
  'Durable frames to keep, from the execution''s policy; NULL = the setting stream_maxlen.';
COMMENT ON COLUMN ff_stream_meta.retention_ttl_ms IS
  'How long a closed stream is kept, from the execution''s policy; a duration.';
COMMENT ON COLUMN ff_stream_meta.expires_at_ms IS
  'From then on the content counts as gone. Unix ms.';
COMMENT ON COLUMN ff_stream_meta.closed_at_ms IS
  'When the stream was closed; NULL = open. Unix ms.';

-- Outboxes

COMMENT ON TABLE ff_completion_event IS
  'Outbox of ends: one row per execution that ended, one per suspended execution that became '
  'resumable. Key event_id, position (xact_id, event_id). Written in the transaction of the change '
  'itself; read with ff_subscribe_completion.';
COMMENT ON COLUMN ff_completion_event.dispatched_at_ms IS
  'When the flow cascade took it; a resumable one is born with it. Unix ms.';
COMMENT ON COLUMN ff_completion_event.committed_at_ms IS
  'When the row was recorded; the trigger fills it. Unix ms.';
COMMENT ON COLUMN ff_completion_event.xact_id IS
  'The writing transaction, set by the trigger whatever is given: readers see only what lies below '
  'every open transaction, so no event is skipped.';

COMMENT ON TABLE ff_lease_event IS
  'Outbox of the history of leases. Key event_id, position (xact_id, event_id). Written in the '
  'transaction of the change itself; read with ff_subscribe_lease_history.';
COMMENT ON COLUMN ff_lease_event.execution_id IS 'The bare uuid as text.';
COMMENT ON COLUMN ff_lease_event.event_type IS
  'revoked covers every way a lease ends other than expiry; reason says which.';
COMMENT ON COLUMN ff_lease_event.revoked_by IS 'worker, operator, reconciler or backend.';
COMMENT ON COLUMN ff_lease_event.worker_instance_id IS
  'The former holder of an expired or revoked lease, else the present one.';
COMMENT ON COLUMN ff_lease_event.xact_id IS 'The writing transaction, set by the trigger.';
COMMENT ON COLUMN ff_lease_event.recorded_at_ms IS
  'When the row was recorded; the trigger fills it. Unix ms.';

COMMENT ON TABLE ff_signal_event IS
  'Outbox of signal deliveries: every accepted signal, every duplicate, every timeout signal. Key '
  'event_id, position (xact_id, event_id). Written in the transaction of the change itself; read '
  'with ff_subscribe_signal_delivery.';
COMMENT ON COLUMN ff_signal_event.execution_id IS 'The bare uuid as text.';
COMMENT ON COLUMN ff_signal_event.effect IS
  'satisfied, appended, ignored, buffered, deduped, timed_out or escalated; NULL reads as '
  'satisfied.';
COMMENT ON COLUMN ff_signal_event.xact_id IS 'The writing transaction, set by the trigger.';
COMMENT ON COLUMN ff_signal_event.recorded_at_ms IS
  'When the row was recorded; the trigger fills it. Unix ms.';

COMMENT ON TABLE ff_operator_event IS
  'Outbox of what operators did. Key event_id, position (xact_id, event_id). Written in the '
  'transaction of the change itself; read with ff_subscribe_operator_events.';
COMMENT ON COLUMN ff_operator_event.execution_id IS
  'The bare uuid as text; of a flow-level event the flow''s.';
COMMENT ON COLUMN ff_operator_event.details IS 'What changed, and requested_by.';
COMMENT ON COLUMN ff_operator_event.xact_id IS 'The writing transaction, set by the trigger.';
COMMENT ON COLUMN ff_operator_event.recorded_at_ms IS
  'When the row was recorded; the trigger fills it. Unix ms.';

COMMENT ON TABLE ff_worker_registry_event IS
  'Outbox of the worker registry. Key event_id, position (xact_id, event_id). Written by the '
  'registry''s functions and sweep; read with ff_subscribe_worker_events.';
COMMENT ON COLUMN ff_worker_registry_event.event_at_ms IS 'When it happened. Unix ms.';
COMMENT ON COLUMN ff_worker_registry_event.instance_tag IS 'Always NULL: a worker has no tags.';
COMMENT ON COLUMN ff_worker_registry_event.xact_id IS
  'The writing transaction, set by the trigger.';
COMMENT ON COLUMN ff_worker_registry_event.recorded_at_ms IS
  'When the row was recorded; the trigger fills it. Unix ms.';

COMMENT ON TABLE ff_instance_tag_event IS
  'Outbox of the tag named by the setting ffengine.instance_tag_key: where it was attached or '
  'cleared. Key event_id, position (xact_id, event_id). Written in the transaction of the change '
  'itself; read with ff_subscribe_instance_tags.';
COMMENT ON COLUMN ff_instance_tag_event.execution_id IS 'The bare uuid as text.';
COMMENT ON COLUMN ff_instance_tag_event.tag IS 'The value attached or cleared.';
COMMENT ON COLUMN ff_instance_tag_event.xact_id IS
  'The writing transaction, set by the trigger.';
COMMENT ON COLUMN ff_instance_tag_event.recorded_at_ms IS
  'When the row was recorded; the trigger fills it. Unix ms.';

-- Registries and bookkeeping

COMMENT ON TABLE ff_lane_registry IS
  'Lanes that were ever used, and their state. Key lane_id. Written by the first use of a lane and '
  'by ff_set_lane_state.';
COMMENT ON COLUMN ff_lane_registry.registered_by IS 'Who used the lane first.';
COMMENT ON TABLE ff_execution_dedup IS
  'Idempotency keys of creation: the same key returns the first execution. Key (namespace, '
  'idempotency_key). Written by the creating functions, swept by the reconciler dedup_trimmer.';
COMMENT ON TABLE ff_worker_registry IS
  'Workers that registered. Key (partition_key, namespace, worker_instance_id). Live while '
  'last_heartbeat_ms + liveness_ttl_ms > now; information for routing and operators, claiming does '
  'not need it. Written by the registry''s functions and the reconciler worker_registry_ttl_sweep.';
COMMENT ON COLUMN ff_worker_registry.worker_id IS
  'Names a pool and survives restarts; worker_instance_id names one process.';
COMMENT ON COLUMN ff_worker_registry.lanes IS 'Lanes it serves, sorted and distinct.';
COMMENT ON COLUMN ff_worker_registry.capabilities_csv IS
  'Its capability tokens, sorted, joined by commas.';
COMMENT ON COLUMN ff_worker_registry.ttl_check_at_ms IS
  'When the sweep next looks at this row; moved by registering and by the sweep alone, so that a '
  'heartbeat touches no index. Unix ms.';
COMMENT ON TABLE ff_partition_config IS
  'The one row that tells clients how many partitions there are. Key singleton_lock. Written by '
  'install and update scripts only.';
COMMENT ON COLUMN ff_partition_config.ff_version IS 'Version of the installed extension.';
COMMENT ON TABLE ff_access_function IS
  'Which function belongs to which access set. Key (access, function_signature). Written by install '
  'and update scripts; ff_grant_access and ff_revoke_access act on it.';
COMMENT ON COLUMN ff_access_function.access IS
  'One of the five sets, or owner: in none of them.';
COMMENT ON COLUMN ff_access_function.function_signature IS
  'Name and argument types, without schema.';
COMMENT ON TABLE ff_access_grant IS
  'Which role was granted which access set. Key (role_name, access). Written by ff_grant_access and '
  'ff_revoke_access, applied again by ff_prepare.';
COMMENT ON TABLE ff_subscription IS
  'Durable subscriptions to an outbox: a filter and the position up to which events were '
  'acknowledged. Key name. Written by ff_create_subscription, ff_ack_subscription and the '
  'reconciler outbox_trimmer.';
COMMENT ON COLUMN ff_subscription.era IS
  'Which cluster the position belongs to; after a restore elsewhere it starts from the oldest '
  'event.';
COMMENT ON COLUMN ff_subscription.xact_id IS
  'First half of the acknowledged position; event_id is the second.';
COMMENT ON TABLE ff_outbox_state IS
  'Last position trimmed from each outbox, so that a reader who was overtaken learns of it. Key '
  'stream. Written by ff_trim_outbox and the reconciler outbox_trimmer. True of one cluster only, '
  'hence not dumped.';
COMMENT ON TABLE ff_reconciler_state IS
  'Switch, interval and last results of each reconciler. Key name. A missing row reads as the '
  'defaults. Written by ff_set_reconciler, the background worker and ff_reconcile.';
COMMENT ON COLUMN ff_reconciler_state.changed_at_ms IS
  'When ff_set_reconciler changed it; NULL = the defaults hold. Unix ms.';
COMMENT ON COLUMN ff_reconciler_state.last_good_at_ms IS
  'Last pass without an error. Unix ms.';

-- Views

COMMENT ON VIEW ff_error_code IS
  'Every SQLSTATE that ffengine raises, in order: its class, its kind, whether calling again can '
  'help, and what it means.';
COMMENT ON VIEW ff_executions IS
  'One row per execution in readable form, without payload, result and policy. Look one up by '
  '(partition_key, execution_uuid), which has an index; execution_id is computed.';
COMMENT ON COLUMN ff_executions.terminal_outcome IS 'How it ended; NULL while it has not.';
COMMENT ON COLUMN ff_executions.total_attempt_count IS
  'Attempts ever opened; a replay reuses its attempt and adds none.';
COMMENT ON COLUMN ff_executions.worker_id IS
  'As the next three columns set only while a lease is held.';
COMMENT ON COLUMN ff_executions.started_at IS 'First claim ever.';
COMMENT ON COLUMN ff_executions.completed_at IS 'When it ended; NULL while it has not.';
COMMENT ON COLUMN ff_executions.payload_bytes IS 'Size of the payload; NULL = there is none.';
COMMENT ON COLUMN ff_executions.result_bytes IS 'Size of the result; NULL = there is none.';
COMMENT ON VIEW ff_attempts IS
  'One row per attempt in readable form. Look one up by (partition_key, execution_uuid, '
  'attempt_index), which has an index.';
COMMENT ON COLUMN ff_attempts.state IS
  'ended; running: holds the lease; pending: the current attempt, to be opened again; interrupted: '
  'anything else.';
COMMENT ON COLUMN ff_attempts.duration_ms IS
  'End, or now while running, minus start; else NULL.';
COMMENT ON COLUMN ff_attempts.runs IS
  'Earlier runs of this attempt, oldest first; a replay adds one.';
COMMENT ON VIEW ff_suspensions IS
  'One row per execution that is suspended now, and what it waits for. Never a token.';
COMMENT ON COLUMN ff_suspensions.timeout_behavior IS
  'What happens at timeout_at; NULL = fail.';
COMMENT ON COLUMN ff_suspensions.required_signal_names IS
  'Names that its waitpoints ask for, sorted and distinct; empty = any name will do.';
COMMENT ON VIEW ff_lanes IS
  'One row per registered lane: its state, executions by public state, age of the oldest that '
  'waits. Ended executions are not counted, so the cost follows live work only.';
COMMENT ON COLUMN ff_lanes.live IS 'Sum of the seven counts before it.';
COMMENT ON COLUMN ff_lanes.oldest_waiting_at IS
  'An execution waits since the later of its creation and the instant from which it was eligible; '
  'NULL when none waits.';
COMMENT ON VIEW ff_access IS
  'Which role holds which access set, since when, granted by whom.';

------------------------------------------------------------------------------------------------
-- What pg_dump carries
--
-- Left out: ff_partition_config and ff_access_function, which this script fills, and
-- ff_outbox_state, which is true of one cluster only. A dump holds the secrets of the keystore,
-- since restored tokens could not verify without them.
------------------------------------------------------------------------------------------------

SELECT pg_catalog.pg_extension_config_dump('ff_exec_core', '');
SELECT pg_catalog.pg_extension_config_dump('ff_attempt', '');
SELECT pg_catalog.pg_extension_config_dump('ff_claim_grant', '');
SELECT pg_catalog.pg_extension_config_dump('ff_suspension_current', '');
SELECT pg_catalog.pg_extension_config_dump('ff_suspension_history', '');
SELECT pg_catalog.pg_extension_config_dump('ff_waitpoint_pending', '');
SELECT pg_catalog.pg_extension_config_dump('ff_signal', '');
SELECT pg_catalog.pg_extension_config_dump('ff_signal_counter', '');
SELECT pg_catalog.pg_extension_config_dump('ff_signal_satisfier', '');
SELECT pg_catalog.pg_extension_config_dump('ff_signal_dedup', '');
SELECT pg_catalog.pg_extension_config_dump('ff_suspend_dedup', '');
SELECT pg_catalog.pg_extension_config_dump('ff_waitpoint_hmac', '');
SELECT pg_catalog.pg_extension_config_dump('ff_flow_core', '');
SELECT pg_catalog.pg_extension_config_dump('ff_edge', '');
SELECT pg_catalog.pg_extension_config_dump('ff_edge_group', '');
SELECT pg_catalog.pg_extension_config_dump('ff_pending_cancel_groups', '');
SELECT pg_catalog.pg_extension_config_dump('ff_cancel_dispatch_outbox', '');
SELECT pg_catalog.pg_extension_config_dump('ff_cancel_backlog', '');
SELECT pg_catalog.pg_extension_config_dump('ff_cancel_backlog_member', '');
SELECT pg_catalog.pg_extension_config_dump('ff_flow_summary', '');
SELECT pg_catalog.pg_extension_config_dump('ff_budget_policy', '');
SELECT pg_catalog.pg_extension_config_dump('ff_budget_usage', '');
SELECT pg_catalog.pg_extension_config_dump('ff_budget_usage_by_exec', '');
SELECT pg_catalog.pg_extension_config_dump('ff_budget_usage_dedup', '');
SELECT pg_catalog.pg_extension_config_dump('ff_quota_policy', '');
SELECT pg_catalog.pg_extension_config_dump('ff_quota_window', '');
SELECT pg_catalog.pg_extension_config_dump('ff_quota_window_count', '');
SELECT pg_catalog.pg_extension_config_dump('ff_quota_admitted', '');
SELECT pg_catalog.pg_extension_config_dump('ff_stream_frame', '');
SELECT pg_catalog.pg_extension_config_dump('ff_stream_summary', '');
SELECT pg_catalog.pg_extension_config_dump('ff_stream_meta', '');
SELECT pg_catalog.pg_extension_config_dump('ff_completion_event', '');
SELECT pg_catalog.pg_extension_config_dump('ff_lease_event', '');
SELECT pg_catalog.pg_extension_config_dump('ff_signal_event', '');
SELECT pg_catalog.pg_extension_config_dump('ff_operator_event', '');
SELECT pg_catalog.pg_extension_config_dump('ff_worker_registry_event', '');
SELECT pg_catalog.pg_extension_config_dump('ff_instance_tag_event', '');
SELECT pg_catalog.pg_extension_config_dump('ff_lane_registry', '');
SELECT pg_catalog.pg_extension_config_dump('ff_execution_dedup', '');
SELECT pg_catalog.pg_extension_config_dump('ff_worker_registry', '');
SELECT pg_catalog.pg_extension_config_dump('ff_access_grant', '');
SELECT pg_catalog.pg_extension_config_dump('ff_subscription', '');
SELECT pg_catalog.pg_extension_config_dump('ff_reconciler_state',
                                           'WHERE changed_at_ms IS NOT NULL');

SELECT pg_catalog.pg_extension_config_dump('ff_completion_event_event_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('ff_lease_event_event_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('ff_signal_event_event_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('ff_operator_event_event_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('ff_worker_registry_event_event_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('ff_instance_tag_event_event_id_seq', '');

------------------------------------------------------------------------------------------------
-- Privileges: nothing is open to PUBLIC, access is given by ff_grant_access alone. Functions run
-- as the owner on a fixed search_path.
------------------------------------------------------------------------------------------------

DO $$
DECLARE
  member record;
BEGIN
  FOR member IN
    SELECT d.classid, d.objid, c.relkind,
           p.prorettype = 'pg_catalog.trigger'::regtype AS is_trigger
      FROM pg_catalog.pg_depend d
      JOIN pg_catalog.pg_extension x
        ON d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.refobjid = x.oid
      LEFT JOIN pg_catalog.pg_class c
        ON d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid
      LEFT JOIN pg_catalog.pg_proc p
        ON d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid
     WHERE x.extname = 'ffengine' AND d.deptype = 'e'
  LOOP
    IF member.classid = 'pg_catalog.pg_proc'::regclass THEN
      EXECUTE pg_catalog.format('REVOKE ALL ON ROUTINE %s FROM PUBLIC',
                                member.objid::regprocedure);
      CONTINUE WHEN member.is_trigger;
      EXECUTE pg_catalog.format('ALTER ROUTINE %s SECURITY DEFINER'
                                ' SET search_path = pg_catalog, pg_temp',
                                member.objid::regprocedure);
    ELSIF member.relkind = 'S' THEN
      EXECUTE pg_catalog.format('REVOKE ALL ON SEQUENCE %s FROM PUBLIC', member.objid::regclass);
    ELSIF member.relkind IN ('r', 'v') THEN
      EXECUTE pg_catalog.format('REVOKE ALL ON TABLE %s FROM PUBLIC', member.objid::regclass);
    END IF;
  END LOOP;
END
$$;

-- On a preloaded server the background worker comes up when this is committed.
SELECT ff_start_worker();
