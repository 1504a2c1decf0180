// Frames of the plain JSON protocol on `/ws`, as far as this page uses them.

import { each, flag, isObject, list, number, object, text, type Raw } from './fields';
import type * as wire from './generated';
import { readOrder, type Order } from './orders';
import type { Positions } from './positions';
import { readProduct, type Product } from './products';
import { readTick, type Tick } from './ticks';

/** A change of an order in the log. */
export interface OrderEvent {
  order: Order;
  offset: number;
  /** The order's first event: it is new. */
  first: boolean;
}

export type OrderFrame = OrderEvent & { type: 'order'; channel: string; from: string | null };

export type Frame =
  | { type: 'connect'; id: string }
  | { type: 'products'; products: Product[] }
  | { type: 'subscribed'; channel: string; epoch: string; offset: number; recovered: boolean }
  | OrderFrame
  | { type: 'market_data'; channel: string; offset: number; product: Product }
  | { type: 'stats'; tick: Tick }
  | { type: 'error'; code: string; message: string };

/** Answers null for anything this page does not know: a newer server may say more. */
export function readFrame(data: string): Frame | null {
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch {
    return null;
  }
  return isObject<WireFrame>(value) ? readKnown(value) : null;
}

/** What the server may send, as far as this page reads it. */
type WireFrame =
  | wire.ConnectFrame
  | wire.ProductsFrame
  | wire.SubscribedFrame
  | wire.OrderEventFrame
  | wire.MarketDataFrame
  | wire.StatsFrame
  | wire.ErrorFrame;

function readKnown(value: Raw<WireFrame>): Frame | null {
  switch (value.type as WireFrame['type']) {
    case 'connect':
      return { type: 'connect', id: text<wire.ConnectFrame>(value, 'id') ?? '' };
    case 'products':
      return { type: 'products', products: each(list<wire.ProductsFrame>(value, 'products'), readProduct) };
    case 'subscribed':
      return readSubscribed(value);
    case 'order':
    case 'order_update':
      return readOrderEvent(value);
    case 'market_data':
      return readMarketData(value);
    case 'stats': {
      const tick = readTick(value);
      return tick && { type: 'stats', tick };
    }
    case 'error':
      return readError(value);
    default:
      return null;
  }
}

function readError(value: Raw<wire.ErrorFrame>): Frame {
  return { type: 'error', code: text(value, 'code') ?? '', message: text(value, 'message') ?? '' };
}

function readMarketData(value: Raw<wire.MarketDataFrame>): Frame | null {
  const product = readProduct(value);
  const offset = number(value, 'offset');
  if (!product || offset === undefined) return null;
  return { type: 'market_data', channel: text(value, 'channel') ?? 'market_data', offset, product };
}

function readSubscribed(value: Raw<wire.SubscribedFrame>): Frame | null {
  const channel = text(value, 'channel');
  const offset = number(value, 'offset');
  if (channel === undefined || offset === undefined) return null;
  const epoch = text(value, 'epoch') ?? '';
  return { type: 'subscribed', channel, epoch, offset, recovered: flag(value, 'recovered') };
}

function readOrderEvent(value: Raw<wire.OrderEventFrame>): Frame | null {
  const offset = number(value, 'offset');
  const summary = object(value, 'order');
  if (offset === undefined || !summary) return null;
  // The event's own id, status and version hold; the summary beside them describes the rest.
  const order = readOrder(
    { ...summary, id: value.order_id ?? summary.id, status: value.status ?? summary.status },
    number(value, 'version'),
  );
  if (!order) return null;
  const first = value.type === 'order';
  return { type: 'order', channel: text(value, 'channel') ?? 'orders', offset, order, first, from: text(value, 'from') ?? null };
}

export function subscribeFrame(channels: readonly string[], since: Positions): string {
  return JSON.stringify({ type: 'subscribe', channels: [...channels], since } satisfies wire.SubscribeFrame);
}
