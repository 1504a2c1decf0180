// Rows that leave a list leave memory: what a page keeps is what its document shows.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { Server } from './server';
import { launch, Visitor } from './visitor';

/** Nodes kept for each one in the document: the browser has some of its own, and the last rows may still be on their way. */
const MOST_NODES_KEPT = 1.5;
/** Each list with the most rows it has, and some more to push out all that it showed before. */
const LISTS = [
  { path: '', orders: 220 },
  { path: 'desk', orders: 1_040 },
] as const;
/** What an order can be for the first time while the list is full: each of them has an icon of its own. */
const FIRSTS = [{ priority: 1 }, { priority: 3 }, { action: 'hold' }, { action: 'cancel' }, { action: 'start' }] as const;

let browser: Browser;
let server: Server;
let made = 0;

before(async () => {
  server = await Server.started();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.remove();
});

/** Places orders that no worker touches, and waits until the page shows the last of them. Answers its id. */
async function place({ page }: Visitor, count: number, order: object = {}): Promise<string> {
  const lines = Array.from({ length: count }, () => {
    made += 1;
    const body = { id: `M-${made}`, items: ['Tea'], amount: 12.5, customer: 'Ann', address: '1 Road', run_at: '2090-01-01T00:00:00Z' };
    return JSON.stringify({ ...body, ...order });
  });
  const headers = { 'Content-Type': 'application/x-ndjson' };
  const reply = await fetch(`${server.url}/orders/bulk`, { method: 'POST', headers, body: lines.join('\n') });
  assert.equal(reply.status, 200, await reply.text());
  const last = `M-${made}`;
  await page.locator(`[data-order="${last}"]`).waitFor({ state: 'attached' });
  return last;
}

/** Nodes that the page keeps after a collection, for each one in its document. */
async function nodesKept(page: Page): Promise<number> {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('HeapProfiler.collectGarbage');
  const { nodes } = await devtools.send('Memory.getDOMCounters');
  const shown = await page.evaluate(() => {
    const walker = document.createTreeWalker(document, NodeFilter.SHOW_ALL);
    let count = 1;
    while (walker.nextNode()) count += 1;
    return count;
  });
  return nodes / shown;
}

for (const { path, orders } of LISTS) {
  test(`/${path} keeps no rows that have left its list`, async () => {
    const visitor = await Visitor.at(browser, `${server.url}/${path}`);
    for (const first of FIRSTS) {
      await place(visitor, orders);
      const id = await place(visitor, 1, 'priority' in first ? first : {});
      if (!('action' in first)) continue;
      await server.post(`/orders/${id}/${first.action}`, first.action === 'start' ? {} : { reason: 'to see it' });
      const row = visitor.page.locator(`li:is([data-order="${id}"], :has([data-order="${id}"])):not([data-status="scheduled"])`);
      await row.waitFor({ state: 'attached' });
    }
    await place(visitor, orders);
    const kept = await nodesKept(visitor.page);
    assert.ok(kept < MOST_NODES_KEPT, `the page keeps ${kept.toFixed(2)} nodes for each one in its document`);
    await visitor.close();
  });
}
