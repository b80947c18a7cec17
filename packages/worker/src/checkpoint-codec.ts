import { ReplayError, type UnitCounts, unitCountsSchema } from "@cim-replay/core";
import { z } from "zod";
import type { Aggregate, Aggregates } from "./aggregate-table.ts";
import type { DigestMark } from "./content-digest.ts";
import { assertPackable } from "./packable.ts";
import { packChunk, unpackChunk } from "./packed-chunk.ts";

/** Where one projection's fold has come to, beside its states. */
export interface FoldMark {
  readonly counts: UnitCounts;
  readonly deliveredByPartition: number[];
  readonly firstParkedSeq: number | null;
  readonly parkedAggregates: number;
}

/** What a checkpoint holds beside states: everything a unit needs to go on as if it had never stopped. */
export interface CheckpointMeta extends FoldMark {
  readonly deliveredBySlice: number[];
  /** Of the run's further projections, in their order; absent where there are none. */
  readonly otherTargets?: FoldMark[] | undefined;
  /** By partition, at the start of the block of sequences in which the checkpoint lies. */
  readonly content: DigestMark[];
}

const TARGET_CHUNK_BYTES = 256 * 1024;

const numbers = z.array(z.int().nonnegative());
const foldMark = {
  counts: unitCountsSchema,
  deliveredByPartition: numbers,
  firstParkedSeq: z.int().nullable(),
  parkedAggregates: z.int().nonnegative(),
};
const chunkSchema = z.strictObject({
  meta: z
    .strictObject({
      ...foldMark,
      deliveredBySlice: numbers,
      otherTargets: z.array(z.strictObject(foldMark)).optional(),
      content: z.array(z.strictObject({ events: z.int().nonnegative(), chain: z.string() })),
    })
    .nullable(),
  /** Whose states these are; absent: the first target's. */
  target: z.int().positive().optional(),
  rows: z.array(
    z.tuple([
      z.int().nonnegative(),
      z.unknown(),
      z.int(),
      z.int(),
      z.int(),
      z.string().nullable(),
      z.number().nullable(),
      z.boolean(),
      /** Only where the aggregate is new to the chain of checkpoints: routing key, id, partition. */
      z.tuple([z.string(), z.string(), z.int()]).nullable(),
    ]),
  ),
});
type Chunk = z.infer<typeof chunkSchema>;
type Row = Chunk["rows"][number];

/** Of one target: aggregates, and the table's size at the checkpoint before, whose chain names the older ones. */
export interface StatesToPack {
  readonly aggregates: Iterable<Aggregate>;
  readonly knownBelow: number;
}

/**
 * Packs each target's aggregates into chunks of at most `maxBytes`. Throws ReplayError where a state cannot be packed, or
 * alone is too large.
 */
export function* packCheckpoint(
  targets: readonly StatesToPack[],
  meta: CheckpointMeta,
  maxBytes: number,
): Generator<Uint8Array> {
  yield packChunk({ meta, rows: [] } satisfies Chunk, () => undefined);
  for (const [at, states] of targets.entries()) yield* packStates(states, at === 0 ? {} : { target: at }, maxBytes);
}

function* packStates(
  { aggregates, knownBelow }: StatesToPack,
  of: Pick<Chunk, "target">,
  maxBytes: number,
): Generator<Uint8Array> {
  const source = aggregates[Symbol.iterator]();
  const waiting: Aggregate[] = [];
  for (let rowsPerChunk = 128; ; ) {
    fill(waiting, source, rowsPerChunk);
    if (waiting.length === 0) return;
    const some = waiting.slice(0, rowsPerChunk);
    const rows = some.map((aggregate) => toRow(aggregate, knownBelow));
    const bytes = packChunk({ meta: null, ...of, rows } satisfies Chunk, () => {
      for (const { state, key } of some) assertPackable(state, key);
    });
    if (bytes.length > maxBytes) {
      if (rows.length === 1) throw tooLarge(some[0], bytes.length, maxBytes);
      rowsPerChunk = Math.max(1, rowsPerChunk >> 1);
      continue;
    }
    yield bytes;
    waiting.splice(0, rows.length);
    rowsPerChunk = Math.max(1, Math.floor((rows.length * TARGET_CHUNK_BYTES) / bytes.length));
  }
}

function fill(waiting: Aggregate[], source: Iterator<Aggregate>, count: number): void {
  while (waiting.length < count) {
    const next = source.next();
    if (next.done) return;
    waiting.push(next.value);
  }
}

/**
 * Puts a chunk's states into its target's table; returns the meta where the chunk is a checkpoint's first. Throws ReplayError where
 * the bytes are no chunk, or not the one that follows.
 */
export function unpackCheckpoint(bytes: Uint8Array, tables: readonly Aggregates[]): CheckpointMeta | null {
  const chunk = parseChunk(bytes);
  const table = tables[chunk.target ?? 0];
  if (!table)
    throw new ReplayError("Cannot read a checkpoint: it is of more targets than the run has. Start a new run.");
  for (const row of chunk.rows) restoreRow(row, table);
  return chunk.meta;
}

function toRow(aggregate: Aggregate, knownBelow: number): Row {
  const isNew = aggregate.index >= knownBelow;
  return [
    aggregate.index,
    aggregate.state,
    aggregate.events,
    aggregate.lastSeq,
    aggregate.appliedUpToSeq,
    aggregate.lastCid,
    aggregate.lastEnvelopeSequence,
    aggregate.parked,
    isNew ? [aggregate.routeKey, aggregate.id, aggregate.partition] : null,
  ];
}

function restoreRow(row: Row, table: Aggregates): void {
  const [index, state, events, lastSeq, appliedUpToSeq, lastCid, lastEnvelopeSequence, parked, identity] = row;
  const aggregate = table.at(index) ?? (identity && table.add(...identity));
  if (!aggregate || aggregate.index !== index) {
    throw new ReplayError(
      `Cannot read a checkpoint: it names aggregate number ${index}, which no checkpoint before it introduced. Start a new run.`,
    );
  }
  Object.assign(aggregate, { state, events, lastSeq, appliedUpToSeq, lastCid, lastEnvelopeSequence, parked });
  table.restored(aggregate);
}

function parseChunk(bytes: Uint8Array): Chunk {
  try {
    return chunkSchema.parse(unpackChunk(bytes));
  } catch (error) {
    throw new ReplayError("Cannot read a checkpoint: it is none that this version writes. Start a new run.", {
      cause: error,
    });
  }
}

function tooLarge(aggregate: Aggregate | undefined, bytes: number, maxBytes: number): ReplayError {
  return new ReplayError(
    `Cannot checkpoint the state of ${aggregate?.key}: it packs to ${bytes} bytes, a message holds ${maxBytes}. ` +
      "Run with --checkpoint-interval none, or raise the server's max_payload.",
  );
}
