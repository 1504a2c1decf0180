import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatDuration } from './durations';

test('lengths of time are as people say them', () => {
  for (const [ms, text] of [
    [0, '0 ms'],
    [340, '340 ms'],
    [1_240, '1.2 s'],
    [12_400, '12 s'],
    [59_960, '1 min'],
    [200_000, '3 min 20 s'],
    [3_600_000, '1 h'],
    [7_500_000, '2 h 5 min'],
    [273_600_000, '3 d 4 h'],
  ] as const) {
    assert.equal(formatDuration(ms), text);
  }
});
