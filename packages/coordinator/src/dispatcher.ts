import { errorMessage, ReplayError, UnreachableError, type UnitRecord } from "@cim-replay/core";
import type { ReplayContext } from "./context.ts";

const LOOK_EVERY_MS = 1_000;
const HEARTBEAT_LOST_MS = 5_000;
const QUEUE_LOST_MS = 60_000;
const MOST_SENDS = 30;

/** Workers take the unit's job and fail before they can say so in the ledger: sending it for ever helps nobody. */
export class UntakenUnitError extends ReplayError {
  override readonly name = "UntakenUnitError";
}

/**
 * Keeps every unit that waits for a worker in the queue, slices before those who fold them. Redis may forget anything at any time: what the ledger says is
 * pending and the queue does not have is sent again; so is a unit whose owner shows no life and whose job is gone.
 */
export class Dispatcher {
  readonly #ctx: ReplayContext;
  readonly #runId: string;
  readonly #heartbeats = new Map<string, { heartbeat: number; seenAt: number }>();
  #lookedAt = Number.NEGATIVE_INFINITY;
  #queueSeenAt = performance.now();
  /** Since when (performance.now) units wait and none is at work; null where that is not so. */
  nobodyAtWorkSince: number | null = null;
  /** How often each unit was sent at its present epoch. */
  readonly #sent = new Map<string, number>();
  /** Units that went to the queue again, since this coordinator began. */
  resent = 0;

  constructor(ctx: ReplayContext, runId: string) {
    this.#ctx = ctx;
    this.#runId = runId;
  }

  /** Call often; looks at Redis once a second. Throws UnreachableError where Redis stays away for a minute. */
  async reconcile(units: readonly UnitRecord[]): Promise<void> {
    const waiting = inOrder(units.filter((unit) => unit.state === "pending" || this.#hasLostItsOwner(unit)));
    const isIdle = waiting.length > 0 && !units.some((unit) => unit.state === "running" && !waiting.includes(unit));
    this.nobodyAtWorkSince = isIdle ? (this.nobodyAtWorkSince ?? performance.now()) : null;
    const isNew = waiting.some((unit) => !this.#sent.has(jobName(unit)));
    if (!isNew && performance.now() - this.#lookedAt < LOOK_EVERY_MS) return;
    this.#lookedAt = performance.now();
    try {
      const jobs = waiting.length > 0 ? await this.#ctx.queue.jobsOf(this.#runId) : [];
      for (const unit of waiting) {
        const isQueued = jobs.some(
          (job) => job.unit === unit.id && job.dispatch === unit.epoch && job.state !== "failed",
        );
        if (!isQueued) await this.#send(unit);
      }
      this.#queueSeenAt = performance.now();
    } catch (error) {
      if (!(error instanceof UnreachableError) || performance.now() - this.#queueSeenAt > QUEUE_LOST_MS) throw error;
      this.#ctx.log.warn({ error: errorMessage(error) }, "Redis is away; units wait");
    }
  }

  async #send(unit: UnitRecord): Promise<void> {
    const times = (this.#sent.get(jobName(unit)) ?? 0) + 1;
    const isAgain = times > 1 || unit.epoch > 0;
    // Units that wait for it stand in the queue already, or at the workers.
    const job = { runId: this.#runId, unit: unit.id, dispatch: unit.epoch };
    await this.#ctx.queue.enqueue(job, { first: isAgain && unit.kind === "slice" });
    this.#sent.set(jobName(unit), times);
    if (times > MOST_SENDS) {
      throw new UntakenUnitError(
        `Unit ${unit.id} was sent ${MOST_SENDS} times, and no worker could take it up. See the workers' logs.`,
      );
    }
    if (isAgain) {
      this.resent += 1;
      this.#ctx.log.info({ run: this.#runId, unit: unit.id, epoch: unit.epoch }, "unit sent again");
    }
  }

  #hasLostItsOwner(unit: UnitRecord): boolean {
    if (unit.state !== "running") return false;
    const known = this.#heartbeats.get(unit.id);
    if (known?.heartbeat !== unit.heartbeat) {
      this.#heartbeats.set(unit.id, { heartbeat: unit.heartbeat, seenAt: performance.now() });
      return false;
    }
    return performance.now() - known.seenAt > HEARTBEAT_LOST_MS;
  }
}

/**
 * Slices first: whoever folds waits for them, and a unit that gave its place back for a slice's sake gets none again while a slice
 * waits for one. So there are never only units at work that wait, however few places there are.
 */
function inOrder(waiting: readonly UnitRecord[]): UnitRecord[] {
  const slices = waiting.filter(({ kind }) => kind === "slice");
  const others = waiting.filter(({ kind, epoch }) => kind === "partition" && (epoch === 0 || slices.length === 0));
  return [...slices, ...others];
}

function jobName(unit: UnitRecord): string {
  return `${unit.id}/${unit.epoch}`;
}
