import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OrderEvent } from '../../../protocol/frames';
import type { Order } from '../../../protocol/orders';
import { applyEvents, applyList, EMPTY_FEED, FEED_ROWS, findOrder, setHeld, type Feed } from './feed';

function order(id: string, version = 1, status = 'pending'): Order {
  return {
    id,
    version,
    status,
    amount: 1,
    currency: 'GBP',
    priority: 2,
    customerId: 'c_1',
    itemCount: 1,
    lines: version === 1 ? [{ sku: 'A', quantity: 1 }] : [],
    createdAt: 0,
    updatedAt: 0,
    demo: false,
    number: null,
    startedAt: null,
    durationMs: null,
  };
}

const placed = (id: string, offset: number): OrderEvent => ({ order: order(id), offset, first: true });
const moved = (id: string, version: number, status: string, offset: number): OrderEvent => ({
  order: order(id, version, status),
  offset,
  first: false,
});
const look = (rows: Feed['rows']): string[] => rows.map((row) => `${row.order.id} ${row.order.status}`);

test('new orders come first, changes stay in place', () => {
  const feed = applyEvents(EMPTY_FEED, [placed('a', 1), placed('b', 2), moved('a', 2, 'processing', 3)]);
  assert.deepEqual(look(feed.rows), ['b pending', 'a processing']);
  const later = applyEvents(feed, [moved('b', 2, 'completed', 4), placed('c', 5)]);
  assert.deepEqual(look(later.rows), ['c pending', 'b completed', 'a processing']);
});

test('a change keeps the lines that only the first event has', () => {
  const feed = applyEvents(EMPTY_FEED, [placed('a', 1), moved('a', 2, 'processing', 2)]);
  assert.deepEqual(feed.rows[0]?.order.lines, [{ sku: 'A', quantity: 1 }]);
});

test('an older version never overwrites a newer one, and unchanged rows keep their identity', () => {
  const feed = applyEvents(EMPTY_FEED, [placed('a', 1), moved('a', 3, 'completed', 3)]);
  const after = applyEvents(feed, [moved('a', 2, 'processing', 2)]);
  assert.equal(after.rows[0], feed.rows[0]);
});

test('a change of an order that is not shown is no new order', () => {
  assert.deepEqual(applyEvents(EMPTY_FEED, [moved('old', 7, 'fulfilled', 9)]).rows, []);
});

test('the feed is bounded', () => {
  const events = Array.from({ length: FEED_ROWS + 50 }, (_, index) => placed(`o${index}`, index + 1));
  const feed = applyEvents(EMPTY_FEED, events);
  assert.equal(feed.rows.length, FEED_ROWS);
  assert.equal(feed.rows[0]?.order.id, `o${FEED_ROWS + 49}`);
});

test('while held, new orders wait and shown ones still change', () => {
  let feed = setHeld(applyEvents(EMPTY_FEED, [placed('a', 1)]), true);
  feed = applyEvents(feed, [placed('b', 2), moved('a', 2, 'completed', 3), placed('c', 4), moved('b', 2, 'failed', 5)]);
  assert.deepEqual(look(feed.rows), ['a completed']);
  assert.equal(feed.waitingCount, 2);
  feed = applyEvents(feed, [moved('b', 3, 'pending', 6)]);
  assert.equal(findOrder(feed, 'b')?.status, 'pending');
  feed = setHeld(feed, false);
  assert.deepEqual(look(feed.rows), ['c pending', 'b pending', 'a completed']);
  assert.equal(feed.waitingCount, 0);
});

test('a long pause counts everything and keeps a bounded part', () => {
  let feed = setHeld(EMPTY_FEED, true);
  for (let index = 0; index < FEED_ROWS + 10; index += 1) feed = applyEvents(feed, [placed(`o${index}`, index + 1)]);
  assert.equal(feed.waitingCount, FEED_ROWS + 10);
  assert.equal(feed.waiting.length, FEED_ROWS);
});

test('a list replaces what it covers and keeps what events have brought since', () => {
  const feed = applyEvents(EMPTY_FEED, [placed('gone', 1), placed('b', 4), moved('b', 2, 'completed', 11), placed('new', 12)]);
  const listed = applyList(feed, [order('b', 1), order('a', 1)], 10);
  assert.deepEqual(look(listed.rows), ['new pending', 'b completed', 'a pending']);
});

test('a held feed stands still when the list is read again: rows change in place, unseen orders wait and are counted', () => {
  const shown = applyList(EMPTY_FEED, [order('c'), order('b'), order('a')], 3);
  let feed = applyEvents(setHeld(shown, true), [placed('d', 4)]);
  // Events 5 to 9 were lost; the list no longer has a, and knows d, e and f.
  feed = applyList(feed, [order('f'), order('e'), order('d', 2, 'failed'), order('c', 2, 'completed'), order('b')], 9);
  assert.deepEqual(look(feed.rows), ['c completed', 'b pending', 'a pending']);
  assert.deepEqual(look(feed.waiting), ['f pending', 'e pending', 'd failed']);
  assert.equal(feed.waitingCount, 3);
  feed = applyEvents(feed, [placed('g', 10)]);
  assert.equal(feed.waitingCount, 4);
  feed = setHeld(feed, false);
  // Nobody knows what became of a, so it leaves as soon as rows may move.
  assert.deepEqual(look(feed.rows), ['g pending', 'f pending', 'e pending', 'd failed', 'c completed', 'b pending']);
  assert.deepEqual([feed.waiting, feed.waitingCount], [[], 0]);
});

test('while held, a list does not undo what later events have brought', () => {
  let feed = setHeld(applyList(EMPTY_FEED, [order('a')], 1), true);
  feed = applyEvents(feed, [moved('a', 3, 'completed', 12), placed('new', 13)]);
  feed = applyList(feed, [order('b'), order('a', 2, 'processing')], 10);
  assert.deepEqual(look(feed.rows), ['a completed']);
  assert.deepEqual(look(feed.waiting), ['new pending', 'b pending']);
  assert.equal(feed.waitingCount, 2);
  assert.deepEqual(look(setHeld(feed, false).rows), ['new pending', 'b pending', 'a completed']);
});

test('a feed that has had no list takes the first one at once, held or not', () => {
  const early = applyEvents(setHeld(EMPTY_FEED, true), [placed('b', 6)]);
  const feed = applyList(early, [order('a')], 5);
  assert.deepEqual(look(feed.rows), ['b pending', 'a pending']);
  assert.deepEqual([feed.held, feed.waiting, feed.waitingCount], [true, [], 0]);
  // One that had an empty list has stood still since.
  const empty = applyList(setHeld(applyList(EMPTY_FEED, [], 0), true), [order('a')], 5);
  assert.deepEqual([empty.rows, empty.waitingCount], [[], 1]);
});

test('rows that arrive one by one are highlit, listed ones and a rush are not', () => {
  const feed = applyEvents(applyList(EMPTY_FEED, [order('a')], 1), [placed('b', 2)]);
  assert.deepEqual(feed.rows.map(({ highlit }) => highlit), [true, false]);
  const rush = applyEvents(EMPTY_FEED, ['a', 'b', 'c', 'd'].map(placed));
  assert.deepEqual(rush.rows.map(({ highlit }) => highlit), [false, false, false, false]);
});
