import { hexRows, textOf } from "@cim-replay/core";

/** Of a payload that somebody looks at; `quarantine show SEQUENCE --format json` has all of it. */
const MOST_BYTES = 64 * 1024;

export interface PayloadView {
  readonly format: "JSON" | "text" | "bytes";
  readonly text: string;
  readonly isCut: boolean;
}

/** JSON laid out where it is JSON; as it is where it is text; else in hex. Never parsed when too long to be shown. */
export function payloadView(data: Uint8Array): PayloadView {
  const isCut = data.byteLength > MOST_BYTES;
  const text = textOf(data.subarray(0, MOST_BYTES), isCut);
  if (text === null)
    return {
      format: "bytes",
      text: hexRows(data.subarray(0, MOST_BYTES / 4)),
      isCut: data.byteLength > MOST_BYTES / 4,
    };
  const laidOut = isCut ? null : jsonOf(text);
  return laidOut === null ? { format: "text", text, isCut } : { format: "JSON", text: laidOut, isCut };
}

/** Laid out only where that changes nothing but spaces: repeated keys and long numbers are what people look for. */
function jsonOf(text: string): string | null {
  try {
    const value: unknown = JSON.parse(text);
    return JSON.stringify(value) === text.trim() ? JSON.stringify(value, null, 2) : text;
  } catch {
    return null;
  }
}
