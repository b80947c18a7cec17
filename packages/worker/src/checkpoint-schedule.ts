import type { RunSettings } from "@cim-replay/core";

/** By itself no more often than this, and only so often that packing takes at most a twenty-fifth of the time. */
const AUTO_EVERY_MS = 10_000;
const AUTO_COST_TIMES = 25;
/** With a number of events: at the latest after so long, where a unit's own events are few among others. */
const AT_LEAST_EVERY_MS = 30_000;

/** When a unit's next checkpoint is due. */
export class CheckpointSchedule {
  readonly #interval: RunSettings["checkpointInterval"];
  #madeAt = performance.now();
  #eventsThen: number;
  #costMs = 0;

  /** `events` that the unit has had so far. */
  constructor(interval: RunSettings["checkpointInterval"], events: number) {
    this.#interval = interval;
    this.#eventsThen = events;
  }

  isDue(events: number): boolean {
    if (this.#interval === null) return false;
    const sinceMs = performance.now() - this.#madeAt;
    if (this.#interval === "auto") return sinceMs > Math.max(AUTO_EVERY_MS, this.#costMs * AUTO_COST_TIMES);
    return events - this.#eventsThen >= this.#interval || sinceMs > AT_LEAST_EVERY_MS;
  }

  made(events: number, costMs: number): void {
    this.#madeAt = performance.now();
    this.#eventsThen = events;
    this.#costMs = costMs;
  }
}
