import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorsByField, readProblem } from '../../../protocol/problems';
import type { Product } from '../../../protocol/products';
import { EMPTY_DRAFT, fieldPointers, requestOf, type Draft } from './draft';

const lamp: Product = { sku: '85123A', name: 'Lamp', price: 2.55, currency: 'GBP', stock: 5, reserved: 0 };
const filled: Draft = { ...EMPTY_DRAFT, customer: ' Ann ', address: '1 Road', sku: '85123A', quantity: '2' };

const body = (draft: Draft, product?: Product): unknown => {
  const request = requestOf(draft, product);
  return 'body' in request ? JSON.parse(request.body) : request.errors;
};

test('a product becomes a priced line, without an amount', () => {
  assert.deepEqual(body(filled, lamp), {
    items: [{ sku: '85123A', quantity: 2, price: 2.55 }],
    currency: 'GBP',
    customer: 'Ann',
    address: '1 Road',
    priority: 2,
  });
});

test('a free order has plain items and an amount', () => {
  const draft: Draft = { ...filled, source: 'free', items: 'tea\n\n cups \n', amount: '12,50', currency: 'eur', notes: 'x' };
  assert.deepEqual(body(draft), {
    items: ['tea', 'cups'],
    amount: 12.5,
    currency: 'EUR',
    customer: 'Ann',
    address: '1 Road',
    priority: 2,
    notes: 'x',
  });
});

test('only what cannot be sent is refused on the page', () => {
  assert.deepEqual(Object.keys(body(EMPTY_DRAFT) as object), ['sku', 'customer', 'address']);
  assert.deepEqual(Object.keys(body({ ...filled, source: 'free' }) as object), ['items', 'amount']);
  // The server's rule, so the server's words.
  assert.equal((body({ ...filled, quantity: '-3' }, lamp) as { items: { quantity: number }[] }).items[0]?.quantity, -3);
});

const sorted = (errors: unknown[], source: 'catalogue' | 'free' = 'free'): unknown =>
  errorsByField(readProblem({ title: 'Invalid order', errors }, 422), fieldPointers(source));

test('errors land at the field their pointer speaks of', () => {
  assert.deepEqual(sorted([{ pointer: '/amount', detail: 'A.' }, { pointer: '#/customer', detail: 'is required' }]), {
    amount: 'A.',
    customer: 'Is required.',
  });
  assert.deepEqual(sorted([{ pointer: '/items/0/quantity', detail: 'Q.' }, { pointer: '/items/0/sku', detail: 'S.' }], 'catalogue'), {
    quantity: 'Q.',
    sku: 'S.',
  });
  assert.deepEqual(sorted([{ pointer: '/items/3', detail: 'I.' }, { pointer: '/items', detail: 'J.' }]), { items: 'I. J.' });
});

test('what belongs to no field is said for the whole order', () => {
  assert.deepEqual(sorted([{ pointer: '/colour', detail: 'Unknown.' }]), { '': '/colour: Unknown.' });
  assert.deepEqual(sorted([]), { '': 'Invalid order' });
  assert.equal(readProblem('<html>', 502).title, 'The server answered 502');
});
