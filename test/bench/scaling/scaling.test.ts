import { describe, expect, it } from "vitest";
import { fullCases, readingOf, resultsOf } from "../results.fixture.ts";
import { type CostModel, predict } from "./cost-model.ts";
import { TERMS } from "./terms.ts";
import { error, fitResults } from "./fit.ts";
import { fitNonNegative } from "./least-squares.ts";
import type { Load } from "./load.ts";
import { scenariosOf } from "./scenarios.ts";

const PLACE = { cores: 2, workerCores: null, bytesPerSecond: null };

describe("least squares", () => {
  it("finds the costs that rows were made of", () => {
    const rows = [
      [1, 10, 3],
      [1, 20, 1],
      [1, 5, 8],
      [1, 40, 2],
    ];
    const targets = rows.map(([a = 0, b = 0, c = 0]) => 7 * a + 2 * b + 0.5 * c);
    for (const [at, value] of fitNonNegative(rows, targets).entries()) expect(value).toBeCloseTo([7, 2, 0.5][at] ?? 0);
  });

  it("leaves out what would cost less than nothing, and what never occurs", () => {
    const rows = [
      [1, 1, 0],
      [1, 2, 0],
      [1, 3, 0],
    ];
    const [constant = 0, falling, never] = fitNonNegative(rows, [3, 2, 1]);
    expect(constant).toBeGreaterThan(0);
    expect([falling, never]).toEqual([0, 0]);
  });

  it("gives nothing to a column that says what another says", () => {
    const solved = fitNonNegative(
      [
        [1, 1],
        [2, 2],
      ],
      [3, 6],
    );
    expect(solved.reduce((sum, value) => sum + value, 0)).toBeCloseTo(3);
  });
});

/** Costs that could be a machine's, where folding is dear; the bench's cases are "measured" with them. */
const TRUTH: CostModel = {
  micros: TERMS.map(({ program, what }, at) => {
    if (what.startsWith("a run") || what.startsWith("a worker")) return 400_000;
    if (program === "worker" && what.includes("folded")) return 20 + at;
    return program === "server" ? 1 + at / 20 : 1 + at / 4;
  }),
  clock: { constantSeconds: 0.5, startTimes: 1.5, workTimes: 1.2 },
};

function measuredWithTruth() {
  return resultsOf(fullCases(), ({ dataset, work }) => {
    if (work.kind !== "command") return [readingOf(dataset.events, 1)];
    const units = work.units ?? 1;
    const load: Load = {
      messages: dataset.events,
      eventBytes: dataset.eventBytes,
      entries: dataset.aggregates,
      projection: work.projection,
      source: work.source ?? "direct",
      certify: work.certify ?? "counts",
      units,
      workers: Math.min(units, work.workers ?? units),
    };
    const { seconds, worker, server, command } = predict(TRUTH, load, PLACE);
    const replication = dataset.server === "cluster" ? 2 : 1;
    const cpu = { workerMicros: worker, serverMicros: server * replication, coordinatorMicros: command };
    return [readingOf(dataset.events, seconds, { ...cpu, entries: load.entries, units, source: load.source })];
  });
}

describe("the cost model", () => {
  it("predicts runs that it did not see where costs are as it supposes", () => {
    const { heldOut } = fitResults(measuredWithTruth());
    expect(heldOut.length).toBeGreaterThanOrEqual(6);
    for (const one of heldOut) {
      for (const figure of ["seconds", "worker", "server", "command"] as const) {
        expect(Math.abs(error(one, figure)), `${one.name}: ${figure}`).toBeLessThan(0.02);
      }
    }
  });

  it("refuses to be fitted to a handful of runs", () => {
    const few = measuredWithTruth();
    expect(() => fitResults({ ...few, cases: few.cases.slice(0, 4) })).toThrow("Cannot fit the cost model: ");
  });

  it("asks for no more readers of one stream than pay, and for more where it is read once in all", () => {
    const scenarios = scenariosOf(measuredWithTruth());
    const find = (what: string, source: Load["source"]) => {
      const found = scenarios.find((one) => one.what === what && one.source === source);
      if (!found) throw new Error(`no scenario ${what}`);
      return found;
    };
    const [direct, shuffle] = (["direct", "shuffle"] as const).map((source) => find("1 TB of 300 B, 10 nodes", source));
    expect(shuffle?.units).toBeGreaterThan(direct?.units ?? 0);
    expect(shuffle?.hours).toBeLessThan(direct?.hours ?? 0);
    const cluster = find("1 TB of 300 B, 10 nodes, NATS a 3-node cluster", "shuffle");
    expect(cluster.hours).toBeGreaterThan(shuffle?.hours ?? 0);
    expect(find("1 TB of 4,096 B, 10 nodes", "shuffle").hours).toBeLessThan(shuffle?.hours ?? 0);
  });
});
