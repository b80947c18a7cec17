import { canonicalType, compileDomain, type DomainSettings, isMalformed, parseEntryKey } from "@cim-replay/core";
import { type NatsClient, QuarantineStore, readStream } from "@cim-replay/nats";
import { requireStream } from "./entries-source.ts";
import type { ProjectedCounts, ProjectedEntry } from "./count-projected.ts";

const MAX_MESSAGES = 10_000;
const MAX_BYTES = 32 * 1024 * 1024;
const NO_PROGRESS_MS = 15_000;
const MOST_SPELLINGS = 8;

/** Events of one type, in all its spellings and aliases. */
export interface TypeCount {
  /** The one name of the type: lower case, without separators. */
  readonly type: string;
  /** As producers wrote it, at most eight of them, sorted. */
  readonly spellings: readonly string[];
  readonly events: number;
}

interface TypesTask {
  readonly domain: string;
  /** That the entries are in. */
  readonly bucket: string;
  readonly domainSettings: DomainSettings;
  readonly signal: AbortSignal;
}

/**
 * The events that entries account for, by type, most first: those of the stream up to each entry's last sequence, without
 * those that the entry's run put into the quarantine. Throws UsageError where there is no such stream. Where a run was cut by
 * time or began behind the first event, the sum exceeds what the entries say.
 */
export async function countProjectedTypes(
  client: NatsClient,
  { entries }: ProjectedCounts,
  { domain, bucket, domainSettings, signal }: TypesTask,
): Promise<TypeCount[]> {
  const facts = await requireStream(client, domainSettings.stream);
  const byId = new Map<string, ProjectedEntry>();
  let lastSeq = 0;
  for (const [key, entry] of entries) {
    byId.set(parseEntryKey(key)?.aggregateId ?? key, entry);
    lastSeq = Math.max(lastSeq, entry.lastSeq);
  }
  const codec = compileDomain(domain, domainSettings);
  const quarantined = await quarantinedSequences(client, bucket, entries.values());
  const types = new TypeTable();
  const messages = readStream(client, {
    stream: facts.name,
    created: facts.created,
    range: { fromSeq: facts.firstSeq, toSeq: Math.min(lastSeq, facts.lastSeq) },
    filterSubjects: [],
    ...{ maxMessages: MAX_MESSAGES, maxBytes: MAX_BYTES, noProgressMs: NO_PROGRESS_MS, signal },
  });
  for await (const batch of messages) {
    for (const message of batch) {
      const routeKey = codec.route(message.subject);
      if (routeKey === undefined) continue;
      const event = codec.decode(message, routeKey);
      if (isMalformed(event)) continue;
      const entry = byId.get(event.aggregateId);
      if (entry === undefined || message.seq > entry.lastSeq) continue;
      if (!quarantined.get(entry.run)?.has(message.seq)) types.add(event.type);
    }
  }
  return types.counts();
}

class TypeTable {
  readonly #types = new Map<string, { events: number; spellings: Set<string> }>();

  add(type: string): void {
    const canonical = canonicalType(type);
    const known = this.#types.get(canonical) ?? { events: 0, spellings: new Set<string>() };
    if (known.events === 0) this.#types.set(canonical, known);
    known.events += 1;
    if (known.spellings.size < MOST_SPELLINGS) known.spellings.add(type);
  }

  counts(): TypeCount[] {
    const counts = [...this.#types].map(([type, { events, spellings }]) => {
      return { type, events, spellings: [...spellings].sort() };
    });
    return counts.sort((a, b) => b.events - a.events || (a.type < b.type ? -1 : 1));
  }
}

/** By run. */
async function quarantinedSequences(
  client: NatsClient,
  bucket: string,
  entries: Iterable<ProjectedEntry>,
): Promise<Map<string, Set<number>>> {
  const sequences = new Map<string, Set<number>>();
  const store = await QuarantineStore.open(client, { create: false });
  if (!store) return sequences;
  for (const { run } of entries) {
    if (sequences.has(run)) continue;
    const ofRun = new Set<number>();
    sequences.set(run, ofRun);
    for await (const { seq } of store.list(run, bucket)) ofRun.add(seq);
  }
  return sequences;
}
