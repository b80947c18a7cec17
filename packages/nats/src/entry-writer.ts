import { type Provenance, ReplayError } from "@cim-replay/core";
import type { NatsClient } from "./connect.ts";
import { EntryHeaders, sameProvenance } from "./entry-headers.ts";
import { provenanceOf } from "./entries.ts";
import { bucketStream, isDeleteMarker, keySubject } from "./kv-layout.ts";
import { lastMessage } from "./kv-read.ts";
import type { Ack } from "./publish-ack.ts";
import { type Outgoing, PublishWindow } from "./publish-window.ts";

const DEFAULT_MAX_PENDING = 4_000;
const DEFAULT_MAX_PENDING_BYTES = 16 * 1024 * 1024;
const NO_LIMIT = -1;
/** Most of what answers cost is saved by then, and a lost connection makes little to send again. */
const ANSWER_EVERY = 64;

export interface EntryWriterOptions {
  /** Unanswered puts at most. */
  readonly maxPending?: number;
  readonly maxPendingBytes?: number;
  /**
   * "each" (the default): every put is answered, and `flush` tells which were refused. "read-back": the caller reads all that
   * it wrote afterwards, and for little more than half the cost hears of none.
   */
  readonly confirm?: "each" | "read-back";
  /** The bucket's own limit on headers and value of one entry, as `bucketFacts` has it; −1: none. */
  readonly maxValueSize?: number;
}

/** A put of an entry that had another revision than expected. */
export interface RefusedPut {
  readonly key: string;
  readonly provenance: Provenance;
}

interface PendingPut extends Outgoing {
  readonly key: string;
  readonly provenance: Provenance;
  readonly expectedRevision: number;
}

/**
 * Writes a bucket's entries, each on condition of the revision it replaces, without waiting for each answer.
 * Values must not be changed before `flush` resolves. Puts whose answer was lost (a restarted server) are settled by
 * looking at the entry: with exactly this provenance it is done, at the expected revision it is written again, else it is
 * refused. Once a put has failed for good, everything after it fails with the same error.
 */
export class EntryWriter {
  readonly #client: NatsClient;
  readonly #bucket: string;
  readonly #stream: string;
  readonly #maxValueSize: number;
  readonly #isReadBack: boolean;
  readonly #headers = new EntryHeaders();
  readonly #encoder = new TextEncoder();
  readonly #window: PublishWindow<PendingPut>;
  readonly #refused = new Map<string, Provenance>();

  constructor(client: NatsClient, bucket: string, options: EntryWriterOptions = {}) {
    this.#client = client;
    this.#bucket = bucket;
    this.#stream = bucketStream(bucket);
    this.#maxValueSize = options.maxValueSize ?? NO_LIMIT;
    this.#isReadBack = options.confirm === "read-back";
    this.#window = new PublishWindow(
      client,
      {
        what: `write entries to bucket ${bucket}`,
        onStored: () => "settled",
        onRefused: (put, ack) => this.#onRefused(put, ack),
        // What is there already is refused: sent again, it changes nothing.
        resolve: (put) => (this.#isReadBack ? Promise.resolve("send-again") : this.#resolve(put)),
      },
      {
        maxPending: options.maxPending ?? DEFAULT_MAX_PENDING,
        maxPendingBytes: options.maxPendingBytes ?? DEFAULT_MAX_PENDING_BYTES,
        answerEvery: this.#isReadBack ? ANSWER_EVERY : 1,
      },
    );
  }

  /**
   * Undefined while the window has room, else a promise to wait for before the next put.
   * `expectedRevision`: the entry's revision, a delete marker's too; 0: the key was never there.
   * Rejects with ReplayError where the entry is larger than the server or the bucket takes.
   */
  put(
    key: string,
    value: string | Uint8Array,
    provenance: Provenance,
    expectedRevision: number,
  ): Promise<void> | undefined {
    const payload = typeof value === "string" ? this.#encoder.encode(value) : value;
    const headers = this.#headers.encode(provenance, expectedRevision);
    const size = headers.byteLength + payload.byteLength;
    const limit = this.#limitBelow(size);
    if (limit !== null) {
      const error = this.#cannotWrite(key, payload.byteLength, limit);
      this.#window.fail(error);
      return Promise.reject(error);
    }
    const subject = keySubject(this.#bucket, key);
    return this.#window.send({ key, subject, headers, payload, provenance, expectedRevision, sends: 0 });
  }

  /**
   * Waits until every put is settled. `refused`: those that found another revision than expected, since the last flush.
   * Throws ReplayError naming the entry that cannot be written, UnreachableError after a minute without progress.
   */
  async flush(): Promise<{ refused: RefusedPut[] }> {
    await this.#window.drain();
    const refused = [...this.#refused].map(([key, provenance]) => ({ key, provenance }));
    this.#refused.clear();
    return { refused };
  }

  #limitBelow(size: number): string | null {
    const maxPayload = this.#client.nc.info?.max_payload;
    if (maxPayload !== undefined && size > maxPayload) {
      return `with its headers it passes the server's max_payload of ${maxPayload} bytes. Raise that, or make the value smaller`;
    }
    if (this.#maxValueSize === NO_LIMIT || size <= this.#maxValueSize) return null;
    return `with its headers it passes the bucket's max value size of ${this.#maxValueSize} bytes. Raise that, or use another target`;
  }

  #cannotWrite(key: string, bytes: number, why: string): ReplayError {
    return new ReplayError(`Cannot write entry ${key} (${bytes} bytes) to bucket ${this.#bucket}: ${why}.`);
  }

  #onRefused(put: PendingPut, ack: Exclude<Ack, { kind: "stored" | "not-available" }>): "settled" | "doubtful" {
    if (ack.kind === "refused") {
      throw this.#cannotWrite(
        put.key,
        put.payload.byteLength,
        `${ack.words}. Give the bucket more room, or use another target`,
      );
    }
    if (this.#isReadBack) return "settled";
    // Sent more than once it may stand in its own way; and a server that leads no more may refuse what the leader stores.
    return "doubtful";
  }

  async #resolve(put: PendingPut): Promise<"settled" | "send-again"> {
    const head = await lastMessage(this.#client, this.#stream, put.subject, `look at entry ${put.key}`);
    const revision = head?.seq ?? 0;
    if (revision === put.expectedRevision) return "send-again";
    const written = head && !isDeleteMarker(head.header) ? provenanceOf(head.header) : null;
    const ours = written !== null && revision > put.expectedRevision && sameProvenance(written, put.provenance);
    if (!ours) this.#refused.set(put.key, put.provenance);
    return "settled";
  }
}
