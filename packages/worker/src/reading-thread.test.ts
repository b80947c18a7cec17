import { planOf, runOf, settingsOf } from "@cim-replay/testkit";
import { afterEach, describe, expect, test } from "vitest";
import { isCoreFree, ReadingThread, type ReadingThreadOptions } from "./reading-thread.ts";

const opened: ReadingThread[] = [];

afterEach(async () => {
  for (const each of opened.splice(0)) await each.close();
});

/** Whether a unit of a run with these settings gets a thread. */
function reads(
  mode: ReadingThreadOptions["mode"],
  { settings = {}, concurrency = 1 }: { settings?: Parameters<typeof settingsOf>[1]; concurrency?: number } = {},
): boolean {
  const thread = new ReadingThread({
    ...{ mode, concurrency, sharesMachine: false },
    connection: { url: "nats://127.0.0.1:1", name: "test" },
  });
  opened.push(thread);
  return thread.for(planOf("r"), runOf("r", { settings: settingsOf("S", settings) })) !== null;
}

describe("a thread that reads for a worker", () => {
  test("is there where it was asked for, and not where it was forbidden", () => {
    expect(reads("on")).toBe(true);
    expect(reads("off")).toBe(false);
  });

  test("is not there where the library's parser reads", () => {
    expect(reads("on", { settings: { reader: "library" } })).toBe(false);
  });

  test("is there by itself only where every unit's two threads leave a core", () => {
    expect([1, 2, 3, 4].map((cores) => isCoreFree(1, cores))).toEqual([false, false, true, true]);
    expect([4, 5].map((cores) => isCoreFree(2, cores))).toEqual([false, true]);
    expect(reads("auto", { concurrency: 10_000 })).toBe(false);
  });

  test("is not there by itself under a tight memory limit", () => {
    expect(reads("auto", { settings: { memoryLimitBytes: 512 * 2 ** 20 } })).toBe(false);
    expect(reads("on", { settings: { memoryLimitBytes: 512 * 2 ** 20 } })).toBe(true);
  });

  test("is made anew where it was lost", async () => {
    const thread = new ReadingThread({
      ...{ mode: "on", concurrency: 1, sharesMachine: false },
      connection: { url: "nats://127.0.0.1:1", name: "test" },
    });
    opened.push(thread);
    const run = runOf("r");
    const first = thread.for(planOf("r"), run);
    expect(thread.for(planOf("r"), run)).toBe(first);
    await expect.poll(() => first?.isAlive).toBe(false);
    expect(thread.for(planOf("r"), run)).not.toBe(first);
  });
});
