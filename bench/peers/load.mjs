// What every peer is asked to do, and how it says what it did: a word, a count, seconds, CPU seconds of this client.
//
// First so many producers each add an order, wait until that is durable and add the next ("accepted"; where the peer has
// two ways to add, before that by the plain one: "single"); then a worker drains what waits ("drained"); then both go on
// at once, until nothing waits ("through").

const CUSTOMERS = 10_000;

/** The order of a number: the same fields and lines as Ordercast is sent. */
export const order = (number) => {
  const items = [{ sku: 'house-blend', quantity: 2, price: 12.5 }];
  if (number % 2 === 1) items.push({ sku: 'teapot-1l', quantity: 1, price: 24.95 });
  return {
    id: orderId(number),
    amount: number % 2 === 0 ? 25 : 49.95,
    currency: 'USD',
    items,
    customer: `john.doe.${String((number * 7919) % CUSTOMERS).padStart(4, '0')}@example.com`,
    address: '123 Main Street, Springfield, 12345',
    priority: priority(number),
    notes: 'please ring twice',
  };
};

/** Its id, by which it is known should it come twice. */
export const orderId = (number) => `order-${String(number).padStart(9, '0')}`;

/** Its priority: 1, 2 or 3. */
export const priority = (number) => 1 + (number % 3);

const cpuSeconds = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

/** Measures `phase`, which gives how many orders it was, and says it. */
const measured = async (word, phase) => {
  const [since, cpu] = [performance.now(), cpuSeconds()];
  const count = await phase();
  const seconds = (performance.now() - since) / 1000;
  console.log(word, count, seconds.toFixed(4), (cpuSeconds() - cpu).toFixed(4));
  return count;
};

/**
 * Carries out the load.
 *
 * `add(number)` resolves when the order is durable, and so does `addSingle`, the plain way, if there are two. `work(onCompleted)` starts a worker and gives `settled()`, which
 * resolves when what was completed is durable too, and `stop()`.
 */
export const load = async ({ producers, windowMs, add, addSingle, work }) => {
  let number = 0;
  const produce = async (add) => {
    const first = number;
    const until = performance.now() + windowMs;
    const producer = async () => {
      while (performance.now() < until) await add(number++);
    };
    await Promise.all(Array.from({ length: producers }, producer));
    return number - first;
  };

  let completed = 0;
  let wanted = Infinity;
  let reached = () => {};
  const onCompleted = () => {
    if (++completed === wanted) reached();
  };
  const allCompleted = (count) =>
    new Promise((resolve) => {
      [wanted, reached] = [count, resolve];
      if (completed >= wanted) resolve();
    });

  console.log('ready 0 0 0');
  if (addSingle) await measured('single', () => produce(addSingle));
  await measured('accepted', () => produce(add));
  let worker;
  await measured('drained', async () => {
    worker = await work(onCompleted);
    await allCompleted(number);
    await worker.settled();
    return number;
  });
  wanted = Infinity;
  await measured('through', async () => {
    const count = await produce(add);
    await allCompleted(number);
    await worker.settled();
    return count;
  });
  await worker.stop();
};
