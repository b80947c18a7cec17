import { isAscii } from "node:buffer";
import { hash } from "node:crypto";
import { zstdDecompressSync } from "node:zlib";
import type { StreamMessage } from "@cim-replay/core";
import { MessageInBytes, type MessagePlace } from "@cim-replay/nats";
import { EVENT_HEAD_BYTES, type EventHead, eventHead, SEGMENT_HEAD_BYTES, segmentHead } from "./segment-layout.ts";

const LEAST_CHUNK = 64;

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
    // In one piece: the default joins many small ones. A piece that is filled to its end would have another one made behind it.
    return zstdDecompressSync(stored, {
      maxOutputLength: rawBytes + 1,
      chunkSize: Math.max(LEAST_CHUNK, rawBytes + 1),
    });
  } catch (error) {
    throw new BadSegment("cannot be decompressed", { cause: error });
  }
}

function messagesOf(body: Buffer, events: number): StreamMessage[] {
  const heads = body.length - events * EVENT_HEAD_BYTES;
  if (heads < 0) throw new BadSegment(`is too short for ${events} events`);
  const place = placeIn(body, heads);
  const messages = new Array<StreamMessage>(events);
  let at = 0;
  for (let i = 0; i < events; i++) {
    const head = eventHead(body, heads + i * EVENT_HEAD_BYTES);
    place.subjectAt = at;
    place.subjectEnd = place.headersAt = at + head.subjectBytes;
    place.payloadAt = place.headersAt + head.headerBytes;
    place.payloadEnd = at = place.payloadAt + head.payloadBytes;
    messages[i] = new PackedMessage(head, place);
  }
  if (at !== heads) throw new BadSegment(`holds ${heads} bytes of events, which make ${at}`);
  return messages;
}

/** Of the first event, which none is yet; `end`: of all text. */
function placeIn(body: Buffer, end: number): { -readonly [Field in keyof MessagePlace]: MessagePlace[Field] } {
  const isText = isAscii(body.subarray(0, end));
  return { bytes: body, subjectAt: 0, subjectEnd: 0, headersAt: 0, payloadAt: 0, payloadEnd: 0, isAscii: isText };
}

/** As it lies in a segment's body. */
class PackedMessage extends MessageInBytes {
  readonly receivedAtMs: number;

  constructor({ seq, receivedAtMs }: EventHead, place: MessagePlace) {
    super(seq, place);
    this.receivedAtMs = receivedAtMs;
  }
}
