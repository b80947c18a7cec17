import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { claimsFrom, FaultStage } from "../support/fault-stage.ts";
import { nameOf } from "../support/marked-processes.ts";
import { until } from "../support/until.ts";

describe("a signal to the command", () => {
  let stage: FaultStage;
  afterEach(() => stage.close());

  it.each(["SIGINT", "SIGTERM"] as const)(
    "%s ends it with a checkpoint and status 130, and what it says how to resume works",
    async (signal) => {
      stage = await FaultStage.open({ eventMicros: 1_000 });
      const interrupted = stage.replay("--units", signal === "SIGINT" ? "1" : "2");
      await stage.unit(({ cursorSeq }) => cursorSeq > 800);
      interrupted.kill(signal);
      expect(await interrupted.exited, stage.said).toBe(130);
      expect(stage.processes()).toEqual([]);
      expect(interrupted.stderr).toMatch(
        /is interrupted; [\d,]+ of 3,000 events are checkpointed.*event-replay --resume/,
      );
      // Of two units, the other may have been done by then.
      const left = (await stage.units()).filter(({ state }) => state !== "done");
      const cursors = left.map(({ cursorSeq }) => cursorSeq);
      const resumed = stage.start("event-replay", ["--resume"]);
      expect(await resumed.exited, stage.said).toBe(0);
      const goneOn = claimsFrom(resumed.stderr).sort((a, b) => a - b);
      expect(goneOn).toEqual(cursors.map((seq) => seq + 1).sort((a, b) => a - b));
      expect(await stage.entries()).toEqual(stage.expected);
    },
  );

  it("SIGINT while it is certified ends it at once with status 130, and it is certified when it is resumed", async () => {
    stage = await FaultStage.open({ events: 2_000, eventMicros: 3_000 });
    const interrupted = stage.replay("--certify", "full");
    await until(async () => (await stage.run()).state === "verifying", "the run to be certified");
    await sleep(500);
    interrupted.kill("SIGINT");
    const killedAt = performance.now();
    expect(await interrupted.exited, stage.said).toBe(130);
    expect(performance.now() - killedAt, stage.said).toBeLessThan(2_500);
    expect(stage.processes()).toEqual([]);
    const { id, state, summary } = await stage.run();
    expect({ state, summary }).toEqual({ state: "paused", summary: null });
    expect(await stage.ledger.getCertificate(id)).toBeNull();
    expect(interrupted.stderr).toMatch(/is interrupted; 2,000 of 2,000 events are checkpointed.*event-replay --resume/);
    const resumed = stage.start("event-replay", ["--resume"]);
    expect(await resumed.exited, stage.said).toBe(0);
    expect(await stage.run()).toMatchObject({
      ...{ id, state: "completed" },
      summary: { certificate: { level: "full", holds: true } },
    });
    expect(claimsFrom(resumed.stderr)).toEqual([]);
    expect(await stage.entries()).toEqual(stage.expected);
  });

  it("SIGINT twice ends it at once; its workers checkpoint without it", async () => {
    stage = await FaultStage.open();
    const interrupted = stage.replay("--checkpoint-interval", "1000000");
    await stage.unit(({ live }) => live.applied > 500);
    interrupted.kill("SIGINT");
    await interrupted.says(/Once more ends at once/);
    interrupted.kill("SIGINT");
    expect(await interrupted.exited, stage.said).toBe(130);
    await until(() => stage.processes().length === 0, "its worker to leave", 8_000);
    expect((await stage.units())[0]).toMatchObject({
      state: "pending",
      cursorSeq: expect.toSatisfy((seq) => seq > 500),
    });
    expect(await stage.start("event-replay", ["--resume"]).exited, stage.said).toBe(0);
    expect(await stage.entries()).toEqual(stage.expected);
  });

  it("SIGUSR1, by the name that pgrep finds, makes a checkpoint durable at once", async () => {
    stage = await FaultStage.open();
    const replay = stage.replay("--checkpoint-interval", "1000000");
    const before = await stage.unit(({ live }) => live.applied > 500);
    expect(before.cursorSeq).toBe(0);
    expect(nameOf(replay.pid)).toBe("domain-replay");
    process.kill(replay.pid, "SIGUSR1");
    const after = await stage.unit(({ cursorSeq }) => cursorSeq > 500, 2_000);
    expect(after.state).toBe("running");
    await replay.says(/Checkpoint of run \S+ is durable: [\d,]+ of 3,000 events/, 2_000);
    expect(await replay.exited, stage.said).toBe(0);
    expect(await stage.entries()).toEqual(stage.expected);
  });
});
