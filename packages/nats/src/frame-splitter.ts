import { isAscii } from "node:buffer";

const SPACE = 32;
const CR = 13;
const LF = 10;
const ZERO = 48;
const NINE = 57;
const UPPER_M = 77;
const UPPER_H = 72;
/** First bytes of `HMSG`, `PING`, `PONG`, `INFO`, `+OK` and `-ERR`. */
const OTHER_FRAMES = [...Buffer.from("HPI+-")];

/** Where a whole `MSG` frame lies in the bytes that hold it. */
export interface MessageFrame {
  readonly bytes: Buffer;
  readonly subjectAt: number;
  readonly subjectEnd: number;
  /** Both 0 where the message has no reply subject. */
  readonly replyAt: number;
  readonly replyEnd: number;
  readonly payloadAt: number;
  readonly payloadEnd: number;
  /** All of `bytes` are ASCII: looked at once for the hundreds of frames of a chunk. */
  readonly isAscii: boolean;
}

/** The frame is only valid during the call; its bytes stay. */
export type FrameHandler = (frame: MessageFrame) => void;

/**
 * Splits what a NATS server sends into frames. Whole `MSG` frames of watched subscriptions go to their handlers;
 * everything else goes, whole frame by whole frame, to `others`, which is the client library's own parser. Frames of
 * NATS' client protocol: https://docs.nats.io/reference/reference-protocols/nats-protocol
 */
