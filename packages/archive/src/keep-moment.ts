import { setTimeout as sleep } from "node:timers/promises";
import { domainSettingsSchema, ReplayError } from "@cim-replay/core";
import { bucketFacts, countKeys, lastRevision, type NatsClient, readEntries, streamFacts } from "@cim-replay/nats";
import { bucketOf, type DomainSource, requireBucket } from "./backup-projections.ts";
import { chunksOf } from "./chunks.ts";
import { entriesManifest, type Manifest } from "./manifest.ts";
import { entryLine } from "./records.ts";
import { scopeOf } from "./scope.ts";
import { type WrittenArchive, writeArchive } from "./write-archive.ts";

export interface MomentOptions {
  readonly domains: readonly DomainSource[];
  /** The domains are all that the bucket holds: then no key of it may change meanwhile, whosever it is. */
  readonly wholeBucket: boolean;
  readonly bucket: string;
  readonly output: string;
  readonly toolVersion: string;
  /** Entries so far, of this attempt; waited for. */
  readonly onProgress?: (entries: number) => void | Promise<void>;
  /** Something changed meanwhile; it is tried again. */
  readonly onRetry?: (reason: string) => void;
  readonly attempts?: number;
  /** Throws its reason, and leaves no archive, where it aborts. */
  readonly signal?: AbortSignal;
}

const ATTEMPTS = 5;
const FIRST_PAUSE_MS = 200;

/** Something changed while it was read: what was read never was there at one time. */
class Moved extends ReplayError {}

/**
 * Writes the domains' entries into an archive, as they were at one moment, with each stream's identity and last sequence at
 * that moment. Nothing is locked: bucket and streams are looked at before the first entry and after the last one, and where
 * they are not the same it begins again. Throws ReplayError, and leaves no archive, where that does not help.
 */
export async function keepMoment(client: NatsClient, options: MomentOptions): Promise<WrittenArchive> {
  const { attempts = ATTEMPTS, bucket, onRetry, signal } = options;
  for (let attempt = 1; ; attempt++) {
    try {
      return await keepOnce(client, options);
    } catch (error) {
      if (!(error instanceof Moved)) throw error;
      if (attempt === attempts) {
        throw new ReplayError(
          `Cannot keep bucket ${bucket} as it is at one moment: ${error.message}, ${attempts} times in a row. Pause the replay or stop the services that write there, then run it again.`,
        );
      }
      onRetry?.(error.message);
      await sleep(FIRST_PAUSE_MS * 2 ** (attempt - 1));
      signal?.throwIfAborted();
    }
  }
}

async function keepOnce(client: NatsClient, options: MomentOptions): Promise<WrittenArchive> {
  const { domains, wholeBucket, bucket, output, toolVersion, onProgress, signal } = options;
  const names = domains.map(({ name }) => name);
  const { filters } = scopeOf(names, null);
  const facts = await requireBucket(client, bucket);
  const look = () => stateOf(client, bucket, wholeBucket ? [">"] : filters);
  const before = await look();
  const streams = await pinStreams(client, domains);
  const head = {
    ...({ kind: "projections", aggregate_id: null, tool_version: toolVersion, bucket: bucketOf(facts) } as const),
    domains: domains.map(({ name, settings }) => ({
      ...{ name, settings: domainSettingsSchema.parse(settings) },
      stream: streams.get(settings.stream) ?? null,
    })),
  };
  async function* lines(): AsyncGenerator<string> {
    let entries = 0;
    for (const filter of filters) {
      for await (const batch of readEntries(client, bucket, filter)) {
        signal?.throwIfAborted();
        for (const entry of batch) yield entryLine(entry);
        entries += batch.length;
        await onProgress?.(entries);
      }
    }
    if ((await look()) !== before) throw new Moved("entries changed while they were read");
    await requireSameStreams(client, streams);
  }
  return writeArchive(output, { chunks: chunksOf("entries", lines()), describe: entriesManifest(head) });
}

/** Another text wherever an entry was written, deleted, or purged without a trace in its key. */
async function stateOf(client: NatsClient, bucket: string, filters: readonly string[]): Promise<string> {
  const created = (await bucketFacts(client, bucket))?.created ?? "none";
  const parts = filters.map(async (filter) => [
    filter,
    await lastRevision(client, bucket, filter),
    await countKeys(client, bucket, filter),
  ]);
  return JSON.stringify([created, ...(await Promise.all(parts))]);
}

type PinnedStream = NonNullable<Manifest["domains"][number]["stream"]>;

/** Once a stream, however many domains lie on it: they share one position. */
async function pinStreams(
  client: NatsClient,
  domains: readonly DomainSource[],
): Promise<ReadonlyMap<string, PinnedStream>> {
  const pinned = new Map<string, PinnedStream>();
  for (const name of new Set(domains.map(({ settings }) => settings.stream))) {
    const facts = await streamFacts(client, name);
    if (!facts) continue;
    const { created, firstSeq, lastSeq } = facts;
    pinned.set(name, { name, created, first_seq: firstSeq, last_seq: lastSeq });
  }
  return pinned;
}

async function requireSameStreams(client: NatsClient, pinned: ReadonlyMap<string, PinnedStream>): Promise<void> {
  for (const { name, created } of pinned.values()) {
    const now = await streamFacts(client, name);
    if (now?.created !== created) throw new Moved(`stream ${name} was deleted or made anew meanwhile`);
  }
}
