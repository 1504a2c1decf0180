// The desk against the real server: orders are listed, opened and worked off in real browsers.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import type { Browser, Locator } from 'playwright-core';
import { Server } from './server';
import { launch, Visitor, type VisitOptions } from './visitor';

const HOSTILE = '<img src=x onerror="alert(1)"><script>alert(2)</script>';

let browser: Browser;
let server: Server;
const visitors: Visitor[] = [];

before(async () => {
  server = await Server.started();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.remove();
});

afterEach(async () => {
  await Promise.all(visitors.splice(0).map((visitor) => visitor.close()));
});

async function visit(query = '', options?: VisitOptions): Promise<Visitor> {
  const visitor = await Visitor.at(browser, `${server.url}/desk${query}`, options);
  visitors.push(visitor);
  return visitor;
}

function undisturbed(...those: Visitor[]): void {
  assert.deepEqual(those.flatMap(({ complaints }) => complaints), []);
}

let made = 0;

/** An order that no worker touches: it is to start in years. */
async function scheduled(order: object = {}): Promise<string> {
  const id = `T-${(made += 1)}`;
  const body = { id, items: ['Tea'], amount: 12.5, customer: 'Ann', address: '1 Road', run_at: '2090-01-01T00:00:00Z' };
  await server.post('/orders', { ...body, ...order });
  return id;
}

async function held(order: object = {}, reason = 'address looks wrong'): Promise<string> {
  const id = await scheduled(order);
  await server.post(`/orders/${id}/hold`, { reason });
  return id;
}

async function completed(order: object): Promise<string> {
  const id = `T-${(made += 1)}`;
  await server.post('/orders', { id, customer: 'Ann', address: '1 Road', ...order });
  await server.reaches(id, 'completed');
  return id;
}

const row = ({ page }: Visitor, id: string): Locator => page.locator(`.work-row a[data-order="${id}"]`);
const panel = ({ page }: Visitor): Locator => page.locator('.opened');
const act = (visitor: Visitor, name: string): Promise<void> =>
  panel(visitor).locator('.actions-buttons').getByRole('button', { name, exact: true }).click();
const send = (visitor: Visitor, name: string | RegExp): Promise<void> =>
  panel(visitor).locator('.action-send').getByRole('button', { name }).click();
const status = (visitor: Visitor, label: string): Promise<void> =>
  panel(visitor).locator('.standing .status', { hasText: label }).waitFor();
const said = ({ page }: Visitor, text: string | RegExp): Promise<void> => page.locator('#said', { hasText: text }).waitFor();
const focusedOrder = ({ page }: Visitor): Promise<string | null> =>
  page.evaluate(() => document.activeElement?.getAttribute('data-order') ?? null);

test('an empty desk tells what to do', async () => {
  const ann = await visit();
  await ann.page.getByText('ordercast import FILE').waitFor();
  await ann.page.getByRole('link', { name: 'Overview', exact: true }).click();
  await ann.page.getByRole('heading', { name: 'Place an order' }).waitFor();
  await ann.page.getByRole('link', { name: 'Desk' }).click();
  await ann.page.getByText('ordercast import FILE').waitFor();
  undisturbed(ann);
});

test('an order is held with a reason, and released', async () => {
  const id = await scheduled();
  const ann = await visit();
  await row(ann, id).click();
  await act(ann, 'Hold');
  await send(ann, 'Hold order');
  // The server insists on a reason, and says so at the field.
  await ann.page.locator('#action-reason-error', { hasText: 'say why' }).waitFor();
  await ann.page.waitForFunction(() => document.activeElement?.id === 'action-reason');
  await ann.page.locator('#action-reason').fill('no such street');
  await send(ann, 'Hold order');
  await status(ann, 'Held');
  await said(ann, 'Held.');
  await panel(ann).locator('.story li', { hasText: 'no such street' }).waitFor();
  await ann.page.locator('.chip', { hasText: 'Held' }).getByText('1', { exact: true }).waitFor();
  await act(ann, 'Release');
  await panel(ann).getByText('Released.').waitFor();
  await panel(ann).locator('.story li', { hasText: 'Released by user:local' }).waitFor();
  // The browser itself reports the refusal.
  assert.match(ann.complaints.splice(0).join(), /^[^,]*422[^,]*$/);
});

