// The desk's list as signals, and how pages and events flow into it.

import { batch, computed, effect, signal } from '@preact/signals';
import { Hold } from '../../../live/hold';
import { loaded, retryNow, show, startLive } from '../../../live/store';
import { fetchOrderPage, fetchWholeOrder, type OrderPage } from '../../../protocol/deskRequests';
import type { OrderFrame } from '../../../protocol/frames';
import type { Order } from '../../../protocol/orders';
import { whyOf } from '../../../protocol/requests';
import { filter } from './address';
import { COUNTED, COUNT_LIMIT, countMoves, type Counts } from './counts';
import { asksTheSame, boundsOf, listQuery, matches, NO_FILTER, type Bounds, type Filter } from './filter';
import { applyAgain, applyFirst, applyMore, applyToList, EMPTY_WORKLIST, holdList, letIn, type Worklist } from './worklist';

/** More events than this while a list is on its way, and the list is read again. */
const MOST_EVENTS_AWAITING_LISTS = 5_000;
const PAGE_ROWS = 50;
/** Orders of more lines show their count. */
const MOST_LINES_SHOWN = 50;
const GOODS_AT_A_TIME = 4;
const MOST_GOODS_ASKED = 1_000;
/** The server's own limit of one page. */
const MOST_PAGE_ROWS = 500;

export const list = signal<Worklist>(EMPTY_WORKLIST);
export const counts = signal<Counts>({});
/** Why the list could not be read, and empty while all is well. */
export const trouble = signal('');
export const reading = signal(false);
/** Listed orders whose number, id, customer or goods have what is being typed into the search. */
export const shown = computed(() => {
  const wanted = filter.value.search.trim().toLowerCase();
  const { rows } = list.value;
  return wanted === '' ? rows : rows.filter(({ order }) => textsOf(order).some((text) => text.toLowerCase().includes(wanted)));
});

function textsOf({ id, number, customerId, lines }: Order): string[] {
  return [id, `#${number ?? ''}`, customerId, ...lines.map(({ sku }) => sku)];
}

/** What the list was last asked for, and what the listed rows are the answer to. */
let wanted: Filter = NO_FILTER;
let answered: { filter: Filter; bounds: Bounds } = { filter: NO_FILTER, bounds: { from: null, to: null } };
/** False until the first answer of this store. */
let isFilled = false;
/** Tells the answer to the last question from those to earlier ones. */
let question = 0;
/** Events since the first of the requests that are under way: the answers may be older than these. */
let eventsAwaitingLists: OrderFrame[] = [];
let tooManyToAwait = false;
let requests = 0;
const followers: ((frame: OrderFrame | null) => void)[] = [];

export function startDesk(): void {
  startLive({ channels: ['orders'], load, onOrders, onLost: (_, isAnotherStore) => readAnew(isAnotherStore) });
  effect(() => {
    // Also once the first list is there: the visitor may have chosen while it was on its way.
    const isChosen = loaded.value && !asksTheSame(filter.value, wanted);
    if (isChosen) void reload();
  });
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
  if (!loaded.peek()) return retryNow();
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

async function readAnew(isAnotherStore: boolean): Promise<void> {
  if (isAnotherStore) {
    list.value = { ...EMPTY_WORKLIST, held: list.value.held };
    isFilled = false;
  }
  await reload();
  if (trouble.value !== '') throw new Error(trouble.value);
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

async function load() {
  try {
    const { asOf } = await readFirst(() => true);
    await readCounts();
    trouble.value = '';
    return { orders: asOf };
  } catch (error) {
    trouble.value = whyOf(error);
    throw error;
  }
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

function onOrders(run: readonly OrderFrame[]): void {
  if (requests > 0) awaitLists(run);
  batch(() => fold(run));
  void readGoods();
  for (const frame of run) for (const follower of followers) follower(frame);
}

/** Orders whose goods are being read, or could not be. */
const goodsAsked = new Set<string>();

/** Reads the goods of listed orders of which no event that came here has told them, a few at a time. */
async function readGoods(): Promise<void> {
  const bare = list.peek().rows.map(({ order }) => order);
  const next = bare.filter(({ id, lines, itemCount }) => lines.length === 0 && itemCount <= MOST_LINES_SHOWN && !goodsAsked.has(id));
  const now = next.slice(0, GOODS_AT_A_TIME);
  for (const { id } of now) goodsAsked.add(id);
  await Promise.all(
    now.map(async ({ id }) => {
      const whole = await fetchWholeOrder(id).catch(() => null);
      if (!whole) return;
      const rows = list.peek().rows.map((row) => (row.order.id === id ? { ...row, order: { ...row.order, lines: whole.lines } } : row));
      list.value = { ...list.peek(), rows };
    }),
  );
  while (goodsAsked.size > MOST_GOODS_ASKED) goodsAsked.delete(goodsAsked.values().next().value!);
}

function awaitLists(run: readonly OrderFrame[]): void {
  eventsAwaitingLists.push(...run);
  if (eventsAwaitingLists.length <= MOST_EVENTS_AWAITING_LISTS) return;
  eventsAwaitingLists = [];
  tooManyToAwait = true;
}

function fold(run: readonly OrderFrame[]): void {
  if (run.length === 0) return;
  const { filter: chosen, bounds } = answered;
  const isMatch = (order: Order): boolean => matches(order, chosen, bounds);
  // Whether a search finds a new order only the server can tell.
  list.value = applyToList(list.value, run, isMatch, chosen.q === '' ? isMatch : () => false);
  counts.value = countMoves(counts.value, run);
}
