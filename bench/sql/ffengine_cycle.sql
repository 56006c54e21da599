-- claim + complete: 2 round trips, each a transaction of its own (chapter 04, sections 3.2 and 4.3).
SELECT handle FROM ff_claim(lane_id => 'bench', worker_id => 'w', worker_instance_id => 'w-1') \gset
SELECT outcome FROM ff_complete(:handle, 'done');
