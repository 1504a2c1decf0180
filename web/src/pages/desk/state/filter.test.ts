import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readOrder, type Order } from '../../../protocol/orders';
import { addressOf, asksTheSame, boundsOf, filterOf, fromLocalInput, isOpen, listQuery, matches, NO_FILTER, toLocalInput, unknownIn, type Filter } from './filter';

const NOW = Date.parse('2026-03-01T12:00:00Z');
const HOUR_MS = 3_600_000;

function order(change: object): Order {
  const created_at = '2026-03-01T11:30:00Z';
  return readOrder({ id: 'a', status: 'pending', priority: 2, customer_id: 'c_1', created_at, ...change })!;
}

test('an address and its filter are the same', () => {
  for (const [address, kept] of [
    ['', ''],
    ['status=held&priority=1', 'status=held&priority=1'],
    ['priority=9&status=held', 'status=held'],
    ['status=lost', ''],
    ['status=active&q=%231042', 'status=active&q=%231042'],
    [`q=${'x'.repeat(129)}`, ''],
    ['time=1h&from=2026-01-01T00:00:00Z', 'time=1h'],
    ['time=fortnight', ''],
    ['time=between&from=2026-01-01T00:00:00Z&to=soon', 'time=between&from=2026-01-01T00%3A00%3A00Z'],
    ['customer=c_1&search=A-1&order=x', 'customer=c_1&search=A-1'],
  ] as const) {
    assert.equal(String(addressOf(filterOf(new URLSearchParams(address)))), kept, address);
  }
  assert.ok(isOpen(filterOf(new URLSearchParams('order=A-1'))));
});

test('unknown filters of an address are listed', () => {
  for (const [address, told] of [
    ['status=held&priority=1&order=x', []],
    ['status=lost&priority=9&colour=red', ['status=lost', 'priority=9', 'colour=red']],
    ['time=between&from=soon', ['from=soon']],
  ] as const) {
    assert.deepEqual(unknownIn(new URLSearchParams(address)), told, address);
  }
});

test('the server is asked for what it knows, and not for the search', () => {
  const filter: Filter = { ...NO_FILTER, status: 'active', priority: '1', customer: 'c_1', time: '1h', search: 'x' };
  const query = listQuery(filter, boundsOf(filter, NOW), 50, '17');
  assert.equal(
    decodeURIComponent(String(query)),
    'limit=50&status=active&priority=1&customer_id=c_1&from=2026-03-01T11:00:00.000Z&cursor=17',
  );
  assert.ok(asksTheSame(filter, { ...filter, search: 'y' }));
  assert.ok(!asksTheSame(filter, { ...filter, status: 'held' }));
});

test('events are judged as the server would', () => {
  for (const [change, filter, expected] of [
    [{}, {}, true],
    [{}, { status: 'held' }, false],
    [{ status: 'held' }, { status: 'held' }, true],
    [{ status: 'expedited' }, { status: 'active' }, true],
    [{ status: 'completed' }, { status: 'active' }, false],
    [{ priority: 1 }, { priority: '1' }, true],
    [{ priority: 2 }, { priority: '1' }, false],
    [{}, { customer: 'c_2' }, false],
    [{}, { time: '1h' }, true],
    [{ created_at: '2026-03-01T10:59:59Z' }, { time: '1h' }, false],
    [{}, { time: 'between', from: '2026-03-01T11:30:00Z' }, true],
    [{}, { time: 'between', to: '2026-03-01T11:30:00Z' }, false],
  ] as const) {
    const chosen = { ...NO_FILTER, ...filter };
    assert.equal(matches(order(change), chosen, boundsOf(chosen, NOW)), expected, JSON.stringify([change, filter]));
  }
  assert.deepEqual(boundsOf({ ...NO_FILTER, time: '24h' }, NOW), { from: NOW - 24 * HOUR_MS, to: null });
});

test('instants are shown and read in local time', () => {
  assert.equal(toLocalInput('2026-03-01T12:00:00Z', -60), '2026-03-01T13:00');
  assert.equal(toLocalInput('', 0), '');
  assert.equal(fromLocalInput(''), '');
  assert.equal(toLocalInput(fromLocalInput('2026-03-01T12:00')), '2026-03-01T12:00');
});
