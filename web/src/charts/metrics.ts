// The five figures of the page: what each shows as a number and as lines over time. Pure; drawing is elsewhere.

import type { Tick } from '../protocol/ticks';
import { formatMoneyShort } from '../text/money';
import { formatDuration } from '../text/durations';
import { errorShares, rates, shortSpan } from './rates';

/** Names of colours in the style sheet. */
export type Tone = 'first' | 'second' | 'third' | 'alarm';

export interface Line {
  label: string;
  tone: Tone;
  values: readonly (number | null)[];
}

export interface Metric {
  id: string;
  title: string;
  unit: string;
  lines: readonly Line[];
  /** The scale never gets smaller than this, so that noise does not look like a storm. */
  leastTop: number;
  format: (value: number) => string;
  formatAxis: (value: number) => string;
  /** A second sentence to the figure at the index of a tick. */
  detail: (index: number) => string;
}

export interface Metrics {
  /** Unix seconds, rising; every line has one value for each. */
  times: readonly number[];
  metrics: readonly Metric[];
}

const CURRENCY_TONES: readonly Tone[] = ['first', 'second', 'third'];
/** A silence longer than this is drawn as a gap. */
const GAP_S = 5;

export function metricsOf(ticks: readonly Tick[]): Metrics {
  const metrics = [orders(ticks), revenue(ticks), errors(ticks), queue(ticks), latency(ticks)];
  return withGaps(ticks.map(({ timestamp }) => timestamp), metrics);
}

/** Puts an empty point after each tick that is followed by silence, so that lines break instead of guessing. */
export function withGaps(times: readonly number[], metrics: readonly Metric[]): Metrics {
  const source: (number | null)[] = [];
  const spaced: number[] = [];
  times.forEach((time, index) => {
    const previous = times[index - 1];
    if (previous !== undefined && time - previous > GAP_S) {
      spaced.push(previous + 1);
      source.push(null);
    }
    spaced.push(time);
    source.push(index);
  });
  return {
    times: spaced,
    metrics: metrics.map((metric) => ({
      ...metric,
      lines: metric.lines.map((line) => ({
        ...line,
        values: source.map((index) => (index === null ? null : (line.values[index] ?? null))),
      })),
      detail: (at) => {
        const index = source[at];
        return index === null || index === undefined ? '' : metric.detail(index);
      },
    })),
  };
}

function orders(ticks: readonly Tick[]): Metric {
  const accepted = rates(ticks, (tick) => tick.accepted);
  const completed = rates(ticks, (tick) => tick.completed);
  return {
    id: 'orders',
    title: 'Orders',
    unit: '/min',
    lines: [{ label: 'accepted', tone: 'first', values: accepted }],
    leastTop: 10,
    format: formatCount,
    formatAxis: formatShort,
    detail: (index) => {
      const today = ticks[index]?.today;
      const soFar = shortSpan(ticks, index) === null ? '' : ', so far';
      return `${today ? `${formatCount(today.accepted)} today · ` : ''}${formatKnown(completed[index])} done${soFar}`;
    },
  };
}

function revenue(ticks: readonly Tick[]): Metric {
  const last = ticks.at(-1)?.revenue ?? {};
  const codes = [...new Set(ticks.flatMap((tick) => Object.keys(tick.revenue)))]
    .sort((a, b) => (last[b] ?? 0) - (last[a] ?? 0) || (a < b ? -1 : 1))
    .slice(0, CURRENCY_TONES.length);
  const lines = codes.map((code, index): Line => {
    const tone = CURRENCY_TONES[index] ?? 'first';
    return { label: code, tone, values: rates(ticks, (tick) => tick.revenue[code] ?? 0) };
  });
  const none: Line = { label: '', tone: 'first', values: ticks.map(() => 0) };
  const main = codes[0] ?? '';
  return {
    id: 'revenue',
    title: 'Revenue',
    unit: '/min',
    lines: lines.length > 0 ? lines : [none],
    leastTop: 10,
    format: (value) => (main === '' ? formatCount(value) : formatMoneyShort(value, main)),
    // With several currencies on one scale, none of them may stand at the axis.
    formatAxis: (value) => (codes.length === 1 ? formatMoneyShort(value, main) : formatShort(value)),
    detail: (index) => {
      const others = lines.slice(1).map(({ label, values }) => formatMoneyShort(values[index] ?? 0, label));
      const today = ticks[index]?.today?.revenue[main];
      const sum = today ?? ticks[index]?.revenue[main] ?? 0;
      const since = `${formatMoneyShort(sum, main)} ${today === undefined ? 'since start' : 'today'}`;
      const soFar = shortSpan(ticks, index) === null ? '' : ', so far';
      return `${others.map((other) => `+ ${other} `).join('')}${others.length > 0 ? '· ' : ''}${since}${soFar}`;
    },
  };
}

