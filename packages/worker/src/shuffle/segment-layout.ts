import { createHash } from "node:crypto";
import type { SegmentOrigin } from "@cim-replay/nats";

/**
 * A segment's bytes: a head (layout's version, flags, events, length of the body before compression; then the SHA-256 of the
 * segment's place, of that, and of what follows), then the body. With its place in the digest no other whole segment can take its
 * place. The body, or with the flag its zstd frame, holds subject, header block as NATS has it, and payload of one event after the other;
 * behind them lies one head of fixed length for each event (sequence, time of receipt, lengths of subject, headers, payload). Text is thus
 * beside text, and is copied once: where it is put, it stays. A body that is larger than a message goes into several segments, of which
 * all but the last have the flag "continues".
 */
const LAYOUT = 3;
const COMPRESSED = 1;
const CONTINUES = 2;
const FACTS_BYTES = 10;
const SHA256_BYTES = 32;
export const SEGMENT_HEAD_BYTES = FACTS_BYTES + SHA256_BYTES;
export const EVENT_HEAD_BYTES = 28;

export interface SegmentHead {
  readonly isCompressed: boolean;
  readonly continues: boolean;
  /** Of the whole body, in each of its segments. */
  readonly events: number;
  readonly rawBytes: number;
}

export interface EventHead {
  readonly seq: number;
  readonly receivedAtMs: number;
  readonly subjectBytes: number;
  readonly headerBytes: number;
  readonly payloadBytes: number;
}

/** Of a slice's segments for one unit. */
export function placeOf({ runId, slice, epoch }: SegmentOrigin, unit: string): string {
  return [runId, slice, epoch, unit].join("\n");
}

/** Call when the body is in the segment; returns the SHA-256. `place` names the segment among all that there are. */
export function putSegmentHead(
  segment: Buffer,
  place: string,
  { isCompressed, continues, events, rawBytes }: SegmentHead,
): Buffer {
  segment[0] = LAYOUT;
  segment[1] = (isCompressed ? COMPRESSED : 0) | (continues ? CONTINUES : 0);
  segment.writeUInt32BE(events, 2);
  segment.writeUInt32BE(rawBytes, 6);
  const sha256 = sha256Of(segment, place);
  sha256.copy(segment, FACTS_BYTES);
  return sha256;
}

/** Null where the bytes are no segment of this layout, or not the one that was packed for this place. */
export function segmentHead(segment: Buffer, place: string): (SegmentHead & { readonly sha256: Buffer }) | null {
  if (segment.length < SEGMENT_HEAD_BYTES || segment[0] !== LAYOUT) return null;
  const sha256 = sha256Of(segment, place);
  if (sha256.compare(segment, FACTS_BYTES, SEGMENT_HEAD_BYTES) !== 0) return null;
  const flags = segment[1] ?? 0;
  return {
    sha256,
    isCompressed: (flags & COMPRESSED) !== 0,
    continues: (flags & CONTINUES) !== 0,
    events: segment.readUInt32BE(2),
    rawBytes: segment.readUInt32BE(6),
  };
}

function sha256Of(segment: Buffer, place: string): Buffer {
  return createHash("sha256")
    .update(`${place}\n`)
    .update(segment.subarray(0, FACTS_BYTES))
    .update(segment.subarray(SEGMENT_HEAD_BYTES))
    .digest();
}

export function putEventHead(heads: Buffer, at: number, head: EventHead): void {
  heads.writeDoubleBE(head.seq, at);
  heads.writeDoubleBE(head.receivedAtMs, at + 8);
  heads.writeUInt32BE(head.subjectBytes, at + 16);
  heads.writeUInt32BE(head.headerBytes, at + 20);
  heads.writeUInt32BE(head.payloadBytes, at + 24);
}

export function eventHead(body: Buffer, at: number): EventHead {
  return {
    seq: body.readDoubleBE(at),
    receivedAtMs: body.readDoubleBE(at + 8),
    subjectBytes: body.readUInt32BE(at + 16),
    headerBytes: body.readUInt32BE(at + 20),
    payloadBytes: body.readUInt32BE(at + 24),
  };
}
