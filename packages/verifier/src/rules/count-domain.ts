import { compileDomain, type DomainSettings, isMalformed, ReplayError } from "@cim-replay/core";
import { Ledger, type NatsClient, readStream, type StreamFacts, subjectCounts } from "@cim-replay/nats";
import { lastCompletedRun } from "../run-evidence.ts";
import { EventCounts } from "./event-counts.ts";

const MAX_MESSAGES = 10_000;
const MAX_BYTES = 32 * 1024 * 1024;
const NO_PROGRESS_MS = 5_000;

export interface CountedDomain {
  readonly domain: string;
  readonly domainSettings: DomainSettings;
  /** Counted is what lies up to its last sequence. */
  readonly facts: StreamFacts | null;
  readonly signal: AbortSignal;
}

/**
 * The domain's events: only their total from the server's index, or by type, which takes reading the stream. Throws
 * ReplayError where there is no stream.
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
  if (!byType) {
    for (const filter of codec.subjects) {
      for (const [subject, count] of await subjectCounts(client, facts.name, filter)) {
        if (codec.route(subject) !== undefined) counts.total += BigInt(count);
      }
    }
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

/** Events that the last completed run of the whole domain into this bucket left in the quarantine; without one, none. */
export async function countQuarantined(client: NatsClient, domain: string, bucket: string): Promise<bigint> {
  const ledger = await Ledger.open(client);
  const last = ledger && (await lastCompletedRun(ledger, domain, bucket));
  return BigInt(last?.run.summary?.quarantined ?? 0);
}
