import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OrderEvent } from '../../../protocol/frames';
import { readOrder, type Order } from '../../../protocol/orders';
import { applyAgain, applyFirst, applyMore, applyToList, EMPTY_WORKLIST, holdList, letIn, MOST_ROWS, type Worklist } from './worklist';

/** Accepted at this second of a day; ids are made from it. */
function order(second: number, version = 1, status = 'held'): Order {
  const created_at = new Date(second * 1_000).toISOString();
  return readOrder({ id: `o${second}`, status, version, created_at, ...(version === 1 ? { items: ['tea'] } : {}) })!;
}

const event = (offset: number, of: Order): OrderEvent => ({ offset, order: of, first: of.version === 1 });
const isHeld = ({ status }: Order): boolean => status === 'held';
const look = (list: Worklist): string[] => list.rows.map(({ order: { id, status }, left }) => `${id} ${status}${left ? ' left' : ''}`);
const waits = (list: Worklist): string[] => list.waiting.map(({ id }) => id);

const START = applyFirst(EMPTY_WORKLIST, [order(5), order(3)], null, 10);

test('a row that an event changed first gets its goods from the list that comes after', () => {
  const changed = applyToList(START, [event(11, order(4, 2))], isHeld);
  const listed = { ...order(4), version: 2 };
  for (const version of [1, 2, 3]) {
    const again = applyFirst(changed, [order(5), { ...listed, version }, order(3)], null, 11);
    assert.deepEqual(again.rows.map(({ order: { lines } }) => lines.length), [1, 1, 1], `list with version ${version}`);
  }
});

test('an order that begins to match comes in at its place, one that no longer does goes', () => {
  const list = applyToList(START, [event(11, order(4, 2)), event(12, order(5, 2, 'pending'))], isHeld);
  assert.deepEqual(look(list), ['o4 held', 'o3 held']);
});

test('while held nothing moves: rows change in place, new ones wait, those that left stay', () => {
  let list = holdList(START, true);
  list = applyToList(list, [event(11, order(6)), event(12, order(5, 2, 'pending')), event(13, order(4, 3))], isHeld);
  assert.deepEqual(look(list), ['o5 pending left', 'o3 held']);
  assert.deepEqual(waits(list), ['o6', 'o4']);
  // One that leaves while it waits never came.
  list = applyToList(list, [event(14, order(6, 2, 'cancelled'))], isHeld);
  assert.deepEqual(waits(list), ['o4']);
  assert.deepEqual(look(letIn(list)), ['o4 held', 'o3 held']);
  assert.deepEqual(look(holdList(list, false)), ['o4 held', 'o3 held']);
});

test('events that the list already covers bring nothing in, and older versions change nothing', () => {
  const list = applyToList(START, [event(9, order(7)), event(11, order(5, 1, 'pending'))], isHeld);
  assert.deepEqual(look(list), look(START));
});

test('a change keeps the lines that only lists and first events have', () => {
  const list = applyToList(START, [event(11, order(5, 2))], isHeld);
  assert.deepEqual(list.rows[0]?.order.lines, [{ sku: 'tea', quantity: 1 }]);
});

test('what belongs to a page that was not read yet is left to it', () => {
  const list = applyFirst(EMPTY_WORKLIST, [order(5), order(3)], 'cursor', 10);
  assert.deepEqual(look(applyToList(list, [event(11, order(2, 2)), event(12, order(4, 2))], isHeld)), ['o5 held', 'o4 held', 'o3 held']);
});

test('a further page follows, without what is listed', () => {
  const list = applyMore({ ...START, next: 'cursor' }, [order(3), order(2)], null);
  assert.deepEqual(look(list), ['o5 held', 'o3 held', 'o2 held']);
  assert.equal(list.next, null);
});

test('an answer that is older than what events have told does not undo it', () => {
  const known = applyToList(START, [event(11, order(5, 3))], isHeld);
  assert.equal(applyFirst(known, [order(5, 2)], null, 10).rows[0]?.order.version, 3);
});

test('a held list stands still when it is read again', () => {
  const read = applyFirst(EMPTY_WORKLIST, [order(9), order(7), order(5), order(3)], 'cursor', 10);
  // Events after 10 were lost: o7 no longer matches, o6 began to, o11 is new, o9 changed; o3 is on the next page.
  let list = applyAgain(holdList(read, true), [order(11), order(9, 2), order(6, 4), order(5)], 'later', 20);
  assert.deepEqual(look(list), ['o9 held', 'o7 held left', 'o5 held']);
  assert.equal(list.rows[0]?.order.version, 2);
  assert.deepEqual(waits(list), ['o11', 'o6']);
  assert.deepEqual([list.next, list.asOf], ['later', 20]);
  // Events that the list covers change nothing, later ones do.
  list = applyToList(list, [event(19, order(7))], isHeld);
  assert.deepEqual(look(list), ['o9 held', 'o7 held left', 'o5 held']);
  list = applyToList(list, [event(21, order(7))], isHeld);
  assert.deepEqual(look(list), ['o9 held', 'o7 held', 'o5 held']);
  assert.deepEqual(look(holdList(list, false)), ['o11 held', 'o9 held', 'o7 held', 'o6 held', 'o5 held']);
});

test('a list that is not held is replaced when it is read again', () => {
  assert.deepEqual(look(applyAgain(START, [order(6), order(5)], null, 20)), ['o6 held', 'o5 held']);
});

test('the list is bounded and says so', () => {
  const many = Array.from({ length: MOST_ROWS + 5 }, (_, index) => event(11 + index, order(100 + index)));
  const list = applyToList(START, many, isHeld);
  assert.equal(list.rows.length, MOST_ROWS);
  assert.ok(list.cut && list.next === null);
});
