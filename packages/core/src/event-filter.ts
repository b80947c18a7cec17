import { z } from "zod";

const names = z.array(z.string().min(1)).min(1).nullable();
const seq = z.int().positive();

/**
 * Which events are asked for. An event must be in each list that is there; null stands for any. Names are those of the
 * person's file, so that a record of a run reads like it.
 */
const eventFilterSchema = z.strictObject({
  /** In any spelling, aliases as one. */
  event_types: names,
  domains: names,
  /** Milliseconds since the epoch, both ends included. */
  time_range: z.strictObject({ startMs: z.number().nullable(), endMs: z.number().nullable() }).nullable(),
  aggregate_ids: names,
  /** NATS wildcards. */
  subjects: names,
  /** Of the stream, both ends included. */
  sequences: z
    .array(z.strictObject({ fromSeq: seq, toSeq: seq }))
    .min(1)
    .nullable(),
  correlation_ids: names,
  /** A CEL expression over `event`. */
  condition: z.string().min(1).nullable(),
});
export type EventFilter = z.infer<typeof eventFilterSchema>;

/** A filter as runs and plans hold it: with the SHA-256 of its canonical JSON. */
export const pinnedFilterSchema = z.strictObject({ sha256: z.string(), filter: eventFilterSchema });
export type PinnedFilter = z.infer<typeof pinnedFilterSchema>;

export const EVERY_EVENT: EventFilter = {
  ...{ event_types: null, domains: null, time_range: null, aggregate_ids: null },
  ...{ subjects: null, sequences: null, correlation_ids: null, condition: null },
};

/** The criteria that may leave out some events of an aggregate and take others. */
export function partialCriteria(filter: EventFilter): string[] {
  const partial = ["event_types", "time_range", "subjects", "sequences", "correlation_ids", "condition"] as const;
  return partial.filter((criterion) => filter[criterion] !== null);
}
