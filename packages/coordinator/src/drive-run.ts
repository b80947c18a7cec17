import { availableParallelism } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import {
  bucketsOf,
  errorMessage,
  formatDuration,
  moveRun,
  type Plan,
  plannedAs,
  ReplayError,
  type RunRecord,
  traced,
  type UnitRecord,
} from "@cim-replay/core";
import { readLiveSignals, type Versioned } from "@cim-replay/nats";
import type { ReplayContext } from "./context.ts";
import { pauseRun } from "./control.ts";
import { Dispatcher, UntakenUnitError } from "./dispatcher.ts";
import { type CertifyRun, endRun, failRun, forgetCheckpoints } from "./end-run.ts";
import { fenceUnits, isUnclaimable, releaseUnitsOf } from "./fence.ts";
import { skippedTooMany } from "./skipped-so-far.ts";
import { LedgerCopy } from "./ledger-copy.ts";
import type { Progress } from "./progress.ts";
import { RateKeeper } from "./rate-keeper.ts";
import { RunWatch } from "./run-watch.ts";
import { diagnose } from "./diagnose.ts";
import { readLockFacts } from "./lock-facts.ts";
import { createHeirs, Stragglers, withHeirs } from "./stragglers.ts";
import { forgetSegments } from "./segments.ts";
import { StallWatch, STALLED_AFTER_MS } from "./stall-watch.ts";
import type { HeldRun } from "./start-run.ts";

/** Worker processes that the coordinator may start for the length of a run. */
export interface WorkerPool {
  start(count: number, onExit: (workerId: string) => void): Promise<void>;
  stop(): Promise<void>;
}

export interface DriveOptions {
  readonly pool: WorkerPool | null;
  /** "auto": one for each unit; "if-needed": so too, but only where no connected worker takes one; 0: others are awaited. */
  readonly localWorkers: "auto" | "if-needed" | number;
  /** Keeps an atomic copy of the run's ledger here. */
  readonly checkpointDir: string | null;
  /** Asked before a run is completed. */
  readonly certify: CertifyRun | null;
  onProgress(progress: Progress): void;
  /** Told once a stall, when no unit has come further for `stalledAfterMs` (five minutes). */
  onStall?(text: string): void;
  readonly stalledAfterMs?: number;
  /** A unit with so much time to go is split while a worker is idle (20 s). */
  readonly stragglesFromMs?: number;
  /** Aborted: the run is checkpointed and paused. */
  readonly signal: AbortSignal;
}

const TICK_MS = 100;
/** Connected workers may be leaving, hung, or another run's own: so long they get to take a unit. */
const NOBODY_TAKES_MS = 5_000;
/** Workers that were told to stop get this long to checkpoint. */
const WIND_DOWN_MS = 20_000;
const RELEASE_WITHIN_MS = 3_000;

/**
 * Sees a run to its end: sends units, watches the ledger, sends again what was lost, and closes the books. Returns the
 * run as it ended, or paused where `signal` asked for it. Whatever happens, the ledger holds the truth.
 */
export async function driveRun(ctx: ReplayContext, held: HeldRun, options: DriveOptions): Promise<RunRecord> {
  const { id } = held.record;
  const plan = await ctx.ledger.getPlan(id);
  if (!plan) throw new ReplayError(`Cannot drive run ${id}: its plan is not in the ledger. Start a new run.`);
  const run = await ctx.ledger.changeRun(id, (record) =>
    record.state === "planned" ? { ...moveRun(record, "running"), startedAt: new Date().toISOString() } : null,
  );
  const watch = new RunWatch(ctx, run, plan);
  const { client, ledger, log } = ctx;
  const rates = new RateKeeper({ run, ledger, log, look: () => readLiveSignals(client, plan.stream.name) });
  const drive = new Drive(ctx, { held, plan, watch, rates }, options);
  const { domain } = run.settings;
  try {
    return await traced(
      "run",
      {
        ...{
          "cim_replay.run": id,
          "cim_replay.domain": domain,
          "cim_replay.target": bucketsOf(run.settings).join(","),
        },
        ...{ "cim_replay.partitions": plan.partitions.length, "cim_replay.units": plan.units.length },
      },
      async (span) => {
        await drive.startWorkers();
        const ended = await drive.untilItEnds();
        span.setAttribute("cim_replay.state", ended.state);
        return ended;
      },
    );
  } finally {
    watch.stop();
    rates.stop();
    await options.pool?.stop();
    await release(ctx, held);
  }
}

