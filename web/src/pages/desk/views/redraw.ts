/**
 * Runs when the page shows what the signals say: after the redraw that they have asked for, but before the next key or
 * click. In a frame's time a key could already have gone to where the focus was before.
 */
export function afterRedraw(run: () => void): void {
  // Preact redraws in a microtask, so one that is queued now comes after it.
  queueMicrotask(run);
}
