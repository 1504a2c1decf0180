import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readTick, type Tick } from '../protocol/ticks';
import { describe, formatCount, formatFigure, latest, metricsOf } from './metrics';

const tick = (timestamp: number, more: object = {}): Tick => readTick({ type: 'stats', timestamp, ...more })!;
const shown = (ticks: Tick[], id: string) => metricsOf(ticks).metrics.find((metric) => metric.id === id)!;

test('every line has one value for each time', () => {
  const { times, metrics } = metricsOf([tick(1), tick(2), tick(60), tick(61)]);
  for (const { lines } of metrics) for (const { values } of lines) assert.equal(values.length, times.length);
});

test('a silence breaks the lines', () => {
  const { times } = metricsOf([tick(1), tick(2), tick(60)]);
  assert.deepEqual(times, [1, 2, 3, 60]);
  const queue = shown([tick(1, { queue_length: 4 }), tick(60, { queue_length: 5 })], 'queue');
  assert.deepEqual(queue.lines[0]?.values, [4, null, 5]);
});

test('revenue has a line for each currency, the largest first', () => {
  const ticks = [tick(0, { revenue: {} }), tick(30, { revenue: { EUR: 5, GBP: 60 } })];
  const { lines } = shown(ticks, 'revenue');
  assert.deepEqual(lines.map(({ label }) => label), ['GBP', 'EUR']);
  assert.equal(latest(lines[0]!)?.value, 120);
  assert.equal(shown([tick(0)], 'revenue').lines.length, 1);
});

test('details belong to the point they are asked for, gaps included', () => {
  const ticks = [tick(0, { active: 3, workers: 10 }), tick(60, { active: 9, workers: 10 })];
  const { detail } = shown(ticks, 'queue');
  assert.deepEqual([detail(0), detail(1), detail(2)], ['3/10 workers busy', '', '9/10 workers busy']);
});

test('latency is unknown while nothing is processed', () => {
  const metric = shown([tick(0, { latency_ms: { p50: 1, p99: 5 } }), tick(1, { latency_ms: null })], 'latency');
  assert.equal(latest(metric.lines[0]!), null);
  assert.equal(metric.detail(0), 'to done; 99 % within 5 ms');
  assert.equal(metric.detail(1), 'nothing done lately');
});

test('a chart in words', () => {
  const queue = shown([tick(0, { queue_length: 40 }), tick(1, { queue_length: 7 })], 'queue');
  assert.match(describe(queue), /^Queue depth over the last 15 minutes\. queued: now 7, highest 40; active: /);
  assert.match(describe(shown([], 'orders')), /no data yet/);
});

test('figures stay short', () => {
  assert.deepEqual([0.4, 999.6, 12_345].map(formatCount), ['0', '1,000', '12.3K']);
  assert.deepEqual([1.25, 12.4].map(formatFigure), ['1.3', '12']);
});
