import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { RunSettings } from "@cim-replay/core";

const CHECK_EVERY_MS = 100;
/** From here on the limit is near: garbage is collected first, for nobody else hurries before the heap is full. */
const NEAR_SHARE = 0.7;

/** What a look at the process's memory comes to, after garbage was collected where that was called for. */
export type MemoryLook = "fits" | "near" | "over";

/** Looks at how much memory the process has, and collects garbage where asked to and near the limit. */
export class MemoryGuard {
  readonly limitBytes: number | null;
  readonly #gcInterval: number | null;
  readonly #rss: () => number;
  readonly #collect: () => void;
  #collectedAt = 0;
  #checkedAt = Number.NEGATIVE_INFINITY;
  #collectAbove: number;

  constructor(
    { memoryLimitBytes, gcInterval }: Pick<RunSettings, "memoryLimitBytes" | "gcInterval">,
    { rss = () => process.memoryUsage.rss(), collect = collectGarbage } = {},
  ) {
    this.limitBytes = memoryLimitBytes;
    this.#gcInterval = gcInterval;
    this.#rss = rss;
    this.#collect = collect;
    this.#collectAbove = (memoryLimitBytes ?? Number.POSITIVE_INFINITY) * NEAR_SHARE;
  }

  get bytes(): number {
    return this.#rss();
  }

  /** `events` handled so far. Null where the last look was a moment ago. */
  look(events: number, now = performance.now()): MemoryLook | null {
    if (this.#gcInterval !== null && events - this.#collectedAt >= this.#gcInterval) {
      this.#collectedAt = events;
      this.#collect();
    }
    if (this.limitBytes === null || now - this.#checkedAt < CHECK_EVERY_MS) return null;
    this.#checkedAt = now;
    if (this.#rss() <= this.#collectAbove) return "fits";
    this.#collect();
    const left = this.#rss();
    // What stays after a collection is no garbage: the next one waits until half of the rest is used up.
    this.#collectAbove = Math.max(this.limitBytes * NEAR_SHARE, (left + this.limitBytes) / 2);
    if (left > this.limitBytes) return "over";
    return left > this.limitBytes * NEAR_SHARE ? "near" : "fits";
  }
}

let collector: (() => void) | null = null;

function collectGarbage(): void {
  collector ??= exposedCollector();
  collector();
}

/** Node has no public call for it; this is the way that its own tests use. */
function exposedCollector(): () => void {
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  return typeof collect === "function" ? () => void collect() : () => undefined;
}