export class FrameSplitter {
  readonly #others: (bytes: Buffer) => void;
  readonly #count: (payloadBytes: number) => void;
  readonly #handlers = new Map<number, FrameHandler>();
  readonly #frame: { -readonly [Field in keyof MessageFrame]: MessageFrame[Field] } = {
    bytes: Buffer.alloc(0),
    subjectAt: 0,
    subjectEnd: 0,
    replyAt: 0,
    replyEnd: 0,
    payloadAt: 0,
    payloadEnd: 0,
    isAscii: false,
  };
  /**
   * The beginning of a frame whose end has not come yet, as it came; how much that is, and how much to wait for. Joined once:
   * an answer of some megabytes comes in hundreds of pieces.
   */
  #pieces: Buffer[] = [];
  #held = 0;
  #wanted = 0;

  constructor(others: (bytes: Buffer) => void, count: (payloadBytes: number) => void) {
    this.#others = others;
    this.#count = count;
  }

  watch(subscription: number, handler: FrameHandler): void {
    this.#handlers.set(subscription, handler);
  }

  unwatch(subscription: number): void {
    this.#handlers.delete(subscription);
  }

  take(chunk: Buffer): void {
    let at = this.#held === 0 ? 0 : this.#completed(chunk);
    this.#frame.isAscii = this.#handlers.size > 0 && isAscii(chunk);
    while (at < chunk.length) {
      const end = this.#frameAt(chunk, at);
      if (end > chunk.length) {
        this.#hold(chunk.subarray(at), end - at);
        return;
      }
      at = end;
    }
  }

  #hold(bytes: Buffer, wanted: number): void {
    this.#pieces = [bytes];
    this.#held = bytes.length;
    this.#wanted = wanted;
  }

  /**
   * Deals with the frame that is held back once the chunk has its end, and returns where the chunk goes on. Only that frame is
   * joined: joining the whole chunk would copy every byte of the stream once more.
   */
  #completed(chunk: Buffer): number {
    for (let at = 0; at < chunk.length; ) {
      const next = Math.min(at + this.#missing(chunk, at), chunk.length);
      this.#pieces.push(chunk.subarray(at, next));
      this.#held += next - at;
      at = next;
      if (this.#held < this.#wanted) continue;
      const bytes = Buffer.concat(this.#pieces, this.#held);
      this.#frame.isAscii = isAscii(bytes);
      const end = this.#frameAt(bytes, 0);
      if (end <= bytes.length) {
        this.#pieces = [];
        this.#held = 0;
        // What was too much for the frame is the chunk's: a piece ends where its frame does, or where a line does.
        return at - (bytes.length - end);
      }
      this.#hold(bytes, end);
    }
    return chunk.length;
  }

  /** How much to join before looking again: all that is known to be missing, else up to the end of the line that says it. */
  #missing(chunk: Buffer, at: number): number {
    const missing = this.#wanted - this.#held;
    if (missing > 1) return missing;
    const lineEnd = chunk.indexOf(LF, at);
    return lineEnd < 0 ? chunk.length - at : lineEnd + 1 - at;
  }

  /** Deals with the frame that begins at `at` and returns where it ends: beyond the bytes, at least, where it is not whole yet. */
  #frameAt(bytes: Buffer, at: number): number {
    const first = bytes[at];
    if (first === UPPER_M) return this.#message(bytes, at);
    if (!OTHER_FRAMES.includes(first ?? 0)) return this.#unknown(bytes, at);
    const line = bytes.indexOf(LF, at);
    if (line < 0) return bytes.length + 1;
    const end = first === UPPER_H ? line + 1 + lastNumber(bytes, line) + 2 : line + 1;
    if (end > bytes.length) return end;
    this.#others(bytes.subarray(at, end));
    return end;
  }

  /** No frame that a server sends: the library says so, as it would have. */
  #unknown(bytes: Buffer, at: number): number {
    this.#others(bytes.subarray(at));
    return bytes.length;
  }

  /** `MSG <subject> <sid> [reply] <size>␍␊<payload>␍␊`; runs for every message of a replay. */
  #message(bytes: Buffer, at: number): number {
    const { length } = bytes;
    const subjectAt = at + 4;
    let next = subjectAt;
    while (next < length && bytes[next] !== SPACE && bytes[next] !== CR) next++;
    const subjectEnd = next++;
    let subscription = 0;
    for (let byte = bytes[next] ?? 0; byte >= ZERO && byte <= NINE; byte = bytes[++next] ?? 0) {
      subscription = subscription * 10 + byte - ZERO;
    }
    const tokenAt = ++next;
    while (next < length && bytes[next] !== SPACE && bytes[next] !== CR) next++;
    if (next >= length) return length + 1;
    let replyAt = 0;
    let replyEnd = 0;
    let sizeAt = tokenAt;
    if (bytes[next] === SPACE) {
      replyAt = tokenAt;
      replyEnd = next;
      sizeAt = ++next;
    }
    next = sizeAt;
    let size = 0;
    for (let byte = bytes[next] ?? 0; byte >= ZERO && byte <= NINE; byte = bytes[++next] ?? 0) {
      size = size * 10 + byte - ZERO;
    }
    const payloadAt = next + 2;
    const end = payloadAt + size + 2;
    // Also where the line itself is cut off: then `next` stands at the end of the bytes.
    if (next >= length) return length + 1;
    if (next === sizeAt || bytes[next] !== CR) return this.#unknown(bytes, at);
    if (end > length) return end;
    const handler = this.#handlers.get(subscription);
    if (handler === undefined) {
      this.#others(bytes.subarray(at, end));
      return end;
    }
    const frame = this.#frame;
    frame.bytes = bytes;
    frame.subjectAt = subjectAt;
    frame.subjectEnd = subjectEnd;
    frame.replyAt = replyAt;
    frame.replyEnd = replyEnd;
    frame.payloadAt = payloadAt;
    frame.payloadEnd = end - 2;
    this.#count(size);
    handler(frame);
    return end;
  }
}

/** The last number of the line that ends with the line feed at `lineEnd`: in a frame with headers its whole size. */
function lastNumber(bytes: Buffer, lineEnd: number): number {
  let number = 0;
  let scale = 1;
  for (let at = lineEnd - 2; (bytes[at] ?? 0) >= ZERO && (bytes[at] ?? 0) <= NINE; at--) {
    number += ((bytes[at] ?? 0) - ZERO) * scale;
    scale *= 10;
  }
  return number;
}
