// An approval gate in Node.js: the request for approval leaves while the worker still works, so an
// answer may come before the worker waits for it.
//
// Three clients in one program, each with a connection and a role of its own: the web application
// submits, the worker works, the hook (a web server behind a button) signals. The server is found
// through PGHOST and so on; run.sh prepares a database. Parameters are bound, so no token is in the
// text of a statement; handles and payloads are Buffers.
import assert from 'node:assert/strict';
import pg from 'pg';

async function connect(user) {
  const client = new pg.Client({ user });
  await client.connect();
  return client;
}

/** One engine call, one transaction: its first row, or undefined. */
async function call(client, text, values) {
  return (await client.query(text, values)).rows[0];
}

const submit = (client, release) => call(client, `
  SELECT execution_id
    FROM ff_create_execution(lane_id => 'releases', payload => $1, payload_encoding => 'json',
                             idempotency_key => $2)`,
  [Buffer.from(JSON.stringify({ release })), `release/${release}`]);

const claim = (client, instance) => call(client, `
  SELECT execution_id, handle, claim_kind, attempt_index, payload
    FROM ff_claim(lane_id => 'releases', worker_id => 'releaser', worker_instance_id => $1)`,
  [instance]);

/** A waitpoint before the suspension: signals to it are kept until somebody waits for them. */
const openWaitpoint = (client, handle) => call(client, `
  SELECT waitpoint_id, waitpoint_token
    FROM ff_create_waitpoint(handle => $1, waitpoint_key => 'approval', expires_in_ms => 600000)`,
  [handle]);

/** Wait for two approvers. The outcome is already_satisfied if both were faster: then the worker
 *  keeps its lease and simply goes on. */
const suspend = (client, handle, waitpointId) => call(client, `
  SELECT outcome
    FROM ff_suspend(handle           => $1,
                    resume_condition => ff_count_of(2, ARRAY['approval'], 'sources', 'approved'),
                    waitpoints       => jsonb_build_array(ff_use_pending($2)),
                    reason_code      => 'waiting_for_approval')`,
  [handle, waitpointId]);

/** What the button does. A repeated click has the same idempotency key and is recognised. */
const approve = (client, executionId, waitpoint, person) => call(client, `
  SELECT outcome, effect, match_result
    FROM ff_deliver_signal(execution_id => $1, waitpoint_id => $2, waitpoint_token => $3,
                           signal_name => 'approved', source_type => 'user',
                           source_identity => $4, idempotency_key => $4)`,
  [executionId, waitpoint.waitpoint_id, waitpoint.waitpoint_token, person]);

/** The names of those whose signals counted, in the order in which they came. */
async function approvers(client, handle) {
  const { rows } = await client.query(
    'SELECT source_identity FROM ff_observe_signals(handle => $1, only_counted => true)', [handle]);
  return rows.map((row) => row.source_identity);
}

const complete = (client, handle, result) => call(client, `
  SELECT outcome FROM ff_complete(handle => $1, result => $2, result_encoding => 'json')`,
  [handle, Buffer.from(JSON.stringify(result))]);

const web = await connect('release_web');
const worker = await connect('release_worker');
const hook = await connect('release_hook');

const { execution_id: executionId } = await submit(web, '3.0');
const work = await claim(worker, 'releaser-1');
assert.deepEqual(JSON.parse(work.payload), { release: '3.0' });

// The waitpoint's token goes to the approvers now; the worker goes on building the release.
const waitpoint = await openWaitpoint(worker, work.handle);
assert.deepEqual(await approve(hook, executionId, waitpoint, 'alice'),
  { outcome: 'accepted', effect: 'buffered_for_pending_waitpoint', match_result: 'not_evaluated' });

// Alice's approval came first and counts all the same; one is missing.
assert.deepEqual(await suspend(worker, work.handle, waitpoint.waitpoint_id), { outcome: 'suspended' });

const forged = { ...waitpoint, waitpoint_token: waitpoint.waitpoint_token.replace(/.$/, (c) => (c === '0' ? '1' : '0')) };
await assert.rejects(approve(hook, executionId, forged, 'mallory'), { code: 'ZV008' }); // invalid_token
assert.equal((await approve(hook, executionId, waitpoint, 'alice')).outcome, 'duplicate');
assert.deepEqual(await approve(hook, executionId, waitpoint, 'bob'),
  { outcome: 'accepted', effect: 'resume_condition_satisfied', match_result: 'counted' });

// Any worker goes on with the same attempt.
const resumed = await claim(worker, 'releaser-2');
assert.deepEqual([resumed.execution_id, resumed.claim_kind, resumed.attempt_index], [executionId, 'resumed', 0]);
const names = await approvers(worker, resumed.handle);
assert.deepEqual(names, ['alice', 'bob']);
assert.deepEqual(await complete(worker, resumed.handle, { approvedBy: names }), { outcome: 'completed' });
console.log(`release 3.0: approved by ${names.join(' and ')}, completed`);

await Promise.all([web.end(), worker.end(), hook.end()]);
