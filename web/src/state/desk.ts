// The desk's list as signals, and the one place where stream and requests flow into it.

import { batch, computed, effect, signal } from '@preact/signals';
import type { Frame } from '../protocol/frames';
import { fetchOrderPage, type OrderPage } from '../protocol/deskRequests';
import { fetchDemoMode, whyOf } from '../protocol/requests';
import { Stream } from '../stream/socket';
import { filter } from './address';
import { Catalogue } from './catalogue';
import { COUNTED, COUNT_LIMIT, countMoves, type Counts } from './counts';
import { asksTheSame, boundsOf, listQuery, matches, NO_FILTER, type Bounds, type Filter } from './filter';
import { Hold } from './hold';
import { connection, demo, socketUrl, watching } from './server';
import { applyAgain, applyFirst, applyMore, applyToList, EMPTY_WORKLIST, holdList, letIn, type Worklist } from './worklist';

/** Bursts are shown in steps: people cannot read faster. */
const REPAINT_EVERY_MS = 150;
/** More events than this are folded in early, so that a page in the background holds no pile of them. */
const MOST_UNSHOWN_EVENTS = 1_000;
/** More events than this while a list is on its way, and the list is read again. */
const MOST_EVENTS_AWAITING_LISTS = 5_000;
const PAGE_ROWS = 50;
/** The server's own limit of one page. */
const MOST_PAGE_ROWS = 500;

export type OrderFrame = Extract<Frame, { type: 'order' }>;

export const list = signal<Worklist>(EMPTY_WORKLIST);
export const counts = signal<Counts>({});
/** Why the list could not be read, and empty while all is well. */
export const trouble = signal('');
export const reading = signal(false);
/** False before the first list: an empty one means nothing then. */
export const loaded = signal(false);
/** Listed orders whose id has what was typed into the search. */
export const shown = computed(() => {
  const wanted = filter.value.search.trim().toLowerCase();
  const { rows } = list.value;
  return wanted === '' ? rows : rows.filter(({ order }) => order.id.toLowerCase().includes(wanted));
});

export const catalogue = new Catalogue();
/** Counts changes of the catalogue: reading it makes a view follow them. */
export const catalogueVersion = signal(0);

/** What the list was last asked for, and what the listed rows are the answer to. */
let wanted: Filter = NO_FILTER;
let answered: { filter: Filter; bounds: Bounds } = { filter: NO_FILTER, bounds: { from: null, to: null } };
/** False until the first answer of this store. */
let isFilled = false;
/** Tells the answer to the last question from those to earlier ones. */
let question = 0;
let events: OrderFrame[] = [];
/** Events since the first of the requests that are under way: the answers may be older than these. */
let eventsAwaitingLists: OrderFrame[] = [];
let tooManyToAwait = false;
let requests = 0;
let repaint: ReturnType<typeof setTimeout> | undefined;
const followers: ((frame: OrderFrame | null) => void)[] = [];

const stream = new Stream(['orders'], {
  url: socketUrl(),
  prepare,
  onFrame: receive,
  onLost: (_, how) => void readAnew(how === 'renewed'),
  onConnection: (value) => {
    connection.value = value;
  },
});

export function startDesk(): void {
  stream.start();
  effect(() => {
    if (!asksTheSame(filter.value, wanted) && loaded.peek()) void reload();
  });
}

export function retryNow(): void {
  stream.retryNow();
}

/** Calls back with every change of an order; with null when changes may have been missed. */
export function followOrders(follower: (frame: OrderFrame | null) => void): void {
  followers.push(follower);
}

/** Three reasons to hold the list still: the pointer, the focus, and that somebody has scrolled down in it. */
export const listHold = new Hold<'pointed' | 'focused' | 'scrolled'>((held) => {
  // What has come but is not shown yet waits, or comes in together with what waited.
  if (!held) show();
  list.value = holdList(list.value, held);
});

export function showWaiting(): void {
  show();
  list.value = letIn(list.value);
}

/** Reads the list anew; the events that it may have missed are applied to it. */
export async function reload(): Promise<void> {
  if (!loaded.peek()) return stream.retryNow();
  const mine = (question += 1);
  await report(async () => {
    await readFirst(() => mine === question);
    await readCounts();
    for (const follower of followers) follower(null);
  }, mine);
}

export async function more(): Promise<void> {
  const cursor = list.value.next;
  if (cursor === null || reading.value) return;
  const mine = (question += 1);
  await report(async () => {
    await awaitingEvents(
      () => fetchOrderPage(listQuery(answered.filter, answered.bounds, PAGE_ROWS, cursor)),
      ({ orders, next }) => {
        if (mine === question) list.value = applyMore(list.value, orders, next);
      },
    );
  }, mine);
}

