// BullMQ under the load that Ordercast is measured with: so many producers add an order each and wait for the answer;
// then a worker drains what waits. Says what it did line by line.
//
//   node bullmq.mjs PORT PRODUCERS MILLISECONDS CONCURRENCY

import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';

const [port, producers, window, concurrency] = process.argv.slice(2).map(Number);
const connection = new Redis(port, '127.0.0.1', { maxRetriesPerRequest: null });

const order = (number) => ({
  id: `order-${String(number).padStart(9, '0')}`,
  amount: 25,
  currency: 'USD',
  items: [{ sku: 'house-blend', quantity: 2, price: 12.5 }],
  customer: `john.doe.${(number * 7919) % 10_000}@example.com`,
  address: '123 Main Street, Springfield, 12345',
  priority: 1 + (number % 3),
  notes: 'please ring twice',
});

const cpu = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

const say = (word, count, since, cpuBefore) =>
  console.log(word, count, ((performance.now() - since) / 1000).toFixed(4), (cpu() - cpuBefore).toFixed(4));

const queue = new Queue('orders', { connection });
await queue.waitUntilReady();
console.log('ready 0 0 0');

let accepted = 0;
let number = 0;
let [since, before] = [performance.now(), cpu()];
const produce = async () => {
  while (performance.now() - since < window) {
    const next = number++;
    await queue.add('order', order(next), { jobId: `order-${next}`, priority: 1 + (next % 3) });
    accepted++;
  }
};
await Promise.all(Array.from({ length: producers }, produce));
say('accepted', accepted, since, before);

let drained = 0;
[since, before] = [performance.now(), cpu()];
await new Promise((resolve, reject) => {
  const worker = new Worker('orders', async () => 'done', { connection, concurrency });
  worker.on('completed', () => {
    if (++drained === accepted) resolve(worker.close());
  });
  worker.on('error', reject);
});
say('drained', drained, since, before);
await queue.close();
process.exit(0);
