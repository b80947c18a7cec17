import { setTimeout as sleep } from "node:timers/promises";
import {
  ReplayError,
  type SequenceRange,
  SourceChangedError,
  type StreamMessage,
  UnreachableError,
} from "@cim-replay/core";
import { abortable } from "./abortable.ts";
import type { NatsClient } from "./connect.ts";
import { HEARTBEAT_MS, Push } from "./read-sequential-push.ts";
import { lastMatchingSeq, streamFacts } from "./stream-info.ts";

const GIVE_UP_MS = 30_000;
const LONGEST_RETRY_MS = 2_000;
const SILENCE_MS = 3 * HEARTBEAT_MS;

export interface SequentialReadOptions {
  readonly stream: string;
  readonly created: string;
  readonly range: SequenceRange;
  readonly signal: AbortSignal;
  /** Absent or empty: every message. */
  readonly filterSubjects?: readonly string[];
  /** Without a message for this long, though some must come, the read fails. Default 30 s. */
  readonly noProgressMs?: number;
  /** Told whenever a new consumer went on after the last sequence received, and why. */
  readonly onRecovered?: (what: string) => void;
}

/**
 * Reads a range of a stream once, by another way than `readStream` and sharing nothing with it: a push consumer with flow
 * control, the client library's own parser, one message after the other. Whoever checks what `readStream` brought reads
 * with this. Batches are what has come since the last was taken, in ascending order, each sequence once; payloads are
 * views into what the socket delivered. Ends at `range.toSeq`, also where the last sequences are deleted.
 *
 * Deleted sequences are passed over: compare `deletedWithin`. Throws SourceChangedError where the stream was made anew or
 * ends before the range; UnreachableError or ReplayError after `noProgressMs`; `signal.reason`.
 */
export async function* readSequential(
  client: NatsClient,
  options: SequentialReadOptions,
): AsyncGenerator<readonly StreamMessage[], void, void> {
  if (options.range.fromSeq > options.range.toSeq) return;
  const read = new SequentialRead(client, options);
  try {
    for (let batch = await read.next(); batch !== null; batch = await read.next()) yield batch;
  } finally {
    read.close();
  }
}

class SequentialRead {
  readonly #client: NatsClient;
  readonly #options: SequentialReadOptions;
  readonly #stopListening: () => void;
  #push: Push | null = null;
  /** Where the last message lies that can come. */
  #endSeq: number;
  #quietSinceMs = 0;

  constructor(client: NatsClient, options: SequentialReadOptions) {
    this.#client = client;
    this.#options = options;
    this.#endSeq = options.range.toSeq;
    const onAbort = () => this.#push?.wake();
    options.signal.addEventListener("abort", onAbort);
    const stopFollowing = client.link.onChange(() => {
      if (!client.link.up) this.#push?.lose("the connection dropped");
    });
    this.#stopListening = () => {
      options.signal.removeEventListener("abort", onAbort);
      stopFollowing();
    };
  }

  /** Null at the end. */
  async next(): Promise<readonly StreamMessage[] | null> {
    this.#quietSinceMs = Date.now();
    for (let tries = 0; ; ) {
      this.#options.signal.throwIfAborted();
      if (this.#push?.failure) throw this.#push.failure;
      const batch = this.#push?.take();
      if (batch) return batch;
      if (this.#ended) {
        await this.#persist(() => this.#check());
        return null;
      }
      if (this.#push === null || this.#push.lost !== null) await this.#recover(tries++);
      else if (!(await this.#push.wait(SILENCE_MS))) this.#push.lose("the server went silent");
      else if (this.#push.takeIdle()) await this.#persist(() => this.#lookForEnd());
    }
  }

  close(): void {
    this.#stopListening();
    this.#push?.close();
  }

  get #lastSeq(): number {
    return this.#push?.lastSeq ?? this.#options.range.fromSeq - 1;
  }

  get #ended(): boolean {
    return this.#push?.passedEnd === true || this.#lastSeq >= this.#endSeq;
  }

  async #recover(tries: number): Promise<void> {
    if (tries > 0 && this.#isPastDeadline()) throw this.#noProgress(this.#push?.lost ?? "consumers do not last");
    if (tries > 0) await abortable(sleep(retryDelayMs(tries)), this.#options.signal);
    await this.#persist(() => this.#open());
  }

  async #open(): Promise<void> {
    const { stream, range, filterSubjects = [], onRecovered } = this.#options;
    const lost = this.#push?.lost;
    await this.#lookForEnd();
    if (this.#ended) return;
    const lastSeq = this.#lastSeq;
    const push = await Push.open(this.#client, { stream, fromSeq: lastSeq + 1, toSeq: range.toSeq, filterSubjects });
    this.#push?.close();
    this.#push = push;
    if (this.#options.signal.aborted) push.close();
    if (lost) onRecovered?.(`reading goes on after sequence ${lastSeq} of stream ${stream}: ${lost}`);
  }

  /** Where nothing comes: are the last sequences of the range deleted by now, or is this no longer the stream? */
  async #lookForEnd(): Promise<void> {
    const { stream, filterSubjects = [], range } = this.#options;
    await this.#check();
    const subjects = filterSubjects.length === 0 ? [">"] : filterSubjects;
    const last = await Promise.all(subjects.map((subject) => lastMatchingSeq(this.#client, stream, subject)));
    this.#endSeq = Math.min(range.toSeq, Math.max(...last.map((seq) => seq ?? 0)));
    if (!this.#ended && this.#isPastDeadline()) throw this.#noProgress("nothing comes");
  }

  async #check(): Promise<void> {
    const { stream, created, range } = this.#options;
    const facts = await streamFacts(this.#client, stream);
    if (!facts) throw changed(stream, "it does not exist any more");
    if (facts.created !== created) throw changed(stream, `it was created at ${facts.created} and not at ${created}`);
    if (facts.lastSeq < range.toSeq) {
      throw changed(stream, `it ends at sequence ${facts.lastSeq}, and reached ${range.toSeq} before`);
    }
    if (facts.retention === "limits") return;
    throw new ReplayError(
      `Cannot read stream ${stream}: its retention is "${facts.retention}", so reading would remove messages. Read a mirror of it that keeps them.`,
    );
  }

  /** Again and again for as long as the server cannot be reached and the deadline allows. */
  async #persist(attempt: () => Promise<void>): Promise<void> {
    const { signal } = this.#options;
    for (let tries = 1; ; tries++) {
      await abortable(this.#client.link.waitUntilUp(this.#deadlineMs), signal);
      try {
        return await abortable(attempt(), signal);
      } catch (error) {
        if (!(error instanceof UnreachableError) || this.#client.link.closed || this.#isPastDeadline()) throw error;
      }
      await abortable(sleep(retryDelayMs(tries)), signal);
    }
  }

  get #deadlineMs(): number {
    return this.#options.noProgressMs ?? GIVE_UP_MS;
  }

  #isPastDeadline(): boolean {
    return Date.now() - this.#quietSinceMs >= this.#deadlineMs;
  }

  #noProgress(why: string): ReplayError {
    return new ReplayError(
      `Cannot read on in stream ${this.#options.stream} after sequence ${this.#lastSeq}: the server answers, and ${why}. Check its log, then run the command again.`,
    );
  }
}

function changed(stream: string, what: string): SourceChangedError {
  return new SourceChangedError(
    `Cannot read stream ${stream}: ${what}. It is another stream now; replay it, then verify that run.`,
  );
}

function retryDelayMs(tries: number): number {
  return Math.min(50 * 2 ** Math.min(tries, 6), LONGEST_RETRY_MS) * (0.5 + Math.random() / 2);
}
