import type { UnitRecord } from "@cim-replay/core";
import { type Ledger, type LiveReport, type NatsClient, onLive } from "@cim-replay/nats";
import { lastPinnedTime } from "./last-pinned-time.ts";
import { lookAtRun, type Progress, progressOf } from "./progress.ts";

/** Rates are over so long, so that two looks close together do not make them jump. */
const WINDOW_MS = 5_000;

/** Looks at one run again and again from outside. Reports that workers send meanwhile make it as fresh as they are. */
export class ProgressWatch {
  readonly #client: NatsClient;
  readonly #ledger: Ledger;
  readonly #runId: string;
  readonly #live = new Map<string, LiveReport>();
  readonly #unsubscribe: () => void;
  #looks: { readonly at: number; readonly readEvents: number }[] = [];
  #lastPinnedAtMs: Promise<number | null> | null = null;

  constructor(client: NatsClient, ledger: Ledger, runId: string) {
    this.#client = client;
    this.#ledger = ledger;
    this.#runId = runId;
    this.#unsubscribe = onLive(client, runId, (report) => this.#live.set(report.unit, report));
  }

  /** Throws ReplayError where the ledger has no such run. */
  async look(): Promise<{ readonly figures: Progress; readonly units: readonly UnitRecord[] }> {
    const { run, plan, units, at } = await lookAtRun(this.#ledger, this.#runId);
    const isAtWork = run.state === "running";
    if (isAtWork) this.#lastPinnedAtMs ??= lastPinnedTime(this.#client, run, plan);
    const live = [...this.#live.values()];
    const lastPinnedAtMs = isAtWork ? await this.#lastPinnedAtMs : null;
    const figures = progressOf(run, plan, units, { live, eventsPerSecond: 0, lastPinnedAtMs });
    if (!isAtWork) {
      this.#looks = [];
      return { figures, units };
    }
    const eventsPerSecond = this.#rate(at, figures.readEvents);
    return { figures: progressOf(run, plan, units, { live, eventsPerSecond, lastPinnedAtMs }), units };
  }

  close(): void {
    this.#unsubscribe();
  }

  #rate(at: number, readEvents: number): number {
    this.#looks = [...this.#looks.filter((look) => at - look.at <= WINDOW_MS), { at, readEvents }];
    const [oldest] = this.#looks;
    const seconds = oldest ? (at - oldest.at) / 1000 : 0;
    // A unit that went back to its checkpoint has read less than it had.
    return oldest && seconds > 0 ? Math.max(0, (readEvents - oldest.readEvents) / seconds) : 0;
  }
}
