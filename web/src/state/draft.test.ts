import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Product } from '../protocol/products';
import { EMPTY_DRAFT, parseNumber, requestOf, type Draft } from './draft';

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

test('numbers as people type them', () => {
  const rows: [string, number | null][] = [
    ['12.50', 12.5],
    [' 7 ', 7],
    ['0,5', 0.5],
    ['.5', 0.5],
    ['-1', -1],
    ['', null],
    ['abc', null],
    ['1.000,00', null],
    ['1e3', null],
    ['Infinity', null],
  ];
  for (const [typed, expected] of rows) assert.equal(parseNumber(typed), expected, typed);
});
