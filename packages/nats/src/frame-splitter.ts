import { isAscii } from "node:buffer";

const SPACE = 32;
const CR = 13;
const LF = 10;
const ZERO = 48;
const UPPER_H = 72;
const UPPER_M = 77;
const UPPER_S = 83;
const UPPER_G = 71;
/** First bytes of `PING`, `PONG`, `INFO`, `+OK` and `-ERR`. */
const OTHER_FRAMES = [...Buffer.from("PI+-")];
/** As servers write them; the client library takes more than this, and shall have it. */
const OTHER_LINE = /^(?:PING|PONG|\+OK|-ERR [^\s][^\r\n]*|INFO [^\s][^\r\n]*)\r\n$/;
/** Of a size: beyond them it is no message's. */
const MOST_DIGITS = 9;
/** `<subject> <sid> [reply] [header bytes] <bytes>` */
const MOST_TOKENS = 5;

/** Where a whole `MSG` or `HMSG` frame lies in the bytes that hold it. */
export interface MessageFrame {
  readonly bytes: Buffer;
  readonly subjectAt: number;
  readonly subjectEnd: number;
  /** Both 0 where the message has no reply subject. */
  readonly replyAt: number;
  readonly replyEnd: number;
  /** Where the header block begins, which ends at the payload: at `payloadAt` where the message has none. */
  readonly headersAt: number;
  readonly payloadAt: number;
  readonly payloadEnd: number;
  /** All of `bytes` are ASCII: looked at once for the hundreds of frames of a chunk. */
  readonly isAscii: boolean;
}

/** The frame is only valid during the call; its bytes stay. */
export type FrameHandler = (frame: MessageFrame) => void;

/**
 * Splits what a NATS server sends into frames. Whole messages of watched subscriptions go to their handlers, but for a status,
 * which is a header block without a reply subject (pull consumers, which are all that is watched, send no other); everything else goes, whole frame by whole frame, to `others`, which is the
 * client library's own parser. While nothing is watched, all goes there as it comes, and on until the library stands between two
 * frames. After bytes that are no frame as servers
 * write them, all that follows goes there: what they mean is the library's to say. Frames of NATS' client protocol:
 * https://docs.nats.io/reference/reference-protocols/nats-protocol
 */
export class FrameSplitter {
  readonly #others: (bytes: Buffer) => void;
  readonly #count: (payloadBytes: number) => void;
  readonly #isBetweenFrames: () => boolean;
  readonly #handlers = new Map<number, FrameHandler>();
  readonly #frame: { -readonly [Field in keyof MessageFrame]: MessageFrame[Field] } = {
    bytes: Buffer.alloc(0),
    subjectAt: 0,
    subjectEnd: 0,
    replyAt: 0,
    replyEnd: 0,
    headersAt: 0,
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
  #gaveUp = false;
  /** Nothing that the library has begun to read is still to come. */
  #isAligned: boolean;
  /** Of the frame that is looked at: where its tokens begin and end. */
  readonly #tokens = new Int32Array((MOST_TOKENS + 1) * 2);

  /** `isBetweenFrames`: whether the library has read all frames of which it was given a part. */
  constructor(others: (bytes: Buffer) => void, count: (payloadBytes: number) => void, isBetweenFrames: () => boolean) {
    this.#others = others;
    this.#count = count;
    this.#isBetweenFrames = isBetweenFrames;
    this.#isAligned = isBetweenFrames();
  }

  watch(subscription: number, handler: FrameHandler): void {
    this.#handlers.set(subscription, handler);
  }

  unwatch(subscription: number): void {
    this.#handlers.delete(subscription);
  }

  /** Of a frame whose end has not come yet. */
  get heldBytes(): number {
    return this.#held;
  }

  take(chunk: Buffer): void {
    if (this.#handlers.size === 0 || !this.#isAligned) {
      this.#passOn(chunk);
      return;
    }
    let at = this.#held === 0 ? 0 : this.#completed(chunk);
    this.#frame.isAscii = isAscii(chunk);
    while (at < chunk.length) {
      const end = this.#gaveUp ? this.#unknown(chunk, at) : this.#frameAt(chunk, at);
      if (end > chunk.length) {
        this.#hold(chunk.subarray(at), end - at);
        return;
      }
      at = end;
    }
  }

