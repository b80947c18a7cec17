import { availableParallelism } from "node:os";
import type { Plan, RunRecord } from "@cim-replay/core";
import { type NatsClient, type NatsOptions, ReadThread } from "@cim-replay/nats";

/** A thread and its connection take some 100 MiB: under a tighter limit the states need them more. */
const LEAST_MEMORY_BYTES = 2 * 2 ** 30;

export interface ReadingThreadOptions {
  /** auto: where a core is free for it, as far as this worker can know. */
  readonly mode: "auto" | "on" | "off";
  readonly client: NatsClient;
  /** What `client` was connected with. */
  readonly connection: NatsOptions;
  /** Whether it was started for a run, and works beside that run's other workers on this machine and no others. */
  readonly isLocal: boolean;
  /** Default: this machine's. */
  readonly cores?: number;
}

/** The thread that reads for a worker's folds, begun when a unit first has a use for it. */
export class ReadingThread {
  readonly #options: ReadingThreadOptions;
  #thread: ReadThread | null = null;

  constructor(options: ReadingThreadOptions) {
    this.#options = options;
  }

  /** Null where the unit had better read by itself. */
  for(plan: Pick<Plan, "units" | "sliceUnits">, { settings }: Pick<RunRecord, "settings">): ReadThread | null {
    const { mode, client, connection } = this.#options;
    const isWanted = mode === "on" || (mode === "auto" && this.#isRoomFor(plan, settings.memoryLimitBytes));
    // What the library's parser delivers cannot be handed over.
    if (!isWanted || settings.reader !== "own") return null;
    if (!this.#thread?.isAlive) this.#thread = new ReadThread(client, connection);
    return this.#thread;
  }

  /**
   * Each worker would have two threads at work. Where cores are not more than that, a thread takes more from the fold than it
   * gives (docs/benchmarks.md). What else a worker that somebody started by hand shares its machine with, it cannot know.
   */
  #isRoomFor({ units, sliceUnits }: Pick<Plan, "units" | "sliceUnits">, memoryLimitBytes: number | null): boolean {
    const { isLocal, cores = availableParallelism() } = this.#options;
    const mostWorkers = Math.max(units.length, sliceUnits.length);
    return isLocal && cores > 2 * mostWorkers && (memoryLimitBytes ?? Number.POSITIVE_INFINITY) >= LEAST_MEMORY_BYTES;
  }

  async close(): Promise<void> {
    await this.#thread?.close();
  }
}
