// The last quarter of an hour of statistics, one tick a second. Pure.

import type { Tick } from '../protocol/ticks';

export const WINDOW_S = 900;
/** A live tick this much older than the last one means that the server's clock was set back. */
const CLOCK_SET_BACK_S = 10;

/** Adds a live tick. */
export function addTick(ticks: readonly Tick[], tick: Tick): readonly Tick[] {
  const last = ticks.at(-1);
  if (last && tick.timestamp < last.timestamp - CLOCK_SET_BACK_S) return [tick];
  if (last && tick.timestamp <= last.timestamp) return mergeTicks(ticks, [tick]);
  return trimmed([...ticks, tick]);
}

/** Joins what the page has with what the server remembers; of two ticks of one second the incoming one holds. */
export function mergeTicks(ticks: readonly Tick[], incoming: readonly Tick[]): readonly Tick[] {
  const bySecond = new Map([...ticks, ...incoming].map((tick) => [tick.timestamp, tick]));
  return trimmed([...bySecond.values()].sort((a, b) => a.timestamp - b.timestamp));
}

function trimmed(ticks: readonly Tick[]): readonly Tick[] {
  const oldest = (ticks.at(-1)?.timestamp ?? 0) - WINDOW_S;
  const from = ticks.findIndex(({ timestamp }) => timestamp >= oldest);
  return from > 0 ? ticks.slice(from) : ticks;
}
