import { setImmediate as turn } from "node:timers/promises";
import {
  type DeletedSequences,
  emptyCounts,
  formatSize,
  type PackedForUnit,
  ReplayError,
  type SequenceRange,
  type StreamMessage,
  type UnitCounts,
  type UnitRecord,
} from "@cim-replay/core";
import type { SegmentStore, SegmentWriter } from "@cim-replay/nats";
import { SequenceAccountant } from "../accountant.ts";
import { MemoryGuard } from "../memory-guard.ts";
import { readRange } from "../read-range.ts";
import type { AttemptContext, AttemptPass, LiveFigures } from "../unit-context.ts";
import { SegmentPacker } from "./segment-packer.ts";
import { placeOf } from "./segment-layout.ts";
import { ELSEWHERE, FOREIGN, sliceRouter } from "./slice-router.ts";

/** Before compression. Larger ones gain nothing; smaller ones cost the server more. */
const SEGMENT_BYTES = 512 * 1024;
const LEAST_SEGMENT_BYTES = 16 * 1024;
/** Of all segments that are being packed. */
const MAX_PACKING_BYTES = 64 * 1024 * 1024;

interface Outgoing {
  readonly unit: string;
  readonly index: number;
  readonly payload: Uint8Array;
}

/** One reading of a slice: fetch, route, pack, store. It is begun anew by whoever takes it over: nothing of it is kept before it is done. */
export class SlicePass implements AttemptPass {
  readonly counts: UnitCounts = emptyCounts();
  readonly lastEventAtMs = null;

  /** It folds nothing. */
  live(): LiveFigures {
    return { applied: 0, quarantined: 0, entriesWritten: 0 };
  }

  readSeq = 0;
  readonly #context: AttemptContext;
  readonly #at: number;
  readonly #slice: SequenceRange;
  readonly #store: SegmentStore;
  readonly #writer: SegmentWriter;
  readonly #accountant: SequenceAccountant;
  readonly #route: (message: StreamMessage) => number;
  readonly #packers: readonly SegmentPacker[];
  /** By partition of the plan: its packer. */
  readonly #packerOf: readonly (SegmentPacker | undefined)[];
  readonly #routed: number[];
  readonly #memory: MemoryGuard;
  #outgoing: Outgoing[] = [];

