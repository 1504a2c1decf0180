import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keyFor, uuid } from './idempotency';

test('the same order is sent under the same key, a changed one under a new key', () => {
  let made = 0;
  const fresh = (): string => `key ${(made += 1)}`;
  const first = { body: 'A', key: keyFor('A', null, fresh) };
  assert.equal(keyFor('A', first, fresh), 'key 1');
  assert.equal(keyFor('B', first, fresh), 'key 2');
});

test('keys are version 4 UUIDs', () => {
  assert.equal(uuid(new Uint8Array(16)), '00000000-0000-4000-8000-000000000000');
  assert.equal(uuid(new Uint8Array(16).fill(255)), 'ffffffff-ffff-4fff-bfff-ffffffffffff');
});
