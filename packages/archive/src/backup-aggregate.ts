import { compileDomain, isMalformed, ReplayError, type StreamMessage, UsageError } from "@cim-replay/core";
import { type NatsClient, readStream, type StreamFacts, streamFacts } from "@cim-replay/nats";
import {
  type BackupOptions,
  bucketOf,
  describeDomain,
  type DomainSource,
  entryLines,
  requireBucket,
} from "./backup-projections.ts";
import { type Chunk, chunksOf } from "./chunks.ts";
import { entriesManifest } from "./manifest.ts";
import { eventLine, recordOf } from "./records.ts";
import { scopeOf } from "./scope.ts";
import { type WrittenArchive, writeArchive } from "./write-archive.ts";

const READ = { maxMessages: 4_000, maxBytes: 16 * 1024 * 1024, noProgressMs: 5_000 };

export interface BackupAggregateOptions extends Omit<BackupOptions, "domains" | "onProgress"> {
  readonly domain: DomainSource;
  readonly aggregateId: string;
  readonly signal: AbortSignal;
}

/**
 * Writes an aggregate's entry, where it has one, and all its events into an archive. Throws UsageError where bucket or
 * stream are missing, ReplayError where there is neither entry nor event.
 */
export async function backupAggregate(client: NatsClient, options: BackupAggregateOptions): Promise<WrittenArchive> {
  const { domain, aggregateId, bucket, output, toolVersion, compression } = options;
  const facts = await requireBucket(client, bucket);
  const stream = await streamFacts(client, domain.settings.stream);
  if (!stream) {
    throw new UsageError(
      `Cannot back up aggregate ${aggregateId}: there is no stream ${domain.settings.stream}. Set domains.${domain.name}.stream in cim-replay.yaml.`,
    );
  }
  const head = {
    ...({ kind: "aggregate", aggregate_id: aggregateId, tool_version: toolVersion, bucket: bucketOf(facts) } as const),
    domains: [await describeDomain(client, domain)],
  };
  return writeArchive(output, {
    ...{ chunks: chunksOfAggregate(client, options, stream), describe: entriesManifest(head), compression },
  });
}

async function* chunksOfAggregate(
  client: NatsClient,
  options: BackupAggregateOptions,
  stream: StreamFacts,
): AsyncGenerator<Chunk> {
  const { domain, aggregateId, bucket, chunkBytes } = options;
  const { filters } = scopeOf([domain.name], aggregateId);
  let records = 0;
  for (const chunks of [
    chunksOf("entries", entryLines(client, bucket, filters), chunkBytes),
    chunksOf("events", eventLines(client, options, stream), chunkBytes),
  ]) {
    for await (const chunk of chunks) {
      records += chunk.records;
      yield chunk;
    }
  }
  if (records > 0) return;
  throw new ReplayError(
    `Cannot back up aggregate ${aggregateId} of ${domain.name}: it has no entry in bucket ${bucket} and no event in stream ${stream.name}. Check its id.`,
  );
}

async function* eventLines(
  client: NatsClient,
  { domain, aggregateId, signal }: BackupAggregateOptions,
  { name, created, firstSeq, lastSeq }: StreamFacts,
): AsyncGenerator<string> {
  const codec = compileDomain(domain.name, domain.settings);
  const isOurs = (message: StreamMessage): boolean => {
    const routeKey = codec.route(message.subject);
    if (routeKey === undefined || routeKey !== null) return routeKey === aggregateId;
    const event = codec.decode(message, routeKey);
    return !isMalformed(event) && event.aggregateId === aggregateId;
  };
  const range = { fromSeq: firstSeq, toSeq: lastSeq };
  const filterSubjects = codec.aggregateSubjects(aggregateId) ?? codec.subjects;
  for await (const batch of readStream(client, { stream: name, created, range, filterSubjects, signal, ...READ })) {
    for (const message of batch) if (isOurs(message)) yield eventLine(recordOf(message));
  }
}
