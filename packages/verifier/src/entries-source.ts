import { entryKey, UsageError } from "@cim-replay/core";
import {
  type BucketFacts,
  bucketFacts,
  type NatsClient,
  readHeads,
  type StreamFacts,
  streamFacts,
} from "@cim-replay/nats";

/** Key filter of a domain's entries, e.g. `graph.>`; of all entries where no domain is named. */
export function keysOf(domain: string | null): string {
  return domain === null ? ">" : entryKey(domain, "x").replace(/x$/, ">");
}

/** Throws UsageError where there is no such bucket. */
export async function requireBucket(client: NatsClient, bucket: string): Promise<BucketFacts> {
  const facts = await bucketFacts(client, bucket);
  if (facts) return facts;
  throw new UsageError(
    `Cannot read bucket ${bucket}: there is none of that name. Check its name and NATS_URL, or replay into it first.`,
  );
}

/** Throws UsageError where there is no such stream. */
export async function requireStream(client: NatsClient, stream: string): Promise<StreamFacts> {
  const facts = await streamFacts(client, stream);
  if (facts) return facts;
  throw new UsageError(
    `Cannot read stream ${stream}: there is none of that name. Check domains.<domain>.stream in cim-replay.yaml, and NATS_URL.`,
  );
}

/**
 * Whether an entry under the filter was written or deleted since the bucket had these facts. The bucket's own last revision
 * says no at once; else, as others may have been at work under other keys, the heads are looked through.
 */
export async function wasTouched(client: NatsClient, since: BucketFacts, keyFilter: string): Promise<boolean> {
  const now = await requireBucket(client, since.bucket);
  if (now.created !== since.created) return true;
  if (now.lastRevision === since.lastRevision) return false;
  for await (const batch of readHeads(client, since.bucket, keyFilter)) {
    if ((batch.at(-1)?.revision ?? 0) > since.lastRevision) return true;
  }
  return false;
}
