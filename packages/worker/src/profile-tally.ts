import type { WorkerProfile } from "@cim-replay/core";
import type { UnitAttempt } from "./run-unit.ts";

type Sums = Pick<WorkerProfile, "stages" | "delivered" | "applied" | "entriesWritten" | "recoveries">;

/** Adds up what attempts did since each was first seen, those that end meanwhile included. */
export class ProfileTally {
  readonly #seen = new Map<UnitAttempt, { first: number[]; last: number[] }>();
  readonly #inFlight = { sum: 0, samples: 0, max: 0 };
  #rssMaxBytes = 0;

  sample(attempts: readonly UnitAttempt[]): void {
    let heldBytes = 0;
    for (const attempt of attempts) {
      const now = figuresOf(attempt);
      const seen = this.#seen.get(attempt);
      if (seen) seen.last = now;
      else this.#seen.set(attempt, { first: now, last: now });
      heldBytes += attempt.context.gauge.heldBytes;
    }
    this.#inFlight.sum += heldBytes;
    this.#inFlight.samples += 1;
    this.#inFlight.max = Math.max(this.#inFlight.max, heldBytes);
    this.#rssMaxBytes = Math.max(this.#rssMaxBytes, process.memoryUsage.rss());
  }

  read(): Sums & Pick<WorkerProfile, "inFlightBytes" | "rssMaxBytes"> {
    const sums = [...this.#seen.values()].reduce(
      // A pass that began again counts from nothing: less than before is no work undone.
      (total, { first, last }) => total.map((sum, at) => sum + Math.max(0, (last[at] ?? 0) - (first[at] ?? 0))),
      new Array<number>(FIGURES).fill(0),
    );
    const [fetch = 0, fold = 0, checkpoint = 0, write = 0, delivered = 0, applied = 0, entries = 0, recoveries = 0] =
      sums;
    const { sum, samples, max } = this.#inFlight;
    return {
      stages: { fetch, fold, checkpoint, write },
      delivered,
      applied,
      entriesWritten: entries,
      recoveries,
      inFlightBytes: { mean: sum / Math.max(1, samples), max },
      rssMaxBytes: this.#rssMaxBytes,
    };
  }
}

const FIGURES = 8;

function figuresOf({ context, pass, entriesWritten }: UnitAttempt): number[] {
  const { fetch, fold, checkpoint, write } = context.stages;
  const { delivered = 0, applied = 0 } = pass?.counts ?? {};
  const entries = entriesWritten.reduce((sum, written) => sum + written, 0);
  return [fetch, fold, checkpoint, write, delivered, applied, entries, context.recoveries];
}
