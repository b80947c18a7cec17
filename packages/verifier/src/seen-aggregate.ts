import type { EntryFacts } from "./entry-facts.ts";
import type { Terms } from "./terms.ts";

/** What the stream says of one aggregate. Mutable: it is touched once an event. */
export interface SeenAggregate {
  readonly routeKey: string;
  /** Of the plan; −1 where it has none. */
  readonly partition: number;
  /** Known with the first event that can be decoded. */
  id: string | null;
  key: string | null;
  entry: EntryFacts | null;
  terms: Terms;
  /** The last sequence that the entry holds, by its own word. */
  upToSeq: number;
  /** Messages within the range of the plan, whatever they are. */
  messages: number;
  /** Events that the entry must hold, and the last of them. */
  events: number;
  lastSeq: number;
  /** Later than what the entry holds, though its run read them. */
  missed: number;
  firstMissedSeq: number;
  /** Later than what its run read. */
  behind: number;
  leftOut: number;
  /** Events by the terms of aggregates without an entry, where they are not the entry's own. */
  dueOtherwise: number;
  state: unknown;
  /** Where the refold stopped: it refuses an event that the entry should hold. */
  refused: { readonly seq: number; readonly reason: string } | null;
}

export function newAggregate(routeKey: string, partition: number, terms: Terms): SeenAggregate {
  return {
    ...{ routeKey, partition, id: null, key: null, entry: null, terms, upToSeq: Number.POSITIVE_INFINITY },
    ...{ messages: 0, events: 0, lastSeq: 0, missed: 0, firstMissedSeq: 0, behind: 0, leftOut: 0, dueOtherwise: 0 },
    ...{ state: undefined, refused: null },
  };
}
