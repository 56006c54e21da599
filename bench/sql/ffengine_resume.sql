-- claim, suspend, signal, claim_resumed, complete: 5 round trips, each a transaction of its own
-- (chapter 03, sections 4 to 6). The claim takes no resumed work, so that no client takes another's.
SELECT execution_id, handle
FROM ff_claim(lane_id => 'bench', worker_id => 'w', worker_instance_id => 'w-1', include_resumable => false) \gset
SELECT waitpoint_id, waitpoint_token
FROM ff_suspend(handle => :handle, resume_condition => ff_when('approval', 'ready')) \gset
SELECT effect FROM ff_deliver_signal(execution_id => :execution_id, waitpoint_id => :waitpoint_id,
	waitpoint_token => :waitpoint_token, signal_name => 'ready', source_identity => 'bench');
SELECT handle
FROM ff_claim_resumed_execution(execution_id => :execution_id, worker_id => 'w', worker_instance_id => 'w-1') \gset
SELECT outcome FROM ff_complete(:handle, 'done');
