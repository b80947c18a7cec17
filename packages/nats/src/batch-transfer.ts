import type { RawMessage, StreamMessage } from "@cim-replay/core";
import { FramedMessage } from "./reader-message.ts";

/** Of a message: its sequence, which piece it lies in and where, and whether all of that piece is ASCII. */
const NUMBERS_A_MESSAGE = 10;

/** From one frame's payload to the next one's subject: `␍␊HMSG `. */
const BETWEEN_SUBJECTS = 7;

/** A batch of messages on its way from one thread to another: all of it is handed over, nothing is cloned. */
export interface PackedBatch {
  readonly pieces: readonly ArrayBuffer[];
  /** `NUMBERS_A_MESSAGE` for each message. */
  readonly places: Float64Array<ArrayBuffer>;
  readonly bytes: number;
}

/**
 * Copies a batch out of the chunks in which it came: in those may lie answers as well that this thread has still to read.
 * Null where a message came as the library delivers it, and so lies in no chunk.
 */
export function packBatch(messages: readonly StreamMessage[]): PackedBatch | null {
  const pieces: ArrayBuffer[] = [];
  const places = new Float64Array(messages.length * NUMBERS_A_MESSAGE);
  let bytes = 0;
  for (let from = 0; from < messages.length; ) {
    const to = endOfRun(messages, from);
    const [first, last] = [messages[from], messages[to - 1]];
    if (!(first instanceof FramedMessage && last instanceof FramedMessage)) return null;
    const start = first.subjectAt;
    const piece = Buffer.allocUnsafeSlow(last.payloadEnd - start);
    first.bytes.copy(piece, 0, start, last.payloadEnd);
    for (let at = from; at < to; at++) {
      putPlace(places, at * NUMBERS_A_MESSAGE, messages[at] as FramedMessage, pieces.length, start);
    }
    pieces.push(piece.buffer as ArrayBuffer);
    bytes += piece.length;
    from = to;
  }
  return { pieces, places, bytes };
}

/** What is handed over and no longer this thread's once the batch is posted. */
export function transferList({ pieces, places }: PackedBatch): ArrayBuffer[] {
  return [...pieces, places.buffer];
}

export function unpackBatch({ pieces, places }: PackedBatch): StreamMessage[] {
  const buffers = pieces.map((piece) => Buffer.from(piece));
  const messages: StreamMessage[] = [];
  for (let at = 0; at < places.length; at += NUMBERS_A_MESSAGE) messages.push(messageAt(places, at, buffers));
  return messages;
}

/** Messages that came one right behind the other in a chunk. What lies between others, of another read, stays where it is. */
function endOfRun(messages: readonly StreamMessage[], from: number): number {
  let to = from + 1;
  while (to < messages.length && areNeighbours(messages[to - 1]?.raw, messages[to]?.raw)) to++;
  return to;
}

function areNeighbours(one: RawMessage | undefined, other: RawMessage | undefined): boolean {
  return one !== undefined && one.bytes === other?.bytes && other.subjectAt - one.payloadEnd <= BETWEEN_SUBJECTS;
}

function putPlace(places: Float64Array, at: number, message: FramedMessage, piece: number, start: number): void {
  places[at] = message.seq;
  places[at + 1] = piece;
  places[at + 2] = message.isAscii ? 1 : 0;
  places[at + 3] = message.subjectAt - start;
  places[at + 4] = message.subjectEnd - start;
  places[at + 5] = message.replyAt - start;
  places[at + 6] = message.replyEnd - start;
  places[at + 7] = message.headersAt - start;
  places[at + 8] = message.payloadAt - start;
  places[at + 9] = message.payloadEnd - start;
}

function messageAt(places: Float64Array, at: number, pieces: readonly Buffer[]): FramedMessage {
  return new FramedMessage(places[at] as number, {
    bytes: pieces[places[at + 1] as number] as Buffer,
    isAscii: places[at + 2] === 1,
    subjectAt: places[at + 3] as number,
    subjectEnd: places[at + 4] as number,
    replyAt: places[at + 5] as number,
    replyEnd: places[at + 6] as number,
    headersAt: places[at + 7] as number,
    payloadAt: places[at + 8] as number,
    payloadEnd: places[at + 9] as number,
  });
}
