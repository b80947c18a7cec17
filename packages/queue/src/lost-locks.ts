import { ReplayError } from "@cim-replay/core";

/** BullMQ's own words, at every renewal that fails and once more when the job is done; by then another may have its lock. */
const LOST = /(?:could not renew lock|missing (?:lock|key)|lock mismatch) for job ([^\s.]+)/i;

/** Says of each job once that its lock is lost, however often BullMQ does. */
export class LostLocks {
  readonly #told = new Set<string>();
  readonly #lockDurationMs: number;

  constructor(lockDurationMs: number) {
    this.#lockDurationMs = lockDurationMs;
  }

  /** Undefined: the error is another one. Null: that was told. */
  about(error: Error): ReplayError | null | undefined {
    const job = LOST.exec(error.message)?.[1];
    if (job === undefined) return undefined;
    if (this.#told.has(job)) return null;
    this.#told.add(job);
    return new ReplayError(
      `Cannot keep the lock of job ${job}: this worker was silent for more than ${this.#lockDurationMs / 1_000} s, or Redis has lost it. ` +
        "Its work goes on, and stops where another worker takes its unit; give --lock-duration more where this comes again.",
    );
  }

  /** The job is begun anew, with a lock of its own. */
  forget(job: string): void {
    this.#told.delete(job);
  }
}
