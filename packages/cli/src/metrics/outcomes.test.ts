import type { RunRecord, RunSettings } from "@cim-replay/core";
import { runOf, settingsOf } from "@cim-replay/testkit";
import { afterEach, describe, expect, test, vi } from "vitest";
import { outcomesOf, patiently } from "./outcomes.ts";

const summary = {
  ...{ events: 1, aggregates: 1, quarantined: 0, entriesWritten: 1, entriesUnchanged: 0, orphans: 0, pruned: 0 },
  ...{ seconds: 1, eventsPerSecond: 1, findings: [], certificate: null },
};
const refuted = { ...summary, certificate: { level: "content" as const, holds: false, discrepancies: 3 } };

let made = 0;
/** Each later than the one before it. */
function run(state: RunRecord["state"], changes: Partial<RunRecord> = {}, settings: Partial<RunSettings> = {}) {
  made += 1;
  return runOf(`run-${made}`, {
    state,
    createdAt: new Date(made * 1_000).toISOString(),
    settings: settingsOf("EVENTS", { domain: "graph", target: "B", ...settings }),
    ...changes,
  });
}

describe("what is left to look at", () => {
  test("are failed runs, with those that the verifier found not to hold", () => {
    const runs = [run("failed"), run("completed", {}, { domain: "other" }), run("failed", { summary: refuted })];
    expect(outcomesOf(runs)).toEqual([
      { domain: "graph", target: "B", failed: 2, refuted: 1 },
      { domain: "other", target: "B", failed: 0, refuted: 0 },
    ]);
  });

  test("is nothing once the whole domain was replayed into the same target, whatever the order of the listing", () => {
    const [failed, whole] = [run("failed", { summary: refuted }), run("completed", { summary })];
    const other = run("failed", {}, { target: "C" });
    expect(outcomesOf([whole, failed, other]).map(({ target, failed: count }) => [target, count])).toEqual([
      ["B", 0],
      ["C", 1],
    ]);
  });

  test("stays though one aggregate was replayed since, or the whole domain before", () => {
    const runs = [run("completed"), run("failed"), run("completed", {}, { aggregateId: "a1" })];
    expect(outcomesOf(runs)).toMatchObject([{ failed: 1 }]);
  });

  test("is nothing of runs that were cancelled, or are at work again", () => {
    expect(outcomesOf([run("cancelled"), run("running", { summary: refuted })])).toMatchObject([{ failed: 0 }]);
  });
});

describe("looking patiently", () => {
  afterEach(() => void vi.useRealTimers());

  test("asks once for many, and again after ten seconds", async () => {
    vi.useFakeTimers();
    let asked = 0;
    const look = patiently(async () => (asked += 1));
    expect(await Promise.all([look(), look()])).toEqual([1, 1]);
    vi.advanceTimersByTime(9_000);
    expect(await look()).toBe(1);
    vi.advanceTimersByTime(2_000);
    expect(await look()).toBe(2);
  });

  test("finds nothing where the ledger fails, or does not answer for two seconds", async () => {
    vi.useFakeTimers();
    expect(await patiently(() => Promise.reject(new Error("away")))()).toBeNull();
    const silent = patiently(() => new Promise<number>(() => undefined))();
    await vi.advanceTimersByTimeAsync(2_100);
    expect(await silent).toBeNull();
  });
});
