import {
  afterSplits,
  halves,
  heirsOf,
  isSplittable,
  letsUnitsBeSplit,
  type Plan,
  plannedAs,
  ratesOf,
  type RunRecord,
  splitUnit,
  type UnitRecord,
} from "@cim-replay/core";
import type { Ledger, LiveReport } from "@cim-replay/nats";
import type { ReplayContext } from "./context.ts";
import { requestCheckpoint } from "./control.ts";

/** A unit with less to go is not worth the states that two others must read again. */
const STRAGGLES_FROM_MS = 20_000;
const LOOK_EVERY_MS = 1_000;
const RATE_WINDOW_MS = 3_000;
/** Both heirs read all that is left: splitting pays where folding is the larger part. */
const LEAST_FOLD_SHARE = 0.5;
const CHECKPOINT_WITHIN_MS = 15_000;
const ATTEMPTS = 5;

interface Sample {
  readonly atMs: number;
  readonly readSeq: number;
  /** What its worker has told of its time so far. */
  readonly fetchMicros: number;
  readonly foldMicros: number;
}

/**
 * Splits a unit that will be at work long after workers have nothing to do: its partitions go to two new units, from its last
 * checkpoint on. Nothing is folded twice: the compare-and-set that says so raises the epoch, so that its owner is fenced.
 */
export class Stragglers {
  readonly #ctx: ReplayContext;
  readonly #plan: Plan;
  readonly #minMs: number;
  readonly #samples = new Map<string, Sample[]>();
  #lookedAt = Number.NEGATIVE_INFINITY;
  /** Whose checkpoint is awaited, so that little is folded again. */
  #awaited: { readonly unit: string; readonly beyondSeq: number; readonly sinceMs: number } | null = null;

  constructor(ctx: ReplayContext, plan: Plan, minMs = STRAGGLES_FROM_MS) {
    this.#ctx = ctx;
    this.#plan = plan;
    this.#minMs = minMs;
  }

