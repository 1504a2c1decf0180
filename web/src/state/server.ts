// What every page shows of the server it is connected to.

import { signal } from '@preact/signals';
import type { Connection } from '../stream/link';

export const connection = signal<Connection>('connecting');
/** Whether the server makes up orders to show itself. */
export const demo = signal(false);
/** How many are connected; null before the first word of it. */
export const watching = signal<number | null>(null);

/** The socket of a page begins with the ticks, whose beat tells that the connection lives. */
export function socketUrl(): string {
  return `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws?channels=stats`;
}
