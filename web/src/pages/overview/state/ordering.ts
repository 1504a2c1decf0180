// The order form's life: filling in, sending once, telling what became of it.

import { effect, signal } from '@preact/signals';
import { catalogue, loaded } from '../../../live/store';
import { freshKey, keyFor, type Sent } from '../../../protocol/idempotency';
import type { Order } from '../../../protocol/orders';
import type { FieldErrors } from '../../../protocol/problems';
import { errorsByField } from '../../../protocol/problems';
import { placeOrder, type Placement } from '../../../protocol/requests';
import { afterPlacing, EMPTY_DRAFT, fieldPointers, requestOf, type Draft } from './draft';

export const draft = signal<Draft>(EMPTY_DRAFT);
export const errors = signal<FieldErrors>({});
export const sending = signal(false);
export const placed = signal<{ order: Order; replayed: boolean } | null>(null);

let sent: Sent | null = null;
/** The form as it was left by an accepted order: untouched, it is not an order to send. */
let settled: Draft | null = null;

// Without a catalogue the free order is the one that works, so the form starts with it.
effect(() => {
  if (loaded.value && catalogue.size === 0) draft.value = { ...draft.peek(), source: 'free' };
});

export function fill(change: Partial<Draft>): void {
  draft.value = { ...draft.value, ...change };
  placed.value = null;
  const remaining = Object.entries(errors.value).filter(([field]) => field !== '' && !(field in change));
  errors.value = Object.fromEntries(remaining);
}

/** Answers the field to go to when something is wrong, `''` when no field is to blame, null when all is well. */
export async function submit(): Promise<string | null> {
  if (sending.value || draft.value === settled) return null;
  const sentDraft = draft.value;
  const request = requestOf(sentDraft, catalogue.get(sentDraft.sku));
  if ('errors' in request) return refuse(request.errors);
  sent = { body: request.body, key: keyFor(request.body, sent, freshKey) };
  sending.value = true;
  errors.value = {};
  const placement = await placeOrder(sent.body, sent.key);
  sending.value = false;
  if (placement.outcome !== 'accepted') return refuse(errorsOf(placement, sentDraft));
  sent = null;
  settled = draft.value = afterPlacing(sentDraft);
  placed.value = placement;
  return null;
}

function refuse(found: FieldErrors): string {
  errors.value = found;
  placed.value = null;
  return Object.keys(found).find((field) => field !== '') ?? '';
}

function errorsOf(placement: Exclude<Placement, { outcome: 'accepted' }>, of: Draft): FieldErrors {
  switch (placement.outcome) {
    case 'refused':
      return errorsByField(placement.problem, fieldPointers(of.source));
    case 'busy': {
      const when = placement.retryAfterS === null ? 'in a moment' : `in ${placement.retryAfterS} s`;
      return { '': `${placement.problem.detail || placement.problem.title} Send it again ${when}.` };
    }
    case 'unknown':
      return { '': 'No answer from the server. Send it again: it will not be ordered twice.' };
  }
}
