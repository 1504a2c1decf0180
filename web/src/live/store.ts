// The page's one connection to the server: what it follows, where it stands, and how it begins again after a loss.
// A page says what it reads and what it does with events; it is started once.

import { batch, signal } from '@preact/signals';
import type { Frame, OrderFrame } from '../protocol/frames';
import type { Position } from '../protocol/positions';
import type { Product } from '../protocol/products';
import { fetchDemoMode } from '../protocol/requests';
import type { Tick } from '../protocol/ticks';
import type { Connection } from '../stream/link';
import { Stream } from '../stream/socket';
import { Catalogue } from './catalogue';
import { Goods } from './goods';

/** Bursts are shown in steps: people cannot read faster, and a phone could not draw faster. */
const REPAINT_EVERY_MS = 150;
/** More events than this are folded in early, so that a page in the background holds no pile of them. */
const MOST_UNSHOWN_EVENTS = 1_000;

export const connection = signal<Connection>('connecting');
/** False before the first lists: empty ones mean nothing then. */
export const loaded = signal(false);
/** Whether the server makes up orders to show itself. */
export const demo = signal(false);
/** How many clients are connected; null before the first tick. */
export const watching = signal<number | null>(null);

export const catalogue = new Catalogue();
const goods = new Goods();
/** Counts changes of the catalogue: reading it makes a view follow them. */
export const catalogueVersion = signal(0);

/** What a page follows. */
export interface LivePage {
  channels: readonly string[];
  /** Reads the lists and answers the position of each channel. Runs before a connection while `loaded` is false. */
  load: () => Promise<Readonly<Record<string, Position | null>>>;
  /** Reads what no log keeps. Runs before every connection; a rejection is passed over. */
  refresh?: () => Promise<void>;
  /** Order events in log order, each once; one call a repaint. */
  onOrders: (run: readonly OrderFrame[]) => void;
  onTick?: (tick: Tick) => void;
  /**
   * Events of a channel are gone for good: its list is to be read again. The stream already runs on from its new
   * position, so nothing falls between. `isAnotherStore`: nothing that the page knows is of use. A rejection drops
   * the connection and loads everything again.
   */
  onLost: (channel: string, isAnotherStore: boolean) => Promise<void>;
}

const events: OrderFrame[] = [];
let catalogueChanged = false;
let repaint: ReturnType<typeof setTimeout> | undefined;
let page: LivePage;
let stream: Stream;

export function startLive(livePage: LivePage): void {
  page = livePage;
  stream = new Stream(page.channels, {
    // The socket begins with the ticks, whose beat tells that the connection lives.
    url: socketAddress('ws?channels=stats'),
    prepare,
    onFrame: receive,
    onLost: (channel, how) => void reload(channel, how === 'renewed'),
    onConnection: (value) => {
      connection.value = value;
    },
  });
  stream.start();
}

/** Relative to the page, as those of requests are. */
function socketAddress(path: string): string {
  const url = new URL(path, document.baseURI);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}

/** Cuts the wait for the next attempt to connect short. */
export function retryNow(): void {
  stream.retryNow();
}

/** Folds in at once what has come since the last repaint. */
export function show(): void {
  clearTimeout(repaint);
  repaint = undefined;
  if (events.length > 0) page.onOrders(events.splice(0));
  if (catalogueChanged) catalogueVersion.value += 1;
  catalogueChanged = false;
}

export function showProducts(products: readonly Product[]): void {
  catalogue.upsert(products);
  catalogueVersion.value += 1;
}

async function prepare(): Promise<void> {
  if (!loaded.value) {
    for (const [channel, position] of Object.entries(await page.load())) stream.resume.place(channel, position);
    loaded.value = true;
  }
  const [isDemo] = await Promise.allSettled([fetchDemoMode(), page.refresh?.()]);
  if (isDemo.status === 'fulfilled') demo.value = isDemo.value;
}

async function reload(channel: string, isAnotherStore: boolean): Promise<void> {
  if (isAnotherStore) forget(channel);
  try {
    await page.onLost(channel, isAnotherStore);
  } catch {
    loaded.value = false;
    stream.fail();
  }
}

function forget(channel: string): void {
  if (channel === 'orders') {
    events.length = 0;
    goods.clear();
  } else {
    catalogue.clear();
  }
}

function receive(frame: Frame): void {
  switch (frame.type) {
    case 'order':
      events.push({ ...frame, order: goods.complete(frame.order) });
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
      batch(() => {
        watching.value = frame.tick.connections;
        page.onTick?.(frame.tick);
      });
      return;
    default:
      return;
  }
  repaint ??= setTimeout(show, REPAINT_EVERY_MS);
}
