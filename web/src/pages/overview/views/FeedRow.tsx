import { Component } from 'preact';
import { catalogue } from '../../../live/store';
import { formatMoney } from '../../../text/money';
import { StatusChip } from '../../../views/StatusChip';
import { formatDuration } from '../../../text/durations';
import { clockFormat, itemsOf, nameOfOrder, Priority } from '../../../views/orderTexts';
import type { Row } from '../state/feed';

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
        <a class="feed-id" href={`desk?order=${encodeURIComponent(order.id)}`} title={order.id}>
          {nameOfOrder(order)}
        </a>
        <span class="feed-items" title={itemsOf(order, 10, nameOf)}>
          {itemsOf(order, 2, nameOf)}
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

function nameOf(sku: string): string {
  return catalogue.get(sku)?.name ?? sku;
}
