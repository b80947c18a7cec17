import type { DomainCodec } from "@cim-replay/core";
import {
  type NatsClient,
  readSequential,
  type StreamFacts,
  streamFacts,
  subjectCounts,
  subjectsAbove,
} from "@cim-replay/nats";

export interface Bounds {
  readonly min: number;
  readonly max: number;
}

/** How many messages each aggregate has up to a sequence, by the server's own subject index. */
export interface Witness {
  /** It can say nothing of how many there were before this sequence. */
  readonly knowsFromSeq: number;
  /** Every routing key that the index knows. */
  keys(): Iterable<string>;
  upTo(routeKey: string, seq: number): Bounds;
}

const TRIES_FOR_QUIET = 5;
/** Reading what came since the range ended is worth it up to here. */
const MAX_TAIL = 200_000;

/** What the index said, and between which two moments. */
export interface IndexCount {
  readonly byKey: ReadonlyMap<string, number>;
  /** What is up to here was certainly there to be counted. */
  readonly countedTo: number;
  /** The stream as it was then, or afterwards. */
  readonly after: StreamFacts;
}

/**
 * Asks the index, or gives the reason why it says nothing: it has more than `mostSubjects`, of which the server makes each
 * page anew, or the stream is gone.
 */
export async function countIndex(
  client: NatsClient,
  stream: StreamFacts,
  codec: DomainCodec,
  { subjects, mostSubjects }: { subjects: readonly string[]; mostSubjects: number },
): Promise<IndexCount | string> {
  if ((await subjectsAbove(client, stream, subjects, mostSubjects)) !== null) {
    return "the stream has too many subjects for its index to be asked at this level; higher ones count by reading";
  }
  for (let tries = 1; ; tries++) {
    const before = await streamFacts(client, stream.name);
    const byKey = await countByKey(client, stream, codec, subjects);
    const after = await streamFacts(client, stream.name);
    if (!before || !after || after.created !== stream.created) return "the stream was deleted meanwhile";
    const isQuiet = before.lastSeq === after.lastSeq && before.messages === after.messages;
    if (isQuiet || tries === TRIES_FOR_QUIET) return { byKey, countedTo: before.lastSeq, after };
  }
}

/**
 * The index counts what there is now and knows no sequence: what came after `toSeq` is read and taken off. Where a live
 * writer publishes all the time, what came during the count may or may not be in it, and bounds are all that there is.
 * Gives the reason instead where the stream has grown by too much.
 */
export async function witnessUpTo(
  client: NatsClient,
  { byKey, countedTo, after }: IndexCount,
  codec: DomainCodec,
  options: { subjects: readonly string[]; toSeq: number; signal: AbortSignal },
): Promise<Witness | string> {
  const grown = after.lastSeq - options.toSeq;
  if (grown > MAX_TAIL) return `the stream has grown by ${grown} sequences since, and its index knows only the present`;
  const tail = await readTail(client, after, codec, options);
  return new IndexedCounts(byKey, tail, { knowsFromSeq: options.toSeq, countedTo });
}

async function countByKey(
  client: NatsClient,
  { name, numSubjects }: StreamFacts,
  codec: DomainCodec,
  subjects: readonly string[],
): Promise<Map<string, number>> {
  const byKey = new Map<string, number>();
  for (const filter of subjects) {
    for (const [subject, count] of await subjectCounts(client, name, filter, numSubjects)) {
      const key = codec.route(subject);
      if (key && count > 0) byKey.set(key, (byKey.get(key) ?? 0) + count);
    }
  }
  return byKey;
}

/** Sequences after `toSeq` by routing key, ascending. */
async function readTail(
  client: NatsClient,
  stream: StreamFacts,
  codec: DomainCodec,
  { subjects, toSeq, signal }: { subjects: readonly string[]; toSeq: number; signal: AbortSignal },
): Promise<Map<string, number[]>> {
  const tail = new Map<string, number[]>();
  const range = { fromSeq: toSeq + 1, toSeq: stream.lastSeq };
  const options = { stream: stream.name, created: stream.created, range, filterSubjects: subjects, signal };
  for await (const batch of readSequential(client, options)) {
    for (const { seq, subject } of batch) {
      const key = codec.route(subject);
      if (!key) continue;
      const sequences = tail.get(key);
      if (sequences) sequences.push(seq);
      else tail.set(key, [seq]);
    }
  }
  return tail;
}

class IndexedCounts implements Witness {
  readonly knowsFromSeq: number;
  readonly #counts: ReadonlyMap<string, number>;
  readonly #tail: ReadonlyMap<string, readonly number[]>;
  /** What is up to here was certainly there to be counted; what came later, perhaps. */
  readonly #countedTo: number;

  constructor(
    counts: ReadonlyMap<string, number>,
    tail: ReadonlyMap<string, readonly number[]>,
    { knowsFromSeq, countedTo }: { knowsFromSeq: number; countedTo: number },
  ) {
    this.#counts = counts;
    this.#tail = tail;
    this.knowsFromSeq = knowsFromSeq;
    this.#countedTo = countedTo;
  }

  keys(): Iterable<string> {
    return this.#counts.keys();
  }

  upTo(routeKey: string, seq: number): Bounds {
    const now = this.#counts.get(routeKey) ?? 0;
    const late = this.#tail.get(routeKey);
    if (!late) return { min: now, max: now };
    const after = late.filter((other) => other > seq);
    const certain = after.filter((other) => other <= this.#countedTo).length;
    return { min: Math.max(0, now - after.length), max: Math.max(0, now - certain) };
  }
}
