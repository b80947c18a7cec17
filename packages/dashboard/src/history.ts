/** One moment of a run, for charts. */
export interface Sample {
  readonly atMs: number;
  /** Null: it was not at work. */
  readonly eventsPerSecond: number | null;
  readonly lagSeconds: number | null;
}

const MOST_SAMPLES = 600;

/**
 * A run's samples from its first on, in bounded memory: when they are too many, every second one is left out and from then
 * on only as many are taken, so that a run of days has a chart as a run of minutes has.
 */
export class History {
  #samples: Sample[] = [];
  #spacingMs = 0;

  get samples(): readonly Sample[] {
    return this.#samples;
  }

  /** From here until the next sample there is nothing to draw. */
  pause(atMs: number): void {
    const last = this.#samples.at(-1);
    if (last && last.eventsPerSecond !== null) this.#samples.push({ atMs, eventsPerSecond: null, lagSeconds: null });
  }

  add(sample: Sample): void {
    const last = this.#samples.at(-1);
    if (last && sample.atMs - last.atMs < this.#spacingMs) return;
    this.#samples.push(sample);
    if (this.#samples.length <= MOST_SAMPLES) return;
    const [first] = this.#samples;
    this.#samples = this.#samples.filter((_, index) => index % 2 === 0);
    this.#spacingMs = (sample.atMs - (first?.atMs ?? 0)) / this.#samples.length;
  }
}
