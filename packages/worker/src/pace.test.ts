import { describe, expect, test } from "vitest";
import { Pace } from "./pace.ts";

const signal = new AbortController().signal;

async function secondsFor(pace: Pace, events: number, bytesEach = 0): Promise<number> {
  const startedAt = performance.now();
  for (let done = 0; done < events; ) {
    const step = Math.min(pace.step(1_000), events - done);
    await pace.keep(step, step * bytesEach, signal);
    done += step;
  }
  return (performance.now() - startedAt) / 1_000;
}

describe("the pace of a unit", () => {
  test("is not held back without limits", async () => {
    const pace = new Pace({ maxRate: null, maxBytesRate: null });
    expect(pace.isLimited).toBe(false);
    expect(pace.step(1_000)).toBe(1_000);
    expect(await secondsFor(pace, 100_000)).toBeLessThan(0.5);
  });

  test.each([
    ["events", { maxRate: 1_000, maxBytesRate: null }, 0],
    ["bytes", { maxRate: null, maxBytesRate: 300_000 }, 300],
    ["the slower of both", { maxRate: 5_000, maxBytesRate: 300_000 }, 300],
  ])("keeps to a limit of %s", async (_what, limits, bytesEach) => {
    const seconds = await secondsFor(new Pace(limits), 1_200, bytesEach);
    // A quarter of a second's worth is free at the start.
    expect(seconds).toBeGreaterThan(0.9);
    expect(seconds).toBeLessThan(1.6);
  });

  test("is a share of the rate while others are at work", async () => {
    const pace = new Pace({ maxRate: 1_000, maxBytesRate: null });
    pace.heard("u0");
    pace.heard("u1");
    expect(await secondsFor(pace, 600)).toBeGreaterThan(0.9);
  });

  test("changes at once, also in the middle of a long wait", async () => {
    const pace = new Pace({ maxRate: 1, maxBytesRate: null });
    const startedAt = performance.now();
    const waiting = pace.keep(3_600, 0, signal);
    pace.limit({ maxRate: 1_000, maxBytesRate: null });
    await waiting;
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });

  test("ends a wait when the unit is to stop", async () => {
    const stop = new AbortController();
    const waiting = new Pace({ maxRate: 1, maxBytesRate: null }).keep(3_600, 0, stop.signal);
    stop.abort(new Error("paused"));
    await expect(waiting).rejects.toThrow("paused");
  });

  test("asks for no more ahead than a second takes, and always for a message", () => {
    const pace = new Pace({ maxRate: 100, maxBytesRate: 1_000 });
    expect(pace.windowMessages(10_000)).toBe(100);
    expect(new Pace({ maxRate: 1, maxBytesRate: null }).windowMessages(10_000)).toBe(16);
    expect(pace.windowBytes(32_000_000, 2_000_000)).toBe(2_000_000);
  });
});
