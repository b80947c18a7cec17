import { expect, test } from "vitest";
import { judge } from "./bars.ts";
import { fullCases, readingOf, resultsOf } from "./results.fixture.ts";
import { barRows } from "./report.ts";
import { Summary } from "./summary.ts";

const RATIO = "flat, ratio to the raw read";

test("a bar is judged by the median of ratios within each round, whatever the machine did between rounds", () => {
  const seconds: Record<string, readonly number[]> = { "raw read": [1, 10, 2], flat: [1.25, 12.5, 20] };
  const results = resultsOf(fullCases(), ({ name }) => (seconds[name] ?? []).map((took) => readingOf(1_000, took)));
  expect(judge(new Summary(results.cases)).find(({ what }) => what === RATIO)).toMatchObject({
    measured: 0.8,
    met: true,
  });
});

test("pairs readings by their round where one is missing", () => {
  const results = resultsOf(fullCases(), () => []);
  const of = (name: string) => results.cases.find((one) => one.name === name)?.readings;
  of("raw read")?.push({ round: 1, ...readingOf(1_000, 1) }, { round: 2, ...readingOf(1_000, 10) });
  of("flat")?.push({ round: 2, ...readingOf(1_000, 20) });
  expect(new Summary(results.cases).rateRatio("flat", "raw read")).toBe(0.5);
});

test("what was not measured is neither met nor missed, and what is only shown has no verdict", () => {
  const bars = judge(new Summary([]));
  expect(bars.every(({ met, measured }) => met === null && measured === null)).toBe(true);
  const rows = barRows(bars);
  expect(rows.find(([what]) => what === RATIO)).toEqual([RATIO, "at least 0.65", "–", "not measured"]);
  expect(rows.find(([what]) => what?.startsWith("direct: CPU an event with 16"))).toMatchObject({ 1: "", 3: "" });
});

test("two million aggregates that did not complete, or were fewer, meet no bar", () => {
  const name = "huge: flat, memory limit, states on disk";
  const bar = (results: ReturnType<typeof resultsOf>) =>
    judge(new Summary(results.cases)).find(({ what }) => what.startsWith("2M aggregates"));
  const measured = resultsOf(fullCases(), () => [readingOf(2_000_000, 1)]);
  expect(bar(measured)?.met).toBe(true);
  const fewer = {
    ...measured,
    cases: measured.cases.map((one) => ({ ...one, dataset: { ...one.dataset, aggregates: 1 } })),
  };
  expect(bar(fewer)?.met).toBeNull();
  for (const one of measured.cases) if (one.name === name) one.failures.push("it ended with 1");
  expect(bar(measured)?.met).toBe(false);
});
