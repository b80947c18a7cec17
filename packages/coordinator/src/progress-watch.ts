import type { Plan, RunRecord, UnitRecord } from "@cim-replay/core";
import { type Ledger, type LiveReport, type NatsClient, onLive } from "@cim-replay/nats";
import { lastPinnedTime } from "./last-pinned-time.ts";
import { lookAtRun, type Progress, progressOf } from "./progress.ts";
import { SlidingRates, STILL } from "./sliding-rates.ts";

const WINDOW_MS = 5_000;
const LEASE_LOOK_MS = 2_500;

export interface RunLook {
  readonly figures: Progress;
  readonly units: readonly UnitRecord[];
  /** It is at work by its record, and nobody coordinates it any more. */
  readonly isAbandoned: boolean;
}

/** Looks at one run again and again from outside. Reports that workers send meanwhile make it as fresh as they are. */
export class ProgressWatch {
  readonly #client: NatsClient;
  readonly #ledger: Ledger;
  readonly #runId: string;
  readonly #live = new Map<string, LiveReport>();
  readonly #unsubscribe: () => void;
  readonly #rates = new SlidingRates(WINDOW_MS);
  /** It never changes. */
  #plan: Plan | null = null;
  #lease: { revision: number; seenAt: number; lookedAt: number; isAbandoned: boolean } | null = null;
  #lastPinnedAtMs: Promise<number | null> | null = null;

  constructor(client: NatsClient, ledger: Ledger, runId: string) {
    this.#client = client;
    this.#ledger = ledger;
    this.#runId = runId;
    this.#unsubscribe = onLive(client, runId, (report) => this.#live.set(report.unit, report));
  }

  /** Throws ReplayError where the ledger has no such run. */
  async look(): Promise<RunLook> {
    const { run, pinned, plan, units, at } = await lookAtRun(this.#ledger, this.#runId, this.#plan);
    this.#plan = pinned;
    const isAtWork = run.state === "running";
    if (isAtWork) this.#lastPinnedAtMs ??= lastPinnedTime(this.#client, run, plan);
    const live = [...this.#live.values()];
    const lastPinnedAtMs = isAtWork ? await this.#lastPinnedAtMs : null;
    const figures = progressOf(run, plan, units, { live, ...STILL, lastPinnedAtMs });
    if (!isAtWork) {
      this.#rates.forget();
      return { figures, units, isAbandoned: isHeld(run) && (await this.#isAbandoned(run, at)) };
    }
    const rates = this.#rates.see({ events: figures.readEvents, entries: figures.entriesWritten }, at);
    const isAbandoned = await this.#isAbandoned(run, at);
    return { figures: progressOf(run, plan, units, { live, ...rates, lastPinnedAtMs }), units, isAbandoned };
  }

  close(): void {
    this.#unsubscribe();
  }

  /** By the lease alone: its holder has not renewed it for as long as it is good for, while it was looked at. */
  async #isAbandoned({ settings: { domain, target } }: RunRecord, at: number): Promise<boolean> {
    if (this.#lease && at - this.#lease.lookedAt < LEASE_LOOK_MS) return this.#lease.isAbandoned;
    const held = await this.#ledger.getLease(domain, target);
    const isOurs = held !== null && held.record.runId === this.#runId;
    const isSame = isOurs && this.#lease?.revision === held.revision;
    const seenAt = isSame ? (this.#lease?.seenAt ?? at) : at;
    const isAbandoned = !isOurs || at - seenAt > held.record.ttlMs;
    this.#lease = { revision: held?.revision ?? 0, seenAt, lookedAt: at, isAbandoned };
    return isAbandoned;
  }
}

/** Whether somebody has to hold its lease. */
function isHeld({ state }: RunRecord): boolean {
  return state === "running" || state === "verifying" || state === "paused";
}
