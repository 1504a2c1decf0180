// BullMQ under the load that Ordercast is measured with.
//
//   node bullmq.mjs PORT PRODUCERS MILLISECONDS CONCURRENCY

import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';

import { load, order, orderId, priority } from './load.mjs';

const [port, producers, windowMs, concurrency] = process.argv.slice(2).map(Number);
const connection = new Redis(port, '127.0.0.1', { maxRetriesPerRequest: null });
const queue = new Queue('orders', { connection });
await queue.waitUntilReady();

const fail = (error) => {
  console.error(error);
  process.exit(1);
};

const add = async (number) => {
  const job = await queue.add('order', order(number), { jobId: orderId(number), priority: priority(number) });
  if (job.id !== orderId(number)) throw new Error(`order ${number} was answered with ${job.id}`);
};

const work = async (onCompleted) => {
  const worker = new Worker('orders', async () => 'done', { connection, concurrency });
  worker.on('completed', onCompleted);
  worker.on('failed', (_job, error) => fail(error));
  worker.on('error', fail);
  // A completion is told when Redis has answered for it.
  return { settled: async () => {}, stop: () => worker.close() };
};

await load({ producers, windowMs, add, work });
await queue.close();
process.exit(0);