  #passOn(chunk: Buffer): void {
    const pieces = [...this.#pieces, chunk];
    this.#pieces = [];
    this.#held = 0;
    for (const piece of pieces) this.#others(piece);
    this.#isAligned = this.#isBetweenFrames();
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
      this.#pieces = [];
      this.#held = 0;
      this.#frame.isAscii = isAscii(bytes);
      const end = this.#frameAt(bytes, 0);
      if (end <= bytes.length) {
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
    if (bytes[at] === UPPER_M) return this.#message(bytes, at, 0);
    if (bytes[at] === UPPER_H) return this.#message(bytes, at, 1);
    const line = bytes.indexOf(LF, at);
    if (line < 0) return OTHER_FRAMES.includes(bytes[at] ?? 0) ? bytes.length + 1 : this.#unknown(bytes, at);
    const end = line + 1;
    if (!OTHER_LINE.test(bytes.toString("latin1", at, end))) return this.#unknown(bytes, at);
    this.#others(bytes.subarray(at, end));
    return end;
  }

  /** No frame that a server sends: the library says so, as it would have, or makes something of it. */
  #unknown(bytes: Buffer, at: number): number {
    this.#gaveUp = true;
    this.#others(bytes.subarray(at));
    return bytes.length;
  }

  /**
   * `MSG <subject> <sid> [reply] <bytes>␍␊<payload>␍␊`, or
   * `HMSG <subject> <sid> [reply] <header bytes> <bytes>␍␊<headers><payload>␍␊`; runs for every message of a replay.
   * `more`: 1 for the letter and the token that the second form has more than the first, else 0.
   */
  #message(bytes: Buffer, at: number, more: 0 | 1): number {
    const { length } = bytes;
    const subjectAt = at + 4 + more;
    const found = this.#tokensFrom(bytes, subjectAt);
    const tokens = this.#tokens;
    const lineEnd = found === 0 ? length : (tokens[2 * found - 1] as number);
    if (lineEnd + 1 >= length) return length + 1;
    const isNamed =
      bytes[at + more] === UPPER_M &&
      bytes[at + more + 1] === UPPER_S &&
      bytes[at + more + 2] === UPPER_G &&
      bytes[at + more + 3] === SPACE;
    const hasReply = found - more === 4;
    const isLine = bytes[lineEnd] === CR && bytes[lineEnd + 1] === LF && (hasReply || found - more === 3);
    if (!isNamed || !isLine) return this.#unknown(bytes, at);
    const subjectEnd = tokens[1] as number;
    const replyAt = hasReply ? (tokens[4] as number) : 0;
    const replyEnd = hasReply ? (tokens[5] as number) : 0;
    const subscription = numberIn(bytes, tokens[2] as number, tokens[3] as number);
    const size = sizeIn(bytes, tokens[2 * found - 2] as number, lineEnd);
    const headerBytes =
      more === 0 ? 0 : sizeIn(bytes, tokens[2 * found - 4] as number, tokens[2 * found - 3] as number);
    const hasTokens = subjectEnd > subjectAt && subscription >= 0 && (!hasReply || replyEnd > replyAt);
    if (!hasTokens || headerBytes < 0 || size < headerBytes) return this.#unknown(bytes, at);
    const headersAt = lineEnd + 2;
    const end = headersAt + size + 2;
    if (end > length) return end;
    if (bytes[end - 2] !== CR || bytes[end - 1] !== LF) return this.#unknown(bytes, at);
    const handler = this.#handlers.get(subscription);
    const isStatus = more === 1 && (!hasReply || headerBytes === 0);
    if (handler === undefined || isStatus) {
      this.#others(bytes.subarray(at, end));
      return end;
    }
    const frame = this.#frame;
    frame.bytes = bytes;
    frame.subjectAt = subjectAt;
    frame.subjectEnd = subjectEnd;
    frame.replyAt = replyAt;
    frame.replyEnd = replyEnd;
    frame.headersAt = headersAt;
    frame.payloadAt = headersAt + headerBytes;
    frame.payloadEnd = end - 2;
    this.#count(size);
    handler(frame);
    return end;
  }

  /** Notes where the tokens of a line are, and counts them: one too many at most, and 0 where the line is cut off. */
  #tokensFrom(bytes: Buffer, at: number): number {
    const { length } = bytes;
    const tokens = this.#tokens;
    let found = 0;
    tokens[0] = at;
    for (let next = at; next < length; next++) {
      const byte = bytes[next] as number;
      if (byte > SPACE) continue;
      tokens[2 * found + 1] = next;
      found += 1;
      if (byte !== SPACE || found > MOST_TOKENS) return found;
      tokens[2 * found] = next + 1;
    }
    return 0;
  }
}

/** −1 where it is no size of a message. */
function sizeIn(bytes: Buffer, at: number, end: number): number {
  return end - at > MOST_DIGITS ? -1 : numberIn(bytes, at, end);
}

/** −1 where other than digits stand there, or nothing. */
function numberIn(bytes: Buffer, at: number, end: number): number {
  let number = end > at ? 0 : -1;
  for (let next = at; next < end; next++) {
    const digit = (bytes[next] as number) - ZERO;
    if (digit < 0 || digit > 9) return -1;
    number = number * 10 + digit;
  }
  return number;
}
