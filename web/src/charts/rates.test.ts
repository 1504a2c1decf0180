import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readTick, type Tick } from '../protocol/ticks';
import { errorShares, rates, unroll } from './rates';

const tick = (timestamp: number, accepted: number, completed = 0, errors = 0): Tick =>
  readTick({ type: 'stats', timestamp, accepted, completed, errors })!;
const accepted = (value: Tick): number => value.accepted;
/** One tick a second with `perSecond` orders each. */
const steady = (seconds: number, perSecond: number): Tick[] =>
  Array.from({ length: seconds }, (_, second) => tick(1_000 + second, second * perSecond));

test('a steady flow has a steady rate, from the shortest window on', () => {
  const values = rates(steady(200, 2), accepted);
  assert.deepEqual(values.slice(0, 5), [null, null, null, null, null]);
  assert.deepEqual(new Set(values.slice(5)), new Set([120]));
});

test('the window is a minute: what is older does not count', () => {
  const burst = [tick(0, 0), tick(10, 600), ...Array.from({ length: 80 }, (_, i) => tick(11 + i, 600))];
  const values = rates(burst, accepted);
  assert.equal(values[1], 3_600);
  assert.equal(values.at(-1), 0);
});

test('a restarted server counts from 0 again: nothing is lost and nothing is negative', () => {
  const ticks = [tick(0, 100), tick(1, 110), tick(4, 3), tick(5, 8)];
  assert.deepEqual(unroll(ticks, accepted), [0, 10, 13, 18]);
  // Errors rose across the restart; that `accepted` fell tells of it.
  const errors = [tick(0, 100, 90, 1), tick(1, 5, 4, 3)];
  assert.deepEqual(unroll(errors, ({ errors: total }) => total), [0, 3]);
});

test('errors as a share of what was worked off', () => {
  const ticks = [tick(0, 0, 0, 0), tick(10, 0, 95, 5), tick(20, 0, 95, 5), tick(90, 0, 95, 5), tick(100, 0, 95, 5)];
  assert.deepEqual(errorShares(ticks), [null, 5, 5, null, 0]);
});

test('nothing known, nothing shown', () => {
  assert.deepEqual(rates([], accepted), []);
  assert.deepEqual(rates([tick(1, 50)], accepted), [null]);
});
