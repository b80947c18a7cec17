import { hexRows, textOf } from "@cim-replay/core";
import { printable } from "./short-value.ts";

/** Of a payload that a person looks at; `--format json` has all of it. */
const MOST_BYTES = 8_192;

/** Text where it is text, line by line; else hex with offsets. Nothing in it reaches the terminal as a command. */
export function payloadText(data: Uint8Array): string {
  const shown = data.subarray(0, MOST_BYTES);
  const text = textOf(data);
  const body = text === null ? hexRows(shown) : lines(text.slice(0, MOST_BYTES));
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

function lines(text: string): string {
  return text.split("\n").map(printable).join("\n");
}
