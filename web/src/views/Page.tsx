import { retryNow } from '../state/session';
import { FeedPanel } from './FeedPanel';
import { Header } from './Header';
import { MetricStrip } from './MetricStrip';
import { OrderForm } from './OrderForm';

export function Page() {
  return (
    <>
      <a class="skip-link" href="#feed">
        Skip to the orders
      </a>
      <Header page="/" onRetry={retryNow} />
      <main class="layout">
        <h1 class="visually-hidden">Live orders</h1>
        <MetricStrip />
        <FeedPanel />
        <OrderForm />
      </main>
    </>
  );
}
