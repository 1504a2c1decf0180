// One WebSocket that keeps itself alive: it reconnects with backoff, resumes where it stood and notices silence.

import { readFrame, subscribeFrame, type Frame } from '../protocol/frames';
import { backoffMs } from './backoff';
import { connectionOf, type Connection, type Phase } from './link';
import { Resume, type Joined } from './resume';

/** Statistics tick every second, so a silence of this length means the connection is dead. */
const SILENCE_LIMIT_MS = 5_000;
/** A subscribe that stays unanswered would leave the page frozen while figures still move. */
const JOIN_LIMIT_MS = 10_000;
const WATCH_EVERY_MS = 1_000;

export interface StreamOptions {
  url: string;
  /** Runs before every attempt; a rejection counts as a failed attempt. */
  prepare: () => Promise<void>;
  /** Frames in order, each log event once, without holes. */
  onFrame: (frame: Frame) => void;
  /** Events are gone for good: the list of this channel has to be read again. */
  onLost: (channel: string, how: Exclude<Joined, 'resumed'>) => void;
  onConnection: (connection: Connection) => void;
}

export class Stream {
  readonly resume: Resume;
  private socket: WebSocket | null = null;
  private phase: Phase = 'connecting';
  private failures = 0;
  private wasLive = false;
  private heardAt = 0;
  private joiningSince: number | null = null;
  private retry: ReturnType<typeof setTimeout> | undefined;

  constructor(
    channels: readonly string[],
    private readonly options: StreamOptions,
  ) {
    this.resume = new Resume(channels);
  }

  start(): void {
    setInterval(() => this.watch(), WATCH_EVERY_MS);
    addEventListener('online', () => this.retryNow());
    addEventListener('offline', () => this.report());
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible') this.retryNow();
    });
    void this.attempt();
  }

  /** Cuts a running wait short; does nothing when there is none. */
  retryNow(): void {
    this.report();
    if (this.phase !== 'waiting') return;
    clearTimeout(this.retry);
    void this.attempt();
  }

  /** Drops the connection and comes back through the backoff. */
  fail(): void {
    const socket = this.socket;
    this.socket = null;
    this.joiningSince = null;
    // Closing handshakes of a dead peer take a minute: do not wait for `onclose`.
    socket?.close();
    if (this.phase === 'waiting') return;
    this.enter('waiting');
    this.retry = setTimeout(() => void this.attempt(), backoffMs(this.failures, Math.random()));
    this.failures += 1;
    this.report();
  }

  private async attempt(): Promise<void> {
    this.enter('connecting');
    try {
      await this.options.prepare();
    } catch {
      this.fail();
      return;
    }
    this.open();
  }

  private open(): void {
    const socket = new WebSocket(this.options.url);
    this.socket = socket;
    this.heardAt = Date.now();
    const current = (): boolean => this.socket === socket;
    socket.onopen = () => {
      if (current()) this.join(this.resume.channels);
    };
    socket.onmessage = ({ data }) => {
      if (!current()) return;
      this.heardAt = Date.now();
      const frame = typeof data === 'string' ? readFrame(data) : null;
      if (frame) this.receive(frame);
    };
    socket.onclose = () => {
      if (current()) this.fail();
    };
  }

  private join(channels: readonly string[]): void {
    this.joiningSince ??= Date.now();
    const since = this.resume.join(channels);
    this.socket?.send(subscribeFrame(channels, since));
  }

  private receive(frame: Frame): void {
    if (frame.type === 'subscribed') {
      this.answered(frame);
    } else if (frame.type === 'order' || frame.type === 'market_data') {
      const reaction = this.resume.event(frame.channel, frame.offset);
      if (reaction === 'resubscribe') this.join([frame.type === 'order' ? 'orders' : 'market_data']);
      if (reaction === 'apply') this.options.onFrame(frame);
    } else {
      this.options.onFrame(frame);
    }
  }

  private answered(frame: Extract<Frame, { type: 'subscribed' }>): void {
    const joined = this.resume.answered(frame.channel, frame);
    if (this.resume.joined) {
      this.joiningSince = null;
      this.failures = 0;
      this.wasLive = true;
      this.enter('live');
    }
    if (joined === 'lost' || joined === 'renewed') this.options.onLost(frame.channel, joined);
  }

  private watch(): void {
    if (this.socket === null) return;
    const now = Date.now();
    const silent = now - this.heardAt > SILENCE_LIMIT_MS;
    const unanswered = this.joiningSince !== null && now - this.joiningSince > JOIN_LIMIT_MS;
    if (silent || unanswered) this.fail();
  }

  private enter(phase: Phase): void {
    this.phase = phase;
    this.report();
  }

  private report(): void {
    this.options.onConnection(connectionOf(this.phase, this.failures, this.wasLive, navigator.onLine));
  }
}
