import { setImmediate as turn } from "node:timers/promises";
import { type CheckpointRef, shareOf, type UnitRecord } from "@cim-replay/core";
import type { CheckpointStore } from "@cim-replay/nats";
import type { Aggregates } from "./aggregate-table.ts";
import { type CheckpointMeta, packCheckpoint, unpackCheckpoint } from "./checkpoint-codec.ts";
import type { UnitClaim } from "./unit-claim.ts";
import type { WorkingSet } from "./working-set.ts";

/** Full states are written again once the changes since the last full set outweigh it so many times. */
const BASE_AFTER_TIMES = 8;
const MAX_CHAIN = 100;
const PACK_AT_MOST_MS = 50;

/**
 * Makes a unit's progress durable: the fold waits while states are packed; they are sent and committed behind its back. The ledger's
 * record names a checkpoint only when all its messages are stored, so that a half-written one never counts.
 */
export class Checkpointer {
  readonly #store: CheckpointStore;
  readonly #claim: UnitClaim;
  readonly #maxBytes: number;
  #chain: CheckpointRef[];
  #number: number;
  /** By target. */
  #knownBelow: readonly number[];
  #committing: Promise<void> = Promise.resolve();
  committed = 0;

  constructor(store: CheckpointStore, claim: UnitClaim, options: { maxBytes: number; knownBelow: readonly number[] }) {
    this.#store = store;
    this.#claim = claim;
    this.#maxBytes = options.maxBytes;
    this.#chain = [...claim.record.checkpoints];
    this.#number = this.#chain.at(-1)?.number ?? 0;
    this.#knownBelow = options.knownBelow;
  }

  /**
   * Waits for the checkpoint before this one only; `settle` waits for this one. Once it returns, states are packed as they
   * were, whatever is folded from then on. With `onPacked`, told of each chunk, they are packed one by one, because memory has no room for
   * all of them, and it waits for this one too. Returns the milliseconds that it took of the fold.
   */
  async begin(
    tables: readonly Aggregates[],
    meta: CheckpointMeta,
    seq: number,
    onPacked: (() => void) | null = null,
  ): Promise<number> {
    const askedAt = performance.now();
    await this.#committing;
    const waitedMs = performance.now() - askedAt;
    const changed = tables.map((table) => table.takeChanged());
    const size = tables.reduce((sum, table) => sum + table.size, 0);
    const base = this.#isBaseDue(size);
    const states = tables.map((table, at) =>
      base
        ? { aggregates: table.all(), knownBelow: 0 }
        : { aggregates: changed[at] ?? [], knownBelow: this.#knownBelow[at] ?? 0 },
    );
    const packing = packCheckpoint(states, meta, this.#maxBytes);
    this.#knownBelow = tables.map((table) => table.size);
    const { chunks, tookMs } = onPacked ? { chunks: telling(packing, onPacked), tookMs: null } : await packAll(packing);
    const committing = this.#commit(chunks, meta, {
      seq,
      base,
      aggregates: size,
      rows: base ? size : changed.reduce((sum, { length }) => sum + length, 0),
      hottest: tables[0]?.hottest ?? null,
    });
    // The loop meets a failure at its next checkpoint; until then it must not count as unhandled.
    committing.catch(() => undefined);
    this.#committing = committing;
    if (tookMs !== null) return waitedMs + tookMs;
    await committing;
    return performance.now() - askedAt;
  }

  settle(): Promise<void> {
    return this.#committing;
  }

  async #commit(
    chunks: Iterable<Uint8Array>,
    meta: CheckpointMeta,
    at: Pick<CheckpointRef, "seq" | "base" | "aggregates" | "rows"> & Pick<UnitRecord, "hottest">,
  ): Promise<void> {
    const { runId, id, epoch } = this.#claim.record;
    const number = ++this.#number;
    const stored = await this.#store.write(runId, id, epoch, number, chunks);
    const { hottest, ...made } = at;
    const ref: CheckpointRef = { number, epoch, ...made, ...stored };
    const chain = at.base ? [ref] : [...this.#chain, ref];
    const { content, deliveredBySlice, otherTargets, ...first } = meta;
    await this.#claim.update((unit) => ({
      ...unit,
      ...first,
      deliveredBySlice,
      hottest: (hottest?.events ?? 0) > (unit.hottest?.events ?? 0) ? hottest : unit.hottest,
      cursorSeq: at.seq,
      checkpoints: chain,
      otherTargets: unit.otherTargets.map((figures, i) => ({ ...figures, ...otherTargets?.[i] })),
    }));
    this.#chain = chain;
    this.committed += 1;
    if (at.base) await this.#store.purge(runId, id, ref.fromMessage);
  }

  /** `size`: states that a base would hold. */
  #isBaseDue(size: number): boolean {
    if (this.#chain.length === 0) return true;
    if (this.#chain.length >= MAX_CHAIN) return true;
    const bytes = this.#chain.reduce((sum, ref) => sum + ref.bytes, 0);
    const rows = this.#chain.reduce((sum, ref) => sum + ref.rows, 0);
    const fullBytes = (bytes / Math.max(1, rows)) * size;
    return bytes > fullBytes * BASE_AFTER_TIMES;
  }
}

