// The order form: what was typed, and the request it becomes. Pure.

import type * as wire from '../../../protocol/generated';
import type { FieldErrors } from '../../../protocol/problems';
import type { Product } from '../../../protocol/products';
import { parseNumber } from '../../../text/numbers';

export type Source = 'catalogue' | 'free';

/** Everything as typed: turning text into numbers is what `requestOf` does, once. */
export interface Draft {
  source: Source;
  /** SKU of the picked product, or empty. */
  sku: string;
  quantity: string;
  items: string;
  amount: string;
  currency: string;
  customer: string;
  address: string;
  priority: string;
  notes: string;
}

export const EMPTY_DRAFT: Draft = {
  source: 'catalogue',
  sku: '',
  quantity: '1',
  items: '',
  amount: '',
  currency: '',
  customer: '',
  address: '',
  priority: '2',
  notes: '',
};

/** What is ordered is cleared after an order; who orders it is likely to order again. */
export function afterPlacing(draft: Draft): Draft {
  const { source, currency, customer, address, priority } = draft;
  return { ...EMPTY_DRAFT, source, currency, customer, address, priority };
}

/** Which field of the form a pointer into the request body speaks of. */
export function fieldPointers(source: Source): Readonly<Record<string, keyof Draft>> {
  return {
    '/items': source === 'catalogue' ? 'sku' : 'items',
    '/items/0/quantity': source === 'catalogue' ? 'quantity' : 'items',
    // With a product the amount follows from price and quantity.
    '/amount': source === 'catalogue' ? 'quantity' : 'amount',
    '/currency': source === 'catalogue' ? 'sku' : 'currency',
    '/customer': 'customer',
    '/address': 'address',
    '/priority': 'priority',
    '/notes': 'notes',
  };
}

type Goods = Pick<wire.OrderRequest, 'items' | 'amount' | 'currency'>;

export type Request = { body: string } | { errors: FieldErrors };

/**
 * Builds the request body. Only what cannot be sent at all is refused here; the rules are the server's,
 * and it explains them better.
 */
export function requestOf(draft: Draft, product: Product | undefined): Request {
  const errors: Record<string, string> = {};
  const goods = draft.source === 'catalogue' ? goodsOfProduct(draft, product, errors) : goodsTyped(draft, errors);
  if (draft.customer.trim() === '') errors['customer'] = 'Say who orders.';
  if (draft.address.trim() === '') errors['address'] = 'Say where it goes.';
  if (Object.keys(errors).length > 0) return { errors };
  const notes = draft.notes.trim();
  const order: wire.OrderRequest = {
    ...goods,
    customer: draft.customer.trim(),
    address: draft.address.trim(),
    priority: Number(draft.priority) as NonNullable<wire.OrderRequest['priority']>,
    ...(notes === '' ? {} : { notes }),
  };
  return { body: JSON.stringify(order) };
}

function goodsOfProduct(draft: Draft, product: Product | undefined, errors: Record<string, string>): Goods {
  const quantity = parseNumber(draft.quantity);
  if (!product) errors['sku'] = 'Pick a product from the list, or switch to a free order.';
  if (quantity === null) errors['quantity'] = 'Give the quantity as a number.';
  if (!product) return { items: [] };
  const { sku, price, currency } = product;
  return { items: [{ sku, quantity, price }], ...(currency === '' ? {} : { currency }) };
}

function goodsTyped(draft: Draft, errors: Record<string, string>): Goods {
  const items = draft.items.split('\n').map((line) => line.trim()).filter((line) => line !== '');
  const amount = parseNumber(draft.amount);
  const currency = draft.currency.trim().toUpperCase();
  if (items.length === 0) errors['items'] = 'Name at least one item.';
  if (amount === null) errors['amount'] = 'Give the amount as a number, such as 12.50.';
  return { items, amount, ...(currency === '' ? {} : { currency }) };
}
