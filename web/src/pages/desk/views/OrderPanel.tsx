import { useLayoutEffect, useRef } from 'preact/hooks';
import type { Step, WholeOrder } from '../../../protocol/wholeOrder';
import { Icon } from '../../../views/Icon';
import { StatusChip } from '../../../views/StatusChip';
import { Priority } from '../../../views/orderTexts';
import { openId } from '../state/address';
import { opened, refresh } from '../state/opened';
import { ActionBar } from './ActionBar';
import { Facts } from './Facts';
import { GoodsTable, Money } from './GoodsTable';
import { Story } from './Story';
import { close, staysInList } from './place';

/** One order: beside the list where there is room, in its place where there is none. */
export function OrderPanel() {
  const title = useRef<HTMLHeadingElement>(null);
  const id = openId.value;
  // Before the next key, which may move the focus elsewhere.
  useLayoutEffect(() => {
    if (!staysInList()) title.current?.focus();
    const { title: was } = document;
    document.title = `${id} – ${was}`;
    return () => {
      document.title = was;
    };
  }, [id]);
  const now = opened.value;
  return (
    <section class="panel opened" aria-labelledby="opened-title">
      <div class="panel-head opened-head">
        <h2 id="opened-title" ref={title} tabIndex={-1}>
          <span class="visually-hidden">Order </span>
          {now?.order?.id === id && now.order.number !== null && `#${now.order.number} `}
          {id}
        </h2>
        <button type="button" class="button-icon" aria-label="Close the order" title="Close (Esc)" onClick={close}>
          <Icon name="refused" />
        </button>
      </div>
      {now !== null && now.trouble !== '' && (
        <div class="notice notice-bad" role="alert">
          <p>{now.trouble}</p>
          <button type="button" class="button-quiet" onClick={() => void refresh()}>
            Try again
          </button>
        </div>
      )}
      {now?.order ? (
        <div class="opened-body">
          <Standing order={now.order} steps={now.steps} />
          <ActionBar order={now.order} />
          <Facts order={now.order} steps={now.steps} />
          <GoodsTable order={now.order} />
          <Money order={now.order} />
          <Story steps={now.steps} />
        </div>
      ) : (
        now?.trouble === '' && <p class="empty">Reading the order…</p>
      )}
    </section>
  );
}

function Standing({ order, steps }: { order: WholeOrder; steps: readonly Step[] }) {
  // What brought it to where it is; later steps may have left it there.
  const reason = steps.findLast(({ from, status }) => status === order.status && status !== from)?.reason ?? '';
  return (
    <div class="standing">
      <StatusChip status={order.status} />
      <Priority level={order.priority} />
      <span class="standing-version">version {order.version}</span>
      {order.demo && <span class="standing-version">made up by the demo</span>}
      {order.cancelRequested && <span class="status status-careful">Its customer asked to cancel it</span>}
      {reason !== '' && <q>{reason}</q>}
    </div>
  );
}
