// graphile-worker under the load that Ordercast is measured with.
//
//   node graphile.mjs PORT PRODUCERS MILLISECONDS POOL CONCURRENCY LOCAL_QUEUE

import { Logger, makeWorkerUtils, run } from 'graphile-worker';
import pg from 'pg';

import { load, order, orderId, priority } from './load.mjs';

// How often is looked whether the last completions are durable.
const SETTLED_POLL_MS = 5;

const [port, producers, windowMs, poolSize, concurrentJobs, localQueue] = process.argv.slice(2).map(Number);

const fail = (error) => {
  console.error(error);
  process.exit(1);
};

const connect = (max) => {
  const pool = new pg.Pool({ host: '127.0.0.1', port, user: 'postgres', database: 'postgres', max });
  pool.on('error', fail);
  pool.on('connect', (client) => client.on('error', fail));
  return pool;
};

const pool = connect(poolSize);
const logger = new Logger(() => (level, message) => level === 'error' && console.error(message));
const utils = await makeWorkerUtils({ pgPool: pool, logger });
await utils.migrate();

const check = (job, number) => {
  if (job?.key !== orderId(number)) throw new Error(`order ${number} was answered with ${job?.key}`);
};

// The plain way: a call and a transaction each. Each of them notifies the workers, and PostgreSQL lets only one
// transaction that notifies commit at a time, so that they do not share a sync.
const addSingle = async (number) => {
  const spec = { jobKey: orderId(number), priority: priority(number) };
  check(await utils.addJob('order', order(number), spec), number);
};

// The fast way: what producers add while a call is under way goes out together with the next.
let waiting = [];
let isUnderWay = false;
const sendWaiting = async () => {
  if (isUnderWay) return;
  isUnderWay = true;
  while (waiting.length > 0) {
    const batch = waiting;
    waiting = [];
    const specs = batch.map(({ number }) => ({
      identifier: 'order',
      payload: order(number),
      jobKey: orderId(number),
      priority: priority(number),
    }));
    const jobs = await utils.addJobs(specs);
    batch.forEach(({ number, resolve }, at) => {
      check(jobs[at], number);
      resolve();
    });
    // Those who were just answered add their next before the next call goes out.
    await new Promise(setImmediate);
  }
  isUnderWay = false;
};
const add = (number) =>
  new Promise((resolve) => {
    waiting.push({ number, resolve });
    setImmediate(() => sendWaiting().catch(fail));
  });

const work = async (onCompleted) => {
  const worker = {
    concurrentJobs,
    localQueue: { size: localQueue },
    completeJobBatchDelay: 0,
    failJobBatchDelay: 0,
  };
  const runner = await run({
    pgPool: connect(concurrentJobs + 2),
    logger,
    preset: { worker },
    taskList: { order: async () => {} },
    noHandleSignals: true,
    crontab: '',
  });
  runner.events.on('job:success', onCompleted);
  runner.events.on('job:error', ({ error }) => fail(error));
  runner.promise.catch(fail);
  // Completions go out in batches after they are told, so that only the table says when the last is there.
  const isEmpty = async () => {
    const { rows } = await pool.query('select not exists (select from graphile_worker._private_jobs) as empty');
    return rows[0].empty;
  };
  const settled = async () => {
    while (!(await isEmpty())) await new Promise((resolve) => setTimeout(resolve, SETTLED_POLL_MS));
  };
  return { settled, stop: () => runner.stop() };
};

await load({ producers, windowMs, add, addSingle, work });
process.exit(0);
