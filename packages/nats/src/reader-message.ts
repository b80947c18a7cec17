import { type EventHeaders, type HeaderPair, joinedHeaders, type StreamMessage } from "@cim-replay/core";
import type { Msg, MsgHdrs } from "nats";
import type { MessageFrame } from "./frame-splitter.ts";
import { MessageInBytes } from "./message-in-bytes.ts";

const DOT = 46;
const ZERO = 48;
const LONG_FORM_TOKENS = 11;
const encoder = new TextEncoder();
const NO_PAIRS: readonly HeaderPair[] = [];
const NO_REPLY = new Uint8Array(0);

/**
 * The reply subject as it came. The client decodes it to text when asked for it, which would cost a tenth of a read; the
 * bytes are behind a name that it does not promise, so where they are not there the text is taken.
 */
export function replyOf(message: Msg): Uint8Array | null {
  const { _msg: raw }: { _msg?: { reply?: Uint8Array } } = message as Msg & { _msg?: { reply?: Uint8Array } };
  if (raw?.reply) return raw.reply;
  return message.reply ? encoder.encode(message.reply) : null;
}

/**
 * Where the stream sequence begins in the reply subject of a delivered message, −1 where it is none:
 * `$JS.ACK.<stream>.<consumer>.<delivered>.<stream seq>.<consumer seq>.<nanoseconds>.<pending>`, on other servers with
 * `<domain>.<account>` after `$JS.ACK` and a random token at the end.
 */
export function sequenceOffset(reply: Uint8Array): number {
  const before = findDots(reply, 0, reply.length);
  return before < 0 ? -1 : (dots[before] as number) + 1;
}

export interface Delivery {
  readonly seq: number;
  /** The consumer's own count. */
  readonly delivered: number;
}

/** What the reply subject between `replyAt` and `replyEnd` says; zeros where it is none of a delivered message. */
export function deliveryIn(bytes: Uint8Array, replyAt: number, replyEnd: number): Delivery {
  const before = findDots(bytes, replyAt, replyEnd);
  if (before < 0) return { seq: 0, delivered: 0 };
  const [seqAt, nextAt, endAt] = [dots[before], dots[before + 1], dots[before + 2]] as [number, number, number];
  return { seq: digits(bytes, seqAt + 1, nextAt), delivered: digits(bytes, nextAt + 1, endAt) };
}

function digits(bytes: Uint8Array, at: number, end: number): number {
  let number = 0;
  for (let i = at; i < end; i++) number = number * 10 + (bytes[i] as number) - ZERO;
  return number;
}

/** One delivered message; all but its sequence is read when asked for. `data` is a view of the socket's chunk. */
export class DeliveredMessage implements StreamMessage {
  readonly seq: number;
  readonly #received: Msg;
  #pairs: readonly HeaderPair[] | undefined;

  constructor(seq: number, received: Msg) {
    this.seq = seq;
    this.#received = received;
  }

  get subject(): string {
    return this.#received.subject;
  }

  get data(): Uint8Array {
    return this.#received.data;
  }

  get receivedAtMs(): number {
    const reply = replyOf(this.#received) ?? NO_REPLY;
    return receivedAtMsOf(reply, 0, reply.length);
  }

  get receivedAtNs(): bigint {
    const reply = replyOf(this.#received) ?? NO_REPLY;
    return receivedAtNsOf(reply, 0, reply.length);
  }

  get headerPairs(): readonly HeaderPair[] {
    this.#pairs ??= pairsOf(this.#received.headers);
    return this.#pairs;
  }

  get headers(): EventHeaders | undefined {
    return this.#received.headers && joinedHeaders(this.headerPairs);
  }
}

function pairsOf(headers: MsgHdrs | undefined): readonly HeaderPair[] {
  if (headers === undefined) return NO_PAIRS;
  const pairs: HeaderPair[] = [];
  for (const [name, values] of headers) for (const value of values) pairs.push([name, value]);
  return pairs;
}

/** As it lies in the bytes from the socket. */
export class FramedMessage extends MessageInBytes {
  readonly replyAt: number;
  readonly replyEnd: number;

  constructor(seq: number, frame: MessageFrame) {
    super(seq, frame);
    this.replyAt = frame.replyAt;
    this.replyEnd = frame.replyEnd;
  }

  get receivedAtNs(): bigint {
    return receivedAtNsOf(this.bytes, this.replyAt, this.replyEnd);
  }

  get receivedAtMs(): number {
    return receivedAtMsOf(this.bytes, this.replyAt, this.replyEnd);
  }
}

/** Asked for every message where a run is bounded by time. */
function receivedAtMsOf(bytes: Uint8Array, replyAt: number, replyEnd: number): number {
  const { at, end } = nanosecondsIn(bytes, replyAt, replyEnd);
  // Nanoseconds do not fit a number: the last six digits are left out.
  return digits(bytes, at, end - 6);
}

function receivedAtNsOf(bytes: Uint8Array, replyAt: number, replyEnd: number): bigint {
  const { at, end } = nanosecondsIn(bytes, replyAt, replyEnd);
  return BigInt(Buffer.from(bytes.subarray(at, end)).toString("latin1") || "0");
}

const dots = new Int32Array(LONG_FORM_TOKENS);
const place = { at: 0, end: 0 };

/** Finds the dots of a reply subject; which of them is right before the stream sequence, −1 where it is no such subject. */
function findDots(bytes: Uint8Array, replyAt: number, replyEnd: number): number {
  let count = 0;
  for (let i = replyAt; i < replyEnd && count < dots.length; i++) if (bytes[i] === DOT) dots[count++] = i;
  if (count < 8) return -1;
  return count + 1 >= LONG_FORM_TOKENS ? 6 : 4;
}

/** Where they stand; nowhere in what is no such reply subject. Valid until the next call. */
function nanosecondsIn(bytes: Uint8Array, replyAt: number, replyEnd: number): { at: number; end: number } {
  const before = findDots(bytes, replyAt, replyEnd);
  // Behind the stream sequence and the consumer's.
  place.at = before < 0 ? 0 : (dots[before + 2] as number) + 1;
  place.end = before < 0 ? 0 : (dots[before + 3] as number);
  return place;
}
