import { ConflictingWriterError, ReplayError } from "@cim-replay/core";
import { bucketFacts, deleteEntry, ensureBucket, EntryWriter, type NatsClient, putPlainEntry } from "@cim-replay/nats";
import { type BucketEntry, readBucketState } from "./bucket-state.ts";
import type { CheckedArchive } from "./read-archive.ts";
import { type EntryRecord, entryDigest } from "./records.ts";
import { scopeOf } from "./scope.ts";

export interface RestoreOptions {
  readonly archive: CheckedArchive;
  readonly bucket: string;
  /** Counts what would be done and writes nothing. */
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
  /** Entries of the archive that were looked at so far; called after each chunk. */
  readonly onProgress?: (entries: number) => void;
}

export interface Restored {
  readonly written: number;
  /** Were there already, with the same bytes and provenance. */
  readonly unchanged: number;
  /** Entries that the archive's domains had, and the archive has not. */
  readonly removed: number;
  /** Read back after the last write; 0 in a dry run. */
  readonly verified: number;
}

const NAMED = 5;

/**
 * Makes the bucket hold, of the archive's domains, what the archive holds and nothing else. Each write and removal is on
 * condition of the revision that was read before. Whatever ends it early, doing it again goes on where it was.
 * Throws ConflictingWriterError where somebody else writes there, ReplayError where the bucket does not hold it afterwards.
 */
export async function restoreArchive(client: NatsClient, options: RestoreOptions): Promise<Restored> {
  const { archive, bucket, dryRun, signal } = options;
  const { domains, aggregate_id } = archive.manifest;
  const { filters } = scopeOf(
    domains.map(({ name }) => name),
    aggregate_id,
  );
  if (!dryRun) await ensureBucket(client, bucket);
  const before = await readBucketState(client, bucket, filters);
  const { written, unchanged } = await writeMissing(client, options, before);
  signal.throwIfAborted();
  const surplus = [...before].filter(([key, { deleted }]) => !deleted && !archive.digests.has(key));
  if (dryRun) return { written, unchanged, removed: surplus.length, verified: 0 };
  await removeAll(client, bucket, surplus);
  const after = await readBucketState(client, bucket, filters);
  verify(archive, bucket, after);
  return { written, unchanged, removed: surplus.length, verified: archive.digests.size };
}

async function writeMissing(
  client: NatsClient,
  { archive, bucket, dryRun, signal, onProgress }: RestoreOptions,
  before: ReadonlyMap<string, BucketEntry>,
): Promise<{ written: number; unchanged: number }> {
  const maxValueSize = (await bucketFacts(client, bucket))?.maxValueSize ?? -1;
  const put = new Putting(client, bucket, new EntryWriter(client, bucket, { maxValueSize }));
  let written = 0;
  let unchanged = 0;
  for await (const records of archive.entries()) {
    signal.throwIfAborted();
    for (const record of records) {
      const there = before.get(record.key);
      if (there?.digest === entryDigest(record)) {
        unchanged += 1;
        continue;
      }
      written += 1;
      if (!dryRun) await put.put(record, there?.revision ?? 0);
    }
    await put.flush();
    onProgress?.(written + unchanged);
  }
  return { written, unchanged };
}

/** Entries with provenance go out without waiting for each; the few without have no writer of their own. */
class Putting {
  readonly #client: NatsClient;
  readonly #bucket: string;
  readonly #writer: EntryWriter;
  readonly #refused: string[] = [];

  constructor(client: NatsClient, bucket: string, writer: EntryWriter) {
    this.#client = client;
    this.#bucket = bucket;
    this.#writer = writer;
  }

  async put({ key, value, provenance }: EntryRecord, revision: number): Promise<void> {
    if (provenance) return this.#writer.put(key, value, provenance, revision);
    if (!(await putPlainEntry(this.#client, this.#bucket, key, value, revision))) this.#refused.push(key);
  }

  /** Nothing is on its way any more when it ends, in whatever way. */
  async flush(): Promise<void> {
    const { refused } = await this.#writer.flush();
    const all = [...refused, ...this.#refused.splice(0)];
    if (all.length > 0) throw conflict(this.#bucket, all);
  }
}

const REMOVALS_AT_ONCE = 256;

async function removeAll(
  client: NatsClient,
  bucket: string,
  surplus: readonly (readonly [key: string, entry: BucketEntry])[],
): Promise<void> {
  for (let at = 0; at < surplus.length; at += REMOVALS_AT_ONCE) {
    const some = surplus.slice(at, at + REMOVALS_AT_ONCE);
    const done = await Promise.all(some.map(([key, { revision }]) => deleteEntry(client, bucket, key, revision)));
    const kept = some.filter((_, index) => !done[index]).map(([key]) => key);
    if (kept.length > 0) throw conflict(bucket, kept);
  }
}

function verify({ digests, path }: CheckedArchive, bucket: string, after: ReadonlyMap<string, BucketEntry>): void {
  const wrong = [...digests].filter(([key, digest]) => after.get(key)?.digest !== digest).map(([key]) => key);
  for (const [key, { deleted }] of after) if (!deleted && !digests.has(key)) wrong.push(key);
  if (wrong.length === 0) return;
  throw new ReplayError(
    `Cannot call bucket ${bucket} restored: read back, ${wrong.length} entries are not as ${path} has them (${namesOf(wrong)}). Stop whoever writes there, then restore again.`,
  );
}

function conflict(bucket: string, keys: readonly string[]): ConflictingWriterError {
  return new ConflictingWriterError(
    `Cannot restore ${keys.length} entries of bucket ${bucket} (${namesOf(keys)}): somebody wrote them meanwhile. Stop the domain's service, then restore again: it goes on where it was.`,
  );
}

function namesOf(keys: readonly string[]): string {
  return keys.slice(0, NAMED).join(", ") + (keys.length > NAMED ? ", …" : "");
}
