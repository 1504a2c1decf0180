// Why a list stands still: it moves again when the last reason is gone.

import { signal } from '@preact/signals';

/**
 * The reasons to hold one list. A change takes effect before `set` returns, so an event that comes right after a
 * click finds the list held: an effect that passes the change on later would let rows move in between.
 */
export class Hold<Reason extends string> {
  private readonly reasons = signal<ReadonlySet<Reason>>(new Set());

  /** `onChange` is called when the first reason comes and when the last one goes. */
  constructor(private readonly onChange: (held: boolean) => void) {}

  /** A view that calls this follows the reasons. */
  has(reason: Reason): boolean {
    return this.reasons.value.has(reason);
  }

  set(reason: Reason, isPresent: boolean): void {
    const before = this.reasons.peek();
    if (before.has(reason) === isPresent) return;
    const after = new Set(before);
    if (isPresent) after.add(reason);
    else after.delete(reason);
    this.reasons.value = after;
    if (after.size > 0 !== before.size > 0) this.onChange(after.size > 0);
  }
}
