import { setTimeout as sleep } from "node:timers/promises";
import type { LiveReport } from "@cim-replay/nats";
import { expect, test } from "vitest";
import { WorkerWatch } from "./worker-watch.ts";

function reportOf(changes: Partial<LiveReport>): LiveReport {
  return {
    ...{ workerId: "w", runId: "r", unit: "u0", epoch: 1, readSeq: 0, delivered: 0, applied: 0, quarantined: 0 },
    ...{ entriesWritten: 0, lastEventAtMs: null, memoryBytes: 0, inFlightBytes: 0, recoveries: 0 },
    stageMicros: { fetch: 0, fold: 0, checkpoint: 0, write: 0 },
    ...changes,
  };
}

const unknown = async () => null;

test("a worker's totals stay when its units leave, and begin anew with none", () => {
  const watch = new WorkerWatch(unknown);
  watch.take(reportOf({ applied: 100, quarantined: 1 }));
  watch.take(reportOf({ applied: 250, quarantined: 3 }));
  watch.take(reportOf({ unit: "u1", applied: 40 }));
  watch.take(reportOf({ runId: "other", applied: 10 }));
  expect([watch.applied, watch.errors]).toEqual([300, 3]);
});

test("what another worker did before a unit was taken over is not this one's", () => {
  const watch = new WorkerWatch(unknown);
  watch.take(reportOf({ epoch: 2, applied: 5_000, quarantined: 4 }));
  watch.take(reportOf({ epoch: 2, applied: 5_100, quarantined: 5 }));
  expect([watch.applied, watch.errors]).toEqual([100, 1]);
});

test("a fold that went back to its checkpoint takes nothing away", () => {
  const watch = new WorkerWatch(unknown);
  for (const applied of [500, 200, 600]) watch.take(reportOf({ applied }));
  expect(watch.applied).toBe(900);
});

test("the rate is that of the last seconds, and nothing without a report", async () => {
  const watch = new WorkerWatch(unknown);
  expect(watch.eventsPerSecond()).toBe(0);
  watch.take(reportOf({ applied: 1_000 }));
  await sleep(400);
  watch.take(reportOf({ applied: 1_800 }));
  expect(watch.eventsPerSecond()).toBeGreaterThan(800);
  expect(watch.eventsPerSecond()).toBeLessThan(2_100);
});

test("the lag is that of the unit furthest behind what its run has pinned", async () => {
  const watch = new WorkerWatch(async (runId) => (runId === "r" ? 10_000 : null));
  const atWork = [
    reportOf({ lastEventAtMs: 9_000 }),
    reportOf({ unit: "u1", lastEventAtMs: 4_000 }),
    reportOf({ unit: "u2" }),
    reportOf({ runId: "unknown", lastEventAtMs: 1 }),
  ];
  expect(watch.lagSeconds(atWork)).toBeNull();
  for (const report of atWork) watch.take(report);
  await sleep(0);
  expect(watch.lagSeconds(atWork)).toBe(6);
  expect(watch.lagSeconds([])).toBeNull();
});
