import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Hold } from './hold';

test('a list is held before the call returns, by the first reason until the last one', () => {
  let held = false;
  const hold = new Hold<'paused' | 'pointed'>((value) => {
    held = value;
  });
  const rows: [reason: 'paused' | 'pointed', isPresent: boolean, expected: boolean][] = [
    ['paused', true, true],
    ['pointed', true, true],
    ['paused', false, true],
    ['pointed', false, false],
    ['pointed', true, true],
  ];
  for (const [reason, isPresent, expected] of rows) {
    hold.set(reason, isPresent);
    assert.equal(held, expected, `${reason} ${isPresent}`);
    assert.equal(hold.has(reason), isPresent);
  }
});

test('only the first and the last reason are a change', () => {
  const changes: boolean[] = [];
  const hold = new Hold<'paused' | 'pointed'>((held) => changes.push(held));
  hold.set('paused', false);
  hold.set('paused', true);
  hold.set('paused', true);
  hold.set('pointed', true);
  hold.set('paused', false);
  hold.set('pointed', false);
  assert.deepEqual(changes, [true, false]);
});
