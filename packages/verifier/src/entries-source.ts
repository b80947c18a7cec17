import { entryKey, UsageError } from "@cim-replay/core";
import { type BucketFacts, bucketFacts, type NatsClient, type StreamFacts, streamFacts } from "@cim-replay/nats";

/** Key filter of a domain's entries, e.g. `graph.>`; of all entries where no domain is named. */
export function keysOf(domain: string | null): string {
  return domain === null ? ">" : entryKey(domain, "x").replace(/x$/, ">");
}

/** Throws UsageError where there is no such bucket: a mistyped name, and nothing that could be true or false. */
export async function requireBucket(
  client: NatsClient,
  bucket: string,
  work = `read bucket ${bucket}`,
): Promise<BucketFacts> {
  const facts = await bucketFacts(client, bucket);
  if (facts) return facts;
  throw new UsageError(
    `Cannot ${work}: there is no bucket ${bucket}. Check its name and NATS_URL, or replay into it first.`,
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
