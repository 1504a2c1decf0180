// Which orders the desk lists: as chosen, as the address holds it, as the server is asked, and as events are judged.
// Pure.

import { STATUSES, type Order, type Status } from '../../../protocol/orders';

export interface Filter {
  /** A status by its outward name, `active` for all lanes, or empty. */
  status: string;
  priority: string;
  /** The opaque customer id. */
  customer: string;
  /** How long ago it was accepted at most, `between` for `from` and `to`, or empty. */
  time: string;
  /** RFC 3339, or empty. */
  from: string;
  to: string;
  /** What the server searches for: a number, a part of an id, of the customer's text, of a SKU. */
  q: string;
  /** As it is typed; looks only at what is listed. */
  search: string;
}

export const NO_FILTER: Filter = { status: '', priority: '', customer: '', time: '', from: '', to: '', q: '', search: '' };

const NAMES = Object.keys(NO_FILTER) as (keyof Filter)[];
const HOUR_MS = 3_600_000;
/** The server's own limit of a search. */
const MOST_SEARCH_BYTES = 128;

/** Spans of time back from now, by their names in the address. */
export const SPANS: Readonly<Record<string, number>> = { '1h': HOUR_MS, '24h': 24 * HOUR_MS, '7d': 168 * HOUR_MS };

export const LANES: readonly string[] = ['processing', 'expedited', 'priority_processing'] satisfies Status[];

/** Reads the filter of an address; what is not known there is left out. */
export function filterOf(query: URLSearchParams): Filter {
  const filter = { ...NO_FILTER };
  for (const name of NAMES) filter[name] = query.get(name) ?? '';
  if (filter.status !== 'active' && !STATUSES.some((status) => status === filter.status)) filter.status = '';
  if (!['', '1', '2', '3'].includes(filter.priority)) filter.priority = '';
  if (filter.time !== 'between' && !(filter.time in SPANS)) filter.time = '';
  if (filter.time !== 'between') filter.from = filter.to = '';
  for (const end of ['from', 'to'] as const) if (Number.isNaN(Date.parse(filter[end]))) filter[end] = '';
  if (new TextEncoder().encode(filter.q).length > MOST_SEARCH_BYTES) filter.q = '';
  return filter;
}

/** What an address asks for that is not known, such as `priority=9`: for the person to hear of, since it is left out. */
export function unknownIn(query: URLSearchParams): string[] {
  const filter = filterOf(query);
  const given = NAMES.filter((name) => (query.get(name) ?? '') !== '' && filter[name] === '');
  const others = [...query.keys()].filter((name) => name !== 'order' && !NAMES.some((known) => known === name));
  return [...given, ...others].map((name) => `${name}=${query.get(name) ?? ''}`);
}

/** The part of an address that says it: without what is left open. */
export function addressOf(filter: Filter): URLSearchParams {
  const query = new URLSearchParams();
  for (const name of NAMES) if (filter[name] !== '') query.set(name, filter[name]);
  return query;
}

export function isOpen(filter: Filter): boolean {
  return NAMES.every((name) => filter[name] === '');
}

/** Whether two filters ask the server for the same list. */
export function asksTheSame(one: Filter, other: Filter): boolean {
  return NAMES.every((name) => name === 'search' || one[name] === other[name]);
}

/** Times of acceptance: from ≤ t < to, in Unix milliseconds. A span is counted back once, when the list is read. */
export interface Bounds {
  from: number | null;
  to: number | null;
}

export function boundsOf({ time, from, to }: Filter, nowMs: number): Bounds {
  const span = SPANS[time];
  if (span !== undefined) return { from: nowMs - span, to: null };
  const end = (text: string): number | null => (time === 'between' && text !== '' ? Date.parse(text) : null);
  return { from: end(from), to: end(to) };
}

/** The query that lists a page of these orders. */
export function listQuery(filter: Filter, bounds: Bounds, limit: number, cursor: string | null): URLSearchParams {
  const query = new URLSearchParams({ limit: String(limit) });
  const set = (name: string, value: string | null): void => {
    if (value !== null && value !== '') query.set(name, value);
  };
  set('q', filter.q.trim());
  set('status', filter.status);
  set('priority', filter.priority);
  set('customer_id', filter.customer);
  set('from', bounds.from === null ? null : new Date(bounds.from).toISOString());
  set('to', bounds.to === null ? null : new Date(bounds.to).toISOString());
  set('cursor', cursor);
  return query;
}

/** What the server would answer for this order, searches apart: events do not hold what those look at. */
export function matches(order: Order, filter: Filter, bounds: Bounds): boolean {
  const { status, priority, customer } = filter;
  if (status !== '' && status !== order.status && !(status === 'active' && LANES.includes(order.status))) return false;
  if (priority !== '' && Number(priority) !== order.priority) return false;
  if (customer !== '' && customer !== order.customerId) return false;
  if (bounds.from !== null && order.createdAt < bounds.from) return false;
  return bounds.to === null || order.createdAt < bounds.to;
}

/** What an `<input type="datetime-local">` shows for an instant, and the instant it stands for: `''` for none. */
export function toLocalInput(instant: string, offsetMinutes = new Date(instant).getTimezoneOffset()): string {
  const ms = Date.parse(instant);
  return Number.isNaN(ms) ? '' : new Date(ms - offsetMinutes * 60_000).toISOString().slice(0, 16);
}

export function fromLocalInput(local: string): string {
  const ms = Date.parse(local);
  return Number.isNaN(ms) ? '' : new Date(ms).toISOString();
}
