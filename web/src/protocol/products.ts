import { isObject, number, text } from './fields';
import type * as wire from './generated';

export interface Product {
  sku: string;
  name: string;
  /** Price of one, in units of the currency. Exact for the up to six decimals the server keeps. */
  price: number;
  currency: string;
  /** Null: stock is not tracked. */
  stock: number | null;
  reserved: number;
}

/** Reads a catalogue row or a `market_data` event: both carry the same fields. */
export function readProduct(value: unknown): Product | null {
  if (!isObject<wire.Product>(value)) return null;
  const sku = text(value, 'sku');
  const price = number(value, 'price');
  if (sku === undefined || price === undefined) return null;
  return {
    sku,
    price,
    name: text(value, 'name') ?? sku,
    currency: text(value, 'currency') ?? '',
    stock: number(value, 'stock') ?? null,
    reserved: number(value, 'reserved') ?? 0,
  };
}

/** What can still be ordered; null when stock is not tracked. */
export function available(product: Product): number | null {
  return product.stock === null ? null : Math.max(0, product.stock - product.reserved);
}
