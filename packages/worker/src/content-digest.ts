import { createHash, hash as hashOnce, type Hash } from "node:crypto";
import { type HeaderPair, headersInOrder, type RawMessage, type StreamMessage } from "@cim-replay/core";

/** Sequences that are hashed together; a resumed unit hashes again from the start of the block in which it stopped. */
const BLOCK_SEQUENCES = 16_384;
const BUFFER_BYTES = 32 * 1024;
/** Sequence (8) and the subject's length (4). */
const HEAD_BYTES = 12;
const CHAIN_START = Buffer.alloc(32);
const MOST_BYTES_A_CHARACTER = 3;
const encoder = new TextEncoder();

/** Where a partition's digest stands between two blocks. */
export interface DigestMark {
  readonly events: number;
  /** Hex. */
  readonly chain: string;
}

/** First sequence of the block that holds `seq`. */
export function blockStart(seq: number): number {
  return Math.floor(seq / BLOCK_SEQUENCES) * BLOCK_SEQUENCES;
}

/**
 * The content digests of a unit's partitions, as docs/certificate.md defines them: what the worker was handed, in order,
 * for whoever reads the stream again to compare. Blocks lie where sequences say and not where checkpoints fell, so that
 * the same messages give the same digest whatever happened on the way.
 */
export class ContentDigest {
  readonly #partitions: PartitionDigest[];
  #block: number;
  #blockEnd: number;

  /** `fromSeq`: where reading begins, the first sequence of a block or of the range; `marks`: what came before it. */
  constructor(partitions: number, fromSeq: number, marks: readonly DigestMark[] | null) {
    this.#partitions = Array.from({ length: partitions }, (_, at) => new PartitionDigest(marks?.[at]));
    this.#block = Math.floor(fromSeq / BLOCK_SEQUENCES);
    this.#blockEnd = (this.#block + 1) * BLOCK_SEQUENCES;
  }

  /** Call with each message of the partition, ascending. Hot. */
  add(partition: number, message: StreamMessage): void {
    if (message.seq >= this.#blockEnd) this.#turn(message.seq);
    this.#partitions[partition]?.add(message);
  }

  /** The marks at the start of the block that holds `nextSeq`, which must be beyond all that was added. */
  marks(nextSeq: number): DigestMark[] {
    if (nextSeq >= this.#blockEnd) this.#turn(nextSeq);
    return this.#partitions.map((partition) => partition.mark);
  }

  /** At the end of the range. */
  end(): { events: number; sha256: string }[] {
    this.#turn(this.#blockEnd);
    return this.#partitions.map(({ mark }) => ({ events: mark.events, sha256: mark.chain }));
  }

  #turn(seq: number): void {
    for (const partition of this.#partitions) partition.close(this.#block);
    this.#block = Math.floor(seq / BLOCK_SEQUENCES);
    this.#blockEnd = (this.#block + 1) * BLOCK_SEQUENCES;
  }
}

/** Gathers records, because hashing few large pieces costs a tenth of hashing many small ones. */
class PartitionDigest {
  mark: DigestMark;
  #chain: Buffer;
  #hash: Hash | null = null;
  #buffer: Buffer | null = null;
  #used = 0;
  #messages = 0;

  constructor(mark: DigestMark | undefined) {
    this.mark = mark ?? { events: 0, chain: CHAIN_START.toString("hex") };
    this.#chain = Buffer.from(this.mark.chain, "hex");
  }

  add(message: StreamMessage): void {
    if (message.raw) this.#addRaw(message, message.raw);
    else this.#addParsed(message);
    this.#messages += 1;
  }

  /** Copied from where it was received: no view, no text, nothing allocated but for headers. */
  #addRaw(message: StreamMessage, raw: RawMessage): void {
    const headers = headersInOrder(message);
    const bytes = Buffer.isBuffer(raw.bytes) ? raw.bytes : Buffer.from(raw.bytes);
    const subjectBytes = raw.subjectEnd - raw.subjectAt;
    const payloadBytes = raw.payloadEnd - raw.payloadAt;
    const isLarge = payloadBytes > BUFFER_BYTES / 2;
    let at = this.#room(HEAD_BYTES + subjectBytes + 8 + mostBytesOf(headers) + (isLarge ? 0 : payloadBytes));
    const buffer = this.#buffer as Buffer;
    at = putHead(buffer, at, message.seq, subjectBytes);
    for (let from = raw.subjectAt; from < raw.subjectEnd; from++) buffer[at++] = bytes[from] as number;
    at = putUint32(buffer, putHeaders(buffer, at, headers), payloadBytes);
    if (!isLarge) at += bytes.copy(buffer, at, raw.payloadAt, raw.payloadEnd);
    this.#used = at;
    if (isLarge) this.#append(bytes.subarray(raw.payloadAt, raw.payloadEnd));
  }

  #addParsed(message: StreamMessage): void {
    const headers = headersInOrder(message);
    const subject = encoder.encode(message.subject);
    const { seq, data } = message;
    let at = this.#room(HEAD_BYTES + subject.length + 8 + mostBytesOf(headers));
    const buffer = this.#buffer as Buffer;
    at = putBytes(buffer, putHead(buffer, at, seq, subject.length), subject);
    this.#used = putUint32(buffer, putHeaders(buffer, at, headers), data.length);
    this.#append(data);
  }

