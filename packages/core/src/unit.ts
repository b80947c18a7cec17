import { z } from "zod";
import { ReplayError } from "./errors.ts";

/**
 * A work unit's life: `pending → running → done | failed`.
 *
 * - A claim takes a pending unit, or a running one whose owner is gone, and raises the epoch: older epochs are fenced.
 * - A release (pause, SIGTERM, lost server) puts a running unit back to pending, at its last checkpoint.
 * - `done` is final, but for a slice unit: where the segments that it packed are gone, a resumed run has it pack them again.
 * - `failed` goes back to pending only when its run is resumed.
 * - `split` is final: its partitions are those of two new units from its last checkpoint on (`split.ts`).
 */
const UNIT_STATES = ["pending", "running", "done", "failed", "split"] as const;
export type UnitState = (typeof UNIT_STATES)[number];

const unitTransitions: Record<UnitState, readonly UnitState[]> = {
  pending: ["running"],
  running: ["running", "pending", "done", "failed", "split"],
  done: [],
  failed: ["pending"],
  split: [],
};

/** Who folds partitions, and, in a run with source `shuffle`, who packs a slice's events into segments for them. */
const UNIT_KINDS = ["partition", "slice"] as const;
export type UnitKind = (typeof UNIT_KINDS)[number];

const count = z.int().nonnegative();

/**
 * What became of a unit's messages; `delivered` = the sum of the rest but `deleted` and the last six. `delivered + deleted` = what
 * the unit read of the stream: the range, or its slice. Who reads segments is handed what was packed for it, or for the unit it goes on for.
 */
export const unitCountsSchema = z.strictObject({
  delivered: count,
  deleted: count,
  /** Of other domains, or no event of this one by its subject. */
  foreign: count,
  /** Of this domain, in another unit's partitions; in a slice unit: packed for others to fold. */
  elsewhere: count,
  /** Left out by the request's time range or filter. */
  filtered: count,
  /** Already in the entry that a run with `--from-seq` goes on from. */
  alreadyApplied: count,
  applied: count,
  /** Kept in the quarantine: not decodable, or refused by the projection. */
  quarantined: count,
  /** Later events of a parked aggregate, not folded. */
  parked: count,
  /** Reported, and no failure: torn content-id chains, falls and gaps of the envelope's sequence, repeated event ids. */
  tornChains: count,
  sequenceFalls: count,
  sequenceGaps: count,
  repeatedIds: count,
  /** Events that the request's time range takes by their own time and not by the server's receipt, or the other way. */
  timesApart: count,
  /** Of those filtered: the filter's condition could not be evaluated on them. */
  undecided: count.default(0),
});
export type UnitCounts = z.infer<typeof unitCountsSchema>;

export function emptyCounts(): UnitCounts {
  return {
    delivered: 0,
    deleted: 0,
    foreign: 0,
    elsewhere: 0,
    filtered: 0,
    alreadyApplied: 0,
    applied: 0,
    quarantined: 0,
    parked: 0,
    tornChains: 0,
    sequenceFalls: 0,
    sequenceGaps: 0,
    repeatedIds: 0,
    timesApart: 0,
    undecided: 0,
  };
}

/** A committed checkpoint: states up to `seq`, in messages `fromMessage` to `toMessage` of the checkpoint stream. */
const checkpointSchema = z.strictObject({
  number: count,
  /** Epoch that wrote it. */
  epoch: count,
  seq: count,
  fromMessage: count,
  toMessage: count,
  bytes: count,
  /** In the unit's table when it was made; and states that this one holds. */
  aggregates: count,
  rows: count,
  /** A base holds every state and makes older ones needless; another holds only what changed since the one before. */
  base: z.boolean(),
});
export type CheckpointRef = z.infer<typeof checkpointSchema>;

/** SHA-256 in hex; docs/certificate.md says of what. */
const contentDigestSchema = z.strictObject({ events: count, sha256: z.string() });
const entriesDigestSchema = z.strictObject({ entries: count, sha256: z.string() });

/** What a unit's fold with one projection has come to; of a run with several, each has its own. */
const foldFigures = {
  /** Up to `cursorSeq`. */
  counts: unitCountsSchema,
  /**
   * By partition of the unit, in its order (of a slice unit: by partition of the plan): events of it delivered, whatever
   * became of them; and aggregates.
   */
  deliveredByPartition: z.array(count),
  aggregatesByPartition: z.array(count),
  /** By partition of the unit, in its order: the entries it wrote. Empty until it is done. */
  entriesByPartition: z.array(entriesDigestSchema).default([]),
  /** Sequences found bad: never given to `evolve` again in this run. */
  badSequences: z.array(count),
  /** First sequence that parked an aggregate; a resumed run goes back before it. */
  firstParkedSeq: count.nullable(),
  parkedAggregates: count,
  entries: z.strictObject({ written: count, unchanged: count, bytes: count }),
};
const foldFiguresSchema = z.strictObject(foldFigures);
export type FoldFigures = z.infer<typeof foldFiguresSchema>;

const liveFoldSchema = z.strictObject({ applied: count, quarantined: count, entriesWritten: count });
/** What a slice unit packed for one unit: how many segments, of how many events; the SHA-256 over their SHA-256s. */
const packedSchema = z.strictObject({
  unit: z.string(),
  segments: count,
  events: count,
  bytes: count,
  sha256: z.string(),
});
export type PackedForUnit = z.infer<typeof packedSchema>;

