import type { WholeOrder } from '../../../protocol/wholeOrder';
import { begin, form, outcome, sending } from '../state/acting';
import { actionsOf, type Action } from '../state/actions';
import { ActionForm, focusField } from './ActionForm';
import { afterRedraw } from './redraw';

/** The actions that the person may take, and the result of the last one. */
export function ActionBar({ order }: { order: WholeOrder }) {
  const actions = actionsOf(order);
  const begun = form.value;
  const start = async (action: Action): Promise<void> => {
    await begin(action, order);
    if (action.fields.length > 0) focusField();
    else afterRedraw(keepFocus);
  };
  return (
    <section class="actions" aria-label="Actions">
      <Told />
      {actions.length === 0 ? (
        <p class="actions-none">Nothing is left to do here.</p>
      ) : (
        <div class="actions-buttons">
          {actions.map((action) => (
            <button
              key={action.name}
              id={`act-${action.name}`}
              type="button"
              class={action.warning === undefined ? 'button-quiet' : 'button-quiet button-danger'}
              aria-expanded={action.fields.length > 0 ? begun?.action.name === action.name : undefined}
              aria-disabled={sending.value !== ''}
              onClick={() => void start(action)}
            >
              {sending.value === action.name ? 'Sending…' : action.label}
            </button>
          ))}
        </div>
      )}
      {begun && <ActionForm key={begun.action.name} form={begun} order={order} />}
    </section>
  );
}

/** The button that was pressed may be gone with what it did. */
function keepFocus(): void {
  if (document.activeElement === document.body) document.getElementById('opened-title')?.focus();
}

function Told() {
  const told = outcome.value;
  if (!told) return null;
  const mood = told.kind === 'done' ? 'good' : told.kind === 'changed' ? 'careful' : 'bad';
  return <p class={`notice notice-${mood} told`}>{told.text}</p>;
}
