import { createHash } from "node:crypto";
import { ReplayError } from "@cim-replay/core";
import { DeliverPolicy, StorageType } from "@nats-io/jetstream";
import { type ObjectInfo, Objm, type ObjectStore } from "@nats-io/obj";
import { apiRequest } from "./api-request.ts";
import type { NatsClient } from "./connect.ts";
import { PullInterrupted, pullToEnd } from "./message-pull.ts";
import { isStreamNotFound, isWrongRevision, withRetries } from "./publish-retry.ts";
import { withReplicas } from "./replicas.ts";
import { subjectCounts } from "./subject-index.ts";

const READ_ATTEMPTS = 10;

export interface KeptFile {
  readonly name: string;
  readonly bytes: number;
  /** What its writer said of it. */
  readonly facts: Readonly<Record<string, string>>;
}

/** Files in a JetStream object store, in chunks of 128 KiB; other clients of NATS read them too. */
export class FileStore {
  readonly #client: NatsClient;
  readonly #store: ObjectStore;
  readonly #bucket: string;

  private constructor(client: NatsClient, store: ObjectStore, bucket: string) {
    this.#client = client;
    this.#store = store;
    this.#bucket = bucket;
  }

  /** Null where there is none of that name and `create` is false. */
  static async open(client: NatsClient, bucket: string, { create }: { create: boolean }): Promise<FileStore | null> {
    return withRetries(client, `open object store ${bucket}`, async () => {
      const objects = new Objm(client.js);
      if (create) {
        const made = await withReplicas(client, `object store ${bucket}`, (replicas) =>
          objects.create(bucket, { storage: StorageType.File, replicas }),
        );
        return new FileStore(client, made, bucket);
      }
      try {
        await client.jsm.streams.info(streamOf(bucket));
      } catch (error) {
        if (isStreamNotFound(error)) return null;
        throw error;
      }
      return new FileStore(client, await objects.open(bucket, false), bucket);
    });
  }

  /** False, and nothing kept, where the name is taken, be it meanwhile. Throws UnreachableError or ReplayError. */
  async put(name: string, content: AsyncIterable<Uint8Array>, facts: KeptFile["facts"]): Promise<boolean> {
    const there = await this.#info(name);
    if (there && !there.deleted) return false;
    return apiRequest(`keep ${name} in object store ${this.#bucket}`, async () => {
      try {
        const options = { previousRevision: there?.revision ?? 0 };
        await this.#store.put({ name, metadata: { ...facts } }, ReadableStream.from(content), options);
        return true;
      } catch (error) {
        if (isWrongRevision(error)) return false;
        throw error;
      }
    });
  }

  async find(name: string): Promise<KeptFile | null> {
    const info = await this.#info(name);
    return info && !info.deleted ? fileOf(info) : null;
  }

