import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorsByField } from '../../../protocol/problems';
import { readWholeOrder, type WholeOrder } from '../../../protocol/wholeOrder';
import { actionsOf, emptyForm, sendableOf, type Form } from './actions';

const ORDER = readWholeOrder({
  id: 'a',
  status: 'partially_fulfilled',
  version: 4,
  captured: 10,
  refunded: 2,
  items: [{ sku: 'lamp', quantity: 3 }, 'cup', { sku: 'tea', quantity: 2 }],
  fulfilment: [
    { line: 0, shipped: 2, cancelled: 0, returned: 1 },
    { line: 2, shipped: 1, cancelled: 1, returned: 0 },
  ],
}) as WholeOrder;

function allowing(...allowed: string[]): WholeOrder {
  return { ...ORDER, allowed };
}

function filled(name: string, change: Partial<Form>): Form {
  return { ...emptyForm(actionsOf(allowing(name))[0]!, ORDER), ...change };
}

test('a filled-in form becomes its request', () => {
  for (const [name, change, expected] of [
    ['hold', {}, {}],
    ['hold', { reason: ' wrong address ', until: '2026-03-01T09:00' }, { reason: 'wrong address', until: '2026-03-01T09:00:00.000Z' }],
    ['reschedule', { run_at: '2026-03-01T09:00' }, { run_at: '2026-03-01T09:00:00.000Z' }],
    ['refund', { amount: '1,50' }, { amount: 1.5 }],
    ['fulfil', {}, { lines: [{ line: 0, quantity: 1 }, { line: 1, quantity: 1 }] }],
    ['fulfil', { lines: ['0', '1', ''], close: true }, { lines: [{ line: 1, quantity: 1 }], close: true }],
    ['return', { restock: true }, { lines: [{ line: 0, quantity: 1 }, { line: 2, quantity: 1 }], restock: true }],
    ['cancel', { reason: 'twice' }, { reason: 'twice' }],
  ] as const) {
    const sendable = sendableOf(filled(name, change));
    assert.ok('body' in sendable, name);
    assert.deepEqual(JSON.parse(sendable.body), expected, name);
  }
});

test('what cannot be sent is told at its field', () => {
  for (const [name, change, field] of [
    ['refund', { amount: 'much' }, 'amount'],
    ['refund', {}, 'amount'],
    ['fulfil', { lines: ['all', '1', '0'] }, 'line-0'],
  ] as const) {
    const sendable = sendableOf(filled(name, change));
    assert.ok('errors' in sendable && sendable.errors[field] !== undefined, name);
  }
});

test('pointers of an answer lead to the fields, whichever lines were left out', () => {
  const sendable = sendableOf(filled('fulfil', { lines: ['', '1', '7'] }));
  assert.ok('body' in sendable);
  const problem = { title: '', detail: '', errors: [{ pointer: '/lines/1/quantity', detail: 'must be from 1 to 2' }] };
  assert.deepEqual(errorsByField(problem, sendable.pointers), { 'line-2': 'Must be from 1 to 2.' });
});

test('every open action is offered, one that is not known too', () => {
  assert.deepEqual(
    actionsOf(allowing('cancel', 'gift_wrap', 'release')).map(({ label }) => label),
    ['Release', 'Cancel order', 'Gift wrap'],
  );
});

test('what nothing is left for is not offered', () => {
  const names = (order: WholeOrder): string[] => actionsOf(order).map(({ name }) => name);
  const order = allowing('refund', 'return');
  assert.deepEqual(names(order), ['return', 'refund']);
  assert.deepEqual(names({ ...order, refunded: order.captured }), ['return'], 'goods may still come back');
  const goods = order.goods.map((line) => ({ ...line, returned: line.shipped }));
  assert.deepEqual(names({ ...order, goods, refunded: order.captured }), []);
  assert.deepEqual(names({ ...order, goods }), ['refund'], 'money is left, but no goods');
});
