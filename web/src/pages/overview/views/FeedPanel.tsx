import { useLayoutEffect } from 'preact/hooks';
import { loaded } from '../../../live/store';
import { Icon } from '../../../views/Icon';
import { FEED_ROWS } from '../state/feed';
import { feed, feedHold } from '../state/overview';
import { FeedRow } from './FeedRow';

export function FeedPanel() {
  const paused = feedHold.has('paused');
  return (
    <section class="panel feed" id="feed" tabIndex={-1} aria-labelledby="feed-title">
      <div class="panel-head">
        <h2 id="feed-title">Orders</h2>
        <Waiting paused={paused} />
        <button type="button" class="button-quiet" onClick={() => feedHold.set('paused', !feedHold.has('paused'))}>
          <Icon name={paused ? 'play' : 'pause'} />
          {paused ? 'Resume' : 'Pause'}
        </button>
      </div>
      {feed.value.rows.length === 0 ? (
        <NoOrders />
      ) : (
        <div class="feed-scroll" role="region" aria-label={`The newest orders, at most ${FEED_ROWS}`} tabIndex={0}>
          <Columns />
          <Rows />
        </div>
      )}
    </section>
  );
}

function Rows() {
  // A list that goes from under the pointer gets no event that the pointer has left it.
  useLayoutEffect(() => () => feedHold.set('pointed', false), []);
  return (
    <ol
      class="feed-rows"
      onPointerEnter={({ pointerType }) => feedHold.set('pointed', pointerType === 'mouse')}
      onPointerLeave={() => feedHold.set('pointed', false)}
    >
      {feed.value.rows.map((row) => (
        <FeedRow key={row.order.id} row={row} />
      ))}
    </ol>
  );
}

function Waiting({ paused }: { paused: boolean }) {
  const { held, waitingCount } = feed.value;
  if (!held || (waitingCount === 0 && !paused)) return <span class="feed-waiting" />;
  return (
    <span class="feed-waiting">
      <strong>{waitingCount} new</strong>
      {paused ? ' · paused' : ' · held while you point'}
    </span>
  );
}

/** For the eye only: each row names its parts for those who hear it. */
function Columns() {
  return (
    <div class="feed-columns" aria-hidden="true">
      <span>Time</span>
      <span>Order</span>
      <span>Items</span>
      <span>Customer</span>
      <span>Priority</span>
      <span class="feed-amount">Amount</span>
      <span>Status</span>
    </div>
  );
}

function NoOrders() {
  if (!loaded.value) return <p class="empty">Waiting for the server…</p>;
  return (
    <div class="empty">
      <p class="empty-title">No orders yet</p>
      <p>Place one with the form, or bring in real ones:</p>
      <pre>
        <code>ordercast import FILE</code>
      </pre>
    </div>
  );
}
