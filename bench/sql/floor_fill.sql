-- Fills the floor's queue up to :waiting rows.
\set ON_ERROR_STOP on
INSERT INTO floor.q (priority)
SELECT 0 FROM generate_series(1, :waiting - (SELECT count(*) FROM floor.q WHERE state = 'ready'));
VACUUM (ANALYZE) floor.q;
