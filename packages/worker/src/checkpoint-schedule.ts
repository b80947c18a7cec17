import type { RunSettings } from "@cim-replay/core";

/** By itself no more often than this, and only so often that packing takes at most a twenty-fifth of the time. */
const AUTO_EVERY_MS = 10_000;
const AUTO_COST_TIMES = 25;
/** By itself not where the rest is read sooner than this: a crash then costs little more than it would anyway. */
const AUTO_LEAST_REST_MS = 5_000;
/** With a number of events: at the latest after so long, where a unit's own events are few among others. */
const AT_LEAST_EVERY_MS = 30_000;

/** When a unit's next checkpoint is due. */
export class CheckpointSchedule {
  readonly #interval: RunSettings["checkpointInterval"];
  #madeAt = performance.now();
  #eventsThen: number;
  #costMs = 0;
  readonly #startedAt = performance.now();

  /** `events` that the unit has had so far. */
  constructor(interval: RunSettings["checkpointInterval"], events: number) {
    this.#interval = interval;
    this.#eventsThen = events;
  }

  /** `events` so far; `readShare`: of the sequences that there were to read at the start, how many are. */
  isDue(events: number, readShare: number): boolean {
    if (this.#interval === null) return false;
    const now = performance.now();
    const sinceMs = now - this.#madeAt;
    if (this.#interval === "auto") {
      if (sinceMs <= Math.max(AUTO_EVERY_MS, this.#costMs * AUTO_COST_TIMES)) return false;
      return (now - this.#startedAt) * (1 / readShare - 1) > AUTO_LEAST_REST_MS;
    }
    return events - this.#eventsThen >= this.#interval || sinceMs > AT_LEAST_EVERY_MS;
  }

  made(events: number, costMs: number): void {
    this.#madeAt = performance.now();
    this.#eventsThen = events;
    this.#costMs = costMs;
  }
}
