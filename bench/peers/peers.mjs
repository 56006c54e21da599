// One run of one queue through its ordinary client:
//
//     node peers.mjs ffengine|graphile-worker|pg-boss CONCURRENCY SECONDS JOBS
//
// Enqueues for SECONDS, CONCURRENCY calls at once, a job each; tops the queue up to JOBS; then fetches and
// completes for SECONDS. Prints one line of JSON with jobs per second. The database is named by PGHOST and
// so on and is empty, but for ffengine's extension. Options are the libraries' defaults.
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

const POOL = 10; // connections, the default of all three
const BATCH = 1000; // jobs in a call that tops the queue up
const WARM_UP_MS = 500;
const payload = { text: 'p'.repeat(89) };

const versionOf = (name) => JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, import.meta.url))).version;

/** Runs `task` again and again, `concurrency` times at once; gives a function that ends it. */
function loops(concurrency, task) {
  let going = true;
  const all = Array.from({ length: concurrency }, async () => {
    while (going) await task();
  });
  return async () => {
    going = false;
    await Promise.all(all);
  };
}

async function ffengine() {
  const pool = new pg.Pool({ max: POOL });
  const call = async (name, text, values) => (await pool.query({ name, text, values })).rows;
  const data = Buffer.from(JSON.stringify(payload));
  return {
    version: `ffengine ${(await call('version', 'SELECT ff_version() AS v'))[0].v}`,
    how: 'ff_create_execution, ff_claim, ff_complete by pg.Pool; keeps executions, attempts and events',
    enqueue: () => call('create', 'SELECT execution_id FROM ff_create_execution($1, $2)', ['bench', data]),
    fill: (count) => call('fill', `SELECT count(*) FROM ff_create_executions($1, '{"lane_id": "bench"}')`,
      [JSON.stringify(Array(count).fill({ payload }))]),
    work: (concurrency, done) => loops(concurrency, async () => {
      const [claimed] = await call('claim', 'SELECT execution_id, handle, payload FROM ff_claim($1, $2, $3)',
        ['bench', 'w', 'w-1']);
      assert(claimed, 'the queue ran dry');
      await call('complete', 'SELECT outcome FROM ff_complete($1)', [claimed.handle]);
      done();
    }),
    waiting: `SELECT count(*) FROM ff_exec_core WHERE lifecycle_phase <> 'terminal'`,
    end: () => pool.end(),
  };
}

async function graphileWorker() {
  const { Logger, makeWorkerUtils, run } = await import('graphile-worker');
  const logger = new Logger(() => (level, message) => {
    if (level === 'error') console.error(message);
  });
  // a pool of its own would be closed before the last completions are in
  const pool = new pg.Pool({ max: POOL });
  pool.on('error', (error) => console.error(error));
  pool.on('connect', (client) => client.on('error', (error) => console.error(error)));
  const utils = await makeWorkerUtils({ pgPool: pool, logger });
  await utils.migrate();
  return {
    version: `graphile-worker ${versionOf('graphile-worker')}`,
    how: 'addJob, its own runner, which completes a job beside the fetch of the next; deletes what is done',
    enqueue: () => utils.addJob('bench', payload),
    fill: (count) => utils.addJobs(Array(count).fill({ identifier: 'bench', payload })),
    work: async (concurrency, done) => {
      const events = new EventEmitter();
      events.on('job:complete', done);
      const runner = await run({ pgPool: pool, concurrency, noHandleSignals: true, logger, events,
        taskList: { bench: async () => {} } });
      return () => runner.stop();
    },
    waiting: 'SELECT count(*) FROM graphile_worker._private_jobs',
    end: async () => {
      await utils.release();
      await pool.end();
    },
  };
}

async function pgBoss() {
  const { PgBoss } = await import('pg-boss');
  const boss = new PgBoss({ host: process.env.PGHOST, database: process.env.PGDATABASE, user: process.env.PGUSER });
  boss.on('error', (error) => console.error(error));
  await boss.start();
  await boss.createQueue('bench');
  return {
    version: `pg-boss ${versionOf('pg-boss')}`,
    how: 'send, fetch, complete; keeps the job row',
    enqueue: () => boss.send('bench', payload),
    fill: (count) => boss.insert('bench', Array(count).fill({ data: payload })),
    work: (concurrency, done) => loops(concurrency, async () => {
      const [job] = await boss.fetch('bench');
      assert(job, 'the queue ran dry');
      await boss.complete('bench', job.id);
      done();
    }),
    waiting: `SELECT count(*) FROM pgboss.job WHERE state < 'completed'`,
    end: () => boss.stop(),
  };
}

const systems = { ffengine, 'graphile-worker': graphileWorker, 'pg-boss': pgBoss };
const [name, ...numbers] = process.argv.slice(2);
const [concurrency, seconds, jobs] = numbers.map(Number);
const system = await systems[name]();

const admin = new pg.Client();
await admin.connect();
const waiting = async () => Number((await admin.query(system.waiting)).rows[0].count);

/** Lets `start(done)` go for a while; gives how often it called `done` a second, after a warm-up, and in all. */
async function rate(start) {
  let count = 0;
  const stop = await start(() => { count += 1; });
  await sleep(WARM_UP_MS);
  const [from, begun] = [count, performance.now()];
  await sleep(1000 * seconds);
  const perSecond = (count - from) / ((performance.now() - begun) / 1000);
  await stop();
  return { perSecond, count };
}

const enqueued = await rate((done) => loops(concurrency, async () => {
  await system.enqueue();
  done();
}));
assert.equal(await waiting(), enqueued.count, 'every job that was enqueued waits');
for (let missing = jobs - enqueued.count; missing > 0; missing -= BATCH) await system.fill(Math.min(BATCH, missing));
await admin.query('VACUUM (ANALYZE)');
const before = await waiting();
const worked = await rate((done) => system.work(concurrency, done));
let left = await waiting();
// graphile-worker's runner does not wait for its last completions
for (let i = 0; i < 100 && before - left < worked.count; i += 1) {
  await sleep(20);
  left = await waiting();
}
assert.equal(before - left, worked.count, 'every job that was counted is done');
assert(left > 0, 'the queue ran dry');

console.log(JSON.stringify({ enqueue: enqueued.perSecond, work: worked.perSecond, version: system.version,
  how: system.how, node: process.version, pg: versionOf('pg') }));
await admin.end();
await system.end();
