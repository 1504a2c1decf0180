// Where the visitor is in the list, and moving on from there.

import { computed, signal } from '@preact/signals';
import { open, openId } from '../state/address';
import { shown } from '../state/desk';
import { afterRedraw } from './redraw';

/** The row that arrow keys start from, and the only one that the tab key stops at. */
const wanted = signal('');

export const current = computed(() => {
  const rows = shown.value;
  if (rows.some(({ order }) => order.id === wanted.value)) return wanted.value;
  return rows.find(({ order }) => order.id === openId.value)?.order.id ?? rows[0]?.order.id ?? '';
});

/** Where the row last stood, so that one that is gone leaves its place to the next. */
let place = 0;

export function standAt(id: string): void {
  wanted.value = id;
  place = Math.max(0, shown.peek().findIndex(({ order }) => order.id === id));
}

export function rowOf(id: string): HTMLElement | null {
  return document.querySelector<HTMLElement>(`.work-row a[data-order="${CSS.escape(id)}"]`);
}

/** Moves by rows, and takes the open order along. */
export function move(by: number): void {
  const rows = shown.peek();
  if (rows.length === 0) return;
  const inList = document.activeElement?.closest('.work-row') ?? null;
  const from = openId.peek() === '' || inList ? wanted.peek() : openId.peek();
  const at = rows.findIndex(({ order }) => order.id === from);
  // The first step only enters the list.
  const to = at < 0 ? (from === '' ? 0 : place) : at + by;
  const id = rows[Math.min(Math.max(to, 0), rows.length - 1)]!.order.id;
  standAt(id);
  const row = rowOf(id);
  const isVisible = row !== null && row.offsetParent !== null;
  const staysHere = isVisible && (inList !== null || openId.peek() === '');
  if (openId.peek() !== '') {
    walksInList = staysHere;
    open(id, 'replace');
  }
  if (staysHere) row.focus();
}

let walksInList = false;

/** Who walks along the list stays in it, though an order opens beside; who opens one goes to it. Answers once. */
export function staysInList(): boolean {
  const stays = walksInList;
  walksInList = false;
  return stays;
}

/** Closes the open order and goes back to its row, or to the one that took its place. */
export function close(): void {
  const id = openId.peek();
  if (id === '') return;
  open('');
  // The list may only now be shown again.
  afterRedraw(() => {
    const rows = shown.peek();
    const next = rows[Math.min(place, rows.length - 1)]?.order.id ?? '';
    (rowOf(id) ?? rowOf(next) ?? document.getElementById('work'))?.focus();
  });
}
