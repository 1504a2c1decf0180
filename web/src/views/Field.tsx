import { cloneElement, type ComponentChildren, type VNode } from 'preact';

interface Props {
  id: string;
  label: string;
  hint?: ComponentChildren;
  error?: string | undefined;
  optional?: boolean;
  /** The input; it gets the id and the links to hint and error. */
  children: VNode<Record<string, unknown>>;
}

/** A labelled input with its hint and error, tied together for assistive technology. */
export function Field({ id, label, hint, error, optional, children }: Props) {
  const described = [error !== undefined && `${id}-error`, hint !== undefined && `${id}-hint`].filter(Boolean).join(' ');
  return (
    <div class={error === undefined ? 'field' : 'field field-wrong'}>
      <label for={id}>
        {label}
        {optional && <span class="field-optional"> optional</span>}
      </label>
      {cloneElement(children, {
        id,
        'aria-describedby': described === '' ? undefined : described,
        'aria-invalid': error === undefined ? undefined : 'true',
      })}
      {error !== undefined && (
        <p class="field-error" id={`${id}-error`}>
          {error}
        </p>
      )}
      {hint !== undefined && (
        <p class="field-hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </div>
  );
}
