// Amounts for the eye. The server computes what is charged; this only shows it.

const MILLION = 1_000_000;

/** Line total of an exact unit price, rounded once, half to even, to the digits the currency has. */
export function lineTotal(price: number, quantity: number, currency: string): number {
  // Unit prices have at most six decimals, so whole millionths are exact where doubles are not.
  const millionths = Math.round(price * MILLION) * quantity;
  const minor = 10 ** digitsOf(currency);
  const exact = (millionths * minor) / MILLION;
  const floor = Math.floor(exact);
  const half = exact - floor === 0.5;
  return (half ? floor + (floor % 2) : Math.round(exact)) / minor;
}

export function digitsOf(currency: string): number {
  return formatter(currency, 'standard')?.resolvedOptions().maximumFractionDigits ?? 2;
}

export function formatMoney(amount: number, currency: string): string {
  return formatter(currency, 'standard')?.format(amount) ?? `${amount.toFixed(2)} ${currency}`.trim();
}

/** For axes and tiles: `£12K`. Small amounts keep their digits. */
export function formatMoneyShort(amount: number, currency: string): string {
  return formatter(currency, 'compact')?.format(amount) ?? `${amount.toFixed(0)} ${currency}`.trim();
}

/** A unit price, with the further decimals it may have. */
export function formatPrice(price: number, currency: string): string {
  return formatter(currency, 'exact')?.format(price) ?? `${price} ${currency}`.trim();
}

const FURTHER_DIGITS = { standard: {}, compact: { maximumSignificantDigits: 3 }, exact: { maximumFractionDigits: 6 } };

type Precision = keyof typeof FURTHER_DIGITS;

const formatters = new Map<string, Intl.NumberFormat | null>();

/** Null for a code that Intl does not accept, such as an empty one. */
function formatter(currency: string, precision: Precision): Intl.NumberFormat | null {
  const key = `${precision} ${currency}`;
  let made = formatters.get(key);
  if (made === undefined) {
    try {
      made = new Intl.NumberFormat(undefined, {
        style: 'currency',
        currency,
        notation: precision === 'compact' ? 'compact' : 'standard',
        currencyDisplay: 'narrowSymbol',
        ...FURTHER_DIGITS[precision],
      });
    } catch {
      made = null;
    }
    formatters.set(key, made);
  }
  return made;
}
