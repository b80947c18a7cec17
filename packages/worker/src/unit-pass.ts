import { setImmediate as turn } from "node:timers/promises";
import { ReplayError, type StreamMessage, traced, type UnitCounts } from "@cim-replay/core";
import { CheckpointSchedule } from "./checkpoint-schedule.ts";
import { Checkpointer } from "./checkpointer.ts";
import { blockStart } from "./content-digest.ts";
import type { AttemptPass, LiveFigures, UnitContext } from "./unit-context.ts";
import type { UnitFold } from "./unit-fold.ts";
import { UnitFolds } from "./unit-folds.ts";
import type { OpenSource, UnitSource } from "./unit-source.ts";

/** Between two turns of the event loop, whatever the batch size. */
const FOLD_AT_MOST_MS = 100;
const MESSAGES_BETWEEN_CLOCKS = 16;
/** More bad events than this are no bad events but a wrong template or envelope: keeping them all helps nobody. */
const MAX_BAD_EVENTS = 10_000;

/** One reading of a unit's range, from its last checkpoint to the end: fetch, decode, fold, checkpoint. */
export class UnitPass implements AttemptPass {
  readonly folds: UnitFolds;
  readonly #context: UnitContext;
  readonly #source: UnitSource;
  readonly #checkpointer: Checkpointer;
  /** First sequence to fold; reading begins at the start of its block, for the digest. */
  readonly #fromSeq: number;
  readonly #readFromSeq: number;
  #lastSeq: number;
  readonly #schedule: CheckpointSchedule;

  private constructor(
    context: UnitContext,
    folds: UnitFolds,
    parts: { source: UnitSource; checkpointer: Checkpointer; fromSeq: number; readFromSeq: number },
  ) {
    this.#context = context;
    this.folds = folds;
    this.#source = parts.source;
    this.#checkpointer = parts.checkpointer;
    this.#fromSeq = parts.fromSeq;
    this.#readFromSeq = parts.readFromSeq;
    this.#lastSeq = parts.fromSeq - 1;
    this.#schedule = new CheckpointSchedule(context.run.settings.checkpointInterval, this.#own());
  }

  /** Stands where the unit's last checkpoint left it, or at the start. */
  static async start(context: UnitContext, openSource: OpenSource): Promise<UnitPass> {
    const { claim, plan } = context;
    const fromSeq = Math.max(plan.range.fromSeq, claim.record.cursorSeq + 1);
    const readFromSeq = Math.max(plan.range.fromSeq, blockStart(fromSeq));
    const folds = await UnitFolds.open(context, readFromSeq);
    return new UnitPass(context, folds, {
      fromSeq,
      readFromSeq,
      source: openSource({
        fromSeq,
        deliveredBySlice: folds.restored?.deliveredBySlice ?? plan.slices.map(() => 0),
      }),
      checkpointer: new Checkpointer(context.checkpoints, claim, {
        maxBytes: context.maxMessageBytes,
        knownBelow: folds.tables().map(({ size }) => size),
      }),
    });
  }

  /** Of the first target; what it has read and decoded, the others have too. */
  get fold(): UnitFold {
    return this.folds.first;
  }

  /** Its states are gone then. */
  close(): void {
    this.folds.close();
  }

  live(entriesWritten: readonly number[]): LiveFigures {
    return this.folds.live(entriesWritten);
  }

  get counts(): UnitCounts {
    return this.fold.counts;
  }

  get lastEventAtMs(): number | null {
    return this.fold.lastEvent?.timestampMs ?? null;
  }

