// What the desk asks of the server, and how the answers to an action read.

import { each, list, text } from './fields';
import type * as wire from './generated';
import { readOrder, type Order } from './orders';
import { readAsOf, type Position } from './positions';
import { readProblem, type Problem } from './problems';
import { read, WRITE_DEADLINE_MS } from './requests';
import { readStep, readWholeOrder, type Step, type WholeOrder } from './wholeOrder';

/** The server's own limit of one page. */
const STEPS_OF_A_PAGE = 500;
/** What lies beyond comes with the next reading. */
const MOST_PAGES_OF_STEPS = 10;

export interface OrderPage {
  orders: Order[];
  /** Cursor of the orders before these; null at the end. */
  next: string | null;
  asOf: Position | null;
}

/** `query`: filter, limit and cursor as the server takes them. */
export async function fetchOrderPage(query: URLSearchParams): Promise<OrderPage> {
  const reply = await read<wire.OrderList>(`orders?${query}`);
  return {
    orders: each(list(reply, 'orders'), (value) => readOrder(value)),
    next: text(reply, 'next') ?? null,
    asOf: readAsOf(reply, 'orders'),
  };
}

/** Null for an answer that is no order. */
export async function fetchWholeOrder(id: string): Promise<WholeOrder | null> {
  return readWholeOrder(await read(`orders/${encodeURIComponent(id)}`));
}

/** What happened to an order after `offset`, oldest first. */
export async function fetchSteps(id: string, offset: number): Promise<Step[]> {
  const steps: Step[] = [];
  let after = String(offset);
  for (let page = 0; page < MOST_PAGES_OF_STEPS; page += 1) {
    const reply = await read<wire.OrderEventList>(`orders/${encodeURIComponent(id)}/events?limit=${STEPS_OF_A_PAGE}&after=${after}`);
    steps.push(...each(list(reply, 'events'), readStep));
    const next = text(reply, 'next');
    if (next === undefined) break;
    after = next;
  }
  return steps;
}

export interface ActionRequest {
  id: string;
  action: string;
  /** JSON text. */
  body: string;
  /** The version that the person has seen. */
  version: number;
  idempotencyKey: string;
}

export type Acted =
  | { outcome: 'done'; order: WholeOrder; replayed: boolean }
  /** The order has changed since it was looked at, or is in a state that the action is not open for. */
  | { outcome: 'changed'; problem: Problem }
  | { outcome: 'refused'; problem: Problem }
  | { outcome: 'busy'; problem: Problem }
  /** It may or may not have been done: sending it again under the same key is safe. */
  | { outcome: 'unknown' };

export async function sendAction({ id, action, body, version, idempotencyKey }: ActionRequest): Promise<Acted> {
  try {
    const reply = await fetch(`orders/${encodeURIComponent(id)}/${encodeURIComponent(action)}`, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        'If-Match': `"${version}"`,
        'Idempotency-Key': idempotencyKey,
      },
      body,
      signal: AbortSignal.timeout(WRITE_DEADLINE_MS),
    });
    const value: unknown = await reply.json().catch(() => null);
    return readActed(reply.status, reply.headers, value);
  } catch {
    return { outcome: 'unknown' };
  }
}

export function readActed(status: number, headers: Headers, value: unknown): Acted {
  if (status >= 200 && status < 300) {
    const order = readWholeOrder(value);
    return order
      ? { outcome: 'done', order, replayed: headers.get('Idempotency-Replayed') === 'true' }
      : { outcome: 'unknown' };
  }
  const problem = readProblem(value, status);
  if (status === 412 || status === 409) return { outcome: 'changed', problem };
  if (status === 429 || status === 503) return { outcome: 'busy', problem };
  return status >= 500 ? { outcome: 'unknown' } : { outcome: 'refused', problem };
}
