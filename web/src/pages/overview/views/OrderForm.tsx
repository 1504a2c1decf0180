import { useRef } from 'preact/hooks';
import { catalogue, catalogueVersion, loaded } from '../../../live/store';
import { formatMoney } from '../../../text/money';
import { Field } from '../../../views/Field';
import { nameOfOrder } from '../../../views/orderTexts';
import { StatusChip } from '../../../views/StatusChip';
import { findOrder } from '../state/feed';
import { draft, errors, fill, placed, sending, submit } from '../state/ordering';
import { feed } from '../state/overview';
import { CatalogueFields, FreeFields } from './GoodsFields';

const PRIORITIES = [
  ['1', 'High'],
  ['2', 'Medium'],
  ['3', 'Low'],
] as const;

export function OrderForm() {
  const form = useRef<HTMLFormElement>(null);
  const result = useRef<HTMLDivElement>(null);
  const send = async (event: Event): Promise<void> => {
    event.preventDefault();
    const wrong = await submit();
    if (wrong) form.current?.querySelector<HTMLElement>(`#order-${wrong}`)?.focus();
    else result.current?.scrollIntoView({ block: 'nearest' });
  };
  return (
    <section class="panel order" id="order" aria-labelledby="order-title">
      <div class="panel-head">
        <h2 id="order-title">Place an order</h2>
      </div>
      <form ref={form} class="order-form" noValidate onSubmit={(event) => void send(event)}>
        <Goods />
        <Recipient />
        <div class="order-send">
          <button type="submit" class="button-main" aria-disabled={sending.value}>
            {sending.value ? 'Sending…' : 'Place order'}
          </button>
        </div>
        <div class="order-result" ref={result}>
          <Result />
        </div>
      </form>
    </section>
  );
}

/** What is ordered: a product of the catalogue, or anything for an amount. */
function Goods() {
  const { source } = draft.value;
  const empty = catalogueVersion.value > 0 && loaded.value && catalogue.size === 0;
  return (
    <>
      <fieldset class="switch">
        <legend class="visually-hidden">What to order</legend>
        <label>
          <input type="radio" name="source" checked={source === 'catalogue'} onChange={() => fill({ source: 'catalogue' })} />
          <span>Product</span>
        </label>
        <label>
          <input type="radio" name="source" checked={source === 'free'} onChange={() => fill({ source: 'free' })} />
          <span>Free order</span>
        </label>
      </fieldset>
      {empty && <NoProducts />}
      {source === 'free' ? <FreeFields /> : !empty && <CatalogueFields />}
    </>
  );
}

function NoProducts() {
  return (
    <div class="empty empty-small">
      <p class="empty-title">No products yet</p>
      <p>
        Bring in a price list with <code>ordercast products import FILE</code> or add one with <code>POST /products</code>.
        A free order needs none.
      </p>
    </div>
  );
}

function Recipient() {
  const { customer, address, priority, notes } = draft.value;
  const wrong = errors.value;
  return (
    <>
      <Field id="order-customer" label="Customer" error={wrong['customer']}>
        <input type="text" autoComplete="name" value={customer} onInput={(e) => fill({ customer: e.currentTarget.value })} />
      </Field>
      <Field id="order-address" label="Address" error={wrong['address']}>
        <input
          type="text"
          autoComplete="street-address"
          value={address}
          onInput={(e) => fill({ address: e.currentTarget.value })}
        />
      </Field>
      <div class="field-pair field-pair-notes">
        <Field id="order-priority" label="Priority" error={wrong['priority']}>
          <select value={priority} onChange={(e) => fill({ priority: e.currentTarget.value })}>
            {PRIORITIES.map(([value, label]) => (
              <option key={value} value={value}>
                {label}
              </option>
            ))}
          </select>
        </Field>
        <Field id="order-notes" label="Notes" optional error={wrong['notes']}>
          <input type="text" value={notes} onInput={(e) => fill({ notes: e.currentTarget.value })} />
        </Field>
      </div>
    </>
  );
}

function Result() {
  const done = placed.value;
  const general = errors.value[''];
  const wrongFields = Object.keys(errors.value).filter((field) => field !== '').length;
  return (
    <>
      <div role="status">
        {general !== undefined && <p class="field-error">{general}</p>}
        {wrongFields > 0 && <p class="field-error">Not ordered: please look at the marked {wrongFields === 1 ? 'field' : 'fields'}.</p>}
        {done && (
          <p class="order-accepted">
            {done.replayed ? 'Already ordered' : 'Order accepted'}: {formatMoney(done.order.amount, done.order.currency)}
            <a href={`desk?order=${encodeURIComponent(done.order.id)}`}>
              {done.order.number !== null && `${nameOfOrder(done.order)} `}
              <code class="order-id">{done.order.id}</code>
            </a>
          </p>
        )}
      </div>
      {done && <StatusChip status={(findOrder(feed.value, done.order.id) ?? done.order).status} />}
    </>
  );
}