/** The stream already runs on from its new position; the list is read after that, so nothing falls between. */
async function readAnew(isAnotherStore: boolean): Promise<void> {
  if (isAnotherStore) {
    list.value = { ...EMPTY_WORKLIST, held: list.value.held };
    isFilled = false;
  }
  await reload();
  if (trouble.value === '') return;
  loaded.value = false;
  stream.fail();
}

async function report(work: () => Promise<void>, mine: number): Promise<void> {
  reading.value = true;
  try {
    await work();
    if (mine === question) trouble.value = '';
  } catch (error) {
    if (mine === question) trouble.value = whyOf(error);
  } finally {
    if (mine === question) reading.value = false;
  }
}

/** Before each connection; the list only until it was read once, from then on events keep it. */
async function prepare(): Promise<void> {
  if (!loaded.value) {
    try {
      const page = await readFirst(() => true);
      await readCounts();
      stream.resume.place('orders', page.asOf);
      batch(() => {
        loaded.value = true;
        trouble.value = '';
      });
    } catch (error) {
      trouble.value = whyOf(error);
      throw error;
    }
    // The visitor may have chosen while the list was on its way.
    if (!asksTheSame(filter.peek(), wanted)) void reload();
  }
  const [isDemo] = await Promise.allSettled([fetchDemoMode()]);
  if (isDemo.status === 'fulfilled') demo.value = isDemo.value;
}

function readFirst(isWanted: () => boolean): Promise<OrderPage> {
  const now = { filter: filter.peek(), bounds: boundsOf(filter.peek(), Date.now()) };
  wanted = now.filter;
  // Read again, a list is read as far as it was.
  const isSame = (): boolean => isFilled && asksTheSame(now.filter, answered.filter);
  const rows = isSame() ? Math.min(Math.max(PAGE_ROWS, list.peek().rows.length), MOST_PAGE_ROWS) : PAGE_ROWS;
  return awaitingEvents(
    () => fetchOrderPage(listQuery(now.filter, now.bounds, rows, null)),
    ({ orders, next, asOf }) => {
      if (!isWanted()) return;
      const apply = isSame() ? applyAgain : applyFirst;
      answered = now;
      isFilled = true;
      list.value = apply(list.value, orders, next, asOf?.offset ?? 0);
    },
  );
}

async function readCounts(): Promise<void> {
  await Promise.all(
    COUNTED.map((status) =>
      awaitingEvents(
        () => fetchOrderPage(new URLSearchParams({ status, limit: String(COUNT_LIMIT) })),
        ({ orders, next, asOf }) => {
          const count = { orders: orders.length, isMore: next !== null, asOf: asOf?.offset ?? 0 };
          counts.value = { ...counts.value, [status]: count };
        },
      ),
    ),
  );
}

/** Applies an answer, and to it the events that came while it was on its way. */
async function awaitingEvents(request: () => Promise<OrderPage>, apply: (page: OrderPage) => void): Promise<OrderPage> {
  requests += 1;
  try {
    const page = await request();
    show();
    batch(() => {
      apply(page);
      fold(eventsAwaitingLists);
    });
    return page;
  } finally {
    requests -= 1;
    if (requests === 0) {
      eventsAwaitingLists = [];
      if (tooManyToAwait) void reload();
      tooManyToAwait = false;
    }
  }
}

function receive(frame: Frame): void {
  switch (frame.type) {
    case 'order':
      events.push(frame);
      if (requests > 0) awaitLists(frame);
      if (events.length >= MOST_UNSHOWN_EVENTS) show();
      repaint ??= setTimeout(show, REPAINT_EVERY_MS);
      return;
    case 'products':
      catalogue.upsert(frame.products);
      catalogueVersion.value += 1;
      return;
    case 'stats':
      watching.value = frame.tick.connections;
      return;
    default:
      return;
  }
}

function awaitLists(frame: OrderFrame): void {
  if (eventsAwaitingLists.push(frame) <= MOST_EVENTS_AWAITING_LISTS) return;
  eventsAwaitingLists = [];
  tooManyToAwait = true;
}

function show(): void {
  clearTimeout(repaint);
  repaint = undefined;
  const run = events;
  events = [];
  if (run.length === 0) return;
  batch(() => fold(run));
  for (const frame of run) for (const follower of followers) follower(frame);
}

function fold(run: readonly OrderFrame[]): void {
  if (run.length === 0) return;
  const { filter: chosen, bounds } = answered;
  list.value = applyToList(list.value, run, (order) => matches(order, chosen, bounds));
  counts.value = countMoves(counts.value, run);
}
