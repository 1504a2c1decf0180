// The live feed: newest order first, one row an order, bounded, and able to hold still. Pure.

import type { OrderEvent } from '../../../protocol/frames';
import type { Order } from '../../../protocol/orders';

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
  /** Offset that the last list was read at; null before the first one. */
  asOf: number | null;
}

export const EMPTY_FEED: Feed = { rows: [], waiting: [], waitingCount: 0, held: false, asOf: null };

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
      ...feed,
      rows: [...rows.values()],
      waiting: bounded([...fresh, ...waiting.values()]),
      waitingCount: feed.waitingCount + fresh.length,
    };
  }
  return { ...feed, rows: bounded([...fresh, ...rows.values()]) };
}

/**
 * Takes a list read from the server, newest first, as of `offset`. Rows that events after it have brought stay;
 * everything else is replaced. A held feed that has a list already stands still: its rows change in place, and
 * listed orders that it does not show wait.
 */
export function applyList(feed: Feed, orders: readonly Order[], offset: number): Feed {
  const known = indexed([...feed.waiting, ...feed.rows]);
  const ids = new Set(orders.map(({ id }) => id));
  const newer = [...known.values()].filter((row) => row.offset > offset && !ids.has(row.order.id));
  const latest = [...newer, ...orders.map((order) => listed(known.get(order.id), order, offset))];
  if (!feed.held || feed.asOf === null) {
    return { rows: bounded(latest), waiting: [], waitingCount: 0, held: feed.held, asOf: offset };
  }
  const latestById = indexed(latest);
  const shown = indexed(feed.rows);
  const waiting = latest.filter(({ order }) => !shown.has(order.id));
  const unseen = waiting.filter(({ order }) => !known.has(order.id));
  return {
    rows: feed.rows.map((row) => latestById.get(row.order.id) ?? row),
    waiting: bounded(waiting),
    waitingCount: feed.waitingCount + unseen.length,
    held: true,
    asOf: offset,
  };
}

/** Holds insertions back, or lets what waited in. Rows that the last list no longer had leave then. */
export function setHeld(feed: Feed, held: boolean): Feed {
  if (held === feed.held) return feed;
  if (held) return { ...feed, held };
  const { asOf } = feed;
  const stayed = asOf === null ? feed.rows : feed.rows.filter(({ offset }) => offset >= asOf);
  return { ...feed, rows: bounded([...feed.waiting, ...stayed]), waiting: [], waitingCount: 0, held };
}

export function findOrder(feed: Feed, id: string): Order | undefined {
  return [...feed.waiting, ...feed.rows].find(({ order }) => order.id === id)?.order;
}

function listed(row: Row | undefined, order: Order, offset: number): Row {
  if (!row) return { order, offset, highlit: false };
  const [later, other] = row.order.version >= order.version ? [row.order, order] : [order, row.order];
  // Events after the first do not repeat the lines.
  const latest = later.lines.length > 0 || other.lines.length === 0 ? later : { ...later, lines: other.lines };
  return { ...row, order: latest, offset: Math.max(row.offset, offset) };
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
