import { availableParallelism } from "node:os";
import type { Plan, RunRecord } from "@cim-replay/core";
import { type NatsOptions, ReadThread } from "@cim-replay/nats";

/** A thread and its connection take some 50 MiB: under a tighter limit the states need them more. */
const LEAST_MEMORY_BYTES = 2 ** 30;

export interface ReadingThreadOptions {
  /** auto: where a core is free for it. */
  readonly mode: "auto" | "on" | "off";
  /** Of the connection that the thread makes. */
  readonly connection: NatsOptions;
  /** Units that this worker has at work. */
  readonly concurrency: number;
  /** Whether the other units of a run are at work on this machine as well. */
  readonly sharesMachine: boolean;
}

/** The thread that reads for a worker's folds, begun when a unit first has a use for it. */
export class ReadingThread {
  readonly #options: ReadingThreadOptions;
  #thread: ReadThread | null = null;

  constructor(options: ReadingThreadOptions) {
    this.#options = options;
  }

  /** Null where the unit had better read by itself. */
  for(plan: Pick<Plan, "units">, { settings }: Pick<RunRecord, "settings">): ReadThread | null {
    const { mode, connection, concurrency, sharesMachine } = this.#options;
    const { reader, parallel, memoryLimitBytes } = settings;
    const unitsHere = sharesMachine ? Math.min(plan.units.length, parallel) : concurrency;
    const hasMemory = memoryLimitBytes === null || memoryLimitBytes >= LEAST_MEMORY_BYTES;
    const isWanted = mode === "on" || (mode === "auto" && hasMemory && isCoreFree(unitsHere));
    // What the library's parser delivers cannot be handed over.
    if (!isWanted || reader !== "own") return null;
    if (!this.#thread?.isAlive) this.#thread = new ReadThread(connection);
    return this.#thread;
  }

  async close(): Promise<void> {
    await this.#thread?.close();
  }
}

/**
 * With a thread each unit has two at work. Where cores are fewer than that and one for the servers, it takes from the fold what
 * it gives: a tenth of the rate was lost on two cores.
 */
export function isCoreFree(unitsHere: number, cores = availableParallelism()): boolean {
  return cores > 2 * unitsHere;
}
