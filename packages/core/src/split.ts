import { ReplayError } from "./errors.ts";
import type { Plan, PlannedUnit } from "./plan.ts";
import type { RunSettings } from "./run.ts";
import { figuresByTarget } from "./targets.ts";
import { type FoldFigures, moveUnit, newUnitRecord, type UnitCounts, type UnitRecord } from "./unit.ts";

/*
 * A unit that lags hands its partitions over to two new ones, each of which goes on from its last checkpoint with its share.
 * The plan stays as it was pinned: the record of the unit says into what it was split, in the one compare-and-set that
 * fences its owner, and everything else follows from that record. So whoever finds it can finish what the coordinator
 * that wrote it did not come to.
 */

/** Partitions by two: as even as may be by `weightOf`, the largest first, each to the half that has less. */
export function halves(
  partitions: readonly number[],
  weightOf: (partition: number) => number,
): readonly [readonly number[], readonly number[]] {
  const shares: [number[], number[]] = [[], []];
  const weights: [number, number] = [0, 0];
  for (const partition of partitions.toSorted((a, b) => weightOf(b) - weightOf(a) || a - b)) {
    // Without weights, every second one.
    const isEven = weights[0] === weights[1];
    const at = weights[0] < weights[1] || (isEven && shares[0].length <= shares[1].length) ? 0 : 1;
    shares[at].push(partition);
    weights[at] += weightOf(partition);
  }
  for (const share of shares) share.sort((a, b) => a - b);
  return shares;
}

/** Whoever forces the number of units gets it; what was in entries before is not known by partition. */
export function letsUnitsBeSplit({
  units,
  continueFromEntries,
}: Pick<RunSettings, "units" | "continueFromEntries">): boolean {
  return units === null && !continueFromEntries;
}

/** Whether what the unit has counted can be told apart by partition: every event of its own was folded. */
export function isSplittable(unit: UnitRecord, planned: PlannedUnit): boolean {
  const isPlain = ({ counts, deliveredByPartition, firstParkedSeq, badSequences }: FoldFigures) => {
    const events = deliveredByPartition.reduce((sum, delivered) => sum + delivered, 0);
    const isAllFolded = ownOf(counts) === counts.applied && events === counts.applied;
    return isAllFolded && firstParkedSeq === null && badSequences.length === 0;
  };
  const hasStates = unit.state === "running" && unit.checkpoints.length > 0;
  return hasStates && planned.partitions.length > 1 && figuresByTarget(unit).every(isPlain);
}

/** The record in its new state. Its owner's epoch is old with it. */
export function splitUnit(unit: UnitRecord, shares: readonly (readonly number[])[]): UnitRecord {
  const splitInto = shares.map((partitions, at) => ({ id: `${unit.id}${"ab"[at]}`, partitions: [...partitions] }));
  return { ...moveUnit(unit, "split"), epoch: unit.epoch + 1, owner: null, splitInto };
}

/** The records of the units that go on for a split one, as they are before anybody has taken them. */
export function heirsOf(unit: UnitRecord, plan: Plan): UnitRecord[] {
  const from = plannedAs(plan, unit)?.partitions ?? [];
  const { cursorSeq, checkpoints } = unit;
  return unit.splitInto.map(({ id, partitions }, at) => {
    const fresh = newUnitRecord(unit.runId, id, 0, partitions.length, "partition", 1 + unit.otherTargets.length);
    const share = { from, own: partitions, takesRest: at === 0 };
    const [first, ...others] = figuresByTarget(unit);
    return {
      ...fresh,
      cursorSeq,
      deliveredBySlice: unit.deliveredBySlice,
      ...shareOf(first, share),
      otherTargets: fresh.otherTargets.map((figures, i) => ({ ...figures, ...shareOf(others[i] ?? figures, share) })),
      heirOf: {
        ...{ unit: unit.id, partitions: [...from], own: [...partitions], takesRest: share.takesRest, checkpoints },
        ...(unit.heirOf && { planned: plannedIdOf(unit) }),
      },
    };
  });
}

interface Share {
  /** All partitions of the unit, and those that are this share. */
  readonly from: readonly number[];
  readonly own: readonly number[];
  /** Takes what is counted of nobody's partition, so that sums stay what they were. */
  readonly takesRest: boolean;
}

type Shared = Pick<FoldFigures, "counts" | "deliveredByPartition">;

/** What of the counts of a split unit is its heir's: it was handed the same messages, and those of the others are elsewhere. */
export function shareOf(figures: Shared, { from, own, takesRest }: Share): Shared {
  const deliveredByPartition = own.map((partition) => figures.deliveredByPartition[from.indexOf(partition)] ?? 0);
  const applied = deliveredByPartition.reduce((sum, events) => sum + events, 0);
  const { counts } = figures;
  const elsewhere = counts.delivered - counts.foreign - applied;
  const oddities = takesRest ? {} : { tornChains: 0, sequenceFalls: 0, sequenceGaps: 0, repeatedIds: 0, timesApart: 0 };
  return { deliveredByPartition, counts: { ...counts, ...oddities, applied, elsewhere } };
}

/** The unit of the plan that it is, or that it goes on for a share of. */
export function plannedIdOf({ id, heirOf }: Pick<UnitRecord, "id" | "heirOf">): string {
  return heirOf?.planned ?? heirOf?.unit ?? id;
}

/** What the unit does: as planned, or as it was handed over. Undefined where the plan has no such unit. */
export function plannedAs(plan: Plan, unit: Pick<UnitRecord, "id" | "heirOf">): PlannedUnit | undefined {
  if (unit.heirOf) return { id: unit.id, partitions: unit.heirOf.own };
  return plan.units.find(({ id }) => id === unit.id);
}

/**
 * The plan and the units with those that were split replaced by their heirs: who has which partition now. Throws ReplayError
 * where an heir has no record.
 */
export function afterSplits(plan: Plan, units: readonly UnitRecord[]): { plan: Plan; units: UnitRecord[] } {
  const split = units.filter(({ state }) => state === "split");
  if (split.length === 0) return { plan, units: [...units] };
  const byId = new Map(units.map((unit) => [unit.id, unit]));
  const goingOn = (planned: PlannedUnit): PlannedUnit[] => {
    const unit = byId.get(planned.id);
    return unit?.state === "split" ? unit.splitInto.flatMap(goingOn) : [planned];
  };
  const missing = split.flatMap(({ splitInto }) => splitInto).find(({ id }) => !byId.has(id));
  if (missing) {
    throw new ReplayError(
      `Cannot account for unit ${missing.id}: it was split off, and the ledger has no record of it.`,
    );
  }
  return {
    plan: { ...plan, units: plan.units.flatMap(goingOn) },
    units: units.filter(({ state }) => state !== "split"),
  };
}

function ownOf({ delivered, foreign, elsewhere }: UnitCounts): number {
  return delivered - foreign - elsewhere;
}
