-- What one delivery costs: N signals to one waitpoint, each in a transaction of its own. psql variables:
-- `signals`, and `wanted`, the name that the condition counts (those sent are called `vote`). One row a
-- signal: its number, the statement's time in microseconds and the WAL it wrote.

\set QUIET on
CREATE TEMP TABLE delivery (number integer PRIMARY KEY, microseconds double precision, wal_bytes bigint);

CREATE OR REPLACE PROCEDURE pg_temp.deliver(signals integer, wanted text) LANGUAGE plpgsql AS $$
DECLARE
  e text;
  w record;
  started timestamptz;
  at pg_lsn;
BEGIN
  SELECT execution_id INTO e FROM ff_create_execution('signals');
  SELECT s.* INTO w
    FROM ff_claim('signals', 'bench', 'bench-1') c,
         ff_suspend(c.handle, ff_count_of(signals + 1, ARRAY['votes'], 'signals', wanted)) s;
  COMMIT;
  FOR n IN 1 .. signals LOOP
    at := pg_current_wal_insert_lsn();
    started := clock_timestamp();
    PERFORM ff_deliver_signal(e, w.waitpoint_id, w.waitpoint_token, 'vote', payload => '{"choice": "yes"}',
                              source_type => 'user', source_identity => 'user-' || n, idempotency_key => 'vote-' || n,
                              max_signals_per_execution => 0);
    INSERT INTO delivery
    VALUES (n, 1000000 * extract(epoch FROM clock_timestamp() - started), pg_current_wal_insert_lsn() - at);
    COMMIT;
  END LOOP;
END
$$;

-- plans and caches of a backend that has delivered before
CALL pg_temp.deliver(200, :'wanted');
TRUNCATE delivery;
CALL pg_temp.deliver(:signals, :'wanted');
SELECT number, microseconds, wal_bytes FROM delivery ORDER BY number;
