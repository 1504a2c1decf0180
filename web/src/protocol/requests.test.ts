import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readPlacement } from './requests';

test('what became of an order', () => {
  const none = new Headers();
  const order = { id: 'o1', status: 'pending', amount: 1 };
  const rows: [number, Headers, unknown, string][] = [
    [201, none, order, 'accepted'],
    [200, new Headers({ 'Idempotency-Replayed': 'true' }), order, 'accepted'],
    [201, none, 'not json', 'unknown'],
    [422, none, { title: 'Invalid' }, 'refused'],
    [409, none, { title: 'Conflict' }, 'refused'],
    [429, new Headers({ 'Retry-After': '3' }), {}, 'busy'],
    [503, none, null, 'busy'],
    [500, none, null, 'unknown'],
  ];
  for (const [status, headers, value, outcome] of rows) {
    assert.equal(readPlacement(status, headers, value).outcome, outcome, `${status}`);
  }
  const replayed = readPlacement(201, new Headers({ 'Idempotency-Replayed': 'true' }), order);
  assert.ok(replayed.outcome === 'accepted' && replayed.replayed);
  const busy = readPlacement(429, new Headers({ 'Retry-After': '3' }), {});
  assert.ok(busy.outcome === 'busy' && busy.retryAfterS === 3);
});
