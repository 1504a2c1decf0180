// What to tell people about the connection. Pure.

/** `waiting`: between two attempts. */
export type Phase = 'connecting' | 'live' | 'waiting';

export type Connection = 'connecting' | 'connected' | 'reconnecting' | 'offline';

/** From this many failures in a row on we call it what it is. */
const OFFLINE_AFTER_FAILURES = 4;

export function connectionOf(phase: Phase, failures: number, wasLive: boolean, browserOnline: boolean): Connection {
  if (phase === 'live') return 'connected';
  if (!browserOnline || failures >= OFFLINE_AFTER_FAILURES) return 'offline';
  return wasLive || failures > 0 ? 'reconnecting' : 'connecting';
}
