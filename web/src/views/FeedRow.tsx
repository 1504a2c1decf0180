import { Component } from 'preact';
import type { Line, Order } from '../protocol/orders';
import type { Row } from '../state/feed';
import { formatMoney } from '../state/money';
import { catalogue } from '../state/session';
import { Icon } from './Icon';
import { StatusChip } from './StatusChip';

/** Redrawn only when its own order changes: a busy feed has 200 of them. */
export class FeedRow extends Component<{ row: Row }> {
  override shouldComponentUpdate(next: { row: Row }): boolean {
    return next.row !== this.props.row;
  }

  override render() {
    const { order, highlit } = this.props.row;
    return (
      <li class={highlit ? 'feed-row feed-row-highlit' : 'feed-row'} data-order={order.id} data-status={order.status}>
        <time class="feed-time" dateTime={new Date(order.createdAt).toISOString()}>
          {clockFormat.format(order.createdAt)}
        </time>
        <span class="feed-id" title={order.id}>
          {shortId(order.id)}
        </span>
        <span class="feed-items" title={itemsOf(order, 10)}>
          {itemsOf(order, 2)}
        </span>
        <span class="feed-customer" title={order.customerId}>
          {order.customerId}
        </span>
        <Priority level={order.priority} />
        <span class="feed-amount">{formatMoney(order.amount, order.currency)}</span>
        <span class="feed-status" key={order.version}>
          <StatusChip status={order.status} />
          {order.durationMs !== null && <span class="feed-duration">{formatDuration(order.durationMs)}</span>}
        </span>
      </li>
    );
  }
}

function Priority({ level }: { level: number }) {
  const word = level === 1 ? 'High' : level === 3 ? 'Low' : 'Medium';
  return (
    <span class={`feed-priority feed-priority-${word.toLowerCase()}`}>
      {level === 1 && <Icon name="up" />}
      {level === 3 && <Icon name="down" />}
      {word}
      <span class="visually-hidden"> priority</span>
    </span>
  );
}

function itemsOf({ lines, itemCount }: Order, most: number): string {
  if (lines.length === 0) return itemCount === 1 ? '1 item' : `${itemCount} items`;
  const named = lines.slice(0, most).map(nameOf).join(', ');
  return lines.length > most ? `${named} + ${lines.length - most} more` : named;
}

function nameOf({ sku, quantity }: Line): string {
  const name = catalogue.get(sku)?.name ?? sku;
  return quantity === 1 ? name : `${quantity} × ${name}`;
}

/** Ids made from the time differ at their end. */
function shortId(id: string): string {
  return id.length <= 12 ? id : `…${id.slice(-9)}`;
}

const clockFormat = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium', hourCycle: 'h23' });

function formatDuration(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}
