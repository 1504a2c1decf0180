// What can be done to an order: which fields each action takes, and the request that a filled-in form becomes. Pure.

import type * as wire from '../../../protocol/generated';
import type { FieldErrors } from '../../../protocol/problems';
import type { Goods, WholeOrder } from '../../../protocol/wholeOrder';
import { parseNumber } from '../../../text/numbers';
import { fromLocalInput } from './filter';

export type FieldName = 'reason' | 'until' | 'run_at' | 'lines' | 'close' | 'amount' | 'restock';

/** An action that the server has today; it may have others by now. */
type ActionName = wire.WholeOrder['allowed'][number];

export interface Action {
  name: string;
  /** On the button that begins it. */
  label: string;
  /** On the button that sends it. */
  send: string;
  /** What was done, once it is. */
  done: string;
  /** An action without fields is sent at once. */
  fields: readonly FieldName[];
  /** Cannot be undone: what follows is said before it is sent. */
  warning?: string;
}

const ACTIONS: readonly (Action & { name: ActionName })[] = [
  { name: 'release', label: 'Release', send: 'Release', done: 'Released', fields: [] },
  { name: 'start', label: 'Start now', send: 'Start now', done: 'Started', fields: [] },
  { name: 'retry', label: 'Retry', send: 'Retry order', done: 'Queued again', fields: ['reason'] },
  { name: 'fulfil', label: 'Ship', send: 'Record as shipped', done: 'Shipped', fields: ['lines', 'close', 'reason'] },
  { name: 'complete', label: 'Complete', send: 'Complete order', done: 'Completed', fields: ['reason'] },
  { name: 'reschedule', label: 'Reschedule', send: 'Reschedule', done: 'Rescheduled', fields: ['run_at', 'reason'] },
  { name: 'hold', label: 'Hold', send: 'Hold order', done: 'Held', fields: ['reason', 'until'] },
  { name: 'return', label: 'Take back', send: 'Record as returned', done: 'Taken back', fields: ['lines', 'amount', 'restock', 'reason'] },
  {
    name: 'refund',
    label: 'Refund',
    send: 'Refund',
    done: 'Refunded',
    fields: ['amount', 'reason'],
    warning: 'Money that was given back cannot be taken again.',
  },
  {
    name: 'reject',
    label: 'Reject',
    send: 'Reject order',
    done: 'Rejected',
    fields: ['reason'],
    warning: 'The order ends here and its stock is released. This cannot be undone.',
  },
  {
    name: 'cancel',
    label: 'Cancel order',
    send: 'Cancel this order',
    done: 'Cancelled',
    fields: ['reason'],
    warning: 'The order ends here: its stock is released and what was captured is given back. This cannot be undone.',
  },
];

/** The actions open to an order in a steady sequence; one this page does not know yet is offered with a reason. */
export function actionsOf(order: WholeOrder): Action[] {
  const known = ACTIONS.filter(({ name }) => order.allowed.includes(name) && isOfUse(name, order));
  const others = order.allowed.filter((name) => !ACTIONS.some((action) => action.name === name));
  return [...known, ...others.map(unknownAction)];
}

/** Whether there is anything left that the action could move. */
function isOfUse(name: ActionName, { goods, captured, refunded }: WholeOrder): boolean {
  if (name === 'refund') return captured > refunded;
  return name !== 'return' || goods.some((line) => movable('return', line) > 0);
}

function unknownAction(name: string): Action {
  const label = name.charAt(0).toUpperCase() + name.slice(1).replaceAll('_', ' ');
  return { name, label, send: label, done: `${label}: done`, fields: ['reason'] };
}

/** How an action reads in the story of an order; most go without saying. */
export function deedOf(name: string): string {
  return ACTIONS.find((action) => action.name === name)?.done ?? unknownAction(name).label;
}

/** The server insists on a reason for these. */
export function needsReason(action: string, status: string): boolean {
  return action === 'hold' || action === 'retry' || action === 'complete' || (action === 'cancel' && status === 'failed');
}

/** Everything as typed. */
export interface Form {
  action: Action;
  /** The version that the person who fills it in has seen. */
  version: number;
  reason: string;
  until: string;
  run_at: string;
  amount: string;
  /** Units by line. */
  lines: readonly string[];
  close: boolean;
  restock: boolean;
}

export function emptyForm(action: Action, order: WholeOrder): Form {
  const lines = action.fields.includes('lines') ? order.goods.map((line) => String(movable(action.name, line))) : [];
  return { action, lines, version: order.version, reason: '', until: '', run_at: '', amount: '', close: false, restock: false };
}

/** How many units of a line can be shipped, or can come back. */
export function movable(action: string, { quantity, shipped, cancelled, returned }: Goods): number {
  return action === 'return' ? shipped - returned : quantity - shipped - cancelled;
}

export interface Sendable {
  body: string;
  /** Which field of the form each pointer of an answer speaks of. */
  pointers: Readonly<Record<string, string>>;
}

/** Only what cannot be sent at all is refused here; the rules are the server's. */
export function sendableOf(form: Form): Sendable | { errors: FieldErrors } {
  const errors: Record<string, string> = {};
  const pointers: Record<string, string> = {};
  const body: Record<string, unknown> = {};
  for (const field of form.action.fields) {
    pointers[`/${field}`] = field;
    if (field === 'lines') body['lines'] = linesOf(form, pointers, errors);
    else if (field === 'close' || field === 'restock') body[field] = form[field] || undefined;
    else if (field === 'amount') body['amount'] = amountOf(form, errors);
    else if (field === 'reason') body['reason'] = form.reason.trim() || undefined;
    else body[field] = fromLocalInput(form[field]) || undefined;
  }
  return Object.keys(errors).length > 0 ? { errors } : { body: JSON.stringify(body), pointers };
}

/** How much is given back must be said: nobody pays out everything by pressing a key. */
function amountOf({ action, amount }: Form, errors: Record<string, string>): number | undefined {
  if (amount.trim() === '') {
    if (action.name === 'refund') errors['amount'] = 'Say how much is given back.';
    return undefined;
  }
  const typed = parseNumber(amount);
  if (typed === null) errors['amount'] = 'Give the amount as a number, such as 12.50.';
  return typed ?? undefined;
}

/** Lines of no units are left out, as the server wants it. */
function linesOf(form: Form, pointers: Record<string, string>, errors: Record<string, string>): object[] {
  const lines: object[] = [];
  form.lines.forEach((typed, line) => {
    if (typed.trim() === '') return;
    const quantity = parseNumber(typed);
    if (quantity === 0) return;
    if (quantity === null) errors[lineField(line)] = 'Give the units as a number.';
    pointers[`/lines/${lines.length}`] = lineField(line);
    lines.push({ line, quantity });
  });
  return lines;
}

export function lineField(line: number): string {
  return `line-${line}`;
}