export const unitRecordSchema = z.strictObject({
  version: z.literal(1),
  runId: z.string(),
  id: z.string(),
  kind: z.enum(UNIT_KINDS).default("partition"),
  state: z.enum(UNIT_STATES),
  epoch: count,
  owner: z.string().nullable(),
  /** Rises with every heartbeat, so that others see life without comparing clocks. */
  heartbeat: count,
  heartbeatAt: z.iso.datetime(),
  /** When its owner last read, wrote or committed more than before, by the owner's clock; null before there was one. */
  progressAt: z.iso.datetime().nullable().default(null),
  /** Last sequence whose effect is durable; 0 before the first checkpoint. */
  cursorSeq: count,
  checkpoints: z.array(checkpointSchema),
  /** By slice of the plan, up to `cursorSeq`: messages delivered. */
  deliveredBySlice: z.array(count),
  /** By partition of the unit, in its order: the messages it was handed. Empty until it is done. */
  contentByPartition: z.array(contentDigestSchema).default([]),
  ...foldFigures,
  /** Of its aggregates the one with most events, up to `cursorSeq`; null before a checkpoint, and where entries were gone on from. */
  hottest: z.strictObject({ aggregateId: z.string(), events: count }).nullable().default(null),
  /** Of the run's further projections, in their order. */
  otherTargets: z.array(foldFiguresSchema).default([]),
  /** Of a slice unit that is done, by unit of the plan. The segments are those of its epoch. */
  packed: z.array(packedSchema).default([]),
  /** What the owner has read so far, not yet durable. */
  live: z.strictObject({
    readSeq: count,
    delivered: count,
    applied: count,
    quarantined: count,
    entriesWritten: count,
    lastEventAtMs: z.number().nullable(),
    memoryBytes: count,
    /** Only where there are several targets: of each by itself, where the figures above are of the first or of all. */
    byTarget: z.array(liveFoldSchema).optional(),
  }),
  failure: z.strictObject({ kind: z.string(), message: z.string() }).nullable(),
  /** Of a split one: the units that go on for it. */
  splitInto: z.array(z.strictObject({ id: z.string(), partitions: z.array(count) })).default([]),
  /** Of one of those: from which unit's states it goes on, until it has a checkpoint of its own. */
  heirOf: z
    .strictObject({
      unit: z.string(),
      /** Where that one was split off itself: the unit of the plan from which all of this came. */
      planned: z.string().optional(),
      /** All that the other had, in its order; and those that are this unit's. */
      partitions: z.array(count),
      own: z.array(count),
      takesRest: z.boolean(),
      checkpoints: z.array(checkpointSchema),
    })
    .nullable()
    .default(null),
});
export type UnitRecord = z.infer<typeof unitRecordSchema>;

export function newUnitRecord(
  runId: string,
  id: string,
  slices: number,
  partitions: number,
  kind: UnitKind = "partition",
  targets = 1,
): UnitRecord {
  return {
    version: 1,
    runId,
    id,
    kind,
    state: "pending",
    epoch: 0,
    owner: null,
    heartbeat: 0,
    heartbeatAt: new Date(0).toISOString(),
    progressAt: null,
    cursorSeq: 0,
    checkpoints: [],
    deliveredBySlice: new Array<number>(slices).fill(0),
    contentByPartition: [],
    ...noFigures(partitions),
    hottest: null,
    otherTargets: Array.from({ length: targets - 1 }, () => noFigures(partitions)),
    packed: [],
    live: {
      readSeq: 0,
      delivered: 0,
      applied: 0,
      quarantined: 0,
      entriesWritten: 0,
      lastEventAtMs: null,
      memoryBytes: 0,
    },
    failure: null,
    splitInto: [],
    heirOf: null,
  };
}

function noFigures(partitions: number): FoldFigures {
  return {
    counts: emptyCounts(),
    deliveredByPartition: new Array<number>(partitions).fill(0),
    aggregatesByPartition: new Array<number>(partitions).fill(0),
    entriesByPartition: [],
    badSequences: [],
    firstParkedSeq: null,
    parkedAggregates: 0,
    entries: { written: 0, unchanged: 0, bytes: 0 },
  };
}

/** Whether the unit has come further than `before`: a heartbeat alone is no progress. */
export function hasAdvanced(before: UnitRecord, after: UnitRecord): boolean {
  const marks = ({ state, epoch, cursorSeq, entries, live }: UnitRecord) => [
    ...[state, epoch, cursorSeq, entries.written, entries.unchanged],
    ...[live.readSeq, live.delivered, live.applied, live.entriesWritten],
  ];
  const then = marks(before);
  return marks(after).some((mark, i) => mark !== then[i]);
}

/** Throws where the state machine has no such step. */
export function moveUnit(unit: UnitRecord, to: UnitState): UnitRecord {
  const packsAgain = unit.kind === "slice" && unit.state === "done" && to === "pending";
  if (!packsAgain && !unitTransitions[unit.state].includes(to)) {
    throw new ReplayError(`Cannot move unit ${unit.id} from ${unit.state} to ${to}: there is no such step.`);
  }
  return { ...unit, state: to };
}
