import { compileDomain, type DomainCodec, type DomainSettings, isMalformed, ReplayError } from "@cim-replay/core";
import {
  Ledger,
  type NatsClient,
  readSequential,
  readStream,
  type StreamFacts,
  streamFacts,
  subjectCounts,
} from "@cim-replay/nats";
import { lastCompletedRun } from "../run-evidence.ts";
import { EventCounts } from "./event-counts.ts";

const MAX_MESSAGES = 10_000;
const MAX_BYTES = 32 * 1024 * 1024;
const NO_PROGRESS_MS = 5_000;
const TRIES_FOR_QUIET = 5;
/** Reading what came since is worth it up to here. */
const MAX_TAIL = 200_000;

export interface CountedDomain {
  readonly domain: string;
  readonly domainSettings: DomainSettings;
  /** Counted is what lies up to its last sequence. */
  readonly facts: StreamFacts | null;
  readonly signal: AbortSignal;
}

/**
 * The domain's events up to the last sequence of `facts`: only their total, from the server's index where that can be told of
 * it, or by type, which takes reading the stream. Both ways come to the same total. Throws ReplayError where there is no
 * stream.
 */
export async function countDomain(
  client: NatsClient,
  { domain, domainSettings, facts, signal }: CountedDomain,
  byType: boolean,
): Promise<EventCounts> {
  if (facts === null) {
    throw new ReplayError(
      `Cannot count the events of ${domain}: there is no stream ${domainSettings.stream}. Set domains.${domain}.stream in cim-replay.yaml.`,
    );
  }
  const codec = compileDomain(domain, domainSettings);
  const counts = new EventCounts();
  const indexed = byType ? null : await totalByIndex(client, codec, facts, signal);
  if (indexed !== null) {
    counts.total = BigInt(indexed);
    return counts;
  }
  const range = { fromSeq: Math.max(facts.firstSeq, 1), toSeq: facts.lastSeq };
  const bounds = { maxMessages: MAX_MESSAGES, maxBytes: MAX_BYTES, noProgressMs: NO_PROGRESS_MS };
  const source = { stream: facts.name, created: facts.created, range, filterSubjects: [] };
  for await (const batch of readStream(client, { ...source, ...bounds, signal })) {
    for (const message of batch) {
      const routeKey = codec.route(message.subject);
      if (routeKey === undefined) continue;
      const event = codec.decode(message, routeKey);
      if (isMalformed(event)) counts.addMalformed();
      else counts.add(event.type);
    }
  }
  return counts;
}

/**
 * The index counts what there is now: what came since is read and taken off. Null where it has not stood still, or that is
 * too much.
 */
async function totalByIndex(
  client: NatsClient,
  codec: DomainCodec,
  facts: StreamFacts,
  signal: AbortSignal,
): Promise<number | null> {
  for (let tries = 0; tries < TRIES_FOR_QUIET; tries++) {
    const before = await streamFacts(client, facts.name);
    const now = await countNow(client, codec, facts.name);
    const after = await streamFacts(client, facts.name);
    if (after?.created !== facts.created || after.lastSeq - facts.lastSeq > MAX_TAIL) return null;
    if (before?.lastSeq !== after.lastSeq || before.messages !== after.messages) continue;
    return now - (await countBehind(client, codec, { facts, toSeq: after.lastSeq, signal }));
  }
  return null;
}

async function countNow(client: NatsClient, codec: DomainCodec, stream: string): Promise<number> {
  let total = 0;
  for (const filter of codec.subjects) {
    for (const [subject, count] of await subjectCounts(client, stream, filter)) {
      if (codec.route(subject) !== undefined) total += count;
    }
  }
  return total;
}

async function countBehind(
  client: NatsClient,
  codec: DomainCodec,
  { facts, toSeq, signal }: { facts: StreamFacts; toSeq: number; signal: AbortSignal },
): Promise<number> {
  let count = 0;
  const range = { fromSeq: facts.lastSeq + 1, toSeq };
  const source = { stream: facts.name, created: facts.created, range, filterSubjects: codec.subjects, signal };
  for await (const batch of readSequential(client, source)) {
    for (const { subject } of batch) if (codec.route(subject) !== undefined) count += 1;
  }
  return count;
}

/** Events that the last completed run of the whole domain into this bucket left in the quarantine; without one, none. */
export async function countQuarantined(client: NatsClient, domain: string, bucket: string): Promise<bigint> {
  const ledger = await Ledger.open(client);
  const last = ledger && (await lastCompletedRun(ledger, domain, bucket));
  return BigInt(last?.run.summary?.quarantined ?? 0);
}
