// The page against the real server, seen by real browsers.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import type { Browser } from 'playwright-core';
import { Server } from './server';
import { launch, Visitor, type VisitOptions } from './visitor';

const HOSTILE = '<img src=x onerror="alert(1)"><script>alert(2)</script>';

let browser: Browser;
let server: Server;
const open: Visitor[] = [];

before(async () => {
  server = await Server.started();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.remove();
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((visitor) => visitor.close()));
});

async function visit(options?: VisitOptions): Promise<Visitor> {
  const visitor = await Visitor.at(browser, server.url, options);
  open.push(visitor);
  return visitor;
}

function undisturbed(...visitors: Visitor[]): void {
  assert.deepEqual(visitors.flatMap(({ complaints }) => complaints), []);
}

test('an empty server tells what to do', async () => {
  const ann = await visit();
  await ann.page.getByText('ordercast import FILE').waitFor();
  await ann.page.getByText('ordercast products import FILE').waitFor();
  undisturbed(ann);
});

test('an order placed by one visitor arrives at another and changes in place', async () => {
  const [ann, bob] = [await visit(), await visit()];
  await ann.fillFree({ items: 'Green tea\nCups', amount: '12.50' });
  await ann.send();
  const id = await ann.accepted();
  const row = bob.row(id);
  await row.waitFor();
  assert.match((await row.textContent()) ?? '', /Green tea, Cups/);
  await bob.page.locator(`.feed-row[data-order="${id}"][data-status="completed"]`).waitFor({ timeout: 15_000 });
  assert.equal(await row.count(), 1);
  assert.equal(await ann.row(id).count(), 1);
  undisturbed(ann, bob);
});

test('a product of the catalogue is found, priced and ordered', async () => {
  await server.post('/products', { sku: 'LAMP-1', name: 'Paper lamp', price: 2.55, currency: 'GBP', stock: 50 });
  const ann = await visit();
  await ann.choose('Product');
  await ann.page.getByRole('combobox', { name: 'Product' }).fill('paper');
  await ann.page.keyboard.press('Enter');
  await ann.field('Quantity').fill('3');
  await ann.page.getByText('£7.65').waitFor();
  await ann.field('Customer').fill('Ann Example');
  await ann.field('Address').fill('1 Test Road');
  await ann.send();
  const row = ann.row(await ann.accepted());
  await row.waitFor();
  assert.match((await row.textContent()) ?? '', /3 × Paper lamp.*£7\.65/);
  undisturbed(ann);
});

