import { z } from "zod";
import { pinnedFilterSchema } from "./event-filter.ts";

const seq = z.int().nonnegative();

const sliceSchema = z.strictObject({ fromSeq: seq, toSeq: seq });

/**
 * A partition holds the aggregates whose routing key lies in `[fromKey, toKey)`; null is the open end. With
 * `partitionBy: "hash"` the bounds are 32-bit hashes of the key, written as eight hex digits.
 */
const partitionSchema = z.strictObject({
  index: z.int().nonnegative(),
  fromKey: z.string().nullable(),
  toKey: z.string().nullable(),
  /** From the server's subject index; a range where a live writer published while it was read; null where ids are not in subjects. */
  expected: z.strictObject({ minEvents: seq, maxEvents: seq, aggregates: seq }).nullable(),
});

const targetSchema = z.strictObject({
  bucket: z.string(),
  /** The bucket's last revision when the plan was made: what is newer and not ours is a live writer's. 0 if it is new. */
  lastRevision: seq,
});

export const planSchema = z.strictObject({
  version: z.literal(1),
  runId: z.string(),
  domain: z.string(),
  stream: z.strictObject({
    name: z.string(),
    /** As the server writes it; a recreated stream has another. */
    created: z.string(),
    firstSeq: seq,
    lastSeq: seq,
  }),
  /** What is read: within `[firstSeq, lastSeq]`, both ends included; `toSeq < fromSeq` where there is nothing. */
  range: sliceSchema,
  /** What workers take and the verifier holds entries to; absent: every event. */
  filter: pinnedFilterSchema.optional(),
  /** Sequences within `range` that held no message when the plan was made. */
  deleted: z.strictObject({ count: seq, sha256: z.string() }),
  read: z.strictObject({
    /** Empty: unfiltered, every message is read and routed here. */
    filterSubjects: z.array(z.string()),
    /** Messages that a unit will be handed; exact for an unfiltered read. */
    messages: seq,
    reason: z.string(),
  }),
  /**
   * `direct`: every unit reads the range by itself. `shuffle`: slice units read it once in all and pack each unit's events into
   * segments, which is all that the units read.
   */
  source: z.strictObject({ kind: z.enum(["direct", "shuffle"]), reason: z.string() }),
  partitionBy: z.enum(["id", "hash"]),
  partitions: z.array(partitionSchema),
  slices: z.array(sliceSchema),
  /** Those that fold. */
  units: z.array(z.strictObject({ id: z.string(), partitions: z.array(z.int().nonnegative()) })),
  /** With `shuffle`: who packs which slice, by its index; each slice has one. Else empty. */
  sliceUnits: z.array(z.strictObject({ id: z.string(), slice: z.int().nonnegative() })).default([]),
  /** Of the domain, within the stream when the plan was made; null where ids are not in subjects. */
  expected: z.strictObject({ events: seq, aggregates: seq }).nullable(),
  target: targetSchema,
  /** Of the run's further projections, in their order; absent where there are none. */
  otherTargets: z.array(targetSchema).optional(),
  estimate: z.strictObject({
    seconds: z.number(),
    bytes: seq,
    microsPerEvent: z.number(),
    /** Mean size of an entry by target, of a sample's states; absent where nothing was sampled. */
    entryBytes: z.array(z.number()).optional(),
  }),
  warnings: z.array(z.string()),
});

export type Plan = z.infer<typeof planSchema>;
export type Partition = z.infer<typeof partitionSchema>;
export type PlannedUnit = Plan["units"][number];
export type PlannedSliceUnit = Plan["sliceUnits"][number];
