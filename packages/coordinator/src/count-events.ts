import type { DomainCodec, KeyCount } from "@cim-replay/core";
import {
  type NatsClient,
  readStream,
  type StreamFacts,
  streamFacts,
  subjectCounts,
  subjectsAbove,
} from "@cim-replay/nats";
import { requireStream } from "./require-stream.ts";

export interface EventCounts {
  /** The stream as it was before the counting; its last sequence is the one to pin. */
  readonly stream: StreamFacts;
  /** By routing key; null where subjects do not hold ids, or are too many to count. */
  readonly byKey: ReadonlyMap<string, KeyCount> | null;
  /** Where they are too many: how many. */
  readonly tooManySubjects: number | null;
  /** Messages of the domain by their subject, at most. */
  readonly events: number;
}

const TRIES_FOR_QUIET = 5;
/** Beyond this many messages between two looks, subtracting them costs more than a looser bound. */
const MAX_TAIL = 100_000;

/** The server makes each page of 100,000 anew from all of them: beyond this, counting takes longer than many a replay. */
const MOST_SUBJECTS = 500_000;

/**
 * Asks the server's subject index how many events each aggregate has. The index knows no sequence, so a live writer may
 * be counted in: a moment without one is tried for, and failing that the messages that came meanwhile give the bounds.
 * `known` is the stream as it was a moment ago.
 */
export async function countEvents(
  client: NatsClient,
  known: StreamFacts,
  codec: DomainCodec,
  subjects: readonly string[],
  mostSubjects = MOST_SUBJECTS,
): Promise<EventCounts> {
  let before = known;
  for (let attempt = 1; ; attempt++) {
    const tooManySubjects = await subjectsAbove(client, before, subjects, mostSubjects);
    if (tooManySubjects !== null) return { stream: before, byKey: null, events: before.messages, tooManySubjects };
    const counts = await countSubjects(client, before, subjects);
    const after = await streamFacts(client, known.name);
    const isQuiet = after !== null && after.lastSeq === before.lastSeq && after.messages === before.messages;
    if (!isQuiet && attempt < TRIES_FOR_QUIET) {
      before = after ?? (await requireStream(client, known.name, codec.subjects));
      continue;
    }
    const late = isQuiet || !after ? new Map<string, number>() : await readTail(client, before, after.lastSeq);
    return { stream: before, tooManySubjects: null, ...sumByKey(codec, counts, late) };
  }
}

async function countSubjects(
  client: NatsClient,
  { name, numSubjects }: StreamFacts,
  subjects: readonly string[],
): Promise<Map<string, number>> {
  const likely = subjects.length === 1 ? numSubjects : 0;
  const [first, ...others] = await Promise.all(subjects.map((filter) => subjectCounts(client, name, filter, likely)));
  const counts = first ?? new Map<string, number>();
  for (const other of others) for (const [subject, count] of other) counts.set(subject, count);
  return counts;
}

/** Messages by subject after the pinned last sequence; null where there are too many to look at. */
async function readTail(client: NatsClient, pinned: StreamFacts, toSeq: number): Promise<Map<string, number> | null> {
  if (toSeq - pinned.lastSeq > MAX_TAIL) return null;
  const counts = new Map<string, number>();
  const messages = readStream(client, {
    stream: pinned.name,
    created: pinned.created,
    range: { fromSeq: pinned.lastSeq + 1, toSeq },
    filterSubjects: [],
    maxMessages: 4_000,
    maxBytes: 8 * 1024 * 1024,
    noProgressMs: 5_000,
    signal: AbortSignal.timeout(60_000),
  });
  for await (const batch of messages) {
    for (const { subject } of batch) counts.set(subject, (counts.get(subject) ?? 0) + 1);
  }
  return counts;
}

function sumByKey(
  codec: DomainCodec,
  counts: ReadonlyMap<string, number>,
  late: ReadonlyMap<string, number> | null,
): Pick<EventCounts, "byKey" | "events"> {
  const byKey = new Map<string, { minEvents: number; maxEvents: number }>();
  let events = 0;
  for (const [subject, count] of counts) {
    const key = codec.route(subject);
    if (key === undefined) continue;
    events += count;
    if (key === null) continue;
    const sum = byKey.get(key) ?? { minEvents: 0, maxEvents: 0 };
    sum.maxEvents += count;
    // Where too much came meanwhile to look at, nothing is certain from below.
    sum.minEvents += late ? Math.max(0, count - (late.get(subject) ?? 0)) : 0;
    byKey.set(key, sum);
  }
  for (const [key, { maxEvents, minEvents }] of byKey) {
    if (maxEvents === 0 && minEvents === 0) byKey.delete(key);
  }
  return { byKey: codec.idInSubject ? byKey : null, events };
}
