#!/bin/bash
# Runs approval.sql and compares what it prints with approval.out. PGHOST and so on name a server
# where ffengine is installed, PGUSER a superuser; it makes a database and four roles there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

psql -Xq -v ON_ERROR_STOP=1 -c 'CREATE DATABASE approval_psql'
export PGDATABASE=approval_psql
psql -Xq -v ON_ERROR_STOP=1 >/dev/null <<'SQL'
SET client_min_messages = warning;
CREATE EXTENSION ffengine CASCADE;
SELECT outcome FROM ff_seed_waitpoint_hmac_secret('k1');   -- the key that signs tokens
CREATE ROLE deploy_web LOGIN;
CREATE ROLE deploy_worker LOGIN;
CREATE ROLE deploy_hook LOGIN;
CREATE ROLE deploy_operator LOGIN;
SELECT ff_grant_access('deploy_web', 'submitter'), ff_grant_access('deploy_worker', 'worker'),
       ff_grant_access('deploy_hook', 'signaler'), ff_grant_access('deploy_operator', 'operator');
SQL

psql -X -f approval.sql 2>&1 | diff -u approval.out - || {
	echo "approval.sql printed something else than approval.out has" >&2
	exit 1
}
cat approval.out
