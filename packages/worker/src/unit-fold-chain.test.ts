import { describe, expect, it } from "vitest";
import type { Aggregate } from "./aggregate-table.ts";
import { accountedFor, eventOf, foldOf, states, takeAll } from "./unit-fold.fixture.ts";

describe("UnitFold, on producers' oddities", () => {
  it("counts torn chains of content ids, one for each tear", () => {
    const fold = takeAll(foldOf(), [
      eventOf("a", 1, { cid: "c1" }),
      eventOf("a", 2, { cid: "c2", previous_cid: "c1" }),
      eventOf("b", 3, { cid: "d1", previous_cid: "before-all" }),
      eventOf("a", 4, { cid: "c4", previous_cid: "c3" }),
      eventOf("a", 5, { cid: "c5", previous_cid: "c4" }),
      eventOf("a", 6, { cid: "c6" }),
    ]);
    expect(fold.counts).toMatchObject({ applied: 6, tornChains: 3 });
  });

  it("says nothing of content ids where there are none", () => {
    expect(takeAll(foldOf(), [eventOf("a", 1), eventOf("a", 2)]).counts.tornChains).toBe(0);
  });

  it("counts falls and gaps of the envelope's sequence, whatever number it begins with", () => {
    const sequences = [5, 6, 6, 9, 8, 9, null, 10];
    const fold = takeAll(
      foldOf(),
      sequences.map((sequence, i) => eventOf("a", i + 1, { sequence })),
    );
    expect(fold.counts).toMatchObject({ applied: 8, sequenceFalls: 2, sequenceGaps: 1 });
  });

  it("counts repeated event ids and folds them all the same", () => {
    const ids = ["e1", "e2", "e1", "e3", "e1"];
    const fold = takeAll(
      foldOf(),
      ids.map((event_id, i) => eventOf(i % 2 ? "a" : "b", i + 1, { event_id })),
    );
    expect(fold.counts).toMatchObject({ applied: 5, repeatedIds: 2 });
  });
});

describe("UnitFold, going on", () => {
  const seed = (aggregate: Aggregate) => {
    if (aggregate.id !== "a") return 0;
    Object.assign(aggregate, { state: { seen: ["old"] }, events: 7, lastSeq: 20, appliedUpToSeq: 20 });
    return 7;
  };

  it("leaves out what the entry holds already, and counts its events with those that came since", () => {
    const fold = takeAll(foldOf({ seed }), [eventOf("a", 19), eventOf("a", 20), eventOf("b", 21), eventOf("a", 22)]);
    expect(states(fold)).toEqual({ a: ["old", 22], b: [21] });
    expect(fold.counts).toMatchObject({ delivered: 4, alreadyApplied: 2, applied: 2 });
    expect(fold.deliveredByPartition).toEqual([7 + 1 + 1]);
    expect(fold.aggregates.get("a")).toMatchObject({ events: 8, lastSeq: 22 });
    expect(accountedFor(fold)).toBe(4);
  });

  it("does not take an entry's first new event for the start of a chain", () => {
    const fold = takeAll(foldOf({ seed }), [eventOf("a", 21, { cid: "c21", previous_cid: "c20", sequence: 8 })]);
    expect(fold.counts).toMatchObject({ tornChains: 0, sequenceGaps: 0 });
  });

  it("counts on from a checkpoint", () => {
    const first = takeAll(foldOf(), [eventOf("a", 1), eventOf("a", 2)]);
    const { counts, deliveredByPartition, firstParkedSeq, parkedAggregates } = first;
    const second = foldOf();
    second.restore({
      counts,
      deliveredByPartition,
      firstParkedSeq,
      parkedAggregates,
    });
    takeAll(second, [eventOf("b", 3)]);
    expect(second.counts).toMatchObject({ delivered: 3, applied: 3 });
    expect(second.deliveredByPartition).toEqual([3]);
    expect(first.counts.delivered).toBe(2);
  });
});
