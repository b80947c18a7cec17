import { PermissionViolationError, type Subscription } from "nats";
import type { NatsClient } from "./connect.ts";
import { permissionDenied } from "./denied.ts";
import { payloadOf, watchFrames } from "./frame-reading.ts";
import type { MessageFrame } from "./frame-splitter.ts";
import { sentTo } from "./kv-layout.ts";
import { inParallel } from "./kv-parallel.ts";
import { type Ack, type Answer, readAck } from "./publish-ack.ts";
import { publishFrame } from "./publish-frame.ts";
import { GIVE_UP_AFTER_MS, unreachable } from "./publish-retry.ts";

export interface Outgoing {
  readonly subject: string;
  /** A whole NATS header block. */
  readonly headers: Uint8Array;
  readonly payload: Uint8Array;
  /** Kept by the window: how often it was sent. */
  sends: number;
}

/** What a window's owner decides; the window itself only sends, counts and waits. */
export interface WindowPolicy<T extends Outgoing> {
  /** Completes "Cannot …". */
  readonly what: string;
  /** `doubtful`: the answer is a good one, and yet the item is not there, so `resolve` must look. */
  onStored(item: T, answer: Answer): "settled" | "doubtful";
  /** `doubtful`: it may be there all the same, so `resolve` must look. Throws what is final. */
  onRefused(item: T, ack: Exclude<Ack, { kind: "stored" | "not-available" }>): "settled" | "doubtful";
  /** Called for an item that was sent and whose answer was lost. */
  resolve(item: T): Promise<"settled" | "send-again">;
}

export interface WindowLimits {
  readonly maxPending: number;
  readonly maxPendingBytes: number;
  /**
   * Default 1. With more an answer is asked for only so often, which spares the server a third of its work, and counts for all
   * that was sent before: what was refused in between, nobody hears of.
   */
  readonly answerEvery?: number;
}

const TICK_MS = 100;
const SILENT_TICKS = 5_000 / TICK_MS;
const HOPELESS_TICKS = GIVE_UP_AFTER_MS / TICK_MS;
const RESOLVE_AT_ONCE = 32;

/**
 * Publishes to a stream without waiting for each answer: one shared inbox, a bounded number and size of unanswered
 * messages. Where answers stop (5 s, or a lost connection) the owner resolves what is unanswered, and it is sent again or
 * counts as settled. Fails for good after a minute without any progress.
 */
export class PublishWindow<T extends Outgoing> {
  readonly #client: NatsClient;
  readonly #policy: WindowPolicy<T>;
  readonly #limits: WindowLimits;
  readonly #answerEvery: number;
  readonly #pending = new Map<number, T>();
  #pendingBytes = 0;
  #nextToken = 1;
  #inbox = "";
  #inboxBytes = 0;
  #answers: Subscription | null = null;
  #stopFrames: (() => void) | null = null;
  #ticker: NodeJS.Timeout | null = null;
  #silentTicks = 0;
  #hopelessTicks = 0;
  #doubt = false;
  #resolving = false;
  /** From here on an answer counts for what was sent before it: all of it went over the same connection. */
  #sameLinkFrom = 1;
  #stopListening: (() => void) | null = null;
  #failure: Error | null = null;
  #room: PromiseWithResolvers<void> | null = null;
  #drained: PromiseWithResolvers<void> | null = null;

  constructor(client: NatsClient, policy: WindowPolicy<T>, limits: WindowLimits) {
    this.#client = client;
    this.#policy = policy;
    this.#limits = limits;
    this.#answerEvery = limits.answerEvery ?? 1;
  }

