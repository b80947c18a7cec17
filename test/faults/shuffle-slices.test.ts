import { setTimeout as sleep } from "node:timers/promises";
import type { UnitRecord } from "@cim-replay/core";
import { afterEach, describe, expect, it } from "vitest";
import { claimsFrom, FaultStage } from "../support/fault-stage.ts";
import type { ReplayProcess } from "../support/replay-process.ts";
import { until } from "../support/until.ts";

const isPacking = ({ kind, state, live }: UnitRecord) => kind === "slice" && state === "running" && live.delivered > 50;

describe("while slices are packed", () => {
  let stage: FaultStage;
  afterEach(() => stage.close());

  async function expectCompletes(replay: ReplayProcess): Promise<void> {
    await stage.hurry();
    expect(await replay.exited, stage.said).toBe(0);
    expect((await stage.run()).state).toBe("completed");
    expect(await stage.entries()).toEqual(stage.expected);
    expect(await stage.segments()).toEqual([]);
  }

  /** Every slice is packed, and the server holds each segment of it once, whoever was at it before. */
  async function expectPackedOnce(): Promise<void> {
    const slices = await until(
      async () => {
        const found = (await stage.units()).filter(({ kind }) => kind === "slice");
        return found.every(({ state }) => state === "done") ? found : null;
      },
      () => `all slices to be packed. ${stage.said}`,
    );
    const segments = await stage.segments();
    expect(segments).toHaveLength(await stage.packedSegments());
    const epochs = new Map(slices.map(({ id, epoch }) => [id.slice(1), String(epoch)]));
    for (const subject of segments) {
      const [slice = "", , epoch] = subject.split(".").slice(3);
      expect(epoch).toBe(epochs.get(slice));
    }
  }

  it("kill -9 of a worker: another packs its slice from the start, and what is stored is stored once", async () => {
    stage = await FaultStage.open();
    const replay = stage.shuffle("--units", "2", "--local-workers", "2");
    for (let kills = 0; kills < 2; kills++) {
      const { owner } = await stage.unit((unit) => isPacking(unit) && unit.epoch > kills / 2);
      expect(owner).not.toBeNull();
      const [pid = 0] = stage.workerPids();
      process.kill(pid, "SIGKILL");
      await sleep(300);
    }
    await stage.hurry();
    await expectPackedOnce();
    expect((await stage.units()).some(({ kind, epoch }) => kind === "slice" && epoch > 1)).toBe(true);
    await expectCompletes(replay);
  });

  it("SIGSTOP past the lock: the slice is another's, and what the stopped one still sends is nobody's", async () => {
    stage = await FaultStage.open({ lockDuration: "1s", eventMicros: 1_500 });
    const workers = await Promise.all([stage.worker(), stage.worker()]);
    const replay = stage.shuffle("--units", "2", "--local-workers", "0");
    const stopped = await stage.unit(isPacking);
    const owner = workers.find(({ pid }) => stopped.owner?.endsWith(`-${pid}`));
    owner?.kill("SIGSTOP");
    await stage.unit(({ id, epoch }) => id === stopped.id && epoch > stopped.epoch);
    await stage.hurry();
    await stage.unit(({ id, state }) => id === stopped.id && state === "done");
    owner?.kill("SIGCONT");
    await owner?.says(/superseded/);
    await expectPackedOnce();
    await expectCompletes(replay);
    for (const worker of workers) worker.kill("SIGTERM");
    for (const worker of workers) expect(await worker.exited, worker.said).toBe(0);
  });

  it("kill -9 of the command: its workers leave, and --resume packs what is not packed", async () => {
    stage = await FaultStage.open();
    const killed = stage.shuffle("--units", "2", "--local-workers", "2");
    await stage.unit(({ kind, state }) => kind === "slice" && state === "done");
    await stage.unit(isPacking);
    killed.kill("SIGKILL");
    await until(() => stage.processes().length === 0, "local workers to leave by themselves", 8_000);
    const packed = (await stage.units()).filter(({ kind, state }) => kind === "slice" && state === "done");
    await stage.hurry();
    const resumed = stage.start("event-replay", ["--resume"]);
    await expectCompletes(resumed);
    for (const { id, epoch } of packed) {
      expect((await stage.units()).find((unit) => unit.id === id)?.epoch).toBe(epoch);
    }
  });

  it("one worker place for all: slices come first, and nobody waits for ever", async () => {
    stage = await FaultStage.open({ events: 1_500, eventMicros: 200 });
    const replay = stage.shuffle("--units", "3", "--parallel", "6", "--local-workers", "1", "--max-rate", "300");
    await stage.unit(isPacking);
    const [pid = 0] = stage.workerPids();
    process.kill(pid, "SIGKILL");
    await expectCompletes(replay);
  });

  /** A run whose one worker packs a slice that the other waits for, with a unit that folds; null where the slice was packed too soon. */
  async function killedWhilePacking(): Promise<{ replay: ReplayProcess; waiting: ReplayProcess } | null> {
    stage = await FaultStage.open({ lockDuration: "1s" });
    const workers = await Promise.all([stage.worker(), stage.worker()]);
    const replay = stage.shuffle("--units", "2", "--local-workers", "0", "--max-rate", "500");
    await stage.unit(({ id, state }) => id === "u0" && state === "running");
    const slice = (await stage.units()).find(({ kind, state }) => kind === "slice" && state === "running");
    const packing = workers.find(({ pid }) => slice?.owner?.endsWith(`-${pid}`));
    const waiting = workers.find((worker) => worker !== packing);
    packing?.kill("SIGKILL");
    await packing?.exited;
    const now = (await stage.units()).find(({ id }) => id === slice?.id);
    if (packing && waiting && now?.state === "running") return { replay, waiting };
    await stage.close();
    return null;
  }

  it("kill -9 for good of the one that packs: who waits for its slice gives the place back, packs, and folds on", async () => {
    // How even the two share the rate is chance: now and then the last slice is packed by the time that a unit folds.
    const killed = (await killedWhilePacking()) ?? (await killedWhilePacking()) ?? (await killedWhilePacking());
    if (!killed) throw new Error("three times the slice was packed before its worker could be killed");
    const { replay, waiting } = killed;
    await expectCompletes(replay);
    expect(waiting.stderr).toMatch(/unit given back: Nobody packs slice \d now/);
    waiting.kill("SIGTERM");
    expect(await waiting.exited, waiting.said).toBe(0);
  });

  it("FLUSHALL, then kill -9 and restart of Redis", async () => {
    stage = await FaultStage.open();
    const replay = stage.shuffle("--units", "2", "--local-workers", "1");
    await stage.unit(isPacking);
    await stage.redis.flushAll();
    await sleep(500);
    await stage.redis.kill();
    await stage.redis.restart();
    await expectCompletes(replay);
    expect(replay.stderr).toContain("unit sent again");
  });

  it("kill -9 and restart of nats-server: reading and storing go on where they were", async () => {
    stage = await FaultStage.open();
    const replay = stage.shuffle("--units", "2", "--local-workers", "1");
    await stage.unit(isPacking);
    await stage.nats.kill();
    await sleep(1_000);
    await stage.nats.restart();
    await expectCompletes(replay);
    expect(claimsFrom(replay.stderr)).toHaveLength(6);
  });

  it("nats-server that answers nothing for some seconds", async () => {
    stage = await FaultStage.open();
    const replay = stage.shuffle("--units", "2", "--local-workers", "1");
    await stage.unit(isPacking);
    stage.nats.pause();
    await sleep(4_000);
    stage.nats.resume();
    await expectCompletes(replay);
  });

  it("a run that is cancelled leaves no segments", async () => {
    stage = await FaultStage.open();
    const replay = stage.shuffle("--units", "2", "--local-workers", "2");
    await stage.unit(({ kind, state }) => kind === "slice" && state === "done");
    expect((await stage.segments()).length).toBeGreaterThan(0);
    const cancel = stage.start("cancel-replay");
    expect(await cancel.exited, stage.said).toBe(0);
    expect(await replay.exited, stage.said).toBe(1);
    expect(await stage.segments()).toEqual([]);
  });
});

