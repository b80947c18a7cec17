import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ServerHandle } from "@cim-replay/testkit";
import { FaultStage } from "../support/fault-stage.ts";
import type { ReplayProcess } from "../support/replay-process.ts";
import { until } from "../support/until.ts";

describe("on three servers that replicate each other's streams", () => {
  let stage: FaultStage;
  beforeEach(async () => {
    stage = await FaultStage.open({ clustered: true });
  });
  afterEach(() => stage.close());

  const folding = () => stage.unit(({ cursorSeq }) => cursorSeq > 800);

  async function expectCompletes(replay: ReplayProcess): Promise<void> {
    expect(await replay.exited, stage.said).toBe(0);
    expect((await stage.run()).state).toBe("completed");
    expect(await stage.entries()).toEqual(stage.expected);
  }

  /** Which server leads a stream now. */
  async function leaderOf(stream: string): Promise<ServerHandle> {
    const name = await until(
      async () => (await stage.client.jsm.streams.info(stream)).cluster?.leader,
      `a leader of ${stream}`,
    );
    const server = stage.cluster?.servers.get(name);
    if (!server) throw new Error(`no server ${name}`);
    return server;
  }

  it("all that a run makes has three replicas", async () => {
    await expectCompletes(stage.replay());
    const replicas: Record<string, number> = {};
    for await (const { config } of stage.client.jsm.streams.list()) replicas[config.name] = config.num_replicas;
    expect(replicas).toMatchObject({ KV_CIM_REPLAY: 3, KV_CIM_PROJECTIONS: 3, CIM_REPLAY_QUARANTINE: 3 });
    expect(new Set(Object.values(replicas))).toEqual(new Set([3]));
  });

  it.each(["EVENTS", "KV_CIM_REPLAY", "KV_CIM_PROJECTIONS"])(
    "a run goes on after kill -9 of the leader of %s, and while that is away",
    async (stream) => {
      const replay = stage.replay();
      await folding();
      await (await leaderOf(stream)).kill();
      await expectCompletes(replay);
    },
  );

  it("a run goes on after a leader that stood still for some seconds and comes back with what it knew then", async () => {
    const replay = stage.replay();
    await folding();
    const leader = await leaderOf("KV_CIM_REPLAY");
    leader.pause();
    await sleep(15_000);
    leader.resume();
    await expectCompletes(replay);
  });

  it("a run goes on after two of three servers were away for some seconds", async () => {
    const replay = stage.replay();
    await folding();
    const [one, other] = stage.cluster?.servers.values() ?? [];
    await Promise.all([one?.kill(), other?.kill()]);
    await sleep(3_000);
    await Promise.all([one?.restart(), other?.restart()]);
    await expectCompletes(replay);
  });

  it("a domain is verified while one server is away", async () => {
    await expectCompletes(stage.replay());
    await (await leaderOf("KV_CIM_PROJECTIONS")).kill();
    // It may have led JetStream itself: the command waits until another one does.
    const verifying = stage.start("verify-domain", ["--domain", "shop"]);
    expect(await verifying.exited, verifying.said).toBe(0);
  });
});
