import { MAX_PAYLOAD_DEPTH } from "./json-payload.ts";
import { Malformed } from "./malformed.ts";

const strictUtf8 = new TextDecoder("utf-8", { fatal: true });

const TIMESTAMP = 0xff;
/** Extensions of JavaScript's msgpack packers: `undefined`, and records (a list of keys given once, values each time). */
const UNDEFINED = 0x00;
const RECORD = 0x72;

const CUT_SHORT = "it ends too early";

/**
 * Walks msgpack bytes before the decoder does, which trusts the lengths it reads, takes broken UTF-8, and knows
 * extensions that build functions, pattern matchers and cycles. What passes has a bounded depth, true lengths, and
 * nothing but JSON's kinds of values, integers of 8 bytes, bytes, times and `undefined`; `holdsOthers` is set for the
 * last four.
 */
export function checkMsgpack(data: Uint8Array): { readonly holdsOthers: boolean } | Malformed {
  const walk = new Walk(data);
  const problem = walk.value(0) ?? (walk.at < data.length ? "bytes follow its end" : null);
  return problem === null ? walk : new Malformed(`the payload is no msgpack that can be read: ${problem}`);
}

/** Its methods move on and return what is wrong, or null. */
class Walk {
  at = 0;
  holdsOthers = false;
  readonly #data: Uint8Array;
  readonly #view: DataView;
  /** Number of keys of each record that was defined, by its id. */
  readonly #recordSizes = new Map<number, number>();

  constructor(data: Uint8Array) {
    this.#data = data;
    this.#view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  }

  value(depth: number): string | null {
    if (depth > MAX_PAYLOAD_DEPTH) return `it is nested deeper than ${MAX_PAYLOAD_DEPTH} levels`;
    const token = this.#data[this.at++];
    if (token === undefined) return CUT_SHORT;
    if (token < 0x80) return this.#items(this.#recordSizes.get(token) ?? 0, depth);
    if (token < 0x90) return this.#items(2 * (token - 0x80), depth);
    if (token < 0xa0) return this.#items(token - 0x90, depth);
    if (token < 0xc0) return this.#text(token - 0xa0);
    return token >= 0xe0 ? null : this.#marked(token, depth);
  }

  /** A value whose first byte only names its kind. */
  #marked(token: number, depth: number): string | null {
    if (token === 0xc0 || token === 0xc2 || token === 0xc3) return null;
    if (token === 0xc1) return "byte 0xc1 stands for nothing";
    if (token <= 0xc6) return this.#bytes(this.#length(token - 0xc4));
    if (token <= 0xc9) return this.#extension(this.#length(token - 0xc7), depth);
    if (token <= 0xcb) return this.#float(token === 0xca ? 4 : 8);
    if (token <= 0xd3) return this.#integer(1 << ((token - 0xcc) & 3));
    if (token <= 0xd8) return this.#extension(1 << (token - 0xd4), depth);
    if (token <= 0xdb) return this.#text(this.#length(token - 0xd9));
    if (token <= 0xdd) return this.#items(this.#length(token - 0xdc + 1), depth);
    return this.#items(2 * this.#length(token - 0xde + 1), depth);
  }

  /** An unsigned length of 2^power bytes; infinite where the bytes end before it does. */
  #length(power: number): number {
    const start = this.at;
    if (this.#skip(1 << power) !== null) return Number.POSITIVE_INFINITY;
    if (power === 0) return this.#view.getUint8(start);
    return power === 1 ? this.#view.getUint16(start) : this.#view.getUint32(start);
  }

  #skip(length: number): string | null {
    if (length > this.#data.length - this.at) return CUT_SHORT;
    this.at += length;
    return null;
  }

  #items(count: number, depth: number): string | null {
    // Each takes a byte at least: a false count is found before anything is made for it.
    if (count > this.#data.length - this.at) return CUT_SHORT;
    for (let i = 0; i < count; i++) {
      const problem = this.value(depth + 1);
      if (problem !== null) return problem;
    }
    return null;
  }

  #text(length: number): string | null {
    const start = this.at;
    const problem = this.#skip(length);
    if (problem !== null) return problem;
    for (let i = start; i < this.at; i++) {
      if ((this.#data[i] ?? 0) < 0x80) continue;
      try {
        strictUtf8.decode(this.#data.subarray(start, this.at));
        return null;
      } catch {
        return "a text in it is no valid UTF-8";
      }
    }
    return null;
  }

  #bytes(length: number): string | null {
    this.holdsOthers = true;
    return this.#skip(length);
  }

  #float(length: 4 | 8): string | null {
    const start = this.at;
    const problem = this.#skip(length);
    if (problem !== null) return problem;
    const value = length === 4 ? this.#view.getFloat32(start) : this.#view.getFloat64(start);
    return Number.isFinite(value) ? null : `JSON has no number ${value}`;
  }

  #integer(length: number): string | null {
    // The decoder gives those of 8 bytes as BigInt.
    if (length === 8) this.holdsOthers = true;
    return this.#skip(length);
  }

  #extension(length: number, depth: number): string | null {
    const type = this.#data[this.at++];
    if (type === RECORD && length === 1) return this.#record(depth);
    const isTime = type === TIMESTAMP && (length === 4 || length === 8 || length === 12);
    if (!isTime && !(type === UNDEFINED && length === 1)) {
      return type === undefined ? CUT_SHORT : `its extension type ${type} is not supported`;
    }
    return this.#bytes(length);
  }

  #record(depth: number): string | null {
    const id = (this.#data[this.at++] ?? 0) & 0x3f;
    const before = this.at;
    const problem = this.value(depth + 1);
    if (problem !== null) return problem;
    const token = this.#data[before] ?? 0;
    let size = -1;
    if (token >= 0x90 && token < 0xa0) size = token - 0x90;
    else if (token === 0xdc && before + 2 < this.#data.length) size = this.#view.getUint16(before + 1);
    if (size < 0) return "the keys of a record are no list";
    this.#recordSizes.set(0x40 + id, size);
    return this.#items(size, depth);
  }
}
