import type { LiveReport } from "@cim-replay/nats";

const RATE_WINDOW_MS = 3_000;
/** Of which no report may come any more; more than a worker has at work at a time. */
const MOST_ATTEMPTS = 1_000;

/**
 * What one worker has done since it began, from its own live reports: a unit's figures leave with the unit, these stay.
 */
export class WorkerWatch {
  /** Events folded, and events put into the quarantine. */
  applied = 0;
  errors = 0;
  /** By attempt at a unit, the one that was heard of last at the end. */
  readonly #latest = new Map<string, Pick<LiveReport, "applied" | "quarantined">>();
  readonly #samples: { atMs: number; applied: number }[] = [];
  /** By run: the time of the last event that its plan has pinned. */
  readonly #pinnedAtMs = new Map<string, number>();
  readonly #pinnedAt: (runId: string) => Promise<number | null>;

  /** `pinnedAt` gives the time of the last event that a run will apply; null where it is not known. */
  constructor(pinnedAt: (runId: string) => Promise<number | null>) {
    this.#pinnedAt = pinnedAt;
  }

  take(report: LiveReport): void {
    const attempt = `${report.runId}/${report.unit}/${report.epoch}`;
    const before = this.#latest.get(attempt);
    this.#remember(attempt, report);
    if (!before) this.#learnPinnedTime(report.runId);
    // Only a unit's first claim begins with nothing: later ones go on from a checkpoint, with what others did.
    const base = before ?? (report.epoch === 1 ? { applied: 0, quarantined: 0 } : report);
    this.applied += Math.max(0, report.applied - base.applied);
    this.errors += Math.max(0, report.quarantined - base.quarantined);
    this.#samples.push({ atMs: performance.now(), applied: this.applied });
    this.#forgetOldSamples();
  }

  /** Over the last seconds; 0 where nothing is at work. */
  eventsPerSecond(): number {
    this.#forgetOldSamples();
    const [first] = this.#samples;
    if (!first) return 0;
    return ((this.applied - first.applied) * 1000) / Math.max(250, performance.now() - first.atMs);
  }

  /** Of the unit at work that is furthest behind the last event its run has pinned; null where none tells. */
  lagSeconds(atWork: readonly LiveReport[]): number | null {
    const lags = atWork.flatMap(({ runId, lastEventAtMs }) => {
      const pinnedAtMs = this.#pinnedAtMs.get(runId);
      return pinnedAtMs === undefined || lastEventAtMs === null ? [] : [(pinnedAtMs - lastEventAtMs) / 1000];
    });
    return lags.length === 0 ? null : Math.max(0, ...lags);
  }

  #remember(attempt: string, { applied, quarantined }: LiveReport): void {
    this.#latest.delete(attempt);
    this.#latest.set(attempt, { applied, quarantined });
    const [oldest] = this.#latest.keys();
    if (this.#latest.size > MOST_ATTEMPTS && oldest !== undefined) this.#latest.delete(oldest);
  }

  #learnPinnedTime(runId: string): void {
    if (this.#pinnedAtMs.has(runId)) return;
    void this.#pinnedAt(runId).then(
      (atMs) => {
        if (atMs !== null) this.#pinnedAtMs.set(runId, atMs);
      },
      () => undefined,
    );
  }

  #forgetOldSamples(): void {
    const oldestMs = performance.now() - RATE_WINDOW_MS;
    while ((this.#samples[0]?.atMs ?? oldestMs) < oldestMs) this.#samples.shift();
  }
}