test('what was decided on an order that changed meanwhile is not done', async () => {
  const id = await scheduled();
  const ann = await visit(`?order=${id}`);
  await act(ann, 'Cancel order');
  await server.post(`/orders/${id}/hold`, { reason: 'wait for the customer' });
  await panel(ann).getByText('changed since you began').waitFor();
  await ann.page.locator('#action-reason').fill('asked by phone');
  const answers: number[] = [];
  ann.page.on('response', (answer) => {
    if (answer.request().method() === 'POST') answers.push(answer.status());
  });
  await send(ann, 'Cancel this order');
  await panel(ann).getByText('Not done: the order has changed meanwhile').waitFor();
  await status(ann, 'Held');
  await panel(ann).locator('.standing', { hasText: 'wait for the customer' }).waitFor();
  // What was typed is still there, for the second look.
  assert.equal(await ann.page.locator('#action-reason').inputValue(), 'asked by phone');
  await send(ann, 'Cancel this order');
  await status(ann, 'Cancelled');
  assert.deepEqual(answers, [412, 200]);
  await panel(ann).getByText('Nothing is left to do here').waitFor();
});

test('a lost answer is asked for again under the same key', async () => {
  const id = await held();
  const ann = await visit(`?order=${id}`);
  const keys: string[] = [];
  await ann.page.route('**/orders/*/cancel', async (route) => {
    keys.push(route.request().headers()['idempotency-key'] ?? '');
    // The server does it the first time, but nobody hears of it.
    if (keys.length > 1) return route.continue();
    await route.fetch();
    return route.abort();
  });
  await act(ann, 'Cancel order');
  await send(ann, 'Cancel this order');
  await panel(ann).getByText('it will not be done twice').waitFor();
  await send(ann, 'Cancel this order');
  await panel(ann).getByText('this was done before, and once').waitFor();
  assert.equal(keys.length, 2);
  assert.equal(new Set(keys).size, 1);
});

test('goods are shipped and come back, money is given back', async () => {
  const id = await completed({ items: [{ sku: 'lamp', quantity: 3, price: 2.5 }, { sku: 'cup', quantity: 1, price: 5 }] });
  const ann = await visit(`?order=${id}`);
  await act(ann, 'Ship');
  await ann.page.locator('#action-line-0').fill('9');
  await send(ann, 'Record as shipped');
  await ann.page.locator('#action-line-0-error', { hasText: 'from 1 to 3' }).waitFor();
  await ann.page.locator('#action-line-0').fill('2');
  await ann.page.locator('#action-line-1').fill('0');
  await send(ann, 'Record as shipped');
  await status(ann, 'Part fulfilled');
  await act(ann, 'Take back');
  await ann.page.locator('#action-line-0').fill('1');
  await ann.page.locator('#action-amount').fill('2.50');
  await send(ann, 'Record as returned');
  await panel(ann).getByText('1 came back').waitFor();
  await act(ann, 'Refund');
  await ann.page.locator('#action-amount').fill('11');
  await send(ann, 'Refund $11.00');
  await ann.page.locator('#action-amount-error', { hasText: 'at most 10.00' }).waitFor();
  await ann.page.locator('#action-amount').fill('1.25');
  await send(ann, 'Refund $1.25');
  await panel(ann).locator('.sums', { hasText: '$3.75' }).waitFor();
  assert.equal(await panel(ann).locator('.ledger li').count(), 2);
});

test('rows change in place, and the list follows its filter', async () => {
  const [id, other] = [await held(), await held()];
  const [ann, all] = [await visit('?status=held'), await visit()];
  await row(ann, other).waitFor();
  await server.post(`/orders/${id}/cancel`, {});
  await all.page.locator(`.work-row[data-status="cancelled"] a[data-order="${id}"]`).waitFor();
  await row(ann, id).waitFor({ state: 'detached' });
  assert.equal(await row(ann, other).count(), 1);
  const fresh = await held();
  await row(ann, fresh).waitFor();
  undisturbed(ann, all);
});

