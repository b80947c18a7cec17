import type { z } from "zod";
import { headers } from "nats";
import type { NatsClient } from "./connect.ts";
import { bucketStream, DELETE_MARKER, isDeleteMarker, keySubject, OPERATION_HEADER } from "./kv-layout.ts";
import { inParallel } from "./kv-parallel.ts";
import { lastMessage } from "./kv-read.ts";
import { compareAndSet } from "./publish-cas.ts";
import { decodeRecord, encodeRecord } from "./record-codec.ts";
import { subjectCounts } from "./subject-index.ts";
import { withRetries } from "./publish-retry.ts";

export interface Versioned<T> {
  readonly record: T;
  readonly revision: number;
}

const READS_AT_ONCE = 32;
const DEFAULT_MAX_PAYLOAD_BYTES = 1024 * 1024;

/** Records by key in one bucket: every read from the stream's leader and checked by schema, every write conditional. */
export class RecordStore {
  readonly #client: NatsClient;
  readonly #bucket: string;
  readonly #stream: string;

  constructor(client: NatsClient, bucket: string) {
    this.#client = client;
    this.#bucket = bucket;
    this.#stream = bucketStream(bucket);
  }

  /** Null where the key is not there or deleted. Throws ReplayError where the record does not fit its schema. */
  async get<T>(key: string, schema: z.ZodType<T>): Promise<Versioned<T> | null> {
    const head = await this.head(key);
    if (head === null || head.deleted) return null;
    return { record: decodeRecord(key, schema, head.data, head.header), revision: head.revision };
  }

  async head(key: string) {
    const message = await lastMessage(
      this.#client,
      this.#stream,
      keySubject(this.#bucket, key),
      `read ledger record ${key}`,
    );
    if (message === null) return null;
    const deleted = isDeleteMarker(message.header);
    return { revision: message.seq, deleted, data: message.data, header: message.header };
  }

  /** The new revision, or null where the key is no longer at `revision` (0: it was never there). */
  async put(key: string, record: unknown, revision: number): Promise<number | null> {
    const maxPayloadBytes = this.#client.nc.info?.max_payload ?? DEFAULT_MAX_PAYLOAD_BYTES;
    return await this.#write(key, revision, encodeRecord(key, record, maxPayloadBytes));
  }

  /** Leaves a delete marker. False where the key is no longer at `revision`. */
  async delete(key: string, revision: number): Promise<boolean> {
    const marker = headers();
    marker.set(OPERATION_HEADER, DELETE_MARKER);
    return (await this.#write(key, revision, { data: new Uint8Array(0), headers: marker })) !== null;
  }

  /** Every record under a key filter, those that are `known` by their key without being read. Complete: the keys come from the server's subject index, all pages of it. */
  async list<T>(
    keyFilter: string,
    schema: z.ZodType<T>,
    known: ReadonlyMap<string, Versioned<T>> = new Map(),
  ): Promise<Versioned<T>[]> {
    const prefix = keySubject(this.#bucket, "");
    const index = await withRetries(this.#client, `list ledger records ${keyFilter}`, () =>
      subjectCounts(this.#client, this.#stream, `${prefix}${keyFilter}`),
    );
    const keys = [...index.keys()].map((subject) => subject.slice(prefix.length));
    const records = await inParallel(keys, READS_AT_ONCE, async (key) => known.get(key) ?? this.get(key, schema));
    return records.filter((record) => record !== null);
  }

  /** Tells of keys that are written, as their messages pass by: fire and forget. Returns what ends it. */
  onChange(keyFilter: string, handler: (key: string) => void): () => void {
    const prefix = keySubject(this.#bucket, "");
    const subscription = this.#client.nc.subscribe(`${prefix}${keyFilter}`, {
      callback: (error, message) => {
        if (!error) handler(message.subject.slice(prefix.length));
      },
    });
    return () => subscription.unsubscribe();
  }

  #write(key: string, expectedRevision: number, encoded: ReturnType<typeof encodeRecord>): Promise<number | null> {
    return compareAndSet(this.#client, {
      stream: this.#stream,
      subject: keySubject(this.#bucket, key),
      ...encoded,
      expectedRevision,
      what: `write ledger record ${key}`,
    });
  }
}
