import { availableParallelism } from "node:os";
import {
  bucketsOf,
  type CompiledProjection,
  compileDomain,
  DeletedSequences,
  type DomainCodec,
  type Plan,
  ReplayError,
  type RunSettings,
  type SequenceRange,
  UsageError,
} from "@cim-replay/core";
import { deletedWithin, deletionsSha256, type NatsClient, type StreamFacts } from "@cim-replay/nats";
import { type Calibration, calibrate } from "./calibrate.ts";
import { lookAtTarget, pinTarget, type TargetLook } from "./check-target.ts";
import { chooseRead } from "./choose-read.ts";
import { chooseSource, cutWork, mayShuffle, mostPartitions } from "./choose-source.ts";
import { countEvents, type EventCounts } from "./count-events.ts";
import { cutPartitions } from "./cut-partitions.ts";
import { planWarnings } from "./plan-warnings.ts";
import { requestedRange } from "./requested-range.ts";
import { requireStream } from "./require-stream.ts";

/** Pins what a run will do. Reads only. Throws UsageError or ReplayError where it could not be done. */
export async function planReplay(
  client: NatsClient,
  settings: RunSettings,
  /** Of `settings`' targets, in their order. */
  projections: readonly CompiledProjection[],
  runId: string,
  /** Told what the server's subject index said, for whoever needs it again. */
  onCounted: (counts: EventCounts) => void = () => undefined,
): Promise<Plan> {
  const codec = compileDomain(settings.domain, settings.domainSettings);
  const one = subjectsOfOne(codec, settings);
  const subjects = one ?? codec.subjects;
  const { targetsBefore, counts, calibration } = await lookAround(client, settings, projections, codec, one);
  const { stream } = counts;
  onCounted(counts);
  if (counts.events === 0) throw nothingThere(settings, subjects);
  const range = await requestedRange(client, settings, stream);
  const isShuffled = settings.source === "shuffle" && mayShuffle(settings);
  const found = await whatToRead(client, codec, isShuffled ? [] : subjects, counts, range);
  const { deleted, events, read, bytes } = found;
  const cutInto = (most: number) => cutPartitions(settings, codec, counts, range, most);
  const asAsked = cutInto(settings.parallel);
  const { costs } = calibration;
  const cores = availableParallelism();
  const load = { messages: read.messages, events, maxUnits: asAsked.partitions.length, cores };
  const choice = chooseSource(load, settings, read, costs);
  const most = mostPartitions(choice, settings);
  const partitioning = most === settings.parallel ? asAsked : cutInto(most);
  const [target, ...otherTargets] = await Promise.all(
    targetsBefore.map((before) => pinTarget(client, before.bucket, settings.domain, before)),
  );
  if (!target) throw new ReplayError("Cannot plan a replay without a target.");
  return {
    version: 1,
    runId,
    domain: settings.domain,
    stream: { name: stream.name, created: stream.created, firstSeq: stream.firstSeq, lastSeq: stream.lastSeq },
    range,
    ...(settings.filter && { filter: settings.filter }),
    deleted: { count: deleted.count, sha256: deletionsSha256(deleted) },
    read,
    ...partitioning,
    ...cutWork(choice, partitioning.partitions, range, cores),
    expected: counts.byKey && { events: counts.events, aggregates: counts.byKey.size },
    target,
    ...(otherTargets.length > 0 && { otherTargets }),
    estimate: {
      ...{ seconds: choice.seconds, bytes, microsPerEvent: costs.serverRead + costs.clientRead + costs.fold },
      ...(calibration.entryBytes.length > 0 && { entryBytes: [...calibration.entryBytes] }),
    },
    warnings: planWarnings({
      ...{ domain: settings.domain, stream, range, deleted: deleted.count, bytes },
      buckets: targetsBefore.map(({ facts }) => facts),
      ...{ calibration, tooManySubjects: counts.tooManySubjects },
    }),
  };
}

/** Counting is mostly the server's work and timing a sample mostly ours: they share the wait. */
async function lookAround(
  client: NatsClient,
  settings: RunSettings,
  projections: readonly CompiledProjection[],
  codec: DomainCodec,
  one: readonly string[] | null,
): Promise<{ targetsBefore: TargetLook[]; counts: EventCounts; calibration: Calibration }> {
  const lookingAtTarget = Promise.all(
    bucketsOf(settings).map((bucket) => lookAtTarget(client, bucket, settings.domain)),
  );
  // Its failure is told below, where the stream is there.
  lookingAtTarget.catch(() => undefined);
  const stream: StreamFacts = await requireStream(client, settings.domainSettings.stream, codec.subjects);
  const [targetsBefore, counts, calibration] = await Promise.all([
    lookingAtTarget,
    countEvents(
      client,
      stream,
      codec,
      one ?? codec.subjects,
      // Such a run is right only by its counts, however long they take.
      settings.continueFromEntries ? Number.POSITIVE_INFINITY : undefined,
    ),
    calibrate({
      ...{ client, stream, codec, projections },
      fromSeq: settings.fromSeq ?? 1,
      filterSubjects: one ?? [],
      isOutside: (timeMs) => isOutside(settings, timeMs),
    }),
  ]);
  return { targetsBefore, counts, calibration };
}

/** What of the range is there, how much of it is wanted, and how it is best read. */
async function whatToRead(
  client: NatsClient,
  codec: DomainCodec,
  subjects: readonly string[],
  { stream, events: counted }: EventCounts,
  range: SequenceRange,
) {
  const deleted = stream.numDeleted > 0 ? await deletedWithin(client, stream.name, range) : new DeletedSequences([]);
  const messages = range.toSeq - range.fromSeq + 1 - deleted.count;
  const events = Math.min(counted, messages);
  const read = chooseRead({ codec, subjects, messages, events });
  const bytes = stream.messages > 0 ? Math.round((stream.bytes / stream.messages) * read.messages) : 0;
  return { deleted, events, read, bytes };
}

/** Subjects of the one aggregate that is asked for; null for a whole domain, or where subjects hold no ids. */
function subjectsOfOne(codec: DomainCodec, settings: RunSettings): readonly string[] | null {
  if (settings.aggregateId === null || !codec.idInSubject) return null;
  const subjects = codec.aggregateSubjects(settings.aggregateId);
  if (subjects) return subjects;
  throw new UsageError(
    `Cannot find aggregate "${settings.aggregateId}" by subject: the id is no legal subject token. ` +
      `Put * in place of {aggregate_id} in domains.${settings.domain}.subject, so that ids come from the envelope.`,
  );
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
