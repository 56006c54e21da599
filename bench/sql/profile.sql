-- What pg_stat_statements saw, per cycle; :cycles were run. A function's statements are counted in
-- the function's own line too.
SELECT round(calls::numeric / :cycles, 2) AS calls,
	round((total_exec_time * 1000 / :cycles)::numeric, 1) AS us,
	round((total_plan_time * 1000 / :cycles)::numeric, 1) AS plan_us,
	round(wal_bytes / :cycles) AS wal_bytes,
	round(wal_records::numeric / :cycles, 1) AS wal_records,
	round((shared_blks_hit + shared_blks_read)::numeric / :cycles, 1) AS buffers,
	toplevel AS top,
	left(regexp_replace(query, '\s+', ' ', 'g'), 90) AS statement
FROM public.pg_stat_statements
WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
	AND calls * 10 > :cycles
ORDER BY total_exec_time DESC;