test('nothing jumps under the pointer', async () => {
  const id = await held();
  const ann = await visit('?status=held');
  await row(ann, id).hover();
  const before = await ann.page.locator('.work-row a').evaluateAll((rows) => rows.map((row) => row.getAttribute('data-order')));
  const fresh = await held();
  await server.post(`/orders/${id}/cancel`, {});
  await ann.page.getByRole('button', { name: '1 new' }).waitFor();
  await ann.page.locator(`.work-row-left a[data-order="${id}"]`).waitFor();
  const later = await ann.page.locator('.work-row a').evaluateAll((rows) => rows.map((row) => row.getAttribute('data-order')));
  assert.deepEqual(later, before);
  await ann.page.getByRole('button', { name: '1 new' }).click();
  await row(ann, fresh).waitFor();
  await row(ann, id).waitFor({ state: 'detached' });
});

test('nothing moves while the keyboard walks along the list', async () => {
  const [older, newer] = [await held(), await held()];
  const ann = await visit('?status=held');
  await row(ann, newer).waitFor();
  await ann.page.keyboard.press('j');
  const fresh = await held();
  const waits = ann.page.getByRole('button', { name: '1 new' });
  await waits.waitFor();
  await ann.page.keyboard.press('j');
  assert.equal(await focusedOrder(ann), older);
  assert.equal(await waits.count(), 1);
  assert.equal(await row(ann, fresh).count(), 0);
  await ann.page.keyboard.press('Escape');
  await row(ann, fresh).waitFor();
  undisturbed(ann);
});

test('the address holds the filter, and the back button works', async () => {
  const id = await held({ priority: 1 });
  const ann = await visit();
  await ann.page.locator('.chip', { hasText: 'Held' }).click();
  await ann.page.getByLabel('Priority', { exact: true }).selectOption('High');
  // The rows of the filter before stay until the answer comes.
  await ann.page.locator('.work-row').nth(1).waitFor({ state: 'detached' });
  await row(ann, id).click();
  await status(ann, 'Held');
  assert.equal(new URL(ann.page.url()).search, `?status=held&priority=1&order=${id}`);
  assert.equal(await ann.page.locator('.work-row').count(), 1);
  await ann.page.goBack();
  await panel(ann).waitFor({ state: 'detached' });
  await ann.page.goBack();
  await ann.page.locator('.work-row').nth(1).waitFor();
  assert.equal(new URL(ann.page.url()).search, '?status=held');
  await ann.page.goForward();
  await ann.page.locator('.work-row').nth(1).waitFor({ state: 'detached' });
});

test('all orders of a customer, those of a time, and no orders', async () => {
  const id = await held({ customer: 'Only One' });
  const ann = await visit(`?order=${id}`);
  await panel(ann).getByRole('link', { name: 'all orders of' }).click();
  await ann.page.locator('.work-row').nth(1).waitFor({ state: 'detached' });
  assert.equal(await row(ann, id).count(), 1);
  await ann.page.getByLabel('Accepted').selectOption('Between…');
  await ann.page.getByLabel('Before').fill('2020-01-01T00:00');
  await ann.page.getByText('No order matches').waitFor();
  await ann.page.getByRole('button', { name: 'Clear the filter' }).click();
  await ann.page.locator('.work-row').nth(1).waitFor();
});

test('a list is read on page by page', async () => {
  for (let index = 0; index < 55; index += 1) await scheduled();
  const ann = await visit('?status=scheduled');
  await ann.page.locator('.work-row').nth(49).waitFor({ state: 'attached' });
  assert.equal(await ann.page.locator('.work-row').count(), 50);
  await ann.page.getByRole('button', { name: 'More' }).click();
  await ann.page.getByText('These are all').waitFor();
  const ids = await ann.page.locator('.work-row a').evaluateAll((rows) => rows.map((row) => row.getAttribute('data-order')));
  assert.ok(ids.length > 50);
  assert.equal(new Set(ids).size, ids.length);
});

test('text is text, whatever it looks like', async () => {
  const id = await held({ items: [HOSTILE], customer: HOSTILE, address: HOSTILE, notes: HOSTILE }, HOSTILE);
  const ann = await visit(`?order=${id}&search=${encodeURIComponent(id)}`);
  for (const place of ['.standing', '.facts', '.goods', '.story']) {
    await panel(ann).locator(place, { hasText: HOSTILE }).waitFor();
  }
  await ann.page.locator('.work-items', { hasText: HOSTILE }).waitFor();
  await ann.page.goto(`${server.url}/desk?search=${encodeURIComponent(`${HOSTILE}?`)}&order=${encodeURIComponent(HOSTILE)}`);
  await ann.page.locator('.empty', { hasText: HOSTILE }).waitFor();
  await panel(ann).getByText('There is no order').waitFor();
  assert.equal(await ann.page.locator('#page img, #page script').count(), 0);
  const [notFound] = ann.complaints.splice(0);
  assert.match(notFound ?? '', /404/);
  undisturbed(ann);
});

