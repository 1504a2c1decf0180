import { useRef } from 'preact/hooks';
import type { WholeOrder } from '../../../protocol/wholeOrder';
import { formatMoney } from '../../../text/money';
import { parseNumber } from '../../../text/numbers';
import { Field } from '../../../views/Field';
import { fill, formErrors, giveUp, sending, submit } from '../state/acting';
import { emptyForm, lineField, movable, needsReason, type FieldName, type Form } from '../state/actions';
import { nameOf } from './names';
import { afterRedraw } from './redraw';

interface Props {
  form: Form;
  order: WholeOrder;
}

/** Goes to a field of the form, or to its first. */
export function focusField(field = ''): void {
  afterRedraw(() => {
    const within = document.querySelector('.action-form');
    const wanted = field === '' ? null : within?.querySelector<HTMLElement>(`#action-${field}`);
    (wanted ?? within?.querySelector<HTMLElement>('input, textarea, button'))?.focus();
  });
}

/** The form of an action, in place; for what cannot be undone it is also what asks once more. */
export function ActionForm({ form, order }: Props) {
  const { action, version } = form;
  /** Whether the button itself was pressed: Enter in a field clicks it too, but without a pointer and without its focus. */
  const isPressed = useRef(false);
  const send = async (event: Event): Promise<void> => {
    event.preventDefault();
    // Enter in a form that nobody has touched is a slip of the finger, where nothing can be undone or all units are filled in.
    const isGrave = action.warning !== undefined || action.fields.includes('lines');
    if (isGrave && !isTouched(form, order) && !isPressed.current) return;
    isPressed.current = false;
    const wrong = await submit();
    if (wrong === null) document.getElementById('opened-title')?.focus();
    else if (wrong !== '') focusField(wrong);
  };
  const leave = (): void => {
    giveUp();
    afterRedraw(() => document.getElementById(`act-${action.name}`)?.focus());
  };
  return (
    <form class="action-form" aria-label={action.label} noValidate onSubmit={(event) => void send(event)}>
      {action.warning !== undefined && <p class="action-warning">{action.warning}</p>}
      {version !== order.version && (
        <p class="notice notice-careful">The order has changed since you began. Look at it before you send.</p>
      )}
      {action.fields.map((field) => (
        <FormField key={field} field={field} form={form} order={order} />
      ))}
      <div class="action-send">
        <button
          type="submit"
          onClick={({ detail, currentTarget }) => {
            isPressed.current = detail > 0 || document.activeElement === currentTarget;
          }}
          class={action.warning === undefined ? 'button-main' : 'button-main button-main-danger'}
          aria-disabled={sending.value !== ''}
        >
          {sending.value !== '' ? 'Sending…' : sendLabel(form, order)}
        </button>
        <button type="button" class="button-quiet" onClick={leave}>
          {action.warning === undefined ? 'Back' : 'Keep as it is'}
        </button>
      </div>
    </form>
  );
}

function isTouched({ action, reason, amount, lines }: Form, order: WholeOrder): boolean {
  const untouched = emptyForm(action, order).lines;
  return reason.trim() !== '' || amount.trim() !== '' || lines.some((typed, line) => typed !== untouched[line]);
}

/** Says what is about to be paid out. */
function sendLabel({ action, amount }: Form, { currency }: WholeOrder): string {
  if (action.name !== 'refund') return action.send;
  const typed = parseNumber(amount);
  return typed === null ? action.send : `${action.send} ${formatMoney(typed, currency)}`;
}

function FormField({ field, form, order }: Props & { field: FieldName }) {
  const error = formErrors.value[field];
  switch (field) {
    case 'reason':
      return (
        <Field
          id="action-reason"
          label="Reason"
          optional={!needsReason(form.action.name, order.status)}
          hint="Everyone who sees the order sees it: no names or addresses."
          error={error}
        >
          <textarea rows={2} value={form.reason} onInput={(e) => fill({ reason: e.currentTarget.value })} />
        </Field>
      );
    case 'amount': {
      const left = formatMoney(order.captured - order.refunded, order.currency);
      const isRefund = form.action.name === 'refund';
      const hint = isRefund ? `At most ${left}. Goods that come back are recorded by “Take back”.` : `At most ${left}; nothing without it.`;
      return (
        <Field id="action-amount" label={`Amount in ${order.currency}`} optional={!isRefund} hint={hint} error={error}>
          <input
            type="text"
            inputMode="decimal"
            autoComplete="off"
            value={form.amount}
            onInput={(e) => fill({ amount: e.currentTarget.value })}
          />
        </Field>
      );
    }
    case 'until':
      return (
        <Field id="action-until" label="Until" optional hint="Then it is rejected and its stock released." error={error}>
          <input type="datetime-local" value={form.until} onInput={(e) => fill({ until: e.currentTarget.value })} />
        </Field>
      );
    case 'run_at':
      return (
        <Field id="action-run_at" label="Starts at" error={error}>
          <input type="datetime-local" value={form.run_at} onInput={(e) => fill({ run_at: e.currentTarget.value })} />
        </Field>
      );
    case 'lines':
      return <LineFields form={form} order={order} />;
    case 'close':
      return (
        <label class="check">
          <input type="checkbox" checked={form.close} onChange={(e) => fill({ close: e.currentTarget.checked })} />
          Call off what is then left
        </label>
      );
    case 'restock':
      return (
        <label class="check">
          <input type="checkbox" checked={form.restock} onChange={(e) => fill({ restock: e.currentTarget.checked })} />
          It can be sold again
        </label>
      );
  }
}

function LineFields({ form, order }: Props) {
  const error = formErrors.value['lines'];
  const write = (line: number, typed: string): void => fill({ lines: form.lines.map((was, at) => (at === line ? typed : was)) });
  return (
    <fieldset class="line-fields">
      <legend>Units</legend>
      {order.goods.map((goods, line) => {
        const most = movable(form.action.name, goods);
        if (most === 0 && formErrors.value[lineField(line)] === undefined) return null;
        return (
          <Field key={line} id={`action-${lineField(line)}`} label={`${nameOf(goods.sku)}, of ${most}`} error={formErrors.value[lineField(line)]}>
            <input
              type="text"
              inputMode="numeric"
              autoComplete="off"
              value={form.lines[line] ?? ''}
              onInput={(e) => write(line, e.currentTarget.value)}
            />
          </Field>
        );
      })}
      {error !== undefined && <p class="field-error">{error}</p>}
    </fieldset>
  );
}
