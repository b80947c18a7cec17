import { afterEach, describe, expect, it } from "vitest";
import { claimsFrom, FaultStage } from "../support/fault-stage.ts";
import { until } from "../support/until.ts";

const LEAVES_WITHIN_MS = 8_000;

describe("kill -9 of the command", () => {
  let stage: FaultStage;
  afterEach(() => stage.close());

  const nobodyIsLeft = () =>
    until(() => stage.processes().length === 0, "local workers to leave by themselves", LEAVES_WITHIN_MS);

  it("makes its workers leave with a checkpoint, and --resume goes on from there", async () => {
    stage = await FaultStage.open();
    const killed = stage.replay();
    const { cursorSeq } = await stage.unit((unit) => unit.cursorSeq > 1_000);
    killed.kill("SIGKILL");
    await nobodyIsLeft();
    const [given] = await stage.units();
    expect(given?.state, stage.said).toBe("pending");
    expect(given?.cursorSeq).toBeGreaterThanOrEqual(cursorSeq);
    const resumed = stage.start("event-replay", ["--resume"]);
    expect(await resumed.exited, stage.said).toBe(0);
    expect(claimsFrom(resumed.stderr)).toEqual([(given?.cursorSeq ?? 0) + 1]);
    expect(await stage.entries()).toEqual(stage.expected);
    expect(await stage.ledger.listRuns()).toHaveLength(1);
  });

  it("together with its worker, while entries are written, is mended by --resume all the same", async () => {
    const writing = { events: 2_500, aggregates: 2_000, eventMicros: 50, entryMicros: 1_500 };
    stage = await FaultStage.open({ ...writing, lockDuration: "1s" });
    const killed = stage.replay();
    await stage.unit(({ live }) => live.entriesWritten > 300);
    for (const pid of [...stage.workerPids(), killed.pid]) process.kill(pid, "SIGKILL");
    await nobodyIsLeft();
    expect((await stage.units())[0]?.state).toBe("running");
    const resumed = stage.start("event-replay", ["--resume"]);
    expect(await resumed.exited, stage.said).toBe(0);
    expect(await stage.entries()).toEqual(stage.expected);
    expect((await stage.run()).summary?.entriesUnchanged).toBeGreaterThan(300);
  });

  it("is no hindrance to a new run, which gives the dead one up", async () => {
    stage = await FaultStage.open();
    const killed = stage.replay();
    const dead = (await stage.unit(({ cursorSeq }) => cursorSeq > 800)).runId;
    killed.kill("SIGKILL");
    await killed.exited;
    const next = stage.replay();
    expect(await next.exited, stage.said).toBe(0);
    const [run, older] = await stage.ledger.listRuns();
    expect(run).toMatchObject({ state: "completed", reason: null });
    expect(older).toMatchObject({ id: dead, state: "failed" });
    expect(older?.reason).toContain(`run ${run?.id} took over`);
    expect(await stage.entries()).toEqual(stage.expected);
    expect(new Set([...(await stage.provenances()).values()].map((entry) => entry.run))).toEqual(new Set([run?.id]));
  });
});

describe("a command that is stopped past its lease", () => {
  let stage: FaultStage;
  afterEach(() => stage.close());

  it("has lost its run to the next one, says so when it wakes up, and writes nothing more", async () => {
    stage = await FaultStage.open();
    const stopped = stage.replay();
    await stage.unit(({ cursorSeq }) => cursorSeq > 400);
    stopped.kill("SIGSTOP");
    for (const pid of stage.workerPids()) process.kill(pid, "SIGSTOP");
    const next = stage.replay();
    expect(await next.exited, stage.said).toBe(0);
    const written = await stage.provenances();
    for (const { pid } of stage.processes()) process.kill(pid, "SIGCONT");
    expect(await stopped.exited, stage.said).toBe(1);
    expect(stopped.stderr).toMatch(/another coordinator has taken over shop in CIM_PROJECTIONS|took over its domain/);
    expect(await stage.entries()).toEqual(stage.expected);
    expect(await stage.provenances()).toEqual(written);
    expect((await stage.ledger.listRuns()).map(({ state }) => state)).toEqual(["completed", "failed"]);
  });
});
