import type { Goods, WholeOrder } from '../../../protocol/wholeOrder';
import { formatMoney, formatPrice } from '../../../text/money';
import { formatInstant } from '../../../views/orderTexts';
import { nameOf } from './names';

export function GoodsTable({ order }: { order: WholeOrder }) {
  const isMoved = order.goods.some(({ shipped, cancelled }) => shipped + cancelled > 0);
  return (
    <section aria-labelledby="goods-title">
      <h3 id="goods-title">{order.goods.length === 1 ? '1 line' : `${order.goods.length} lines`}</h3>
      <table class="goods">
        <thead>
          <tr>
            <th scope="col">Item</th>
            <th scope="col">Units</th>
            {isMoved && <th scope="col">Shipped</th>}
            <th scope="col">Price</th>
          </tr>
        </thead>
        <tbody>
          {order.goods.map((line, index) => (
            <tr key={index}>
              <td>
                <Name {...line} />
              </td>
              <td>{line.quantity}</td>
              {isMoved && <td>{line.shipped}</td>}
              <td>{line.price === null ? '–' : formatPrice(line.price, order.currency)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Name({ sku, cancelled, returned }: Goods) {
  const name = nameOf(sku);
  const besides = [
    name === sku ? '' : sku,
    cancelled > 0 ? `${cancelled} called off` : '',
    returned > 0 ? `${returned} came back` : '',
  ].filter(Boolean);
  return (
    <>
      {name}
      {besides.length > 0 && <span class="goods-besides">{besides.join(' · ')}</span>}
    </>
  );
}

export function Money({ order }: { order: WholeOrder }) {
  const { amount, captured, refunded, charges, rounding, ledger, currency } = order;
  const money = (value: number): string => formatMoney(value, currency);
  return (
    <section aria-labelledby="money-title">
      <h3 id="money-title">Money</h3>
      <dl class="sums">
        {charges.map(({ kind, name, amount: charged }, index) => (
          <Sum key={index} name={name === '' ? kind : `${kind}: ${name}`} value={money(charged)} />
        ))}
        {rounding !== 0 && <Sum name="Rounding" value={formatPrice(rounding, currency)} />}
        <Sum name="Amount" value={money(amount)} />
        <Sum name="Captured" value={captured > 0 ? money(captured) : 'not yet'} />
        {refunded > 0 && <Sum name="Given back" value={money(refunded)} />}
      </dl>
      {ledger.length > 0 && (
        <ul class="ledger">
          {ledger.map(({ kind, amount: back, actor, reason, at, version }) => (
            <li key={`${version} ${kind}`}>
              <strong>{money(back)}</strong> {kind} by {actor}, {formatInstant(at)}
              {reason !== '' && <q>{reason}</q>}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function Sum({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}
