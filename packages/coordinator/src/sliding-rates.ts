/** What moves in a run, a second. */
export interface Rates {
  readonly eventsPerSecond: number;
  readonly entriesPerSecond: number;
}

export const STILL: Rates = { eventsPerSecond: 0, entriesPerSecond: 0 };

interface Figures {
  readonly events: number;
  readonly entries: number;
}

/** Two looks closer together say nothing. */
const LEAST_MS = 100;

/** Rates over the last so many milliseconds, so that two looks close together do not make them jump. */
export class SlidingRates {
  readonly #windowMs: number;
  #looks: (Figures & { readonly atMs: number })[] = [];

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  /** Of what there is now in all. A unit that went back to its checkpoint has less than it had: that is no negative rate. */
  see({ events, entries }: Figures, atMs = performance.now()): Rates {
    this.#looks = [...this.#looks.filter((look) => atMs - look.atMs <= this.#windowMs), { atMs, events, entries }];
    const [oldest] = this.#looks;
    if (!oldest || atMs - oldest.atMs < LEAST_MS) return STILL;
    const rate = (now: number, before: number) => Math.max(0, ((now - before) * 1_000) / (atMs - oldest.atMs));
    return { eventsPerSecond: rate(events, oldest.events), entriesPerSecond: rate(entries, oldest.entries) };
  }

  forget(): void {
    this.#looks = [];
  }
}