  close(block: number): void {
    if (this.#messages === 0) return;
    this.#flush();
    const tail = Buffer.alloc(12);
    putUint32(tail, putUint32(tail, putUint32(tail, 0, Math.floor(block / 2 ** 32)), block), this.#messages);
    const digest = (this.#hash ?? createHash("sha256")).digest();
    this.#chain = hashOnce("sha256", Buffer.concat([this.#chain, tail, digest]), "buffer");
    this.mark = { events: this.mark.events + this.#messages, chain: this.#chain.toString("hex") };
    this.#hash = null;
    this.#messages = 0;
  }

  /** Where `bytes` more can be put. */
  #room(bytes: number): number {
    if (this.#buffer === null || this.#used + bytes > this.#buffer.length) {
      this.#flush();
      if (this.#buffer === null || bytes > this.#buffer.length)
        this.#buffer = Buffer.alloc(Math.max(BUFFER_BYTES, bytes));
    }
    return this.#used;
  }

  #append(data: Uint8Array): void {
    if (data.length > BUFFER_BYTES / 2) {
      this.#flush();
      this.#hash?.update(data);
      return;
    }
    const at = this.#room(data.length);
    this.#used = putBytes(this.#buffer as Buffer, at, data);
  }

  #flush(): void {
    this.#hash ??= createHash("sha256");
    if (this.#buffer && this.#used > 0) this.#hash.update(this.#buffer.subarray(0, this.#used));
    this.#used = 0;
    // One very large header block does not leave a very large buffer behind for each partition.
    if (this.#buffer && this.#buffer.length > BUFFER_BYTES) this.#buffer = null;
  }
}

/** More than their length: how much that is shows when they are written. */
function mostBytesOf(headers: readonly HeaderPair[]): number {
  let bytes = 0;
  for (const [name, value] of headers) bytes += 8 + (name.length + value.length) * MOST_BYTES_A_CHARACTER;
  return bytes;
}

/** Behind the length of all: each name and value behind its own. */
function putHeaders(buffer: Buffer, at: number, headers: readonly HeaderPair[]): number {
  const from = at + 4;
  let end = from;
  for (const [name, value] of headers) end = putText(buffer, putText(buffer, end, name), value);
  putUint32(buffer, at, end - from);
  return end;
}

function putText(buffer: Buffer, at: number, text: string): number {
  const bytes = buffer.write(text, at + 4);
  putUint32(buffer, at, bytes);
  return at + 4 + bytes;
}

function putHead(buffer: Uint8Array, at: number, seq: number, subjectBytes: number): number {
  return putUint32(buffer, putUint32(buffer, putUint32(buffer, at, Math.floor(seq / 2 ** 32)), seq), subjectBytes);
}

function putUint32(buffer: Uint8Array, at: number, value: number): number {
  buffer[at] = value >>> 24;
  buffer[at + 1] = value >>> 16;
  buffer[at + 2] = value >>> 8;
  buffer[at + 3] = value;
  return at + 4;
}

function putBytes(buffer: Uint8Array, at: number, bytes: Uint8Array): number {
  buffer.set(bytes, at);
  return at + bytes.length;
}