  /** All of them, by name; complete by the server's subject index, which the client's own listing is not. */
  async list(): Promise<KeptFile[]> {
    const files = (await this.#infos()).filter(({ deleted }) => !deleted).map(fileOf);
    return files.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Removes what writers left that were killed before their file was whole. Younger chunks may still become one. */
  async sweep(olderThanMs: number): Promise<void> {
    const chunks = await this.#tokens(this.#chunkSubject(""));
    if (chunks.length === 0) return;
    const named = new Set((await this.#infos()).map(({ nuid }) => nuid));
    for (const nuid of chunks.filter((each) => !named.has(each))) {
      const filter = this.#chunkSubject(nuid);
      const stream = streamOf(this.#bucket);
      await withRetries(this.#client, `sweep object store ${this.#bucket}`, async () => {
        const last = await this.#client.jsm.streams.getMessage(stream, { last_by_subj: filter });
        if (last === null || Date.now() - last.time.getTime() < olderThanMs) return;
        await this.#client.jsm.streams.purge(stream, { filter });
      });
    }
  }

  /** The file's bytes. Throws ReplayError where they are not those that were kept. */
  async *read(name: string): AsyncGenerator<Uint8Array> {
    const info = await this.#info(name);
    if (!info || info.deleted) throw this.#unreadable(name, "it is gone");
    const digest = createHash("sha256");
    let bytes = 0;
    for await (const chunk of this.#chunks(info.nuid)) {
      digest.update(chunk);
      bytes += chunk.byteLength;
      yield chunk;
    }
    if (bytes !== info.size) throw this.#unreadable(name, `${bytes} of its ${info.size} bytes are there`);
    if (info.digest.replace(/=+$/, "") !== `SHA-256=${digest.digest("base64url")}`) {
      throw this.#unreadable(name, "its bytes are not those that were kept");
    }
  }

  /** False where there was none. Whatever ends it early, doing it again goes on. */
  async remove(name: string): Promise<boolean> {
    const info = await this.#info(name);
    if (!info) return false;
    const purge = (options: { filter: string; seq?: number }) =>
      withRetries(this.#client, `remove ${name} from object store ${this.#bucket}`, () =>
        this.#client.jsm.streams.purge(streamOf(this.#bucket), options),
      );
    await purge({ filter: this.#chunkSubject(info.nuid) });
    // Up to what was looked at: one that was kept under the same name since stays.
    await purge({ filter: this.#metaSubject(encodeName(name)), seq: info.revision + 1 });
    return !info.deleted;
  }

  async *#chunks(nuid: string): AsyncGenerator<Uint8Array> {
    let reached = 0;
    for (let attempt = 1; ; attempt++) {
      const from =
        reached === 0
          ? { deliver_policy: DeliverPolicy.All }
          : { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: reached + 1 };
      const config = { ...from, filter_subject: this.#chunkSubject(nuid) };
      try {
        for await (const batch of pullToEnd(this.#client, streamOf(this.#bucket), config)) {
          for (const { seq, data } of batch) {
            yield data;
            reached = seq;
          }
        }
        return;
      } catch (error) {
        if (!(error instanceof PullInterrupted) || attempt === READ_ATTEMPTS) throw error;
      }
    }
  }

  async #infos(): Promise<ObjectInfo[]> {
    const infos: ObjectInfo[] = [];
    for (const encoded of await this.#tokens(this.#metaSubject(""))) {
      const info = await this.#info(Buffer.from(encoded, "base64url").toString("utf8"));
      if (info) infos.push(info);
    }
    return infos;
  }

  /** The last tokens of all subjects that begin so. */
  async #tokens(prefix: string): Promise<string[]> {
    const index = await withRetries(this.#client, `list object store ${this.#bucket}`, () =>
      subjectCounts(this.#client, streamOf(this.#bucket), `${prefix}>`),
    );
    return [...index.keys()].map((subject) => subject.slice(prefix.length));
  }

  #info(name: string): Promise<ObjectInfo | null> {
    return withRetries(this.#client, `look at ${name} in object store ${this.#bucket}`, () => this.#store.info(name));
  }

  #chunkSubject(nuid: string): string {
    return `$O.${this.#bucket}.C.${nuid}`;
  }

  #metaSubject(encodedName: string): string {
    return `$O.${this.#bucket}.M.${encodedName}`;
  }

  #unreadable(name: string, why: string): ReplayError {
    return new ReplayError(
      `Cannot read ${name} from object store ${this.#bucket}: ${why}. Look at stream ${streamOf(this.#bucket)}.`,
    );
  }
}

function streamOf(bucket: string): string {
  return `OBJ_${bucket}`;
}

/** As object stores name their subjects: base64 for URLs, padded. */
function encodeName(name: string): string {
  return Buffer.from(name, "utf8").toString("base64").replaceAll("+", "-").replaceAll("/", "_");
}

function fileOf({ name, size, metadata }: ObjectInfo): KeptFile {
  return { name, bytes: size, facts: metadata ?? {} };
}
