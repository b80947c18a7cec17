import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { FaultStage } from "../support/fault-stage.ts";

/** Longer than clients, claims and leases are patient, so that the run is given up and begun again. */
const OUTAGE_MS = 70_000;

describe("--resume-on-failure", { timeout: 240_000 }, () => {
  let stage: FaultStage;
  afterEach(() => stage.close());

  it("waits an outage of both servers out, goes on by itself, and ends with the same bytes", async () => {
    stage = await FaultStage.open();
    const replay = stage.replay("--resume-on-failure");
    await stage.unit(({ cursorSeq }) => cursorSeq > 800);
    await Promise.all([stage.nats.kill(), stage.redis.kill()]);
    await sleep(OUTAGE_MS);
    await Promise.all([stage.nats.restart(), stage.redis.restart()]);
    expect(await replay.exited, stage.said).toBe(0);
    expect((await stage.run()).state).toBe("completed");
    expect((await stage.ledger.listRuns()).length).toBe(1);
    expect(replay.stderr).toContain("Resuming in 2.0 s (try 1 of 5).");
    expect(await stage.entries()).toEqual(stage.expected);
  });

  it("goes on after its only worker crashed", async () => {
    stage = await FaultStage.open();
    const replay = stage.replay("--resume-on-failure");
    await stage.unit(({ cursorSeq }) => cursorSeq > 800);
    for (const pid of stage.workerPids()) process.kill(pid, "SIGKILL");
    expect(await replay.exited, stage.said).toBe(0);
    expect(await stage.entries()).toEqual(stage.expected);
  });
});
