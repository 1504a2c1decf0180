// What the address of the desk says: which orders are listed, and which is open. The back button works by it.

import { computed, signal } from '@preact/signals';
import { addressOf, filterOf, unknownIn, type Filter } from './filter';

const search = signal(location.search);

/** What the address that the visitor came by asks for and nobody knows. */
export const unknown = signal(unknownIn(new URLSearchParams(location.search)));

export const filter = computed<Filter>(() => filterOf(new URLSearchParams(search.value)));

/** The id of the open order, or empty. */
export const openId = computed(() => new URLSearchParams(search.value).get('order') ?? '');

addEventListener('popstate', () => {
  search.value = location.search;
});

/** `replace`: going back shall not stop here. */
type How = 'push' | 'replace';

/** Going on to another list closes the open order, which may not be in it. */
export function choose(change: Partial<Filter>, how: How = 'push'): void {
  go({ ...filter.value, ...change }, how === 'push' ? '' : openId.value, how);
}

export function open(id: string, how: How = 'push'): void {
  if (id !== openId.value) go(filter.value, id, how);
}

/** The address of an order beside this list. */
export function linkTo(id: string, wanted: Filter = filter.value): string {
  const query = addressOf(wanted);
  if (id !== '') query.set('order', id);
  const text = query.toString();
  return text === '' ? location.pathname : `${location.pathname}?${text}`;
}

/** The address says only what is in force. */
if (unknown.peek().length > 0) go(filter.peek(), openId.peek(), 'replace');

function go(wanted: Filter, id: string, how: How): void {
  const link = linkTo(id, wanted);
  if (how === 'push') history.pushState(null, '', link);
  else history.replaceState(null, '', link);
  search.value = location.search;
}
