import type { EventHeaders, HeaderPair } from "./event.ts";

/** As the client library's messages are read: names in order of appearance, the values of each joined. */
export function joinedHeaders(pairs: readonly HeaderPair[]): EventHeaders {
  const headers: Record<string, string> = Object.create(null);
  for (const [name, value] of pairs) headers[name] = name in headers ? `${headers[name]}, ${value}` : value;
  return headers;
}
