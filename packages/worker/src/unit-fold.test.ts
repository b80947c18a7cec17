import type { CompiledFilter } from "@cim-replay/filter";
import { describe, expect, it } from "vitest";
import { accountedFor, eventOf, foldOf, messageOf, START_MS, states, takeAll } from "./unit-fold.fixture.ts";

const torn = (id: string, seq: number) => messageOf(`events.graph.${id}.Happened`, seq, "{");

describe("UnitFold", () => {
  it("folds each aggregate's events in order, and tells its own messages from others'", () => {
    const fold = takeAll(foldOf({ partitionOf: (key) => ["a", "b"].indexOf(key), partitions: 2 }), [
      eventOf("a", 1),
      messageOf("events.workflow.a.Happened", 2, {}),
      eventOf("elsewhere", 3),
      eventOf("b", 4),
      messageOf("other", 5, "no event at all"),
      eventOf("a", 6),
      messageOf("events.graph.elsewhere.Happened", 7, "{"),
    ]);
    expect(states(fold)).toEqual({ a: [1, 6], b: [4] });
    expect(fold.counts).toMatchObject({ delivered: 7, foreign: 2, elsewhere: 2, applied: 3, quarantined: 0 });
    expect(fold.deliveredByPartition).toEqual([2, 1]);
    expect(fold.aggregates.get("a")).toMatchObject({ key: "graph.a", events: 2, lastSeq: 6, partition: 0 });
    expect(accountedFor(fold)).toBe(7);
  });

  it("parks the aggregate of a malformed event and goes on with the others", () => {
    const fold = takeAll(foldOf(), [eventOf("a", 1), torn("a", 2), eventOf("b", 3), eventOf("a", 4), torn("a", 5)]);
    expect(states(fold)).toEqual({ a: [1], b: [3] });
    expect(fold.counts).toMatchObject({ delivered: 5, applied: 2, quarantined: 2, parked: 1 });
    expect(fold).toMatchObject({ firstParkedSeq: 2, parkedAggregates: 1, toSkip: [] });
    expect(fold.badEvents.map(({ message, aggregateId, kind }) => [message.seq, aggregateId, kind])).toEqual([
      [2, "a", "decode"],
      [5, "a", "decode"],
    ]);
    expect(fold.deliveredByPartition).toEqual([5]);
    expect(accountedFor(fold)).toBe(5);
  });

  it("parks an aggregate whose very first event is malformed, whatever id its next ones name", () => {
    const fold = takeAll(foldOf(), [
      torn("a", 1),
      eventOf("a", 2),
      eventOf("a", 3, { aggregate_id: "long-name-of-a" }),
    ]);
    expect(states(fold)).toEqual({ a: undefined });
    expect(fold.counts).toMatchObject({ quarantined: 1, parked: 2, applied: 0 });
  });

  it("skips as many malformed events as it may, without parking", () => {
    const fold = takeAll(foldOf({ skipErrors: 2 }), [torn("a", 1), torn("a", 2), eventOf("a", 3), torn("b", 4)]);
    expect(states(fold)).toEqual({ a: [3], b: undefined });
    expect(fold.counts).toMatchObject({ quarantined: 3, applied: 1, parked: 0 });
    expect(fold).toMatchObject({ firstParkedSeq: 4, parkedAggregates: 1, toSkip: [] });
    expect(fold.badEvents).toHaveLength(3);
  });

  it("parks where evolve throws, for it may have half changed the state", () => {
    const messages = [eventOf("a", 1), eventOf("a", 2, { payload: { bad: true } }), eventOf("a", 3), eventOf("b", 4)];
    const fold = takeAll(foldOf(), messages);
    expect(fold.counts).toMatchObject({ applied: 2, quarantined: 1, parked: 1 });
    expect(fold).toMatchObject({ firstParkedSeq: 2, parkedAggregates: 1, toSkip: [] });
    expect(fold.badEvents).toMatchObject([{ kind: "evolve", aggregateId: "a", reason: "no such payload" }]);
    expect(fold.aggregates.get("a")).toMatchObject({ events: 1, lastSeq: 1, parked: true });
  });

  it("asks for a second fold where evolve threw on an event that may be skipped, and leaves it out then", () => {
    const messages = [eventOf("a", 1), eventOf("a", 2, { payload: { bad: true } }), eventOf("a", 3)];
    const first = takeAll(foldOf({ skipErrors: 1 }), messages);
    expect(first.toSkip).toEqual([2]);
    const second = takeAll(foldOf({ skipErrors: 1, badSequences: new Set(first.toSkip) }), messages);
    expect(states(second)).toEqual({ a: [1, 3] });
    expect(second.counts).toMatchObject({ applied: 2, quarantined: 1, parked: 0 });
    expect(second).toMatchObject({ toSkip: [], badEvents: [], firstParkedSeq: null });
    expect(second.deliveredByPartition).toEqual([3]);
    expect(accountedFor(second)).toBe(3);
  });

  it("leaves known bad events out where the id comes from the envelope, too", () => {
    const fold = foldOf({ subject: "events.{domain}.{event_type}", badSequences: new Set([1, 2]), skipErrors: 2 });
    takeAll(fold, [
      messageOf("events.graph.Happened", 1, { aggregate_id: "a", payload: 1 }),
      messageOf("events.graph.Happened", 2, "{"),
      messageOf("events.graph.Happened", 3, { aggregate_id: "a", payload: 3 }),
    ]);
    expect(states(fold)).toEqual({ a: [3] });
    expect(fold.counts).toMatchObject({ quarantined: 2, applied: 1 });
    expect(fold.badEvents).toEqual([]);
  });

  it("routes by the envelope's id where subjects hold none", () => {
    const options = { subject: "events.{domain}.{event_type}", partitions: 2 };
    const messages = ["a", "b", "c", "a"].map((id, i) =>
      messageOf("events.graph.Happened", i + 1, { aggregate_id: id, payload: i }),
    );
    const fold = takeAll(foldOf({ ...options, partitionOf: (key) => ["a", "b"].indexOf(key) }), messages);
    expect(states(fold)).toEqual({ a: [0, 3], b: [1] });
    expect(fold.counts).toMatchObject({ delivered: 4, elsewhere: 1, applied: 3 });
    expect(fold.deliveredByPartition).toEqual([2, 1]);
  });

  it("lets exactly one unit take events that have no aggregate", () => {
    const options = { subject: "events.{domain}.{event_type}" };
    const nameless = [
      messageOf("events.graph.Happened", 1, { payload: 1 }),
      messageOf("events.graph.Happened", 2, "{"),
    ];
    const taker = takeAll(foldOf(options), nameless);
    expect(taker.counts).toMatchObject({ quarantined: 2, elsewhere: 0 });
    expect(taker).toMatchObject({ firstParkedSeq: 1, parkedAggregates: 0 });
    expect(taker.badEvents.map(({ aggregateId }) => aggregateId)).toEqual([null, null]);
    const other = takeAll(foldOf({ ...options, takesNameless: false }), nameless);
    expect(other.counts).toMatchObject({ quarantined: 0, elsewhere: 2 });
    expect(other).toMatchObject({ firstParkedSeq: null, badEvents: [] });
  });

  it("refuses to mix two aggregates whose events come under one routing key", () => {
    const fold = takeAll(foldOf(), [eventOf("a", 1, { aggregate_id: "x" })]);
    expect(() => fold.take(eventOf("a", 2, { aggregate_id: "y" }))).toThrow(
      /the token "a" holds aggregates "x" and "y" \(sequence 2\).*Put \* in place/,
    );
  });

  it("takes both ends of the requested times, and counts on what the two clocks differ", () => {
    const at = (ms: number) => ({ timestamp: new Date(START_MS + ms).toISOString() });
    const fold = takeAll(foldOf({ fromTimeMs: START_MS + 2_000, toTimeMs: START_MS + 4_000 }), [
      eventOf("a", 1, at(1_999)),
      eventOf("a", 2, at(2_000)),
      eventOf("a", 4, at(4_000)),
      eventOf("a", 5, at(4_001)),
      eventOf("a", 6, at(3_000)),
      eventOf("a", 3, at(60_000)),
    ]);
    expect(states(fold)).toEqual({ a: [2, 4, 6] });
    expect(fold.counts).toMatchObject({ applied: 3, filtered: 3, timesApart: 2 });
    expect(accountedFor(fold)).toBe(6);
  });

  it("takes what a filter takes, and calls neither gaps nor events that cannot be judged mistakes of the producer", () => {
    const filter: CompiledFilter = {
      judge: ({ seq }) => (seq === 3 ? "undecided" : seq % 2 === 0 ? "taken" : "left"),
      mayTake: ({ seq }) => seq !== 5,
    };
    const at = (seq: number) => eventOf("a", seq, { sequence: seq });
    const fold = takeAll(foldOf({ filter }), [at(1), at(2), at(3), at(4), torn("a", 5)]);
    expect(states(fold)).toEqual({ a: [2, 4] });
    expect(fold.counts).toMatchObject({ applied: 2, filtered: 3, undecided: 1, quarantined: 0, sequenceGaps: 0 });
    expect(accountedFor(fold)).toBe(5);
  });

  it("lets one end of the times stay open", () => {
    const events = [1, 2, 3].map((seq) => eventOf("a", seq));
    expect(states(takeAll(foldOf({ fromTimeMs: START_MS + 2_000 }), events))).toEqual({ a: [2, 3] });
    expect(states(takeAll(foldOf({ toTimeMs: START_MS + 2_000 }), events))).toEqual({ a: [1, 2] });
  });
});