test('orders are found by number, customer and goods, among all there are', async () => {
  const id = await scheduled({ items: ['Blue-Cup'], customer: 'Zoë Müller' });
  const { number } = (await (await fetch(`${server.url}/orders/${id}`)).json()) as { number: number };
  const ann = await visit();
  const field = ann.page.getByRole('searchbox');
  for (const typed of [`#${number}`, 'zoë', 'blue-c', id.slice(0, -1)]) {
    await field.fill(typed);
    await field.press('Enter');
    // The only one that is listed opens at once; of several, or of none, the server is asked.
    if (!new URL(ann.page.url()).searchParams.has('order')) await ann.page.locator('.searched', { hasText: typed }).waitFor();
    await row(ann, id).waitFor();
    await ann.page.goto(`${server.url}/desk`);
    await ann.connected();
  }
  await field.fill('nobody at all');
  await field.press('Enter');
  await ann.page.getByText('No order is found for “nobody at all”').waitFor();
  await ann.page.getByRole('button', { name: 'Show all orders' }).click();
  await row(ann, id).getByText(`#${number}`).waitFor();
  undisturbed(ann);
});

test('an unknown filter in the address is shown in a notice and removed', async () => {
  const id = await held();
  const ann = await visit('?status=lost&priority=9');
  await ann.page.getByText('The address asks for status=lost, priority=9, which is not known').waitFor();
  await row(ann, id).waitFor();
  assert.equal(new URL(ann.page.url()).search, '');
  undisturbed(ann);
});

test('Enter in a form that nobody has touched gives no money back', async () => {
  const id = await completed({ items: [{ sku: 'cup', quantity: 1, price: 4 }] });
  const ann = await visit(`?order=${id}`);
  await act(ann, 'Refund');
  await ann.page.locator('#action-amount').press('Enter');
  await ann.page.locator('#action-reason').fill('broken');
  await ann.page.locator('#action-amount').press('Enter');
  await ann.page.locator('#action-amount-error', { hasText: 'Say how much' }).waitFor();
  await ann.page.locator('#action-amount').fill('4');
  await send(ann, 'Refund $4.00');
  await panel(ann).locator('.ledger li').waitFor();
  assert.equal(await ann.page.locator('#act-refund').count(), 0, 'nothing is left to give back');
  undisturbed(ann);
});

test('addresses keep their lines, each in its own direction', async () => {
  const id = await scheduled({ address: 'شارع ٥، الرياض\n2nd floor', notes: 'ring twice\nleave at the door' });
  const ann = await visit(`?order=${id}`);
  const lines = panel(ann).locator('.facts .line');
  assert.deepEqual(await lines.allTextContents(), ['شارع ٥، الرياض', '2nd floor', 'ring twice', 'leave at the door']);
  const directions = await lines.evaluateAll((all) => all.map((line) => getComputedStyle(line).direction));
  assert.deepEqual(directions, ['rtl', 'ltr', 'ltr', 'ltr']);
  undisturbed(ann);
});

test('the page says what it is before its scripts are there', async () => {
  for (const [path, title] of [
    ['/', 'Orders as they happen'],
    ['/desk', 'Desk'],
  ] as const) {
    const context = await browser.newContext({ javaScriptEnabled: false });
    const page = await context.newPage();
    await page.goto(server.url + path);
    await page.getByRole('heading', { name: title }).waitFor();
    assert.match(await page.content(), /needs JavaScript/);
    await page.getByRole('link', { name: 'Desk' }).waitFor();
    await context.close();
  }
});

