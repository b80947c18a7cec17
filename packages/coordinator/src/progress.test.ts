import { newUnitRecord, type UnitCounts, type UnitRecord } from "@cim-replay/core";
import type { LiveReport } from "@cim-replay/nats";
import { planOf, runOf } from "@cim-replay/testkit";
import { describe, expect, it } from "vitest";
import { ownEvents, progressOf } from "./progress.ts";

const plan = planOf("run", {
  expected: { events: 100, aggregates: 10 },
  read: { filterSubjects: [], messages: 500, reason: "" },
});

function unitOf(id: string, counts: Partial<UnitCounts>, changes: Partial<UnitRecord> = {}): UnitRecord {
  const unit = newUnitRecord("run", id, 1, 1);
  return { ...unit, ...changes, counts: { ...unit.counts, ...counts } };
}

function reportOf(unit: string, changes: Partial<LiveReport>): LiveReport {
  return {
    workerId: "w",
    runId: "run",
    unit,
    epoch: 1,
    readSeq: 0,
    delivered: 0,
    applied: 0,
    quarantined: 0,
    entriesWritten: 0,
    lastEventAtMs: null,
    memoryBytes: 0,
    inFlightBytes: 0,
    stageMicros: { fetch: 1, fold: 2, checkpoint: 3, write: 4 },
    recoveries: 0,
    ...changes,
  };
}

const progress = (
  units: UnitRecord[],
  live: LiveReport[] = [],
  eventsPerSecond = 0,
  lastPinnedAtMs: number | null = null,
  entriesPerSecond = 0,
) => progressOf(runOf("run"), plan, units, { live, eventsPerSecond, entriesPerSecond, lastPinnedAtMs });

describe("progressOf", () => {
  it("counts as durable only what checkpoints and finished units hold, and others' messages never", () => {
    const done = unitOf(
      "u0",
      { delivered: 500, foreign: 400, elsewhere: 60, applied: 38, quarantined: 2 },
      { state: "done" },
    );
    const atWork = unitOf(
      "u1",
      { delivered: 50, foreign: 30, elsewhere: 10, applied: 10 },
      { state: "running", epoch: 1 },
    );
    const seen = progress([done, atWork], [reportOf("u1", { applied: 25 })]);
    expect(seen).toMatchObject({ totalEvents: 100, durableEvents: 50, readEvents: 65, appliedEvents: 63 });
    expect(seen.units).toEqual({ total: 2, done: 1, running: 1, pending: 0, failed: 0 });
    expect(seen).toMatchObject({ errors: 2, workers: 1, entriesTotal: 10 });
  });

  it("does not believe the report of an older epoch", () => {
    const atWork = unitOf("u0", { delivered: 10, applied: 10 }, { state: "running", epoch: 2 });
    expect(progress([atWork], [reportOf("u0", { applied: 90, epoch: 1 })]).readEvents).toBe(10);
    expect(progress([atWork], [reportOf("u0", { applied: 90, epoch: 2 })]).readEvents).toBe(90);
  });

  it("never shows more read than there is, nor less read than durable", () => {
    const atWork = unitOf("u0", { delivered: 40, applied: 40 }, { state: "running", epoch: 1 });
    expect(progress([atWork], [reportOf("u0", { applied: 1_000 })]).readEvents).toBe(100);
    expect(progress([atWork], [reportOf("u0", { applied: 1 })]).readEvents).toBe(40);
    expect(progress([unitOf("u0", { delivered: 700, applied: 700 }, { state: "done" })]).durableEvents).toBe(100);
  });

  it("leaves out what an entry held already", () => {
    const { counts } = unitOf("u0", { delivered: 20, foreign: 5, elsewhere: 4, alreadyApplied: 3, applied: 8 });
    expect(ownEvents(counts)).toBe(8);
  });

  it("estimates what is left from what is read, and lag from the unit that is furthest behind", () => {
    const units = ["u0", "u1"].map((id) => unitOf(id, {}, { state: "running", epoch: 1 }));
    const live = [
      reportOf("u0", { applied: 30, lastEventAtMs: 9_000, memoryBytes: 5, recoveries: 1, inFlightBytes: 10 }),
      reportOf("u1", { applied: 20, lastEventAtMs: 4_000, memoryBytes: 7, recoveries: 2, inFlightBytes: 20 }),
    ];
    expect(progress(units, live, 25, 10_000)).toMatchObject({
      etaSeconds: 2,
      lagSeconds: 6,
      memoryBytes: 7,
      recoveries: 3,
      inFlightBytes: 30,
      stageMicros: { fetch: 2, fold: 4, checkpoint: 6, write: 8 },
    });
    expect(progress(units)).toMatchObject({ etaSeconds: null, lagSeconds: null });
  });

  it("estimates, once all events are read, how long the entries take that are not written", () => {
    const atWork = unitOf("u0", {}, { state: "running", epoch: 1 });
    const live = [reportOf("u0", { applied: 100, entriesWritten: 4 })];
    expect(progress([atWork], live, 50, null, 2).etaSeconds).toBe(3);
    expect(progress([atWork], live, 50, null, 0).etaSeconds).toBeNull();
  });

  it("takes the entries of finished units from the ledger, of others from what they report", () => {
    const done = unitOf("u0", {}, { state: "done", entries: { written: 4, unchanged: 2, bytes: 9 } });
    const atWork = unitOf("u1", {}, { state: "running", epoch: 1 });
    expect(progress([done, atWork], [reportOf("u1", { entriesWritten: 3 })]).entriesWritten).toBe(9);
  });

  it("counts units that failed for another reason than bad events among the errors", () => {
    const failed = unitOf("u0", { quarantined: 1 }, { state: "failed", failure: { kind: "unexpected", message: "" } });
    const parked = unitOf("u1", { quarantined: 2 }, { state: "failed", failure: { kind: "bad-events", message: "" } });
    expect(progress([failed, parked]).errors).toBe(4);
  });
});
