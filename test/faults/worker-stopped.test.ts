import { afterEach, describe, expect, it } from "vitest";
import { claimsFrom, FaultStage, type FaultStageOptions } from "../support/fault-stage.ts";
import type { ReplayProcess } from "../support/replay-process.ts";

describe("of two external workers", () => {
  let stage: FaultStage;
  let workers: ReplayProcess[];
  afterEach(() => stage.close());

  async function open(options: FaultStageOptions): Promise<ReplayProcess> {
    stage = await FaultStage.open({ lockDuration: "1s", ...options });
    workers = await Promise.all([stage.worker(), stage.worker()]);
    return stage.replay("--local-workers", "0");
  }

  function owned(owner: string | null): { owner: ReplayProcess; other: ReplayProcess } {
    const found = workers.find(({ pid }) => owner?.endsWith(`-${pid}`));
    const other = workers.find((worker) => worker !== found);
    if (!found || !other) throw new Error(`${owner} is none of ours`);
    return { owner: found, other };
  }

  /** A run that only `worker` is there for. */
  async function expectTakesOtherWork(worker: ReplayProcess): Promise<void> {
    for (const other of workers.filter((candidate) => candidate !== worker)) {
      other.kill("SIGTERM");
      expect(await other.exited, other.said).toBe(0);
    }
    const replay = stage.replay("--local-workers", "0", "--to-seq", "300", "--target", "other");
    expect(await replay.exited, stage.said).toBe(0);
    worker.kill("SIGTERM");
    expect(await worker.exited, worker.said).toBe(0);
  }

  it("one that is stopped past its lock while it folds is superseded, lets go, and takes other work", async () => {
    const replay = await open({});
    const { owner, other } = owned((await stage.unit(({ cursorSeq }) => cursorSeq > 400)).owner);
    owner.kill("SIGSTOP");
    await stage.unit((unit) => unit.epoch === 2);
    owner.kill("SIGCONT");
    await owner.says(/superseded/);
    expect(await replay.exited, stage.said).toBe(0);
    expect(await stage.entries()).toEqual(stage.expected);
    expect(claimsFrom(other.stderr)[0]).toBeGreaterThan(400);
    expect(new Set([...(await stage.provenances()).values()].map(({ epoch }) => epoch))).toEqual(new Set([2]));
    await expectTakesOtherWork(owner);
  });

  it("one that is stopped while it writes entries changes none of those that its successor wrote", async () => {
    const replay = await open({ events: 2_500, aggregates: 2_000, eventMicros: 50, entryMicros: 1_500 });
    const { owner } = owned((await stage.unit(({ live }) => live.entriesWritten > 300)).owner);
    owner.kill("SIGSTOP");
    expect(await replay.exited, stage.said).toBe(0);
    expect(await stage.entries()).toEqual(stage.expected);
    const written = await stage.provenances();
    const ofEpoch = (wanted: number) => [...written.values()].filter(({ epoch }) => epoch === wanted).length;
    expect(ofEpoch(1)).toBeGreaterThan(300);
    expect(ofEpoch(1) + ofEpoch(2)).toBe(stage.expected.size);
    expect(ofEpoch(2)).toBe((await stage.run()).summary?.entriesWritten);
    owner.kill("SIGCONT");
    await owner.says(/superseded/);
    await expectTakesOtherWork(owner);
    expect(await stage.provenances()).toEqual(written);
  });

  it("one that gets SIGTERM checkpoints, gives its unit back, and the other goes on from there", async () => {
    const replay = await open({});
    const { owner, other } = owned((await stage.unit(({ cursorSeq }) => cursorSeq > 400)).owner);
    owner.kill("SIGTERM");
    expect(await owner.exited, owner.said).toBe(0);
    expect(owner.stderr).toContain("unit given back");
    expect(await replay.exited, stage.said).toBe(0);
    const [unit] = await stage.units();
    expect(unit?.epoch).toBe(2);
    // Between two checkpoints: the one that it left with.
    expect(claimsFrom(other.stderr)[0]).toBeGreaterThan(400);
    expect(((claimsFrom(other.stderr)[0] ?? 1) - 1) % 400).not.toBe(0);
    expect(await stage.entries()).toEqual(stage.expected);
  });

  it("one that gets SIGTERM while it writes entries gives its unit back, and the other writes the rest", async () => {
    const replay = await open({ events: 2_500, aggregates: 2_000, eventMicros: 50, entryMicros: 1_500 });
    const { owner } = owned((await stage.unit(({ live }) => live.entriesWritten > 300)).owner);
    owner.kill("SIGTERM");
    expect(await owner.exited, owner.said).toBe(0);
    expect(owner.stderr).toContain("unit given back");
    expect(await replay.exited, stage.said).toBe(0);
    expect(await stage.entries()).toEqual(stage.expected);
    expect((await stage.run()).summary?.entriesUnchanged).toBeGreaterThan(300);
  });
});
