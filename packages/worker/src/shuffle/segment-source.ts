import { plannedIdOf, SegmentLostError, SourceChangedError, type StreamMessage } from "@cim-replay/core";
import { type Ledger, lostText, type SegmentStore } from "@cim-replay/nats";
import type { UnitContext } from "../unit-context.ts";
import type { SourceStart, UnitSource } from "../unit-source.ts";
import { type PackedSlice, packedSlice } from "./packed-slices.ts";
import { placeOf } from "./segment-layout.ts";
import { BadSegment, SegmentUnpacker } from "./segment-unpacker.ts";

/** A quarter of what the server lets a client leave waiting. */
const MAX_AHEAD_BYTES = 16 * 1024 * 1024;
const SHARE_OF_MEMORY = 16;

/**
 * The unit reads what slice units packed for it, slice after slice, each as soon as it is packed. Who goes on for a share of a
 * split unit reads what was packed for that one, and leaves what is not its own.
 */
export class SegmentSource implements UnitSource {
  readonly deliveredBySlice: number[];
  readonly #context: UnitContext;
  readonly #ledger: Ledger;
  readonly #store: Pick<SegmentStore, "read">;
  /** The unit of the plan that they are packed for. */
  readonly #packedFor: string;
  readonly #packed: PackedSlice[] = [];
  #slice = 0;

  constructor(
    context: UnitContext,
    books: { ledger: Ledger; segments: Pick<SegmentStore, "read"> },
    start: SourceStart,
  ) {
    this.#context = context;
    this.#ledger = books.ledger;
    this.#store = books.segments;
    this.#packedFor = plannedIdOf(context.claim.record);
    this.deliveredBySlice = [...start.deliveredBySlice];
  }

  async *read(fromSeq: number): AsyncGenerator<readonly StreamMessage[]> {
    const { plan, signal } = this.#context;
    for (const [slice, { toSeq }] of plan.slices.entries()) {
      if (toSeq < fromSeq) continue;
      const packed = await packedSlice(this.#ledger, plan, { slice, unit: this.#packedFor }, signal);
      this.#packed.push(packed);
      yield* this.#readSlice(packed, fromSeq);
    }
  }

  delivered(seq: number): void {
    const { slices } = this.#context.plan;
    while (seq > (slices[this.#slice]?.toSeq ?? Number.POSITIVE_INFINITY)) this.#slice += 1;
    this.deliveredBySlice[this.#slice] = (this.deliveredBySlice[this.#slice] ?? 0) + 1;
  }

  close(): number {
    const { unit } = this.#context;
    for (const { slice, events } of this.#packed) {
      const delivered = this.deliveredBySlice[slice];
      if (delivered === events) continue;
      throw new SourceChangedError(
        `Cannot account for slice ${slice} in unit ${unit.id}: ${delivered} of its events came, and ${events} were packed. Start a new run.`,
      );
    }
    return 0;
  }

  async *#readSlice(packed: PackedSlice, fromSeq: number): AsyncGenerator<readonly StreamMessage[]> {
    const { slice, epoch, unit } = packed;
    const unpacker = new SegmentUnpacker(placeOf({ runId: this.#context.plan.runId, slice, epoch }, unit));
    let index = 0;
    for await (const payload of this.#payloads(packed)) {
      const messages = unpack(unpacker, payload, (what) => this.#lost(packed, index, what));
      index += 1;
      const wanted = messages[0] && messages[0].seq < fromSeq ? messages.filter(({ seq }) => seq >= fromSeq) : messages;
      if (wanted.length > 0) yield wanted;
    }
    if (unpacker.isWhole && unpacker.events === packed.events && unpacker.sha256 === packed.sha256) return;
    throw this.#lost(packed, Math.max(0, index - 1), "and those before it are not the ones that were packed");
  }

  /** In order, a bounded number of them under way. */
  async *#payloads(packed: PackedSlice): AsyncGenerator<Uint8Array> {
    const { plan, gauge, signal, maxMessageBytes, run } = this.#context;
    const memory = (run.settings.memoryLimitBytes ?? Number.POSITIVE_INFINITY) / SHARE_OF_MEMORY;
    const most = Math.max(1, Math.floor(Math.min(MAX_AHEAD_BYTES, memory) / maxMessageBytes));
    const ahead: Promise<Uint8Array>[] = [];
    for (let asked = 0; ; ) {
      while (asked < packed.segments && ahead.length < most) {
        const { slice, epoch, unit } = packed;
        const coming = this.#store.read({ runId: plan.runId, slice, epoch }, unit, asked++, signal);
        // Waited for in its turn, perhaps later than it fails.
        coming.catch(() => undefined);
        ahead.push(coming);
      }
      const next = ahead.shift();
      if (!next) break;
      const payload = await next;
      gauge.heldBytes = payload.byteLength * (ahead.length + 1);
      yield payload;
    }
    gauge.heldBytes = 0;
  }

  #lost({ slice, epoch, unit }: PackedSlice, index: number, what: string): SegmentLostError {
    return new SegmentLostError(lostText({ runId: this.#context.plan.runId, slice, epoch }, unit, index, what));
  }
}

function unpack(unpacker: SegmentUnpacker, payload: Uint8Array, lost: (what: string) => SegmentLostError) {
  try {
    return unpacker.take(payload);
  } catch (error) {
    throw error instanceof BadSegment ? lost(error.message) : error;
  }
}
