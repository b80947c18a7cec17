import { ReplayError, type StreamMessage, UnreachableError } from "@cim-replay/core";
import { abortable } from "./abortable.ts";
import type { NatsClient } from "./connect.ts";
import { createReadConsumer, dropReadConsumer, newConsumerName } from "./reader-consumer.ts";
import { ReadPosition, type ReadSoFar } from "./reader-position.ts";
import { Pull } from "./reader-pull.ts";
import { MessageQueue } from "./reader-queue.ts";
import { checkSource, lastSeqOf, type PinnedSource } from "./reader-source.ts";

/** A read gives up after this many times `noProgressMs` without a message. */
const SILENT_PERIODS = 4;

export interface ReadOptions extends PinnedSource {
  /** Bounds of what is asked for, received, and in the caller's hands, all together. One message more may be held
   *  where it is larger than half of `maxBytes`. */
  readonly maxMessages: number;
  readonly maxBytes: number;
  /** After this long without a message the stream is looked at again and the consumer made anew. */
  readonly noProgressMs: number;
  readonly signal: AbortSignal;
  /** Where another reader has read the beginning: only the rest is delivered, and all is checked. */
  readonly soFar?: ReadSoFar;
  /** Told whenever a new consumer went on after the last sequence received, and why. */
  readonly onRecovered?: (what: string) => void;
  /** Kept up to date for whoever watches. */
  readonly gauge?: ReadGauge;
  /** "own" (the default) splits frames here, at a fraction of the library's cost; "library" leaves all to the client. */
  readonly parser?: "own" | "library";
  /** Told, with the reason, where "own" was asked for and the client's own parser has to read nevertheless. */
  readonly onLibrary?: (why: string) => void;
}

/** What was received and is not done with. */
export interface ReadGauge {
  heldBytes: number;
}

/**
 * Reads a range of a stream: non-empty batches of everything received since the last was taken, in strictly
 * ascending order, each sequence once, whatever is lost on the way. With `filterSubjects` only their messages.
 * Ends at `range.toSeq`, also where the last sequences are deleted, and never delivers beyond it.
 *
 * Nothing more is asked for than `maxMessages` and `maxBytes` allow. A batch is the caller's until the next is asked
 * for; its payloads are views of what came from the socket: keeping one keeps its whole chunk.
 *
 * Throws SourceChangedError where the stream was recreated, purged into what was still to be read, or ends earlier
 * than the range (single deletions under a read are not seen here: compare `deletedWithin`); UnreachableError after
 * four times `noProgressMs` without an answer, ReplayError where the server answers but nothing comes; `signal.reason`.
 */
export async function* readStream(
  client: NatsClient,
  options: ReadOptions,
): AsyncGenerator<readonly StreamMessage[], void, void> {
  if (options.range.fromSeq > options.range.toSeq) return;
  const reader = new StreamReader(client, options);
  try {
    for (let batch = await reader.next(); batch !== null; batch = await reader.next()) yield batch;
  } finally {
    reader.close();
  }
}

class StreamReader {
  readonly #client: NatsClient;
  readonly #options: ReadOptions;
  readonly #position: ReadPosition;
  readonly #queue = new MessageQueue();
  readonly #consumers: string[] = [];
  readonly #stopListening: () => void;
  #pull: Pull | null = null;
  #quietSinceMs = 0;

