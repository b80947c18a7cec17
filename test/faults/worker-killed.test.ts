import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { claimsFrom, FaultStage } from "../support/fault-stage.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { until } from "../support/until.ts";

describe("kill -9 of a local worker", () => {
  let stage: FaultStage;
  afterEach(() => stage.close());

  async function killWorker(): Promise<void> {
    const pids = stage.workerPids();
    expect(pids, stage.said).toHaveLength(1);
    for (const pid of pids) process.kill(pid, "SIGKILL");
    // What it had sent already may still arrive.
    await sleep(100);
  }

  it("at any moment of its fold loses nothing, and the next one goes on from a checkpoint", async () => {
    stage = await FaultStage.open({ events: 4_500, eventMicros: 600 });
    const random = seededRandom(2_026);
    const replay = stage.replay("--checkpoint-interval", "300");
    let cursorSeq = 0;
    for (let epoch = 1; epoch <= 3; epoch++) {
      await stage.unit((unit) => unit.epoch === epoch && unit.state === "running" && unit.cursorSeq > cursorSeq);
      await sleep(random() * 250);
      await killWorker();
      const [unit] = await stage.units();
      cursorSeq = unit?.cursorSeq ?? 0;
    }
    expect(await replay.exited, stage.said).toBe(0);
    expect(await stage.entries()).toEqual(stage.expected);
    const claims = claimsFrom(replay.stderr);
    expect(claims).toHaveLength(4);
    for (const [i, fromSeq] of claims.entries()) expect(fromSeq).toBeGreaterThan(claims[i - 1] ?? 0);
  });

  it("while checkpoints are on their way, one after another, does not make it trust a half-written one", async () => {
    stage = await FaultStage.open({ eventMicros: 400 });
    const replay = stage.replay("--checkpoint-interval", "20", "--batch-size", "20");
    let cursorSeq = 0;
    for (let epoch = 1; epoch <= 2; epoch++) {
      ({ cursorSeq } = await stage.unit((unit) => unit.epoch === epoch && unit.cursorSeq > cursorSeq + 300));
      await killWorker();
    }
    expect(await replay.exited, stage.said).toBe(0);
    expect(await stage.entries()).toEqual(stage.expected);
  });

  it("with most of its aggregates on disk, at its fold and at its writing, loses nothing either", async () => {
    stage = await FaultStage.open({ events: 64_000, aggregates: 60_000, eventMicros: 80, entryMicros: 100 });
    const onDisk = ["--buffer-mode", "disk", "--memory-limit", "192M", "--checkpoint-interval", "4000"];
    const replay = stage.replay(...onDisk, "--batch-size", "500");
    await stage.unit(({ cursorSeq }) => cursorSeq > 25_000, 60_000);
    await killWorker();
    await stage.unit(({ epoch, live }) => epoch === 2 && live.entriesWritten > 3_000, 120_000);
    await killWorker();
    expect(await replay.exited, stage.said).toBe(0);
    expect(await stage.entries()).toEqual(stage.expected);
    const [, second = 0] = claimsFrom(replay.stderr);
    expect(second).toBeGreaterThan(20_000);
    expect(Number(/"shelved":(\d+),"msg":"aggregates were put on disk/.exec(replay.stderr)?.[1])).toBeGreaterThan(
      5_000,
    );
  }, 240_000);

  it("while it writes entries leaves whole ones, and the rest are written by the next one", async () => {
    stage = await FaultStage.open({ events: 2_500, aggregates: 2_000, eventMicros: 50, entryMicros: 1_500 });
    const replay = stage.replay();
    for (let epoch = 1; epoch <= 2; epoch++) {
      await stage.unit((unit) => unit.epoch === epoch && unit.live.entriesWritten > 300);
      await killWorker();
    }
    expect(await replay.exited, stage.said).toBe(0);
    expect(await stage.entries()).toEqual(stage.expected);
    const { summary } = await stage.run();
    expect(summary?.entriesUnchanged).toBeGreaterThan(300);
    expect((summary?.entriesUnchanged ?? 0) + (summary?.entriesWritten ?? 0)).toBe(stage.expected.size);
  });

  it("before it takes its first unit has another take its place", async () => {
    stage = await FaultStage.open({ events: 1_000, eventMicros: 100 });
    const replay = stage.replay();
    const killed = new Set<number>();
    while (killed.size < 2) {
      const worker = await until(
        () => stage.processes().find(({ pid }) => pid !== replay.pid && !killed.has(pid)),
        "a worker that is being started",
      );
      process.kill(worker.pid, "SIGKILL");
      killed.add(worker.pid);
    }
    expect(await replay.exited, stage.said).toBe(0);
    expect(replay.stderr).toContain("ended with SIGKILL; another takes its place");
    expect(await stage.entries()).toEqual(stage.expected);
  });

  it("is no matter to the other one's unit", async () => {
    stage = await FaultStage.open({ eventMicros: 1_000 });
    const replay = stage.replay("--units", "2");
    const isAtWork = ({ live }: { live: { applied: number } }) => live.applied > 100;
    await stage.unit((unit) => unit.id === "u0" && isAtWork(unit));
    await stage.unit((unit) => unit.id === "u1" && isAtWork(unit));
    const [one] = stage.workerPids();
    process.kill(one ?? 0, "SIGKILL");
    expect(await replay.exited, stage.said).toBe(0);
    expect(await stage.entries()).toEqual(stage.expected);
    expect((await stage.units()).map(({ epoch }) => epoch).sort()).toEqual([1, 2]);
  });
});

describe("kill -9 of an external worker", () => {
  let stage: FaultStage;
  afterEach(() => stage.close());

  it("makes another one finish its unit, from its checkpoint", async () => {
    stage = await FaultStage.open({ lockDuration: "1s" });
    const workers = await Promise.all([stage.worker(), stage.worker()]);
    const replay = stage.replay("--local-workers", "0");
    const { owner } = await stage.unit(({ cursorSeq }) => cursorSeq > 400);
    const victim = workers.find(({ pid }) => owner?.endsWith(`-${pid}`));
    victim?.kill("SIGKILL");
    expect(await replay.exited, stage.said).toBe(0);
    expect(await stage.entries()).toEqual(stage.expected);
    const other = workers.find((worker) => worker !== victim);
    expect(claimsFrom(other?.stderr ?? "")[0]).toBeGreaterThan(400);
    other?.kill("SIGTERM");
    expect(await other?.exited).toBe(0);
  });
});
