// The HTTP half of the protocol. Addresses are relative to the page, which lies at the root of the server: a proxy may put a
// path before all of them. Every request ends within a deadline: a page must never wait for a dead server.

import { each, flag, isObject, list, type Raw } from './fields';
import type * as wire from './generated';
import { readOrder, type Order } from './orders';
import { readAsOf, type Position } from './positions';
import { readProblem, type Problem } from './problems';
import { readProduct, type Product } from './products';
import { readTick, type Tick } from './ticks';

const READ_DEADLINE_MS = 10_000;
export const WRITE_DEADLINE_MS = 20_000;
export const LISTED_ORDERS = 50;

export interface OrderList {
  orders: Order[];
  asOf: Position | null;
}

export async function fetchOrders(): Promise<OrderList> {
  const reply = await read<wire.OrderList>(`orders?limit=${LISTED_ORDERS}`);
  return { orders: each(list(reply, 'orders'), (value) => readOrder(value)), asOf: readAsOf(reply, 'orders') };
}

export interface ProductList {
  products: Product[];
  asOf: Position | null;
}

export async function fetchProducts(): Promise<ProductList> {
  const reply = await read<wire.ProductList>('products');
  return { products: each(list(reply, 'products'), readProduct), asOf: readAsOf(reply, 'products') };
}

export async function fetchHistory(seconds: number): Promise<Tick[]> {
  return each(list(await read<wire.StatsHistory>(`stats/history?seconds=${seconds}`), 'ticks'), readTick);
}

export async function fetchDemoMode(): Promise<boolean> {
  return flag(await read<wire.Health>('health'), 'demo');
}

export type Placement =
  | { outcome: 'accepted'; order: Order; replayed: boolean }
  | { outcome: 'refused'; problem: Problem }
  /** The order may or may not have been taken: sending it again under the same key is safe. */
  | { outcome: 'unknown' }
  | { outcome: 'busy'; retryAfterS: number | null; problem: Problem };

export async function placeOrder(body: string, idempotencyKey: string): Promise<Placement> {
  let reply: Response;
  let value: unknown;
  try {
    reply = await fetch('orders', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'Idempotency-Key': idempotencyKey },
      body,
      signal: AbortSignal.timeout(WRITE_DEADLINE_MS),
    });
    value = await reply.json().catch(() => null);
  } catch {
    return { outcome: 'unknown' };
  }
  return readPlacement(reply.status, reply.headers, value);
}

export function readPlacement(status: number, headers: Headers, value: unknown): Placement {
  if (status >= 200 && status < 300) {
    const order = readOrder(value);
    if (!order) return { outcome: 'unknown' };
    return { outcome: 'accepted', order, replayed: headers.get('Idempotency-Replayed') === 'true' };
  }
  const problem = readProblem(value, status);
  if (status === 429 || status === 503) {
    const seconds = Number(headers.get('Retry-After') ?? Number.NaN);
    return { outcome: 'busy', retryAfterS: Number.isFinite(seconds) ? seconds : null, problem };
  }
  return status >= 500 ? { outcome: 'unknown' } : { outcome: 'refused', problem };
}

/** A read that the server answered, with something else than what was asked for. */
export class ReadError extends Error {
  constructor(
    readonly status: number,
    readonly problem: Problem,
  ) {
    super(problem.detail === '' ? problem.title : `${problem.title}: ${problem.detail}`);
  }
}

/** What to say of a read that failed. */
export function whyOf(error: unknown): string {
  return error instanceof ReadError ? error.message : 'The server did not answer.';
}

/** Reads what should be a `Wire`. */
export async function read<Wire>(path: string): Promise<Raw<Wire>> {
  const reply = await fetch(path, {
    headers: { Accept: 'application/json' },
    cache: 'no-store',
    signal: AbortSignal.timeout(READ_DEADLINE_MS),
  });
  const value: unknown = await reply.json().catch(() => null);
  if (!reply.ok) throw new ReadError(reply.status, readProblem(value, reply.status));
  if (!isObject<Wire>(value)) throw new Error(`${path}: not a JSON object`);
  return value;
}
