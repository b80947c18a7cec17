import { setTimeout as sleep } from "node:timers/promises";
import {
  errorMessage,
  hasAdvanced,
  type Log,
  moveUnit,
  ReplayError,
  type RunRecord,
  type RunState,
  SupersededError,
  type UnitRecord,
} from "@cim-replay/core";
import type { Ledger, Versioned } from "@cim-replay/nats";

const HEARTBEAT_MS = 500;
/** An owner whose heartbeat stands still for so long while it is watched counts as gone. */
const OWNER_GONE_MS = 2_500;
/** A write is preceded by proof of ownership no older than this. */
const MAX_PROOF_AGE_MS = 1_500;

/** The run no longer wants this unit's work: it is paused, or has ended. Not an error. */
export class RunStoppedError extends ReplayError {
  override readonly name = "RunStoppedError";
  readonly runState: RunState;

  constructor(run: RunRecord) {
    super(`Run ${run.id} is ${run.state}.`);
    this.runState = run.state;
  }
}

/**
 * This worker's hold on a unit. Every change of the record is one compare-and-set after the other; the first that fails
 * means that another epoch has the unit, and aborts `signal` with SupersededError. A heartbeat keeps the hold visible and
 * looks whether the run still wants the work (else `signal` aborts with RunStoppedError).
 */
export class UnitClaim {
  readonly signal: AbortSignal;
  readonly #ledger: Ledger;
  readonly #abort = new AbortController();
  readonly #log: Log;
  #current: Versioned<UnitRecord>;
  #queue: Promise<unknown> = Promise.resolve();
  #provedAt = performance.now();
  #live: () => Partial<UnitRecord["live"]> = () => ({});
  #onRun: (run: RunRecord) => void = () => {};
  #timer: NodeJS.Timeout | null = null;

  private constructor(ledger: Ledger, current: Versioned<UnitRecord>, log: Log) {
    this.#ledger = ledger;
    this.#current = current;
    this.#log = log;
    this.signal = this.#abort.signal;
  }

  /** Takes the unit at a new epoch; null where it is finished, has failed, or its owner is alive. */
  static async take(
    ledger: Ledger,
    job: { runId: string; unit: string },
    workerId: string,
    log: Log,
  ): Promise<UnitClaim | null> {
    const found = await claimable(ledger, job);
    if (!found) return null;
    const record: UnitRecord = {
      ...moveUnit(found.record, "running"),
      epoch: found.record.epoch + 1,
      owner: workerId,
      heartbeat: found.record.heartbeat + 1,
      heartbeatAt: new Date().toISOString(),
      progressAt: new Date().toISOString(),
      failure: null,
    };
    const revision = await ledger.putUnit(record, found.revision);
    return revision === null ? null : new UnitClaim(ledger, { record, revision }, log);
  }

  get record(): UnitRecord {
    return this.#current.record;
  }

  /** Starts the heartbeat; `live` tells what the owner has read so far, `onRun` hears with each how the run is to be done. */
  start(live: () => Partial<UnitRecord["live"]>, onRun: (run: RunRecord) => void = () => {}): void {
    this.#live = live;
    this.#onRun = onRun;
    const beat = () => {
      this.#beat()
        .catch((error: unknown) => this.#fail(error))
        .finally(() => {
          if (!this.signal.aborted) this.#timer = setTimeout(beat, HEARTBEAT_MS);
        });
    };
    this.#timer = setTimeout(beat, HEARTBEAT_MS);
  }

  /** Stops the heartbeat and lets no further write of this owner begin. */
  stop(reason: Error): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#fail(reason);
  }

  /** Changes the record; throws SupersededError where this epoch is old. */
  async update(change: (unit: UnitRecord) => UnitRecord): Promise<void> {
    const step = this.#queue.then(async () => {
      const beaten: UnitRecord = {
        ...this.#current.record,
        heartbeat: this.#current.record.heartbeat + 1,
        heartbeatAt: new Date().toISOString(),
        live: { ...this.#current.record.live, ...this.#live() },
      };
      const changed = change(beaten);
      const { record: before } = this.#current;
      const record = hasAdvanced(before, changed) ? { ...changed, progressAt: changed.heartbeatAt } : changed;
      const sentAt = performance.now();
      const revision = await this.#ledger.putUnit(record, this.#current.revision);
      if (revision === null) {
        const error = new SupersededError(
          `Cannot go on with unit ${record.id} of run ${record.runId}: epoch ${record.epoch} is superseded. Another worker has it.`,
        );
        this.#fail(error);
        throw error;
      }
      this.#current = { record, revision };
      this.#provedAt = sentAt;
    });
    this.#queue = step.catch(() => undefined);
    return step;
  }

  /** Ends the hold with the unit in its next state. */
  async end(change: (unit: UnitRecord) => UnitRecord): Promise<void> {
    if (this.#timer) clearTimeout(this.#timer);
    await this.update((unit) => ({ ...change(unit), owner: null }));
  }

  /** Call before writes: throws unless this epoch was seen to be the current one a moment ago. A stopped process wakes up here. */
  async prove(): Promise<void> {
    if (performance.now() - this.#provedAt > MAX_PROOF_AGE_MS) await this.update((unit) => unit);
    this.signal.throwIfAborted();
  }

  async #beat(): Promise<void> {
    await this.update((unit) => unit);
    const run = await this.#ledger.getRun(this.record.runId);
    if (run && run.record.state !== "running") throw new RunStoppedError(run.record);
    if (run) this.#onRun(run.record);
  }

  #fail(error: unknown): void {
    if (this.signal.aborted) return;
    this.#log.debug({ unit: this.record.id, error: errorMessage(error) }, "the hold on the unit ends");
    this.#abort.abort(error);
  }
}

/** A running unit is only taken from an owner that shows no life while watched: no clocks are compared. */
async function claimable(ledger: Ledger, job: { runId: string; unit: string }): Promise<Versioned<UnitRecord> | null> {
  const found = await ledger.getUnit(job.runId, job.unit);
  if (!found) {
    throw new ReplayError(
      `Cannot take unit ${job.unit} of run ${job.runId}: this NATS has no such run. Does the worker use the coordinator's NATS_URL?`,
    );
  }
  if (found.record.state === "pending") return found;
  if (found.record.state !== "running") return null;
  await sleep(OWNER_GONE_MS);
  const later = await ledger.getUnit(job.runId, job.unit);
  return later && later.record.heartbeat === found.record.heartbeat ? later : null;
}
