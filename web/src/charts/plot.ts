// The thin layer over uPlot: takes a metric's lines, draws them, reports which point is under the pointer.

import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Metric, Tone } from './metrics';
import { WINDOW_S } from './ticks';

/** All charts move their cursor together. */
const SYNC_KEY = 'metrics';
const AXIS_WIDTH_PX = 40;
const AXIS_HEIGHT_PX = 22;

export interface Plot {
  update(times: readonly number[], metric: Metric): void;
  resize(width: number, height: number): void;
  destroy(): void;
}

/** `onPoint` gets the index under the pointer, or null when it has left. */
export function createPlot(host: HTMLElement, metric: Metric, onPoint: (index: number | null) => void): Plot {
  const ink = colours(host);
  let leastTop = metric.leastTop;
  let { formatAxis } = metric;
  const axis: uPlot.Axis = {
    stroke: ink('--ink-soft'),
    font: '11px system-ui, sans-serif',
    grid: { stroke: ink('--line'), width: 1 },
    ticks: { show: false },
    gap: 4,
  };
  const plot = new uPlot(
    {
      width: Math.max(1, host.clientWidth),
      height: Math.max(1, host.clientHeight),
      padding: [6, 18, 0, 0],
      legend: { show: false },
      cursor: {
        y: false,
        drag: { x: false, y: false },
        sync: { key: SYNC_KEY },
        points: { size: 6 },
      },
      scales: {
        x: { time: true, range: (_plot, _min, max) => [(max ?? 0) - WINDOW_S, max ?? 0] },
        y: { range: (_plot, _min, max) => [0, Math.max(leastTop, (max ?? 0) * 1.1)] },
      },
      axes: [
        { ...axis, size: AXIS_HEIGHT_PX, space: 56, grid: { show: false }, values: (_plot, times) => times.map(clock) },
        { ...axis, size: AXIS_WIDTH_PX, space: 34, values: (_plot, values) => values.map((value) => formatAxis(value)) },
      ],
      series: [
        {},
        ...metric.lines.map(({ label, tone }, index): uPlot.Series => {
          const stroke = ink(toneVariable(tone));
          const fill = index === 0 ? { fill: ink(`${toneVariable(tone)}-fill`) } : {};
          return { label, stroke, width: 1.5, points: { show: false }, ...fill };
        }),
      ],
      hooks: { setCursor: [({ cursor }) => onPoint(cursor.idx ?? null)] },
    },
    [[], ...metric.lines.map(() => [])],
    host,
  );
  return {
    update(times, next) {
      leastTop = next.leastTop;
      formatAxis = next.formatAxis;
      plot.setData([[...times], ...next.lines.map(({ values }) => [...values])]);
    },
    resize: (width, height) => plot.setSize({ width, height }),
    destroy: () => plot.destroy(),
  };
}

/** Charts are made anew when this changes: uPlot's series are fixed once it has been built. */
export function shapeOf(metric: Metric): string {
  return metric.lines.map(({ label, tone }) => `${label}:${tone}`).join();
}

export function toneVariable(tone: Tone): string {
  return `--tone-${tone}`;
}

/** A canvas knows no CSS variables, so an element's colour has to be set and read back. */
function colours(host: HTMLElement): (variable: string) => string {
  return (variable) => {
    // Forced colours would answer the colour of text for each of them: the style sheet has its own for these.
    host.style.setProperty('forced-color-adjust', 'none');
    host.style.color = `var(${variable})`;
    const { color } = getComputedStyle(host);
    host.style.removeProperty('forced-color-adjust');
    host.style.removeProperty('color');
    return color;
  };
}

const hourMinute = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });

function clock(seconds: number): string {
  return hourMinute.format(new Date(seconds * 1000));
}
