import { newUnitRecord, type RunRecord } from "@cim-replay/core";
import { describe, expect, test } from "vitest";
import { planText } from "./plan-text.ts";
import { plan, progress, run } from "./progress.fixture.ts";
import { runListText, statusText, summaryText } from "./run-text.ts";
import { renderTable } from "./table.ts";

const completed: RunRecord = {
  ...run,
  state: "completed",
  endedAt: "2026-01-31T12:00:02.500Z",
  summary: {
    events: 99_990,
    aggregates: 500,
    quarantined: 2,
    entriesWritten: 498,
    entriesUnchanged: 2,
    orphans: 0,
    pruned: 0,
    seconds: 2.5,
    eventsPerSecond: 39_996,
    findings: ["3 repeated event ids"],
    certificate: null,
  },
};

describe("a plan", () => {
  test("tells range, reading, keys, source, time, partitions and warnings, and that nothing was written", () => {
    const text = planText(plan, run.settings);
    expect(text).toContain("sequences 1 to 300,000, 5 of them deleted");
    expect(text).toContain("299,995 messages, 89 MiB: unfiltered: most messages match");
    expect(text).toContain("100,000 of 500 aggregates");
    expect(text).toContain("up to 500 keys graph.* in bucket CIM_PROJECTIONS");
    expect(text).toContain("direct: 1 unit of at most 2");
    expect(text).toContain("2.5 s (8.3 µs an event, measured on a sample)");
    expect(text).toMatch(/^ +0 {2}u0 +40,000 +300 {2}the first {2}m$/m);
    expect(text).toMatch(/^ +1 {2}u0 +59,000 to 60,000 +200 {2}m +the last$/m);
    expect(text).toContain("warning: EVENTS drops history");
    expect(text.endsWith("Nothing was written.")).toBe(true);
  });
});

describe("a run's end", () => {
  test("is told with figures, findings and where to look next", () => {
    const text = summaryText(completed);
    expect(text).toContain("run          20260131-120000-abc123 completed");
    expect(text).toContain("99,990 in 2.5 s (39,996 events/s)");
    expect(text).toContain("quarantined  2");
    expect(text).toContain("  3 repeated event ids");
    expect(text).toContain("nats kv ls CIM_PROJECTIONS");
    expect(text).toContain("replay-status --run 20260131-120000-abc123 --show-errors");
  });

  test("says how to go on where it failed", () => {
    expect(summaryText({ ...completed, state: "failed" })).toContain(
      "event-replay --resume --run 20260131-120000-abc123",
    );
  });
});

describe("status", () => {
  test("shows a run at work and its units", () => {
    const unit = { ...newUnitRecord(run.id, "u0", 1, 2), owner: "host-1-w1", state: "running" as const, epoch: 3 };
    const text = statusText(progress, [unit]);
    expect(text).toContain("run 20260131-120000-abc123 of graph into CIM_PROJECTIONS: running");
    expect(text).toContain("50,000 durable of 100,000 events");
    expect(text).toMatch(/^u0 +folds 2 partitions +running +3 .*host-1-w1/m);
  });

  test("shows why a run failed", () => {
    const text = statusText({ ...progress, run: { ...completed, state: "failed", reason: "A gap at 7." } }, []);
    expect(text).toContain("A gap at 7.");
  });

  test("lists runs", () => {
    expect(runListText([completed, run])).toMatch(/20260131-120000-abc123 +completed +graph .*99,990 +39,996/);
  });
});

test("a table aligns its columns and ends no line with spaces", () => {
  const columns = [
    { title: "name", value: ([name]: [string, string]) => name },
    { title: "n", align: "right" as const, value: ([, count]: [string, string]) => count },
    { title: "", value: () => "" },
  ];
  const rows: [string, string][] = [
    ["a", "10"],
    ["longer", "7"],
  ];
  expect(renderTable(columns, rows)).toBe("name     n\na       10\nlonger   7");
});
