import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
/** Of the whole run, a second; null: none. */
export interface PaceLimits {
  readonly maxRate: number | null;
  readonly maxBytesRate: number | null;
  readonly maxEntriesRate?: number | null;
}

/** A unit that was silent for so long does not share the rate any more. */
const SILENT_MS = 2_000;
/** Waits are short, so that heartbeats, locks and changes of the rate are not kept waiting. */
const WAITS_A_SECOND = 10;
const LONGEST_WAIT_MS = 250;
/** What may be made up for after a pause of the worker's own, so that the rate is reached on average. */
const BURST_MS = 250;
const LEAST_WINDOW = 16;
/** Messages between two waits where only bytes are limited: how large they will be is not known. */
const STEP_BY_BYTES = 64;

/**
 * Keeps a unit to its share of the run's rates: an equal part for each unit that was heard of in the last two seconds. What one
 * does not use is not another's, but a unit that has ended leaves its part to the others.
 */
export class Pace {
  readonly #heardAtMs = new Map<string, number>();
  #limits: PaceLimits;
  #readyAtMs = 0;

  constructor(limits: PaceLimits) {
    this.#limits = limits;
  }

  get isLimited(): boolean {
    return this.#limits.maxRate !== null || this.#limits.maxBytesRate !== null;
  }

  /** Other limits count from now on; what was owed to the old ones does not. */
  limit(limits: PaceLimits): void {
    if (isDeepStrictEqual(limits, this.#limits)) return;
    this.#limits = limits;
    this.#readyAtMs = 0;
  }

  /** A unit of the run is at work, this one too. */
  heard(unit: string): void {
    this.#heardAtMs.set(unit, performance.now());
  }

  /** Messages to fold before the next wait. */
  step(batchSize: number): number {
    const { maxRate, maxBytesRate } = this.#limits;
    const byRate = maxRate === null ? batchSize : Math.max(1, Math.floor(this.#share(maxRate) / WAITS_A_SECOND));
    return Math.min(batchSize, byRate, maxBytesRate === null ? batchSize : STEP_BY_BYTES);
  }

  /** Messages to ask the server for ahead of the fold: what a second takes, for the rest would only lie about. */
  windowMessages(wanted: number): number {
    const { maxRate } = this.#limits;
    return maxRate === null ? wanted : Math.min(wanted, Math.max(LEAST_WINDOW, this.#share(maxRate)));
  }

  /** As `windowMessages`, in bytes; never less than `leastBytes`, into which one message must fit. */
  windowBytes(wanted: number, leastBytes: number): number {
    const { maxBytesRate } = this.#limits;
    return maxBytesRate === null ? wanted : Math.min(wanted, Math.max(leastBytes, this.#share(maxBytesRate)));
  }

  /** Waits until so much may have been done. Throws the signal's reason. */
  keep(events: number, bytes: number, signal: AbortSignal): Promise<void> {
    return this.#spend(this.#costMs(events, bytes), signal);
  }

  /** As `keep`, of entries: only where the rate adapts to what the server bears, which a put burdens as an event does. */
  keepEntries(entries: number, signal: AbortSignal): Promise<void> {
    const { maxEntriesRate = null } = this.#limits;
    return this.#spend(maxEntriesRate === null ? 0 : (entries / this.#share(maxEntriesRate)) * 1_000, signal);
  }

  async #spend(ms: number, signal: AbortSignal): Promise<void> {
    this.#readyAtMs = Math.max(this.#readyAtMs, performance.now() - BURST_MS) + ms;
    for (;;) {
      signal.throwIfAborted();
      const leftMs = this.#readyAtMs - performance.now();
      if (leftMs <= 0) return;
      await sleep(Math.min(leftMs, LONGEST_WAIT_MS));
    }
  }

  #costMs(events: number, bytes: number): number {
    const { maxRate, maxBytesRate } = this.#limits;
    const byRate = maxRate === null ? 0 : events / this.#share(maxRate);
    const byBytes = maxBytesRate === null ? 0 : bytes / this.#share(maxBytesRate);
    return Math.max(byRate, byBytes) * 1_000;
  }

  #share(rate: number): number {
    const since = performance.now() - SILENT_MS;
    for (const [unit, at] of this.#heardAtMs) if (at < since) this.#heardAtMs.delete(unit);
    return rate / Math.max(1, this.#heardAtMs.size);
  }
}
