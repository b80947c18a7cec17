import { deserialize, serialize } from "node:v8";
import { addExtension, Packr } from "msgpackr";

const MSGPACK = 1;
/** For what msgpackr would change or cannot pack. */
const STRUCTURED_CLONE = 2;
const PROTO_KEY = "__proto__";
const REPLACEMENT_CHARACTER = Buffer.from("\ufffd");
const BARE_TYPE = 0x62;
const CLASS_TYPE = 0x63;

/** Objects without prototype: as plain ones, their keys `constructor` or `toString` would be there before they are set. */
// biome-ignore lint/complexity/noStaticOnlyClass: msgpackr asks `instanceof`, which asks this.
class BareObject {
  static [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === null;
  }
}

addExtension({
  Class: BareObject,
  type: BARE_TYPE,
  write: (value: object) => ({ ...value }),
  read: (value: object) => Object.assign(Object.create(null) as object, value),
});

/** Of what has a class of its own, only these come back as they are. Asked for nothing that is plain, an array or a Map. */
// biome-ignore lint/complexity/noStaticOnlyClass: as above.
class ClassInstance {
  static [Symbol.hasInstance](value: unknown): boolean {
    if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) === null) return false;
    return !(value instanceof Date || value instanceof Set || ArrayBuffer.isView(value) || isPlain(value));
  }
}

function isPlain(value: object): boolean {
  return Object.getPrototypeOf(value) === Object.prototype || Array.isArray(value) || value instanceof Map;
}

addExtension({
  Class: ClassInstance,
  type: CLASS_TYPE,
  write: () => {
    throw new TypeError("a class's instance would come back as a plain object");
  },
  read: (value: object) => value,
});

// Compiled record writers are kept for as long as it lives. A function would be dropped in silence without a writer.
const packr = Object.assign(newPackr(), {
  writeFunction: () => {
    throw new TypeError("a function would not come back");
  },
});

/**
 * The bytes of plain values, from which `unpackChunk` makes the same ones. Where msgpackr would not, `assertPackable` is
 * asked to throw for what nothing else would either.
 */
export function packChunk(chunk: unknown, assertPackable: () => void): Uint8Array {
  const packed = tryPack(chunk);
  if (packed && !isChanged(packed)) return Buffer.concat([Buffer.of(MSGPACK), packed]);
  assertPackable();
  return Buffer.concat([Buffer.of(STRUCTURED_CLONE), serialize(chunk)]);
}

/** Throws where the bytes are none of `packChunk`. */
export function unpackChunk(bytes: Uint8Array): unknown {
  const body = bytes.subarray(1);
  // What it gives may be views of what it was given.
  if (bytes[0] === STRUCTURED_CLONE) return deserialize(Buffer.from(body));
  if (bytes[0] === MSGPACK) return packr.unpack(body);
  throw new Error(`unknown format ${bytes[0]}`);
}

/** A state of its own with the same content; null where it cannot be copied. */
export function copyOf(state: unknown): { state: unknown } | null {
  try {
    return { state: unpackChunk(packChunk(state, () => undefined)) };
  } catch {
    return null;
  }
}

function newPackr(): Packr {
  // A Buffer in a state outlives the bytes that it was unpacked from.
  return new Packr({ useRecords: true, mapsAsObjects: false, moreTypes: true, copyBuffers: true });
}

/** Null where msgpackr cannot, as with a large bigint, or an object without prototype that has a key `toJSON`. */
function tryPack(chunk: unknown): Buffer | null {
  try {
    return packr.pack(chunk);
  } catch {
    return null;
  }
}

/** True where unpacking may give something else: the key is renamed there, and half a surrogate pair has no UTF-8 form. */
function isChanged(packed: Buffer): boolean {
  return packed.includes(PROTO_KEY) || packed.includes(REPLACEMENT_CHARACTER) || holdsEncodedSurrogate(packed);
}

function holdsEncodedSurrogate(packed: Buffer): boolean {
  for (let at = packed.indexOf(0xed); at !== -1; at = packed.indexOf(0xed, at + 1)) {
    const [second = 0, third = 0] = packed.subarray(at + 1, at + 3);
    if (second >= 0xa0 && second <= 0xbf && third >= 0x80 && third <= 0xbf) return true;
  }
  return false;
}
