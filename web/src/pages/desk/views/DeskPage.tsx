import { Header } from '../../../views/Header';
import { openId } from '../state/address';
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
      <Header page="/desk" />
      <main class={openId.value === '' ? 'desk' : 'desk desk-open'}>
        <div class="desk-head">
          <h1>Desk</h1>
          <HelpButton />
        </div>
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
