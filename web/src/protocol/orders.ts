// The order as the server tells it: in lists (whole) and in events (summary, without personal data).

import { each, flag, isObject, list, number, object, text, time, type Raw } from './fields';
import type * as wire from './generated';

export type Status = wire.Order['status'];

export interface Line {
  sku: string;
  quantity: number;
}

/** By their outward names. */
export const STATUSES: readonly Status[] = [
  'pending',
  'scheduled',
  'held',
  'retrying',
  'processing',
  'expedited',
  'priority_processing',
  'completed',
  'partially_fulfilled',
  'fulfilled',
  'failed',
  'rejected',
  'cancelled',
];

export interface Order {
  id: string;
  /** Short and unique: what people call `#1042`; null in events of before there were numbers. */
  number: number | null;
  amount: number;
  currency: string;
  priority: number;
  customerId: string;
  itemCount: number;
  /** Empty when the server sent only the count (orders of more than 50 lines). */
  lines: Line[];
  /** Kept as text when the server knows a status this page does not. */
  status: Status | (string & {});
  version: number;
  /** Unix milliseconds. */
  createdAt: number;
  updatedAt: number;
  demo: boolean;
  /** When its last work began, in Unix milliseconds. */
  startedAt: number | null;
  /** How long a worker had it in hand; null while nobody has finished it. */
  durationMs: number | null;
}

/** The summary of an event has `lines`, an order of a list `items`. */
type Told = wire.Order & wire.OrderSummary;
type WireLine = NonNullable<wire.OrderSummary['lines']>[number];

/** Reads a whole order (`GET /orders`, `POST /orders`) or the summary inside an event. */
export function readOrder(value: unknown, version?: number): Order | null {
  if (!isObject<Told>(value)) return null;
  const id = text(value, 'id');
  const status = text(value, 'status');
  if (id === undefined || status === undefined) return null;
  const lines = readLines(value);
  const createdAt = time(value, 'created_at') ?? 0;
  const processing = object(value, 'processing');
  return {
    id,
    number: number(value, 'number') ?? null,
    status,
    lines,
    createdAt,
    amount: number(value, 'amount') ?? 0,
    currency: text(value, 'currency') ?? '',
    priority: number(value, 'priority') ?? 2,
    customerId: text(value, 'customer_id') ?? '',
    itemCount: number(value, 'item_count') ?? lines.length,
    version: version ?? number(value, 'version') ?? 0,
    updatedAt: time(value, 'updated_at') ?? createdAt,
    demo: flag(value, 'demo'),
    startedAt: (processing && time(processing, 'started_at')) ?? null,
    durationMs: (processing && number(processing, 'duration_ms')) ?? null,
  };
}

function readLines(order: Raw<Told>): Line[] {
  const lines = list(order, 'lines');
  return each(lines.length > 0 ? lines : list(order, 'items'), readLine);
}

function readLine(value: unknown): Line | null {
  if (typeof value === 'string') return { sku: value, quantity: 1 };
  if (!isObject<WireLine>(value)) return null;
  const sku = text(value, 'sku');
  return sku === undefined ? null : { sku, quantity: number(value, 'quantity') ?? 1 };
}
