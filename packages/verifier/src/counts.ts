import type { Plan, UnitRecord } from "@cim-replay/core";
import { countLeftOut, less } from "./accounts.ts";
import type { EntryTable } from "./entry-table.ts";
import { byPartition } from "./content.ts";
import type { Check, Discrepancies } from "./discrepancies.ts";
import type { Expired } from "./expired.ts";
import type { SeenAggregate } from "./seen-aggregate.ts";
import type { StreamFold } from "./stream-fold.ts";
import type { Terms } from "./terms.ts";
import type { Bounds, Witness } from "./witness.ts";

export interface CountsInput {
  /** Or why the server's index cannot be asked. */
  readonly witness: Witness | string;
  /** Whether the index can say anything of an entry on these terms: it knows no times, and no beginning but the stream's. */
  readonly isCountable: (terms: Terms) => boolean;
  readonly entries: EntryTable;
  readonly termsOf: (run: string | null) => Terms;
  /** Null where the stream was not read. */
  readonly fold: StreamFold | null;
  /** Whether the reading began with the stream's first message, so that its counts are the index's. */
  readonly readFromStart: boolean;
  /** Null where no run is verified. */
  readonly run: { readonly plan: Plan; readonly units: readonly UnitRecord[] } | null;
  /** Entries whose first events have gone: neither they nor the run's partitions can have as many as they had. */
  readonly expired: Expired;
  readonly isRangeWhole: boolean;
  /** Where the reading, and the run if there is one, ends. */
  readonly toSeq: number;
  readonly partitionOf: (routeKey: string) => number;
  readonly keyOf: (routeKey: string) => string | null;
  readonly route: (subject: string) => string | null | undefined;
}

/** Does every entry hold as many events as there are, by the server's own index and by the verifier's own reading? */
export function checkCounts(input: CountsInput, found: Discrepancies): Check {
  const { witness, fold } = input;
  const evidence: Record<string, number> = { entriesByIndex: 0, partitionsByIndex: 0, entriesByReading: 0 };
  if (typeof witness !== "string") {
    if (input.run && input.isRangeWhole)
      evidence.partitionsByIndex = comparePartitions(input.run, witness, input.partitionOf, found);
    if (fold && input.readFromStart) evidence.aggregatesByIndex = compareReading(fold, witness, input, found);
    if (!fold) compareEntries(input, witness, evidence, found);
  }
  if (fold) {
    evidence.entriesByReading = compareAggregates(fold, input.expired, found);
    reportUnkept(fold, found);
    evidence.malformed = fold.unkeptTotal;
  }
  return found.check({
    kinds: ["count", "stale", "quarantine", "routing"],
    compared: fold !== null || typeof witness !== "string",
    why: inWordsWhyNot(witness, input.expired),
    evidence,
  });
}

function inWordsWhyNot(witness: Witness | string, expired: Expired): string | null {
  const reasons = [
    typeof witness === "string" ? `Not by the server's index: ${witness}.` : null,
    expired.size > 0
      ? `${expired.size} entries have events before the stream's first sequence: they are not counted.`
      : null,
  ].filter((reason) => reason !== null);
  return reasons.length > 0 ? reasons.join(" ") : null;
}

function comparePartitions(
  { plan, units }: { plan: Plan; units: readonly UnitRecord[] },
  witness: Witness,
  partitionOf: (routeKey: string) => number,
  found: Discrepancies,
): number {
  const sums = plan.partitions.map(() => ({ min: 0, max: 0 }));
  for (const routeKey of witness.keys()) {
    const sum = sums[partitionOf(routeKey)];
    if (!sum) continue;
    const { min, max } = witness.upTo(routeKey, plan.range.toSeq);
    sum.min += min;
    sum.max += max;
  }
  const delivered = byPartition(plan, units, (unit, at) => unit.deliveredByPartition[at] ?? 0);
  for (const [partition, sum] of sums.entries()) {
    const came = delivered[partition] ?? 0;
    if (isWithin(came, sum)) continue;
    found.add(
      "count",
      `Partition ${partition}: the server counts ${inWords(sum)} events, the worker was handed ${came}.`,
      {
        partition,
        expected: inWords(sum),
        found: `${came}`,
      },
    );
  }
  return sums.length;
}

