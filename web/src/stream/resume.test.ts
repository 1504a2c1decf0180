import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Resume } from './resume';

const at = (offset: number, epoch = 'e'): { epoch: string; offset: number } => ({ epoch, offset });

function joined(offset: number): Resume {
  const resume = new Resume(['orders']);
  resume.place('orders', at(offset));
  resume.join(['orders']);
  resume.answered('orders', { ...at(offset + 5), recovered: true });
  return resume;
}

test('asks with the positions the lists were read at', () => {
  const resume = new Resume(['orders', 'market_data']);
  resume.place('orders', at(41));
  resume.place('products', at(7));
  assert.deepEqual(resume.join(resume.channels), { orders: at(41), market_data: at(7) });
});

test('missed events follow from where it asked, not from the head it was told', () => {
  const resume = joined(41);
  assert.equal(resume.event('orders', 42), 'apply');
  assert.equal(resume.event('orders', 43), 'apply');
});

test('repeats are dropped, a hole asks again, and events until the answer are dropped', () => {
  const resume = joined(41);
  assert.equal(resume.event('orders', 41), 'skip');
  assert.equal(resume.event('orders', 43), 'resubscribe');
  assert.deepEqual(resume.join(['orders']), { orders: at(41) });
  assert.equal(resume.event('orders', 42), 'skip');
  assert.equal(resume.answered('orders', { ...at(43), recovered: true }), 'resumed');
  assert.equal(resume.event('orders', 42), 'apply');
  assert.equal(resume.event('orders', 43), 'apply');
});

test('what cannot be recovered is lost, another epoch is another store, and both go on from the new head', () => {
  for (const [epoch, expected] of [['e', 'lost'], ['f', 'renewed']] as const) {
    const resume = joined(41);
    resume.join(['orders']);
    assert.equal(resume.answered('orders', { ...at(900, epoch), recovered: false }), expected);
    assert.equal(resume.event('orders', 901), 'apply');
    assert.deepEqual(resume.join(['orders']), { orders: at(901, epoch) });
  }
});

test('a server that takes its promise back unasked has lost events', () => {
  const resume = joined(41);
  assert.equal(resume.answered('orders', { ...at(900), recovered: false }), 'lost');
  assert.equal(resume.event('orders', 901), 'apply');
});

test('without a position there is nothing to recover from', () => {
  const resume = new Resume(['orders']);
  assert.deepEqual(resume.join(['orders']), {});
  assert.equal(resume.answered('orders', { ...at(9), recovered: true }), 'lost');
});

test('is joined only when every channel has been answered', () => {
  const resume = new Resume(['orders', 'market_data']);
  resume.join(resume.channels);
  resume.answered('orders', { ...at(1), recovered: false });
  assert.equal(resume.joined, false);
  resume.answered('products', { ...at(1), recovered: false });
  assert.equal(resume.joined, true);
  assert.equal(resume.answered('orders', { ...at(1), recovered: true }), null);
  assert.equal(resume.answered('stats', { ...at(1), recovered: false }), null);
});
