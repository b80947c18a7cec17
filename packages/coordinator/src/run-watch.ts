import type { Plan, RunRecord, UnitRecord } from "@cim-replay/core";
import { type LiveReport, onLive } from "@cim-replay/nats";
import type { ReplayContext } from "./context.ts";
import { lastPinnedTime } from "./last-pinned-time.ts";
import { type Progress, progressOf } from "./progress.ts";
import { SlidingRates, STILL } from "./sliding-rates.ts";

const RATE_WINDOW_MS = 3_000;

/** Listens to a run's workers and turns what they say into progress. */
export class RunWatch {
  readonly #reports = new Map<string, LiveReport>();
  readonly #rates = new SlidingRates(RATE_WINDOW_MS);
  readonly #unsubscribe: () => void;
  #lastPinnedAtMs: number | null = null;

  constructor(ctx: ReplayContext, run: RunRecord, plan: Plan) {
    this.#unsubscribe = onLive(ctx.client, run.id, (report) => {
      const known = this.#reports.get(report.unit);
      if (!known || report.epoch >= known.epoch) this.#reports.set(report.unit, report);
    });
    void lastPinnedTime(ctx.client, run, plan).then((atMs) => {
      this.#lastPinnedAtMs = atMs;
    });
  }

  progress(run: RunRecord, plan: Plan, units: readonly UnitRecord[], unitsResent: number): Progress {
    const live = [...this.#reports.values()];
    const more = { live, ...STILL, lastPinnedAtMs: this.#lastPinnedAtMs, unitsResent };
    const { appliedEvents: events, entriesWritten: entries } = progressOf(run, plan, units, more);
    return progressOf(run, plan, units, { ...more, ...this.#rates.see({ events, entries }) });
  }

  /** What workers have told of last. */
  get reports(): LiveReport[] {
    return [...this.#reports.values()];
  }

  stop(): void {
    this.#unsubscribe();
  }
}
