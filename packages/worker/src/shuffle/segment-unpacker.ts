import { isAscii } from "node:buffer";
import { hash } from "node:crypto";
import { zstdDecompressSync } from "node:zlib";
import { headerPairsIn } from "@cim-replay/nats";
import {
  type EventHeaders,
  type HeaderPair,
  joinedHeaders,
  type RawMessage,
  type StreamMessage,
} from "@cim-replay/core";
import { EVENT_HEAD_BYTES, type EventHead, eventHead, SEGMENT_HEAD_BYTES, segmentHead } from "./segment-layout.ts";

const LEAST_CHUNK = 64;
const NO_PAIRS: readonly HeaderPair[] = [];

/** What is wrong with a segment, in words that complete "segment 3 …". */
export class BadSegment extends Error {
  override readonly name = "BadSegment";
}

/** Gives back what a packer was given, of one unit's segments of one slice, in their order. */
export class SegmentUnpacker {
  events = 0;
  readonly #place: string;
  #pieces: Buffer[] = [];
  #digests: Buffer[] = [];

  /** `place`: as their packer had it. */
  constructor(place: string) {
    this.#place = place;
  }

  /** Over all segments so far, as the packer's. */
  get sha256(): string {
    return hash("sha256", Buffer.concat(this.#digests));
  }

  /** Between two bodies. */
  get isWhole(): boolean {
    return this.#pieces.length === 0;
  }

  /** The messages that this segment completes. Throws BadSegment where the bytes are none of the packer's. */
  take(payload: Uint8Array): readonly StreamMessage[] {
    const segment = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
    const head = segmentHead(segment, `${this.#place}.${this.#digests.length}`);
    if (head === null) throw new BadSegment("does not hold what was packed into it");
    this.#digests.push(head.sha256);
    this.#pieces.push(segment.subarray(SEGMENT_HEAD_BYTES));
    if (head.continues) return [];
    const [first, ...others] = this.#pieces;
    const stored = first && others.length === 0 ? first : Buffer.concat(this.#pieces);
    this.#pieces = [];
    const body = head.isCompressed ? decompressed(stored, head.rawBytes) : stored;
    if (body.length !== head.rawBytes)
      throw new BadSegment(`has ${body.length} bytes and should have ${head.rawBytes}`);
    this.events += head.events;
    return messagesOf(body, head.events);
  }
}

function decompressed(stored: Buffer, rawBytes: number): Buffer {
  try {
    // In one piece: the default joins many small ones.
    return zstdDecompressSync(stored, { maxOutputLength: rawBytes + 1, chunkSize: Math.max(LEAST_CHUNK, rawBytes) });
  } catch (error) {
    throw new BadSegment("cannot be decompressed", { cause: error });
  }
}

function messagesOf(body: Buffer, events: number): StreamMessage[] {
  let at = events * EVENT_HEAD_BYTES;
  if (at > body.length) throw new BadSegment(`is too short for ${events} events`);
  const isText = isAscii(body.subarray(at));
  const messages = new Array<StreamMessage>(events);
  for (let i = 0; i < events; i++) {
    const head = eventHead(body, i * EVENT_HEAD_BYTES);
    const Packed = head.headerBytes === 0 ? PackedMessage : PackedMessageWithHeaders;
    messages[i] = new Packed(body, at, head, isText);
    at += head.subjectBytes + head.headerBytes + head.payloadBytes;
  }
  if (at !== body.length) throw new BadSegment(`holds ${body.length} bytes and its events ${at}`);
  return messages;
}

/** A message as it lies in a segment's body; all but its sequence is read when asked for. */
class PackedMessage implements StreamMessage, RawMessage {
  readonly seq: number;
  readonly receivedAtMs: number;
  readonly bytes: Buffer;
  readonly subjectAt: number;
  readonly subjectEnd: number;
  readonly headersAt: number;
  readonly payloadAt: number;
  readonly payloadEnd: number;
  readonly #isText: boolean;

  constructor(body: Buffer, at: number, head: EventHead, isText: boolean) {
    this.seq = head.seq;
    this.receivedAtMs = head.receivedAtMs;
    this.bytes = body;
    this.subjectAt = at;
    this.subjectEnd = at + head.subjectBytes;
    this.headersAt = this.subjectEnd;
    this.payloadAt = this.headersAt + head.headerBytes;
    this.payloadEnd = this.payloadAt + head.payloadBytes;
    this.#isText = isText;
  }

  get subject(): string {
    return this.bytes.toString("utf8", this.subjectAt, this.subjectEnd);
  }

  get headers(): EventHeaders | undefined {
    return undefined;
  }

  get headerPairs(): readonly HeaderPair[] {
    return NO_PAIRS;
  }

  get raw(): RawMessage {
    return this;
  }

  get data(): Uint8Array {
    return new Uint8Array(this.bytes.buffer, this.bytes.byteOffset + this.payloadAt, this.payloadEnd - this.payloadAt);
  }

  get asciiText(): string | undefined {
    return this.#isText || isAscii(this.data)
      ? this.bytes.toString("latin1", this.payloadAt, this.payloadEnd)
      : undefined;
  }
}

class PackedMessageWithHeaders extends PackedMessage {
  #pairs: readonly HeaderPair[] | undefined;
  #headers: EventHeaders | undefined;

  override get headers(): EventHeaders {
    this.#headers ??= joinedHeaders(this.headerPairs);
    return this.#headers;
  }

  override get headerPairs(): readonly HeaderPair[] {
    this.#pairs ??= headerPairsIn(this.bytes.subarray(this.headersAt, this.payloadAt));
    return this.#pairs;
  }
}
