import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countLabel, countMoves, type Counts } from './counts';

const move = (offset: number, from: string | null, status: string) => ({ offset, from, order: { status } });
const counted = (orders: number): Counts => ({ held: { orders, isMore: false, asOf: 10 } });

test('moves into and out of a status are counted once, and only after it was counted', () => {
  for (const [moves, expected] of [
    [[], 2],
    [[move(11, 'pending', 'held')], 3],
    [[move(11, 'held', 'pending')], 1],
    [[move(11, null, 'held'), move(12, 'held', 'held')], 3],
    [[move(9, 'pending', 'held'), move(10, 'pending', 'held')], 2],
    [[move(11, 'completed', 'fulfilled')], 2],
  ] as const) {
    const once = countMoves(counted(2), moves);
    assert.equal(once['held']?.orders, expected);
    assert.deepEqual(countMoves(once, moves), once);
  }
});

test('no count is below nothing, and many are many', () => {
  assert.equal(countMoves(counted(0), [move(11, 'held', 'pending')])['held']?.orders, 0);
  assert.equal(countLabel({ orders: 100, isMore: true, asOf: 0 }), '100+');
  assert.equal(countLabel({ orders: 7, isMore: false, asOf: 0 }), '7');
});
