import { domainSettingsSchema, type DomainSettings, ReplayError, UsageError } from "@cim-replay/core";
import {
  type BucketFacts,
  bucketFacts,
  lastRevision,
  type NatsClient,
  readEntries,
  streamFacts,
} from "@cim-replay/nats";
import { chunksOf } from "./chunks.ts";
import type { Compression } from "./compression.ts";
import { entriesManifest, type Manifest } from "./manifest.ts";
import { entryLine } from "./records.ts";
import { scopeOf } from "./scope.ts";
import { type WrittenArchive, writeArchive } from "./write-archive.ts";

export interface DomainSource {
  readonly name: string;
  readonly settings: DomainSettings;
}

export interface BackupOptions {
  readonly domains: readonly DomainSource[];
  readonly bucket: string;
  readonly output: string;
  readonly toolVersion: string;
  readonly chunkBytes?: number;
  /** Default: by the ending of `output`. */
  readonly compression?: Compression | undefined;
  /** Throws its reason, and leaves no archive, where it aborts. */
  readonly signal?: AbortSignal;
  /** Entries so far. */
  readonly onProgress?: (entries: number) => void;
}

/**
 * Writes all entries of the domains, with their provenance, into an archive. Throws ReplayError, and leaves no archive,
 * where somebody writes to them meanwhile: what would be kept then never was the bucket's state.
 */
export async function backupProjections(client: NatsClient, options: BackupOptions): Promise<WrittenArchive> {
  const { domains, bucket, output, toolVersion, chunkBytes, compression } = options;
  const facts = await requireBucket(client, bucket);
  const head = {
    ...({ kind: "projections", aggregate_id: null, tool_version: toolVersion, bucket: bucketOf(facts) } as const),
    domains: await Promise.all(domains.map((source) => describeDomain(client, source))),
  };
  const scope = scopeOf(
    domains.map(({ name }) => name),
    null,
  );
  const lines = entryLines(client, bucket, scope.filters, options.onProgress, options.signal);
  return writeArchive(output, {
    ...{ chunks: chunksOf("entries", lines, chunkBytes), describe: entriesManifest(head), compression },
  });
}

export async function* entryLines(
  client: NatsClient,
  bucket: string,
  filters: readonly string[],
  onProgress: (entries: number) => void = () => {},
  signal?: AbortSignal,
): AsyncGenerator<string> {
  const before = await revisionsOf(client, bucket, filters);
  let entries = 0;
  for (const filter of filters) {
    for await (const batch of readEntries(client, bucket, filter)) {
      signal?.throwIfAborted();
      for (const entry of batch) yield entryLine(entry);
      entries += batch.length;
      onProgress(entries);
    }
  }
  const after = await revisionsOf(client, bucket, filters);
  if (after.every((revision, index) => revision === before[index])) return;
  throw new ReplayError(
    `Cannot back up bucket ${bucket}: entries were written while they were read. Pause the replay or stop the domain's service, then run it again.`,
  );
}

export async function describeDomain(
  client: NatsClient,
  { name, settings }: DomainSource,
): Promise<Manifest["domains"][number]> {
  const facts = await streamFacts(client, settings.stream);
  const stream = facts && {
    ...{ name: facts.name, created: facts.created, first_seq: facts.firstSeq, last_seq: facts.lastSeq },
  };
  return { name, settings: domainSettingsSchema.parse(settings), stream };
}

export async function requireBucket(client: NatsClient, bucket: string): Promise<BucketFacts> {
  const facts = await bucketFacts(client, bucket);
  if (facts) return facts;
  throw new UsageError(`Cannot back up bucket ${bucket}: there is none. Name another with --target.`);
}

export function bucketOf({ bucket, created, lastRevision: last }: BucketFacts): Manifest["bucket"] {
  return { name: bucket, created, last_revision: last };
}

function revisionsOf(client: NatsClient, bucket: string, filters: readonly string[]): Promise<number[]> {
  return Promise.all(filters.map((filter) => lastRevision(client, bucket, filter)));
}
