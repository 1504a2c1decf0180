import type { Step } from '../../../protocol/wholeOrder';
import { StatusChip } from '../../../views/StatusChip';
import { formatInstant } from '../../../views/orderTexts';
import { deedOf } from '../state/actions';

/** What happened to the order, the latest first. */
export function Story({ steps }: { steps: readonly Step[] }) {
  return (
    <section aria-labelledby="story-title">
      <h3 id="story-title">What happened</h3>
      <ol class="story">
        {[...steps].reverse().map((step) => (
          <li key={step.offset}>
            <div class="story-head">
              {step.status === step.from ? <strong>{deedOf(step.action)}</strong> : <StatusChip status={step.status} />}
              <span class="story-by">
                {step.action !== '' && step.status !== step.from && `${deedOf(step.action)} `}
                by {step.actor}
              </span>
              <time class="story-at" dateTime={new Date(step.at).toISOString()}>
                {formatInstant(step.at)}
              </time>
            </div>
            {step.reason !== '' && <q>{step.reason}</q>}
          </li>
        ))}
      </ol>
    </section>
  );
}