/** The planner chose so many units as pay where each reads by itself; shuffled, they are many and take turns. */
function localWorkersFor({ source, units, sliceUnits }: Plan): number {
  if (source.kind === "direct") return units.length;
  return Math.min(availableParallelism(), Math.max(units.length, sliceUnits.length));
}

/** Where the ledger cannot be reached the lease runs out by itself: nobody has to wait for that here. */
async function release(ctx: ReplayContext, held: HeldRun): Promise<void> {
  const patience = new AbortController();
  const late = sleep(RELEASE_WITHIN_MS, undefined, { signal: patience.signal }).then(() => {
    throw new ReplayError("the ledger does not answer");
  });
  try {
    await Promise.race([held.lease.release(), late]);
  } catch (error) {
    ctx.log.warn({ error: errorMessage(error) }, "the lease could not be released; it runs out by itself");
  } finally {
    patience.abort();
    late.catch(() => undefined);
  }
}

class Drive {
  readonly #ctx: ReplayContext;
  readonly #held: HeldRun;
  /** As it was pinned. */
  readonly #plan: Plan;
  readonly #stragglers: Stragglers;
  readonly #watch: RunWatch;
  readonly #rates: RateKeeper;
  readonly #options: DriveOptions;
  readonly #dispatcher: Dispatcher;
  readonly #copy: LedgerCopy | null;
  readonly #id: string;
  readonly #stalls: StallWatch;
  readonly #done = new Map<string, Versioned<UnitRecord>>();
  #hasHelped = false;
  /** Every record that was seen last, those of split units too. */
  #all: readonly UnitRecord[] = [];

  constructor(
    ctx: ReplayContext,
    { held, plan, watch, rates }: { held: HeldRun; plan: Plan; watch: RunWatch; rates: RateKeeper },
    options: DriveOptions,
  ) {
    this.#ctx = ctx;
    this.#held = held;
    this.#plan = plan;
    this.#watch = watch;
    this.#rates = rates;
    this.#options = options;
    this.#id = held.record.id;
    this.#stalls = new StallWatch(options.stalledAfterMs);
    this.#dispatcher = new Dispatcher(ctx, this.#id);
    this.#stragglers = new Stragglers(ctx, plan, options.stragglesFromMs);
    this.#copy = options.checkpointDir ? new LedgerCopy(options.checkpointDir, this.#id) : null;
  }

  async startWorkers(): Promise<void> {
    const { pool, localWorkers } = this.#options;
    await this.#dispatcher.reconcile(await this.#units());
    if (localWorkers === 0 || localWorkers === "if-needed" || !pool) return;
    await this.#startPool(pool, localWorkers === "auto" ? localWorkersFor(this.#plan) : localWorkers);
  }

