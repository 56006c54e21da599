-- What a database needs once, run by a superuser: the extension, a signing key for waitpoint
-- tokens, and a role for each kind of client with just the functions it needs.

SET client_min_messages = warning;
\pset footer off

CREATE EXTENSION ffengine CASCADE;

-- No secret is named, so the server mints one; nobody but the extension's owner can read it.
SELECT outcome, kid FROM ff_seed_waitpoint_hmac_secret('k1');

CREATE ROLE expense_web LOGIN;      -- submits reports
CREATE ROLE expense_worker LOGIN;   -- works on them
CREATE ROLE expense_hook LOGIN;     -- delivers what approvers and the finance system say

SELECT role_name, access, outcome, functions
  FROM (VALUES ('expense_web', 'submitter'),
               ('expense_worker', 'worker'),
               ('expense_hook', 'signaler')) AS wanted (role_name, access),
       LATERAL ff_grant_access(role_name, access);
