import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { PartableCluster } from "@cim-replay/testkit";
import { FaultStage } from "../support/fault-stage.ts";
import { until } from "../support/until.ts";

/** Long enough for an election on the side that can hold one, and for a leader to lose its office on the other. */
const PARTED_MS = 15_000;

describe("on three servers, one of which the other two cannot reach for some seconds", { timeout: 120_000 }, () => {
  let stage: FaultStage;
  let cluster: PartableCluster;
  /** The server that will be alone, and what reaches the others. */
  let alone: { name: string; url: string };
  let others: string;

  beforeEach(async () => {
    stage = await FaultStage.open({ clustered: "partable" });
    cluster = stage.cluster as PartableCluster;
    const name = await leader();
    alone = { name, url: cluster.servers.get(name)?.url ?? "" };
    others = [...cluster.servers.values()]
      .map(({ url }) => url)
      .filter((url) => url !== alone.url)
      .join(",");
  });
  afterEach(() => stage.close());

  const leader = () =>
    until(async () => (await stage.client.jsm.streams.info("KV_CIM_REPLAY")).cluster?.leader, "a leader of the ledger");

  // The one that is cut off leads the ledger, and goes on to believe so for a while.
  it.each([
    ["command and worker are with the others", { command: false, worker: false }],
    ["command and worker are with it", { command: true, worker: true }],
    ["only the worker is with it", { command: false, worker: true }],
    ["only the command is with it", { command: true, worker: false }],
  ])("a run goes on afterwards: %s", async (_, isAlone) => {
    const at = (who: boolean) => ({ NATS_URL: who ? alone.url : others });
    stage.moreEnv = at(isAlone.worker);
    await stage.worker();
    stage.moreEnv = at(isAlone.command);
    const replay = stage.replay("--local-workers", "0");
    await stage.unit(({ cursorSeq }) => cursorSeq > 800);
    cluster.part(alone.name);
    await sleep(PARTED_MS);
    cluster.heal();
    // Who leads by now is the servers' affair: they take their time to choose, and may choose the same one again.
    expect(await replay.exited, stage.said).toBe(0);
    expect((await stage.run()).state).toBe("completed");
    expect(await stage.entries()).toEqual(stage.expected);
  });
});
