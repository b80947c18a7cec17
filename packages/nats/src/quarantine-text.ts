import type { EventHeaders } from "@cim-replay/core";

/** JSON in visible ASCII, so that any text fits in a NATS header and comes back as it was. */
export function headerJson(value: unknown): string {
  const unicodeEscape = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return JSON.stringify(value).replace(/[\u007f-\uffff]/g, unicodeEscape);
}

export function shorten(text: string, maxCharacters: number): string {
  if (text.length <= maxCharacters) return text;
  return `${text.slice(0, maxCharacters)}… (${text.length} characters)`;
}

/** Headers as pairs, in order, as long as they fit; what does not is left out and counted. */
export function fitHeaders(
  headers: EventHeaders,
  maxCharacters: number,
): { readonly pairs: readonly (readonly [string, string])[]; readonly leftOut: number } {
  const pairs: (readonly [string, string])[] = [];
  const all = Object.entries(headers);
  let room = maxCharacters;
  for (const pair of all) {
    const size = headerJson(pair).length + 1;
    if (size > room) continue;
    room -= size;
    pairs.push(pair);
  }
  return { pairs, leftOut: all.length - pairs.length };
}

export function headersFrom(pairs: readonly (readonly [string, string])[]): EventHeaders {
  const headers: Record<string, string> = Object.create(null);
  for (const [name, value] of pairs) headers[name] = value;
  return headers;
}
