import { bucketFacts, type NatsClient, readEntries, readHeads } from "@cim-replay/nats";
import { entryDigest } from "./records.ts";

export interface BucketEntry {
  /** Of a delete marker too. */
  readonly revision: number;
  readonly deleted: boolean;
  /** Of bytes and provenance, see `entryDigest`; null where the entry is deleted. */
  readonly digest: string | null;
}

/** Every key under the filters, deleted ones too: whoever writes one needs its revision. Empty where there is no such bucket. */
export async function readBucketState(
  client: NatsClient,
  bucket: string,
  filters: readonly string[],
): Promise<ReadonlyMap<string, BucketEntry>> {
  const state = new Map<string, BucketEntry>();
  if (!(await bucketFacts(client, bucket))) return state;
  for (const filter of filters) {
    for await (const entries of readEntries(client, bucket, filter)) {
      for (const entry of entries) {
        state.set(entry.key, { revision: entry.revision, deleted: false, digest: entryDigest(entry) });
      }
    }
    for await (const heads of readHeads(client, bucket, filter)) {
      for (const { key, revision, deleted } of heads) if (deleted) state.set(key, { revision, deleted, digest: null });
    }
  }
  return state;
}
