import { headers } from "nats";
import type { NatsClient } from "./connect.ts";
import { bucketStream, keySubject } from "./kv-layout.ts";
import { compareAndSet } from "./publish-cas.ts";

/**
 * Writes an entry that states no provenance, because whoever wrote it first gave it none; replays use `EntryWriter`.
 * `expectedRevision`: 0 where the key was never there. False where the entry has another revision by now.
 */
export async function putPlainEntry(
  client: NatsClient,
  bucket: string,
  key: string,
  value: Uint8Array,
  expectedRevision: number,
): Promise<boolean> {
  const revision = await compareAndSet(client, {
    stream: bucketStream(bucket),
    subject: keySubject(bucket, key),
    data: value,
    headers: headers(),
    expectedRevision,
    what: `write entry ${key}`,
  });
  return revision !== null;
}
