#!/bin/bash
# Prepares a database, installs the driver by the lock file into a temporary copy of this folder and
# runs approval.js there. PGHOST and so on name a server where ffengine is installed, PGUSER a
# superuser. npm fetches from its configured registry.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

psql -Xq -v ON_ERROR_STOP=1 -c 'CREATE DATABASE approval_node'
export PGDATABASE=approval_node
psql -Xq -v ON_ERROR_STOP=1 >/dev/null <<'SQL'
SET client_min_messages = warning;
CREATE EXTENSION ffengine CASCADE;
SELECT outcome FROM ff_seed_waitpoint_hmac_secret('k1');   -- the key that signs tokens
CREATE ROLE release_web LOGIN;
CREATE ROLE release_worker LOGIN;
CREATE ROLE release_hook LOGIN;
SELECT ff_grant_access('release_web', 'submitter'), ff_grant_access('release_worker', 'worker'),
       ff_grant_access('release_hook', 'signaler');
SQL

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp "$here"/approval.js "$here"/package.json "$here"/package-lock.json "$copy"
cd "$copy"
# a cache of its own: the user may have no home
npm ci --cache "$copy/.npm" --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error
node approval.js
