import type { EntryTable } from "./entry-table.ts";
import type { Certificate } from "./certificate.ts";
import { countLeftOut } from "./accounts.ts";
import type { StreamFold } from "./stream-fold.ts";
import { isSelective, type Terms } from "./terms.ts";
import type { Witness } from "./witness.ts";

type Behind = Certificate["behind"];

const MAX_LISTED = 1_000;

export function nobodyBehind(): Behind {
  return { entries: 0, events: 0, first: [] };
}

/** Entries whose aggregate has events that came after their run: old, and no mistake. */
export function behindByReading(fold: StreamFold): Behind {
  const behind = nobodyBehind();
  const begun = new Begun();
  for (const { key, behind: events, entry, lastSeq, events: due, leftOut } of fold.aggregates) {
    if (key === null || events === 0) continue;
    if (entry) add(behind, { key, events, lastSeq });
    else if (due + leftOut === 0) begun.add({ key, events });
  }
  return { ...behind, ...begun.toJSON() };
}

/** As many as the server counts at least beyond those that an entry says it holds. */
export function behindByIndex(
  witness: Witness,
  entries: EntryTable,
  of: {
    termsOf: (run: string) => Terms;
    keyOf: (routeKey: string) => string | null;
    route: (subject: string) => string | null | undefined;
    /** Where what aggregates without an entry had to have taken into account ends. */
    toSeq: number;
  },
): Behind {
  const behind = nobodyBehind();
  const begun = new Begun();
  const leftOutOf = new Map<Terms, Map<string, number>>();
  for (const routeKey of witness.keys()) {
    const key = of.keyOf(routeKey);
    const entry = entries.get(key ?? "");
    if (!entry && key !== null && witness.upTo(routeKey, of.toSeq).max === 0) {
      begun.add({ key, events: witness.upTo(routeKey, Number.MAX_SAFE_INTEGER).min });
    }
    if (!entry?.stated) continue;
    const terms = of.termsOf(entry.stated.run);
    if (isSelective(terms)) continue;
    if (!leftOutOf.has(terms)) leftOutOf.set(terms, countLeftOut(terms.leftOut.values(), of.route));
    const leftOut = leftOutOf.get(terms)?.get(routeKey) ?? 0;
    // Those within its run's range are counted by another check.
    const later = witness.upTo(routeKey, Number.MAX_SAFE_INTEGER).min - witness.upTo(routeKey, terms.toSeq).max;
    const events = terms.isKnown ? later : witness.upTo(routeKey, terms.toSeq).min - leftOut - entry.stated.events;
    if (events > 0) add(behind, { key: entry.key, events, lastSeq: entry.stated.lastSeq });
  }
  return { ...behind, ...begun.toJSON() };
}

/** Aggregates without an entry, all of whose events came after the run. */
class Begun {
  readonly #first: { key: string; events: number }[] = [];
  #aggregates = 0;
  #events = 0;

  add(aggregate: { key: string; events: number }): void {
    if (aggregate.events === 0) return;
    this.#aggregates += 1;
    this.#events += aggregate.events;
    if (this.#first.length < MAX_LISTED) this.#first.push(aggregate);
  }

  toJSON(): Pick<Behind, "begun"> {
    if (this.#aggregates === 0) return {};
    return { begun: { aggregates: this.#aggregates, events: this.#events, first: this.#first } };
  }
}

function add(behind: Behind, entry: Behind["first"][number]): void {
  behind.entries += 1;
  behind.events += entry.events;
  if (behind.first.length < MAX_LISTED) behind.first.push(entry);
}
