-- Take a row and finish it: 2 round trips, each a transaction of its own.
UPDATE floor.q SET state = 'taken'
WHERE id = (SELECT id FROM floor.q WHERE state = 'ready' ORDER BY priority DESC, id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id \gset
UPDATE floor.q SET state = 'done' WHERE id = :id;
