-- :leases executions under a lease of an hour, their handles in a table for ffengine_renew.sql.
\set ON_ERROR_STOP on
CREATE TABLE lease AS
SELECT row_number() OVER () AS number, handle
FROM ff_claim(lane_id => 'bench', worker_id => 'w', worker_instance_id => 'w-1', lease_ttl_ms => 3600000,
	max_claims => :leases);
ALTER TABLE lease ADD PRIMARY KEY (number);
