import { setTimeout as sleep } from "node:timers/promises";
import type { UnitRecord } from "@cim-replay/core";
import { afterEach, describe, expect, it } from "vitest";
import { FaultStage, type FaultStageOptions, SEGMENTS } from "../support/fault-stage.ts";
import type { ReplayProcess } from "../support/replay-process.ts";
import { until } from "../support/until.ts";

const isFolding = ({ kind, state, cursorSeq }: UnitRecord) =>
  kind === "partition" && state === "running" && cursorSeq > 300;
const QUICK = ["--max-rate", "none", "--checkpoint-interval", "200"];
const WRITING: FaultStageOptions = { events: 2_500, aggregates: 2_000, eventMicros: 50, entryMicros: 1_500 };

describe("while segments are folded", () => {
  let stage: FaultStage;
  afterEach(() => stage.close());

  const replaying = (...args: string[]) => stage.shuffle(...QUICK, "--units", "2", "--local-workers", "2", ...args);

  async function expectCompletes(replay: ReplayProcess): Promise<void> {
    expect(await replay.exited, stage.said).toBe(0);
    expect((await stage.run()).state).toBe("completed");
    expect(await stage.entries()).toEqual(stage.expected);
    expect(await stage.segments()).toEqual([]);
  }

  /** One unit may fold what there is while another worker still packs the last slice. */
  const slicesArePacked = async () => {
    await stage.unit(({ kind }) => kind === "slice");
    const arePacked = async () =>
      (await stage.units()).every(({ kind, state }) => kind === "partition" || state === "done");
    await until(arePacked, "all slices to be packed");
  };

  /** What "unit claimed" lines say of units that fold. */
  const laterClaims = (log: string) =>
    [...log.matchAll(/"unit":"u\d+","epoch":(\d+),"fromSeq":(\d+),"msg":"unit claimed"/g)]
      .filter(([, epoch]) => Number(epoch) > 1)
      .map(([, , fromSeq]) => Number(fromSeq));

  it("kill -9 of workers: their units go on from their checkpoints", async () => {
    stage = await FaultStage.open({ eventMicros: 1_000 });
    const replay = replaying();
    await slicesArePacked();
    for (let kills = 0; kills < 2; kills++) {
      await stage.unit((unit) => isFolding(unit) && unit.epoch > kills);
      for (const pid of stage.workerPids()) process.kill(pid, "SIGKILL");
      await sleep(300);
    }
    await expectCompletes(replay);
    const claims = laterClaims(replay.stderr);
    expect(claims.length).toBeGreaterThan(1);
    expect(claims.some((fromSeq) => fromSeq > 300)).toBe(true);
    expect((await stage.units()).every(({ kind, epoch }) => kind === "partition" || epoch === 1)).toBe(true);
  });

  it("kill -9 while entries are written: the rest are written by the next one", async () => {
    stage = await FaultStage.open(WRITING);
    const replay = replaying("--units", "1", "--local-workers", "1");
    await stage.unit(({ live }) => live.entriesWritten > 300);
    for (const pid of stage.workerPids()) process.kill(pid, "SIGKILL");
    await expectCompletes(replay);
    expect((await stage.run()).summary?.entriesUnchanged).toBeGreaterThan(300);
  });

  it("SIGSTOP past the lock: the stopped one is superseded and writes nothing more", async () => {
    stage = await FaultStage.open({ lockDuration: "1s" });
    const workers = await Promise.all([stage.worker(), stage.worker()]);
    const replay = replaying("--units", "1", "--local-workers", "0");
    const { owner } = await stage.unit(isFolding);
    const stopped = workers.find(({ pid }) => owner?.endsWith(`-${pid}`));
    stopped?.kill("SIGSTOP");
    await stage.unit(({ kind, epoch }) => kind === "partition" && epoch === 2);
    stopped?.kill("SIGCONT");
    await stopped?.says(/superseded/);
    await expectCompletes(replay);
    expect(new Set([...(await stage.provenances()).values()].map(({ epoch }) => epoch))).toEqual(new Set([2]));
    for (const worker of workers) worker.kill("SIGTERM");
    for (const worker of workers) expect(await worker.exited, worker.said).toBe(0);
  });

  it("kill -9 of the command: --resume folds on, and packs nothing again", async () => {
    stage = await FaultStage.open();
    const killed = replaying();
    await stage.unit(isFolding);
    killed.kill("SIGKILL");
    await until(() => stage.processes().length === 0, "local workers to leave by themselves", 8_000);
    const resumed = stage.start("event-replay", ["--resume"]);
    await expectCompletes(resumed);
    expect((await stage.units()).filter(({ kind }) => kind === "slice").every(({ epoch }) => epoch === 1)).toBe(true);
    expect(laterClaims(resumed.stderr).some((fromSeq) => fromSeq > 300)).toBe(true);
  });

  it("kill -9 of the command, and a new one: the dead run's segments go with it", async () => {
    stage = await FaultStage.open();
    const killed = replaying();
    const { runId } = await stage.unit(isFolding);
    killed.kill("SIGKILL");
    await killed.exited;
    expect((await stage.segments()).some((subject) => subject.includes(runId))).toBe(true);
    const next = stage.replay("--source", "direct");
    expect(await next.exited, stage.said).toBe(0);
    expect(await stage.entries()).toEqual(stage.expected);
    expect(await stage.segments()).toEqual([]);
  });

  it("FLUSHALL", async () => {
    stage = await FaultStage.open();
    const replay = replaying("--local-workers", "1");
    await stage.unit(isFolding);
    await stage.redis.flushAll();
    await expectCompletes(replay);
    expect(replay.stderr).toContain("unit sent again");
  });

  it("kill -9 and restart of nats-server", async () => {
    stage = await FaultStage.open();
    const replay = replaying("--local-workers", "1");
    await stage.unit(isFolding);
    await stage.nats.kill();
    await sleep(1_000);
    await stage.nats.restart();
    await expectCompletes(replay);
  });

  it("pause and resume: the unit goes on from where it stood", async () => {
    stage = await FaultStage.open();
    const replay = replaying("--local-workers", "1");
    await stage.unit(isFolding);
    expect(await stage.start("pause-replay").exited, stage.said).toBe(0);
    await until(async () => (await stage.units()).every(({ state }) => state !== "running"), "workers to let go");
    expect((await stage.segments()).length).toBeGreaterThan(0);
    expect(await stage.start("resume-replay").exited, stage.said).toBe(0);
    await expectCompletes(replay);
  });
});

