import { isObject, number, object, text } from './fields';
import type * as wire from './generated';

/** One second of the server's life. Counters are totals since the server started. */
export interface Tick {
  /** Unix seconds. */
  timestamp: number;
  accepted: number;
  completed: number;
  /** Orders whose work failed, and requests that the server could not serve. */
  errors: number;
  /** Requests refused because something was wrong with them. */
  refused: number;
  /** Total per currency, in units of the currency. */
  revenue: Readonly<Record<string, number>>;
  /** What was accepted on the current day, also before the server started; null while that is not known. */
  today: { accepted: number; revenue: Readonly<Record<string, number>> } | null;
  queueLength: number;
  active: number;
  workers: number;
  connections: number;
  latencyMs: { p50: number; p99: number } | null;
}

export function readTick(value: unknown): Tick | null {
  if (!isObject<wire.StatsTick>(value)) return null;
  const timestamp = number(value, 'timestamp');
  if (timestamp === undefined || (text(value, 'type') ?? 'stats') !== 'stats') return null;
  const latency = object(value, 'latency_ms');
  const p50 = latency && number(latency, 'p50');
  const p99 = latency && number(latency, 'p99');
  const today = object(value, 'today');
  return {
    timestamp,
    accepted: number(value, 'accepted') ?? 0,
    completed: number(value, 'completed') ?? 0,
    errors: number(value, 'errors') ?? 0,
    refused: number(value, 'refused') ?? 0,
    revenue: sums(object(value, 'revenue')),
    today: today ? { accepted: number(today, 'accepted') ?? 0, revenue: sums(object(today, 'revenue')) } : null,
    queueLength: number(value, 'queue_length') ?? 0,
    active: number(value, 'active') ?? 0,
    workers: number(value, 'workers') ?? 0,
    connections: number(value, 'connections') ?? 0,
    latencyMs: p50 === undefined || p99 === undefined ? null : { p50, p99 },
  };
}

function sums(value: object | undefined): Record<string, number> {
  const entries = Object.entries(value ?? {});
  return Object.fromEntries(entries.filter((entry): entry is [string, number] => typeof entry[1] === 'number'));
}
