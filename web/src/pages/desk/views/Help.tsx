import { HELP_ID, KEYS, lettersOn, setLetters } from './keys';

export function HelpButton() {
  return (
    <button type="button" class="button-quiet" popovertarget={HELP_ID}>
      Keys <kbd>?</kbd>
    </button>
  );
}

/** The browser opens, closes and layers it, and gives the focus back. */
export function Help() {
  return (
    <div id={HELP_ID} class="help" popover="auto" role="dialog" aria-labelledby="help-title" tabIndex={-1} autofocus>
      <h2 id="help-title">Keys</h2>
      <dl class="help-keys">
        {KEYS.map(([key, does]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
      <label class="check">
        <input type="checkbox" checked={lettersOn.value} onChange={(e) => setLetters(e.currentTarget.checked)} />
        Single letters are commands
      </label>
      <button type="button" class="button-quiet" popovertarget={HELP_ID} popovertargetaction="hide">
        Close
      </button>
    </div>
  );
}
