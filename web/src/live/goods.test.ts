import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readOrder, type Order } from '../protocol/orders';
import { Goods } from './goods';

function order(id: string, more: object = {}): Order {
  return readOrder({ id, status: 'pending', ...more })!;
}

test('later events get the lines of the first, and the oldest are forgotten', () => {
  const goods = new Goods();
  const lines = [{ sku: 'tea', quantity: 2 }];
  goods.complete(order('a', { lines }));
  assert.deepEqual(goods.complete(order('a', { status: 'failed', version: 3 })).lines, lines);
  assert.deepEqual(goods.complete(order('b')).lines, []);
  for (let count = 0; count < 3_000; count += 1) goods.complete(order(`n-${count}`, { lines }));
  assert.deepEqual(goods.complete(order('a')).lines, []);
  assert.deepEqual(goods.complete(order('n-2999')).lines, lines);
});
