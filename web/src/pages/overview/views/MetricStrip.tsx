import { computed } from '@preact/signals';
import { metricsOf } from '../../../charts/metrics';
import { ticks } from '../state/overview';
import { MetricCard } from './MetricCard';

const metrics = computed(() => metricsOf(ticks.value));

export function MetricStrip() {
  const { times, metrics: shown } = metrics.value;
  return (
    <section class="metrics" aria-labelledby="metrics-title">
      <h2 id="metrics-title" class="visually-hidden">
        The last 15 minutes
      </h2>
      {shown.map((metric) => (
        <MetricCard key={metric.id} times={times} metric={metric} />
      ))}
    </section>
  );
}
