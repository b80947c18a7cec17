import { emptyCounts, newUnitRecord, type Plan, type UnitRecord } from "@cim-replay/core";
import { planOf } from "@cim-replay/testkit";
import { beforeEach, describe, expect, it } from "vitest";
import { assertShuffleCloses } from "./reconcile-shuffle.ts";

/** Two slices of ten sequences, one of the last ten deleted; three partitions in two units. */
const plan: Plan = planOf("r", {
  range: { fromSeq: 1, toSeq: 20 },
  deleted: { count: 1, sha256: "" },
  source: { kind: "shuffle", reason: "" },
  partitions: [0, 1, 2].map((index) => ({ index, fromKey: null, toKey: null, expected: null })),
  slices: [
    { fromSeq: 1, toSeq: 10 },
    { fromSeq: 11, toSeq: 20 },
  ],
  units: [
    { id: "u0", partitions: [0, 2] },
    { id: "u1", partitions: [1] },
  ],
  sliceUnits: [
    { id: "s0", slice: 0 },
    { id: "s1", slice: 1 },
  ],
});

/** By slice and partition. */
const routed = [
  [3, 4, 1],
  [0, 5, 2],
] as const;
let units: UnitRecord[];

beforeEach(() => {
  const slices = plan.sliceUnits.map(({ id, slice }): UnitRecord => {
    const cells = routed[slice] ?? [0, 0, 0];
    const elsewhere = cells.reduce<number>((sum, events) => sum + events, 0);
    const [delivered, deleted] = slice === 0 ? [10, 0] : [9, 1];
    return {
      ...newUnitRecord("r", id, 2, 3, "slice"),
      counts: { ...emptyCounts(), delivered, deleted, elsewhere, foreign: delivered - elsewhere },
      deliveredByPartition: [...cells],
      packed: plan.units.map(({ id, partitions }) => ({
        ...{ unit: id, segments: 1, bytes: 1, sha256: "" },
        events: partitions.reduce((sum, index) => sum + (cells[index] ?? 0), 0),
      })),
    };
  });
  const folders = plan.units.map(({ id, partitions }): UnitRecord => {
    const of = (slice: number, index: number) => routed[slice]?.[index] ?? 0;
    return {
      ...newUnitRecord("r", id, 2, partitions.length),
      deliveredBySlice: [0, 1].map((slice) => partitions.reduce((sum, index) => sum + of(slice, index), 0)),
      contentByPartition: partitions.map((index) => ({ events: of(0, index) + of(1, index), sha256: "" })),
    };
  });
  units = [...slices, ...folders];
});

const unit = (id: string) => units.find((each) => each.id === id) as UnitRecord;

describe("assertShuffleCloses", () => {
  it("lets pass what adds up", () => {
    assertShuffleCloses(plan, units);
  });

  it.each<[string, () => void, RegExp]>([
    [
      "a sequence that a slice does not account for",
      () => (unit("s1").counts.delivered -= 1),
      /slice unit s1.*8 delivered and 1 deleted/,
    ],
    [
      "a sequence deleted since",
      () => Object.assign(unit("s0").counts, { delivered: 9, foreign: 1, deleted: 1 }),
      /2 sequences were deleted when they were read, 1/,
    ],
    [
      "an event of a slice that did not come to its unit",
      () => unit("u0").deliveredBySlice.splice(1, 1, 1),
      /unit u0: 2 events of slice 1 were packed for it, 1 came/,
    ],
    [
      "events that came to another partition of the unit",
      () => unit("u0").contentByPartition.splice(0, 2, { events: 2, sha256: "" }, { events: 4, sha256: "" }),
      /unit u0: 3 events of partition 0 were packed for it, 2 came/,
    ],
    [
      "an event that was routed to two partitions",
      () => unit("s0").deliveredByPartition.splice(1, 1, 5),
      /slice unit s0.*9 events by partitions are not the 8/,
    ],
    [
      "an event that was routed and not packed",
      () => Object.assign(unit("s1").packed[1] ?? {}, { events: 4 }),
      /slice unit s1: 5 events are for unit u1, 4 were packed/,
    ],
    ["a slice without a record", () => units.splice(1, 1), /unit s1: the ledger has no record/],
  ])("names %s", (_, harm, text) => {
    harm();
    expect(() => assertShuffleCloses(plan, units)).toThrow(text);
  });

  describe("of a unit that was split", () => {
    /** Both were handed all that was packed for u0, and each has one of its partitions. */
    const shares = [0, 2].map((index, at) => ({ id: `u0${"ab"[at]}`, partitions: [index] }));
    const afterwards = { ...plan, units: [...shares, { id: "u1", partitions: [1] }] };

    beforeEach(() => {
      const whole = unit("u0");
      const heirs = shares.map(({ id, partitions }, at): UnitRecord => {
        const inherited = { unit: "u0", planned: "u0", partitions: [0, 2], own: partitions, checkpoints: [] };
        const content = whole.contentByPartition[at] ?? { events: 0, sha256: "" };
        const delivered = { deliveredBySlice: [...whole.deliveredBySlice], contentByPartition: [content] };
        return { ...whole, id, ...delivered, heirOf: { ...inherited, takesRest: at === 0 } };
      });
      units = [...units.filter(({ id }) => id !== "u0"), ...heirs];
    });

    it("holds what was packed for it against each of those that went on", () => {
      assertShuffleCloses(afterwards, units);
      unit("u0b").deliveredBySlice.splice(0, 1, 3);
      expect(() => assertShuffleCloses(afterwards, units)).toThrow(
        /unit u0b: 4 events of slice 0 were packed for it, 3 came/,
      );
    });

    it("misses the partition that neither has", () => {
      const without = {
        ...plan,
        units: [
          { id: "u0a", partitions: [0] },
          { id: "u1", partitions: [1] },
        ],
      };
      expect(() => assertShuffleCloses(without, units)).toThrow(
        /slice unit s0: 3 events are for unit u0, 4 were packed/,
      );
    });
  });
});
