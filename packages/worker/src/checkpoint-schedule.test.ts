import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CheckpointSchedule } from "./checkpoint-schedule.ts";

describe("CheckpointSchedule", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["performance"] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("by itself lets ten seconds pass, and twenty-five times what the last one cost", () => {
    const schedule = new CheckpointSchedule("auto", 0);
    vi.advanceTimersByTime(9_000);
    expect(schedule.isDue(1_000_000, 0.1)).toBe(false);
    vi.advanceTimersByTime(2_000);
    expect(schedule.isDue(1_000_000, 0.1)).toBe(true);
    schedule.made(1_000_000, 1_000);
    vi.advanceTimersByTime(24_000);
    expect(schedule.isDue(2_000_000, 0.2)).toBe(false);
    vi.advanceTimersByTime(2_000);
    expect(schedule.isDue(2_000_000, 0.2)).toBe(true);
  });

  it("by itself makes none where the rest is read in a few seconds", () => {
    const schedule = new CheckpointSchedule("auto", 0);
    vi.advanceTimersByTime(20_000);
    expect(schedule.isDue(1, 0.9)).toBe(false);
    expect(schedule.isDue(1, 0.5)).toBe(true);
  });

  it("goes by events where a number is given, and by time where a unit has few of them", () => {
    const schedule = new CheckpointSchedule(1_000, 500);
    expect(schedule.isDue(1_499, 0.999)).toBe(false);
    expect(schedule.isDue(1_500, 0.999)).toBe(true);
    schedule.made(1_500, 0);
    vi.advanceTimersByTime(31_000);
    expect(schedule.isDue(1_501, 0.5)).toBe(true);
  });

  it("makes none where none are wanted", () => {
    const schedule = new CheckpointSchedule(null, 0);
    vi.advanceTimersByTime(1_000_000);
    expect(schedule.isDue(1_000_000, 0.1)).toBe(false);
  });
});
