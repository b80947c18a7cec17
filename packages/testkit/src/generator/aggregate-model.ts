import type { Random } from "./random.ts";

/** What one aggregate of a domain does next. Small: there is one for each aggregate that has events. */
export interface AggregateModel {
  /** The next event of a valid life; `mayEnd` allows one after which there is none. `payload` is JSON text. */
  next(random: Random, now: EventTime): NextEvent;
}

export interface EventTime {
  /** RFC 3339. */
  readonly timestamp: string;
  readonly mayEnd: boolean;
}

export interface NextEvent {
  readonly type: string;
  readonly payload: string;
  /** No event may follow. */
  readonly ends?: true;
}

/** The first entry whose cumulated share holds a draw of the sum of all shares. */
export function draw<T>(random: Random, shares: readonly (readonly [choice: T, share: number])[]): T | undefined {
  let left = random.below(shares.reduce((sum, [, share]) => sum + share, 0));
  for (const [choice, share] of shares) {
    if (left < share) return choice;
    left -= share;
  }
  return undefined;
}
