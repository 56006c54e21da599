-- claim 50 + complete_many 50: 2 round trips, each a transaction of its own (chapter 04, section 4.5).
SELECT array_agg(handle) AS handles
FROM ff_claim(lane_id => 'bench', worker_id => 'w', worker_instance_id => 'w-1', max_claims => 50) \gset
SELECT count(*) FROM ff_complete_many(:handles) WHERE outcome = 'completed';
