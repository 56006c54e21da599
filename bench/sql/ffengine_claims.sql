-- What one claim costs: each of :samples claims in a transaction of its own, followed by its completion and
-- a new execution, so that as many wait at the end. One row a claim: the statement's time in microseconds.
\set QUIET on
CREATE TEMP TABLE claim (number integer PRIMARY KEY, microseconds double precision);

CREATE OR REPLACE PROCEDURE pg_temp.claims(samples integer) LANGUAGE plpgsql AS $$
DECLARE
  h bytea;
  started timestamptz;
BEGIN
  FOR n IN 1 .. samples LOOP
    started := clock_timestamp();
    SELECT handle INTO STRICT h FROM ff_claim('bench', 'w', 'w-1', '{cpu}');
    INSERT INTO claim VALUES (n, 1000000 * extract(epoch FROM clock_timestamp() - started));
    COMMIT;
    PERFORM ff_complete(h, 'done');
    PERFORM ff_create_execution('bench', convert_to(repeat('p', 100), 'UTF8'));
    COMMIT;
  END LOOP;
END
$$;

-- plans and caches of a backend that has claimed before
CALL pg_temp.claims(200);
TRUNCATE claim;
CALL pg_temp.claims(:samples);
SELECT microseconds FROM claim;
