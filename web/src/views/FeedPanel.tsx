import { useEffect, useState } from 'preact/hooks';
import { feed, holdFeed, loaded } from '../state/session';
import { FEED_ROWS } from '../state/feed';
import { FeedRow } from './FeedRow';
import { Icon } from './Icon';

/** Two reasons to hold the feed still: the button, and the pointer, under which no row may jump. */
export function FeedPanel() {
  const [paused, setPaused] = useState(false);
  const [pointed, setPointed] = useState(false);
  useEffect(() => holdFeed(paused || pointed), [paused, pointed]);
  const { rows } = feed.value;
  return (
    <section class="panel feed" id="feed" tabIndex={-1} aria-labelledby="feed-title">
      <div class="panel-head">
        <h2 id="feed-title">Orders</h2>
        <Waiting paused={paused} />
        <button type="button" class="button-quiet" onClick={() => setPaused(!paused)}>
          <Icon name={paused ? 'play' : 'pause'} />
          {paused ? 'Resume' : 'Pause'}
        </button>
      </div>
      {rows.length === 0 ? (
        <NoOrders />
      ) : (
        <div class="feed-scroll" role="region" aria-label={`The newest orders, at most ${FEED_ROWS}`} tabIndex={0}>
          <Columns />
          <ol
            class="feed-rows"
            onPointerEnter={({ pointerType }) => setPointed(pointerType === 'mouse')}
            onPointerLeave={() => setPointed(false)}
          >
            {rows.map((row) => (
              <FeedRow key={row.order.id} row={row} />
            ))}
          </ol>
        </div>
      )}
    </section>
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
