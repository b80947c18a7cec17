import { connectNats, type NatsClient } from "@cim-replay/nats";
import { planOf, runOf, settingsOf } from "@cim-replay/testkit";
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from "vitest";
import { ReadingThread, type ReadingThreadOptions } from "./reading-thread.ts";

const GIBIBYTE = 2 ** 30;
const opened: ReadingThread[] = [];
let client: NatsClient;

beforeAll(async () => {
  client = await connectNats({ url: inject("natsUrl"), name: "reading-thread-test" });
});
afterEach(async () => {
  for (const each of opened.splice(0)) await each.close();
});
afterAll(() => client.close());

function readingThread(options: Partial<ReadingThreadOptions>): ReadingThread {
  const connection = { url: inject("natsUrl"), name: "reading-thread-test" };
  const thread = new ReadingThread({ client, connection, mode: "auto", isLocal: true, ...options });
  opened.push(thread);
  return thread;
}

/** Whether the units of a run get a thread: so many units, and slices where it is shuffled. */
function reads(
  options: Partial<ReadingThreadOptions>,
  {
    units = 1,
    slices = 0,
    ...settings
  }: { units?: number; slices?: number; reader?: "library"; memoryLimitBytes?: number } = {},
): boolean {
  const plan = planOf("r", {
    units: Array.from({ length: units }, (_, at) => ({ id: `u${at}`, partitions: [at] })),
    sliceUnits: Array.from({ length: slices }, (_, at) => ({ id: `s${at}`, slice: at })),
  });
  return readingThread(options).for(plan, runOf("r", { settings: settingsOf("S", settings) })) !== null;
}

describe("a thread that reads for a worker", () => {
  test("is there where it was asked for, and not where it was forbidden", () => {
    expect(reads({ mode: "on", cores: 1 })).toBe(true);
    expect(reads({ mode: "off", cores: 64 })).toBe(false);
  });

  test("is not there where the library's parser reads", () => {
    expect(reads({ mode: "on" }, { reader: "library" })).toBe(false);
  });

  test("is there by itself only where the two threads of each worker leave a core", () => {
    expect([1, 2, 3].map((cores) => reads({ cores }))).toEqual([false, false, true]);
    expect([4, 5].map((cores) => reads({ cores }, { units: 2 }))).toEqual([false, true]);
    expect([16, 17].map((cores) => reads({ cores }, { units: 2, slices: 8 }))).toEqual([false, true]);
  });

  test("is not there by itself where somebody started the worker by hand, who knows what else is at work", () => {
    expect(reads({ cores: 64, isLocal: false })).toBe(false);
    expect(reads({ mode: "on", isLocal: false })).toBe(true);
  });

  test("is not there by itself under a tight memory limit", () => {
    expect(reads({ cores: 64 }, { memoryLimitBytes: GIBIBYTE })).toBe(false);
    expect(reads({ cores: 64 }, { memoryLimitBytes: 2 * GIBIBYTE })).toBe(true);
    expect(reads({ mode: "on" }, { memoryLimitBytes: GIBIBYTE })).toBe(true);
  });

  test("is the same for all units, and made anew where it was lost", async () => {
    const thread = readingThread({ mode: "on" });
    const next = () => thread.for(planOf("r"), runOf("r"));
    const first = next();
    expect(next()).toBe(first);
    await first?.close();
    expect(next()).not.toBe(first);
    expect(next()?.isAlive).toBe(true);
  });
});
