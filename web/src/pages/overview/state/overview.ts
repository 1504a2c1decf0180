// The overview's state as signals: the feed and the figures, and how lists and events flow into them.

import { signal } from '@preact/signals';
import { addTick, mergeTicks, WINDOW_S } from '../../../charts/ticks';
import { Hold } from '../../../live/hold';
import { show, showProducts, startLive } from '../../../live/store';
import { fetchHistory, fetchOrders, fetchProducts, type OrderList } from '../../../protocol/requests';
import type { Tick } from '../../../protocol/ticks';
import { applyEvents, applyList, EMPTY_FEED, setHeld, type Feed } from './feed';

export const feed = signal<Feed>(EMPTY_FEED);
export const ticks = signal<readonly Tick[]>([]);

/** Two reasons to hold the feed still: the button, and the pointer, under which no row may jump. */
export const feedHold = new Hold<'paused' | 'pointed'>((held) => {
  // What has come but is not shown yet waits, or comes in together with what waited.
  if (!held) show();
  feed.value = setHeld(feed.value, held);
});

export function startOverview(): void {
  startLive({
    channels: ['orders', 'market_data'],
    load,
    refresh: async () => {
      const history = await fetchHistory(WINDOW_S);
      ticks.value = mergeTicks(ticks.value, history);
    },
    onOrders: (run) => {
      feed.value = applyEvents(feed.value, run);
    },
    onTick: (tick) => {
      ticks.value = addTick(ticks.value, tick);
    },
    onLost: readAgain,
  });
}

async function load() {
  const [products, orders] = await Promise.all([fetchProducts(), fetchOrders()]);
  // Products first: rows of the feed name them.
  showProducts(products.products);
  showOrders(orders);
  return { orders: orders.asOf, market_data: products.asOf };
}

async function readAgain(channel: string, isAnotherStore: boolean): Promise<void> {
  if (channel !== 'orders') return showProducts((await fetchProducts()).products);
  if (isAnotherStore) feed.value = { ...EMPTY_FEED, held: feed.value.held };
  showOrders(await fetchOrders());
}

function showOrders({ orders, asOf }: OrderList): void {
  show();
  feed.value = applyList(feed.value, orders, asOf?.offset ?? 0);
}
