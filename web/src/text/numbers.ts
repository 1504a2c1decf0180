/** Accepts "12.50" and "12,50"; null for anything else, thousands separators included. */
export function parseNumber(typed: string): number | null {
  const text = typed.trim().replace(',', '.');
  return /^[+-]?(\d+\.?\d*|\.\d+)$/.test(text) ? Number(text) : null;
}
