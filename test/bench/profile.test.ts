import { expect, test } from "vitest";
import { profileRows } from "./profile-rows.ts";
import { functionMicros } from "./profiled.ts";
import { fullCases, readingOf, resultsOf } from "./results.fixture.ts";

const frame = (id: number, functionName: string, url: string) => ({ id, callFrame: { functionName, url } });

test("a profile's time goes to the function that was on top, by its name and file, over all workers", () => {
  const nodes = [
    frame(1, "take", "file:///a/dist/unit-fold.js"),
    frame(2, "take", "file:///a/dist/unit-folds.js"),
    frame(3, "", "node:net"),
    frame(4, "(idle)", ""),
  ];
  const profile = { nodes, samples: [1, 2, 1, 4, 3], timeDeltas: [100, 10, 300, 50, 40] };
  expect(functionMicros([profile, profile], 100)).toEqual({
    "take, unit-fold": 8,
    "take, unit-folds": 0.2,
    "(idle)": 1,
    "(anonymous), node:net": 0.8,
  });
});

test("functions that take little in every job stand together, and waiting is no work", () => {
  const functions = new Map([
    ["flat, profiled", { parse: 1.5, hash: 0.05, tick: 0.02, "(idle)": 0.7 }],
    ["graph, profiled", { parse: 2, hash: 0.3, "(idle)": 0.1 }],
  ]);
  const cases = fullCases().filter(({ name }) => functions.has(name));
  const results = resultsOf(cases, ({ name }) => [readingOf(1_000, 1, { functions: functions.get(name) ?? {} })]);
  expect(profileRows(results)).toEqual([
    ["µs an event, in the function itself", "flat", "graph"],
    ["`parse`", "1.50", "2.00"],
    ["`hash`", "0.05", "0.30"],
    ["1 others", "0.02", "–"],
    ["**at work**", "1.57", "2.30"],
    ["waiting", "0.70", "0.10"],
  ]);
});
