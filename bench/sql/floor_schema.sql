-- The floor: the narrowest queue that still hands a row to one worker only.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
DROP SCHEMA IF EXISTS floor CASCADE;
CREATE SCHEMA floor;
CREATE TABLE floor.q (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	priority integer NOT NULL DEFAULT 0,
	state text NOT NULL DEFAULT 'ready'
);
CREATE INDEX q_ready_idx ON floor.q (priority DESC, id) WHERE state = 'ready';
