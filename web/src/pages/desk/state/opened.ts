// The open order: read when it is opened, and again whenever an event tells that it changed.

import { effect, signal } from '@preact/signals';
import { fetchSteps, fetchWholeOrder } from '../../../protocol/deskRequests';
import { ReadError, whyOf } from '../../../protocol/requests';
import type { Step, WholeOrder } from '../../../protocol/wholeOrder';
import { openId } from './address';
import { announce } from './announce';
import { followOrders } from './desk';

export interface Opened {
  id: string;
  /** Null until it was read. */
  order: WholeOrder | null;
  /** Oldest first. */
  steps: readonly Step[];
  /** Why it could not be read, with what to do; empty while all is well. */
  trouble: string;
}

export const opened = signal<Opened | null>(null);

let isReading = false;
let isAsked = false;
let nameOf = (status: string): string => status;

/** `name` puts a status into words. */
export function startOpened(name: (status: string) => string): void {
  nameOf = name;
  effect(() => {
    const id = openId.value;
    opened.value = id === '' ? null : { id, order: null, steps: [], trouble: '' };
    if (id !== '') void refresh();
  });
  followOrders((frame) => {
    const now = opened.peek();
    if (!now || (frame && frame.order.id !== now.id)) return;
    if (!frame || frame.order.version > (now.order?.version ?? 0)) void refresh();
  });
}

/** Reads the open order and what happened to it since it was last read; one question at a time. */
export async function refresh(): Promise<void> {
  isAsked = true;
  if (isReading) return;
  isReading = true;
  while (isAsked) {
    isAsked = false;
    const now = opened.peek();
    if (now) await readOnce(now);
  }
  isReading = false;
}

async function readOnce({ id, steps }: Opened): Promise<void> {
  try {
    const [order, newSteps] = await Promise.all([fetchWholeOrder(id), fetchSteps(id, steps.at(-1)?.offset ?? 0)]);
    if (!order) throw new Error('The answer was not an order.');
    take(order, newSteps, announceStatus);
  } catch (error) {
    const now = opened.peek();
    if (now?.id === id) opened.value = { ...now, trouble: troubleOf(error, id) };
  }
}

/** Shows an order as an answer has it, unless it is shown in a later version. */
export function take(order: WholeOrder, newSteps: readonly Step[] = [], onStatus?: (order: WholeOrder) => void): void {
  const now = opened.peek();
  if (now?.id !== order.id) return;
  const last = now.steps.at(-1)?.offset ?? 0;
  const steps = [...now.steps, ...newSteps.filter(({ offset }) => offset > last)];
  const isOlder = now.order !== null && now.order.version > order.version;
  if (now.order && !isOlder && now.order.status !== order.status) onStatus?.(order);
  opened.value = { id: order.id, order: isOlder ? now.order : order, steps, trouble: '' };
}

function announceStatus({ id, status }: WholeOrder): void {
  announce(`Order ${id} is now ${nameOf(status)}.`);
}

function troubleOf(error: unknown, id: string): string {
  if (error instanceof ReadError && error.status === 404) {
    return `There is no order ${id}. Check the id: it is written as it was given, capitals included.`;
  }
  return `The order could not be read. ${whyOf(error)}`;
}
