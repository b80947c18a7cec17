import {
  type DeletedSequences,
  type Partition,
  type PinnedFilter,
  type Plan,
  partitionOfOne,
  type UnitCounts,
  type UnitRecord,
} from "@cim-replay/core";
import { deletionsSha256, type StreamFacts } from "@cim-replay/nats";
import { filterSha256 } from "@cim-replay/filter";
import type { Check, Discrepancies } from "./discrepancies.ts";
import { checkShuffle } from "./shuffle-coverage.ts";
import type { PassAccount } from "./stream-pass.ts";

export interface CoverageInput {
  /** Null where no run is verified. */
  readonly run: {
    readonly plan: Plan;
    readonly units: readonly UnitRecord[];
    readonly aggregateId: string | null;
    /** What its record says that it takes. */
    readonly filter: PinnedFilter | null;
    /** Bad events that its quarantine holds. */
    readonly quarantined: number;
  } | null;
  /** Null where it is gone. */
  readonly stream: StreamFacts | null;
  /** Within the range, as they are now; null where the stream is gone. */
  readonly deleted: DeletedSequences | null;
  /** What the verifier's own reading brought; null where it did not read. */
  readonly account: PassAccount | null;
  /** Sequences of the range that have gone from the stream's front since the run. */
  readonly expired: number;
}

/** Nothing lies between the cracks: ranges tile, units account for all they were handed, the stream is the one that was planned. */
export function checkCoverage({ run, stream, deleted, account, expired }: CoverageInput, found: Discrepancies): Check {
  const evidence: Record<string, number> = {};
  if (run) {
    checkFilter(run.plan, run.filter, found);
    checkSlices(run.plan, found);
    checkPartitions(run.plan, run.aggregateId, found);
    const known = deleted && deletionsSha256(deleted) === run.plan.deleted.sha256 ? deleted : null;
    checkUnits(run.plan, run.units, known, found);
    if (run.plan.source.kind === "shuffle") checkShuffle(run.plan, run.units, known, found);
    checkQuarantine(run.units, run.quarantined, found);
    const difference = sourceDifference(run.plan, stream, deleted, known !== null || expired > 0);
    if (difference) found.add("source", `Stream ${run.plan.stream.name} ${difference}.`);
    evidence.slices = run.plan.slices.length;
    evidence.partitions = run.plan.partitions.length;
    evidence.units = run.units.length;
    evidence.sequences = Math.max(0, run.plan.range.toSeq - run.plan.range.fromSeq + 1);
    evidence.quarantined = run.quarantined;
    if (run.plan.filter) evidence.filtered = run.units.reduce((sum, { counts }) => sum + counts.filtered, 0);
  }
  if (deleted) evidence.deleted = deleted.count;
  if (account) {
    evidence.read = account.delivered;
    evidence.missing = account.missing;
  }
  if (expired > 0) evidence.expired = expired;
  return found.check({
    kinds: ["source", "plan", "unit"],
    compared: run !== null || account !== null,
    why: run
      ? expired > 0
        ? `${expired} sequences of the range have gone from the stream's front since the run.`
        : null
      : account
        ? "No run is verified: only that the reading was whole."
        : "No run is verified.",
    evidence,
  });
}

/** A selection is only proved where plan, record and the filter itself are one. */
function checkFilter({ filter: planned }: Plan, requested: PinnedFilter | null, found: Discrepancies): void {
  const pinned = planned?.sha256 ?? null;
  if (pinned !== (requested?.sha256 ?? null)) {
    found.add("plan", `The run was asked for filter ${requested?.sha256 ?? "none"}, its plan has ${pinned ?? "none"}.`);
  } else if (planned && filterSha256(planned.filter) !== pinned) {
    found.add("plan", `The plan's filter is not the one that it names: its SHA-256 is not ${pinned}.`);
  }
}

function checkSlices({ range, slices }: Plan, found: Discrepancies): void {
  let next = range.fromSeq;
  for (const slice of slices) {
    if (slice.fromSeq !== next || slice.toSeq < slice.fromSeq) break;
    next = slice.toSeq + 1;
  }
  if (next === Math.max(range.toSeq + 1, range.fromSeq) && slices.at(-1)?.toSeq === (slices[0] && range.toSeq)) return;
  found.add(
    "plan",
    `The slices do not tile ${range.fromSeq} to ${range.toSeq}: sequence ${next} is in none or in two.`,
    {
      sequence: next,
    },
  );
}

function checkPartitions(plan: Plan, aggregateId: string | null, found: Discrepancies): void {
  const { partitions } = plan;
  const whole = aggregateId === null ? { fromKey: null, toKey: null } : partitionOfOne(aggregateId, null).partitions[0];
  if (!whole || partitions[0]?.fromKey !== whole.fromKey || partitions.at(-1)?.toKey !== whole.toKey) {
    found.add("plan", "The partitions do not reach from the first key to the last.");
  }
  for (const [at, partition] of partitions.entries()) {
    if (
      partition.index !== at ||
      !isOrdered(partition) ||
      (at > 0 && partition.fromKey !== partitions[at - 1]?.toKey)
    ) {
      found.add("plan", `Partition ${at} does not begin where the one before it ends.`, { partition: at });
    }
    const holders = plan.units.filter((unit) => unit.partitions.includes(at)).length;
    if (holders !== 1) found.add("plan", `Partition ${at} is in ${holders} units, not in one.`, { partition: at });
  }
}

