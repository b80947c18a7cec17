import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { formatSize, ReplayError, type RunSettings } from "@cim-replay/core";

const CHECK_EVERY_MS = 200;
/** Packed states on their way to the disk are garbage outside the heap, which the collector does not hurry for. */
const COLLECTED_EARLY = 0.7;

/** Collects garbage where asked to, and stops a unit before the machine would stop the whole process. */
export class MemoryGuard {
  readonly #limitBytes: number | null;
  readonly #gcInterval: number | null;
  readonly #bufferMode: RunSettings["bufferMode"];
  #collect: (() => void) | null = null;
  #collectedAt = 0;
  #checkedAt = 0;

  constructor(settings: Pick<RunSettings, "memoryLimitBytes" | "gcInterval" | "bufferMode">) {
    this.#bufferMode = settings.bufferMode;
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
    const collectAbove = this.#limitBytes * (this.#bufferMode === "disk" ? COLLECTED_EARLY : 1);
    if (process.memoryUsage.rss() <= collectAbove) return;
    this.#collectGarbage();
    const bytes = process.memoryUsage.rss();
    if (bytes <= this.#limitBytes) return;
    throw new ReplayError(
      `Cannot stay under --memory-limit ${formatSize(this.#limitBytes)}: the worker holds ${formatSize(bytes)} after ${events} messages. ` +
        (this.#bufferMode === "memory"
          ? "Go on with --resume --buffer-mode disk, raise the limit"
          : "Raise the limit") +
        ", or give each unit fewer aggregates with more --parallel and --units.",
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
