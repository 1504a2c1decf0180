import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatMoney, lineTotal } from './money';

test('line totals are exact and round once, half to even', () => {
  const rows: [number, number, string, number][] = [
    [2.55, 2, 'GBP', 5.1],
    [0.1, 3, 'GBP', 0.3],
    [1.255, 1, 'GBP', 1.26],
    [1.245, 1, 'GBP', 1.24],
    [1.255, 2, 'GBP', 2.51],
    [0.0005, 10_000, 'GBP', 5],
    [100.5, 1, 'JPY', 100],
    [101.5, 1, 'JPY', 102],
  ];
  for (const [price, quantity, currency, expected] of rows) {
    assert.equal(lineTotal(price, quantity, currency), expected, `${price} × ${quantity}`);
  }
});

test('an unknown currency is shown, not thrown at', () => {
  assert.equal(formatMoney(1.5, ''), '1.50');
  assert.equal(formatMoney(1.5, '<b>'), '1.50 <b>');
});
