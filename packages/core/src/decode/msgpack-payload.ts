import { Unpackr } from "msgpackr";
import { errorMessage } from "../errors.ts";
import { checkMsgpack } from "./msgpack-check.ts";
import { Malformed, oneLine } from "./malformed.ts";

const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, structuredClone: false });

const MIN_SAFE = BigInt(Number.MIN_SAFE_INTEGER);
const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);

/**
 * The value of msgpack bytes, with plain JSON-able values only: times become RFC 3339, bytes base64. Integers beyond 2^53
 * stay BigInt. A key `__proto__` is read as `__proto_`; of a key given twice, the last holds.
 */
export function parseMsgpack(data: Uint8Array): unknown {
  const checked = checkMsgpack(data);
  if (checked instanceof Malformed) return checked;
  try {
    const value: unknown = unpackr.unpack(data);
    return checked.holdsOthers ? plain(value) : value;
  } catch (error) {
    return new Malformed(`the payload is no msgpack: ${oneLine(errorMessage(error))}`);
  }
}

/** Replaces what JSON has no form for, in place. Throws where a time is none. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") return value >= MIN_SAFE && value <= MAX_SAFE ? Number(value) : value;
  if (typeof value !== "object" || value === null) return value ?? null;
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Uint8Array) return toBase64(value);
  const container = value as Record<string, unknown>;
  for (const key of Object.keys(container)) container[key] = plain(container[key]);
  return value;
}

function toBase64(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}
