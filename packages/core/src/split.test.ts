import fc from "fast-check";
import { planOf } from "@cim-replay/testkit";
import { describe, expect, it } from "vitest";
import { afterSplits, halves, heirsOf, isSplittable, plannedAs, plannedIdOf, splitUnit } from "./split.ts";
import { emptyCounts, newUnitRecord, type UnitRecord } from "./unit.ts";

const events = [40, 5, 30, 25];
const planned = { id: "u0", partitions: [0, 1, 2, 4] };
const plan = planOf("r", { units: [planned, { id: "u1", partitions: [3] }] });
const checkpoint = {
  number: 1,
  epoch: 1,
  seq: 500,
  fromMessage: 1,
  toMessage: 2,
  bytes: 9,
  aggregates: 9,
  rows: 9,
  base: true,
};

function running(changes: Partial<UnitRecord> = {}): UnitRecord {
  const counts = { ...emptyCounts(), delivered: 500, foreign: 50, elsewhere: 350, applied: 100, tornChains: 7 };
  const figures = { counts, deliveredByPartition: events };
  const unit = newUnitRecord("r", "u0", 1, events.length, "partition", 2);
  return {
    ...{ ...unit, ...figures, otherTargets: unit.otherTargets.map((each) => ({ ...each, ...figures })) },
    ...{
      state: "running" as const,
      epoch: 3,
      owner: "w1",
      cursorSeq: 500,
      checkpoints: [checkpoint],
      deliveredBySlice: [500],
    },
    ...changes,
  };
}

describe("halves", () => {
  it("are disjoint, are all, and differ by no more than the heaviest", () => {
    const some = fc.uniqueArray(fc.tuple(fc.nat(99), fc.nat(1_000)), {
      selector: ([partition]) => partition,
      minLength: 2,
    });
    fc.assert(
      fc.property(some, (weighted) => {
        const weights = new Map(weighted);
        const weightOf = (partition: number) => weights.get(partition) ?? 0;
        const [one, other] = halves([...weights.keys()], weightOf);
        expect([...one, ...other].sort((a, b) => a - b)).toEqual([...weights.keys()].sort((a, b) => a - b));
        expect(Math.min(one.length, other.length)).toBeGreaterThan(0);
        const sum = (of: readonly number[]) => of.reduce((total, partition) => total + weightOf(partition), 0);
        expect(Math.abs(sum(one) - sum(other))).toBeLessThanOrEqual(Math.max(...weights.values()));
      }),
    );
  });

  it("are as many where nothing is known of their weights", () => {
    expect(halves([3, 1, 5, 8], () => 0)).toEqual([
      [1, 5],
      [3, 8],
    ]);
  });
});

describe("a unit that is split", () => {
  const split = splitUnit(running(), [[0], [1, 2, 4]]);

  it("is nobody's any more, and says who goes on", () => {
    expect(split).toMatchObject({ state: "split", epoch: 4, owner: null });
    expect(split.splitInto).toEqual([
      { id: "u0a", partitions: [0] },
      { id: "u0b", partitions: [1, 2, 4] },
    ]);
    expect(() => splitUnit(split, [[0], [1]])).toThrow(/no such step/);
  });

  it("has heirs whose accounts close, and add up to its own", () => {
    const heirs = heirsOf(split, plan);
    expect(heirs.map(({ counts }) => counts.applied)).toEqual([40, 60]);
    expect(heirs.map(({ counts }) => counts.tornChains)).toEqual([7, 0]);
    for (const heir of heirs) {
      expect(heir).toMatchObject({
        state: "pending",
        epoch: 0,
        cursorSeq: 500,
        checkpoints: [],
        deliveredBySlice: [500],
      });
      for (const { counts, deliveredByPartition } of [heir, ...heir.otherTargets]) {
        expect(counts.foreign + counts.elsewhere + counts.applied).toBe(counts.delivered);
        expect(deliveredByPartition.reduce((sum, each) => sum + each, 0)).toBe(counts.applied);
      }
      expect(heir.heirOf?.checkpoints).toEqual([checkpoint]);
    }
    expect(heirs[1]?.deliveredByPartition).toEqual([5, 30, 25]);
    expect(heirs.map((heir) => plannedAs(plan, heir)?.partitions)).toEqual([[0], [1, 2, 4]]);
    expect(heirs.map(plannedIdOf)).toEqual(["u0", "u0"]);
  });

  it("gives way to them, and they to theirs, so that each partition is in one unit", () => {
    const [a, b] = heirsOf(split, plan);
    if (!a || !b) throw new Error("no heirs");
    const u1 = newUnitRecord("r", "u1", 1, 1);
    const again = splitUnit({ ...b, state: "running", checkpoints: [checkpoint] }, [[1], [2, 4]]);
    const now = afterSplits(plan, [split, a, again, ...heirsOf(again, plan), u1]);
    expect(now.plan.units).toEqual([
      { id: "u0a", partitions: [0] },
      { id: "u0ba", partitions: [1] },
      { id: "u0bb", partitions: [2, 4] },
      { id: "u1", partitions: [3] },
    ]);
    expect(now.units.map(({ id }) => id)).toEqual(["u0a", "u0ba", "u0bb", "u1"]);
    // Segments are packed for the units of the plan, however often those were split.
    expect(now.units.map(plannedIdOf)).toEqual(["u0", "u0", "u0", "u1"]);
    expect(() => afterSplits(plan, [split, a, u1])).toThrow(/unit u0b: it was split off, and the ledger has no record/);
    expect(afterSplits(plan, [running(), u1])).toEqual({ plan, units: [running(), u1] });
  });
});

it.each([
  ["it is not at work", { state: "pending" }],
  ["it has made nothing durable", { checkpoints: [] }],
  ["it has put events away", { badSequences: [7] }],
  ["it has parked an aggregate", { firstParkedSeq: 7 }],
  [
    "it has left events out, which nobody counts by partition",
    { counts: { ...running().counts, filtered: 1, applied: 99 } },
  ],
] as const)("a unit is not split where %s", (_, changes) => {
  expect(isSplittable(running(), planned)).toBe(true);
  expect(isSplittable(running(changes as Partial<UnitRecord>), planned)).toBe(false);
  expect(isSplittable(running(), { id: "u0", partitions: [0] })).toBe(false);
});
