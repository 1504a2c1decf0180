import { catalogue, catalogueVersion } from '../../../live/store';
import { formatMoney, formatPrice, lineTotal } from '../../../text/money';
import { parseNumber } from '../../../text/numbers';
import { Field } from '../../../views/Field';
import { draft, errors, fill } from '../state/ordering';
import { ProductPicker, stockOf } from './ProductPicker';

export function CatalogueFields() {
  // Follow price and stock of the picked product.
  void catalogueVersion.value;
  const { sku, quantity } = draft.value;
  const wrong = errors.value;
  const product = catalogue.get(sku);
  const count = parseNumber(quantity);
  const total = product && count !== null && count > 0 ? lineTotal(product.price, count, product.currency) : null;
  const hint = product
    ? `${product.sku} · ${formatPrice(product.price, product.currency)} each · ${stockOf(product)}`
    : `${catalogue.size} products: type to search`;
  return (
    <>
      <Field id="order-sku" label="Product" hint={hint} error={wrong['sku']}>
        <ProductPicker sku={sku} onPick={(picked) => fill({ sku: picked })} />
      </Field>
      <div class="field-pair">
        <Field id="order-quantity" label="Quantity" error={wrong['quantity']}>
          <input
            type="text"
            inputMode="numeric"
            autoComplete="off"
            value={quantity}
            onInput={(e) => fill({ quantity: e.currentTarget.value })}
          />
        </Field>
        <p class="total">
          <span class="total-label">Total</span>
          <span class="total-value">{product && total !== null ? formatMoney(total, product.currency) : '–'}</span>
        </p>
      </div>
    </>
  );
}

export function FreeFields() {
  const { items, amount, currency } = draft.value;
  const wrong = errors.value;
  return (
    <>
      <Field id="order-items" label="Items" hint="One a line" error={wrong['items']}>
        <textarea rows={2} value={items} onInput={(e) => fill({ items: e.currentTarget.value })} />
      </Field>
      <div class="field-pair">
        <Field id="order-amount" label="Amount" error={wrong['amount']}>
          <input
            type="text"
            inputMode="decimal"
            autoComplete="off"
            placeholder="12.50"
            value={amount}
            onInput={(e) => fill({ amount: e.currentTarget.value })}
          />
        </Field>
        <Field id="order-currency" label="Currency" optional error={wrong['currency']}>
          <input
            type="text"
            autoComplete="off"
            maxLength={3}
            placeholder="default"
            value={currency}
            onInput={(e) => fill({ currency: e.currentTarget.value })}
          />
        </Field>
      </div>
    </>
  );
}
