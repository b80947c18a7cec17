import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { FaultStage } from "../support/fault-stage.ts";

interface Report {
  readonly limit: string;
  readonly ended_early: boolean;
  readonly notes: readonly string[];
  readonly activity_ms: Record<string, number>;
  readonly workers: readonly { worker: string; delivered: number; ended_by: string; rtt_ms: number | null }[];
  readonly files: { page: string; profiles: readonly string[] };
}

describe("profile-replay", () => {
  let stage: FaultStage;
  afterEach(() => stage.close());

  function profile(...args: string[]) {
    return stage.start("profile-replay", ["--format", "json", "--output", "profiled", ...args]);
  }

  it("shows of two workers at work, one of them not the coordinator's, what they do and what limits them", async () => {
    stage = await FaultStage.open({ eventMicros: 5_000 });
    await stage.worker();
    const replay = stage.replay("--units", "2", "--local-workers", "1");
    await stage.unit(({ live }) => live.applied > 50);
    const profiled = profile("--duration", "2");
    expect(await profiled.exited, stage.said).toBe(0);
    const report: Report = JSON.parse(profiled.stdout);
    expect(report.ended_early, profiled.stdout).toBe(false);
    expect(new Set(report.workers.map(({ worker }) => worker)).size).toBe(2);
    for (const worker of report.workers)
      expect(worker).toMatchObject({ ended_by: "duration", delivered: expect.any(Number) });
    expect(report.workers.reduce((sum, { delivered }) => sum + delivered, 0)).toBeGreaterThan(100);
    // The projection blocks: that is where the time goes.
    expect(report.limit, profiled.stdout).toBe("fold");
    for (const file of report.files.profiles) {
      const { nodes, samples } = JSON.parse(await readFile(file, "utf8"));
      expect(samples.length).toBeGreaterThan(100);
      expect(
        nodes.some((node: { callFrame: { functionName: string } }) => node.callFrame.functionName === "evolve"),
      ).toBe(true);
    }
    const page = await readFile(report.files.page, "utf8");
    expect(page).toContain("default-src 'none'".replaceAll("'", "&#39;"));
    expect(page).toContain("<title>evolve ");
    expect(page).not.toMatch(/<script|https?:\/\//);
    expect(await replay.exited, stage.said).toBe(0);
    expect(await stage.entries()).toEqual(stage.expected);
  });

  it("of a run that ends meanwhile shows what there was", async () => {
    stage = await FaultStage.open({ events: 2_000, eventMicros: 1_000 });
    const replay = stage.replay();
    await stage.unit(({ live }) => live.applied > 50);
    const profiled = profile("--duration", "1m");
    expect(await replay.exited, stage.said).toBe(0);
    expect(await profiled.exited, stage.said).toBe(0);
    const report: Report = JSON.parse(profiled.stdout);
    expect(report).toMatchObject({ ended_early: true, workers: [{ ended_by: "run-ended" }] });
    expect(report.workers[0]?.delivered).toBeGreaterThan(200);
    expect(await stage.entries()).toEqual(stage.expected);
  });

  it("of a worker that is killed meanwhile says so, and shows the one that took its place", async () => {
    stage = await FaultStage.open({ events: 4_000, eventMicros: 1_000 });
    const replay = stage.replay();
    await stage.unit(({ live }) => live.applied > 50);
    const profiled = profile("--duration", "1m");
    await profiled.says(/Worker .* records/);
    await stage.unit(({ cursorSeq }) => cursorSeq > 900);
    for (const pid of stage.workerPids()) process.kill(pid, "SIGKILL");
    expect(await replay.exited, stage.said).toBe(0);
    expect(await profiled.exited, stage.said).toBe(0);
    const report: Report = JSON.parse(profiled.stdout);
    expect(report.notes).toEqual([expect.stringMatching(/began a profile and did not send it/)]);
    expect(report.workers).toMatchObject([{ ended_by: "run-ended" }]);
    expect(await stage.entries()).toEqual(stage.expected);
  });

  it("without a run going on says so, and interrupted writes what there was", async () => {
    stage = await FaultStage.open({ eventMicros: 2_000 });
    const none = profile();
    expect(await none.exited).toBe(1);
    expect(none.stderr).toContain("Cannot run profile-replay: no run is going on.");
    const replay = stage.replay();
    await stage.unit(({ live }) => live.applied > 50);
    const interrupted = profile("--duration", "1h");
    await interrupted.says(/Profiling run/);
    // Time in which something can be recorded.
    await sleep(1_000);
    interrupted.kill("SIGINT");
    expect(await interrupted.exited, stage.said).toBe(130);
    expect(await readdir(join(stage.cwd, "profiled"))).toHaveLength(2);
    expect(await replay.exited, stage.said).toBe(0);
    const late = profile("--run", (await stage.run()).id);
    expect(await late.exited).toBe(1);
    expect(late.stderr).toContain("is completed");
  });
});
