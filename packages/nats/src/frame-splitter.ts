import { isAscii } from "node:buffer";

const SPACE = 32;
const CR = 13;
const LF = 10;
const ZERO = 48;
const NINE = 57;
const UPPER_M = 77;
const UPPER_S = 83;
const UPPER_G = 71;
/** First bytes of `HMSG`, `PING`, `PONG`, `INFO`, `+OK` and `-ERR`. */
const OTHER_FRAMES = [...Buffer.from("HPI+-")];
/** As servers write them; the client library takes more than this, and shall have it. */
const OTHER_LINE = /^(?:PING|PONG|\+OK|-ERR [^\s][^\r\n]*|INFO [^\s][^\r\n]*)\r\n$/;
const HEADERS_LINE = /^HMSG [^\s]+ \d+ (?:[^\s]+ )?\d+ (\d{1,9})\r\n$/;
const MOST_DIGITS = 9;

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
 * everything else goes, whole frame by whole frame, to `others`, which is the client library's own parser. After bytes that are
 * no frame as servers write them, all that follows goes there: what they mean is the library's to say. Frames of NATS'
 * client protocol: https://docs.nats.io/reference/reference-protocols/nats-protocol
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
  #gaveUp = false;

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

  /** Of a frame whose end has not come yet. */
  get heldBytes(): number {
    return this.#held;
  }

  take(chunk: Buffer): void {
    let at = this.#held === 0 ? 0 : this.#completed(chunk);
    this.#frame.isAscii = this.#handlers.size > 0 && isAscii(chunk);
    while (at < chunk.length) {
      const end = this.#gaveUp ? this.#unknown(chunk, at) : this.#frameAt(chunk, at);
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
    if (bytes[at] === UPPER_M) return this.#message(bytes, at);
    const line = bytes.indexOf(LF, at);
    if (line < 0) return OTHER_FRAMES.includes(bytes[at] ?? 0) ? bytes.length + 1 : this.#unknown(bytes, at);
    const end = endOfOther(bytes, at, line + 1);
    if (end === null) return this.#unknown(bytes, at);
    if (end > bytes.length) return end;
    if (bytes[end - 2] !== CR || bytes[end - 1] !== LF) return this.#unknown(bytes, at);
    this.#others(bytes.subarray(at, end));
    return end;
  }

  /** No frame that a server sends: the library says so, as it would have, or makes something of it. */
  #unknown(bytes: Buffer, at: number): number {
    this.#gaveUp = true;
    this.#others(bytes.subarray(at));
    return bytes.length;
  }

  /** `MSG <subject> <sid> [reply] <size>␍␊<payload>␍␊`; runs for every message of a replay. */
  #message(bytes: Buffer, at: number): number {
    const { length } = bytes;
    const subjectAt = at + 4;
    let next = subjectAt;
    while (next < length && (bytes[next] as number) > SPACE) next++;
    const subjectEnd = next++;
    let subscription = 0;
    const subscriptionAt = next;
    for (let byte = bytes[next] ?? 0; byte >= ZERO && byte <= NINE; byte = bytes[++next] ?? 0) {
      subscription = subscription * 10 + byte - ZERO;
    }
    const subscriptionEnd = next;
    const tokenAt = ++next;
    while (next < length && (bytes[next] as number) > SPACE) next++;
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
    // Also where the line itself is cut off: then `next` stands at the end of its bytes.
    if (next + 1 >= length) return length + 1;
    const hasTokens =
      subjectEnd > subjectAt &&
      bytes[subjectEnd] === SPACE &&
      subscriptionEnd > subscriptionAt &&
      bytes[subscriptionEnd] === SPACE &&
      (replyAt === 0 || replyEnd > replyAt);
    const hasSize = next > sizeAt && next - sizeAt <= MOST_DIGITS && bytes[next] === CR && bytes[next + 1] === LF;
    const isNamed = bytes[at + 1] === UPPER_S && bytes[at + 2] === UPPER_G && bytes[at + 3] === SPACE;
    if (!isNamed || !hasTokens || !hasSize) return this.#unknown(bytes, at);
    if (end > length) return end;
    if (bytes[end - 2] !== CR || bytes[end - 1] !== LF) return this.#unknown(bytes, at);
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

/** Of a frame whose line ends before `lineEnd`; null where it is none as servers write it. */
function endOfOther(bytes: Buffer, at: number, lineEnd: number): number | null {
  const line = bytes.toString("latin1", at, lineEnd);
  const size = HEADERS_LINE.exec(line)?.[1];
  if (size !== undefined) return lineEnd + Number(size) + 2;
  return OTHER_LINE.test(line) ? lineEnd : null;
}
