import type { EntryFacts } from "./entry-facts.ts";
import type { EntryTable } from "./entry-table.ts";
import type { Certificate } from "./certificate.ts";
import type { KnownRuns } from "./known-runs.ts";
import type { StreamFold } from "./stream-fold.ts";
import type { Witness } from "./witness.ts";

const MAX_LISTED = 1_000;

/** Entries that cannot be folded again, because events of theirs have gone from the front of the stream. By key. */
export type Expired = ReadonlySet<string>;

export interface ExpiredInput {
  readonly entries: EntryTable;
  readonly runs: KnownRuns;
  /** The stream's first message is there. */
  readonly firstSeq: number;
  /** Events of the entry's aggregate that there are, up to the last that the entry names; null where nobody can say. */
  readonly presentEvents: (entry: EntryFacts) => { readonly events: number; readonly lastSeq: number | null } | null;
}

/**
 * Only what proves itself such: the entry's writer read the stream when it began earlier, the entry names more events than
 * there are, and the last one that it names is the last one there is, or has gone itself.
 */
export function findExpired({ entries, runs, firstSeq, presentEvents }: ExpiredInput): Expired {
  const expired = new Set<string>();
  for (const entry of entries.values()) {
    const { key, stated } = entry;
    if (runs.startOf(stated?.run ?? null) >= firstSeq) continue;
    if (stated === null || stated.lastSeq < firstSeq) {
      expired.add(key);
      continue;
    }
    const present = presentEvents(entry);
    const endsAlike = present !== null && (present.lastSeq === null || present.lastSeq === stated.lastSeq);
    if (endsAlike && present.events > 0 && present.events < stated.events) expired.add(key);
  }
  return expired;
}

export function presentByReading(fold: StreamFold): ExpiredInput["presentEvents"] {
  return ({ key }) => fold.get(key) ?? null;
}

export function presentByIndex(
  witness: Witness | string,
  keyOf: (routeKey: string) => string | null,
): ExpiredInput["presentEvents"] {
  const counted = new Map<string, number>();
  for (const routeKey of typeof witness === "string" ? [] : witness.keys()) {
    const key = keyOf(routeKey);
    if (key !== null && typeof witness !== "string")
      counted.set(key, witness.upTo(routeKey, Number.MAX_SAFE_INTEGER).max);
  }
  return ({ key }) => {
    const events = counted.get(key);
    return events === undefined ? null : { events, lastSeq: null };
  };
}

/** What a certificate says of them; nothing where there are none. */
export function expiredInCertificate(expired: Expired, firstSeq: number): Pick<Certificate, "expired"> {
  if (expired.size === 0) return {};
  return { expired: { entries: expired.size, firstSeq, first: [...expired].sort().slice(0, MAX_LISTED) } };
}
