import type { StreamMessage } from "../event.ts";
import type { JsonObject } from "./fields.ts";
import { parseJson, parseJsonText } from "./json-payload.ts";
import { Malformed } from "./malformed.ts";
import { parseMsgpack } from "./msgpack-payload.ts";

/** A message's payload as an object. Never throws. */
export function payloadOf(message: StreamMessage): JsonObject | Malformed {
  const text = message.asciiText;
  // What is all ASCII is no msgpack object: the first byte of one is above.
  return text !== undefined && text !== "" ? objectOrMalformed(parseJsonText(text)) : parsePayload(message.data);
}

/** An event's bytes as an object; JSON and msgpack are told apart by the first byte. Never throws. */
export function parsePayload(data: Uint8Array): JsonObject | Malformed {
  if (data.length === 0) return new Malformed("the payload is empty");
  return objectOrMalformed(isText(data) ? parseJson(data) : parseMsgpack(data));
}

function objectOrMalformed(value: unknown): JsonObject | Malformed {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject | Malformed;
  return new Malformed(`the payload is ${nameKind(value)}, not an object`);
}

/** JSON begins in ASCII or with a byte order mark; a msgpack value that begins so is a small number or -17. */
function isText(data: Uint8Array): boolean {
  const first = data[0] ?? 0;
  return first < 0x80 || (first === 0xef && data[1] === 0xbb && data[2] === 0xbf);
}

function nameKind(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "an array" : `a ${typeof value}`;
}
