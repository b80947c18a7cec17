import { compileDomain, isMalformed, type Plan, type RunRecord, type UnitRecord } from "@cim-replay/core";
import { type LiveReport, onLive, readStream } from "@cim-replay/nats";
import type { ReplayContext } from "./context.ts";
import { type Progress, progressOf } from "./progress.ts";

const RATE_WINDOW_MS = 3_000;
const TAIL_SEQUENCES = 200;

/** Listens to a run's workers and turns what they say into progress. */
export class RunWatch {
  readonly #reports = new Map<string, LiveReport>();
  readonly #samples: { atMs: number; events: number }[] = [];
  readonly #unsubscribe: () => void;
  #lastPinnedAtMs: number | null = null;

  constructor(ctx: ReplayContext, run: RunRecord, plan: Plan) {
    this.#unsubscribe = onLive(ctx.client, run.id, (report) => {
      const known = this.#reports.get(report.unit);
      if (!known || report.epoch >= known.epoch) this.#reports.set(report.unit, report);
    });
    this.#findLastPinned(ctx, run, plan).catch(() => undefined);
  }

  progress(run: RunRecord, plan: Plan, units: readonly UnitRecord[]): Progress {
    const live = [...this.#reports.values()];
    const more = { live, eventsPerSecond: 0, lastPinnedAtMs: this.#lastPinnedAtMs };
    const progress = progressOf(run, plan, units, more);
    return progressOf(run, plan, units, { ...more, eventsPerSecond: this.#rate(progress.appliedEvents) });
  }

  stop(): void {
    this.#unsubscribe();
  }

  #rate(events: number): number {
    const atMs = performance.now();
    this.#samples.push({ atMs, events });
    while ((this.#samples[0]?.atMs ?? atMs) < atMs - RATE_WINDOW_MS) this.#samples.shift();
    const first = this.#samples[0];
    if (!first || atMs - first.atMs < 100) return 0;
    return Math.max(0, ((events - first.events) * 1000) / (atMs - first.atMs));
  }

  /** The time of the last pinned event, which lag is measured against; only for watching, so its failure is no matter. */
  async #findLastPinned(ctx: ReplayContext, run: RunRecord, plan: Plan): Promise<void> {
    const codec = compileDomain(plan.domain, run.settings.domainSettings);
    const messages = readStream(ctx.client, {
      stream: plan.stream.name,
      created: plan.stream.created,
      range: { fromSeq: Math.max(plan.range.fromSeq, plan.range.toSeq - TAIL_SEQUENCES), toSeq: plan.range.toSeq },
      filterSubjects: [],
      maxMessages: TAIL_SEQUENCES,
      maxBytes: 8 * 1024 * 1024,
      noProgressMs: 5_000,
      signal: AbortSignal.timeout(10_000),
    });
    for await (const batch of messages) {
      for (const message of batch) {
        const key = codec.route(message.subject);
        if (key === undefined) continue;
        const event = codec.decode(message, key);
        if (!isMalformed(event)) this.#lastPinnedAtMs = event.timestampMs;
      }
    }
  }
}
