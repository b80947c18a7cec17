import { errorMessage, parseEntryKey } from "@cim-replay/core";
import type { Entry } from "@cim-replay/nats";
import type { CelContext } from "@cim-replay/filter";
import { celValue } from "@cim-replay/filter";
import type { EntryStep } from "./entry-step.ts";
import { type Guard, TimeGuard } from "./time-guard.ts";

/** What is guarded at once: starting a guard costs as much as some entries do. */
const SLICE_MS = 50;

/** Takes entries through all steps, none longer than its budget. */
export class EntryRun {
  readonly #steps: readonly EntryStep[];
  readonly #reading: EntryStep;
  readonly #budgetMs: number;
  readonly #guard: Guard;
  #context: CelContext | null = null;
  #entry = 0;
  /** The step that is at work: told when the time is up. */
  #step = 0;

  /** `reading` is told of entries that are no JSON. `budgetMs`: of one entry, until a step is given up for it. */
  constructor(reading: EntryStep, steps: readonly EntryStep[], budgetMs: number, guard: Guard = new TimeGuard()) {
    this.#reading = reading;
    this.#steps = steps;
    this.#budgetMs = budgetMs;
    this.#guard = guard;
  }

  take(batch: readonly Entry[]): void {
    this.#entry = 0;
    while (this.#entry < batch.length) {
      const isDone = this.#guard.finishes(() => this.#slice(batch), this.#budgetMs + SLICE_MS);
      if (isDone) continue;
      const stopped = this.#context === null ? this.#reading : this.#steps[this.#step];
      stopped?.overrun(batch[this.#entry]?.key ?? "");
      // Without its value there is nothing that the other steps could be asked about.
      if (this.#context === null) this.#next();
      else this.#step++;
    }
  }

  /** Stopped at any point, it goes on with the same entry and step when it is called again. */
  #slice(batch: readonly Entry[]): void {
    const startedAt = performance.now();
    while (this.#entry < batch.length && performance.now() - startedAt < SLICE_MS) {
      const entry = batch[this.#entry] as Entry;
      if (this.#context === null) this.#read(entry);
      for (; this.#context !== null && this.#step < this.#steps.length; this.#step++) {
        this.#steps[this.#step]?.take(entry.key, this.#context);
      }
      this.#next();
    }
  }

  #read(entry: Entry): void {
    try {
      const context = contextOf(entry);
      this.#reading.take(entry.key, context);
      this.#context = context;
    } catch (error) {
      this.#reading.miss(entry.key, errorMessage(error));
    }
  }

  #next(): void {
    this.#entry++;
    this.#step = 0;
    this.#context = null;
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** What CEL may name in a rule about an entry. Throws where the value is no JSON. */
function contextOf({ key, value, provenance }: Entry): CelContext {
  return {
    key,
    id: parseEntryKey(key)?.aggregateId ?? key.slice(key.indexOf(".") + 1),
    entry: celValue(JSON.parse(utf8.decode(value))),
    events: provenance === null ? null : BigInt(provenance.events),
    last_seq: provenance === null ? null : BigInt(provenance.lastSeq),
  };
}
