#!/bin/bash
# Prepares a database and runs approval.py. PGHOST and so on name a server where ffengine is
# installed, PGUSER a superuser.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

psql -Xq -v ON_ERROR_STOP=1 -c 'CREATE DATABASE approval_python'
export PGDATABASE=approval_python
psql -Xq -v ON_ERROR_STOP=1 >/dev/null <<'SQL'
SET client_min_messages = warning;
CREATE EXTENSION ffengine CASCADE;
SELECT outcome FROM ff_seed_waitpoint_hmac_secret('k1');   -- the key that signs tokens
CREATE ROLE refund_web LOGIN;
CREATE ROLE refund_worker LOGIN;
CREATE ROLE refund_hook LOGIN;
SELECT ff_grant_access('refund_web', 'submitter'), ff_grant_access('refund_worker', 'worker'),
       ff_grant_access('refund_hook', 'signaler');
SQL

exec /usr/bin/python3 approval.py # Debian's, which has psycopg2