describe("a segment that is not what was packed", () => {
  let stage: FaultStage;
  afterEach(() => stage.close());

  /** Spoils one that the second unit, which waits for the only worker, will read. */
  async function expectNamed(
    what: RegExp,
    spoil: (subject: string) => Promise<unknown>,
    which = /unit u1 .*segment 0 of slice 2 /,
  ): Promise<void> {
    stage = await FaultStage.open();
    const replay = stage.shuffle(...QUICK, "--units", "2", "--local-workers", "1");
    await stage.unit(isFolding);
    const subject = (await stage.segments()).find((each) => /\.2\.u1\.1\.0$/.test(each));
    await spoil(subject ?? "");
    expect(await replay.exited, stage.said).toBe(1);
    const { state, reason } = await stage.run();
    expect(state).toBe("failed");
    expect(reason).toMatch(which);
    expect(reason).toMatch(what);
    expect(await stage.segments()).toEqual([]);
    expect((await stage.entries()).size).toBeLessThan(stage.expected.size);
    const resumed = stage.start("event-replay", ["--resume"]);
    expect(await resumed.exited, stage.said).toBe(0);
    expect(await stage.entries()).toEqual(stage.expected);
    expect(await stage.segments()).toEqual([]);
  }

  const streams = () => stage.client.jsm.streams;

  async function remove(subject: string): Promise<Uint8Array> {
    const found = await streams().getMessage(SEGMENTS, { last_by_subj: subject });
    await streams().deleteMessage(SEGMENTS, found?.seq ?? 0, false);
    return found?.data ?? new Uint8Array();
  }

  it("fails the run by its name where it is deleted, and --resume has it packed again", () =>
    expectNamed(/is not there any more/, remove));

  it("fails the run by its name where it holds another bit", () =>
    expectNamed(/does not hold what was packed into it/, async (subject) => {
      const bytes = Buffer.from(await remove(subject));
      bytes[bytes.length - 5] = (bytes[bytes.length - 5] ?? 0) ^ 1;
      await stage.client.js.publish(subject, bytes);
    }));

  it("fails the run by its name where a whole other one lies in its place", () =>
    expectNamed(/does not hold what was packed into it/, async (subject) => {
      await remove(subject);
      const other = await streams().getMessage(SEGMENTS, { last_by_subj: subject.replace(".2.u1.", ".1.u1.") });
      await stage.client.js.publish(subject, other?.data ?? "");
    }));

  it("fails the run where the whole stream of them is gone", () =>
    expectNamed(/is not there any more/, () => streams().delete(SEGMENTS), /unit u\d .*segment 0 of slice \d /));
});
