import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { RunSettings } from "@cim-replay/core";

const CHECK_EVERY_MS = 100;
/** A worker at full speed makes a hundred megabytes of garbage a second. */
const CHECK_EVERY_MS_WHEN_NEAR = 10;
/** From here on the limit is near: garbage is collected first, for nobody else hurries before the heap is full. */
const NEAR_SHARE = 0.7;
/** What is left of the limit above this is for garbage, and for the collector to move what lives. */
const MOST_ALIVE_SHARE = 0.8;

/** Of a worker that holds nothing yet: code, and what the runtime needs for itself. */
const BASE_BYTES = 128 * 1024 * 1024;
/** What is on the heap takes several times its packed size, and the collector needs as much again to work in. */
const HEAP_TIMES_PACKED = 16;
export const LEAST_HOT_BYTES = 2 * 1024 * 1024;
const UNLIMITED_HOT_BYTES = 64 * 1024 * 1024;

/** How much, as packed bytes, may lie on the heap of what a file has room for. */
export function hotBytesUnder(limitBytes: number | null): number {
  if (limitBytes === null) return UNLIMITED_HOT_BYTES;
  return Math.max(LEAST_HOT_BYTES, (limitBytes - BASE_BYTES) / HEAP_TIMES_PACKED);
}

/** What a look at the process's memory comes to, after garbage was collected where that was called for. */
export type MemoryLook = "fits" | "near" | "over";

/** Looks at how much memory the process has, and collects garbage where asked to and near the limit. */
export class MemoryGuard {
  readonly limitBytes: number | null;
  readonly #gcInterval: number | null;
  readonly #rss: () => number;
  readonly #collect: typeof collectGarbage;
  #collectedAt = 0;
  #lookAgainAt = Number.NEGATIVE_INFINITY;
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

  /** Right after a collection: too little is left for garbage. */
  get isCramped(): boolean {
    return this.limitBytes !== null && this.#rss() > this.limitBytes * MOST_ALIVE_SHARE;
  }

  /** `events` handled so far. Null where the last look was a moment ago. */
  look(events: number, now = performance.now()): MemoryLook | null {
    if (this.#gcInterval !== null && events - this.#collectedAt >= this.#gcInterval) {
      this.#collectedAt = events;
      this.#collect("regular");
    }
    if (this.limitBytes === null || now < this.#lookAgainAt) return null;
    const has = this.#rss();
    this.#lookAgainAt = now + (has < this.limitBytes * NEAR_SHARE ? CHECK_EVERY_MS : CHECK_EVERY_MS_WHEN_NEAR);
    if (has <= this.#collectAbove) return "fits";
    // Any other kind keeps the pages that it emptied, for the heap to grow into again.
    this.#collect("last-resort");
    const left = this.#rss();
    // What stays after a collection is no garbage: the next one waits until half of the rest is used up.
    this.#collectAbove = Math.max(this.limitBytes * NEAR_SHARE, (left + this.limitBytes) / 2);
    if (left > this.limitBytes) return "over";
    return left > this.limitBytes * NEAR_SHARE ? "near" : "fits";
  }
}

type Collect = (options?: { type: "major"; execution: "sync"; flavor: "regular" | "last-resort" }) => void;
let collector: Collect | null = null;

function collectGarbage(flavor: "regular" | "last-resort"): void {
  collector ??= exposedCollector();
  collector({ type: "major", execution: "sync", flavor });
}

/** Node has no public call for it; this is the way that its own tests use. */
function exposedCollector(): Collect {
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  return typeof collect === "function" ? (options) => void collect(options) : () => undefined;
}
