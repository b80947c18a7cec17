import type { EntryFacts } from "./entry-facts.ts";
import type { StreamFold } from "./stream-fold.ts";
import type { LeftOutEvent, Terms } from "./terms.ts";
import type { Bounds, Witness } from "./witness.ts";

/** How many events each aggregate has for the run (or bucket) that is verified, by the key of its entry. */
export interface Accounts {
  /** Null where no event of it is asked for. */
  due(key: string): Bounds | null;
  all(): Iterable<readonly [key: string, due: Bounds]>;
}

/** Exact: from the verifier's own reading. */
export function accountsOfReading(fold: StreamFold): Accounts {
  const boundsOf = (due: number): Bounds => ({ min: due, max: due });
  return {
    due(key) {
      const aggregate = fold.get(key);
      if (!aggregate) return null;
      const due = fold.dueEvents(aggregate);
      // All of its events lie outside what is asked for: as if it had none. Where they were left out as bad, it has some.
      return due === 0 && aggregate.leftOut === 0 ? null : boundsOf(due);
    },
    *all() {
      for (const aggregate of fold.aggregates) {
        if (aggregate.key !== null) yield [aggregate.key, boundsOf(fold.dueEvents(aggregate))];
      }
    },
  };
}

/** From the server's subject index, up to the end of what the terms take in, less what was left out as bad. */
export function accountsOfIndex(
  witness: Witness,
  terms: Terms,
  names: { keyOf: (routeKey: string) => string | null; route: (subject: string) => string | null | undefined },
): Accounts {
  const byKey = new Map<string, Bounds>();
  const leftOut = countLeftOut(terms.leftOut.values(), names.route);
  for (const routeKey of witness.keys()) {
    const key = names.keyOf(routeKey);
    if (key !== null) byKey.set(key, less(witness.upTo(routeKey, terms.toSeq), leftOut.get(routeKey) ?? 0));
  }
  return { due: (key) => byKey.get(key) ?? null, all: () => byKey };
}

/** By routing key. */
export function countLeftOut(
  events: Iterable<LeftOutEvent>,
  route: (subject: string) => string | null | undefined,
): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { subject } of events) {
    const key = route(subject);
    if (key) counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

export function less({ min, max }: Bounds, count: number): Bounds {
  return { min: Math.max(0, min - count), max: Math.max(0, max - count) };
}

/** What names an entry's run to a person. */
export function writerOf(entry: EntryFacts): string {
  return entry.stated ? `run ${entry.stated.run}` : "a writer that is no replay";
}
