import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fieldPointers } from '../state/draft';
import { errorsByField, readProblem } from './problems';
import { readPlacement } from './requests';

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
