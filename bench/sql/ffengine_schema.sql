-- ffengine in a schema of its own choice; every later session finds it by the database's search_path.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS ffengine CASCADE; -- there already for the second side
SELECT format('ALTER DATABASE %I SET search_path = %I, public', current_database(), n.nspname)
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'ffengine' \gexec
\connect
SELECT outcome FROM ff_seed_waitpoint_hmac_secret('bench-1');
