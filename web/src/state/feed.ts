// The live feed: newest order first, one row an order, bounded, and able to hold still. Pure.

import type { Order } from '../protocol/orders';

export const FEED_ROWS = 200;

/** More new rows than this in one repaint are a rush. */
const RUSH_ROWS = 3;

export interface Row {
  order: Order;
  /** Offset of the event or list that last set this row. */
  offset: number;
  /** Arrived one by one while the page was open, and so worth a highlight; in a rush nobody could follow it. */
  highlit: boolean;
}

export interface Feed {
  rows: readonly Row[];
  /** While held: what arrived since, newest first. Changes of shown rows are never held back. */
  waiting: readonly Row[];
  /** How many arrived while held; may exceed what `waiting` keeps. */
  waitingCount: number;
  held: boolean;
}

export const EMPTY_FEED: Feed = { rows: [], waiting: [], waitingCount: 0, held: false };

export interface OrderEvent {
  order: Order;
  offset: number;
  /** The order's first event: it is new. */
  first: boolean;
}

/** Takes a run of events in log order; one call per repaint keeps a burst cheap. */
export function applyEvents(feed: Feed, events: readonly OrderEvent[]): Feed {
  const rows = indexed(feed.rows);
  const waiting = indexed(feed.waiting);
  const fresh: Row[] = [];
  const freshAt = new Map<string, number>();
  for (const event of events) {
    const { id } = event.order;
    const known = freshAt.get(id);
    if (known !== undefined) fresh[known] = updated(fresh[known]!, event);
    else if (rows.has(id)) rows.set(id, updated(rows.get(id)!, event));
    else if (waiting.has(id)) waiting.set(id, updated(waiting.get(id)!, event));
    else if (event.first) freshAt.set(id, fresh.push({ order: event.order, offset: event.offset, highlit: true }) - 1);
    // Else a change of an order that has already left the feed.
  }
  if (fresh.length > RUSH_ROWS) for (const row of fresh) row.highlit = false;
  fresh.reverse();
  if (feed.held) {
    return {
      rows: [...rows.values()],
      waiting: bounded([...fresh, ...waiting.values()]),
      waitingCount: feed.waitingCount + fresh.length,
      held: true,
    };
  }
  return { ...feed, rows: bounded([...fresh, ...rows.values()]) };
}

/**
 * Takes a list read from the server, newest first, as of `offset`. Rows that events after it have brought stay;
 * everything else is replaced.
 */
export function applyList(feed: Feed, orders: readonly Order[], offset: number): Feed {
  const known = indexed([...feed.waiting, ...feed.rows]);
  const listed = new Set(orders.map(({ id }) => id));
  const newer = [...known.values()].filter((row) => row.offset > offset && !listed.has(row.order.id));
  const rows = orders.map((order): Row => {
    const row = known.get(order.id);
    return row && row.order.version >= order.version ? row : { order, offset, highlit: row?.highlit ?? false };
  });
  return { rows: bounded([...newer, ...rows]), waiting: [], waitingCount: 0, held: feed.held };
}

/** Holds insertions back, or lets what waited in. */
export function setHeld(feed: Feed, held: boolean): Feed {
  if (held === feed.held) return feed;
  if (held) return { ...feed, held };
  return { rows: bounded([...feed.waiting, ...feed.rows]), waiting: [], waitingCount: 0, held };
}

export function findOrder(feed: Feed, id: string): Order | undefined {
  return [...feed.waiting, ...feed.rows].find(({ order }) => order.id === id)?.order;
}

function updated(row: Row, { order, offset }: OrderEvent): Row {
  if (order.version <= row.order.version) return row;
  // Later events do not repeat the lines.
  const lines = order.lines.length > 0 ? order.lines : row.order.lines;
  return { ...row, order: { ...order, lines, durationMs: order.durationMs ?? row.order.durationMs }, offset };
}

function indexed(rows: readonly Row[]): Map<string, Row> {
  return new Map(rows.map((row) => [row.order.id, row]));
}

function bounded(rows: Row[]): Row[] {
  return rows.length > FEED_ROWS ? rows.slice(0, FEED_ROWS) : rows;
}
