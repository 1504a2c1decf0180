// How many orders need a person, by status. Read once each, then kept by events. Pure.

import type { Status } from '../../../protocol/orders';

/** Statuses that nobody but a person moves on. */
export const COUNTED = ['held', 'failed'] as const satisfies readonly Status[];

/** Counting stops here: more than this is "many". */
export const COUNT_LIMIT = 100;

export interface Count {
  orders: number;
  /** There are more than were counted. */
  isMore: boolean;
  /** Offset that it was counted at. */
  asOf: number;
}

export type Counts = Readonly<Record<string, Count>>;

export interface Moved {
  from: string | null;
  offset: number;
  order: { status: string };
}

export function countMoves(counts: Counts, moves: readonly Moved[]): Counts {
  const after: Record<string, Count> = {};
  for (const [status, count] of Object.entries(counts)) {
    let change = 0;
    for (const { from, order, offset } of moves) {
      if (offset > count.asOf) change += Number(order.status === status) - Number(from === status);
    }
    const asOf = Math.max(count.asOf, moves.at(-1)?.offset ?? 0);
    after[status] = change === 0 ? { ...count, asOf } : { ...count, asOf, orders: Math.max(0, count.orders + change) };
  }
  return after;
}

export function countLabel({ orders, isMore }: Count): string {
  return isMore ? `${COUNT_LIMIT}+` : String(orders);
}
