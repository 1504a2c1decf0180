// Exponential backoff with full jitter: after an outage the pages of a whole office must not return in one wave.

const FLOOR_MS = 500;
const CEILING_MS = 20_000;

/** Wait before attempt number `failures + 1`; `random` in [0, 1). */
export function backoffMs(failures: number, random: number): number {
  const cap = Math.min(CEILING_MS, FLOOR_MS * 2 ** Math.min(failures, 16));
  return Math.round(FLOOR_MS + random * (cap - FLOOR_MS));
}