  async #startPool(pool: WorkerPool, count: number): Promise<void> {
    await pool.start(count, (workerId) => {
      releaseUnitsOf(this.#ctx, this.#id, workerId).catch((error: unknown) => {
        this.#ctx.log.warn(
          { worker: workerId, error: errorMessage(error) },
          "a lost worker's units wait for its lock to run out",
        );
      });
    });
  }

  async untilItEnds(): Promise<RunRecord> {
    for (;;) {
      this.#held.lease.assertHeld();
      this.#ctx.client.denials.throwIfAny(`drive run ${this.#id}`);
      const found = await this.#ctx.ledger.getRun(this.#id);
      if (!found) throw new ReplayError(`Cannot go on with run ${this.#id}: its record has vanished from the ledger.`);
      const run = found.record;
      const units = await this.#units();
      await this.#show(run, units);
      if (this.#stalls.see(units, run.state === "running")) void this.#tellStall();
      const ended = await this.#step(run, units);
      if (ended) {
        if (isUnclaimable(ended)) await forgetSegments(this.#ctx, this.#id);
        await this.#show(ended, await this.#units(), true);
        return ended;
      }
      await sleep(TICK_MS);
    }
  }

  /** One look at the run; the ended run where there is nothing more to do. */
  async #step(run: RunRecord, units: readonly UnitRecord[]): Promise<RunRecord | null> {
    const interrupted = this.#options.signal.aborted;
    if (run.state === "cancelled" || run.state === "failed") return this.#windDown(run);
    if (run.state === "paused") return interrupted ? this.#windDown(run) : null;
    if (interrupted) {
      await pauseRun(this.#ctx.ledger, this.#id, "Interrupted; `event-replay --resume` goes on with it.");
      return null;
    }
    const fatal = units.find((unit) => unit.failure && unit.failure.kind !== "bad-events");
    const settled = units.every((unit) => unit.state === "done" || unit.state === "failed");
    if (fatal || settled) {
      const { signal } = this.#options;
      const ended = await endRun(this.#ctx, run, this.#planOf(units), units, {
        certify: this.#certifier(),
        interruption: signal,
      });
      if (ended.state === "failed" && !settled) return this.#windDown(ended);
      // Paused or cancelled at the last moment: the next look deals with it.
      return ended.state === "completed" || ended.state === "failed" ? ended : null;
    }
    const overspent = skippedTooMany(run, units);
    if (overspent !== null) return this.#windDown(await failRun(this.#ctx, run, units, overspent));
    try {
      await this.#dispatcher.reconcile(units);
    } catch (error) {
      if (!(error instanceof UntakenUnitError)) throw error;
      return this.#windDown(await failRun(this.#ctx, run, units, error.message));
    }
    await this.#stragglers.look(run, units, this.#watch.reports);
    await this.#helpOut();
    return null;
  }

  async #helpOut(): Promise<void> {
    const { pool, localWorkers } = this.#options;
    const since = this.#dispatcher.nobodyAtWorkSince;
    if (localWorkers !== "if-needed" || this.#hasHelped || !pool) return;
    if (since === null || performance.now() - since < NOBODY_TAKES_MS) return;
    this.#hasHelped = true;
    this.#ctx.log.warn({ run: this.#id }, "no connected worker takes a unit; local ones are started");
    await this.#startPool(pool, localWorkersFor(this.#plan));
  }

  /** Beside the loop: looking takes a moment, and must not hold the run up. */
  async #tellStall(): Promise<void> {
    try {
      const facts = await readLockFacts(this.#ctx.ledger, this.#ctx.queue, this.#id);
      const found = diagnose(facts, Date.now());
      const diagnosis = found.length > 0 ? found.join(" ") : "Nothing that is wrong can be seen from here.";
      this.#ctx.log.warn({ run: this.#id, diagnosis }, "the run is stalled");
      const since = formatDuration(this.#options.stalledAfterMs ?? STALLED_AFTER_MS);
      this.#options.onStall?.(
        `Run ${this.#id} has made no progress for ${since}. ${diagnosis} See \`debug-replay --run ${this.#id} --show-locks\`.`,
      );
    } catch (error) {
      this.#ctx.log.warn({ run: this.#id, error: errorMessage(error) }, "the run is stalled, and cannot be looked at");
    }
  }

  /** Waits until no worker is at a unit any more; those that do not let go are fenced. */
  async #windDown(run: RunRecord): Promise<RunRecord> {
    const deadline = performance.now() + WIND_DOWN_MS;
    for (;;) {
      const units = await this.#units();
      await this.#show(run, units);
      if (!units.some((unit) => unit.state === "running")) break;
      if (performance.now() > deadline) {
        await fenceUnits(this.#ctx, this.#id);
        break;
      }
      await sleep(TICK_MS);
    }
    await this.#ctx.queue.removeRun(this.#id).catch(() => undefined);
    if (run.state === "cancelled") await forgetCheckpoints(this.#ctx, this.#id);
    return run;
  }

  /** Those at work: of a split one, the two that go on for it, which are made where they are missing. */
  async #units(): Promise<UnitRecord[]> {
    const found = await this.#ctx.ledger.listUnits(this.#id, this.#done);
    // Looked at ten times a second, and final.
    for (const unit of found) if (unit.record.state === "done") this.#done.set(unit.record.id, unit);
    const units = found.map(({ record }) => record);
    await createHeirs(this.#ctx.ledger, this.#plan, units);
    this.#all = units;
    return withHeirs(this.#plan, units).units;
  }

  /** Whoever certifies is handed the books as they are, and finds out by itself who had which partition. */
  #certifier(): CertifyRun | null {
    const { certify } = this.#options;
    return certify && ((run, _plan, _units, signal) => certify(run, this.#plan, this.#all, signal));
  }

  /** With the units that there are now in place of those that were split. */
  #planOf(units: readonly UnitRecord[]): Plan {
    const planned = units.map((unit) => plannedAs(this.#plan, unit)).filter((each) => each !== undefined);
    return { ...this.#plan, units: planned };
  }

  async #show(run: RunRecord, units: readonly UnitRecord[], now = false): Promise<void> {
    const progress = this.#watch.progress(run, this.#planOf(units), units, this.#dispatcher.resent);
    this.#rates.see(run, progress.eventsPerSecond);
    this.#options.onProgress(progress);
    try {
      await this.#copy?.write(run, this.#plan, units, { now });
    } catch (error) {
      // The ledger itself is what counts: a full disk here is no reason to stop.
      this.#ctx.log.warn({ error: errorMessage(error) }, "the copy in --checkpoint-dir could not be written");
    }
  }
}