/** The reading itself is held against the index: what it does not bring it cannot compare. */
function compareReading(fold: StreamFold, witness: Witness, { run, toSeq }: CountsInput, found: Discrepancies): number {
  let compared = 0;
  for (const { routeKey, messages, key, partition } of fold.aggregates) {
    if (run && partition < 0) continue;
    compared += 1;
    const counted = witness.upTo(routeKey, toSeq);
    if (isWithin(messages, counted)) continue;
    found.add(
      "count",
      `The server counts ${inWords(counted)} messages of "${routeKey}", reading the stream brought ${messages}.`,
      {
        ...{ key, expected: inWords(counted), found: `${messages}` },
      },
    );
  }
  return compared;
}

function compareEntries(
  input: CountsInput,
  witness: Witness,
  evidence: Record<string, number>,
  found: Discrepancies,
): void {
  const leftOutOf = new Map<Terms, Map<string, number>>();
  let [compared, uncountable] = [0, 0];
  for (const routeKey of witness.keys()) {
    const entry = input.entries.get(input.keyOf(routeKey) ?? "");
    if (!entry?.stated || input.expired.has(entry.key)) continue;
    const terms = input.termsOf(entry.stated.run);
    if (!input.isCountable(terms)) {
      uncountable += 1;
      continue;
    }
    if (!leftOutOf.has(terms)) leftOutOf.set(terms, countLeftOut(terms.leftOut.values(), input.route));
    const leftOut = leftOutOf.get(terms)?.get(routeKey) ?? 0;
    const counted = less(witness.upTo(routeKey, Math.max(witness.knowsFromSeq, terms.toSeq)), leftOut);
    compared += 1;
    const { events, lastSeq } = entry.stated;
    // How far an unknown run read, nobody knows: it may hold fewer.
    if (terms.isKnown ? isWithin(events, counted) : events <= counted.max) continue;
    found.add(
      "count",
      `Entry ${entry.key} holds ${events} events by its own word, the server counts ${inWords(counted)}.`,
      {
        ...{ key: entry.key, sequence: lastSeq, expected: inWords(counted), found: `${events}` },
      },
    );
  }
  evidence.entriesByIndex = compared;
  evidence.entriesUncounted = uncountable;
}

function compareAggregates(fold: StreamFold, expired: Expired, found: Discrepancies): number {
  let compared = 0;
  for (const aggregate of fold.aggregates) {
    const stated = aggregate.entry?.stated;
    if (!stated) continue;
    const { key, events, lastSeq } = aggregate;
    const isExpired = key !== null && expired.has(key);
    if (aggregate.missed > 0) reportStale(aggregate, stated.run, found);
    if (isExpired) continue;
    compared += 1;
    if (stated.events !== events) {
      found.add(
        "count",
        `Entry ${key} holds ${stated.events} events by its own word, the stream ${events} up to ${stated.lastSeq}.`,
        {
          ...{ key, sequence: stated.lastSeq, expected: `${events}`, found: `${stated.events}` },
        },
      );
    } else if (stated.lastSeq !== lastSeq) {
      found.add(
        "count",
        `Entry ${key} names ${stated.lastSeq} as its last sequence, the last of its events is ${lastSeq}.`,
        {
          ...{ key, sequence: lastSeq, expected: `${lastSeq}`, found: `${stated.lastSeq}` },
        },
      );
    }
  }
  return compared;
}

function reportStale({ key, missed, firstMissedSeq, lastSeq }: SeenAggregate, run: string, found: Discrepancies): void {
  found.add(
    "stale",
    `Entry ${key} ends at sequence ${lastSeq}: ${missed} later events of it lie in what run ${run} read.`,
    {
      ...{ key, sequence: firstMissedSeq, expected: `${missed} more events`, found: "none of them" },
    },
  );
}

/** An event that cannot be decoded, and that no run has put away: whoever read it must have dropped it. */
function reportUnkept(fold: StreamFold, found: Discrepancies): void {
  for (const { seq, aggregate, reason } of fold.unkept) {
    if (!fold.isDue(seq, aggregate)) continue;
    found.add("quarantine", `Event ${seq} cannot be decoded (${reason}), and no quarantine holds it.`, {
      key: aggregate?.key ?? null,
      sequence: seq,
    });
  }
}

function isWithin(count: number, { min, max }: Bounds): boolean {
  return count >= min && count <= max;
}

function inWords({ min, max }: Bounds): string {
  return min === max ? `${max}` : `${min} to ${max}`;
}
