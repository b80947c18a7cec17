import { hash } from "node:crypto";
import { ReplayError } from "@cim-replay/core";
import { type BucketFacts, lastRevision, type NatsClient, readEntries } from "@cim-replay/nats";
import { type Checksums, rootOf } from "./checksums-file.ts";
import { keysOf, requireBucket, requireStream } from "./entries-source.ts";
import { byKey } from "./merkle.ts";

export interface ChecksumsSource {
  readonly domain: string;
  readonly bucket: string;
  /** The domain's event stream, whose position is pinned beside the digests. */
  readonly stream: string;
}

/**
 * A digest for every entry that a domain has in a bucket. Complete by the server's index, and of one moment: throws
 * ReplayError where an entry was written meanwhile, or where there is none; UsageError where stream or bucket are missing.
 */
export async function takeChecksums(client: NatsClient, source: ChecksumsSource, takenAt: Date): Promise<Checksums> {
  const { domain, bucket } = source;
  const stream = await requireStream(client, source.stream);
  const { facts, sha256ByKey } = await digestEntries(client, domain, bucket);
  if (sha256ByKey.size === 0) {
    throw new ReplayError(
      `Cannot take checksums of ${domain}: bucket ${bucket} holds no entry of it. Check --domain and --target.`,
    );
  }
  const entries = [...sha256ByKey].sort(([a], [b]) => byKey({ key: a }, { key: b }));
  return {
    format: "cim-replay-checksums",
    version: 1,
    domain,
    taken_at: takenAt.toISOString(),
    stream: { name: stream.name, created: stream.created, last_seq: stream.lastSeq },
    bucket: { name: bucket, created: facts.created, last_revision: facts.lastRevision },
    entries,
    root: rootOf(entries),
  };
}

/** SHA-256 of each value of the domain, as they all were at the revision in `facts`. Values are let go at once. */
export async function digestEntries(
  client: NatsClient,
  domain: string,
  bucket: string,
): Promise<{ facts: BucketFacts; sha256ByKey: Map<string, string> }> {
  const facts = await requireBucket(client, bucket);
  const filter = keysOf(domain);
  const revision = await lastRevision(client, bucket, filter);
  const sha256ByKey = new Map<string, string>();
  for await (const batch of readEntries(client, bucket, filter)) {
    for (const { key, value } of batch) sha256ByKey.set(key, hash("sha256", value));
  }
  // The domain's own, delete markers included: what others do in the bucket meanwhile is of no matter.
  if ((await lastRevision(client, bucket, filter)) !== revision) {
    throw new ReplayError(
      `Cannot take checksums of ${domain}: its entries in bucket ${bucket} were written meanwhile, so that they are of no ` +
        "one moment. Stop the domain's service or run, and try again.",
    );
  }
  return { facts, sha256ByKey };
}
