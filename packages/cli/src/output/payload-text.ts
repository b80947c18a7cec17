import { printable } from "./short-value.ts";

/** Of a payload that a person looks at; `--format json` has all of it. */
const MOST_BYTES = 8_192;
const HEX_ROW_BYTES = 16;

/** Text where it is text, line by line; else hex with offsets. Nothing in it reaches the terminal as a command. */
export function payloadText(data: Uint8Array): string {
  const shown = data.subarray(0, MOST_BYTES);
  const text = textOf(data);
  const body = text === null ? hexText(shown) : lines(text.slice(0, MOST_BYTES));
  return data.byteLength > MOST_BYTES ? `${body}\n… of ${data.byteLength} bytes (--format json shows all)` : body;
}

/** The payload as one short line. */
export function payloadSample(data: Uint8Array, mostCharacters = 100): string {
  const head = textOf(data) ?? `0x${Buffer.from(data.subarray(0, mostCharacters / 2)).toString("hex")}`;
  const text = printable(head.slice(0, mostCharacters));
  return head.length > mostCharacters || (textOf(data) === null && data.byteLength > mostCharacters / 2)
    ? `${text}…`
    : text;
}

/** Null where it is no UTF-8, or holds what no text holds. */
export function textOf(data: Uint8Array): string | null {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(data);
    return text.includes("\0") ? null : text;
  } catch {
    return null;
  }
}

function lines(text: string): string {
  return text.split("\n").map(printable).join("\n");
}

function hexText(data: Uint8Array): string {
  const rows: string[] = [];
  for (let at = 0; at < data.byteLength; at += HEX_ROW_BYTES) {
    const row = Buffer.from(data.subarray(at, at + HEX_ROW_BYTES));
    const hex = row
      .toString("hex")
      .replace(/../g, "$& ")
      .padEnd(HEX_ROW_BYTES * 3);
    rows.push(`${at.toString(16).padStart(6, "0")}  ${hex} ${row.toString("latin1").replace(/[^ -~]/g, ".")}`);
  }
  return rows.join("\n");
}
