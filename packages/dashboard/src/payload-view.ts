/** Of a payload that somebody looks at; `quarantine show SEQUENCE --format json` has all of it. */
const MOST_BYTES = 64 * 1024;
const ROW_BYTES = 16;

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
    return { format: "bytes", text: hexOf(data.subarray(0, MOST_BYTES / 4)), isCut: data.byteLength > MOST_BYTES / 4 };
  const laidOut = isCut ? null : jsonOf(text);
  return laidOut === null ? { format: "text", text, isCut } : { format: "JSON", text: laidOut, isCut };
}

function textOf(data: Uint8Array, isCut: boolean): string | null {
  try {
    // The last character of a beginning may be cut in two.
    const text = new TextDecoder("utf-8", { fatal: true }).decode(data, { stream: isCut });
    return text.includes("\0") ? null : text;
  } catch {
    return null;
  }
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

function hexOf(data: Uint8Array): string {
  const rows: string[] = [];
  for (let at = 0; at < data.byteLength; at += ROW_BYTES) {
    const row = Buffer.from(data.subarray(at, at + ROW_BYTES));
    const hex = (row.toString("hex").match(/../g) ?? []).join(" ").padEnd(ROW_BYTES * 3);
    rows.push(`${at.toString(16).padStart(6, "0")}  ${hex} ${row.toString("latin1").replace(/[^ -~]/g, ".")}`);
  }
  return rows.join("\n");
}