function errors(ticks: readonly Tick[]): Metric {
  const perMinute = rates(ticks, (tick) => tick.errors);
  const refused = rates(ticks, (tick) => tick.refused);
  return {
    id: 'errors',
    title: 'Error rate',
    unit: '%',
    lines: [{ label: 'errors', tone: 'alarm', values: errorShares(ticks) }],
    leastTop: 5,
    format: (value) => value.toFixed(value < 10 ? 1 : 0),
    formatAxis: formatShort,
    detail: (index) => {
      const count = formatKnown(perMinute[index]);
      const turnedAway = Math.round(refused[index] ?? 0);
      const soFar = shortSpan(ticks, index) === null ? '' : ', so far';
      return `${count === '1' ? '1 error/min' : `${count} errors/min`}${soFar}${turnedAway > 0 ? ` · ${turnedAway}/min refused` : ''}`;
    },
  };
}

function queue(ticks: readonly Tick[]): Metric {
  return {
    id: 'queue',
    title: 'Queue depth',
    unit: 'orders',
    lines: [
      { label: 'queued', tone: 'first', values: ticks.map((tick) => tick.queueLength) },
      { label: 'active', tone: 'second', values: ticks.map((tick) => tick.active) },
    ],
    leastTop: 10,
    format: formatCount,
    formatAxis: formatShort,
    detail: (index) => `${ticks[index]?.active ?? 0}/${ticks[index]?.workers ?? 0} workers busy`,
  };
}

function latency(ticks: readonly Tick[]): Metric {
  return {
    id: 'latency',
    title: 'Wait and work',
    unit: 'for half',
    lines: [
      { label: 'p50', tone: 'first', values: ticks.map((tick) => tick.latencyMs?.p50 ?? null) },
      { label: 'p99', tone: 'second', values: ticks.map((tick) => tick.latencyMs?.p99 ?? null) },
    ],
    leastTop: 5,
    format: formatDuration,
    formatAxis: formatDuration,
    detail: (index) => {
      const p99 = ticks[index]?.latencyMs?.p99;
      return p99 === undefined ? 'nothing done lately' : `to done; 99 % within ${formatDuration(p99)}`;
    },
  };
}

const compact = new Intl.NumberFormat(undefined, { notation: 'compact', maximumSignificantDigits: 3 });
const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });

/** Rates and counts: whole, and short from ten thousand on. */
export function formatCount(value: number): string {
  return value >= 10_000 ? compact.format(value) : whole.format(value);
}

/** Axis labels: as few characters as can be. */
function formatShort(value: number): string {
  return compact.format(value);
}

/** Measurements: one decimal while it matters. */
export function formatFigure(value: number): string {
  return value < 10 ? value.toFixed(1) : formatCount(value);
}

function formatKnown(value: number | null | undefined): string {
  return value === null || value === undefined ? '–' : formatCount(value);
}

/** The last value that is known, for the big number. */
export function latest(line: Line): { index: number; value: number } | null {
  const index = line.values.length - 1;
  const value = line.values[index];
  return value === null || value === undefined ? null : { index, value };
}

/** One sentence for those who do not see the chart. */
export function describe(metric: Metric): string {
  const sentences = metric.lines.map((line) => {
    const known = line.values.filter((value): value is number => value !== null);
    if (known.length === 0) return `${line.label || metric.title}: no data yet`;
    const [now, high] = [known.at(-1)!, Math.max(...known)].map(metric.format);
    return `${line.label || metric.title}: now ${now}, highest ${high}`;
  });
  return `${metric.title} over the last 15 minutes. ${sentences.join('; ')}.`;
}
