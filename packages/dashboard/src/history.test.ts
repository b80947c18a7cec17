import { expect, test } from "vitest";
import { History } from "./history.ts";

const at = (second: number) => ({ atMs: second * 1_000, eventsPerSecond: second, lagSeconds: null });

test("a short run's samples are all kept", () => {
  const history = new History();
  for (let second = 0; second < 600; second++) history.add(at(second));
  expect(history.samples).toHaveLength(600);
});

test("a run of a day keeps its beginning and its end, evenly, in bounded memory", () => {
  const history = new History();
  const seconds = 86_400;
  for (let second = 0; second < seconds; second++) history.add(at(second));
  const { samples } = history;
  expect(samples.length).toBeLessThanOrEqual(600);
  expect(samples.length).toBeGreaterThan(250);
  expect(samples[0]?.atMs).toBe(0);
  const gaps = samples.slice(1).map((sample, i) => sample.atMs - (samples[i]?.atMs ?? 0));
  expect(Math.max(...gaps)).toBeLessThan(3 * Math.min(...gaps));
  expect(seconds * 1_000 - (samples.at(-1)?.atMs ?? 0)).toBeLessThanOrEqual(Math.max(...gaps));
});

test("where a run was paused there is one gap", () => {
  const history = new History();
  history.add(at(1));
  for (const second of [2, 3, 4]) history.pause(second * 1_000);
  history.add(at(5));
  expect(history.samples.map(({ eventsPerSecond }) => eventsPerSecond)).toEqual([1, null, 5]);
});
