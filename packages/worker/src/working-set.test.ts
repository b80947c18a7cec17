import { type Log, silentLog } from "@cim-replay/core";
import { afterEach, expect, test } from "vitest";
import { MemoryGuard } from "./memory-guard.ts";
import { eventOf, foldOf, states, takeAll } from "./unit-fold.fixture.ts";
import { type MemorySettings, WorkingSet } from "./working-set.ts";

const LIMIT = 512 * 2 ** 20;
const opened: WorkingSet[] = [];
afterEach(() => {
  for (const set of opened.splice(0)) set.close();
});

async function openSet(bufferMode: MemorySettings["bufferMode"], share: () => number) {
  const warnings: string[] = [];
  const log: Log = { ...silentLog, warn: (_, text) => void warnings.push(text) };
  const settings = { bufferMode, memoryLimitBytes: LIMIT, gcInterval: null };
  const guard = new MemoryGuard(settings, { rss: () => share() * LIMIT, collect: () => undefined });
  const set = await WorkingSet.open({ domain: "graph", targets: 1 }, settings, log, guard);
  opened.push(set);
  return { set, warnings };
}

const messages = Array.from({ length: 1_000 }, (_, at) => eventOf(`a${(at * 31) % 211}`, at + 1));

test("near the limit it moves to disk by itself, says so, and nothing else changes", async () => {
  let share = 0.1;
  const { set, warnings } = await openSet("auto", () => share);
  const notes = set.map<number>();
  notes.set("graph.a1", 7);
  const fold = takeAll(foldOf({ aggregates: set.table(0) }), messages.slice(0, 600));
  await set.relieve(600);
  expect([set.isOnDisk, warnings]).toEqual([false, []]);
  set.table(0).takeChanged();
  takeAll(fold, messages.slice(600, 700));
  share = 0.8;
  await new Promise((resolve) => setTimeout(resolve, 110));
  await set.relieve(700);
  expect(set.isOnDisk).toBe(true);
  expect(warnings).toEqual([
    "memory nears its limit (410 MiB of 512 MiB): what waits for events moves to disk, which is slower",
  ]);
  fold.aggregates = set.table(0);
  expect(set.table(0).takeChanged().length).toBe(100);
  takeAll(fold, messages.slice(700));
  expect(states(fold)).toEqual(states(takeAll(foldOf(), messages)));
  expect([notes.get("graph.a1"), notes.get("graph.a2"), [...notes.entries()]]).toEqual([
    7,
    undefined,
    [["graph.a1", 7]],
  ]);
});

test("what may not move fails over the limit, and says what to do", async () => {
  const { set } = await openSet("memory", () => 1.5);
  await expect(set.relieve(42)).rejects.toThrow(
    /^Cannot stay under --memory-limit 512 MiB: the worker holds 768 MiB after 42 messages\. .*--resume --buffer-mode disk/,
  );
});

test("on disk it goes on up to the limit, and fails beyond", async () => {
  let share = 0.9;
  const { set, warnings } = await openSet("disk", () => share);
  await set.relieve(1);
  share = 1.1;
  await new Promise((resolve) => setTimeout(resolve, 110));
  await expect(set.relieve(2)).rejects.toThrow(/Raise the limit, read less ahead with --prefetch/);
  expect(warnings).toEqual([]);
});
