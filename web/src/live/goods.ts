// What orders hold, by their ids: only the first event of an order says it, and a list may show an order by a later one.
// Bounded: the oldest are forgotten.

import type { Line, Order } from '../protocol/orders';

/** More than any page shows at a time. */
const MOST_ORDERS = 3_000;

export class Goods {
  private readonly byId = new Map<string, readonly Line[]>();

  /** The order with its lines, if they are known; remembers them if it has them. */
  complete(order: Order): Order {
    if (order.lines.length > 0) {
      this.remember(order);
      return order;
    }
    const lines = this.byId.get(order.id);
    return lines ? { ...order, lines: [...lines] } : order;
  }

  clear(): void {
    this.byId.clear();
  }

  private remember({ id, lines }: Order): void {
    if (this.byId.has(id)) return;
    this.byId.set(id, lines);
    if (this.byId.size <= MOST_ORDERS) return;
    const oldest = this.byId.keys().next();
    if (!oldest.done) this.byId.delete(oldest.value);
  }
}
