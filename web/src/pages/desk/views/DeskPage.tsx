import { Header } from '../../../views/Header';
import { openId, unknown } from '../state/address';
import { announcement } from '../state/announce';
import { FilterBar } from './FilterBar';
import { Help, HelpButton } from './Help';
import { OrderPanel } from './OrderPanel';
import { WorkPanel } from './WorkPanel';

export function DeskPage() {
  return (
    <>
      <a class="skip-link" href="#work">
        Skip to the orders
      </a>
      <Header page="desk" />
      <main class={openId.value === '' ? 'desk' : 'desk desk-open'}>
        <div class="desk-head">
          <h1>Desk</h1>
          <HelpButton />
        </div>
        <Unknown />
        <FilterBar />
        <WorkPanel />
        {openId.value !== '' && <OrderPanel />}
      </main>
      <Help />
      <p class="visually-hidden" role="status" id="said">
        {announcement.value}
      </p>
    </>
  );
}

/** What the address asked for and is left out: a list that silently shows more than was meant would mislead. */
function Unknown() {
  if (unknown.value.length === 0) return null;
  return (
    <div class="notice notice-careful" role="status">
      <p>
        The address asks for <bdi>{unknown.value.join(', ')}</bdi>, which is not known. It was left out.
      </p>
      <button type="button" class="button-quiet" onClick={() => (unknown.value = [])}>
        Dismiss
      </button>
    </div>
  );
}
