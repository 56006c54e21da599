-- Renews one of :leases leases.
\set number random(1, :leases)
SELECT handle FROM lease WHERE number = :number \gset
SELECT lease_epoch FROM ff_renew(:handle);