  constructor(client: NatsClient, options: ReadOptions) {
    this.#client = client;
    this.#options = options;
    this.#position = new ReadPosition(options.range, options.soFar);
    const onAbort = () => this.#queue.wake();
    options.signal.addEventListener("abort", onAbort);
    const stopFollowing = client.link.onChange(() => {
      if (!client.link.up) this.#pull?.lose("the connection dropped");
    });
    this.#stopListening = () => {
      options.signal.removeEventListener("abort", onAbort);
      stopFollowing();
    };
  }

  /** The next batch, null at the end. The one before is then no longer the caller's. */
  async next(): Promise<readonly StreamMessage[] | null> {
    this.#queue.release();
    this.#quietSinceMs = Date.now();
    for (let recoveries = 0; ; ) {
      this.#options.signal.throwIfAborted();
      this.#pull?.ask();
      if (this.#options.gauge) this.#options.gauge.heldBytes = this.#queue.heldBytes;
      if (!this.#queue.isEmpty) return this.#queue.take();
      if (this.#pull?.failure) throw this.#pull.failure;
      if (this.#position.ended) {
        await this.#persist(() => this.#check());
        return null;
      }
      if (this.#pull === null || this.#pull.lost !== null) await this.#recover(recoveries++);
      else if (!(await this.#queue.wait(this.#options.noProgressMs))) await this.#investigate(this.#pull);
    }
  }

  close(): void {
    this.#stopListening();
    this.#pull?.close();
    this.#dropConsumers();
  }

  /** `before`: how many new consumers have brought nothing. */
  async #recover(before: number): Promise<void> {
    const { stream, signal } = this.#options;
    if (before > 0 && this.#isPastDeadline()) {
      throw new ReplayError(
        `Cannot read on in stream ${stream} after sequence ${this.#position.lastSeq}: the server answers but delivers nothing (${this.#pull?.lost}). Check its log, then resume.`,
      );
    }
    if (before > 0) await abortable(delay(retryDelayMs(before)), signal);
    await this.#persist(() => this.#open());
  }

  /** A new consumer right after the last sequence received, on a stream that is still the one that was planned. */
  async #open(): Promise<void> {
    const { stream, filterSubjects, maxMessages, maxBytes, onRecovered, signal, parser = "own" } = this.#options;
    const why = this.#pull?.lost;
    await this.#check();
    this.#position.expectEnd(await lastSeqOf(this.#client, this.#options));
    if (this.#position.ended || signal.aborted) return;
    this.#dropConsumers();
    const consumer = newConsumerName();
    this.#consumers.push(consumer);
    const { lastSeq } = this.#position;
    await createReadConsumer(this.#client, stream, consumer, lastSeq + 1, filterSubjects);
    if (signal.aborted) {
      this.#dropConsumers();
      return;
    }
    this.#pull = new Pull(
      this.#client,
      { stream, consumer, maxMessages, maxBytes, parser },
      this.#position,
      this.#queue,
    );
    if (parser === "own" && !this.#pull.splitsFrames) {
      this.#options.onLibrary?.("frames of our own cannot be split in front of this connection's parser");
    }
    if (why) onRecovered?.(`reading goes on after sequence ${lastSeq} of stream ${stream}: ${why}`);
  }

  /** Nothing came for a while: has the stream changed or ended, or is the consumer dead? */
  async #investigate(pull: Pull): Promise<void> {
    const { signal, noProgressMs } = this.#options;
    try {
      await abortable(this.#check(), signal);
      const lastSeq = await abortable(lastSeqOf(this.#client, this.#options), signal);
      if (!this.#queue.isEmpty || pull.lost !== null) return;
      this.#position.expectEnd(lastSeq);
    } catch (error) {
      if (!(error instanceof UnreachableError) || this.#isPastDeadline()) throw error;
      return;
    }
    if (!this.#position.ended) pull.lose(`nothing came for ${noProgressMs / 1000} s`);
  }

  #check(): Promise<void> {
    return checkSource(this.#client, this.#options, this.#position);
  }

  /** Tries again, with growing waits, for as long as the server cannot be reached and the deadline allows. */
  async #persist(attempt: () => Promise<void>): Promise<void> {
    const { signal, noProgressMs } = this.#options;
    for (let tries = 1; ; tries++) {
      await abortable(this.#client.link.waitUntilUp(noProgressMs), signal);
      try {
        return await abortable(attempt(), signal);
      } catch (error) {
        if (!(error instanceof UnreachableError) || this.#client.link.closed || this.#isPastDeadline()) throw error;
      }
      await abortable(delay(retryDelayMs(tries)), signal);
    }
  }

  #isPastDeadline(): boolean {
    return Date.now() - this.#quietSinceMs >= this.#options.noProgressMs * SILENT_PERIODS;
  }

  #dropConsumers(): void {
    for (const name of this.#consumers.splice(0)) dropReadConsumer(this.#client, this.#options.stream, name);
  }
}

/** 50 ms doubled with each try up to 2 s, half of it random. */
function retryDelayMs(tries: number): number {
  return Math.min(50 * 2 ** Math.min(tries, 6), 2_000) * (0.5 + Math.random() / 2);
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
