import { resolve } from "node:path";
import { ConflictingWriterError, ReplayError } from "@cim-replay/core";
import {
  bucketFacts,
  bucketStream,
  deleteEntry,
  EntryWriter,
  ensureBucket,
  type NatsClient,
  putPlainEntry,
  RESTORE_MARK,
  setStreamMark,
} from "@cim-replay/nats";
import { type BucketEntry, readBucketState } from "./bucket-state.ts";
import type { CheckedArchive } from "./read-archive.ts";
import type { EntryRecord } from "./records.ts";
import { keysNotRestored, namesOf, notRestored, requireRemoved } from "./restore-read-back.ts";
import { unfinishedRestore } from "./restore-mark.ts";
import { scopeOf } from "./scope.ts";

export interface RestoreOptions {
  readonly archive: CheckedArchive;
  readonly bucket: string;
  /** Counts what would be done and writes nothing. */
  readonly dryRun: boolean;
  /** What finishes this, for whoever finds the bucket half restored. Default: `restore-projections` with file and bucket. */
  readonly command?: string;
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

const MOST_PASSES = 3;
/** What an entry's headers come to at most, by far. */
const HEADERS_BYTES = 512;

/**
 * Makes the bucket hold, of the archive's domains, what the archive holds and nothing else. Each write and removal is on
 * condition of the revision that was read before. What the archive has not is removed only when all that it has was read
 * back. Whatever ends it early, the bucket says so, and doing it again goes on where it was.
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
  await checkFits(client, archive, bucket);
  const before = await readBucketState(client, bucket, filters, archive.digests);
  const unchanged = [...before.values()].filter(({ isAsKept }) => isAsKept).length;
  const surplus = [...before].filter(([key, { deleted }]) => !deleted && !archive.digests.has(key));
  const written = archive.digests.size - unchanged;
  const counts = { written, unchanged, removed: surplus.length };
  if (dryRun) return { ...counts, verified: 0 };
  if (written + surplus.length > 0) {
    await setStreamMark(client, bucketStream(bucket), RESTORE_MARK, options.command ?? commandFor(archive, bucket));
    if (written > 0) await writeUntilThere(client, options, { before, filters, surplus });
    signal.throwIfAborted();
    await removeAll(client, bucket, surplus);
    if (surplus.length > 0) await requireRemoved(client, archive, bucket, filters);
  }
  // An earlier one may have been killed right before this.
  if ((await unfinishedRestore(client, bucket)) !== null) {
    await setStreamMark(client, bucketStream(bucket), RESTORE_MARK, null);
  }
  return { ...counts, verified: archive.digests.size };
}

function commandFor({ path }: CheckedArchive, bucket: string): string {
  return `restore-projections --backup ${resolve(path)} --target ${bucket}`;
}

/** Before the first write, not in the middle. */
async function checkFits(client: NatsClient, { path, largest }: CheckedArchive, bucket: string): Promise<void> {
  const { maxValueSize = -1 } = (await bucketFacts(client, bucket)) ?? {};
  const limit = maxValueSize > 0 ? Math.min(maxValueSize, client.maxPayloadBytes) : client.maxPayloadBytes;
  if (!largest || largest.bytes + HEADERS_BYTES <= limit) return;
  throw new ReplayError(
    `Cannot restore ${path} into bucket ${bucket}: entry ${largest.key} is of ${largest.bytes} bytes, and with its headers the most is ${limit}. Raise the bucket's max value size, or the server's max_payload.`,
  );
}

interface Found {
  readonly before: ReadonlyMap<string, BucketEntry>;
  readonly filters: readonly string[];
  readonly surplus: readonly (readonly [key: string, entry: BucketEntry])[];
}

/**
 * Writes, and reads all back: only that tells what was refused. What was lost on the way, as when a cluster's leader goes, is
 * written again; what another wrote is not.
 */
async function writeUntilThere(client: NatsClient, options: RestoreOptions, found: Found): Promise<void> {
  const { archive, bucket, signal } = options;
  let { before } = found;
  for (let pass = 1; ; pass++) {
    await writeMissing(client, options, before);
    signal.throwIfAborted();
    const wrong = await keysNotRestored(client, archive, { bucket, ...found });
    if (wrong.length === 0) return;
    const now = await readBucketState(client, bucket, found.filters, archive.digests);
    const revisionIn = (state: typeof before, key: string) => state.get(key)?.revision ?? 0;
    const others = wrong.filter((key) => revisionIn(now, key) !== revisionIn(before, key));
    if (others.length > 0) throw conflict(bucket, others);
    if (pass === MOST_PASSES) throw notRestored(archive.path, bucket, wrong);
    before = now;
  }
}

async function writeMissing(
  client: NatsClient,
  { archive, bucket, signal, onProgress }: RestoreOptions,
  before: ReadonlyMap<string, BucketEntry>,
): Promise<void> {
  const maxValueSize = (await bucketFacts(client, bucket))?.maxValueSize ?? -1;
  const put = new Putting(client, bucket, new EntryWriter(client, bucket, { maxValueSize, confirm: "read-back" }));
  let looked = 0;
  try {
    for await (const records of archive.entries()) {
      signal.throwIfAborted();
      for (const record of records) {
        const there = before.get(record.key);
        if (there?.isAsKept) continue;
        const room = put.put(record, there?.revision ?? 0);
        if (room) await room;
      }
      looked += records.length;
      onProgress?.(looked);
    }
  } catch (error) {
    // What is on its way lands before this ends; what comes of it is the next restore's to see.
    await put.flush().catch(() => {});
    throw error;
  }
  await put.flush();
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

  /** A promise only where it must be waited for. */
  put(record: EntryRecord, revision: number): Promise<void> | undefined {
    const { key, value, provenance } = record;
    return provenance ? this.#writer.put(key, value, provenance, revision) : this.#putPlain(record, revision);
  }

  async #putPlain({ key, value }: EntryRecord, revision: number): Promise<void> {
    if (!(await putPlainEntry(this.#client, this.#bucket, key, value, revision))) this.#refused.push(key);
  }

  /** Nothing is on its way any more when it ends, in whatever way. */
  async flush(): Promise<void> {
    const { refused } = await this.#writer.flush();
    const all = [...refused.map(({ key }) => key), ...this.#refused.splice(0)];
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

function conflict(bucket: string, keys: readonly string[]): ConflictingWriterError {
  return new ConflictingWriterError(
    `Cannot restore ${keys.length} entries of bucket ${bucket} (${namesOf(keys)}): somebody wrote them meanwhile. Stop the domain's service, then restore again: it goes on where it was.`,
  );
}
