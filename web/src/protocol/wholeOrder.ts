// The order as only its readers see it: with goods, money, and what may be done to it.

import { each, flag, isObject, list, number, object, text, time, type Raw } from './fields';
import type * as wire from './generated';
import { readOrder, type Order } from './orders';

type WireItem = Exclude<wire.WholeOrder['items'][number], string>;
type WireMoved = NonNullable<wire.WholeOrder['fulfilment']>[number];
type WireCharge = NonNullable<wire.WholeOrder['charges']>[number];
type WireGivenBack = NonNullable<wire.WholeOrder['ledger']>[number];

export interface Goods {
  sku: string;
  quantity: number;
  /** Null when only the whole order has an amount. */
  price: number | null;
  shipped: number;
  /** Called off after others were sent. */
  cancelled: number;
  returned: number;
}

export interface Charge {
  kind: string;
  name: string;
  amount: number;
}

/** Money that went back in one step. */
export interface GivenBack {
  kind: string;
  amount: number;
  version: number;
  actor: string;
  reason: string;
  at: number;
}

export interface WholeOrder extends Order {
  goods: Goods[];
  charges: Charge[];
  /** What rounding lines and charges to the currency left over. */
  rounding: number;
  customer: string;
  address: string;
  notes: string;
  attempts: number;
  lastError: string;
  /** Who works on it, or did last. */
  worker: string;
  /** When a timer moves it on, in Unix milliseconds. */
  dueAt: number | null;
  placedAt: number | null;
  cancelRequested: boolean;
  captured: number;
  refunded: number;
  ledger: GivenBack[];
  /** Names of the actions that the principal may take now. */
  allowed: string[];
}

/** Reads the answer of `GET /orders/{id}` and of each action on an order. */
export function readWholeOrder(value: unknown): WholeOrder | null {
  const order = readOrder(value);
  if (!order || !isObject<wire.WholeOrder>(value)) return null;
  const processing = object(value, 'processing');
  return {
    ...order,
    goods: readGoods(value),
    charges: each(list(value, 'charges'), readCharge),
    rounding: number(value, 'rounding') ?? 0,
    customer: text(value, 'customer') ?? '',
    address: text(value, 'address') ?? '',
    notes: text(value, 'notes') ?? '',
    attempts: number(value, 'attempts') ?? 0,
    lastError: text(value, 'last_error') ?? '',
    worker: (processing && text(processing, 'worker')) ?? '',
    dueAt: time(value, 'due_at') ?? null,
    placedAt: time(value, 'placed_at') ?? null,
    cancelRequested: flag(value, 'cancel_requested'),
    captured: number(value, 'captured') ?? 0,
    refunded: number(value, 'refunded') ?? 0,
    ledger: each(list(value, 'ledger'), readGivenBack),
    allowed: list(value, 'allowed').filter((name) => typeof name === 'string'),
  };
}

/** Lines keep their places, odd ones too: shipped units refer to them by place. */
function readGoods(order: Raw<wire.WholeOrder>): Goods[] {
  const goods = list(order, 'items').map((item): Goods => {
    const line = isObject<WireItem>(item) ? item : {};
    return {
      sku: typeof item === 'string' ? item : (text(line, 'sku') ?? ''),
      quantity: number(line, 'quantity') ?? 1,
      price: number(line, 'price') ?? null,
      shipped: 0,
      cancelled: 0,
      returned: 0,
    };
  });
  for (const moved of list(order, 'fulfilment')) {
    if (!isObject<WireMoved>(moved)) continue;
    const line = goods[number(moved, 'line') ?? -1];
    if (!line) continue;
    line.shipped = number(moved, 'shipped') ?? 0;
    line.cancelled = number(moved, 'cancelled') ?? 0;
    line.returned = number(moved, 'returned') ?? 0;
  }
  return goods;
}

function readCharge(value: unknown): Charge | null {
  if (!isObject<WireCharge>(value)) return null;
  const amount = number(value, 'amount');
  return amount === undefined ? null : { amount, kind: text(value, 'kind') ?? '', name: text(value, 'name') ?? '' };
}

function readGivenBack(value: unknown): GivenBack | null {
  if (!isObject<WireGivenBack>(value)) return null;
  const amount = number(value, 'amount');
  if (amount === undefined) return null;
  return {
    amount,
    kind: text(value, 'kind') ?? '',
    version: number(value, 'version') ?? 0,
    actor: text(value, 'actor') ?? '',
    reason: text(value, 'reason') ?? '',
    at: time(value, 'at') ?? 0,
  };
}

/** One event of an order: who did what, when and why. */
export interface Step {
  offset: number;
  version: number;
  /** Empty for the first. */
  from: string;
  status: string;
  actor: string;
  /** Empty when it goes without saying. */
  action: string;
  reason: string;
  /** Unix milliseconds. */
  at: number;
}

/** Reads one of `GET /orders/{id}/events`. */
export function readStep(value: unknown): Step | null {
  if (!isObject<wire.OrderEvent>(value)) return null;
  const order = object(value, 'order');
  const offset = number(value, 'offset');
  const status = text(value, 'status');
  if (offset === undefined || status === undefined) return null;
  return {
    offset,
    status,
    version: number(value, 'version') ?? 0,
    from: text(value, 'from') ?? '',
    actor: text(value, 'actor') ?? '',
    action: text(value, 'action') ?? '',
    reason: text(value, 'reason') ?? '',
    at: (order && time(order, 'updated_at')) ?? (number(value, 'timestamp') ?? 0) * 1_000,
  };
}
