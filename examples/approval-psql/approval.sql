-- An approval gate in psql: two different people must approve before the work goes on.
--
-- Connect as a superuser to a database prepared as run.sh does it. psql's \gset keeps the columns
-- of a result as variables; \connect goes on as another role, over a new connection.
--
-- psql writes :'variable' into the text of the statement, where pg_stat_activity shows it. That is
-- good enough by hand; a program passes tokens as parameters (psql 16 and later: \bind).

\set QUIET on
\set ON_ERROR_STOP on
\pset footer off

-- 1. The web application submits a deployment.
\connect - deploy_web
SELECT execution_id, outcome
  FROM ff_create_execution(lane_id         => 'deploy',
                           payload         => '{"version": "2.4"}',
                           idempotency_key => 'deploy/2.4') \gset
\echo submitted: :outcome

-- 2. A worker claims it under a lease of 30 s, finds that it needs approval, and suspends it. The
--    lease is given back: nothing runs while the execution waits.
\connect - deploy_worker
SELECT handle, claim_kind
  FROM ff_claim(lane_id => 'deploy', worker_id => 'deployer', worker_instance_id => 'deployer-1') \gset
\echo claimed: :claim_kind

SELECT outcome, waitpoint_id, waitpoint_token
  FROM ff_suspend(handle           => :'handle',
                  resume_condition => ff_count_of(2, ARRAY['approval'], 'sources', 'approved'),
                  reason_code      => 'waiting_for_approval',
                  idempotency_key  => 'approval') \gset
\echo suspended: :outcome

-- 3. The token goes to the program behind the approvers' button. It proves the right to signal
--    this one waitpoint. Alice approves, and clicks twice: the key makes that one signal.
\connect - deploy_hook
SELECT outcome, effect, match_result
  FROM ff_deliver_signal(execution_id => :'execution_id', waitpoint_id => :'waitpoint_id',
                         waitpoint_token => :'waitpoint_token', signal_name => 'approved',
                         source_type => 'user', source_identity => 'alice', idempotency_key => 'alice');
SELECT outcome, effect, match_result
  FROM ff_deliver_signal(execution_id => :'execution_id', waitpoint_id => :'waitpoint_id',
                         waitpoint_token => :'waitpoint_token', signal_name => 'approved',
                         source_type => 'user', source_identity => 'alice', idempotency_key => 'alice');

-- 4. Who has the access set `operator` needs no token. What is it waiting for, how far is it?
\connect - deploy_operator
SELECT reason, counts FROM ff_describe_suspension(execution_id => :'execution_id');
SELECT outcome, effect, match_result
  FROM ff_deliver_approval_signal(execution_id => :'execution_id', waitpoint_id => :'waitpoint_id',
                                  signal_name => 'approved', idempotency_suffix => 'bob',
                                  source_identity => 'bob');

-- 5. Any worker goes on with the same attempt, sees who approved, and completes it.
\connect - deploy_worker
SELECT handle, claim_kind, attempt_index
  FROM ff_claim(lane_id => 'deploy', worker_id => 'deployer', worker_instance_id => 'deployer-2') \gset
\echo claimed: :claim_kind, attempt :attempt_index

SELECT signal_name, source_type, source_identity
  FROM ff_observe_signals(handle => :'handle', only_counted => true);
SELECT outcome, public_state FROM ff_complete(handle => :'handle', result => 'deployed');
