import { expect, test } from "vitest";
import { planOf, runOf, settingsOf } from "@cim-replay/testkit";
import { planSchema } from "./plan.ts";
import { runRecordSchema } from "./run.ts";
import { bucketsOf, eachTarget, entriesDoneBy, planFor, quarantinedBy, runFor, targetAt, unitFor } from "./targets.ts";
import { newUnitRecord, unitRecordSchema } from "./unit.ts";

const totals = { name: "totals", source: "file", path: "/totals.ts", sha256: "11" } as const;
const summary = {
  ...{ events: 9, aggregates: 3, quarantined: 5, entriesWritten: 5, entriesUnchanged: 0, orphans: 1, pruned: 1 },
  ...{ seconds: 1, eventsPerSecond: 9, findings: [], certificate: null },
};
const figures = { aggregates: 3, entriesUnchanged: 0, orphans: 0, pruned: 0 };
const run = runOf("r", {
  settings: settingsOf("S", { target: "A", otherTargets: [{ target: "B", projection: totals }] }),
  backup: { file: "a.tar.gz", note: null },
  otherBackups: [{ file: null, note: "the target held no entry of it" }],
  summary: {
    ...summary,
    targets: [
      { ...figures, quarantined: 1, entriesWritten: 3 },
      { ...figures, quarantined: 4, entriesWritten: 2, orphans: 1, pruned: 1 },
    ],
  },
});

test("a run is, for each of its targets, a run of that one alone", () => {
  const [first, second, ...none] = eachTarget(run);
  expect(none).toEqual([]);
  expect(first).toMatchObject({ id: "r", settings: { target: "A", otherTargets: [] }, backup: { file: "a.tar.gz" } });
  expect(first?.summary).toMatchObject({ events: 9, quarantined: 1, entriesWritten: 3, pruned: 0 });
  expect(second).toMatchObject({
    settings: { target: "B", projection: totals, otherTargets: [] },
    backup: { file: null },
  });
  expect(second?.summary).toMatchObject({ events: 9, quarantined: 4, entriesWritten: 2, pruned: 1 });
  expect(eachTarget(second ?? run)).toEqual([second]);
  expect([bucketsOf(run.settings), targetAt(run.settings, "B"), targetAt(run.settings, "C")]).toEqual([
    ["A", "B"],
    1,
    -1,
  ]);
});

test("its plan and units are what that target sees of them", () => {
  const target = (bucket: string) => ({ bucket, lastRevision: bucket === "A" ? 3 : 8 });
  const plan = planOf("r", { target: target("A"), otherTargets: [target("B")] });
  expect([planFor(plan, 0).target, planFor(plan, 1).target]).toEqual([target("A"), target("B")]);
  expect(planFor(plan, 1).otherTargets).toBeUndefined();
  const fresh = newUnitRecord("r", "u0", 1, 1, "partition", 2);
  const entries = (written: number) => ({ written, unchanged: 1, bytes: 9 });
  const unit = {
    ...fresh,
    state: "running" as const,
    entries: entries(3),
    otherTargets: fresh.otherTargets.map((each) => ({ ...each, entries: entries(2), badSequences: [7] })),
    live: {
      ...fresh.live,
      quarantined: 5,
      byTarget: [
        { applied: 8, quarantined: 1, entriesWritten: 0 },
        { applied: 4, quarantined: 4, entriesWritten: 6 },
      ],
    },
  };
  expect(unitFor(unit, 0)).toMatchObject({ badSequences: [], live: { applied: 8, quarantined: 1 }, otherTargets: [] });
  expect(unitFor(unit, 1)).toMatchObject({ badSequences: [7], live: { applied: 4, quarantined: 4 }, otherTargets: [] });
  expect([quarantinedBy(unit), entriesDoneBy(unit), entriesDoneBy(unitFor(unit, 1))]).toEqual([5, 7, 3]);
});

test("records from before a run could have several are read as those of one", () => {
  const { otherTargets: _, ...settings } = settingsOf("S");
  const { otherBackups: __, ...old } = runOf("r", {});
  const parsed = runRecordSchema.parse({ ...old, settings });
  expect(eachTarget(parsed)).toEqual([parsed]);
  const { otherTargets: ___, ...oldUnit } = newUnitRecord("r", "u0", 1, 1);
  const unit = unitRecordSchema.parse(oldUnit);
  expect(unitFor(unit, 0)).toBe(unit);
  // Its text must not change: certificates hold the plan's digest.
  const plan = planOf("r");
  expect(planSchema.parse(plan)).toEqual(plan);
  expect(planFor(plan, 0)).toBe(plan);
  expect(runFor(parsed, 0)).toBe(parsed);
});
