import type { EventHeaders, HeaderPair, StreamMessage } from "./event.ts";

const NO_PAIRS: readonly HeaderPair[] = [];

/** A message's headers, each name once with its values joined, in the order in which they were delivered. */
export function headersInOrder(message: StreamMessage): readonly HeaderPair[] {
  const { headerPairs } = message;
  // Asked for only then: an object of them is made for it.
  if (headerPairs === undefined) return message.headers ? Object.entries(message.headers) : NO_PAIRS;
  for (let i = 1; i < headerPairs.length; i++) {
    if (headerPairs[i]?.[0] === headerPairs[i - 1]?.[0]) return joined(headerPairs);
  }
  return headerPairs;
}

/** Not by an object: it would put names that are numbers first. */
function joined(pairs: readonly HeaderPair[]): readonly HeaderPair[] {
  const values = Map.groupBy(pairs, ([name]) => name);
  return [...values].map(([name, all]) => [name, all.map(([, value]) => value).join(", ")] as const);
}

/** As the client library's messages are read: the values of each name joined. */
export function joinedHeaders(pairs: readonly HeaderPair[]): EventHeaders {
  const headers: Record<string, string> = Object.create(null);
  for (const [name, value] of pairs) headers[name] = name in headers ? `${headers[name]}, ${value}` : value;
  return headers;
}
