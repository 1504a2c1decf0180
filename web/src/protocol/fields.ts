// Reading untrusted JSON: each reader answers the value when it has the expected shape, else a fallback. What shape is
// promised is generated from the server's documents, so a reader of a field that is not, or is another, does not compile.

/** A JSON object that should be a `Wire`: its names are known, its values are to be read. */
export type Raw<Wire> = { readonly [Name in keyof Wire]?: unknown };

/** Names of the fields of `Wire` whose values are `Value`. */
type Fields<Wire, Value> = {
  [Name in keyof Wire]-?: NonNullable<Wire[Name]> extends Value ? Name : never;
}[keyof Wire];

export function isObject<Wire>(value: unknown): value is Raw<Wire> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function text<Wire>(source: Raw<Wire>, name: Fields<Wire, string>): string | undefined {
  const value: unknown = source[name];
  return typeof value === 'string' ? value : undefined;
}

export function number<Wire>(source: Raw<Wire>, name: Fields<Wire, number>): number | undefined {
  const value: unknown = source[name];
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

/** Unix milliseconds of a time written as RFC 3339. */
export function time<Wire>(source: Raw<Wire>, name: Fields<Wire, string>): number | undefined {
  const value = Date.parse(text(source, name) ?? '');
  return Number.isNaN(value) ? undefined : value;
}

/** Whether it is true; anything else is not. */
export function flag<Wire>(source: Raw<Wire>, name: Fields<Wire, boolean>): boolean {
  return source[name] === true;
}

export function object<Wire, Name extends Fields<Wire, object>>(
  source: Raw<Wire>,
  name: Name,
): Raw<NonNullable<Wire[Name]>> | undefined {
  const value: unknown = source[name];
  return isObject<NonNullable<Wire[Name]>>(value) ? value : undefined;
}

export function list<Wire>(source: Raw<Wire>, name: Fields<Wire, readonly unknown[]>): unknown[] {
  const value: unknown = source[name];
  return Array.isArray(value) ? value : [];
}

/** Reads every element it can and drops the others: one odd row must not hide its neighbours. */
export function each<T>(values: unknown[], read: (value: unknown) => T | null): T[] {
  return values.map(read).filter((value): value is T => value !== null);
}
