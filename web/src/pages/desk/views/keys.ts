// Keys of the desk. Letters can be switched off (WCAG 2.1.4): speech input types them by accident.

import { signal } from '@preact/signals';
import { form, giveUp } from '../state/acting';
import { open, openId } from '../state/address';
import { showWaiting } from '../state/desk';
import { close, move } from './place';
import { afterRedraw } from './redraw';

const STORAGE_KEY = 'ordercast.keys';

export const HELP_ID = 'help';
export const SEARCH_ID = 'search';

/** For the help: what each key does. */
export const KEYS = [
  ['j or ↓', 'Next order'],
  ['k or ↑', 'Previous order'],
  ['Enter', 'Open the order'],
  ['Esc', 'Close the form, then the order'],
  ['/', 'Search'],
  ['n', 'Show new orders'],
  ['h, r, s, t, c', 'Hold, release, ship, try again, cancel the open order'],
  ['?', 'This help'],
] as const;

/** Whether single letters are taken as commands. */
export const lettersOn = signal(remembered());

export function setLetters(on: boolean): void {
  lettersOn.value = on;
  try {
    localStorage.setItem(STORAGE_KEY, on ? 'on' : 'off');
  } catch {
    // Storage may be forbidden; the choice then lasts as long as the page.
  }
}

export function startKeys(): void {
  document.addEventListener('keydown', (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target instanceof Element ? event.target : null;
    const isTyping = target?.matches('input, select, textarea') === true;
    if (event.key === 'Escape') return escape(event, target);
    if (!isTyping && act(event.key, target)) event.preventDefault();
  });
}

/** Whether the key meant something. */
function act(key: string, target: Element | null): boolean {
  const inList = target?.closest('.work-row') != null;
  // Elsewhere arrows scroll.
  if (key === 'ArrowDown' && inList) return does(() => move(1));
  if (key === 'ArrowUp' && inList) return does(() => move(-1));
  if (!lettersOn.value) return false;
  switch (key) {
    case 'j':
      return does(() => move(1));
    case 'k':
      return does(() => move(-1));
    case 'n':
      return does(showWaiting);
    case '/':
      return does(search);
    case '?':
      return does(() => document.getElementById(HELP_ID)?.togglePopover());
    default:
      return press(ACTION_KEYS[key]);
  }
}

/** Actions of the open order by their letters; each asks for what it needs before it is sent. */
const ACTION_KEYS: Readonly<Record<string, string>> = { h: 'hold', r: 'release', s: 'fulfil', t: 'retry', c: 'cancel' };

function press(action: string | undefined): boolean {
  if (action === undefined || openId.value === '') return false;
  const button = document.getElementById(`act-${action}`);
  button?.click();
  return button !== null;
}

/** Where there is no room for both, the open order stands in the place of the search. */
function search(): void {
  const field = document.getElementById(SEARCH_ID);
  field?.focus();
  if (document.activeElement === field) return;
  open('');
  afterRedraw(() => field?.focus());
}

function does(command: () => void): true {
  command();
  return true;
}

function escape(event: Event, target: Element | null): void {
  // The browser closes the help itself.
  if (document.getElementById(HELP_ID)?.matches(':popover-open')) return;
  if (target instanceof HTMLInputElement && target.id === SEARCH_ID && target.value !== '') return;
  event.preventDefault();
  if (form.value) {
    const name = form.value.action.name;
    giveUp();
    afterRedraw(() => document.getElementById(`act-${name}`)?.focus());
  } else if (openId.value !== '') {
    close();
  } else if (target instanceof HTMLElement) {
    target.blur();
  }
}

function remembered(): boolean {
  try {
    return localStorage.getItem(STORAGE_KEY) !== 'off';
  } catch {
    return true;
  }
}
