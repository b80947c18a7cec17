import { bucketFacts, type NatsClient, readEntries, readHeads } from "@cim-replay/nats";
import type { EntryDigests } from "./entry-digests.ts";

export interface BucketEntry {
  /** Of a delete marker too. */
  readonly revision: number;
  readonly deleted: boolean;
  /** Bytes and provenance are those of the archive's entry. */
  readonly isAsKept: boolean;
}

/**
 * Every key under the filters, deleted ones too: whoever writes one needs its revision. `kept`: what the archive holds.
 * Empty where there is no such bucket.
 */
export async function readBucketState(
  client: NatsClient,
  bucket: string,
  filters: readonly string[],
  kept: EntryDigests,
): Promise<ReadonlyMap<string, BucketEntry>> {
  const state = new Map<string, BucketEntry>();
  if (!(await bucketFacts(client, bucket))) return state;
  for (const filter of filters) {
    for await (const entries of readEntries(client, bucket, filter)) {
      for (const entry of entries) {
        const { key, revision } = entry;
        const place = kept.placeOf(key);
        state.set(key, { revision, deleted: false, isAsKept: place !== undefined && kept.fits(place, entry) });
      }
    }
    for await (const heads of readHeads(client, bucket, filter)) {
      for (const { key, revision, deleted } of heads) {
        if (deleted) state.set(key, { revision, deleted, isAsKept: false });
      }
    }
  }
  return state;
}
