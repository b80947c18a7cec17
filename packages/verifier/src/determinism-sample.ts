import { hash } from "node:crypto";
import {
  compileDomain,
  type DomainCodec,
  type DomainSettings,
  isMalformed,
  ReplayError,
  type StreamMessage,
} from "@cim-replay/core";
import { type NatsClient, readStream } from "@cim-replay/nats";
import { requireStream } from "./entries-source.ts";

const MAX_MESSAGES = 10_000;
const MAX_BYTES = 32 * 1024 * 1024;
const NO_PROGRESS_MS = 15_000;

/** One aggregate's messages, in stream order, each with data of its own. */
export interface SampledAggregate {
  readonly id: string;
  readonly messages: readonly StreamMessage[];
  /** Whether it has more events than the sample holds. */
  readonly isCut: boolean;
}

export interface SampleTask {
  readonly client: NatsClient;
  readonly domain: string;
  readonly domainSettings: DomainSettings;
  readonly aggregates: number;
  /** The first of each: what is folded many times over must fit in memory. */
  readonly eventsAnAggregate: number;
  /** Nor more of each than this, but its first event. */
  readonly bytesAnAggregate: number;
  readonly signal: AbortSignal;
}

/**
 * Some aggregates of a domain with their first events, in one pass over the stream. Which ones depends on their ids alone:
 * those whose hashes are lowest. So the same command takes the same sample, and the ids need not be known before; an aggregate
 * that is not among the lowest when it is first met never will be, since others only push it further back.
 *
 * Throws ReplayError where the stream holds no event of the domain, UsageError where there is no such stream.
 */
export async function sampleAggregates(task: SampleTask): Promise<SampledAggregate[]> {
  const { client, domain, domainSettings, signal } = task;
  const facts = await requireStream(client, domainSettings.stream);
  const codec = compileDomain(domain, domainSettings);
  const sample = new LowestHashes(task);
  const batches = readStream(client, {
    stream: facts.name,
    created: facts.created,
    range: { fromSeq: facts.firstSeq, toSeq: facts.lastSeq },
    filterSubjects: [],
    ...{ maxMessages: MAX_MESSAGES, maxBytes: MAX_BYTES, noProgressMs: NO_PROGRESS_MS, signal },
  });
  for await (const batch of batches) {
    for (const message of batch) {
      const id = idOf(message, codec);
      if (id !== null) sample.offer(id, message);
    }
  }
  const taken = sample.taken();
  if (taken.length > 0) return taken;
  throw new ReplayError(
    `Cannot check with events of ${domain}: stream ${facts.name} holds none. Check --domain and domains.${domain} in cim-replay.yaml.`,
  );
}

/** The routing key; the envelope's id where subjects hold none; null for what is no event of the domain. */
function idOf(message: StreamMessage, codec: DomainCodec): string | null {
  const routeKey = codec.route(message.subject);
  if (routeKey !== null) return routeKey ?? null;
  const event = codec.decode(message, null);
  return isMalformed(event) ? null : event.aggregateId;
}

interface Taken {
  readonly hash: string;
  readonly messages: StreamMessage[];
  bytes: number;
  isCut: boolean;
}

class LowestHashes {
  readonly #most: number;
  readonly #eventsEach: number;
  readonly #bytesEach: number;
  readonly #taken = new Map<string, Taken>();
  #highest = "";

  constructor({ aggregates, eventsAnAggregate, bytesAnAggregate }: SampleTask) {
    this.#most = aggregates;
    this.#eventsEach = eventsAnAggregate;
    this.#bytesEach = bytesAnAggregate;
  }

  offer(id: string, message: StreamMessage): void {
    const taken = this.#taken.get(id) ?? this.#admit(id);
    if (taken === null) return;
    // Whatever is left out, nothing behind it is taken: a fold with a hole says nothing.
    if (taken.isCut) return;
    const bytes = taken.bytes + message.data.length;
    const fits = taken.messages.length < this.#eventsEach && bytes <= this.#bytesEach;
    taken.isCut = !fits && taken.messages.length > 0;
    if (taken.isCut) return;
    taken.bytes = bytes;
    taken.messages.push(copyOf(message));
  }

  taken(): SampledAggregate[] {
    const sorted = [...this.#taken].sort(([a], [b]) => (a < b ? -1 : 1));
    return sorted.map(([id, { messages, isCut }]) => ({ id, messages, isCut }));
  }

  #admit(id: string): Taken | null {
    const rank = hash("sha256", id);
    if (this.#taken.size >= this.#most) {
      if (rank > this.#highest) return null;
      for (const [other, taken] of this.#taken) if (taken.hash === this.#highest) this.#taken.delete(other);
    }
    const taken = { hash: rank, messages: [], bytes: 0, isCut: false };
    this.#taken.set(id, taken);
    this.#highest = "";
    for (const other of this.#taken.values()) if (other.hash > this.#highest) this.#highest = other.hash;
    return taken;
  }
}

/** What a batch holds is the reader's again when the next is asked for. */
function copyOf({ seq, subject, receivedAtMs, data, headers }: StreamMessage): StreamMessage {
  return { seq, subject, receivedAtMs, data: data.slice(), headers };
}
