import { useEffect, useRef, useState } from 'preact/hooks';
import { describe, latest, type Metric } from '../../../charts/metrics';
import { createPlot, shapeOf, type Plot } from '../../../charts/plot';
import { connection } from '../../../live/store';
import { clockFormat } from '../../../views/orderTexts';
import { theme } from '../../../views/theme';

interface Props {
  times: readonly number[];
  metric: Metric;
}

/** A figure as a number with its last minutes as a chart; pointing at the chart shows the figure of that time. */
export function MetricCard({ times, metric }: Props) {
  const [pointed, setPointed] = useState<number | null>(null);
  const main = metric.lines[0]!;
  const pointedValue = pointed === null ? null : main.values[pointed];
  const shown =
    pointed !== null && pointedValue !== null && pointedValue !== undefined
      ? { index: pointed, value: pointedValue }
      : latest(main);
  const at = shown?.index ?? times.length - 1;
  // A figure that is not of this moment says of which it is.
  const past = shown !== null && (shown.index === pointed || connection.value !== 'connected');
  return (
    <article class="metric" aria-labelledby={`metric-${metric.id}`}>
      <div class="metric-head">
        <h3 id={`metric-${metric.id}`}>{metric.title}</h3>
        <Legend metric={metric} />
      </div>
      <p class="metric-figure">
        <span class="metric-value">{shown ? metric.format(shown.value) : '–'}</span>{' '}
        <span class="metric-unit">{metric.unit}</span>
      </p>
      <p class="metric-detail">
        {past && <span class="metric-time">at {clockFormat.format(times[at]! * 1_000)} · </span>}
        {times.length > 0 ? metric.detail(at) : 'waiting for figures'}
      </p>
      <Chart times={times} metric={metric} onPoint={setPointed} />
    </article>
  );
}

function Legend({ metric }: { metric: Metric }) {
  if (metric.lines.length < 2) return null;
  return (
    <ul class="legend">
      {metric.lines.map(({ label, tone }) => (
        <li key={label} class={`legend-${tone}`}>
          {label}
        </li>
      ))}
    </ul>
  );
}

function Chart({ times, metric, onPoint }: Props & { onPoint: (index: number | null) => void }) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<Plot | null>(null);

  useEffect(() => {
    const element = host.current!;
    const made = createPlot(element, metric, onPoint);
    plot.current = made;
    const observer = new ResizeObserver(() => made.resize(element.clientWidth, element.clientHeight));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [shapeOf(metric), theme.value]);

  useEffect(() => {
    // A frame is never given to a page in the background, so nothing is drawn there.
    const frame = requestAnimationFrame(() => plot.current?.update(times, metric));
    return () => cancelAnimationFrame(frame);
  }, [times, metric, theme.value]);

  return <div class="chart" ref={host} role="img" aria-label={describe(metric)} />;
}
