import {
  type DomainCodec,
  type Plan,
  partitionHashesEvenly,
  partitionKeys,
  partitionOfOne,
  type RunSettings,
  type SequenceRange,
  UsageError,
} from "@cim-replay/core";
import type { EventCounts } from "./count-events.ts";

/** Cuts the aggregates into `most` partitions of even size or fewer, each with the events that the counts let it expect. */
export function cutPartitions(
  settings: RunSettings,
  codec: DomainCodec,
  counts: EventCounts,
  range: SequenceRange,
  most: number,
): Pick<Plan, "partitionBy" | "partitions"> {
  if (settings.continueFromEntries) assertCountsProve(counts, range);
  const byKey = bounded(counts, settings, range);
  if (settings.aggregateId !== null) {
    return partitionOfOne(settings.aggregateId, byKey?.get(settings.aggregateId) ?? null);
  }
  return codec.idInSubject && byKey ? partitionKeys(byKey, most) : partitionHashesEvenly(most);
}

/**
 * A run that goes on from entries is right only where what they hold and what it adds are all events that there are: the
 * server must be able to say how many. Throws UsageError where it cannot.
 */
function assertCountsProve({ stream, byKey, tooManySubjects }: EventCounts, range: SequenceRange): void {
  const why = !byKey
    ? tooManySubjects === null
      ? "its subjects hold no ids, so the server cannot count an aggregate's events"
      : `its ${tooManySubjects} subjects are too many to count each aggregate's events`
    : stream.firstSeq > 1 || stream.numDeleted > 0
      ? "it no longer has all of its messages, so the server's counts say nothing of older entries"
      : range.toSeq < stream.lastSeq
        ? `the range ends at ${range.toSeq}, before its last sequence, so the server's counts do not fit it`
        : null;
  if (why === null) return;
  throw new UsageError(
    `Cannot go on from the entries with stream ${stream.name}: ${why}, and a missing event would not be noticed. ` +
      "Rebuild with --from-beginning.",
  );
}

/** Counts are exact only for a range that reaches from the stream's start, or what entries hold, to its end. */
function bounded(counts: EventCounts, settings: RunSettings, range: SequenceRange): EventCounts["byKey"] {
  const { stream, byKey } = counts;
  const fromStart = range.fromSeq === stream.firstSeq || settings.continueFromEntries;
  if (!byKey || (fromStart && range.toSeq === stream.lastSeq)) return byKey;
  return new Map([...byKey].map(([key, { maxEvents }]) => [key, { minEvents: 0, maxEvents }]));
}
