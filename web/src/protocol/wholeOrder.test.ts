import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readActed } from './deskRequests';
import { readStep, readWholeOrder } from './wholeOrder';

const ORDER = {
  id: 'a',
  status: 'held',
  version: 3,
  items: ['tea', { sku: 'lamp', quantity: 2, price: 2.5 }],
  fulfilment: [{ line: 1, shipped: 1, cancelled: 0, returned: 0 }, { line: 9, shipped: 1 }, 'odd'],
  ledger: [{ kind: 'refund', amount: 1.5, version: 3, actor: 'admin', at: '2026-03-01T12:00:00Z' }, {}],
  allowed: ['release', 7],
};

test('a whole order is read defensively', () => {
  const order = readWholeOrder(ORDER)!;
  assert.deepEqual(order.goods.map(({ sku, quantity, price, shipped }) => [sku, quantity, price, shipped]), [
    ['tea', 1, null, 0],
    ['lamp', 2, 2.5, 1],
  ]);
  assert.deepEqual(order.allowed, ['release']);
  assert.deepEqual(order.ledger.map(({ amount, reason }) => [amount, reason]), [[1.5, '']]);
  for (const odd of [null, [], 'x', { id: 'a' }]) assert.equal(readWholeOrder(odd), null);
});

test('a step tells who, when and why', () => {
  const step = readStep({ offset: 5, status: 'held', from: 'pending', actor: 'staff', reason: 'odd', version: 2, timestamp: 60 });
  assert.deepEqual(step, { offset: 5, status: 'held', from: 'pending', actor: 'staff', reason: 'odd', version: 2, action: '', at: 60_000 });
  assert.equal(readStep({ status: 'held' }), null);
});

test('answers to an action are told apart', () => {
  for (const [status, body, expected] of [
    [200, ORDER, 'done'],
    [200, 'odd', 'unknown'],
    [412, {}, 'changed'],
    [409, {}, 'changed'],
    [422, {}, 'refused'],
    [403, {}, 'refused'],
    [429, {}, 'busy'],
    [503, {}, 'busy'],
    [500, {}, 'unknown'],
  ] as const) {
    assert.equal(readActed(status, new Headers(), body).outcome, expected, String(status));
  }
});
