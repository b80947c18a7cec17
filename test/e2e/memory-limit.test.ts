import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { generateEvents, publishEvents } from "@cim-replay/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { publishDataset, settingsFor } from "../bench/dataset.ts";
import { ordinary } from "../bench/datasets.ts";
import { ProcessWatch } from "../bench/process-watch.ts";
import { FaultStage } from "../support/fault-stage.ts";

const AGGREGATES = 160_000;
const EVENTS = 176_000;
/** What these aggregates take in memory is about twice as much. */
const LIMIT_MIB = 192;
const MIB = 2 ** 20;

let stage: FaultStage;

beforeAll(async () => {
  stage = await FaultStage.open({ events: 0 });
  const what = { domains: ["graph"], events: EVENTS, aggregates: AGGREGATES, skew: 0, seed: 11 };
  await publishEvents(stage.client, { stream: "EVENTS", events: generateEvents(what) });
}, 180_000);
afterAll(() => stage.close());

/** What its entries come to, and the most memory that its worker and its coordinator had. */
async function replayInto(target: string, ...args: string[]) {
  const fixed = ["--domain", "graph", "--projection", "aggregate", "--parallel", "1", "--certify", "none"];
  const replay = stage.start("domain-replay", [...fixed, "--target", target, ...args]);
  const watch = new ProcessWatch(replay.pid);
  const status = await replay.exited;
  watch.stop();
  expect(status, stage.said).toBe(0);
  const [unit] = await stage.units();
  const workers = watch.children.map(({ peakBytes }) => peakBytes / MIB);
  return { entries: unit?.entriesByPartition, peakMib: Math.max(...workers), said: replay.stderr };
}

describe("a limit on memory that the aggregates do not fit into", () => {
  it("holds, because they move to disk by themselves, and the entries are the same to the last byte", async () => {
    const free = await replayInto("FREE");
    expect(free.peakMib).toBeGreaterThan(LIMIT_MIB * 1.1);
    const limited = await replayInto("LIMITED", "--memory-limit", `${LIMIT_MIB}M`);
    expect(limited.said).toMatch(/memory nears its limit \(.* of 192 MiB\): what waits for events moves to disk/);
    expect(limited.peakMib).toBeLessThan(LIMIT_MIB);
    expect(limited.entries).toEqual(free.entries);
    expect(limited.entries?.[0]?.entries).toBeGreaterThan(AGGREGATES / 2);
  }, 600_000);

  it("fails, with what to do, where they may not move", async () => {
    const refused = stage.start("domain-replay", [
      ...["--domain", "graph", "--projection", "aggregate", "--target", "REFUSED"],
      ...["--memory-limit", `${LIMIT_MIB}M`, "--buffer-mode", "memory"],
    ]);
    expect(await refused.exited, stage.said).toBe(1);
    expect(refused.stderr).toMatch(/Cannot stay under --memory-limit 192 MiB: .*--resume --buffer-mode disk/);
  }, 300_000);
});

describe("two million aggregates under a limit of 512 MiB", () => {
  it("complete, and no worker of the run is ever larger", async () => {
    const many = ordinary("MANY", { events: 2_000_000, aggregates: 2_000_000 });
    await publishDataset(stage.client, many);
    const config = join(stage.cwd, "many.yaml");
    await writeFile(config, settingsFor(many));
    const replay = stage.start("domain-replay", [
      ...["--config", config, "--domain", "graph", "--projection", "aggregate", "--target", "MANY"],
      ...["--memory-limit", "512M", "--format", "json", "--no-backup-first"],
    ]);
    const watch = new ProcessWatch(replay.pid);
    expect(await replay.exited, replay.said).toBe(0);
    watch.stop();
    const workers = watch.children.map(({ peakBytes }) => peakBytes / MIB);
    expect(Math.max(...workers)).toBeGreaterThan(200);
    expect(Math.max(...workers)).toBeLessThan(512);
    expect(replay.stderr).toMatch(/memory nears its limit \(.* of 512 MiB\): what waits for events moves to disk/);
    expect(JSON.parse(replay.stdout)).toMatchObject({
      state: "completed",
      summary: { events: 2_000_000, entries_written: 2_000_000, certificate: { level: "counts", holds: true } },
    });
  }, 900_000);
});
