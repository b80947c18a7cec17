import { availableParallelism } from "node:os";
import {
  assignPartitions,
  type CompiledProjection,
  chooseUnits,
  compileDomain,
  DeletedSequences,
  type DomainCodec,
  type Plan,
  partitionHashesEvenly,
  partitionKeys,
  partitionOfOne,
  type RunSettings,
  type SequenceRange,
  tileSlices,
  UsageError,
} from "@cim-replay/core";
import { deletedWithin, deletionsSha256, type NatsClient, type StreamFacts, seqAtTime } from "@cim-replay/nats";
import { calibrate } from "./calibrate.ts";
import { lookAtTarget, pinTarget } from "./check-target.ts";
import { chooseRead } from "./choose-read.ts";
import { countEvents, type EventCounts } from "./count-events.ts";
import { planWarnings } from "./plan-warnings.ts";

/** Sequences accounted for together; small enough that a gap is named closely, large enough that records stay small. */
const SLICE_SEQUENCES = 1_000_000;
const MAX_SLICES = 1_000;

/** Pins what a run will do. Reads only. Throws UsageError or ReplayError where it could not be done. */
export async function planReplay(
  client: NatsClient,
  settings: RunSettings,
  projection: CompiledProjection,
  runId: string,
): Promise<Plan> {
  const codec = compileDomain(settings.domain, settings.domainSettings);
  const wanted = wantedSubjects(codec, settings);
  const targetBefore = await lookAtTarget(client, settings.target, settings.domain);
  // Counting is mostly the server's work and timing a sample mostly ours: they share the wait.
  const [counts, calibration] = await Promise.all([
    countEvents(client, settings.domainSettings.stream, codec, wanted ?? codec.subjects),
    calibrate({
      client,
      stream: settings.domainSettings.stream,
      fromSeq: settings.fromSeq ?? 1,
      filterSubjects: wanted ?? [],
      codec,
      projection,
      isOutside: (timeMs) => isOutside(settings, timeMs),
    }),
  ]);
  if (counts.events === 0) throw nothingThere(settings, wanted ?? codec.subjects);
  const { stream } = counts;
  const range = await requestedRange(client, settings, stream);
  const deleted = stream.numDeleted > 0 ? await deletedWithin(client, stream.name, range) : new DeletedSequences([]);
  const size = Math.max(0, range.toSeq - range.fromSeq + 1);
  const messages = size - deleted.count;
  const events = Math.min(counts.events, messages);
  if (settings.continueFromEntries) assertCountsProve(counts, range);
  const partitioning = partition(settings, codec, bounded(counts, settings, range));
  const read = chooseRead({ codec, subjects: wanted ?? codec.subjects, messages, events });
  const choice = chooseUnits(
    { messages: read.messages, events, maxUnits: partitioning.partitions.length, cores: availableParallelism() },
    calibration.costs,
  );
  const units = Math.min(settings.units ?? choice.units, partitioning.partitions.length);
  const bytes = stream.messages > 0 ? Math.round((stream.bytes / stream.messages) * read.messages) : 0;
  const target = await pinTarget(client, settings.target, settings.domain, targetBefore);
  const warnings = planWarnings({ stream, range, deleted: deleted.count, bucket: targetBefore.facts, bytes });
  if (calibration.timesApart > 0) {
    warnings.push(
      `Of ${calibration.sampled} sampled events, ${calibration.timesApart} fall on another side of the requested times by the server's clock ` +
        "than by their own; --time-basis chooses which counts.",
    );
  }
  return {
    version: 1,
    runId,
    domain: settings.domain,
    stream: { name: stream.name, created: stream.created, firstSeq: stream.firstSeq, lastSeq: stream.lastSeq },
    range,
    deleted: { count: deleted.count, sha256: deletionsSha256(deleted) },
    read,
    source: { kind: "direct", reason: settings.units ? `${units} units, as --units asks` : choice.reason },
    ...partitioning,
    slices: tileSlices(range, Math.max(SLICE_SEQUENCES, Math.ceil(size / MAX_SLICES))),
    units: assignPartitions(partitioning.partitions, units),
    expected: counts.byKey && { events: counts.events, aggregates: counts.byKey.size },
    target,
    estimate: {
      seconds: choice.seconds,
      bytes,
      microsPerEvent: calibration.costs.serverRead + calibration.costs.clientRead + calibration.costs.fold,
    },
    warnings,
  };
}

/** Subjects of the one aggregate that is asked for; null for a whole domain, or where subjects hold no ids. */
function wantedSubjects(codec: DomainCodec, settings: RunSettings): readonly string[] | null {
  if (settings.aggregateId === null || !codec.idInSubject) return null;
  const subjects = codec.aggregateSubjects(settings.aggregateId);
  if (subjects) return subjects;
  throw new UsageError(
    `Cannot find aggregate "${settings.aggregateId}" by subject: the id is no legal subject token. ` +
      `Put * in place of {aggregate_id} in domains.${settings.domain}.subject, so that ids come from the envelope.`,
  );
}

async function requestedRange(client: NatsClient, settings: RunSettings, stream: StreamFacts): Promise<SequenceRange> {
  let fromSeq = Math.max(stream.firstSeq, settings.fromSeq ?? 0);
  let toSeq = Math.min(stream.lastSeq, settings.toSeq ?? stream.lastSeq);
  if (settings.timeBasis === "server") {
    if (settings.fromTimeMs !== null) {
      const first = await seqAtTime(client, stream.name, settings.fromTimeMs, "first-at-or-after");
      fromSeq = Math.max(fromSeq, first ?? stream.lastSeq + 1);
    }
    if (settings.toTimeMs !== null) {
      const last = await seqAtTime(client, stream.name, settings.toTimeMs, "last-at-or-before");
      toSeq = Math.min(toSeq, last ?? stream.firstSeq - 1);
    }
  }
  if (fromSeq <= toSeq) return { fromSeq, toSeq };
  throw new UsageError(
    `Cannot replay ${settings.domain}: ${stream.name} holds nothing in the requested range (it has sequences ${stream.firstSeq} to ${stream.lastSeq}). ` +
      "Ask for another range.",
  );
}

/**
 * A run that goes on from entries is right only where what they hold and what it adds are all events that there are: the
 * server must be able to say how many. Throws UsageError where it cannot.
 */
function assertCountsProve({ stream, byKey }: EventCounts, range: SequenceRange): void {
  const why = !byKey
    ? "its subjects hold no ids, so the server cannot count an aggregate's events"
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

function partition(
  settings: RunSettings,
  codec: DomainCodec,
  byKey: EventCounts["byKey"],
): Pick<Plan, "partitionBy" | "partitions"> {
  if (settings.aggregateId !== null) {
    return partitionOfOne(settings.aggregateId, byKey?.get(settings.aggregateId) ?? null);
  }
  return codec.idInSubject && byKey
    ? partitionKeys(byKey, settings.parallel)
    : partitionHashesEvenly(settings.parallel);
}

function isOutside(settings: RunSettings, timeMs: number): boolean {
  return timeMs < (settings.fromTimeMs ?? -Infinity) || timeMs > (settings.toTimeMs ?? Infinity);
}

function nothingThere(settings: RunSettings, subjects: readonly string[]): UsageError {
  const what = settings.aggregateId === null ? `domain ${settings.domain}` : `aggregate ${settings.aggregateId}`;
  return new UsageError(
    `Cannot replay ${what}: stream ${settings.domainSettings.stream} holds no event on ${subjects.join(" or ")}. ` +
      "Check the name, and domains.<domain>.subject in cim-replay.yaml.",
  );
}
