// What is said to those who do not see the page change.

import { signal } from '@preact/signals';

export const announcement = signal('');

export function announce(text: string): void {
  // The same words twice are two messages: a difference that nobody hears makes the second be read.
  announcement.value = announcement.value === text ? `${text}\u00a0` : text;
}
