-- ff_stats and ff_stats_reset (chapter 08, section 10) where the library is not preloaded; the rest
-- is in t/031_stats.pl.
\set VERBOSITY terse
\pset null -
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS ffengine CASCADE;
RESET client_min_messages;

SELECT current_setting('shared_preload_libraries') ~ '\mffengine\M' AS preloaded \gset
\if :preloaded
  \quit
\endif

SELECT * FROM ff_stats();

-- Nothing is counted, and nothing minds: work that ends, a claim that waits, a refused renewal.
SELECT outcome FROM ff_create_execution('stats a');
SELECT handle FROM ff_claim('stats a', 'w', 'w-1') \gset
SELECT outcome FROM ff_complete(:'handle');
SELECT count(*) AS claimed FROM ff_claim('stats a', 'w', 'w-1', block_ms => 20);
\set VERBOSITY sqlstate
SELECT ff_renew(:'handle');
\set VERBOSITY terse
SELECT ff_stats_reset();
SELECT name, value FROM ff_stats();
SELECT name FROM ff_stats() WHERE kind = 'counter';

-- It may stand where a function that returns rows may.
SELECT (ff_stats()).value;
SELECT s.name, s.labels = '{}' AS bare FROM generate_series(1, 2), LATERAL ff_stats() s;

-- What the savepoints of a transaction owe is forgotten with them, however many there are.
BEGIN;
DO $$
BEGIN
  FOR i IN 1 .. 1000 LOOP
    BEGIN
      PERFORM ff_claim('stats a', 'w', 'w-1');
    EXCEPTION WHEN OTHERS THEN
      RAISE;
    END;
  END LOOP;
END $$;
SELECT sum(used_bytes) < 100000 AS little FROM pg_backend_memory_contexts
 WHERE name IN ('TopTransactionContext', 'ffengine savepoint');
COMMIT;
