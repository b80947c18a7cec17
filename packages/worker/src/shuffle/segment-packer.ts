import { hash } from "node:crypto";
import { constants, zstdCompressSync } from "node:zlib";
import type { RawMessage, StreamMessage } from "@cim-replay/core";
import { headerBlockOf } from "@cim-replay/nats";
import { EVENT_HEAD_BYTES, putEventHead, putSegmentHead, SEGMENT_HEAD_BYTES } from "./segment-layout.ts";

const FIRST_HEADS = 256;
/** In one piece: the default joins many small ones. */
const FASTEST = { params: { [constants.ZSTD_c_compressionLevel]: 1 }, chunkSize: 128 * 1024 };
/** What does not shrink by so much is stored as it is. */
const WORTH_COMPRESSING = 0.9;
const NO_BYTES = new Uint8Array(0);
const encoder = new TextEncoder();

/** What is packed for one unit: the bytes of a segment go to `emit`, which must not change them and may keep them. */
export type EmitSegment = (index: number, payload: Uint8Array) => void;

/**
 * Packs a unit's messages of one slice into segments of about `segmentBytes` before compression. A message that alone is
 * larger than `maxBytes` goes into several, which the unpacker joins. `segment-layout.ts` says what lies where.
 */
export class SegmentPacker {
  events = 0;
  segments = 0;
  bytes = 0;
  readonly #place: string;
  readonly #segmentBytes: number;
  readonly #maxBytes: number;
  readonly #emit: EmitSegment;
  #heads: Buffer = Buffer.allocUnsafe(FIRST_HEADS * EVENT_HEAD_BYTES);
  #data: Buffer;
  #packed = 0;
  #used = 0;
  #digests: Buffer[] = [];

  /** `place`: of all these segments, as their reader knows it. */
  constructor(options: { place: string; segmentBytes: number; maxBytes: number; emit: EmitSegment }) {
    this.#place = options.place;
    this.#segmentBytes = options.segmentBytes;
    this.#maxBytes = options.maxBytes;
    this.#emit = options.emit;
    this.#data = Buffer.allocUnsafe(Math.min(options.segmentBytes, 64 * 1024));
  }

  /** Over the digests of all segments so far; call after `flush`. */
  get sha256(): string {
    return hash("sha256", Buffer.concat(this.#digests));
  }

  /** Copies the message. Hot. */
  add(message: StreamMessage): void {
    this.events += 1;
    if (message.raw) this.#addRaw(message, message.raw);
    else this.#addParsed(message);
    if (this.#used + this.#packed * EVENT_HEAD_BYTES >= this.#segmentBytes) this.flush();
  }

  /** Makes a segment of what waits for one. */
  flush(): void {
    if (this.#packed === 0) return;
    const body = this.#body();
    const events = this.#packed;
    this.#packed = 0;
    this.#used = 0;
    const stored = compressed(body);
    const isCompressed = stored !== body;
    const room = this.#maxBytes - SEGMENT_HEAD_BYTES;
    for (let from = 0; from < stored.length; from += room) {
      const piece = stored.subarray(from, from + room);
      this.#store(piece, { isCompressed, continues: from + room < stored.length, events, rawBytes: body.length });
    }
  }

  /** In memory that the next messages take again: what is sent is copied out of it. */
  #body(): Buffer {
    const heads = this.#packed * EVENT_HEAD_BYTES;
    const at = this.#room(heads);
    this.#heads.copy(this.#data, at, 0, heads);
    return this.#data.subarray(0, at + heads);
  }

  #store(piece: Buffer, about: Parameters<typeof putSegmentHead>[2]): void {
    const payload = Buffer.allocUnsafe(SEGMENT_HEAD_BYTES + piece.length);
    piece.copy(payload, SEGMENT_HEAD_BYTES);
    this.#digests.push(putSegmentHead(payload, `${this.#place}.${this.segments}`, about));
    this.bytes += payload.length;
    this.#emit(this.segments++, payload);
  }

  #addRaw(message: StreamMessage, raw: RawMessage): void {
    const { bytes: source, subjectAt, subjectEnd, headersAt, payloadAt, payloadEnd } = raw;
    const bytes = Buffer.isBuffer(source) ? source : Buffer.from(source);
    const subjectBytes = subjectEnd - subjectAt;
    const payloadBytes = payloadEnd - payloadAt;
    this.#head(message, subjectBytes, payloadAt - headersAt, payloadBytes);
    let at = this.#room(subjectBytes + payloadEnd - headersAt);
    at += bytes.copy(this.#data, at, subjectAt, subjectEnd);
    this.#used = at + bytes.copy(this.#data, at, headersAt, payloadEnd);
  }

  #addParsed(message: StreamMessage): void {
    const subject = encoder.encode(message.subject);
    const headers = blockOf(message);
    const { data } = message;
    this.#head(message, subject.length, headers.length, data.length);
    let at = this.#room(subject.length + headers.length + data.length);
    for (const part of [subject, headers, data]) {
      this.#data.set(part, at);
      at += part.length;
    }
    this.#used = at;
  }

  #head({ seq, receivedAtMs }: StreamMessage, subjectBytes: number, headerBytes: number, payloadBytes: number): void {
    const at = this.#packed++ * EVENT_HEAD_BYTES;
    if (at + EVENT_HEAD_BYTES > this.#heads.length) this.#heads = grown(this.#heads, at, this.#heads.length * 2);
    putEventHead(this.#heads, at, { seq, receivedAtMs, subjectBytes, headerBytes, payloadBytes });
  }

  /** Where `bytes` more can be put. */
  #room(bytes: number): number {
    const needed = this.#used + bytes;
    if (needed > this.#data.length) this.#data = grown(this.#data, this.#used, Math.max(needed, this.#data.length * 2));
    return this.#used;
  }
}

function blockOf({ headers, headerPairs }: StreamMessage): Uint8Array {
  return headers === undefined ? NO_BYTES : headerBlockOf(headerPairs ?? Object.entries(headers));
}

function grown(buffer: Buffer, used: number, length: number): Buffer {
  const larger = Buffer.allocUnsafe(length);
  buffer.copy(larger, 0, 0, used);
  return larger;
}

function compressed(body: Buffer): Buffer {
  const smaller = zstdCompressSync(body, FASTEST);
  return smaller.length < body.length * WORTH_COMPRESSING ? smaller : body;
}
