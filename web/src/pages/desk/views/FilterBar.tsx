import { useLayoutEffect, useState } from 'preact/hooks';
import type { Status } from '../../../protocol/orders';
import { lookOf } from '../../../views/statuses';
import { choose, filter, open } from '../state/address';
import { countLabel, COUNTED } from '../state/counts';
import { counts, shown } from '../state/desk';
import { fromLocalInput, isOpen, NO_FILTER, toLocalInput } from '../state/filter';
import { SEARCH_ID } from './keys';

const CHIPS: readonly [string, string][] = [
  ['', 'All'],
  ...(['held', 'failed', 'pending', 'scheduled', 'retrying'] as const).map(chip),
  ['active', 'In work'],
  ...(['completed', 'partially_fulfilled', 'fulfilled', 'rejected', 'cancelled'] as const).map(chip),
];

const TIMES = [
  ['', 'Any time'],
  ['1h', 'Last hour'],
  ['24h', 'Last 24 hours'],
  ['7d', 'Last 7 days'],
  ['between', 'Between…'],
] as const;

const PRIORITIES = [
  ['', 'Any priority'],
  ['1', 'High'],
  ['2', 'Medium'],
  ['3', 'Low'],
] as const;

function chip(status: Status): [string, string] {
  return [status, lookOf(status).label];
}

export function FilterBar() {
  const { priority, time } = filter.value;
  return (
    <search class="filters" aria-label="Which orders">
      <StatusChips />
      <div class="filter-fields">
        <Search />
        <select aria-label="Priority" value={priority} onChange={(e) => choose({ priority: e.currentTarget.value })}>
          {PRIORITIES.map(([value, label]) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </select>
        <select aria-label="Accepted" value={time} onChange={(e) => choose({ time: e.currentTarget.value, from: '', to: '' })}>
          {TIMES.map(([value, label]) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </select>
        <Customer />
        {time === 'between' && (
          <>
            <Instant end="from" label="From" />
            <Instant end="to" label="Before" />
          </>
        )}
        {!isOpen(filter.value) && (
          <button type="button" class="button-quiet" onClick={() => choose(NO_FILTER)}>
            Clear
          </button>
        )}
      </div>
    </search>
  );
}

function StatusChips() {
  const { status: chosen } = filter.value;
  return (
    <div class="chips" role="group" aria-label="Status">
      {CHIPS.map(([status, label]) => (
        <button
          key={status}
          type="button"
          class="chip"
          aria-pressed={status === chosen}
          onClick={() => choose({ status })}
        >
          {label}
          <ChipCount status={status} />
        </button>
      ))}
    </div>
  );
}

/** Only for orders that wait for a person. */
function ChipCount({ status }: { status: string }) {
  const count = counts.value[status];
  if (!count || !COUNTED.some((name) => name === status) || count.orders === 0) return null;
  return <span class={`chip-count status-${lookOf(status).mood}`}>{countLabel(count)}</span>;
}

/** Narrows what is listed as it is typed; Enter asks the server, and opens an order that is the only one. */
function Search() {
  const { search, q } = filter.value;
  const go = (event: Event): void => {
    event.preventDefault();
    const typed = search.trim();
    const only = typed !== '' && shown.value.length === 1 ? shown.value[0]!.order.id : '';
    if (only !== '') open(only);
    else if (typed !== '') choose({ q: typed, search: '' });
  };
  return (
    <form class="search" onSubmit={go}>
      <input
        id={SEARCH_ID}
        type="search"
        aria-label="Search by number, id, customer or SKU; Enter searches all orders"
        placeholder="#1042, id, customer or SKU"
        autoComplete="off"
        spellcheck={false}
        value={search}
        onInput={(e) => choose({ search: e.currentTarget.value }, 'replace')}
      />
      {q !== '' && (
        <span class="searched">
          Found for “<bdi>{q}</bdi>”
          <button type="button" class="button-quiet" onClick={() => choose({ q: '' })}>
            Show all
          </button>
        </span>
      )}
    </form>
  );
}

function Customer() {
  const { customer } = filter.value;
  const [typed, setTyped] = useState(customer);
  // Before the next key, which a later effect would undo.
  useLayoutEffect(() => setTyped(customer), [customer]);
  return (
    <form
      class="customer"
      onSubmit={(event) => {
        event.preventDefault();
        choose({ customer: typed.trim() });
      }}
    >
      <input
        type="text"
        aria-label="Customer id"
        title="The id that stands in each order of the customer; open one to see all of theirs"
        placeholder="Customer id: c_…"
        autoComplete="off"
        spellcheck={false}
        value={typed}
        onInput={(e) => setTyped(e.currentTarget.value)}
        onChange={() => typed.trim() !== customer && choose({ customer: typed.trim() })}
      />
    </form>
  );
}

function Instant({ end, label }: { end: 'from' | 'to'; label: string }) {
  return (
    <label class="instant">
      {label}
      <input
        type="datetime-local"
        value={toLocalInput(filter.value[end])}
        onChange={(e) => choose({ [end]: fromLocalInput(e.currentTarget.value) })}
      />
    </label>
  );
}