describe("a stream that changes while slices are packed", () => {
  let stage: FaultStage;
  afterEach(() => stage.close());

  async function expectFails(reason: RegExp, meanwhile: () => Promise<unknown>): Promise<void> {
    stage = await FaultStage.open();
    const replay = stage.shuffle("--units", "2", "--local-workers", "2", "--prefetch", "50", "--batch-size", "20");
    await stage.unit(({ id, live }) => id === "s0" && live.readSeq > 200);
    await meanwhile();
    await stage.hurry();
    expect(await replay.exited, stage.said).toBe(1);
    expect(await stage.run()).toMatchObject({ state: "failed", reason: expect.stringMatching(reason) });
    expect(await stage.segments()).toEqual([]);
  }

  const streams = () => stage.client.jsm.streams;

  // A reader may look when the old one is gone and the new one not there yet.
  it("fails the run where it is deleted and made again", () =>
    expectFails(/EVENTS.*(made again|recreated|created|does not exist any more)/, async () => {
      await streams().delete("EVENTS");
      await stage.createStream();
      await stage.publish(3_000);
    }));

  it("fails the run where a message ahead of the readers is deleted, naming its sequence", () =>
    expectFails(/sequence 2950 of EVENTS/, () => streams().deleteMessage("EVENTS", 2_950, false)));

  it("fails the run where a message behind the readers is deleted", () =>
    expectFails(/EVENTS lost messages.*: 100\)|2999 delivered|0 sequences are deleted|1 sequences are deleted/, () =>
      streams().deleteMessage("EVENTS", 100, false),
    ));

  it("fails the run where it is purged", () =>
    expectFails(/EVENTS.*(purged|lost)|sequence \d+ of EVENTS/, () => streams().purge("EVENTS")));
});
