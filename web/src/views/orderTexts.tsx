// Parts of an order in words, the same on every page.

import type { Order } from '../protocol/orders';
import { Icon } from './Icon';

export function Priority({ level }: { level: number }) {
  const word = level === 1 ? 'High' : level === 3 ? 'Low' : 'Medium';
  return (
    <span class={`priority priority-${word.toLowerCase()}`}>
      {level === 1 && <Icon name="up" />}
      {level === 3 && <Icon name="down" />}
      {word}
      <span class="visually-hidden"> priority</span>
    </span>
  );
}

export function itemsOf({ lines, itemCount }: Order, most: number, nameOf: (sku: string) => string): string {
  if (lines.length === 0) return itemCount === 1 ? '1 item' : `${itemCount} items`;
  const parts = lines
    .slice(0, most)
    .map(({ sku, quantity }) => (quantity === 1 ? nameOf(sku) : `${quantity} × ${nameOf(sku)}`));
  return lines.length > most ? `${parts.join(', ')} + ${lines.length - most} more` : parts.join(', ');
}

/** How people call an order: `#1042`, or the end of its id. */
export function nameOfOrder({ number, id }: Order): string {
  return number === null ? shortId(id) : `#${number}`;
}

/** Ids made from the time differ at their end. */
export function shortId(id: string): string {
  return id.length <= 12 ? id : `…${id.slice(-9)}`;
}

export const clockFormat = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium', hourCycle: 'h23' });
const dayFormat = new Intl.DateTimeFormat(undefined, {
  day: 'numeric',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
  hourCycle: 'h23',
});
const fullFormat = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium', hourCycle: 'h23' });

/** The time of day for today's, with the day before it for others. */
export function formatMoment(ms: number, now = new Date()): string {
  const isToday = new Date(ms).toDateString() === now.toDateString();
  return (isToday ? clockFormat : dayFormat).format(ms);
}

export function formatInstant(ms: number): string {
  return fullFormat.format(ms);
}
