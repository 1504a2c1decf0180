import type { ComponentChildren } from 'preact';
import type { Step, WholeOrder } from '../../../protocol/wholeOrder';
import { formatDuration } from '../../../text/durations';
import { formatInstant } from '../../../views/orderTexts';
import { choose, linkTo } from '../state/address';
import { LANES, NO_FILTER } from '../state/filter';
import { afterRedraw } from './redraw';

export function Facts({ order, steps }: { order: WholeOrder; steps: readonly Step[] }) {
  const startedAt = firstStart(order, steps);
  const ofCustomer = { ...NO_FILTER, customer: order.customerId };
  return (
    <>
      {order.lastError !== '' && (
        <div class="notice notice-bad">
          <p>
            <strong>Last error</strong> {order.lastError}
          </p>
        </div>
      )}
      <dl class="facts">
        <Fact name="Customer">
          <bdi>{order.customer}</bdi>
          <a
            class="facts-more"
            href={linkTo('', ofCustomer)}
            onClick={(event) => {
              if (event.ctrlKey || event.metaKey || event.shiftKey) return;
              event.preventDefault();
              choose(ofCustomer);
              afterRedraw(() => document.getElementById('work')?.focus());
            }}
          >
            all orders of {order.customerId}
          </a>
        </Fact>
        <Fact name="Address">
          <Lines text={order.address} />
        </Fact>
        {order.notes !== '' && (
          <Fact name="Notes">
            <Lines text={order.notes} />
          </Fact>
        )}
        {order.placedAt !== null && <Moment name="Placed" at={order.placedAt} />}
        <Moment name="Accepted" at={order.createdAt} />
        <Moment name="Last change" at={order.updatedAt} />
        {order.dueAt !== null && <Moment name={DUE[order.status] ?? 'Due'} at={order.dueAt} />}
        {startedAt !== null && <Fact name="Waited">{formatDuration(startedAt - order.createdAt)} for its work to begin</Fact>}
        {order.durationMs !== null && <Fact name="Work took">{formatDuration(order.durationMs)}</Fact>}
        <Fact name="Attempts">
          {order.attempts}
          {order.worker !== '' && `, last by ${order.worker}`}
        </Fact>
      </dl>
    </>
  );
}

/** Text of several lines, each in its own direction: an address may have lines of two scripts. */
function Lines({ text }: { text: string }) {
  return (
    <>
      {text.split('\n').map((line, at) => (
        <span key={at} class="line" dir="auto">
          {line}
        </span>
      ))}
    </>
  );
}

/** When work first began; the start that the order itself names is that of its last attempt. */
function firstStart({ startedAt }: WholeOrder, steps: readonly Step[]): number | null {
  return steps.find(({ status }) => LANES.includes(status))?.at ?? startedAt;
}

/** What happens to the order when its timer fires. */
const DUE: Readonly<Record<string, string>> = {
  scheduled: 'Starts',
  held: 'Held until',
  retrying: 'Tried again',
};

function Moment({ name, at }: { name: string; at: number }) {
  return (
    <Fact name={name}>
      <time dateTime={new Date(at).toISOString()}>{formatInstant(at)}</time>
    </Fact>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
