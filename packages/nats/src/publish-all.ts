import { ReplayError, UnreachableError } from "@cim-replay/core";
import type { PermissionViolationError } from "nats";
import type { NatsClient } from "./connect.ts";
import { permissionDenied, violationIn } from "./denied.ts";
import { payloadOf, watchFrames } from "./frame-reading.ts";
import { type Answer, readAck, storedAt } from "./publish-ack.ts";
import { publishFrame } from "./publish-frame.ts";

export interface OutgoingMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  /** A whole NATS header block, encoded. */
  readonly headers?: Uint8Array | undefined;
}

export interface PublishAllOptions {
  /** For messages of errors. */
  readonly stream: string;
  readonly messages: Iterable<OutgoingMessage>;
  /** Unanswered messages and bytes at most. A stream's ingest queue holds 10,000: more would be dropped. */
  readonly maxPending?: number;
  readonly maxPendingBytes?: number;
  /** Called now and then with the number of messages stored so far. */
  readonly onProgress?: (stored: number) => void;
  readonly signal?: AbortSignal;
}

export interface PublishedRange {
  readonly stored: number;
  /** Stream sequence of the last; 0 where there was none. */
  readonly lastSeq: number;
}

const SILENCE_MS = 10_000;
const PROGRESS_EVERY_MS = 250;
const ANSWERED_KEPT = 8_192;

/**
 * Publishes to a stream as fast as its acknowledgements come, in order, each message once. Nothing is sent again: the
 * messages carry no id that would tell a repetition. So where an acknowledgement is lost or refused it throws, saying how
 * many are stored for certain. Throws the signal's reason when aborted.
 */
export async function publishAll(client: NatsClient, options: PublishAllOptions): Promise<PublishedRange> {
  const { maxPending = 4_000, maxPendingBytes = 16 * 1024 * 1024, signal } = options;
  const acks = new AckCounter(client, options);
  let progressAtMs = 0;
  try {
    for (const { subject, data, headers } of options.messages) {
      signal?.throwIfAborted();
      if (headers) publishFrame(client.nc, { subject, reply: acks.inbox, headers, payload: data });
      else client.nc.publish(subject, data, { reply: acks.inbox });
      acks.sent(subject, data.byteLength + (headers?.byteLength ?? 0));
      if (acks.pending < maxPending && acks.pendingBytes < maxPendingBytes) continue;
      await acks.until(() => acks.pending <= maxPending / 2 && acks.pendingBytes <= maxPendingBytes / 2);
      if (performance.now() - progressAtMs < PROGRESS_EVERY_MS) continue;
      progressAtMs = performance.now();
      options.onProgress?.(acks.stored);
    }
    await acks.until(() => acks.pending === 0);
  } finally {
    acks.close();
  }
  options.onProgress?.(acks.stored);
  return { stored: acks.stored, lastSeq: acks.lastSeq };
}

/** Counts answers at one inbox. They come in the order of the messages, so counting tells which are stored. */
class AckCounter {
  readonly inbox: string;
  stored = 0;
  lastSeq = 0;
  pendingBytes = 0;
  readonly #what: string;
  readonly #sizes: number[] = [];
  /** Of the same messages. */
  readonly #subjects: string[] = [];
  #oldest = 0;
  #failure: { readonly error: unknown } | null = null;
  #waiting: { met: () => boolean; wake: () => void } | null = null;
  readonly #close: () => void;

  constructor(client: NatsClient, { stream, signal }: PublishAllOptions) {
    this.#what = `publish to stream ${stream}`;
    this.inbox = client.newInbox();
    const subscription = client.nc.subscribe(this.inbox, {
      callback: (error, message) => {
        const violation = violationIn(error);
        if (violation) this.#fail(permissionDenied(this.#what, violation));
        else if (error === null) this.#onAnswer(message);
      },
    });
    const stopFrames = watchFrames(client.nc, subscription, (frame) => this.#onAnswer({ data: payloadOf(frame) }));
    const onDenied = (violation: PermissionViolationError) => {
      if (this.#subjects.includes(violation.subject)) this.#fail(permissionDenied(this.#what, violation));
    };
    const stopDenials = client.denials.onDenied(onDenied);
    const stopLink = client.link.onChange(() => {
      // What was under way is stored or not, and nobody will say which.
      if (this.pending > 0) this.#fail(new UnreachableError(this.#stopped("the connection was lost")));
    });
    const onAbort = () => this.#fail(signal?.reason);
    signal?.addEventListener("abort", onAbort);
    this.#close = () => {
      stopFrames();
      stopLink();
      stopDenials();
      signal?.removeEventListener("abort", onAbort);
      if (!client.nc.isClosed()) subscription.unsubscribe();
    };
  }

  get pending(): number {
    return this.#sizes.length - this.#oldest;
  }

  sent(subject: string, bytes: number): void {
    this.#subjects.push(subject);
    this.#sizes.push(bytes);
    this.pendingBytes += bytes;
  }

  /** Throws where an answer says no, none comes for 10 s, or the connection is lost. */
  async until(met: () => boolean): Promise<void> {
    while (this.#failure === null && !met()) {
      const before = this.stored;
      await this.#answersOrSilence(met);
      if (this.stored > before || this.#failure !== null) continue;
      const silence = `nothing was acknowledged for ${SILENCE_MS / 1_000} s`;
      this.#fail(new UnreachableError(this.#stopped(silence)));
    }
    if (this.#failure !== null) throw this.#failure.error;
  }

  close(): void {
    this.#close();
  }

  async #answersOrSilence(met: () => boolean): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, SILENCE_MS);
      const wake = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#waiting = { met, wake };
    });
    this.#waiting = null;
  }

  #onAnswer(answer: Answer): void {
    const ack = readAck(answer);
    if (ack.kind !== "stored") {
      const why = "words" in ack ? ack.words : "the stream holds other messages than expected";
      this.#fail(new ReplayError(this.#stopped(`the server answers "${why}"`)));
      return;
    }
    this.stored++;
    this.pendingBytes -= this.#sizes[this.#oldest++] ?? 0;
    if (this.pending === 0) this.lastSeq = storedAt(answer).seq;
    if (this.#oldest >= ANSWERED_KEPT) {
      this.#sizes.splice(0, this.#oldest);
      this.#subjects.splice(0, this.#oldest);
      this.#oldest = 0;
    }
    if (this.#waiting?.met()) this.#waiting.wake();
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#waiting?.wake();
  }

  #stopped(why: string): string {
    return `Cannot ${this.#what}: ${why} after ${this.stored} messages were stored. Remove the stream, or go on with another, and publish again.`;
  }
}
