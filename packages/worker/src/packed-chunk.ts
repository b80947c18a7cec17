import { deserialize, serialize } from "node:v8";
import { addExtension, Packr } from "msgpackr";

const MSGPACK = 1;
/** For what msgpackr would change or cannot pack. */
const STRUCTURED_CLONE = 2;
const PROTO_KEY = "__proto__";
const REPLACEMENT_CHARACTER = Buffer.from("\ufffd");
const BARE_TYPE = 0x62;

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

/** The bytes of plain values, from which `unpackChunk` makes the same ones. */
export function packChunk(packr: Packr, chunk: unknown): Uint8Array {
  const packed = tryPack(packr, chunk);
  if (packed && !isChanged(packed)) return Buffer.concat([Buffer.of(MSGPACK), packed]);
  return Buffer.concat([Buffer.of(STRUCTURED_CLONE), serialize(chunk)]);
}

/** Throws where the bytes are none of `packChunk`. */
export function unpackChunk(bytes: Uint8Array): unknown {
  const body = bytes.subarray(1);
  if (bytes[0] === STRUCTURED_CLONE) return deserialize(body);
  if (bytes[0] === MSGPACK) return newPackr().unpack(body);
  throw new Error(`unknown format ${bytes[0]}`);
}

export function newPackr(): Packr {
  return new Packr({ useRecords: true, mapsAsObjects: false, moreTypes: true });
}

/** Null where msgpackr cannot, as with a large bigint, or an object without prototype that has a key `toJSON`. */
function tryPack(packr: Packr, chunk: unknown): Buffer | null {
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
