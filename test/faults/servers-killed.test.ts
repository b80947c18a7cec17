import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { startRedis, startSentinel } from "@cim-replay/testkit";
import { askRedis } from "../support/ask-redis.ts";
import { claimsFrom, FaultStage, type FaultStageOptions } from "../support/fault-stage.ts";
import type { ReplayProcess } from "../support/replay-process.ts";

const WRITING: FaultStageOptions = { events: 2_500, aggregates: 2_000, eventMicros: 50, entryMicros: 1_500 };

describe("a run goes on and ends with the same bytes after", () => {
  let stage: FaultStage;
  afterEach(() => stage.close());

  async function expectCompletes(replay: ReplayProcess): Promise<void> {
    expect(await replay.exited, stage.said).toBe(0);
    expect((await stage.run()).state).toBe("completed");
    expect(await stage.entries()).toEqual(stage.expected);
  }

  const folding = () => stage.unit(({ cursorSeq }) => cursorSeq > 800);
  const writing = () => stage.unit(({ live }) => live.entriesWritten > 300);
  /** Two units and one worker, so that one of them waits in the queue. */
  const oneWaits = () => stage.replay("--units", "2", "--local-workers", "1");

  it("FLUSHALL on Redis: the unit at work goes on, the waiting one is sent again", async () => {
    stage = await FaultStage.open();
    const replay = oneWaits();
    await folding();
    await stage.redis.flushAll();
    await expectCompletes(replay);
    expect(claimsFrom(replay.stderr)).toEqual([1, 1]);
    expect(replay.stderr).toContain("unit sent again");
  });

  it("kill -9 and restart of Redis", async () => {
    stage = await FaultStage.open();
    const replay = oneWaits();
    await folding();
    await stage.redis.kill();
    await sleep(1_000);
    await stage.redis.restart();
    await expectCompletes(replay);
    expect(claimsFrom(replay.stderr)).toEqual([1, 1]);
  });

  it("kill -9 of the master Redis, where sentinels name the next one", async () => {
    stage = await FaultStage.open();
    const replica = await startRedis({ config: `replicaof 127.0.0.1 ${stage.redis.port}\n` });
    const sentinel = await startSentinel({ name: "units", masterPort: stage.redis.port });
    try {
      stage.moreEnv = { REDIS_URL: sentinel.url, CIM_REPLAY_REDIS_SENTINEL: "units" };
      const replay = oneWaits();
      await folding();
      await stage.redis.kill();
      await expectCompletes(replay);
      expect(claimsFrom(replay.stderr)).toEqual([1, 1]);
      // The unit that waited was taken from it.
      expect(await askRedis(replica.url, "INFO replication")).toContain("role:master");
    } finally {
      await Promise.all([sentinel.stop(), replica.stop()]);
    }
  });

  it("the loss of Redis for good, where no unit waits any more", async () => {
    stage = await FaultStage.open();
    const replay = stage.replay();
    await folding();
    await stage.redis.kill();
    await expectCompletes(replay);
  });

  it.each(["--reader=own", "--reader=library", "--read-thread=on"])(
    "kill -9 and restart of nats-server while it folds, with %s",
    async (flag) => {
      stage = await FaultStage.open();
      const replay = stage.replay(flag);
      await folding();
      await stage.nats.kill();
      await sleep(1_000);
      await stage.nats.restart();
      await expectCompletes(replay);
      expect(replay.stderr).toMatch(/reading goes on after sequence \d+ of stream EVENTS: /);
      expect(replay.stderr).toContain(`"ownThread":${flag === "--read-thread=on"},`);
      expect(replay.stderr).not.toContain("without a thread of its own");
      expect(claimsFrom(replay.stderr)).toEqual([1]);
    },
  );

  it("kill -9 and restart of nats-server while it writes entries", async () => {
    stage = await FaultStage.open(WRITING);
    const replay = stage.replay();
    await writing();
    await stage.nats.kill();
    await stage.nats.restart();
    await expectCompletes(replay);
  });

  it.each(["own", "library"])(
    "nats-server that answers nothing for some seconds, with the reader: %s",
    async (reader) => {
      stage = await FaultStage.open();
      const replay = stage.replay("--reader", reader);
      await folding();
      stage.nats.pause();
      await sleep(4_000);
      stage.nats.resume();
      await expectCompletes(replay);
    },
  );
});
