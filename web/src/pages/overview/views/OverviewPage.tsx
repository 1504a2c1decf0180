import { Header } from '../../../views/Header';
import { FeedPanel } from './FeedPanel';
import { MetricStrip } from './MetricStrip';
import { OrderForm } from './OrderForm';

export function OverviewPage() {
  return (
    <>
      <a class="skip-link" href="#feed">
        Skip to the orders
      </a>
      <Header page="./" />
      <main class="layout">
        <h1 class="visually-hidden">Live orders</h1>
        <MetricStrip />
        <FeedPanel />
        <OrderForm />
      </main>
    </>
  );
}