test('a double click orders once, and so does a second click after the answer', async () => {
  const ann = await visit();
  const requests: string[] = [];
  ann.page.on('request', (request) => {
    if (request.method() === 'POST') requests.push(request.headers()['idempotency-key'] ?? 'none');
  });
  await ann.fillFree({ items: 'Once' });
  await ann.page.getByRole('button', { name: 'Place order' }).dblclick();
  await ann.accepted();
  await ann.send();
  await ann.accepted();
  assert.equal(requests.length, 1);
  assert.match(requests[0] ?? '', /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  undisturbed(ann);
});

test('an answer that got lost is asked for again under the same key', async () => {
  const ann = await visit();
  const keys: string[] = [];
  await ann.page.route('**/orders', async (route) => {
    if (route.request().method() !== 'POST') return route.continue();
    keys.push(route.request().headers()['idempotency-key'] ?? '');
    // The server takes the first order, but nobody hears of it.
    if (keys.length === 1) await route.fetch();
    return keys.length === 1 ? route.abort() : route.continue();
  });
  await ann.fillFree({ items: 'Lost answer' });
  await ann.send();
  await ann.page.getByText('it will not be ordered twice').waitFor();
  await ann.send();
  await ann.page.getByText('Already ordered').waitFor();
  const id = await ann.accepted();
  assert.equal(new Set(keys).size, 1);
  await ann.row(id).waitFor();
  assert.equal(await ann.page.locator('.feed-row', { hasText: 'Lost answer' }).count(), 1);
});

test('text is text, whatever it looks like', async () => {
  const [ann, bob] = [await visit(), await visit()];
  await ann.fillFree({ items: HOSTILE, customer: HOSTILE, address: HOSTILE, notes: HOSTILE });
  await ann.send();
  const id = await ann.accepted();
  await bob.row(id).waitFor();
  assert.ok((await bob.row(id).textContent())?.includes('<img src=x onerror="alert(1)">'));
  for (const visitor of [ann, bob, await visit()]) {
    assert.equal(await visitor.page.locator('#page img, #page script').count(), 0);
  }
  undisturbed(...open);
});

test('a bad amount is explained at its field', async () => {
  const ann = await visit();
  await ann.fillFree({ amount: '-5' });
  await ann.send();
  const error = ann.page.locator('#order-amount-error');
  await error.waitFor();
  assert.notEqual(await error.textContent(), '');
  assert.equal(await ann.field('Amount').getAttribute('aria-invalid'), 'true');
  assert.equal(await ann.field('Amount').evaluate((input) => input === document.activeElement), true);
  await ann.field('Amount').fill('5');
  await ann.send();
  await ann.row(await ann.accepted()).waitFor();
});

test('a paused feed stands still, counts and catches up', async () => {
  const ann = await visit();
  await ann.page.getByRole('button', { name: 'Pause' }).click();
  const before = await ann.page.locator('.feed-row').count();
  for (const amount of [1, 2]) await server.post('/orders', { items: ['Held back'], amount, customer: 'c', address: 'a' });
  await ann.page.getByText('2 new').waitFor();
  assert.equal(await ann.page.locator('.feed-row').count(), before);
  await ann.page.getByRole('button', { name: 'Resume' }).click();
  await ann.page.locator('.feed-row', { hasText: 'Held back' }).nth(1).waitFor();
});

test('rows do not jump under the pointer', async () => {
  const ann = await visit();
  const top = ann.page.locator('.feed-row').first();
  const pointed = await top.getAttribute('data-order');
  await top.hover();
  await server.post('/orders', { items: ['Under the pointer'], amount: 3, customer: 'c', address: 'a' });
  await ann.page.getByText('1 new').waitFor();
  assert.equal(await top.getAttribute('data-order'), pointed);
  await ann.page.getByRole('heading', { name: 'Place an order' }).hover();
  await ann.page.locator('.feed-row', { hasText: 'Under the pointer' }).waitFor();
});

test('the page resumes after the server was killed', async () => {
  const ann = await visit();
  await server.kill();
  await ann.page.locator('.connection-reconnecting, .connection-offline').waitFor({ timeout: 15_000 });
  await server.restart();
  const reply = await server.post('/orders', { items: ['After the crash'], amount: 4, customer: 'c', address: 'a' });
  const { id } = (await reply.json()) as { id: string };
  await ann.connected();
  await ann.row(id).waitFor();
  const later = await server.post('/orders', { items: ['And on'], amount: 5, customer: 'c', address: 'a' });
  await ann.row(((await later.json()) as { id: string }).id).waitFor();
});

test('a server that hangs is noticed', async () => {
  const ann = await visit();
  server.freeze();
  try {
    await ann.page.locator('.connection-reconnecting, .connection-offline').waitFor({ timeout: 15_000 });
  } finally {
    server.thaw();
  }
  await ann.connected();
});

test('an event that got lost on the way is fetched', async () => {
  let lost = 0;
  const ann = await visit({
    arrange: (page) =>
      page.routeWebSocket('**/ws**', (socket) => {
        const upstream = socket.connectToServer();
        upstream.onMessage((message) => {
          const isNewOrder = typeof message === 'string' && message.includes('"type":"order"');
          if (isNewOrder && lost === 0) lost += 1;
          else socket.send(message);
        });
      }),
  });
  const reply = await server.post('/orders', { items: ['Lost on the way'], amount: 6, customer: 'c', address: 'a' });
  await ann.row(((await reply.json()) as { id: string }).id).waitFor();
  assert.equal(lost, 1);
  undisturbed(ann);
});

test('a paused feed stands still when events are lost for good', async () => {
  let isLost = false;
  let say = (_frame: object): void => undefined;
  const ann = await visit({
    arrange: (page) =>
      page.routeWebSocket('**/ws**', (socket) => {
        const upstream = socket.connectToServer();
        upstream.onMessage((message) => {
          const isOrder = typeof message === 'string' && message.includes('"type":"order');
          if (!isOrder || !isLost) socket.send(message);
        });
        say = (frame) => socket.send(JSON.stringify(frame));
      }),
  });
  const ids = (): Promise<(string | null)[]> =>
    ann.page.locator('.feed-row').evaluateAll((rows) => rows.map((row) => row.getAttribute('data-order')));
  await ann.page.getByRole('button', { name: 'Pause' }).click();
  const before = await ids();
  isLost = true;
  for (const amount of [7, 8]) await server.post('/orders', { items: ['Never told'], amount, customer: 'c', address: 'a' });
  const reply = await fetch(`${server.url}/orders?limit=1`);
  const { as_of } = (await reply.json()) as { as_of: { orders: { epoch: string; offset: number } } };
  // As a server does that could not deliver all it had promised.
  say({ type: 'subscribed', channel: 'orders', ...as_of.orders, recovered: false });
  isLost = false;
  await ann.page.getByText('2 new').waitFor();
  assert.deepEqual(await ids(), before);
  await ann.page.getByRole('button', { name: 'Resume' }).click();
  await ann.page.locator('.feed-row', { hasText: 'Never told' }).nth(1).waitFor();
  undisturbed(ann);
});

for (const colorScheme of ['light', 'dark'] as const) {
  for (const width of [1280, 390, 320]) {
    test(`accessible and without sideways scrolling: ${colorScheme}, ${width} px`, async () => {
      // The checker is injected, which the page's own policy rightly refuses.
      const ann = await visit({ colorScheme, viewport: { width, height: 844 }, bypassCSP: true, reducedMotion: 'reduce' });
      await ann.page.locator('.feed-row').first().waitFor();
      assert.equal(await ann.overflow(), 0);
      await ann.choose('Free order');
      await ann.send();
      await ann.page.locator('.field-error').first().waitFor();
      assert.equal(await ann.overflow(), 0);
      assert.deepEqual(await ann.violations(), []);
    });
  }
}

test('colours follow the system until the visitor chooses, and the choice is remembered', async () => {
  const ann = await visit({ colorScheme: 'dark' });
  const dark = (): Promise<boolean> =>
    ann.page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor === 'rgb(17, 19, 21)');
  assert.equal(await dark(), true);
  await ann.page.getByRole('button', { name: 'Use light colours' }).click();
  assert.equal(await dark(), false);
  await ann.page.reload();
  assert.equal(await dark(), false);
});

test('the skip link leads to the orders', async () => {
  const ann = await visit();
  await ann.page.keyboard.press('Tab');
  assert.equal(await ann.page.evaluate(() => document.activeElement?.className), 'skip-link');
  await ann.page.keyboard.press('Enter');
  await ann.page.keyboard.press('Tab');
  assert.equal(await ann.page.evaluate(() => document.activeElement?.textContent), 'Pause');
});
