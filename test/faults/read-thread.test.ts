import { afterEach, describe, expect, it } from "vitest";
import { claimsFrom, FaultStage } from "../support/fault-stage.ts";

describe("with a thread that reads beside each fold", () => {
  let stage: FaultStage;
  afterEach(() => stage.close());

  async function open(): Promise<FaultStage> {
    const opened = await FaultStage.open({ lockDuration: "1s" });
    opened.moreEnv = { CIM_REPLAY_READ_THREAD: "on" };
    return opened;
  }

  /** Attempts by whose thread the stream was read. */
  function reads(said: string): { onThread: number; onFold: number } {
    expect(said).not.toContain("without a thread of its own");
    const count = (isOwn: boolean) => said.split(`"ownThread":${isOwn},`).length - 1;
    return { onThread: count(true), onFold: count(false) };
  }

  async function consumersLeft(): Promise<number> {
    return (await stage.client.jsm.streams.info("EVENTS")).state.consumer_count;
  }

  it("kill -9 of the worker: the next one goes on from a checkpoint, on a thread of its own", async () => {
    stage = await open();
    const replay = stage.replay();
    await stage.unit(({ cursorSeq }) => cursorSeq > 800);
    for (const pid of stage.workerPids()) process.kill(pid, "SIGKILL");
    expect(await replay.exited, stage.said).toBe(0);
    expect(await stage.entries()).toEqual(stage.expected);
    expect(claimsFrom(replay.stderr)[1]).toBeGreaterThan(800);
    expect(reads(replay.stderr)).toEqual({ onThread: 2, onFold: 0 });
  });

  it("one that is stopped past its lock is superseded, and its thread reads nothing more", async () => {
    stage = await open();
    const workers = await Promise.all([stage.worker(), stage.worker()]);
    const replay = stage.replay("--local-workers", "0");
    const { owner } = await stage.unit(({ cursorSeq }) => cursorSeq > 400);
    const stopped = workers.find(({ pid }) => owner?.endsWith(`-${pid}`));
    stopped?.kill("SIGSTOP");
    await stage.unit((unit) => unit.epoch === 2);
    stopped?.kill("SIGCONT");
    await stopped?.says(/superseded/);
    expect(await replay.exited, stage.said).toBe(0);
    expect(await stage.entries()).toEqual(stage.expected);
    await expect.poll(consumersLeft).toBe(0);
    expect(reads(stage.said)).toEqual({ onThread: 2, onFold: 0 });
    for (const worker of workers) {
      worker.kill("SIGTERM");
      expect(await worker.exited, worker.said).toBe(0);
    }
  });

  it("SIGTERM to the worker in mid-unit: it checkpoints and leaves, and so does what read for it", async () => {
    stage = await open();
    const workers = await Promise.all([stage.worker(), stage.worker()]);
    const replay = stage.replay("--local-workers", "0");
    const { owner } = await stage.unit(({ cursorSeq }) => cursorSeq > 400);
    const leaving = workers.find(({ pid }) => owner?.endsWith(`-${pid}`));
    leaving?.kill("SIGTERM");
    expect(await leaving?.exited, stage.said).toBe(0);
    expect(await replay.exited, stage.said).toBe(0);
    expect(await stage.entries()).toEqual(stage.expected);
    expect(reads(stage.said)).toEqual({ onThread: 2, onFold: 0 });
  });

  it("slices are read on it as well, and their worker may be killed", async () => {
    stage = await open();
    const replay = stage.shuffle("--units", "2", "--local-workers", "1");
    await stage.unit(({ kind, live }) => kind === "slice" && live.delivered > 100);
    for (const pid of stage.workerPids()) process.kill(pid, "SIGKILL");
    await stage.hurry();
    expect(await replay.exited, stage.said).toBe(0);
    expect(await stage.entries()).toEqual(stage.expected);
    expect(reads(replay.stderr).onThread).toBeGreaterThan(1);
    expect(reads(replay.stderr).onFold).toBe(0);
  });
});