  /** Call often; does something once a second at most. `live`: what workers have told of last. */
  async look(run: RunRecord, units: readonly UnitRecord[], live: readonly LiveReport[]): Promise<void> {
    const now = performance.now();
    if (!maySplit(run) || now - this.#lookedAt < LOOK_EVERY_MS) return;
    this.#lookedAt = now;
    this.#sample(units, live, now);
    if (this.#awaited) return this.#splitWhenDurable(units, now);
    const straggler = hasRoom(run, units) ? this.#straggler(units) : null;
    if (!straggler || !(await this.#isAnyoneIdle())) return;
    this.#awaited = { unit: straggler.id, beyondSeq: straggler.cursorSeq, sinceMs: now };
    requestCheckpoint(this.#ctx, run.id);
  }

  async #splitWhenDurable(units: readonly UnitRecord[], now: number): Promise<void> {
    const awaited = this.#awaited;
    const unit = units.find(({ id }) => id === awaited?.unit);
    if (!awaited || !unit || now - awaited.sinceMs > CHECKPOINT_WITHIN_MS) {
      this.#awaited = null;
      return;
    }
    if (unit.cursorSeq <= awaited.beyondSeq) return;
    this.#awaited = null;
    await this.#split(unit);
  }

  async #split({ runId, id }: UnitRecord): Promise<void> {
    const { ledger, log } = this.#ctx;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      // Its owner writes twice a second: with what is older than that, the compare-and-set would fail.
      const found = await ledger.getUnit(runId, id);
      const planned = found && plannedAs(this.#plan, found.record);
      if (!found || !planned || !isSplittable(found.record, planned) || isWriting(found.record, this.#plan)) return;
      const shares = halves(
        planned.partitions,
        (partition) => this.#plan.partitions[partition]?.expected?.maxEvents ?? 0,
      );
      const split = splitUnit(found.record, shares);
      if ((await ledger.putUnit(split, found.revision)) === null) continue;
      await createHeirs(ledger, this.#plan, [split]);
      const into = split.splitInto.map((heir) => `${heir.id} (${heir.partitions.length} partitions)`);
      log.info({ run: runId, unit: id, into, fromSeq: split.cursorSeq + 1 }, "a unit that lags was split");
      return;
    }
  }

  /** The one that will end last, where that is long after the others. */
  #straggler(units: readonly UnitRecord[]): UnitRecord | null {
    let last: { unit: UnitRecord; leftMs: number } | null = null;
    for (const unit of units) {
      const planned = plannedAs(this.#plan, unit);
      if (!planned || !isSplittable(unit, planned) || isWriting(unit, this.#plan)) continue;
      if (this.#foldShare(unit) < LEAST_FOLD_SHARE) continue;
      const leftMs = this.#leftMs(unit);
      if (leftMs !== null && leftMs >= this.#minMs && leftMs > (last?.leftMs ?? 0)) last = { unit, leftMs };
    }
    return last?.unit ?? null;
  }

  #sample(units: readonly UnitRecord[], reports: readonly LiveReport[], atMs: number): void {
    for (const { id, state, epoch, live } of units) {
      const report = reports.find((each) => each.unit === id && each.epoch === epoch);
      if (state !== "running" || !report) {
        this.#samples.delete(id);
        continue;
      }
      const { fetch: fetchMicros, fold: foldMicros } = report.stageMicros;
      const kept = (this.#samples.get(id) ?? []).filter((sample) => atMs - sample.atMs <= RATE_WINDOW_MS);
      this.#samples.set(id, [...kept, { atMs, readSeq: live.readSeq, fetchMicros, foldMicros }]);
    }
  }

  /** Of the last seconds' work: a unit of a shuffled run may have waited long for its first slices, and fold ever since. */
  #foldShare({ id }: UnitRecord): number {
    const { oldest, newest } = this.#window(id);
    if (!oldest || !newest) return 0;
    const fold = newest.foldMicros - oldest.foldMicros;
    return fold / Math.max(1, newest.fetchMicros - oldest.fetchMicros + fold);
  }

  /** At the rate of the last seconds; null where that is not known. */
  #leftMs({ id, live }: UnitRecord): number | null {
    const { oldest, newest } = this.#window(id);
    if (!oldest || !newest || newest.readSeq <= oldest.readSeq) return null;
    const left = this.#plan.range.toSeq - live.readSeq;
    return (left * (newest.atMs - oldest.atMs)) / (newest.readSeq - oldest.readSeq);
  }

  #window(id: string): { oldest: Sample | undefined; newest: Sample | undefined } {
    const samples = this.#samples.get(id) ?? [];
    return { oldest: samples[0], newest: samples.at(-1) };
  }

  /** Redis that is away has nobody to offer. */
  async #isAnyoneIdle(): Promise<boolean> {
    try {
      const [workers, { waiting, active }] = await Promise.all([
        this.#ctx.queue.workerCount(),
        this.#ctx.queue.counts(),
      ]);
      return waiting === 0 && workers > active;
    } catch {
      return false;
    }
  }
}

/** Whether this run may split units at all, now. */
export function maySplit(run: RunRecord): boolean {
  const { maxRate, maxBytesRate } = ratesOf(run);
  // A unit that is held back on purpose lags for no other reason, and another reader is what is to be spared.
  if (maxRate !== null || maxBytesRate !== null) return false;
  return letsUnitsBeSplit(run.settings);
}

/** Its entries are on their way, or about to be: what is left is not folding. */
function isWriting({ live }: UnitRecord, { range }: Plan): boolean {
  return live.entriesWritten > 0 || live.readSeq >= range.toSeq;
}

/** `--parallel` bounds those that a split makes as well. */
function hasRoom({ settings }: RunRecord, units: readonly UnitRecord[]): boolean {
  const atWork = units.filter(
    ({ kind, state }) => kind === "partition" && (state === "running" || state === "pending"),
  );
  return atWork.length < settings.parallel;
}

/** Makes the records of those that go on for split units, where they are not there yet: a coordinator may die before it does. */
export async function createHeirs(ledger: Ledger, plan: Plan, units: readonly UnitRecord[]): Promise<void> {
  const known = new Set(units.map(({ id }) => id));
  for (const unit of units) {
    if (unit.state !== "split") continue;
    // Where one is there already, it may be at work: it stays as it is.
    for (const heir of heirsOf(unit, plan)) if (!known.has(heir.id)) await ledger.putUnit(heir, 0);
  }
}

/** The plan and the units as they are at work now; an heir whose record is not made yet is as it will be. */
export function withHeirs(plan: Plan, units: readonly UnitRecord[]): { plan: Plan; units: UnitRecord[] } {
  const known = new Set(units.map(({ id }) => id));
  const heirs = units.filter(({ state }) => state === "split").flatMap((unit) => heirsOf(unit, plan));
  return afterSplits(plan, [...units, ...heirs.filter(({ id }) => !known.has(id))]);
}
