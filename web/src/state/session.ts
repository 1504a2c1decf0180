// The page's state as signals, and the one place where stream and requests flow into it.

import { signal } from '@preact/signals';
import type { Frame } from '../protocol/frames';
import {
  fetchDemoMode,
  fetchHistory,
  fetchOrders,
  fetchProducts,
  type OrderList,
  type ProductList,
} from '../protocol/requests';
import type { Tick } from '../protocol/ticks';
import { Stream } from '../stream/socket';
import { Catalogue } from './catalogue';
import { applyEvents, applyList, EMPTY_FEED, setHeld, type Feed, type OrderEvent } from './feed';
import { Hold } from './hold';
import { connection, demo, socketUrl, watching } from './server';
import { addTick, mergeTicks, WINDOW_S } from './ticks';

/** Bursts are shown in steps: people cannot read faster, and a phone could not draw faster. */
const REPAINT_EVERY_MS = 150;
/** More events than this are folded in early, so that a page in the background holds no pile of them. */
const MOST_UNSHOWN_EVENTS = 1_000;

export const loaded = signal(false);
export const feed = signal<Feed>(EMPTY_FEED);
export const ticks = signal<readonly Tick[]>([]);

export const catalogue = new Catalogue();
/** Counts changes of the catalogue: reading it makes a view follow them. */
export const catalogueVersion = signal(0);

const events: OrderEvent[] = [];
let catalogueChanged = false;
let repaint: ReturnType<typeof setTimeout> | undefined;

const stream = new Stream(['orders', 'market_data'], {
  url: socketUrl(),
  prepare,
  onFrame: receive,
  onLost: (channel, how) => void reload(channel, how === 'renewed'),
  onConnection: (value) => {
    connection.value = value;
  },
});

export function startSession(): void {
  stream.start();
}

export function retryNow(): void {
  stream.retryNow();
}

/** Two reasons to hold the feed still: the button, and the pointer, under which no row may jump. */
export const feedHold = new Hold<'paused' | 'pointed'>((held) => {
  // What has come but is not shown yet waits, or comes in together with what waited.
  if (!held) show();
  feed.value = setHeld(feed.value, held);
});

/** Before each connection: the lists once, the figures every time (they are not kept by any log). */
async function prepare(): Promise<void> {
  if (!loaded.value) {
    const [products, orders] = await Promise.all([fetchProducts(), fetchOrders()]);
    // Products first: rows of the feed name them.
    showProducts(products);
    showOrders(orders);
    stream.resume.place('orders', orders.asOf);
    stream.resume.place('market_data', products.asOf);
    loaded.value = true;
  }
  const [history, isDemo] = await Promise.allSettled([fetchHistory(WINDOW_S), fetchDemoMode()]);
  if (history.status === 'fulfilled') ticks.value = mergeTicks(ticks.value, history.value);
  if (isDemo.status === 'fulfilled') demo.value = isDemo.value;
}

/** The stream already runs on from its new position; the list is read after that, so nothing falls between. */
async function reload(channel: string, renewed: boolean): Promise<void> {
  if (renewed) forget(channel);
  try {
    if (channel === 'orders') showOrders(await fetchOrders());
    else showProducts(await fetchProducts());
  } catch {
    loaded.value = false;
    stream.fail();
  }
}

function forget(channel: string): void {
  if (channel !== 'orders') return catalogue.clear();
  events.length = 0;
  feed.value = { ...EMPTY_FEED, held: feed.value.held };
}

function showOrders({ orders, asOf }: OrderList): void {
  show();
  feed.value = applyList(feed.value, orders, asOf?.offset ?? 0);
}

function showProducts({ products }: ProductList): void {
  catalogue.upsert(products);
  catalogueVersion.value += 1;
}

function receive(frame: Frame): void {
  switch (frame.type) {
    case 'order':
      events.push(frame);
      if (events.length >= MOST_UNSHOWN_EVENTS) show();
      break;
    case 'market_data':
      catalogue.upsert([frame.product]);
      catalogueChanged = true;
      break;
    case 'products':
      catalogue.upsert(frame.products);
      catalogueChanged = true;
      break;
    case 'stats':
      watching.value = frame.tick.connections;
      ticks.value = addTick(ticks.value, frame.tick);
      return;
    default:
      return;
  }
  repaint ??= setTimeout(show, REPAINT_EVERY_MS);
}

function show(): void {
  clearTimeout(repaint);
  repaint = undefined;
  if (events.length > 0) feed.value = applyEvents(feed.value, events.splice(0));
  if (catalogueChanged) catalogueVersion.value += 1;
  catalogueChanged = false;
}