/** Lets the event loop turn meanwhile: a million states take longer than a silent worker keeps its unit. */
async function packAll(packing: Iterable<Uint8Array>): Promise<{ chunks: Uint8Array[]; tookMs: number }> {
  const chunks: Uint8Array[] = [];
  // What other units do at each turn is not this one's.
  let tookMs = 0;
  let turnedAt = performance.now();
  for (const chunk of packing) {
    chunks.push(chunk);
    const sinceMs = performance.now() - turnedAt;
    if (sinceMs < PACK_AT_MOST_MS) continue;
    tookMs += sinceMs;
    await turn();
    turnedAt = performance.now();
  }
  return { chunks, tookMs: tookMs + performance.now() - turnedAt };
}

function* telling<Item>(items: Iterable<Item>, onEach: () => void): Generator<Item> {
  for (const item of items) {
    onEach();
    yield item;
  }
}

/** Whose tables are filled; they may be others after `relieve`. */
export type Restored = Pick<WorkingSet, "tables" | "relieve">;

/**
 * As `restoreCheckpoints`, for one that goes on for a split unit and has no checkpoint of its own yet: from the other's, what is
 * of its own partitions.
 */
export async function restoreInherited(
  store: CheckpointStore,
  unit: UnitRecord,
  into: Restored & Pick<WorkingSet, "emptyCopy">,
): Promise<CheckpointMeta | null> {
  const { heirOf } = unit;
  if (!heirOf || unit.checkpoints.length > 0) return restoreCheckpoints(store, unit, into);
  const { partitions: from, own, takesRest, checkpoints } = heirOf;
  const whole = await into.emptyCopy();
  let meta: CheckpointMeta | null;
  try {
    meta = await restoreCheckpoints(store, { ...unit, id: heirOf.unit, checkpoints }, whole);
    await takeOver(whole, into, (partition) => own.indexOf(from[partition] ?? -1));
  } finally {
    whole.close();
  }
  if (!meta) return null;
  const share = { from, own, takesRest };
  return {
    ...meta,
    ...shareOf(meta, share),
    content: own.map((partition) => meta.content[from.indexOf(partition)] ?? { events: 0, chain: "" }),
    otherTargets: meta.otherTargets?.map((mark) => ({ ...mark, ...shareOf(mark, share) })),
  };
}

/** Those whose partition has a place in the other set; −1 where it has none. */
async function takeOver(whole: WorkingSet, into: Restored, placeOf: (partition: number) => number): Promise<void> {
  for (const [at, inherited] of whole.tables.entries()) {
    for (const aggregate of inherited.all()) {
      const partition = placeOf(aggregate.partition);
      if (partition < 0) continue;
      const { routeKey, id, state, events, lastSeq, appliedUpToSeq, lastCid, lastEnvelopeSequence, parked } = aggregate;
      const kept = { state, events, lastSeq, appliedUpToSeq, lastCid, lastEnvelopeSequence, parked };
      const table = into.tables[at];
      const added = table?.add(routeKey, id, partition);
      if (added) table?.restored(Object.assign(added, kept));
      await into.relieve(0);
    }
  }
}

/** Reads a unit's chain of checkpoints into the targets' tables; the last one's meta, or null where there is none. */
export async function restoreCheckpoints(
  store: CheckpointStore,
  unit: UnitRecord,
  into: Restored,
): Promise<CheckpointMeta | null> {
  let meta: CheckpointMeta | null = null;
  for (const ref of unit.checkpoints) {
    for await (const chunk of store.read(unit.runId, unit.id, ref)) {
      meta = unpackCheckpoint(chunk, into.tables) ?? meta;
      await into.relieve(unit.counts.delivered);
    }
  }
  return meta;
}
