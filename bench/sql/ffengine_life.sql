-- create + claim + complete: a queue in balance, 3 round trips, each a transaction of its own.
SELECT execution_id FROM ff_create_execution(lane_id => 'bench', payload => convert_to(repeat('p', 100), 'UTF8'));
SELECT handle FROM ff_claim(lane_id => 'bench', worker_id => 'w', worker_instance_id => 'w-1') \gset
SELECT outcome FROM ff_complete(:handle, 'done');