  get deliveredBySlice(): number[] {
    return [...this.#source.deliveredBySlice];
  }

  /** Once the read has ended. */
  contentByPartition(): { events: number; sha256: string }[] {
    return this.folds.digest.end();
  }

  get readSeq(): number {
    return this.#lastSeq;
  }

  /** Reads to the end of the range; "rewind" where bad events were found that must be left out from the last checkpoint on. */
  async read(): Promise<"ended" | "rewind"> {
    const { run, signal, stages, pace } = this.#context;
    const { settings } = run;
    let waitingSince = performance.now();
    for await (const batch of this.#source.read(this.#readFromSeq)) {
      stages.fetch += performance.now() - waitingSince;
      for (let from = 0; from < batch.length; ) {
        const [first, ownBefore] = [from, this.#own()];
        from = this.#foldBatch(batch, from, Math.min(from + pace.step(settings.batchSize), batch.length));
        if (this.folds.hasBadEvents) await this.#quarantine();
        const isDue = this.#context.checkpointRequested || this.#schedule.isDue(this.#own(), this.#readShare());
        if (isDue && (await this.checkpoint()) === "rewind") return "rewind";
        await this.folds.relieve();
        // The event loop must turn, or locks, heartbeats and sockets starve.
        await turn();
        signal.throwIfAborted();
        if (pace.isLimited) await pace.keep(this.#own() - ownBefore, bytesOf(batch, first, from), signal);
      }
      waitingSince = performance.now();
    }
    await this.#checkpointer.settle();
    if (this.folds.mustRewind) return "rewind";
    const deleted = this.#source.close();
    for (const { fold } of this.folds.all) fold.counts.deleted = deleted;
    return "ended";
  }

  /** Makes durable what was folded; "rewind" where that is not to be trusted. */
  async checkpoint(): Promise<"begun" | "rewind"> {
    if (this.folds.mustRewind) {
      // One still on its way would land under the next pass, and a base would remove what that one builds upon.
      await this.#checkpointer.settle();
      return "rewind";
    }
    this.#context.checkpointRequested = false;
    const costMs = await traced("checkpoint", { "cim_replay.seq": this.#lastSeq }, () =>
      this.#checkpointer.begin(this.folds.tables(), this.#meta(), this.#lastSeq, this.#whilePacking()),
    );
    this.#schedule.made(this.#own(), costMs);
    this.#context.stages.checkpoint += costMs;
    return "begun";
  }

  /** Like `checkpoint`, and waits until it is stored; for a unit that is given back. */
  async checkpointAndSettle(): Promise<void> {
    if (this.#lastSeq < this.#fromSeq) return;
    await this.checkpoint();
    await this.#checkpointer.settle();
  }

  /** Null where there is room for a copy of everything. */
  #whilePacking(): (() => void) | null {
    const { working } = this.folds;
    return working.isTight ? () => working.watch(this.fold.counts.delivered) : null;
  }

  /** Returns where to go on: a slow projection gets fewer than `to`, so that its worker does not seem dead meanwhile. */
  #foldBatch(batch: readonly StreamMessage[], from: number, to: number): number {
    const startedAt = performance.now();
    let next = from;
    while (next < to) {
      const message = batch[next++];
      if (!message) break;
      if (message.seq < this.#fromSeq) {
        this.fold.rehash(message);
        continue;
      }
      this.#source.delivered(message.seq);
      this.folds.take(message);
      this.#lastSeq = message.seq;
      if (next % MESSAGES_BETWEEN_CLOCKS === 0 && performance.now() - startedAt > FOLD_AT_MOST_MS) break;
    }
    this.#context.stages.fold += performance.now() - startedAt;
    return next;
  }

  async #quarantine(): Promise<void> {
    const { plan, run, quarantine, claim, targets } = this.#context;
    const bad = this.folds.takeBadEvents();
    await Promise.all(
      bad.map(({ target, event: { message, ...what } }) =>
        quarantine.put({
          runId: run.id,
          domain: plan.domain,
          unit: claim.record.id,
          stream: plan.stream.name,
          seq: message.seq,
          subject: message.subject,
          data: message.data,
          headers: message.headers,
          projection: target.projection.name,
          ...(targets.length > 1 && { target: target.plan.target.bucket }),
          ...what,
        }),
      ),
    );
    const quarantined = Math.max(...this.folds.all.map(({ fold }) => fold.counts.quarantined));
    if (quarantined <= Math.max(MAX_BAD_EVENTS, run.settings.skipErrors)) return;
    throw new ReplayError(
      `Cannot replay ${plan.domain}: ${quarantined} events cannot be taken, the last at sequence ${this.#lastSeq} (${bad.at(-1)?.event.reason}). ` +
        "That many point at the domain's subject template, envelope or projection: see `replay-status --show-errors`.",
    );
  }

  #readShare(): number {
    const { toSeq } = this.#context.plan.range;
    return (this.#lastSeq - this.#fromSeq + 1) / Math.max(1, toSeq - this.#fromSeq + 1);
  }

  /** Messages of the unit's own partitions. */
  #own(): number {
    const { counts } = this.fold;
    return counts.delivered - counts.foreign - counts.elsewhere;
  }

  #meta() {
    return {
      ...this.folds.marks(),
      deliveredBySlice: this.deliveredBySlice,
      content: this.folds.digest.marks(this.#lastSeq + 1),
    };
  }
}

function bytesOf(batch: readonly StreamMessage[], from: number, to: number): number {
  let bytes = 0;
  for (let at = from; at < to; at++) bytes += batch[at]?.data.byteLength ?? 0;
  return bytes;
}
