import { useLayoutEffect, useRef } from 'preact/hooks';
import { catalogueVersion, loaded, retryNow } from '../../../live/store';
import { choose, filter, linkTo, openId } from '../state/address';
import { list, listHold, more, reading, reload, shown, showWaiting, trouble } from '../state/desk';
import { addressOf, isOpen, NO_FILTER } from '../state/filter';
import { MOST_ROWS } from '../state/worklist';
import { WorkRow } from './WorkRow';
import { current } from './place';

/** Scrolled by less than this counts as not scrolled. */
const SCROLL_SLACK_PX = 8;

export function WorkPanel() {
  const scroller = useRef<HTMLDivElement>(null);
  const look = (): void => {
    const element = scroller.current!;
    listHold.set('scrolled', element.scrollTop > SCROLL_SLACK_PX || element.getBoundingClientRect().top < -SCROLL_SLACK_PX);
  };
  useLayoutEffect(() => {
    addEventListener('scroll', look, { passive: true });
    return () => removeEventListener('scroll', look);
  }, []);
  // A row that goes takes the focus with it, and no event tells.
  useLayoutEffect(() => {
    if (scroller.current?.contains(document.activeElement) !== true) listHold.set('focused', false);
  });
  // Another list begins at its top.
  const listed = String(addressOf({ ...filter.value, search: '' }));
  useLayoutEffect(() => scroller.current?.scrollTo({ top: 0 }), [listed]);
  const toTop = (): void => {
    showWaiting();
    scroller.current?.scrollTo({ top: 0 });
    if (scroller.current && scroller.current.getBoundingClientRect().top < 0) scroller.current.scrollIntoView();
  };
  return (
    <section
      class="panel work"
      id="work"
      tabIndex={-1}
      aria-labelledby="work-title"
      aria-busy={reading.value}
      // On the way from the rows to the button that shows what waits, nothing may move either.
      onPointerEnter={({ pointerType }) => listHold.set('pointed', pointerType === 'mouse')}
      onPointerLeave={() => listHold.set('pointed', false)}
    >
      <div class="panel-head">
        <h2 id="work-title">Orders</h2>
        <span class="work-note">{reading.value ? 'Reading…' : ''}</span>
        {list.value.waiting.length > 0 && (
          <button type="button" class="button-new" onClick={toTop}>
            {list.value.waiting.length} new<span class="visually-hidden">, show</span>
          </button>
        )}
      </div>
      {trouble.value !== '' && <Trouble />}
      <div
        class="work-scroll"
        ref={scroller}
        onScroll={look}
        onFocusIn={({ target }) => listHold.set('focused', target instanceof Element && target.matches('a:focus-visible'))}
        // From row to row nothing lets go in between.
        onFocusOut={({ currentTarget, relatedTarget }) => {
          if (!(relatedTarget instanceof Node && currentTarget.contains(relatedTarget))) listHold.set('focused', false);
        }}
      >
        {shown.value.length === 0 ? <Nothing /> : <Rows />}
      </div>
    </section>
  );
}

function Rows() {
  return (
    <>
      <Columns />
      <ol class="work-rows">
        {shown.value.map((row) => (
          <WorkRow
            key={row.order.id}
            row={row}
            isOpen={row.order.id === openId.value}
            isCurrent={row.order.id === current.value}
            href={linkTo(row.order.id)}
            catalogueVersion={catalogueVersion.value}
          />
        ))}
      </ol>
      <More />
    </>
  );
}

/** For the eye only: each row names its parts for those who hear it. */
function Columns() {
  return (
    <div class="work-columns" aria-hidden="true">
      <span>Accepted</span>
      <span>Order</span>
      <span>Items</span>
      <span>Customer</span>
      <span>Priority</span>
      <span class="work-amount">Amount</span>
      <span>Status</span>
    </div>
  );
}

function More() {
  const { next, cut } = list.value;
  if (filter.value.q !== '' && next !== null) return <Further />;
  if (cut) return <p class="work-end">Only {MOST_ROWS} orders are listed: choose a status or a time to see others.</p>;
  if (next === null) return <p class="work-end">These are all.</p>;
  return (
    <div class="work-end">
      <button type="button" class="button-quiet" onClick={() => void more()} aria-disabled={reading.value}>
        More
      </button>
    </div>
  );
}

/** A search looks through so many orders at a time. */
function Further() {
  if (list.value.next === null) return null;
  return (
    <div class="work-end">
      <button type="button" class="button-quiet" onClick={() => void more()} aria-disabled={reading.value}>
        Search further back
      </button>
    </div>
  );
}

function Trouble() {
  return (
    <div class="notice notice-bad" role="alert">
      <p>The list could not be read. {trouble.value}</p>
      <button type="button" class="button-quiet" onClick={() => (loaded.value ? void reload() : retryNow())}>
        Try again
      </button>
    </div>
  );
}

function Nothing() {
  if (!loaded.value) return <p class="empty">{trouble.value === '' ? 'Waiting for the server…' : ''}</p>;
  const { search, q, customer } = filter.value;
  if (search !== '') {
    return (
      <div class="empty">
        <p class="empty-title">No listed order has “{search}” in its number, id, customer id or goods</p>
        <p>Enter searches all orders, and their customers' names too.</p>
      </div>
    );
  }
  if (q !== '') {
    return (
      <div class="empty">
        <p class="empty-title">{list.value.next === null ? `No order is found for “${q}”` : `Nothing found yet for “${q}”`}</p>
        <p>
          A number (#1042), the beginning or end of an id, a part of the customer's text or of a SKU is searched for,{' '}
          {list.value.next === null ? 'in all orders.' : 'the newest orders first; older ones are still to be looked through.'}
        </p>
        <Further />
        <button type="button" class="button-quiet" onClick={() => choose({ q: '' })}>
          Show all orders
        </button>
      </div>
    );
  }
  if (!isOpen(filter.value)) {
    return (
      <div class="empty">
        <p class="empty-title">No order matches</p>
        {customer !== '' && <p>Customers are found by their id (c_…), which stands in each of their orders.</p>}
        <p>New ones that do appear here by themselves. Or look at all:</p>
        <button type="button" class="button-quiet" onClick={() => choose(NO_FILTER)}>
          Clear the filter
        </button>
      </div>
    );
  }
  return (
    <div class="empty">
      <p class="empty-title">No orders yet</p>
      <p>
        Place one on the <a href="./">overview</a>, or bring in real ones:
      </p>
      <pre>
        <code>ordercast import FILE</code>
      </pre>
    </div>
  );
}
