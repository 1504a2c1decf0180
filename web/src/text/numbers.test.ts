import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseNumber } from './numbers';

test('numbers as people type them', () => {
  const rows: [string, number | null][] = [
    ['12.50', 12.5],
    [' 7 ', 7],
    ['0,5', 0.5],
    ['.5', 0.5],
    ['-1', -1],
    ['', null],
    ['abc', null],
    ['1.000,00', null],
    ['1e3', null],
    ['Infinity', null],
  ];
  for (const [typed, expected] of rows) assert.equal(parseNumber(typed), expected, typed);
});
