#!/bin/bash
# Prepares a database and runs events.py. PGHOST and so on name a server where ffengine is
# installed, PGUSER a superuser.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

psql -Xq -v ON_ERROR_STOP=1 -c 'CREATE DATABASE events_python'
export PGDATABASE=events_python
psql -Xq -v ON_ERROR_STOP=1 >/dev/null <<'SQL'
SET client_min_messages = warning;
CREATE EXTENSION ffengine CASCADE;
CREATE ROLE order_web LOGIN;
CREATE ROLE order_worker LOGIN;
CREATE ROLE order_billing LOGIN;
SELECT ff_grant_access('order_web', 'submitter'), ff_grant_access('order_worker', 'worker'),
       ff_grant_access('order_billing', 'reader');
-- From here on every success and failure is kept until billing has acknowledged it.
SELECT outcome FROM ff_create_subscription('billing', 'completion', '{"event_types": ["success", "failed"]}');
CREATE TABLE invoice (execution_id text PRIMARY KEY, outcome text NOT NULL);
GRANT SELECT, INSERT ON invoice TO order_billing;
SQL

/usr/bin/python3 events.py | diff - events.out # Debian's, which has psycopg2
