// Reading untrusted JSON: each reader answers the value when it has the expected shape, else a fallback.

export type Json = Record<string, unknown>;

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function text(source: Json, key: string): string | undefined {
  const value = source[key];
  return typeof value === 'string' ? value : undefined;
}

export function number(source: Json, key: string): number | undefined {
  const value = source[key];
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

export function object(source: Json, key: string): Json | undefined {
  const value = source[key];
  return isObject(value) ? value : undefined;
}

export function list(source: Json, key: string): unknown[] {
  const value = source[key];
  return Array.isArray(value) ? value : [];
}

/** Reads every element it can and drops the others: one odd row must not hide its neighbours. */
export function each<T>(values: unknown[], read: (value: unknown) => T | null): T[] {
  return values.map(read).filter((value): value is T => value !== null);
}
