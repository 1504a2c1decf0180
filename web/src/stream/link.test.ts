import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backoffMs } from './backoff';
import { connectionOf, type Connection, type Phase } from './link';

test('backoff doubles between its floor and its ceiling, spread over the whole range', () => {
  const rows: [failures: number, random: number, expected: number][] = [
    [0, 0, 500],
    [0, 0.99, 500],
    [1, 0.5, 750],
    [3, 0, 500],
    [3, 0.999999, 4_000],
    [6, 0.999999, 20_000],
    [5_000, 0.999999, 20_000],
  ];
  for (const [failures, random, expected] of rows) assert.equal(backoffMs(failures, random), expected, `${failures}`);
});

test('the connection in words', () => {
  const rows: [Phase, failures: number, wasLive: boolean, online: boolean, Connection][] = [
    ['connecting', 0, false, true, 'connecting'],
    ['live', 0, true, true, 'connected'],
    ['waiting', 1, true, true, 'reconnecting'],
    ['connecting', 1, true, true, 'reconnecting'],
    ['waiting', 1, false, true, 'reconnecting'],
    ['waiting', 4, true, true, 'offline'],
    ['connecting', 9, true, true, 'offline'],
    ['waiting', 0, true, false, 'offline'],
  ];
  for (const [phase, failures, wasLive, online, expected] of rows) {
    assert.equal(connectionOf(phase, failures, wasLive, online), expected, `${phase} ${failures}`);
  }
});
