import { useState } from 'preact/hooks';
import type { TargetedKeyboardEvent } from 'preact';
import { catalogue, catalogueVersion } from '../../../live/store';
import { available, type Product } from '../../../protocol/products';
import { formatPrice } from '../../../text/money';

const MOST_OFFERED = 8;

interface Props {
  sku: string;
  onPick: (sku: string) => void;
  /** Set by the field around it. */
  id?: string;
  'aria-describedby'?: string;
  'aria-invalid'?: 'true';
}

/** A text field that offers matching products (the ARIA combobox pattern with a list). */
export function ProductPicker({ sku, onPick, id = 'product', ...aria }: Props) {
  const [typed, setTyped] = useState('');
  const [open, setOpen] = useState(false);
  const [marked, setMarked] = useState(0);
  const picked = catalogue.get(sku);
  const offered = open ? offersFor(typed) : [];
  const pick = (product: Product): void => {
    setOpen(false);
    setTyped('');
    onPick(product.sku);
  };
  const type = (text: string): void => {
    setTyped(text);
    setOpen(true);
    setMarked(0);
    if (sku !== '') onPick('');
  };
  const onKeyDown = (event: TargetedKeyboardEvent<HTMLInputElement>): void => {
    if (event.key === 'Escape') return setOpen(false);
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      const step = event.key === 'ArrowDown' ? 1 : -1;
      if (open) setMarked(Math.min(Math.max(marked + step, 0), offered.length - 1));
      setOpen(true);
    }
    const product = offered[marked];
    if (event.key === 'Enter' && product) {
      event.preventDefault();
      pick(product);
    }
  };
  return (
    <div class="picker">
      <input
        {...aria}
        id={id}
        type="text"
        role="combobox"
        autoComplete="off"
        spellcheck={false}
        placeholder="Name or SKU"
        aria-autocomplete="list"
        aria-expanded={offered.length > 0}
        aria-controls={`${id}-offers`}
        aria-activedescendant={offered.length > 0 ? `${id}-offer-${marked}` : undefined}
        value={picked ? picked.name : typed}
        onInput={({ currentTarget }) => type(currentTarget.value)}
        onKeyDown={onKeyDown}
        onClick={() => setOpen(true)}
        onBlur={() => setOpen(false)}
      />
      <ul class="picker-offers" id={`${id}-offers`} role="listbox" aria-label="Products" hidden={offered.length === 0}>
        {offered.map((product, index) => (
          <Offer key={product.sku} id={`${id}-offer-${index}`} product={product} marked={index === marked} onPick={pick} />
        ))}
      </ul>
    </div>
  );
}

function offersFor(typed: string): Product[] {
  // Reading the version makes prices and stock in the list follow the server.
  void catalogueVersion.value;
  return catalogue.search(typed, MOST_OFFERED);
}

interface OfferProps {
  id: string;
  product: Product;
  marked: boolean;
  onPick: (product: Product) => void;
}

function Offer({ id, product, marked, onPick }: OfferProps) {
  return (
    <li
      id={id}
      role="option"
      class="picker-offer"
      aria-selected={marked}
      // Before the input loses focus, which would close the list under the click.
      onPointerDown={(event) => {
        event.preventDefault();
        onPick(product);
      }}
    >
      <span class="picker-name">{product.name}</span>
      <span class="picker-price">{formatPrice(product.price, product.currency)}</span>
      <span class="picker-sku">{product.sku}</span>
      <span class="picker-stock">{stockOf(product)}</span>
    </li>
  );
}

export function stockOf(product: Product): string {
  const left = available(product);
  return left === null ? 'always available' : left === 0 ? 'out of stock' : `${left} available`;
}
