import { expect, test } from "vitest";
import { limitRows, limitsOf } from "./limits.ts";
import { fullCases, readingOf, resultsOf } from "./results.fixture.ts";
import { Summary } from "./summary.ts";

const names = ["raw read", "flat"];
const cases = fullCases().filter(({ name }) => names.includes(name));

test("a job can be no faster than all cores together are with what it costs client, server and command", () => {
  const micros = { workerMicros: 5_000_000, serverMicros: 4_000_000, coordinatorMicros: 1_000_000 };
  const results = resultsOf(cases, ({ name }) =>
    name === "flat" ? [readingOf(1_000_000, 10, micros)] : [readingOf(1_000_000, 2)],
  );
  const limits = limitsOf(results, new Summary(results.cases));
  // Ten microseconds on two cores are 200,000 events a second; the raw read makes 500,000, the job 100,000.
  expect(limits).toEqual([
    {
      ...{ job: "flat", workerMicros: 5, serverMicros: 4, commandMicros: 1 },
      ...{ ratioAtBest: 0.4, ratio: 0.2, busyShare: 0.5 },
    },
  ]);
  expect(limitRows(limits)[1]).toEqual(["flat", "5.00", "4.00", "1.00", "0.40", "0.20", "50%"]);
});

test("what was not measured has no row", () => {
  const results = resultsOf(cases, ({ name }) => (name === "flat" ? [] : [readingOf(1_000, 1)]));
  expect(limitsOf(results, new Summary(results.cases))).toEqual([]);
});
