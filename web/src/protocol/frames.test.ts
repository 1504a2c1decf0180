import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readFrame, subscribeFrame } from './frames';

const frame = (value: unknown): unknown => readFrame(JSON.stringify(value));

const summary = {
  number: 1042,
  id: 'order_1',
  amount: 99.99,
  currency: 'USD',
  priority: 1,
  customer_id: 'c_7f3a',
  item_count: 2,
  status: 'pending',
  created_at: '2026-01-15T10:30:00Z',
  updated_at: '2026-01-15T10:30:00Z',
};

test('the first event of an order', () => {
  const lines = [{ sku: '85123A', quantity: 2, price: 2.55 }, { sku: 'ribbon', quantity: 1, price: null }];
  const event = { type: 'order', order_id: 'order_1', status: 'pending', version: 1, order: { ...summary, lines } };
  assert.deepEqual(frame({ ...event, channel: 'orders', offset: 42 }), {
    type: 'order',
    channel: 'orders',
    offset: 42,
    first: true,
    from: null,
    order: {
      id: 'order_1',
      number: 1042,
      amount: 99.99,
      currency: 'USD',
      priority: 1,
      customerId: 'c_7f3a',
      itemCount: 2,
      lines: [
        { sku: '85123A', quantity: 2 },
        { sku: 'ribbon', quantity: 1 },
      ],
      status: 'pending',
      version: 1,
      createdAt: Date.UTC(2026, 0, 15, 10, 30),
      updatedAt: Date.UTC(2026, 0, 15, 10, 30),
      demo: false,
      startedAt: null,
      durationMs: null,
    },
  });
});

test('a change: the event itself holds, whatever the summary says', () => {
  const order = { ...summary, processing: { worker: 'w3', duration_ms: 12 } };
  const event = { type: 'order_update', order_id: 'order_1', status: 'completed', version: 3, from: 'processing', order };
  const read = readFrame(JSON.stringify({ ...event, channel: 'orders', offset: 44 }));
  assert.ok(read?.type === 'order' && !read.first);
  assert.deepEqual([read.order.status, read.order.version, read.order.durationMs], ['completed', 3, 12]);
});

test('price and stock, under either name of the channel', () => {
  const product = { sku: 'A', hash: 'x', name: 'Lamp', price: 2.55, currency: 'GBP', stock: null, reserved: 3 };
  assert.deepEqual(frame({ type: 'market_data', ...product, channel: 'products', offset: 5 }), {
    type: 'market_data',
    channel: 'products',
    offset: 5,
    product: { sku: 'A', name: 'Lamp', price: 2.55, currency: 'GBP', stock: null, reserved: 3 },
  });
});

test('a tick, with and without latency', () => {
  const tick = { type: 'stats', timestamp: 100, accepted: 5, revenue: { GBP: 1.5, bad: 'x' }, queue_length: 2, offset: 1 };
  const read = readFrame(JSON.stringify({ ...tick, latency_ms: null }));
  assert.ok(read?.type === 'stats');
  assert.deepEqual([read.tick.revenue, read.tick.latencyMs, read.tick.queueLength], [{ GBP: 1.5 }, null, 2]);
  const timed = readFrame(JSON.stringify({ ...tick, latency_ms: { p50: 1.2, p99: 5 } }));
  assert.ok(timed?.type === 'stats');
  assert.deepEqual(timed.tick.latencyMs, { p50: 1.2, p99: 5 });
});

test('an answer to a subscription', () => {
  assert.deepEqual(frame({ type: 'subscribed', channel: 'orders', epoch: 'e', offset: 3, recovered: true }), {
    type: 'subscribed',
    channel: 'orders',
    epoch: 'e',
    offset: 3,
    recovered: true,
  });
});

test('what is broken or unknown is left out, never thrown', () => {
  for (const data of ['', '{', 'null', '[]', '7', '{}', '{"type":"user-joined"}', '{"type":"order"}', '{"type":"stats"}']) {
    assert.equal(readFrame(data), null, data);
  }
  const odd = [{ sku: 'A', price: 1 }, null, { name: 'no sku' }];
  const read = readFrame(JSON.stringify({ type: 'products', products: odd }));
  assert.ok(read?.type === 'products');
  assert.deepEqual(read.products.map(({ sku }) => sku), ['A']);
});

test('the request to follow channels', () => {
  assert.deepEqual(JSON.parse(subscribeFrame(['orders'], { orders: { epoch: 'e', offset: 1 } })), {
    type: 'subscribe',
    channels: ['orders'],
    since: { orders: { epoch: 'e', offset: 1 } },
  });
});
