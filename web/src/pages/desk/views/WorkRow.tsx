import { Component } from 'preact';
import { formatMoney } from '../../../text/money';
import { StatusChip } from '../../../views/StatusChip';
import { formatInstant, formatMoment, itemsOf, nameOfOrder, Priority, shortId } from '../../../views/orderTexts';
import { open } from '../state/address';
import type { WorkRow as Row } from '../state/worklist';
import { nameOf } from './names';
import { standAt } from './place';

interface Props {
  row: Row;
  isOpen: boolean;
  /** The tab key stops here. */
  isCurrent: boolean;
  href: string;
  /** Grows when names of products change. */
  catalogueVersion: number;
}

/** Redrawn only when its own order changes: the list has up to a thousand. */
export class WorkRow extends Component<Props> {
  override shouldComponentUpdate(next: Props): boolean {
    return (Object.keys(next) as (keyof Props)[]).some((name) => next[name] !== this.props[name]);
  }

  override render() {
    const { row, isOpen, isCurrent, href } = this.props;
    const { order, left } = row;
    return (
      <li class={left ? 'work-row work-row-left' : 'work-row'} data-status={order.status}>
        <a
          href={href}
          data-order={order.id}
          tabIndex={isCurrent ? 0 : -1}
          aria-current={isOpen ? 'true' : undefined}
          onFocus={() => standAt(order.id)}
          onClick={(event) => follow(event, order.id)}
        >
          <time class="work-time" dateTime={new Date(order.createdAt).toISOString()} title={formatInstant(order.createdAt)}>
            {formatMoment(order.createdAt)}
          </time>
          <span class="work-id" title={order.id}>
            {nameOfOrder(order)}
            {order.number !== null && <span class="work-id-long">{shortId(order.id)}</span>}
          </span>
          <span class="work-items" title={itemsOf(order, 10, nameOf)}>
            {itemsOf(order, 2, nameOf)}
          </span>
          <span class="work-customer" title={order.customerId}>
            {order.customerId}
          </span>
          <Priority level={order.priority} />
          <span class="work-amount">{formatMoney(order.amount, order.currency)}</span>
          <span class="work-status">
            <StatusChip status={order.status} />
            {left && <span class="visually-hidden"> no longer matches the filter</span>}
          </span>
        </a>
      </li>
    );
  }
}

/** Other ways to follow a link (a new tab, a new window) stay the browser's. */
function follow(event: MouseEvent, id: string): void {
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
  event.preventDefault();
  standAt(id);
  open(id);
}
