import { expect, test } from "vitest";
import { hotAggregate } from "./hot-aggregate.ts";
import { emptyCounts, newUnitRecord, type UnitRecord } from "./unit.ts";

function unit(id: string, applied: number, aggregates: number, hottest: UnitRecord["hottest"]): UnitRecord {
  const counts = { ...emptyCounts(), delivered: applied, applied };
  return { ...newUnitRecord("r", id, 1, 1), counts, aggregatesByPartition: [aggregates], hottest };
}
const one = (events: number) => ({ aggregateId: "one", events });

test("an aggregate is hot with a tenth of all events, ten times what others have, and a thousand of them", () => {
  const cold = unit("u1", 4_000, 400, { aggregateId: "other", events: 20 });
  expect(hotAggregate([unit("u0", 6_000, 400, one(3_000)), cold])).toEqual({ ...one(3_000), share: 0.3 });
  // Of few aggregates, each has a large share.
  expect(hotAggregate([unit("u0", 6_000, 3, one(3_000)), unit("u1", 4_000, 3, null)])).toBeNull();
  expect(hotAggregate([unit("u0", 6_000, 400, one(900)), cold])).toBeNull();
  expect(hotAggregate([unit("u0", 26_000, 400, one(2_900)), cold])).toBeNull();
  expect(hotAggregate([newUnitRecord("r", "u0", 1, 1)])).toBeNull();
});
