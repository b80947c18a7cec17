import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { onDisk } from "./on-disk.ts";

const SEGMENT_BYTES = 8 * 1024 * 1024;
/** In front of each record: its position and its length. */
const HEAD_BYTES = 8;
const FIRST_RECORDS = 4_096;
/** Segments are cleaned when the file is so many times as large as what is alive in it. */
const CLEAN_ABOVE_TIMES = 2;
const NOWHERE = -1;

/**
 * Records by position in a file, the newest of each. Only ever written at its end, segment by segment, and read
 * into one buffer, so that it takes twelve bytes of memory a record and two segments. Space of what was replaced is used again.
 */
export class RecordFile {
  readonly #fd: number;
  /** The segment that is being filled. */
  readonly #filling: Buffer;
  readonly #segmentBytes: number;
  #fillingSlot = 0;
  #used = 0;
  #scratch = Buffer.allocUnsafe(64 * 1024);
  #offsets = new Float64Array(FIRST_RECORDS).fill(NOWHERE);
  #lengths = new Uint32Array(FIRST_RECORDS);
  /** By slot of the file, bytes of records that are still the newest. */
  readonly #alive: number[] = [0];
  readonly #free: number[] = [];
  #aliveBytes = 0;
  /** Larger than a segment: they stay in memory. */
  readonly #large = new Map<number, Uint8Array>();

  /** Throws the file system's errors. */
  constructor(path: string, segmentBytes = SEGMENT_BYTES) {
    this.#segmentBytes = segmentBytes;
    this.#filling = Buffer.allocUnsafe(segmentBytes);
    this.#fd = openSync(path, "wx+", 0o600);
  }

  /** Bytes that the file takes. */
  get bytes(): number {
    return this.#alive.length * this.#segmentBytes;
  }

  put(position: number, record: Uint8Array): void {
    this.#forget(position);
    if (record.length + HEAD_BYTES > this.#segmentBytes) {
      this.#large.set(position, Uint8Array.from(record));
      return;
    }
    if (this.#used + record.length + HEAD_BYTES > this.#segmentBytes) this.#turn();
    this.#append(position, record);
  }

  /** Good until the next call of anything here. */
  get(position: number): Uint8Array | undefined {
    const offset = position < this.#offsets.length ? (this.#offsets[position] as number) : NOWHERE;
    if (offset === NOWHERE) return this.#large.get(position);
    const length = this.#lengths[position] as number;
    const within = offset - this.#fillingSlot * this.#segmentBytes;
    if (within >= 0 && within < this.#segmentBytes) return this.#filling.subarray(within, within + length);
    if (length > this.#scratch.length) this.#scratch = Buffer.allocUnsafe(length * 2);
    readFully(this.#fd, this.#scratch, length, offset);
    return this.#scratch.subarray(0, length);
  }

  close(): void {
    closeSync(this.#fd);
  }

  #append(position: number, record: Uint8Array): void {
    if (position >= this.#offsets.length) this.#grow(position);
    this.#filling.writeUInt32LE(position, this.#used);
    this.#filling.writeUInt32LE(record.length, this.#used + 4);
    this.#filling.set(record, this.#used + HEAD_BYTES);
    this.#offsets[position] = this.#fillingSlot * this.#segmentBytes + this.#used + HEAD_BYTES;
    this.#lengths[position] = record.length;
    this.#count(this.#fillingSlot, record.length + HEAD_BYTES);
    this.#used += record.length + HEAD_BYTES;
  }

  #forget(position: number): void {
    this.#large.delete(position);
    const offset = position < this.#offsets.length ? (this.#offsets[position] as number) : NOWHERE;
    if (offset === NOWHERE) return;
    this.#offsets[position] = NOWHERE;
    const slot = Math.floor(offset / this.#segmentBytes);
    this.#count(slot, -(this.#lengths[position] as number) - HEAD_BYTES);
    if (this.#alive[slot] === 0 && slot !== this.#fillingSlot) this.#free.push(slot);
  }

  #count(slot: number, bytes: number): void {
    this.#alive[slot] = (this.#alive[slot] ?? 0) + bytes;
    this.#aliveBytes += bytes;
  }

  /** The segment is full: on with the next one. */
  #turn(): void {
    this.#nextSegment();
    const inUse = (this.#alive.length - this.#free.length) * this.#segmentBytes;
    if (inUse > CLEAN_ABOVE_TIMES * this.#aliveBytes + 4 * this.#segmentBytes) this.#clean(this.#emptiest());
  }

  #nextSegment(): void {
    writeFully(this.#fd, this.#filling, this.#used, this.#fillingSlot * this.#segmentBytes);
    if (this.#alive[this.#fillingSlot] === 0) this.#free.push(this.#fillingSlot);
    this.#fillingSlot = this.#free.pop() ?? this.#alive.push(0) - 1;
    this.#used = 0;
  }

  /** Moves what is alive in a segment to the one that is being filled. */
  #clean(slot: number): void {
    const segment = Buffer.allocUnsafe(this.#segmentBytes);
    const length = readSync(this.#fd, segment, 0, this.#segmentBytes, slot * this.#segmentBytes);
    for (let at = 0; at + HEAD_BYTES <= length && (this.#alive[slot] ?? 0) > 0; ) {
      const position = segment.readUInt32LE(at);
      const bytes = segment.readUInt32LE(at + 4);
      at += HEAD_BYTES;
      const isNewest = this.#offsets[position] === slot * this.#segmentBytes + at && this.#lengths[position] === bytes;
      if (isNewest) {
        if (this.#used + bytes + HEAD_BYTES > this.#segmentBytes) this.#nextSegment();
        this.#forget(position);
        this.#append(position, segment.subarray(at, at + bytes));
      }
      at += bytes;
    }
  }

  #emptiest(): number {
    const free = new Set([...this.#free, this.#fillingSlot]);
    let emptiest = NOWHERE;
    for (const [slot, alive] of this.#alive.entries()) {
      if (!free.has(slot) && (emptiest === NOWHERE || alive < (this.#alive[emptiest] ?? 0))) emptiest = slot;
    }
    return emptiest;
  }

  #grow(position: number): void {
    const [offsets, lengths] = [this.#offsets, this.#lengths];
    const size = Math.max(position + 1, offsets.length * 2);
    this.#offsets = new Float64Array(size).fill(NOWHERE);
    this.#offsets.set(offsets);
    this.#lengths = new Uint32Array(size);
    this.#lengths.set(lengths);
  }
}

function readFully(fd: number, into: Buffer, length: number, offset: number): void {
  for (let done = 0; done < length; ) {
    const read = readSync(fd, into, done, length - done, offset + done);
    if (read === 0) throw new Error("a temporary file is shorter than what was written to it");
    done += read;
  }
}

function writeFully(fd: number, from: Buffer, length: number, offset: number): void {
  onDisk(() => {
    for (let done = 0; done < length; ) done += writeSync(fd, from, done, length - done, offset + done);
  });
}
