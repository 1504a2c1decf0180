// The list of the desk: newest first, bounded, page by page, changed in place by events, and able to hold still. Pure.

import type { OrderEvent } from '../../../protocol/frames';
import type { Order } from '../../../protocol/orders';

/** A list that somebody works off is narrowed by filters, not read to its end. */
export const MOST_ROWS = 1_000;

export interface WorkRow {
  order: Order;
  /** It no longer matches the filter: it goes once the list need not hold still. */
  left: boolean;
}

export interface Worklist {
  rows: readonly WorkRow[];
  /** While held: orders that match since, newest first. Changes of listed rows are never held back. */
  waiting: readonly Order[];
  held: boolean;
  /** Cursor of the next page; null at the end. */
  next: string | null;
  /** Rows beyond the bound were let go, so there is no next page to ask for. */
  cut: boolean;
  /** Offset that the list was read at: older events are in it. */
  asOf: number;
}

export const EMPTY_WORKLIST: Worklist = { rows: [], waiting: [], held: false, next: null, cut: false, asOf: 0 };

export type Matches = (order: Order) => boolean;

/** Takes the first page: everything listed before goes, but changes from events to its orders stay. */
export function applyFirst(list: Worklist, orders: readonly Order[], next: string | null, asOf: number): Worklist {
  const known = new Map([...list.rows.map(({ order }) => order), ...list.waiting].map((order) => [order.id, order]));
  const rows = orders.map((order) => ({ order: newer(known.get(order.id), order), left: false }));
  return { rows, next, asOf, waiting: [], held: list.held, cut: false };
}

/**
 * Takes the first page of the same list again, because events may have been lost. A held list stands still: its rows
 * change in place, those that no longer match stay until then, and listed orders that it does not show wait.
 * Only rows below the end of the page go: the next page has them.
 */
export function applyAgain(list: Worklist, orders: readonly Order[], next: string | null, asOf: number): Worklist {
  const first = applyFirst(list, orders, next, asOf);
  if (!list.held) return first;
  const end = next === null ? -Infinity : (orders.at(-1)?.createdAt ?? Infinity);
  const listed = new Map(first.rows.map((row) => [row.order.id, row]));
  const rows: WorkRow[] = [];
  for (const { order } of list.rows) {
    const row = listed.get(order.id);
    if (row) rows.push(row);
    else if (order.createdAt >= end) rows.push({ order, left: true });
    listed.delete(order.id);
  }
  return { ...first, rows, waiting: [...listed.values()].map(({ order }) => order) };
}

/** Takes a further page. */
export function applyMore(list: Worklist, orders: readonly Order[], next: string | null): Worklist {
  const known = new Set([...list.rows.map(({ order }) => order.id), ...list.waiting.map(({ id }) => id)]);
  const fresh = orders.filter(({ id }) => !known.has(id)).map((order) => ({ order, left: false }));
  return bounded({ ...list, next, rows: [...list.rows, ...fresh] });
}

/** Takes a run of events in log order; one call a repaint keeps a burst cheap. `mayComeIn`: which orders a list takes that
 * it does not have. */
export function applyToList(
  list: Worklist,
  events: readonly OrderEvent[],
  isMatch: Matches,
  mayComeIn: Matches = isMatch,
): Worklist {
  const rows = new Map(list.rows.map((row) => [row.order.id, row]));
  const waiting = new Map(list.waiting.map((order) => [order.id, order]));
  // The last listed row is where the next page begins.
  const oldest = list.next === null ? -Infinity : (list.rows.at(-1)?.order.createdAt ?? -Infinity);
  for (const { order, offset } of events) {
    const row = rows.get(order.id);
    const waits = waiting.get(order.id);
    if (row) {
      const latest = newer(row.order, order);
      const left = !isMatch(latest);
      // An event that the list covers cannot bring back what the list no longer had.
      if (latest !== row.order || (offset > list.asOf && left !== row.left)) rows.set(order.id, { order: latest, left });
    } else if (waits) {
      const latest = newer(waits, order);
      if (isMatch(latest)) waiting.set(order.id, latest);
      else waiting.delete(order.id);
    } else if (offset > list.asOf && order.createdAt >= oldest && mayComeIn(order)) {
      waiting.set(order.id, order);
    }
  }
  const after = { ...list, rows: [...rows.values()], waiting: newestFirst([...waiting.values()]) };
  return list.held ? { ...after, waiting: after.waiting.slice(0, MOST_ROWS) } : settled(after);
}

/** Holds the list still, or lets in what waited and out what left. */
export function holdList(list: Worklist, held: boolean): Worklist {
  if (held === list.held) return list;
  return held ? { ...list, held } : { ...settled(list), held };
}

/** Lets in what waits, once, because somebody asked for it. */
export function letIn(list: Worklist): Worklist {
  return settled(list);
}

function settled(list: Worklist): Worklist {
  if (list.waiting.length === 0 && !list.rows.some(({ left }) => left)) return list;
  const stayed = list.rows.filter(({ left }) => !left);
  const came = list.waiting.map((order) => ({ order, left: false }));
  const rows = [...came, ...stayed].sort((a, b) => b.order.createdAt - a.order.createdAt);
  return bounded({ ...list, rows, waiting: [] });
}

function bounded(list: Worklist): Worklist {
  if (list.rows.length <= MOST_ROWS) return list;
  return { ...list, rows: list.rows.slice(0, MOST_ROWS), next: null, cut: true };
}

function newestFirst(orders: Order[]): Order[] {
  return orders.sort((a, b) => b.createdAt - a.createdAt);
}

/** The later version, with the lines of the one that has them: later events do not repeat them. */
function newer(known: Order | undefined, order: Order): Order {
  if (!known) return order;
  const [later, other] = known.version >= order.version ? [known, order] : [order, known];
  return later.lines.length > 0 || other.lines.length === 0 ? later : { ...later, lines: other.lines };
}
