import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { cancelRun } from "@cim-replay/coordinator";
import { afterEach, describe, expect, it } from "vitest";
import { claimsFrom, FaultStage } from "../support/fault-stage.ts";
import { until } from "../support/until.ts";

describe("while a run is at work", () => {
  let stage: FaultStage;
  afterEach(() => stage.close());

  const tool = async (name: string, ...args: string[]) => {
    const started = stage.start(name, args);
    expect(await started.exited, stage.said).toBe(0);
    return started;
  };

  it("pause-replay holds it at a checkpoint, and resume-replay lets it go on from there", async () => {
    stage = await FaultStage.open();
    const replay = stage.replay();
    await stage.unit(({ cursorSeq }) => cursorSeq > 800);
    const paused = await tool("pause-replay");
    expect(paused.stdout).toMatch(/is paused; [\d,]+ of 3,000 events are checkpointed/);
    const [held] = await stage.units();
    expect(held?.state).toBe("pending");
    await sleep(1_500);
    expect((await stage.units())[0]).toEqual(held);
    expect(replay.isRunning).toBe(true);
    await tool("resume-replay");
    expect(await replay.exited, stage.said).toBe(0);
    expect(claimsFrom(replay.stderr)).toEqual([1, (held?.cursorSeq ?? 0) + 1]);
    expect(await stage.entries()).toEqual(stage.expected);
  });

  it("cancel-replay ends it for good: status 1, no entry written, and the domain is free for the next run", async () => {
    stage = await FaultStage.open();
    const replay = stage.replay();
    await stage.unit(({ cursorSeq }) => cursorSeq > 800);
    await tool("cancel-replay", "--reason", "wrong target");
    expect(await replay.exited, stage.said).toBe(1);
    expect(replay.stderr).toContain("wrong target");
    expect(stage.processes()).toEqual([]);
    expect((await stage.run()).state).toBe("cancelled");
    expect(await stage.entries()).toEqual(new Map());
    expect(await stage.replay().exited, stage.said).toBe(0);
    expect(await stage.entries()).toEqual(stage.expected);
  });

  it("cancelling it while it writes entries leaves nothing on its way that a run started at once would meet", async () => {
    stage = await FaultStage.open({ events: 2_500, aggregates: 2_000, eventMicros: 50, entryMicros: 1_500 });
    const replay = stage.replay();
    const { runId } = await stage.unit(({ live }) => live.entriesWritten > 200);
    await cancelRun(stage.ledger, runId, "Cancelled by a test.");
    expect(await replay.exited, stage.said).toBe(1);
    expect((await stage.entries()).size).toBeLessThan(stage.expected.size);
    expect(await stage.replay().exited, stage.said).toBe(0);
    expect(await stage.entries()).toEqual(stage.expected);
  });

  it("pause-replay and cancel-replay act while it is certified, and resume-replay has it certified anew", async () => {
    stage = await FaultStage.open({ events: 2_000, eventMicros: 3_000 });
    const replay = stage.replay("--certify", "full");
    const verifying = () => until(async () => (await stage.run()).state === "verifying", "the run to be certified");
    await verifying();
    await sleep(500);
    const pausing = performance.now();
    await tool("pause-replay");
    expect(performance.now() - pausing, stage.said).toBeLessThan(3_000);
    // Longer than the certification took: nobody goes on with it.
    await sleep(8_000);
    expect(await stage.run()).toMatchObject({ state: "paused", summary: null });
    expect(replay.isRunning).toBe(true);
    await tool("resume-replay");
    await verifying();
    await tool("cancel-replay", "--reason", "thought better of it");
    const cancelledAt = performance.now();
    expect(await replay.exited, stage.said).toBe(1);
    expect(performance.now() - cancelledAt, stage.said).toBeLessThan(2_500);
    expect(replay.stderr).toContain("thought better of it");
    const { id, state } = await stage.run();
    expect(state).toBe("cancelled");
    expect(await stage.ledger.getCertificate(id)).toBeNull();
  });

  it("--checkpoint-dir has a whole copy of its ledger at all times", async () => {
    stage = await FaultStage.open();
    const replay = stage.replay("--checkpoint-dir", "copies");
    const { runId } = await stage.unit(({ cursorSeq }) => cursorSeq > 0);
    const folder = join(stage.cwd, "copies");
    const cursors = new Set<number>();
    while (replay.isRunning) {
      const copy = JSON.parse(await readFile(join(folder, `${runId}.json`), "utf8"));
      expect(copy).toMatchObject({ run: { id: runId }, plan: { runId } });
      cursors.add(copy.units[0].cursorSeq);
      await sleep(5);
    }
    expect(await replay.exited, stage.said).toBe(0);
    expect(cursors.size).toBeGreaterThan(1);
    expect(await readdir(folder)).toEqual([`${runId}.json`]);
    const last = JSON.parse(await readFile(join(folder, `${runId}.json`), "utf8"));
    expect(last).toMatchObject({ run: { state: "completed" }, units: [{ state: "done", cursorSeq: 3_000 }] });
  });
});