function isOrdered({ fromKey, toKey }: Partition): boolean {
  return fromKey === null || toKey === null || fromKey < toKey;
}

/** `deleted`: what the plan knew to be deleted, where the server still says the same. */
function checkUnits(
  plan: Plan,
  units: readonly UnitRecord[],
  deleted: DeletedSequences | null,
  found: Discrepancies,
): void {
  const planned = new Set([...plan.units, ...plan.sliceUnits].map(({ id }) => id));
  for (const { id } of units) {
    if (!planned.has(id)) found.add("unit", `Unit ${id} has a record, and is not in the plan.`);
  }
  for (const id of planned) {
    const records = units.filter((unit) => unit.id === id);
    const [record] = records;
    if (!record || records.length > 1) found.add("unit", `Unit ${id} has ${records.length} records, not one.`);
    else if (record.state !== "done") found.add("unit", `Unit ${id} is ${record.state}, not done.`);
    else checkUnit(plan, record, deleted, found);
  }
}

function checkUnit(plan: Plan, unit: UnitRecord, deleted: DeletedSequences | null, found: Discrepancies): void {
  const { counts, deliveredBySlice } = unit;
  const accounted = accountedFor(counts);
  if (accounted !== counts.delivered) {
    found.add("unit", `Unit ${unit.id} was handed ${counts.delivered} messages and accounts for ${accounted}.`);
  }
  const bySlices = deliveredBySlice.reduce((sum, delivered) => sum + delivered, 0);
  // A filtered read cannot tell what is deleted from what was not asked for; of who reads segments see `checkShuffle`.
  if (plan.read.filterSubjects.length > 0 || plan.source.kind === "shuffle") return;
  if (bySlices !== counts.delivered || deliveredBySlice.length !== plan.slices.length) {
    found.add("unit", `Unit ${unit.id} was handed ${counts.delivered} messages, ${bySlices} by slices.`);
  }
  const size = Math.max(0, plan.range.toSeq - plan.range.fromSeq + 1);
  if (counts.delivered + counts.deleted !== size || counts.deleted !== plan.deleted.count) {
    found.add(
      "unit",
      `Unit ${unit.id} has ${counts.delivered} messages delivered and ${counts.deleted} deleted; the range has ${size} sequences, ` +
        `${plan.deleted.count} of them deleted.`,
    );
  }
  for (const [at, slice] of (deleted ? plan.slices : []).entries()) {
    const delivered = deliveredBySlice[at] ?? 0;
    const present = slice.toSeq - slice.fromSeq + 1 - (deleted?.countWithin(slice) ?? 0);
    if (delivered === present) continue;
    found.add("unit", `Unit ${unit.id} was handed ${delivered} messages of slice ${at}, which holds ${present}.`, {
      sequence: slice.fromSeq,
    });
  }
}

function accountedFor(counts: UnitCounts): number {
  const { foreign, elsewhere, filtered, alreadyApplied, applied, quarantined, parked } = counts;
  return foreign + elsewhere + filtered + alreadyApplied + applied + quarantined + parked;
}

function checkQuarantine(units: readonly UnitRecord[], kept: number, found: Discrepancies): void {
  const counted = units.reduce((sum, unit) => sum + unit.counts.quarantined, 0);
  if (counted === kept) return;
  found.add("unit", `The units put ${counted} bad events away, and the quarantine holds ${kept} of the run.`);
}

/**
 * How many sequences of a run's range have gone from the stream's front since (messages expire by age, number or size), where
 * nothing else has: behind it, each slice must still have the messages that the units were handed. Else 0.
 */
export function expiredSince(
  { plan, units }: { plan: Plan; units: readonly UnitRecord[] },
  stream: StreamFacts | null,
  deleted: DeletedSequences | null,
): number {
  const { range, slices, read } = plan;
  const startSeq = Math.max(plan.stream.firstSeq, range.fromSeq);
  if (!stream || !deleted || stream.firstSeq <= startSeq) return 0;
  const rest = { fromSeq: stream.firstSeq, toSeq: range.toSeq };
  if (deleted.countWithin(rest) > plan.deleted.count) return 0;
  const isSame = slices.every((slice, at) => {
    if (slice.fromSeq < stream.firstSeq || read.filterSubjects.length > 0) return true;
    const present = slice.toSeq - slice.fromSeq + 1 - deleted.countWithin(slice);
    const readers = plan.source.kind === "direct" ? units : units.filter(({ id }) => id === readerOf(plan, at));
    return readers.length > 0 && readers.every(({ deliveredBySlice }) => deliveredBySlice[at] === present);
  });
  return isSame ? Math.min(stream.firstSeq, range.toSeq + 1) - startSeq : 0;
}

function readerOf({ sliceUnits }: Plan, at: number): string | null {
  return sliceUnits.find(({ slice }) => slice === at)?.id ?? null;
}

/** How the stream is not the one that was planned; null where it is. */
export function sourceDifference(
  plan: Plan,
  stream: StreamFacts | null,
  deleted: DeletedSequences | null,
  sameDeletions: boolean,
): string | null {
  const { created, lastSeq } = plan.stream;
  if (!stream) return "is gone";
  if (stream.created !== created) return `was made anew at ${stream.created}; the run read the one of ${created}`;
  if (stream.lastSeq < lastSeq) return `ends at sequence ${stream.lastSeq}, and reached ${lastSeq} before`;
  if (sameDeletions) return null;
  return `has ${deleted?.count ?? "unknown"} sequences of the range deleted; when it was planned, ${plan.deleted.count} were`;
}
