import { setImmediate as turn } from "node:timers/promises";
import { ReplayError, type StreamMessage, traced, type UnitCounts } from "@cim-replay/core";
import { CheckpointSchedule } from "./checkpoint-schedule.ts";
import { Checkpointer, restoreCheckpoints } from "./checkpointer.ts";
import { blockStart, ContentDigest } from "./content-digest.ts";
import { type ExistingEntries, readExistingEntries } from "./continue-from-entries.ts";
import type { AttemptPass, UnitContext } from "./unit-context.ts";
import { UnitFold, type UnitFoldOptions } from "./unit-fold.ts";
import type { OpenSource, UnitSource } from "./unit-source.ts";
import { WorkingSet } from "./working-set.ts";

/** Between two turns of the event loop, whatever the batch size. */
const FOLD_AT_MOST_MS = 100;
const MESSAGES_BETWEEN_CLOCKS = 16;
/** More bad events than this are no bad events but a wrong template or envelope: keeping them all helps nobody. */
const MAX_BAD_EVENTS = 10_000;

/** One reading of a unit's range, from its last checkpoint to the end: fetch, decode, fold, checkpoint. */
export class UnitPass implements AttemptPass {
  readonly fold: UnitFold;
  readonly working: WorkingSet;
  readonly #context: UnitContext;
  readonly #source: UnitSource;
  readonly #checkpointer: Checkpointer;
  readonly #digest: ContentDigest;
  /** First sequence to fold; reading begins at the start of its block, for the digest. */
  readonly #fromSeq: number;
  readonly #readFromSeq: number;
  readonly #existing: ExistingEntries | null;
  #lastSeq: number;
  readonly #schedule: CheckpointSchedule;

  private constructor(
    context: UnitContext,
    fold: UnitFold,
    parts: {
      source: UnitSource;
      checkpointer: Checkpointer;
      digest: ContentDigest;
      fromSeq: number;
      readFromSeq: number;
      existing: ExistingEntries | null;
      working: WorkingSet;
    },
  ) {
    this.#context = context;
    this.fold = fold;
    this.working = parts.working;
    this.#source = parts.source;
    this.#checkpointer = parts.checkpointer;
    this.#digest = parts.digest;
    this.#fromSeq = parts.fromSeq;
    this.#readFromSeq = parts.readFromSeq;
    this.#existing = parts.existing;
    this.#lastSeq = parts.fromSeq - 1;
    this.#schedule = new CheckpointSchedule(context.run.settings.checkpointInterval, this.#own());
  }

  /** Stands where the unit's last checkpoint left it, or at the start. */
  static async start(context: UnitContext, openSource: OpenSource): Promise<UnitPass> {
    const { plan, run, log } = context;
    const working = await WorkingSet.open(plan.domain, run.settings, log);
    try {
      return await UnitPass.#startWith(context, openSource, working);
    } catch (error) {
      working.close();
      throw error;
    }
  }

