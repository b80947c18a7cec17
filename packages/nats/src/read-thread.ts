import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import { PermissionViolationError } from "nats";
import { setTimeout as sleep } from "node:timers/promises";
import { errorMessage, type StreamMessage, UnreachableError } from "@cim-replay/core";
import { type PackedBatch, unpackBatch } from "./batch-transfer.ts";
import type { NatsClient, NatsOptions } from "./connect.ts";
import {
  type DenialNews,
  errorFrom,
  LEAVE,
  type Order,
  type PlainReadOptions,
  type ReadNews,
  RELEASE,
} from "./read-thread-protocol.ts";
import { type ReadOptions, readStream } from "./reader.ts";
import { ReadPosition } from "./reader-position.ts";

const LEAVES_WITHIN_MS = 2_000;
const IS_SOURCE = import.meta.url.endsWith(".ts");
const MAIN = new URL(IS_SOURCE ? "./read-thread-main.ts" : "./read-thread-main.js", import.meta.url);

/**
 * A thread with a connection of its own that reads streams for a client, so that the one that folds does nothing else. Worth its
 * while where a core has nothing to do; the work is more than without it.
 */
export class ReadThread {
  readonly #client: NatsClient;
  readonly #thread: Worker;
  /** Why it reads nothing more; null while it does. */
  #gone: string | null = null;
  readonly #ports = new Set<MessagePort>();
  readonly #left: Promise<void>;

  /** `options`: those that `client` was connected with. */
  constructor(client: NatsClient, options: NatsOptions) {
    this.#client = client;
    this.#thread = new Worker(MAIN, {
      workerData: { ...options, name: `${options.name}, reading` } satisfies NatsOptions,
      ...(IS_SOURCE && { execArgv: ["--conditions=source"] }),
    });
    this.#thread.on("error", (error) => this.#end(errorMessage(error)));
    this.#thread.on("message", ({ message, operation, subject }: DenialNews) => {
      client.denials.note(new PermissionViolationError(message, operation, subject));
    });
    this.#left = new Promise((resolve) => {
      this.#thread.once("exit", () => {
        this.#end("it ended");
        resolve();
      });
    });
    this.#thread.unref();
  }

  /**
   * As `readStream`, with the same promises, but that a window of one message is one of two. Where the thread is lost, or cannot reach
   * the server that `client` reaches, `client` reads on in this one, and `onRecovered` is told.
   */
  async *read(options: ReadOptions): AsyncGenerator<readonly StreamMessage[], void, void> {
    if (options.range.fromSeq > options.range.toSeq) return;
    const position = new ReadPosition(options.range);
    const reading = new ThreadReading(this.#order(options), options);
    try {
      for (let batch = await reading.next(); batch !== null; batch = await reading.next()) {
        for (const { seq } of batch) position.advance(seq);
        yield batch;
      }
      if (reading.end === "ended") return;
    } catch (error) {
      if (!(error instanceof UnreachableError && this.#client.link.up)) throw error;
      this.#end(error.message);
      void this.#thread.terminate();
    } finally {
      reading.close();
    }
    const why = reading.end === "unfit" ? "the client's own parser has to read" : (this.#gone ?? "it ended");
    options.onRecovered?.(
      `reading goes on after sequence ${position.lastSeq} of stream ${options.stream} without a thread of its own: ${why}`,
    );
    yield* readStream(this.#client, { ...options, soFar: position });
  }

  /** Whether it reads what it is told to. */
  get isAlive(): boolean {
    return this.#gone === null;
  }

  /** Reads that are not at their end go on as if the thread were lost. */
  async close(): Promise<void> {
    this.#end("it was closed");
    this.#thread.postMessage(LEAVE satisfies Order);
    const patience = new AbortController();
    const late = sleep(LEAVES_WITHIN_MS, undefined, { signal: patience.signal }).catch(() => undefined);
    await Promise.race([this.#left, late]);
    patience.abort();
    await this.#thread.terminate();
  }

  /** The end of the thread's port that stays here; closed at once where there is no thread. */
  #order(options: ReadOptions): MessagePort {
    const { port1: here, port2: port } = new MessageChannel();
    if (this.#gone !== null) {
      here.close();
      return here;
    }
    this.#ports.add(here);
    here.once("close", () => this.#ports.delete(here));
    this.#thread.postMessage({ options: plainOptions(options), port } satisfies Order, [port]);
    return here;
  }

  #end(why: string): void {
    this.#gone ??= why;
    for (const port of [...this.#ports]) port.close();
  }
}

/** Half of the windows is the thread's, the other half is what it has handed over. */
function plainOptions(options: ReadOptions): PlainReadOptions {
  const { stream, created, range, filterSubjects, maxMessages, maxBytes, noProgressMs } = options;
  return {
    ...{ stream, created, range, filterSubjects, noProgressMs },
    maxMessages: Math.ceil(maxMessages / 2),
    maxBytes: Math.ceil(maxBytes / 2),
  };
}

/** The end of a thread's read at which its batches come out. */
class ThreadReading {
  /** Why no more comes; null where the thread was lost. */
  end: "ended" | "unfit" | null = null;
  readonly #port: MessagePort;
  readonly #options: Pick<ReadOptions, "signal" | "gauge" | "onRecovered">;
  readonly #news: ReadNews[] = [];
  #isClosed = false;
  #wake: (() => void) | null = null;
  readonly #onAbort = () => this.#wake?.();
  #inHands = false;

  constructor(port: MessagePort, options: Pick<ReadOptions, "signal" | "gauge" | "onRecovered">) {
    this.#port = port;
    this.#options = options;
    port.on("message", (news: ReadNews) => {
      this.#news.push(news);
      this.#wake?.();
    });
    port.once("close", () => {
      this.#isClosed = true;
      this.#wake?.();
    });
    options.signal.addEventListener("abort", this.#onAbort);
  }

  /** The next batch; null where no more comes. The one before is then no longer the caller's. */
  async next(): Promise<readonly StreamMessage[] | null> {
    if (this.#inHands) this.#port.postMessage(RELEASE);
    this.#holds(0);
    for (;;) {
      this.#options.signal.throwIfAborted();
      const news = this.#news.shift();
      if (news === undefined && this.#isClosed) return null;
      if (news === undefined) await this.#wait();
      else if (news.kind === "batch") return this.#take(news.batch);
      else if (news.kind === "recovered") this.#options.onRecovered?.(news.what);
      else if (news.kind === "failed") throw errorFrom(news.error);
      else {
        this.end = news.kind;
        return null;
      }
    }
  }

  close(): void {
    this.#options.signal.removeEventListener("abort", this.#onAbort);
    this.#port.close();
    this.#holds(0);
  }

  #take(batch: PackedBatch): readonly StreamMessage[] {
    this.#holds(batch.bytes);
    return unpackBatch(batch);
  }

  /** In the caller's hands; what waits in the thread is not known here. */
  #holds(bytes: number): void {
    this.#inHands = bytes > 0;
    if (this.#options.gauge) this.#options.gauge.heldBytes = bytes;
  }

  #wait(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = null;
        resolve();
      };
    });
  }
}
