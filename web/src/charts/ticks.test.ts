import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readTick, type Tick } from '../protocol/ticks';
import { addTick, mergeTicks, WINDOW_S } from './ticks';

const tick = (timestamp: number, accepted = 0): Tick => readTick({ type: 'stats', timestamp, accepted })!;
const seconds = (ticks: readonly Tick[]): number[] => ticks.map(({ timestamp }) => timestamp);

test('ticks are kept for the window only', () => {
  let ticks: readonly Tick[] = [];
  for (let second = 0; second <= WINDOW_S + 5; second += 1) ticks = addTick(ticks, tick(second));
  assert.equal(ticks[0]?.timestamp, 5);
  assert.equal(ticks.length, WINDOW_S + 1);
});

test('what the page has and what the server remembers become one series', () => {
  const merged = mergeTicks([tick(1), tick(2), tick(5, 1)], [tick(3), tick(4), tick(5, 2)]);
  assert.deepEqual(seconds(merged), [1, 2, 3, 4, 5]);
  assert.equal(merged.at(-1)?.accepted, 2);
});

test('a tick of a known second replaces it', () => {
  assert.deepEqual(seconds(addTick([tick(1), tick(2)], tick(2))), [1, 2]);
});

test('a clock that was set back starts the series anew', () => {
  assert.deepEqual(seconds(addTick([tick(5000)], tick(1000))), [1000]);
});