  static async #startWith(context: UnitContext, openSource: OpenSource, working: WorkingSet): Promise<UnitPass> {
    const { claim, plan, run, unit } = context;
    const record = claim.record;
    const existing = run.settings.continueFromEntries
      ? await readExistingEntries({ ...context, partitions: unit.partitions.length, working })
      : null;
    const meta = await restoreCheckpoints(
      context.checkpoints,
      record,
      () => working.aggregates,
      () => working.relieve(record.counts.delivered),
    );
    const fromSeq = Math.max(plan.range.fromSeq, record.cursorSeq + 1);
    const readFromSeq = Math.max(plan.range.fromSeq, blockStart(fromSeq));
    const digest = new ContentDigest(unit.partitions.length, readFromSeq, meta?.content ?? null);
    const fold = new UnitFold({
      ...foldOptions(context),
      aggregates: working.aggregates,
      digest,
      ...(existing && { seed: existing.seed }),
    });
    if (meta) fold.restore(meta);
    return new UnitPass(context, fold, {
      fromSeq,
      readFromSeq,
      digest,
      existing,
      working,
      source: openSource({ fromSeq, deliveredBySlice: meta?.deliveredBySlice ?? plan.slices.map(() => 0) }),
      checkpointer: new Checkpointer(context.checkpoints, claim, {
        maxBytes: context.maxMessageBytes,
        knownBelow: fold.aggregates.size,
      }),
    });
  }

  /** Its states are gone then. */
  close(): void {
    this.working.close();
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

  /** With what entries hold whose aggregates had no event in the range. */
  get deliveredByPartition(): number[] {
    const others = this.#existing?.eventsOfOthers(this.fold.aggregates.all());
    return this.fold.deliveredByPartition.map((delivered, at) => delivered + (others?.[at] ?? 0));
  }

  /** Once the read has ended. */
  contentByPartition(): { events: number; sha256: string }[] {
    return this.#digest.end();
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
        if (this.fold.badEvents.length > 0) await this.#quarantine();
        const isDue = this.#context.checkpointRequested || this.#schedule.isDue(this.#own(), this.#readShare());
        if (isDue && (await this.checkpoint()) === "rewind") return "rewind";
        await this.#relieve();
        // The event loop must turn, or locks, heartbeats and sockets starve.
        await turn();
        signal.throwIfAborted();
        if (pace.isLimited) await pace.keep(this.#own() - ownBefore, bytesOf(batch, first, from), signal);
      }
      waitingSince = performance.now();
    }
    await this.#checkpointer.settle();
    if (this.fold.toSkip.length > 0) return "rewind";
    this.fold.counts.deleted = this.#source.close();
    return "ended";
  }

  /** Makes durable what was folded; "rewind" where that is not to be trusted. */
  async checkpoint(): Promise<"begun" | "rewind"> {
    if (this.fold.toSkip.length > 0) {
      // One still on its way would land under the next pass, and a base would remove what that one builds upon.
      await this.#checkpointer.settle();
      return "rewind";
    }
    const startedAt = performance.now();
    this.#context.checkpointRequested = false;
    await traced("checkpoint", { "cim_replay.seq": this.#lastSeq }, () =>
      this.#checkpointer.begin(
        this.fold.aggregates,
        this.#meta(),
        this.#lastSeq,
        this.working.isTight ? () => this.working.watch(this.fold.counts.delivered) : null,
      ),
    );
    const costMs = performance.now() - startedAt;
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

  async #relieve(): Promise<void> {
    await this.working.relieve(this.fold.counts.delivered);
    this.fold.aggregates = this.working.aggregates;
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
      this.fold.take(message);
      this.#lastSeq = message.seq;
      if (next % MESSAGES_BETWEEN_CLOCKS === 0 && performance.now() - startedAt > FOLD_AT_MOST_MS) break;
    }
    this.#context.stages.fold += performance.now() - startedAt;
    return next;
  }

  async #quarantine(): Promise<void> {
    const { plan, run, quarantine, claim } = this.#context;
    const bad = this.fold.badEvents;
    this.fold.badEvents = [];
    await Promise.all(
      bad.map(({ message, ...what }) =>
        quarantine.put({
          runId: run.id,
          domain: plan.domain,
          unit: claim.record.id,
          stream: plan.stream.name,
          seq: message.seq,
          subject: message.subject,
          data: message.data,
          headers: message.headers,
          ...what,
        }),
      ),
    );
    const { quarantined } = this.fold.counts;
    if (quarantined <= Math.max(MAX_BAD_EVENTS, run.settings.skipErrors)) return;
    throw new ReplayError(
      `Cannot replay ${plan.domain}: ${quarantined} events cannot be taken, the last at sequence ${this.#lastSeq} (${bad.at(-1)?.reason}). ` +
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
    const { counts, deliveredByPartition, firstParkedSeq, parkedAggregates } = this.fold;
    return {
      counts: { ...counts },
      deliveredBySlice: this.deliveredBySlice,
      deliveredByPartition: [...deliveredByPartition],
      firstParkedSeq,
      parkedAggregates,
      content: this.#digest.marks(this.#lastSeq + 1),
    };
  }
}

function bytesOf(batch: readonly StreamMessage[], from: number, to: number): number {
  let bytes = 0;
  for (let at = from; at < to; at++) bytes += batch[at]?.data.byteLength ?? 0;
  return bytes;
}

function foldOptions(context: UnitContext): Omit<UnitFoldOptions, "aggregates" | "digest"> {
  const { claim, run, unit, codec, projection, filter, partitionOf, careful } = context;
  const { timeBasis, fromTimeMs, toTimeMs, continueFromEntries, skipErrors } = run.settings;
  const byEventTime = timeBasis === "event";
  return {
    codec,
    projection,
    filter,
    partitionOf,
    careful,
    skipErrors,
    takesNameless: unit.partitions.includes(0),
    // A run that goes on from entries takes all that they lack: leaving out what is older would leave a hole.
    fromTimeMs: byEventTime && !continueFromEntries ? fromTimeMs : null,
    toTimeMs: byEventTime ? toTimeMs : null,
    badSequences: new Set(claim.record.badSequences),
    partitions: unit.partitions.length,
  };
}
