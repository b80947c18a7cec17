import { type Provenance, parseProvenance, ReplayError } from "@cim-replay/core";
import { JetStreamApiError } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { headers, type MsgHdrs, millis } from "nats";
import type { NatsClient } from "./connect.ts";
import { bucketStream, DELETE_MARKER, isDeleteMarker, keySubject, OPERATION_HEADER } from "./kv-layout.ts";
import { lastMessage } from "./kv-read.ts";
import { compareAndSet } from "./publish-cas.ts";
import { isStreamNotFound, STREAM_NAME_IN_USE, withRetries } from "./publish-retry.ts";
import { withReplicas } from "./replicas.ts";
import { RESTORE_MARK } from "./restore-mark.ts";
import { subjectTotal } from "./subject-total.ts";

export interface BucketFacts {
  readonly bucket: string;
  /** As the server writes it; a bucket made anew has another. */
  readonly created: string;
  /** Highest revision of any key; 0 where nothing was ever written. */
  readonly lastRevision: number;
  /** After which entries vanish; 0: never. */
  readonly ttlMs: number;
  /** Of the whole bucket; −1: no limit. */
  readonly maxBytes: number;
  /** Of one entry, its headers included; −1: no limit. */
  readonly maxValueSize: number;
  readonly bytes: number;
  readonly replicas: number;
  /** Revisions kept of each key. */
  readonly history: number;
  /** A restore has begun to change it and has not ended: the command that finishes it. Null where there is none. */
  readonly unfinishedRestore: string | null;
}

export interface EntryHead {
  readonly key: string;
  readonly revision: number;
  /** A delete or purge marker: the key has a revision but no value. */
  readonly deleted: boolean;
  /** Null where the entry was not written by a replay. */
  readonly provenance: Provenance | null;
}

export interface Entry extends EntryHead {
  readonly value: Uint8Array;
}

/** Null where there is no such bucket. */
export function bucketFacts(client: NatsClient, bucket: string): Promise<BucketFacts | null> {
  const stream = bucketStream(bucket);
  return withRetries(client, `look at bucket ${bucket}`, async () => {
    try {
      const { config, created, state } = await client.jsm.streams.info(stream);
      return {
        bucket,
        created,
        lastRevision: state.last_seq,
        ttlMs: millis(config.max_age),
        maxBytes: config.max_bytes,
        maxValueSize: config.max_msg_size,
        bytes: state.bytes,
        replicas: config.num_replicas,
        history: config.max_msgs_per_subject,
        unfinishedRestore: config.metadata?.[RESTORE_MARK] ?? null,
      };
    } catch (error) {
      if (isStreamNotFound(error)) return null;
      throw error;
    }
  });
}

/** The bucket as it is, or made first: in files, one revision a key, no limits. */
export async function ensureBucket(client: NatsClient, bucket: string): Promise<BucketFacts> {
  const there = await bucketFacts(client, bucket);
  if (there) return there;
  await withRetries(client, `make bucket ${bucket}`, async () => {
    try {
      await withReplicas(client, `bucket ${bucket}`, (replicas) =>
        new Kvm(client.js).create(bucket, { history: 1, replicas }),
      );
    } catch (error) {
      // Somebody was faster, with other settings: theirs stand.
      if (!(error instanceof JetStreamApiError && error.code === STREAM_NAME_IN_USE)) throw error;
    }
  });
  const made = await bucketFacts(client, bucket);
  if (made) return made;
  throw new ReplayError(`Cannot make bucket ${bucket}: it was deleted at once. Stop what deletes it.`);
}

/** Keys under a filter such as `graph.>`, from the server's subject index; delete markers count. */
export function countKeys(client: NatsClient, bucket: string, keyFilter: string): Promise<number> {
  return subjectTotal(client, bucketStream(bucket), keySubject(bucket, keyFilter));
}

/** The newest revision of one key, a delete marker too; null where the key was never there. */
export async function getEntry(client: NatsClient, bucket: string, key: string): Promise<Entry | null> {
  const message = await lastMessage(client, bucketStream(bucket), keySubject(bucket, key), `read entry ${key}`);
  if (message === null) return null;
  return { ...headOf(key, message.seq, message.header), value: message.data };
}

/** Leaves a delete marker in place of the expected revision. False where the entry has another revision by now. */
export async function deleteEntry(
  client: NatsClient,
  bucket: string,
  key: string,
  expectedRevision: number,
): Promise<boolean> {
  const marker = headers();
  marker.set(OPERATION_HEADER, DELETE_MARKER);
  const revision = await compareAndSet(client, {
    stream: bucketStream(bucket),
    subject: keySubject(bucket, key),
    data: new Uint8Array(0),
    headers: marker,
    expectedRevision,
    what: `delete entry ${key}`,
  });
  return revision !== null;
}

export function headOf(key: string, revision: number, header: MsgHdrs | undefined): EntryHead {
  const deleted = isDeleteMarker(header);
  return { key, revision, deleted, provenance: deleted ? null : provenanceOf(header) };
}

export function provenanceOf(header: MsgHdrs | undefined): Provenance | null {
  if (header === undefined) return null;
  // Walked once: the client's own look-up goes through all names each time.
  const values = new Map<string, string[]>(header);
  return parseProvenance((name) => values.get(name)?.[0]);
}
