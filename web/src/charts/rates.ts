// From totals since start to rates per minute. Pure.

import type { Tick } from '../protocol/ticks';

export const RATE_WINDOW_S = 60;
/** Right after the start a shorter window has to do, but a single second would show noise as a trend. */
const SHORTEST_WINDOW_S = 5;

/** Reads one counter of a tick: a total since the server started. */
export type Counter = (tick: Tick) => number;

/**
 * Strings the totals of several server lives together into one that never falls. A server that restarts counts
 * from 0 again, so after a fall the whole new total is growth.
 */
export function unroll(ticks: readonly Tick[], counter: Counter): number[] {
  let sum = 0;
  return ticks.map((tick, index) => {
    const previous = ticks[index - 1];
    if (previous) sum += restarted(previous, tick) ? counter(tick) : counter(tick) - counter(previous);
    return sum;
  });
}

/** Growth of a counter over the minute before each tick, per `per` seconds; null where too little is known. */
export function rates(ticks: readonly Tick[], counter: Counter, per = 60): (number | null)[] {
  const totals = unroll(ticks, counter);
  return windows(ticks).map((from, to) => {
    const seconds = ticks[to]!.timestamp - ticks[from]!.timestamp;
    return seconds < SHORTEST_WINDOW_S ? null : ((totals[to]! - totals[from]!) / seconds) * per;
  });
}

/** Errors as a share of all orders worked off in the minute before each tick, in percent; 0 when nothing was. */
export function errorShares(ticks: readonly Tick[]): (number | null)[] {
  const errors = unroll(ticks, (tick) => tick.errors);
  const worked = unroll(ticks, (tick) => tick.errors + tick.completed);
  return windows(ticks).map((from, to) => {
    if (ticks[to]!.timestamp - ticks[from]!.timestamp < SHORTEST_WINDOW_S) return null;
    const all = worked[to]! - worked[from]!;
    return all === 0 ? 0 : ((errors[to]! - errors[from]!) / all) * 100;
  });
}

/** How many seconds the rates of a tick rest on, where they are fewer than a minute: those of a young server. */
export function shortSpan(ticks: readonly Tick[], index: number): number | null {
  const [first, tick] = [ticks[0], ticks[index]];
  const seconds = first && tick ? tick.timestamp - first.timestamp : RATE_WINDOW_S;
  return seconds < RATE_WINDOW_S ? seconds : null;
}

/** For each tick the index of the first one at most a minute older. */
function windows(ticks: readonly Tick[]): number[] {
  let from = 0;
  return ticks.map(({ timestamp }) => {
    while (ticks[from]!.timestamp < timestamp - RATE_WINDOW_S) from += 1;
    return from;
  });
}

/** Totals only grow while a server lives, so one that fell tells of a new life for all of them. */
function restarted(before: Tick, after: Tick): boolean {
  return after.accepted < before.accepted || after.completed < before.completed || after.errors < before.errors;
}
