// The key that makes sending a filled-in form twice safe. Pure but for `freshKey`.

export interface Sent {
  body: string;
  key: string;
}

/**
 * The idempotency key belongs to the filled-in form: the same body is sent under the same key again, so a double
 * click or a retry does it once, and a changed body gets a new key, so that the server does not refuse it as a misuse.
 */
export function keyFor(body: string, last: Sent | null, fresh: () => string): string {
  return last?.body === body ? last.key : fresh();
}

/** A random UUID. `crypto.randomUUID` exists only in secure contexts, and this page is also served over plain HTTP. */
export function uuid(random: Uint8Array): string {
  const bytes = random.slice(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

export function freshKey(): string {
  return uuid(crypto.getRandomValues(new Uint8Array(16)));
}