  constructor(
    context: AttemptContext,
    at: number,
    slice: SequenceRange,
    store: SegmentStore,
    deleted: DeletedSequences,
  ) {
    const { plan, claim, codec } = context;
    this.#context = context;
    this.#memory = new MemoryGuard(context.run.settings);
    this.#at = at;
    this.#slice = slice;
    this.#store = store;
    this.#writer = store.writer({ runId: plan.runId, slice: at, epoch: claim.record.epoch });
    this.#accountant = new SequenceAccountant({
      ...{ stream: plan.stream.name, slices: [slice], deleted, fromSeq: slice.fromSeq, deliveredBySlice: [0] },
    });
    this.counts.deleted = deleted.countWithin(slice);
    this.#route = sliceRouter(codec, plan);
    this.#packers = plan.units.map(({ id }) => this.#packer(id));
    const packerOf = new Map(plan.units.flatMap(({ partitions }, i) => partitions.map((p) => [p, this.#packers[i]])));
    this.#packerOf = plan.partitions.map(({ index }) => packerOf.get(index));
    this.#routed = plan.partitions.map(() => 0);
  }

  /** What the unit's record says of it when it is done. */
  async run(): Promise<Partial<UnitRecord>> {
    const { plan, claim } = this.#context;
    // Whoever was at it before has left what it had stored.
    await this.#store.removeOlder({ runId: plan.runId, slice: this.#at, epoch: claim.record.epoch });
    try {
      await this.#readAndPack();
      for (const packer of this.#packers) packer.flush();
      await this.#send();
      await this.#waitingForStores(() => this.#writer.flush());
    } catch (error) {
      this.#writer.abandon(error instanceof Error ? error : new Error(String(error)));
      throw error;
    }
    this.#accountant.ended(this.#slice.toSeq);
    this.#accountant.assertSlicesClose();
    await claim.prove();
    return {
      cursorSeq: this.#slice.toSeq,
      counts: this.counts,
      deliveredBySlice: plan.slices.map((_, at) => (at === this.#at ? this.counts.delivered : 0)),
      deliveredByPartition: this.#routed,
      packed: this.#packed(),
    };
  }

  /** There is nothing that could be kept. */
  async checkpointAndSettle(): Promise<void> {}

  close(): void {
    this.#outgoing = [];
  }

  async #readAndPack(): Promise<void> {
    const { pace, signal, stages, run } = this.#context;
    let waitingSince = performance.now();
    for await (const batch of readRange(this.#context, this.#slice, [])) {
      stages.fetch += performance.now() - waitingSince;
      for (let from = 0; from < batch.length; ) {
        const to = Math.min(from + pace.step(run.settings.batchSize), batch.length);
        const [ownBefore, bytes] = [this.counts.elsewhere, this.#pack(batch, from, to)];
        from = to;
        await this.#send();
        if (this.#memory.look(this.counts.delivered) === "over") throw this.#exceeded();
        // The event loop must turn, or locks, heartbeats and sockets starve.
        await turn();
        signal.throwIfAborted();
        if (pace.isLimited) await pace.keep(this.counts.elsewhere - ownBefore, bytes, signal);
      }
      waitingSince = performance.now();
    }
  }

  #exceeded(): ReplayError {
    const limit = formatSize(this.#memory.limitBytes ?? 0);
    return new ReplayError(
      `Cannot stay under --memory-limit ${limit}: the worker holds ${formatSize(this.#memory.bytes)} while it packs slice ${this.#at}. ` +
        "Raise the limit, or read less ahead with --prefetch and --batch-size.",
    );
  }

  /** Returns how many bytes the messages hold. */
  #pack(batch: readonly StreamMessage[], from: number, to: number): number {
    const startedAt = performance.now();
    const { counts } = this;
    let bytes = 0;
    for (let at = from; at < to; at++) {
      const message = batch[at];
      if (!message) break;
      this.#accountant.delivered(message.seq);
      counts.delivered += 1;
      this.readSeq = message.seq;
      bytes += message.raw ? message.raw.payloadEnd - message.raw.payloadAt : message.data.byteLength;
      const partition = this.#route(message);
      if (partition === FOREIGN) {
        counts.foreign += 1;
        continue;
      }
      counts.elsewhere += 1;
      if (partition === ELSEWHERE) continue;
      this.#routed[partition] = (this.#routed[partition] ?? 0) + 1;
      this.#packerOf[partition]?.add(message);
    }
    this.#context.stages.fold += performance.now() - startedAt;
    return bytes;
  }

  /** Sends what is packed, where this owner is still the one. */
  async #send(): Promise<void> {
    const outgoing = this.#outgoing;
    if (outgoing.length === 0) return;
    this.#outgoing = [];
    await this.#waitingForStores(async () => {
      await this.#context.claim.prove();
      for (const { unit, index, payload } of outgoing) {
        const room = this.#writer.put(unit, index, payload);
        if (room) await room;
      }
    });
  }

  async #waitingForStores(work: () => Promise<void>): Promise<void> {
    const startedAt = performance.now();
    await work();
    this.#context.stages.write += performance.now() - startedAt;
  }

  #packer(unit: string): SegmentPacker {
    const { plan, run, claim, maxMessageBytes } = this.#context;
    const memory = Math.min(MAX_PACKING_BYTES, (run.settings.memoryLimitBytes ?? Number.POSITIVE_INFINITY) / 8);
    return new SegmentPacker({
      place: placeOf({ runId: plan.runId, slice: this.#at, epoch: claim.record.epoch }, unit),
      segmentBytes: Math.max(LEAST_SEGMENT_BYTES, Math.min(SEGMENT_BYTES, memory / plan.units.length)),
      maxBytes: maxMessageBytes,
      emit: (index, payload) => this.#outgoing.push({ unit, index, payload }),
    });
  }

  #packed(): PackedForUnit[] {
    return this.#context.plan.units.map(({ id }, at) => {
      const { segments = 0, events = 0, bytes = 0, sha256 = "" } = this.#packers[at] ?? {};
      return { unit: id, segments, events, bytes, sha256 };
    });
  }
}
