import type { CheckpointRef, UnitRecord } from "@cim-replay/core";
import type { CheckpointStore } from "@cim-replay/nats";
import type { Aggregates } from "./aggregate-table.ts";
import { type CheckpointMeta, packCheckpoint, unpackCheckpoint } from "./checkpoint-codec.ts";
import type { UnitClaim } from "./unit-claim.ts";

/** Full states are written again once the changes since the last full set outweigh it so many times. */
const BASE_AFTER_TIMES = 8;
const MAX_CHAIN = 100;

/**
 * Makes a unit's progress durable: states are packed at once, sent and committed behind the fold's back. The ledger's
 * record names a checkpoint only when all its messages are stored, so that a half-written one never counts.
 */
export class Checkpointer {
  readonly #store: CheckpointStore;
  readonly #claim: UnitClaim;
  readonly #maxBytes: number;
  #chain: CheckpointRef[];
  #number: number;
  #knownBelow: number;
  #committing: Promise<void> = Promise.resolve();
  committed = 0;

  constructor(store: CheckpointStore, claim: UnitClaim, options: { maxBytes: number; knownBelow: number }) {
    this.#store = store;
    this.#claim = claim;
    this.#maxBytes = options.maxBytes;
    this.#chain = [...claim.record.checkpoints];
    this.#number = this.#chain.at(-1)?.number ?? 0;
    this.#knownBelow = options.knownBelow;
  }

  /**
   * Waits for the checkpoint before this one only; `settle` waits for this one. Packed at once, states are what they are now
   * whatever is folded meanwhile. With `onPacked`, told of each chunk, they are packed one by one, because memory has no room for
   * all of them, and it waits for this one too.
   */
  async begin(
    table: Aggregates,
    meta: CheckpointMeta,
    seq: number,
    onPacked: (() => void) | null = null,
  ): Promise<void> {
    await this.#committing;
    const changed = table.takeChanged();
    const base = this.#isBaseDue(table);
    const packing = packCheckpoint(base ? table.all() : changed, meta, {
      knownBelow: base ? 0 : this.#knownBelow,
      maxBytes: this.#maxBytes,
    });
    this.#knownBelow = table.size;
    const chunks = onPacked ? telling(packing, onPacked) : [...packing];
    const committing = this.#commit(chunks, meta, {
      seq,
      base,
      aggregates: table.size,
      rows: base ? table.size : changed.length,
    });
    // The loop meets a failure at its next checkpoint; until then it must not count as unhandled.
    committing.catch(() => undefined);
    this.#committing = committing;
    if (onPacked) await committing;
  }

  settle(): Promise<void> {
    return this.#committing;
  }

  async #commit(
    chunks: Iterable<Uint8Array>,
    meta: CheckpointMeta,
    at: { seq: number; base: boolean; aggregates: number; rows: number },
  ): Promise<void> {
    const { runId, id, epoch } = this.#claim.record;
    const number = ++this.#number;
    const stored = await this.#store.write(runId, id, epoch, number, chunks);
    const ref: CheckpointRef = { number, epoch, ...at, ...stored };
    const chain = at.base ? [ref] : [...this.#chain, ref];
    await this.#claim.update((unit) => ({
      ...unit,
      cursorSeq: at.seq,
      checkpoints: chain,
      counts: meta.counts,
      deliveredBySlice: meta.deliveredBySlice,
      deliveredByPartition: meta.deliveredByPartition,
      firstParkedSeq: meta.firstParkedSeq,
      parkedAggregates: meta.parkedAggregates,
    }));
    this.#chain = chain;
    this.committed += 1;
    if (at.base) await this.#store.purge(runId, id, ref.fromMessage);
  }

  #isBaseDue(table: Aggregates): boolean {
    if (this.#chain.length === 0) return true;
    if (this.#chain.length >= MAX_CHAIN) return true;
    const bytes = this.#chain.reduce((sum, ref) => sum + ref.bytes, 0);
    const rows = this.#chain.reduce((sum, ref) => sum + ref.rows, 0);
    const fullBytes = (bytes / Math.max(1, rows)) * table.size;
    return bytes > fullBytes * BASE_AFTER_TIMES;
  }
}

function* telling<Item>(items: Iterable<Item>, onEach: () => void): Generator<Item> {
  for (const item of items) {
    onEach();
    yield item;
  }
}

/**
 * Reads a unit's chain of checkpoints into the table, which may be another one after each `onChunk`; the last one's meta, or
 * null where there is none.
 */
export async function restoreCheckpoints(
  store: CheckpointStore,
  unit: UnitRecord,
  table: () => Aggregates,
  onChunk: () => Promise<void> = async () => undefined,
): Promise<CheckpointMeta | null> {
  let meta: CheckpointMeta | null = null;
  for (const ref of unit.checkpoints) {
    for await (const chunk of store.read(unit.runId, unit.id, ref)) {
      meta = unpackCheckpoint(chunk, table()) ?? meta;
      await onChunk();
    }
  }
  return meta;
}
