// What a reader of logs must remember to lose nothing: where it stands, and whether it waits for an answer.
// Pure: no socket, no clock.

import { judge, type Position, type Positions } from '../protocol/positions';

/**
 * `lost`: the server no longer has what was missed, so the lists have to be read again.
 * `renewed`: the same, and the store is another one, so nothing the page knows is of use.
 */
export type Joined = 'resumed' | 'lost' | 'renewed';

export type Reaction = 'apply' | 'skip' | 'resubscribe';

interface Follower {
  position: Position | null;
  /** A subscribe was sent and not answered: events until then belong to the subscription it replaces. */
  joining: boolean;
}

/** The catalogue's log has two names on the wire. */
const ALIASES: Readonly<Record<string, string>> = { products: 'market_data' };

export class Resume {
  private readonly followers: ReadonlyMap<string, Follower>;

  constructor(channels: readonly string[]) {
    this.followers = new Map(channels.map((channel) => [channel, { position: null, joining: false }]));
  }

  get channels(): string[] {
    return [...this.followers.keys()];
  }

  /** True when every channel has been answered: from here on nothing is missed. */
  get joined(): boolean {
    return [...this.followers.values()].every(({ joining, position }) => !joining && position !== null);
  }

  /** Sets the position that a list was read at. */
  place(channel: string, position: Position | null): void {
    const follower = this.follower(channel);
    if (follower) follower.position = position;
  }

  /** Marks the channels as asked for and answers the positions to ask with. */
  join(channels: readonly string[]): Positions {
    const since: Record<string, Position> = {};
    for (const channel of channels) {
      const follower = this.follower(channel);
      if (!follower) continue;
      follower.joining = true;
      if (follower.position) since[channel] = follower.position;
    }
    return since;
  }

  /**
   * Null: not an answer to anything this reader asked for. Unasked, a server says that it could not deliver all it
   * had promised (retention passed a slow reader), which is a loss like any other.
   */
  answered(channel: string, answer: Position & { recovered: boolean }): Joined | null {
    const follower = this.follower(channel);
    if (!follower || (!follower.joining && answer.recovered)) return null;
    follower.joining = false;
    if (answer.recovered && follower.position) {
      // What was missed follows now, from the position that was asked with, not from the one answered.
      follower.position = { epoch: answer.epoch, offset: follower.position.offset };
      return 'resumed';
    }
    const renewed = follower.position !== null && follower.position.epoch !== answer.epoch;
    follower.position = { epoch: answer.epoch, offset: answer.offset };
    return renewed ? 'renewed' : 'lost';
  }

  event(channel: string, offset: number): Reaction {
    const follower = this.follower(channel);
    if (!follower?.position || follower.joining) return 'skip';
    const verdict = judge(follower.position, offset);
    if (verdict === 'hole') return 'resubscribe';
    if (verdict === 'repeat') return 'skip';
    follower.position = { epoch: follower.position.epoch, offset };
    return 'apply';
  }

  private follower(channel: string): Follower | undefined {
    return this.followers.get(ALIASES[channel] ?? channel);
  }
}
