import { describe, expect, test } from "vitest";
import { readCallFlags } from "../settings/flags.ts";
import { contradictions } from "./check-flags.ts";
import { replayFlags } from "./flags.ts";

function refused(given: Record<string, unknown>): string[] {
  const { values, mistakes } = readCallFlags(replayFlags, given);
  expect(mistakes).toEqual([]);
  return contradictions(values, given).map(({ where }) => where);
}

describe("flags that contradict each other", () => {
  test("are refused", () => {
    expect(refused({ fromBeginning: true, fromSeq: "5" })).toEqual(["--from-seq"]);
    expect(refused({ fromSeq: "5", toSeq: "4" })).toEqual(["--to-seq"]);
    expect(refused({ fromTime: "2026-01-02", toTime: "2026-01-01" })).toEqual(["--to-time"]);
    expect(refused({ run: "r1" })).toEqual(["--run"]);
  });

  test("are --prune and a beginning, but not --prune and an end", () => {
    expect(refused({ prune: true, fromSeq: "5" })).toEqual(["--prune"]);
    expect(refused({ prune: true, aggregateId: "a", toSeq: "5" })).toEqual(["--prune"]);
    expect(refused({ prune: true, toTime: "2026-01-01", toSeq: "5" })).toEqual([]);
  });

  test("are those that a resumed run has pinned", () => {
    expect(refused({ resume: true, parallel: "2", fromSeq: "7", dryRun: true })).toEqual([
      "--from-seq",
      "--parallel",
      "--dry-run",
    ]);
  });

  test("are not those of the runbook", () => {
    expect(refused({ domain: "graph", aggregateId: "a", fromBeginning: true, target: "projection" })).toEqual([]);
    expect(refused({ resume: true, skipErrors: "10" })).toEqual([]);
    expect(refused({ resume: true, run: "r1", domain: "graph" })).toEqual([]);
  });
});