  /** Undefined while there is room; else resolves when there is. Rejects with what made the window fail. */
  send(item: T): Promise<void> | undefined {
    if (this.#failure) return Promise.reject(this.#failure);
    if (this.#answers === null) this.#open();
    const token = this.#nextToken++;
    this.#pending.set(token, item);
    this.#pendingBytes += sizeOf(item);
    const isFull = this.#full(1);
    if (!this.#resolving) this.#publish(token, item, isFull || token % this.#answerEvery === 0);
    if (!isFull) return undefined;
    this.#room ??= Promise.withResolvers();
    return this.#room.promise;
  }

  /** Resolves when every message is settled. Throws what made the window fail; it stays failed. */
  async drain(): Promise<void> {
    if (this.#pending.size > 0 && !this.#failure) {
      this.#drained ??= Promise.withResolvers();
      this.#askForLast();
      await this.#drained.promise.catch(() => {});
    }
    this.#close();
    if (this.#failure) throw this.#failure;
  }

  /** Makes the window fail; only the first reason counts. */
  fail(error: Error): void {
    this.#failure ??= error;
    this.#close();
    for (const waiting of [this.#room, this.#drained]) {
      waiting?.promise.catch(() => {});
      waiting?.reject(this.#failure);
    }
    this.#room = this.#drained = null;
  }

  /** Sends it once more where no answer was asked for: there will be none behind it that counts for it too. */
  #askForLast(): void {
    const last = [...this.#pending.keys()].at(-1) ?? 0;
    const item = this.#pending.get(last);
    if (item && !this.#resolving && last % this.#answerEvery !== 0) this.#publish(last, item, true);
  }

  #publish(token: number, item: T, asks: boolean): void {
    item.sends++;
    const { headers, payload } = item;
    try {
      const subject = sentTo(this.#client, item.subject);
      publishFrame(this.#client.nc, { subject, reply: asks ? this.#inbox + token : null, headers, payload });
    } catch (error) {
      if (this.#client.nc.isClosed()) this.fail(unreachable(this.#policy.what, "the connection is closed", error));
      else this.fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #onFrame(frame: MessageFrame): void {
    const token = frame.bytes.toString("latin1", frame.subjectAt + this.#inboxBytes, frame.subjectEnd);
    this.#onAnswer(Number(token), { data: payloadOf(frame) });
  }

  #onAnswer(token: number, answer: Answer): void {
    const item = this.#pending.get(token);
    // An answer to an earlier send of a message that was sent again.
    if (item === undefined) return;
    const ack = readAck(answer);
    if (ack.kind === "stored") {
      if (this.#policy.onStored(item, answer) === "settled") this.#settle(token, item);
      else this.#doubt = true;
    } else if (ack.kind === "not-available") {
      this.#doubt = true;
    } else {
      this.#onRefused(token, item, ack);
    }
  }

  #onRefused(token: number, item: T, ack: Parameters<WindowPolicy<T>["onRefused"]>[1]): void {
    try {
      if (this.#policy.onRefused(item, ack) === "settled") this.#settle(token, item);
      else this.#doubt = true;
    } catch (error) {
      this.fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #settle(token: number, item: T): void {
    if (this.#answerEvery > 1) this.#settleBefore(token);
    if (!this.#pending.delete(token)) return;
    this.#pendingBytes -= sizeOf(item);
    this.#silentTicks = 0;
    this.#hopelessTicks = 0;
    if (this.#room && !this.#full(0.75)) {
      this.#room.resolve();
      this.#room = null;
    }
    if (this.#drained && this.#pending.size === 0) {
      this.#drained.resolve();
      this.#drained = null;
    }
  }

  /** The server takes what one connection sends to one stream in the order in which it was sent. */
  #settleBefore(token: number): void {
    for (const [earlier, item] of this.#pending) {
      if (earlier >= token) return;
      if (earlier < this.#sameLinkFrom) continue;
      this.#pending.delete(earlier);
      this.#pendingBytes -= sizeOf(item);
    }
  }

  #full(share: number): boolean {
    const { maxPending, maxPendingBytes } = this.#limits;
    return this.#pending.size >= maxPending * share || this.#pendingBytes >= maxPendingBytes * share;
  }

  /** Counts turns of the event loop, not time: a loop that was blocked has answers waiting in its socket. */
  #tick(): void {
    if (this.#pending.size === 0) return;
    this.#silentTicks++;
    this.#hopelessTicks++;
    if (this.#client.link.closed) this.fail(unreachable(this.#policy.what, "the connection is closed"));
    else if (this.#hopelessTicks > HOPELESS_TICKS) {
      const seconds = GIVE_UP_AFTER_MS / 1000;
      this.fail(unreachable(this.#policy.what, `NATS has acknowledged nothing for ${seconds} s`));
    } else if (this.#client.link.up && !this.#resolving && (this.#doubt || this.#silentTicks > SILENT_TICKS)) {
      void this.#resolveAll();
    }
  }

  /** Looks at everything unanswered; what is sent meanwhile waits and is sent at the end. */
  async #resolveAll(): Promise<void> {
    this.#resolving = true;
    this.#doubt = false;
    this.#silentTicks = 0;
    try {
      const again = new Set<number>();
      await inParallel([...this.#pending], RESOLVE_AT_ONCE, async ([token, item]) => {
        const outcome = item.sends === 0 ? "send-again" : await this.#policy.resolve(item);
        if (!this.#pending.has(token)) return;
        if (outcome === "settled") this.#settle(token, item);
        else again.add(token);
      });
      this.#sendAgain(again);
    } catch (error) {
      this.fail(error instanceof Error ? error : new Error(String(error)));
    } finally {
      this.#resolving = false;
    }
  }

  /** In the order in which they were sent at first, with what has come since behind them. */
  #sendAgain(tokens: ReadonlySet<number>): void {
    for (const [token, item] of [...this.#pending].sort(([a], [b]) => a - b)) {
      if (!tokens.has(token) && item.sends > 0) continue;
      this.#pending.delete(token);
      const fresh = this.#nextToken++;
      this.#pending.set(fresh, item);
      this.#publish(fresh, item, fresh % this.#answerEvery === 0);
    }
    this.#askForLast();
  }

  #open(): void {
    const { nc, link, denials } = this.#client;
    this.#inbox = `${this.#client.newInbox()}.`;
    this.#inboxBytes = Buffer.byteLength(this.#inbox);
    const answers = nc.subscribe(`${this.#inbox}*`, {
      callback: (error, message) => {
        if (error === null) this.#onAnswer(Number(message.subject.slice(this.#inbox.length)), message);
        else if (error instanceof PermissionViolationError) this.fail(permissionDenied(this.#policy.what, error));
        else this.fail(error);
      },
    });
    this.#answers = answers;
    const watch = () => watchFrames(nc, answers, (frame) => this.#onFrame(frame));
    this.#stopFrames = watch();
    this.#silentTicks = 0;
    this.#hopelessTicks = 0;
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
    const stopLink = link.onChange(() => {
      this.#sameLinkFrom = this.#nextToken;
      if (!link.up) return;
      this.#stopFrames?.();
      this.#stopFrames = watch();
      // What was sent around a lost connection may or may not have arrived.
      if (this.#pending.size > 0) this.#doubt = true;
    });
    const stopDenials = denials.onDenied((violation) => {
      if (violation.operation !== "publish") return;
      const isOurs = [...this.#pending.values()].some(
        ({ subject }) => sentTo(this.#client, subject) === violation.subject,
      );
      if (isOurs) this.fail(permissionDenied(this.#policy.what, violation));
    });
    this.#stopListening = () => {
      stopLink();
      stopDenials();
    };
  }

  #close(): void {
    if (this.#ticker) clearInterval(this.#ticker);
    this.#stopListening?.();
    this.#stopFrames?.();
    if (this.#answers && !this.#client.nc.isClosed()) this.#answers.unsubscribe();
    this.#ticker = this.#stopListening = this.#stopFrames = this.#answers = null;
  }
}

function sizeOf(item: Outgoing): number {
  return item.headers.byteLength + item.payload.byteLength;
}