test('the keyboard alone is enough', async () => {
  const [older, newer] = [await held({ priority: 3 }), await held({ priority: 3 })];
  const ann = await visit('?status=held&priority=3');
  await row(ann, newer).waitFor();
  const { keyboard } = ann.page;
  await keyboard.press('j');
  assert.equal(await focusedOrder(ann), newer);
  await keyboard.press('ArrowDown');
  assert.equal(await focusedOrder(ann), older);
  await keyboard.press('k');
  assert.equal(await focusedOrder(ann), newer);
  await keyboard.press('Enter');
  await status(ann, 'Held');
  await ann.page.waitForFunction(() => document.activeElement?.id === 'opened-title');
  await keyboard.press('j');
  await panel(ann).getByRole('heading', { name: older }).waitFor();
  await ann.page.getByRole('button', { name: 'Cancel order' }).focus();
  await keyboard.press('Enter');
  await ann.page.waitForFunction(() => document.activeElement?.id === 'action-reason');
  await keyboard.press('Escape');
  await ann.page.waitForFunction(() => document.activeElement?.id === 'act-cancel');
  await keyboard.press('Escape');
  await panel(ann).waitFor({ state: 'detached' });
  await ann.page.waitForFunction((id) => document.activeElement?.getAttribute('data-order') === id, older);
  await keyboard.press('?');
  await ann.page.getByRole('dialog', { name: 'Keys' }).waitFor();
  await keyboard.press('Escape');
  await ann.page.getByRole('dialog', { name: 'Keys' }).waitFor({ state: 'hidden' });
  await keyboard.press('/');
  assert.equal(await ann.page.evaluate(() => document.activeElement?.id), 'search');
  await keyboard.type(newer);
  await keyboard.press('Enter');
  await panel(ann).getByRole('heading', { name: newer }).waitFor();
  undisturbed(ann);
});

test('letters can be switched off', async () => {
  const id = await held();
  const ann = await visit('?status=held');
  await row(ann, id).waitFor();
  await ann.page.getByRole('button', { name: 'Keys' }).click();
  await ann.page.getByLabel('Single letters are commands').uncheck();
  await ann.page.keyboard.press('Escape');
  await ann.page.reload();
  await row(ann, id).waitFor();
  await ann.page.keyboard.press('j');
  assert.equal(await focusedOrder(ann), null);
});

test('a server that does not answer is told, and the list comes back', async () => {
  let lost = false;
  const ann = await visit('', {
    arrange: async (page) => {
      await page.route('**/orders?**', (route) => (lost ? route.abort() : route.continue()));
    },
  });
  lost = true;
  await ann.page.locator('.chip', { hasText: 'Held' }).click();
  await ann.page.getByText('The list could not be read').waitFor();
  lost = false;
  await ann.page.getByRole('button', { name: 'Try again' }).click();
  await ann.page.getByText('The list could not be read').waitFor({ state: 'detached' });
});

test('the desk resumes after the server was killed, and shows what it missed', async () => {
  const id = await held();
  const ann = await visit(`?status=held&order=${id}`);
  await status(ann, 'Held');
  await server.kill();
  await ann.page.locator('.connection-reconnecting, .connection-offline').waitFor();
  await server.restart();
  await server.post(`/orders/${id}/cancel`, { reason: 'while you were away' });
  const fresh = await held();
  await ann.connected();
  await row(ann, fresh).waitFor();
  await status(ann, 'Cancelled');
  await panel(ann).locator('.story', { hasText: 'while you were away' }).waitFor();
});

for (const colorScheme of ['light', 'dark'] as const) {
  for (const width of [1280, 390, 320]) {
    test(`accessible and without sideways scrolling: ${colorScheme}, ${width} px`, async () => {
      const id = await held({ items: ['Something with quite a long name, to see whether it fits'] }, 'wait');
      const ann = await visit('', { colorScheme, viewport: { width, height: 844 }, bypassCSP: true, reducedMotion: 'reduce' });
      await row(ann, id).waitFor();
      assert.equal(await ann.overflow(), 0);
      assert.deepEqual(await ann.violations(), []);
      await row(ann, id).click();
      await act(ann, 'Cancel order');
      await server.post(`/orders/${id}/release`, {});
      await panel(ann).getByText('changed since you began').waitFor();
      await send(ann, 'Cancel this order');
      await panel(ann).getByText('Not done').waitFor();
      assert.equal(await ann.overflow(), 0);
      assert.deepEqual(await ann.violations(), []);
      await ann.page.keyboard.press('Escape');
      await ann.page.keyboard.press('?');
      await ann.page.getByRole('dialog', { name: 'Keys' }).waitFor();
      assert.deepEqual(await ann.violations(), []);
    });
  }
}
