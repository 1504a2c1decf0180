// Doing something to the open order: the form in place, sending it once, telling what became of it.

import { effect, signal } from '@preact/signals';
import { sendAction, type Acted } from '../../../protocol/deskRequests';
import { freshKey, keyFor, type Sent } from '../../../protocol/idempotency';
import { errorsByField, type FieldErrors } from '../../../protocol/problems';
import type { WholeOrder } from '../../../protocol/wholeOrder';
import { actionsOf, emptyForm, sendableOf, type Action, type Form, type Sendable } from './actions';
import { openId } from './address';
import { announce } from './announce';
import { opened, refresh, take } from './opened';

/** What became of the last action on the open order. */
export interface Outcome {
  kind: 'done' | 'changed' | 'failed';
  text: string;
}

export const form = signal<Form | null>(null);
export const formErrors = signal<FieldErrors>({});
/** The action that is under way, or empty. */
export const sending = signal('');
export const outcome = signal<Outcome | null>(null);

let sent: Sent | null = null;

export function startActing(): void {
  // What was begun belongs to the order it was begun on.
  effect(() => {
    void openId.value;
    form.value = outcome.value = null;
    formErrors.value = {};
  });
}

/** Opens the form of an action, or sends the action at once when it takes no fields. */
export async function begin(action: Action, order: WholeOrder): Promise<void> {
  if (sending.value !== '') return;
  outcome.value = null;
  formErrors.value = {};
  const begun = emptyForm(action, order);
  if (action.fields.length > 0) form.value = begun;
  else await send(order.id, begun, { body: '{}', pointers: {} });
}

export function fill(change: Partial<Form>): void {
  if (form.value) form.value = { ...form.value, ...change };
  const touched = Object.keys(change).flatMap((name) => (name === 'lines' ? lineErrors() : [name]));
  formErrors.value = Object.fromEntries(Object.entries(formErrors.value).filter(([field]) => !touched.includes(field)));
}

function lineErrors(): string[] {
  return Object.keys(formErrors.value).filter((field) => field.startsWith('line'));
}

export function giveUp(): void {
  form.value = null;
  formErrors.value = {};
}

/** Answers the field to go to when something is wrong, `''` when no field is to blame, null when all is well. */
export async function submit(): Promise<string | null> {
  const filled = form.value;
  const id = opened.value?.id;
  if (!filled || id === undefined || sending.value !== '') return null;
  const sendable = sendableOf(filled);
  if ('errors' in sendable) return blame(sendable.errors);
  return send(id, filled, sendable);
}

async function send(id: string, { action, version }: Form, { body, pointers }: Sendable): Promise<string | null> {
  const filledIn = `${id} ${action.name} ${body}`;
  sent = { body: filledIn, key: keyFor(filledIn, sent, freshKey) };
  sending.value = action.name;
  outcome.value = null;
  formErrors.value = {};
  const acted = await sendAction({ id, action: action.name, body, version, idempotencyKey: sent.key });
  sending.value = '';
  // Only what may have been done without an answer is to be sent under the same key again.
  if (acted.outcome !== 'unknown' && acted.outcome !== 'busy') sent = null;
  // The visitor may be at another order by now: this one's story says what was done.
  if (openId.peek() !== id) return null;
  return conclude(acted, action, pointers);
}

async function conclude(acted: Acted, action: Action, pointers: Sendable['pointers']): Promise<string | null> {
  switch (acted.outcome) {
    case 'done':
      giveUp();
      take(acted.order);
      tell('done', acted.replayed ? `${action.done}: this was done before, and once.` : `${action.done}.`);
      void refresh();
      return null;
    case 'changed':
      await refresh();
      return renew(action);
    case 'refused':
      return blame(errorsByField(acted.problem, pointers));
    case 'busy':
      tell('failed', `${acted.problem.detail || acted.problem.title} Send it again in a moment.`);
      return '';
    case 'unknown':
      tell('failed', 'No answer from the server. Send it again: it will not be done twice.');
      return '';
  }
}

/** The order is shown as it is now; what was typed stays as long as the action is still open. */
function renew(action: Action): string {
  const order = opened.value?.order;
  const isOpen = order !== null && order !== undefined && actionsOf(order).some(({ name }) => name === action.name);
  if (isOpen && form.value) form.value = { ...form.value, version: order.version };
  if (!isOpen) giveUp();
  const advice = isOpen ? ': look at it, then send again.' : '.';
  tell('changed', `Not done: the order has changed meanwhile. It is shown as it is now${advice}`);
  return '';
}

function blame(found: FieldErrors): string {
  formErrors.value = found;
  const general = found[''];
  if (general !== undefined) tell('failed', general);
  const field = Object.keys(found).find((name) => name !== '');
  if (field !== undefined) announce(`Not done: ${found[field]}`);
  return field ?? '';
}

function tell(kind: Outcome['kind'], text: string): void {
  outcome.value = { kind, text };
  announce(text);
}
