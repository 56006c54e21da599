SELECT count(*) FROM floor.q WHERE state = 'ready';
