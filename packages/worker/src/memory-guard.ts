import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { formatSize, ReplayError, type RunSettings } from "@cim-replay/core";

const CHECK_EVERY_MS = 200;

/** Collects garbage where asked to, and stops a unit before the machine would stop the whole process. */
export class MemoryGuard {
  readonly #limitBytes: number | null;
  readonly #gcInterval: number | null;
  #collect: (() => void) | null = null;
  #collectedAt = 0;
  #checkedAt = 0;

  constructor(settings: Pick<RunSettings, "memoryLimitBytes" | "gcInterval">) {
    this.#limitBytes = settings.memoryLimitBytes;
    this.#gcInterval = settings.gcInterval;
  }

  /** `events` handled so far. Throws ReplayError where the states alone do not fit. */
  check(events: number): void {
    if (this.#gcInterval !== null && events - this.#collectedAt >= this.#gcInterval) {
      this.#collectedAt = events;
      this.#collectGarbage();
    }
    const now = performance.now();
    if (this.#limitBytes === null || now - this.#checkedAt < CHECK_EVERY_MS) return;
    this.#checkedAt = now;
    if (process.memoryUsage.rss() <= this.#limitBytes) return;
    this.#collectGarbage();
    const bytes = process.memoryUsage.rss();
    if (bytes <= this.#limitBytes) return;
    throw new ReplayError(
      `Cannot stay under --memory-limit ${formatSize(this.#limitBytes)}: the worker holds ${formatSize(bytes)} after ${events} messages. ` +
        "Raise the limit, or give each unit fewer aggregates with more --parallel and --units.",
    );
  }

  #collectGarbage(): void {
    this.#collect ??= exposedCollector();
    this.#collect();
  }
}

/** Node has no public call for it; this is the way that its own tests use. */
function exposedCollector(): () => void {
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  return typeof collect === "function" ? () => void collect() : () => undefined;
}
