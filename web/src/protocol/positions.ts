// Where a reader stands in a log. Offsets of a log are gapless, so the next event is always `offset + 1`.

import { isObject, number, object, text, type Raw } from './fields';
import type * as wire from './generated';

export interface Position {
  epoch: string;
  offset: number;
}

/** Positions by channel name. */
export type Positions = Readonly<Record<string, Position>>;

export type Verdict = 'next' | 'repeat' | 'hole';

/** What an event at `offset` means to a reader that stands at `position`. */
export function judge(position: Position, offset: number): Verdict {
  if (offset === position.offset + 1) return 'next';
  return offset <= position.offset ? 'repeat' : 'hole';
}

/** Reads the position of a log from the `as_of` of a reply. */
export function readAsOf(reply: Raw<Pick<wire.OrderList, 'as_of'>>, log: string): Position | null {
  const position = object(reply, 'as_of')?.[log];
  if (!isObject<wire.Position>(position)) return null;
  const epoch = text(position, 'epoch');
  const offset = number(position, 'offset');
  return epoch === undefined || offset === undefined ? null : { epoch, offset };
}
